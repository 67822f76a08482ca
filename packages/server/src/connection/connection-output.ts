// What goes out to one client: replies and events, in order, gathered during a turn of the loop and
// handed to the socket at its end.
//
//   reply, event ─► buffer, of this turn ─► endTurn() ─► transport
//                       waits while a reply is written over several turns ─┘
//
// What a client does not read stays in memory. Beyond a megabyte its requests are left alone until it
// has taken all, its pings too, so one that stands still ends with its session. Events go on, and
// one that finds 64 MiB unread cuts the client off.

import { type ByteWriter, copyBytes, putInt32, type Zxid } from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import type { OutputSource } from '../turns/turns.ts';
import { type ConnectionInput, Stop } from './connection-input.ts';
import type { ConnectionServices } from './connection-services.ts';
import type { ConnectionStats } from './connection-stats.ts';
import { LongReply, type Slices } from './long-reply.ts';
import type { WatchEvent } from './watch-event.ts';

/** Reply bytes that may wait for a slow reader before its requests are left alone. */
const MAX_QUEUED_BYTES = 1 << 20;
/** Replies of one burst are handed to the socket whenever this many bytes have gathered. */
const FLUSH_BYTES = 128 * 1024;
/** Output of a client that reads slowly is handed over in pieces of at least this, of a buffer of 16 KB. */
const GATHERED_BYTES = 8 * 1024;
/** Unread bytes of any kind at which the next watch event cuts the client off. */
const MAX_QUEUED_EVENT_BYTES = 64 << 20;
const REPLY_PREFIX_BYTES = 20;
const NO_BYTES = Buffer.alloc(0);

export class ConnectionOutput implements OutputSource {
  /** Set by a read that wants the rest of its reply written over several turns: see replyInSlices(). */
  slices: Slices | undefined;
  private endOfSlices: Buffer;
  private readonly services: ConnectionServices;
  private readonly transport: Connection;
  private readonly input: ConnectionInput;
  private readonly stats: ConnectionStats;
  /** Borrowed while the output of this turn gathers. */
  private buffer: ByteWriter | undefined;
  /** An event that waits for endTurn(). Invariant: there is no buffer, then. */
  private keptEvent: Buffer | undefined;
  /** Whether endTurn() will be called. */
  private isQueued: boolean;
  /** Being written over several turns; what comes after it waits in `buffer`. */
  private longReply: LongReply | undefined;
  /** The transport is to be ended once all is handed to it. */
  private isFinishing: boolean;

  constructor(
    services: ConnectionServices,
    transport: Connection,
    input: ConnectionInput,
    stats: ConnectionStats,
  ) {
    this.slices = undefined;
    this.endOfSlices = NO_BYTES;
    this.services = services;
    this.transport = transport;
    this.input = input;
    this.stats = stats;
    this.buffer = undefined;
    this.keptEvent = undefined;
    this.isQueued = false;
    this.longReply = undefined;
    this.isFinishing = false;
  }

  /** Where replies and events of this turn gather, in order. */
  writer(): ByteWriter {
    if (this.buffer === undefined) this.buffer = this.services.outputs.borrow();
    if (!this.isQueued) this.queueForTurn();
    const { keptEvent } = this;
    if (keptEvent !== undefined) {
      this.keptEvent = undefined;
      this.buffer.raw(keptEvent, 0, keptEvent.length);
    }
    return this.buffer;
  }

