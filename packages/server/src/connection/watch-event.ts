// One watch event, framed once however many watch.
//
// Notification: ReplyHeader(xid -1, zxid of the txn, err 0), int type, int state 3, ustring path.

import { ByteWriter, KeeperState, Xid } from '@zebu/protocol';

export class WatchEvent {
  private readonly frame: ByteWriter;
  private kept: Buffer | undefined;

  constructor() {
    this.frame = new ByteWriter(256);
    this.kept = undefined;
  }

  /** Valid until the next event is framed. */
  get bytes(): Buffer {
    return this.frame.bytes;
  }

  get length(): number {
    return this.frame.offset;
  }

  /** A copy that stays; the same one for all who ask. */
  keep(): Buffer {
    this.kept ??= Buffer.from(this.bytes.subarray(0, this.length));
    return this.kept;
  }

  /** Begins the next one: its path is to be written. */
  begin(type: number, zxid: number): ByteWriter {
    const { frame } = this;
    this.kept = undefined;
    frame.reset();
    frame.int32(0);
    frame.int32(Xid.notification);
    frame.int64(zxid);
    frame.int32(0);
    frame.int32(type);
    frame.int32(KeeperState.syncConnected);
    return frame;
  }

  end(): void {
    this.frame.patchInt32(0, this.length - 4);
  }
}
