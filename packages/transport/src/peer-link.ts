// One stream between two members of an ensemble: bytes in both directions, gathered into few socket writes,
// with a bounded backlog. Knows no packet and no protocol; runs on any Connection, so that sockets, the
// in-memory twin and the simulator carry the same code.
//
//   reserve(), send() ─▶ [gather buffer | slices | gather buffer] ── flush() ─▶ connection.write
//
// A system call costs 8 to 11 us, a copy of 250 bytes 40 ns. So what is short is copied, and leaves when the
// owner calls flush() at the end of its turn or callback: one write for all of it. What is long goes as it is,
// and its owner hears when the bytes are its own again. While the connection has not taken the last write,
// nothing more is given to it; what gathers meanwhile is the backlog.

import type { Connection, DialHandler, DialOptions, Network } from './connection.ts';

/** The owner's side of a link. Calls never come from within one of the link's own methods. */
export interface PeerLinkHandler {
  /** A link that we dialled is up. If that fails, only `closed(reason)` is called. */
  connected?(): void;
  /** Received bytes[start, end), valid only during the call. */
  data(bytes: Buffer, start: number, end: number): void;
  /** All that was flushed has been taken: a bulk sender that waited may go on. */
  drained(): void;
  /** Exactly once. Undefined: an orderly end by either side; else what went wrong. */
  closed(reason?: Error): void;
}

/** Who owns the bytes of a slice. */
export interface SliceOwner {
  /**
   * The link does not need the bytes any more: they were sent, or the link is closed. Once for each slice; also from
   * within flush().
   */
  sliceReleased(bytes: Buffer): void;
}

export type PeerLinkErrorCode = 'BACKLOG_FULL' | 'SILENT';

/** Why the owner's side gave a link up. */
export class PeerLinkError extends Error {
  override readonly name = 'PeerLinkError';
  readonly code: PeerLinkErrorCode;
  readonly data: { readonly count: number; readonly limit: number };

  constructor(code: PeerLinkErrorCode, data: { count: number; limit: number }) {
    super(
      code === 'BACKLOG_FULL'
        ? `The peer is behind: ${data.count} bytes wait to be sent, limit ${data.limit}`
        : `Nothing came from the peer for ${data.count} ticks, limit ${data.limit}`,
    );
    this.code = code;
    this.data = data;
  }
}

export interface PeerLinkOptions {
  /** Bytes that may wait to be sent; one more closes the link. */
  readonly maxBacklogBytes: number;
}

/** Size of a gather buffer, and the longest slice that is copied into one. */
export const GATHER_BYTES = 32_768;
/** Gather buffers that a link keeps for its next backlog. */
const MAX_SPARE_BUFFERS = 2;

/** Bytes on their way, in order. Without an owner they lie in a gather buffer. */
interface Part {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly owner: SliceOwner | undefined;
}

export class PeerLink implements DialHandler {
  readonly connection: Connection;
  /** Where `reserve()` makes room. Another buffer after each call of reserve, send or flush. */
  gather: Buffer;
  handler: PeerLinkHandler;
  /** Bytes that wait to be sent. Invariant: at most maxBacklogBytes while the link is open. */
  backlogBytes: number;
  receivedBytes: number;
  sentBytes: number;
  /** Socket writes so far. */
  writes: number;

  private readonly maxBacklogBytes: number;
  /** Bytes of `gather` that wait; after all parts in `waiting`. */
  private gathered: number;
  private readonly spare: Buffer[];
  /** Given to the connection, which has not taken them yet. */
  private readonly inFlight: Part[];
  /** Not given to the connection yet, oldest first. */
  private readonly waiting: Part[];
  /** flush() was called while parts were in flight. */
  private flushWanted: boolean;
  private isClosed: boolean;
  private isPaused: boolean;
  /** receivedBytes at the last checkSilence(), and the checks since then. */
  private receivedAtCheck: number;
  private silentTicks: number;

