// What goes out to one client: replies and events in order, and what of them may wait.

import { type ByteWriter, copyBytes, putInt32, type Zxid } from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import type { ClientConnection } from './client-connection.ts';
import { LongReply, type Slices } from './long-reply.ts';
import type { ServerNode } from './server-node.ts';

/** Reply bytes that may wait for a slow reader before its requests are left alone. */
export const MAX_QUEUED_BYTES = 1 << 20;
/** Replies of one burst are handed to the socket whenever this many bytes have gathered. */
const FLUSH_BYTES = 128 * 1024;
/** Watch events that a client does not read may take this much; then it is cut off. */
const MAX_QUEUED_EVENT_BYTES = 64 << 20;
const REPLY_PREFIX_BYTES = 20;
const NO_BYTES = Buffer.alloc(0);

export class ConnectionOutput {
  /** Set by a read that wants its reply written over several turns. */
  slices: Slices | undefined;
  private readonly connection: ClientConnection;
  private readonly node: ServerNode;
  private readonly transport: Connection;
  /** Borrowed while replies of this turn gather. */
  private buffer: ByteWriter | undefined;
  private queuedForFlush: boolean;
  /** Being written over several turns; what comes after it waits in `buffer`. */
  private longReply: LongReply | undefined;
  private endOfSlices: Buffer;

  constructor(connection: ClientConnection) {
    this.slices = undefined;
    this.connection = connection;
    this.node = connection.node;
    this.transport = connection.transport;
    this.buffer = undefined;
    this.queuedForFlush = false;
    this.longReply = undefined;
    this.endOfSlices = NO_BYTES;
  }

  /** Where replies and events of this turn gather, in order. */
  writer(): ByteWriter {
    if (this.buffer === undefined) this.buffer = this.node.outputs.borrow();
    if (!this.queuedForFlush) {
      this.queuedForFlush = true;
      this.node.turns.touch(this.connection);
    }
    return this.buffer;
  }

  /** A reply of a header alone. */
  replyError(xid: number, zxid: Zxid, error: number): void {
    this.reply(xid, zxid, NO_BYTES, error);
  }

  /** A whole reply made elsewhere. */
  reply(xid: number, zxid: Zxid, body: Buffer, error = 0): void {
    const writer = this.writer();
    const mark = beginReply(writer);
    writer.raw(body, 0, body.length);
    this.complete(writer, mark, xid, zxid, error);
  }

  complete(writer: ByteWriter, mark: number, xid: number, zxid: Zxid, error: number): void {
    const { bytes } = writer;
    let at = putInt32(bytes, mark, writer.offset - mark - 4);
    at = putInt32(bytes, at, xid);
    at = putInt32(bytes, at, Math.floor(zxid / 0x1_0000_0000));
    at = putInt32(bytes, at, zxid);
    putInt32(bytes, at, error);
    this.connection.stats.sent++;
    const { metrics } = this.node;
    metrics.packetsSent++;
    metrics.responded(writer.offset - mark - 4);
    metrics.responseBytes += writer.offset - mark - 4;
  }

  /** Notes that a request was answered; how long it took, in whole milliseconds. */
  note(label: string, xid: number, receivedMs: number): number {
    const { metrics, tree } = this.node;
    const { nowMs } = this.node.turns;
    const latencyMs = Math.trunc(nowMs - receivedMs);
    metrics.answered(latencyMs);
    this.connection.stats.answered(label, xid, tree.lastProcessedZxid, nowMs, latencyMs);
    return latencyMs;
  }

  /** A watch event, already framed; the same bytes may go to many connections. */
  event(frame: Buffer, length: number): void {
    const writer = this.writer();
    if (this.transport.queuedBytes + writer.offset > MAX_QUEUED_EVENT_BYTES) {
      this.connection.end(
        new Error(`Watch events of ${this.transport.queuedBytes} bytes were not read`),
      );
      return;
    }
    writer.ensure(length);
    copyBytes(frame, 0, length, writer.bytes, writer.offset);
    writer.offset += length;
    this.connection.stats.sent++;
    this.node.metrics.packetsSent++;
    this.node.metrics.watchBytes += length;
    if (writer.offset >= FLUSH_BYTES) this.flush();
  }

