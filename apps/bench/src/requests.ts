// Single requests on a raw connection, outside of any closed loop, for scenarios that need exact steps.
// Each takes the connection's next xid.

import {
  AddWatchMode,
  ByteWriter,
  beginFrame,
  CreateFlag,
  endFrame,
  OPEN_ACL_UNSAFE,
  OpCode,
  writeCreateRequest,
  writePathNumberRequest,
  writePathWatchRequest,
  writeRequestHeader,
  writeSetDataRequest,
  writeSetWatchesRequest,
  Xid,
  type Zxid,
} from '@zebu/protocol';
import type { RawConnection } from './raw-connection.ts';

export class Requests {
  private readonly writer = new ByteWriter(4096);

  get(connection: RawConnection, path: string, watch = false): void {
    this.send(connection, OpCode.getData, (writer) =>
      writePathWatchRequest(writer, { path, watch }),
    );
  }

  children(connection: RawConnection, path: string): void {
    this.send(connection, OpCode.getChildren, (writer) =>
      writePathWatchRequest(writer, { path, watch: false }),
    );
  }

  set(connection: RawConnection, path: string, data: Uint8Array): void {
    this.send(connection, OpCode.setData, (writer) =>
      writeSetDataRequest(writer, { path, data, version: -1 }),
    );
  }

  create(connection: RawConnection, path: string, data: Uint8Array, isEphemeral = false): void {
    const flags = isEphemeral ? CreateFlag.ephemeral : CreateFlag.persistent;
    this.send(connection, OpCode.create, (writer) =>
      writeCreateRequest(writer, { path, data, acl: OPEN_ACL_UNSAFE, flags }),
    );
  }

  watchPersistently(connection: RawConnection, path: string): void {
    this.send(connection, OpCode.addWatch, (writer) =>
      writePathNumberRequest(writer, { path, value: AddWatchMode.persistent }),
    );
  }

  /** Sets data watches again as a reconnected client does; changes up to `relativeZxid` fire nothing. */
  setWatches(connection: RawConnection, relativeZxid: Zxid, paths: readonly string[]): void {
    this.send(connection, OpCode.setWatches, (writer) =>
      writeSetWatchesRequest(writer, { relativeZxid, data: paths, exist: [], child: [] }),
    );
  }

  /** Keeps a session alive. Its reply has the xid -2. */
  ping(connection: RawConnection): void {
    this.write(connection, Xid.ping, OpCode.ping, () => {});
  }

  private send(
    connection: RawConnection,
    type: number,
    writeBody: (writer: ByteWriter) => void,
  ): void {
    connection.xid += 1;
    this.write(connection, connection.xid, type, writeBody);
  }

  private write(
    connection: RawConnection,
    xid: number,
    type: number,
    writeBody: (writer: ByteWriter) => void,
  ): void {
    const writer = this.writer;
    const mark = beginFrame(writer);
    writeRequestHeader(writer, { xid, type });
    writeBody(writer);
    endFrame(writer, mark);
    connection.send(writer);
  }
}
