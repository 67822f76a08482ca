// A client that sends what it is told and shows what comes back, frame by frame: no retries, no pings, no watches of
// its own.

import { connect as dial, type Socket } from 'node:net';
import {
  ByteReader,
  ByteWriter,
  beginFrame,
  endFrame,
  FrameDecoder,
  OPEN_ACL_UNSAFE,
  OpCode,
  readConnectResponse,
  writeConnectRequest,
  writeCreateRequest,
  writePathRequest,
  writePathWatchRequest,
} from '@zebu/protocol';
import type { Ticket } from '../src/index.ts';

export interface Reply {
  readonly xid: number;
  readonly errno: number;
  readonly body: ByteReader;
}

export class RawClient {
  /** Bytes of a frame that has not come whole. */
  partialBytes = 0;
  isClosed = false;
  ticket: Ticket = { id: 0n, password: Buffer.alloc(16) };
  isRefused = false;
  private xid = 0;
  private readonly socket: Socket;
  private readonly frames: Buffer[] = [];
  private wake = (): void => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    const decoder = new FrameDecoder(0xfffff);
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk, 0, chunk.length, (bytes, start, end) => {
        this.frames.push(Buffer.from(bytes.subarray(start, end)));
        return true;
      });
      this.partialBytes = decoder.bufferedBytes;
      this.wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.wake();
    });
  }

  static async connect(port: number, ticket?: Ticket): Promise<RawClient> {
    const client = new RawClient(dial({ host: '127.0.0.1', port }));
    client.send((writer) =>
      writeConnectRequest(writer, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs: 30_000,
        sessionId: ticket?.id ?? 0n,
        password: ticket?.password ?? Buffer.alloc(16),
        readOnly: false,
      }),
    );
    const handshake = await client.frame();
    if (handshake === undefined) return client;
    const { sessionId, password, timeoutMs } = readConnectResponse(new ByteReader(handshake));
    client.ticket = { id: sessionId, password };
    client.isRefused = timeoutMs <= 0;
    return client;
  }

  create(path: string, flags = 0): void {
    this.request(OpCode.create2, (writer) =>
      writeCreateRequest(writer, { path, data: Buffer.alloc(0), acl: OPEN_ACL_UNSAFE, flags }),
    );
  }

  exists(path: string, watch = false): void {
    this.request(OpCode.exists, (writer) => writePathWatchRequest(writer, { path, watch }));
  }

  sync(): void {
    this.request(OpCode.sync, (writer) => writePathRequest(writer, '/'));
  }

  ping(): void {
    this.send((writer) => {
      writer.int32(-2);
      writer.int32(OpCode.ping);
    });
  }

  /** Undefined when the connection is closed. */
  async reply(): Promise<Reply | undefined> {
    const frame = await this.frame();
    if (frame === undefined) return undefined;
    const body = new ByteReader(frame);
    const xid = body.int32();
    body.int64();
    return { xid, errno: body.int32(), body };
  }

  destroy(): void {
    this.socket.destroy();
  }

  private request(type: number, write: (writer: ByteWriter) => void): void {
    this.xid++;
    this.send((writer) => {
      writer.int32(this.xid);
      writer.int32(type);
      write(writer);
    });
  }

  private send(write: (writer: ByteWriter) => void): void {
    const writer = new ByteWriter();
    const mark = beginFrame(writer);
    write(writer);
    endFrame(writer, mark);
    this.socket.write(Buffer.from(writer.view()));
  }

  private async frame(): Promise<Buffer | undefined> {
    for (;;) {
      const frame = this.frames.shift();
      if (frame !== undefined || this.isClosed) return frame;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