  private queueForTurn(): void {
    this.isQueued = true;
    this.services.turns.queueOutput(this);
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

  /** Fills in what beginReply() left room for at `mark`: the body is written. */
  complete(writer: ByteWriter, mark: number, xid: number, zxid: Zxid, error: number): void {
    const { bytes } = writer;
    const length = writer.offset - mark - 4;
    let at = putInt32(bytes, mark, length);
    at = putInt32(bytes, at, xid);
    at = putInt32(bytes, at, Math.floor(zxid / 0x1_0000_0000));
    at = putInt32(bytes, at, zxid);
    putInt32(bytes, at, error);
    this.stats.sent++;
    const { metrics } = this.services;
    metrics.packetsSent++;
    metrics.responded(length);
    metrics.responseBytes += length;
  }

  /** Notes that a request was answered; how long it took, in whole milliseconds. */
  note(label: string, xid: number, zxid: Zxid, receivedMs: number): number {
    const { metrics, turns } = this.services;
    const { nowMs } = turns;
    const latencyMs = Math.trunc(nowMs - receivedMs);
    metrics.answered(latencyMs);
    this.stats.answered(label, xid, zxid, nowMs, latencyMs);
    return latencyMs;
  }

  /** Sends a watch event. False: the client has left so many unread that it must be cut off. */
  event(event: WatchEvent): boolean {
    const { lateEvents, turns } = this.services;
    const { bytes, length } = event;
    const unread = this.transport.queuedBytes + (this.buffer?.offset ?? 0);
    if (unread > MAX_QUEUED_EVENT_BYTES) return false;
    if (this.keptEvent !== undefined) {
      // At most one event may be deferred per connection. Send it now; the writer that caused the second one
      // pays for it.
      this.writer();
      this.handOver();
    } else if (this.buffer === undefined && !this.isQueued && turns.isCrowded) {
      this.countEvent(length);
      const isAlone = this.transport.queuedBytes === 0 && this.longReply === undefined;
      if (isAlone && lateEvents.tell(this.transport, event)) return true;
      this.keptEvent = event.keep();
      this.isQueued = true;
      lateEvents.keep(this);
      return true;
    }
    const writer = this.writer();
    writer.ensure(length);
    copyBytes(bytes, 0, length, writer.bytes, writer.offset);
    writer.offset += length;
    this.countEvent(length);
    if (writer.offset >= FLUSH_BYTES) this.flush();
    return true;
  }

  private countEvent(length: number): void {
    const { metrics } = this.services;
    this.stats.sent++;
    metrics.packetsSent++;
    metrics.watchBytes += length;
  }

  // ---- To the socket ------------------------------------------------------------------------

  /** Within a burst: hands over what has gathered when it is much; true if it was. */
  flushIfMuch(): boolean {
    if (this.buffer === undefined || this.buffer.offset < FLUSH_BYTES) return false;
    this.flush();
    return true;
  }

  endTurn(): void {
    if (this.keptEvent !== undefined) this.writer();
    this.isQueued = false;
    if (this.longReply !== undefined) return;
    this.handOver();
    if (this.isFinishing) this.transport.end();
  }

  private handOver(): void {
    // Bytes that wait for the client anyway wait in few buffers, not in one for each turn.
    const isBehind = this.transport.queuedBytes > 0 && !this.isFinishing;
    if (isBehind && this.buffer !== undefined && this.buffer.offset < GATHERED_BYTES) return;
    this.flush();
    if (this.buffer === undefined || this.longReply !== undefined) return;
    this.services.outputs.giveBack(this.buffer);
    this.buffer = undefined;
  }

  private flush(): void {
    const { buffer } = this;
    if (buffer === undefined || buffer.offset === 0 || this.longReply !== undefined) return;
    if (this.send(buffer)) buffer.reset();
    else this.buffer = undefined;
  }

  /** False: the transport owns the buffer now. */
  private send(buffer: ByteWriter): boolean {
    if (this.transport.write(buffer.bytes, 0, buffer.offset)) return true;
    if (this.transport.queuedBytes > MAX_QUEUED_BYTES) this.input.stop(Stop.unreadReplies);
    return false;
  }

  /** The client has taken all that was handed to the transport. */
  drained(): void {
    if (!this.isQueued) this.handOver();
    this.input.goOn(Stop.unreadReplies);
  }

  /** Ends the transport with the turn, after all that is still to be sent. */
  closeAfterFlush(): void {
    this.isFinishing = true;
    // With this turn, even if it is one of those whose turn comes later.
    this.queueForTurn();
  }

  /** Ends the transport now, after the replies that are whole. */
  abort(): void {
    const long = this.longReply;
    if (long === undefined) {
      if (this.keptEvent !== undefined) this.writer();
      this.flush();
    } else {
      // The replies before it are whole; those after it are dropped with it.
      this.dropLongReply();
      this.buffer = undefined;
      if (long.mark > 0) this.transport.write(long.writer.bytes, 0, long.mark);
    }
    this.transport.end();
  }

  /** The transport is gone. */
  closed(): void {
    this.dropLongReply();
    this.buffer = undefined;
    this.keptEvent = undefined;
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

  /** The reply that begins at `mark` is to be followed by `slices`. No request is taken meanwhile. */
  beginLongReply(mark: number, xid: number, zxid: Zxid, label: string, receivedMs: number): void {
    const long = new LongReply({
      writer: this.buffer as ByteWriter,
      mark,
      xid,
      zxid,
      label,
      receivedMs,
      slices: this.slices as Slices,
      end: this.endOfSlices,
    });
    this.slices = undefined;
    this.longReply = long;
    // What comes after it gathers in a buffer of its own.
    this.buffer = undefined;
    this.input.stop(Stop.longReply);
    this.continueLater(long);
  }

  private continueLater(long: LongReply): void {
    this.services.environment.scheduler.afterTurn(() => {
      if (this.longReply !== long) return;
      if (long.step()) this.completeLongReply(long);
      else this.continueLater(long);
    });
  }

  private completeLongReply(long: LongReply): void {
    const { services } = this;
    services.turns.readClock();
    this.longReply = undefined;
    this.complete(long.writer, long.mark, long.xid, long.zxid, 0);
    services.metrics.readLatency.add(this.note(long.label, long.xid, long.zxid, long.receivedMs));
    if (this.send(long.writer)) services.outputs.giveBack(long.writer);
    // Now what waited: in its buffer, and unread.
    if (!this.isQueued) this.queueForTurn();
    this.input.goOn(Stop.longReply);
    services.turns.flush();
  }

  private dropLongReply(): void {
    this.longReply?.close();
    this.longReply = undefined;
  }
}

/** Leaves room for the length and the header of a reply; where they begin. */
export function beginReply(writer: ByteWriter): number {
  const mark = writer.offset;
  writer.ensure(REPLY_PREFIX_BYTES);
  writer.offset = mark + REPLY_PREFIX_BYTES;
  return mark;
}