  // ---- Long replies -------------------------------------------------------------------------

  /** Whether a reply may be written over several turns; one at a time for each connection. */
  get mayReplyInSlices(): boolean {
    return this.longReply === undefined;
  }

  /**
   * For a read whose reply is too long for one turn: what it has written so far is followed by the
   * slices, and those by `end`.
   */
  replyInSlices(slices: Slices, end: Buffer): void {
    this.slices = slices;
    this.endOfSlices = end;
  }

  beginLongReply(mark: number, xid: number, label: string, receivedMs: number): void {
    this.longReply = new LongReply({
      writer: this.buffer as ByteWriter,
      mark,
      xid,
      zxid: this.node.tree.lastProcessedZxid,
      label,
      receivedMs,
      slices: this.slices as Slices,
      end: this.endOfSlices,
    });
    this.slices = undefined;
    // What comes behind it gathers in a buffer of its own, and no further request is taken.
    this.buffer = undefined;
    this.connection.input.stopped = true;
    this.node.environment.scheduler.afterTurn(this.continueLongReply);
  }

  private readonly continueLongReply = (): void => {
    const long = this.longReply;
    if (long === undefined) return;
    if (!long.step()) {
      this.node.environment.scheduler.afterTurn(this.continueLongReply);
      return;
    }
    this.node.turns.look();
    this.longReply = undefined;
    this.complete(long.writer, long.mark, long.xid, long.zxid, 0);
    this.note(long.label, long.xid, long.receivedMs);
    if (this.transport.write(long.writer.bytes, 0, long.writer.offset)) {
      this.node.outputs.giveBack(long.writer);
    }
    // Now what waited: in its buffer, parked, and unread.
    this.writer();
    this.connection.runParkedReads();
    this.connection.resume();
    this.node.turns.flush();
  };

  dropLongReply(): void {
    this.longReply?.close();
    this.longReply = undefined;
  }

  // ---- To the socket ------------------------------------------------------------------------

  /** Hands what has gathered to the socket. */
  flush(): void {
    const { buffer } = this;
    if (buffer === undefined || buffer.offset === 0 || this.longReply !== undefined) return;
    if (this.transport.write(buffer.bytes, 0, buffer.offset)) {
      buffer.reset();
      return;
    }
    // The transport owns those bytes now.
    this.buffer = undefined;
  }

  /** Within a burst: hands over what has gathered, and looks whether the client reads. */
  flushIfMuch(writer: ByteWriter): void {
    if (writer.offset < FLUSH_BYTES) return;
    this.flush();
    if (this.transport.queuedBytes > MAX_QUEUED_BYTES) this.connection.input.stopped = true;
  }

  /** End of the turn: flush, and give the buffer back. */
  endTurn(): void {
    this.queuedForFlush = false;
    if (this.longReply !== undefined) return;
    this.flush();
    if (this.buffer !== undefined) {
      this.node.outputs.giveBack(this.buffer);
      this.buffer = undefined;
    }
    const { connection } = this;
    if (connection.isClosed) this.transport.end();
    else if (this.transport.queuedBytes > MAX_QUEUED_BYTES && !connection.input.stopped) {
      connection.input.stopped = true;
      this.transport.pause();
    }
  }

  /** The transport is gone. */
  drop(): void {
    this.buffer = undefined;
  }
}

/** Leaves room for the length and the header of a reply; where they begin. */
export function beginReply(writer: ByteWriter): number {
  const mark = writer.offset;
  writer.ensure(REPLY_PREFIX_BYTES);
  writer.offset = mark + REPLY_PREFIX_BYTES;
  return mark;
}