  /** `connect` is handed the link, as the handler of the connection that it returns. */
  constructor(
    connect: (link: PeerLink) => Connection,
    handler: PeerLinkHandler,
    options: PeerLinkOptions,
  ) {
    this.handler = handler;
    this.maxBacklogBytes = options.maxBacklogBytes;
    this.gather = Buffer.allocUnsafeSlow(GATHER_BYTES);
    this.gathered = 0;
    this.backlogBytes = 0;
    this.receivedBytes = 0;
    this.sentBytes = 0;
    this.writes = 0;
    this.spare = [];
    this.inFlight = [];
    this.waiting = [];
    this.flushWanted = false;
    this.isClosed = false;
    this.isPaused = false;
    this.receivedAtCheck = 0;
    this.silentTicks = 0;
    this.connection = connect(this);
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  /**
   * Makes room for `length` bytes, at most GATHER_BYTES, in `gather`; returns the offset at which the caller writes
   * them at once. They leave with the next flush. On a closed link they are dropped.
   */
  reserve(length: number): number {
    if (length > GATHER_BYTES) throw new RangeError(`${length} bytes, at most ${GATHER_BYTES}`);
    if (this.gathered + length > GATHER_BYTES) this.sealGathered();
    const at = this.gathered;
    // The bytes are dropped, but the caller will write them.
    if (this.isClosed) return 0;
    this.gathered += length;
    this.grew(length);
    return at;
  }

  /**
   * Sends bytes[start, end) with the next flush. True: they were copied, or dropped since the link is closed; the caller
   * may reuse them. False: the link reads them later, and `owner.sliceReleased` says when it is done with them.
   */
  send(bytes: Buffer, start: number, end: number, owner: SliceOwner): boolean {
    const length = end - start;
    if (this.isClosed || length === 0) return true;
    if (length <= GATHER_BYTES) {
      const at = this.reserve(length);
      bytes.copy(this.gather, at, start, end);
      return true;
    }
    this.sealGathered();
    this.waiting.push({ bytes, start, end, owner });
    this.grew(length);
    return false;
  }

  /** Gives what has gathered to the connection: one write, and one more for each long slice or full gather buffer. */
  flush(): void {
    if (this.isClosed) return;
    if (this.inFlight.length > 0) {
      this.flushWanted = true;
      return;
    }
    this.flushWanted = false;
    if (this.waiting.length === 0) {
      // The usual case: no part is made of it.
      const { gathered } = this;
      if (gathered === 0) return;
      if (this.write(this.gather, 0, gathered)) {
        this.gathered = 0;
      } else {
        this.inFlight.push({ bytes: this.gather, start: 0, end: gathered, owner: undefined });
        this.takeGatherBuffer();
      }
      return;
    }
    this.sealGathered();
    while (this.waiting.length > 0 && this.inFlight.length === 0) {
      this.writePart(this.waiting.shift() as Part);
    }
    if (this.waiting.length > 0) this.flushWanted = true;
  }

  /** Stops `data()` until `resume()`; the peer then meets a full window. */
  pause(): void {
    this.isPaused = true;
    this.connection.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.connection.resume();
  }

  /**
   * To be called at each tick of the owner's clock: a peer whose machine vanished says nothing, not even an end. Closes
   * the link at the call after `limitTicks` calls without a byte from the peer. A paused link hears nothing, so it is
   * not counted.
   */
  checkSilence(limitTicks: number): void {
    if (this.isClosed) return;
    if (this.receivedBytes !== this.receivedAtCheck || this.isPaused) {
      this.receivedAtCheck = this.receivedBytes;
      this.silentTicks = 0;
      return;
    }
    this.silentTicks++;
    if (this.silentTicks > limitTicks) {
      this.close(new PeerLinkError('SILENT', { count: this.silentTicks, limit: limitTicks }));
    }
  }

  /** Flushes, then closes in order once all has left. Nothing can be sent, and `data()` is not called any more. */
  end(): void {
    if (this.isClosed) return;
    this.sealGathered();
    // All of it: the connection keeps the order, and flushes before it closes.
    for (const part of this.waiting.splice(0)) this.writePart(part);
    this.flushWanted = false;
    this.isClosed = true;
    this.connection.end();
  }

  /** Closes at once, dropping what waits. `closed(reason)` follows in a later turn. */
  close(reason?: Error): void {
    this.isClosed = true;
    this.connection.destroy(reason);
  }

  /** @internal Called by the connection, as the methods below. */
  connected(): void {
    if (!this.isClosed) this.handler.connected?.();
  }

  /** @internal */
  data(bytes: Buffer, start: number, end: number): void {
    this.receivedBytes += end - start;
    if (!this.isClosed) this.handler.data(bytes, start, end);
  }

  /** @internal */
  drained(): void {
    this.releaseInFlight();
    if (this.flushWanted) this.flush();
    if (this.inFlight.length === 0 && !this.isClosed) this.handler.drained();
  }

  /** @internal */
  closed(reason?: Error): void {
    this.isClosed = true;
    this.releaseInFlight();
    for (const part of this.waiting.splice(0)) this.release(part);
    this.gathered = 0;
    this.backlogBytes = 0;
    this.handler.closed(reason);
  }

  private writePart(part: Part): void {
    if (this.write(part.bytes, part.start, part.end)) this.release(part);
    else this.inFlight.push(part);
  }

  private write(bytes: Buffer, start: number, end: number): boolean {
    this.writes++;
    const length = end - start;
    this.sentBytes += length;
    const isTaken = this.connection.write(bytes, start, end);
    if (isTaken) this.backlogBytes -= length;
    return isTaken;
  }

  /** Makes a part of what has gathered, so that the next bytes come after it. */
  private sealGathered(): void {
    if (this.gathered === 0) return;
    this.waiting.push({ bytes: this.gather, start: 0, end: this.gathered, owner: undefined });
    this.takeGatherBuffer();
  }

  private takeGatherBuffer(): void {
    this.gather = this.spare.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES);
    this.gathered = 0;
  }

  private releaseInFlight(): void {
    for (const part of this.inFlight.splice(0)) {
      this.backlogBytes -= part.end - part.start;
      this.release(part);
    }
  }

  private release(part: Part): void {
    if (part.owner !== undefined) part.owner.sliceReleased(part.bytes);
    else if (this.spare.length < MAX_SPARE_BUFFERS) this.spare.push(part.bytes);
  }

  private grew(length: number): void {
    this.backlogBytes += length;
    if (this.backlogBytes > this.maxBacklogBytes) {
      const data = { count: this.backlogBytes, limit: this.maxBacklogBytes };
      this.close(new PeerLinkError('BACKLOG_FULL', data));
    }
  }
}

/** Opens a link. Returns at once; failures arrive as `closed(TransportError)`. */
export function dialPeer(
  network: Network,
  target: DialOptions,
  handler: PeerLinkHandler,
  options: PeerLinkOptions,
): PeerLink {
  return new PeerLink((link) => network.dial(target, link), handler, options);
}

/** Makes a link of an accepted connection. The acceptor returns the link, which is the connection's handler. */
export function acceptPeer(
  connection: Connection,
  handler: PeerLinkHandler,
  options: PeerLinkOptions,
): PeerLink {
  return new PeerLink(() => connection, handler, options);
}
