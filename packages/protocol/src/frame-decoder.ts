// Cuts a stream of chunks into length-prefixed frames, in place.
//
//   int length   payload bytes, excluding itself; 0 .. maxFrameBytes
//   bytes
//
// A frame that lies whole in the chunk is handed over where it lies; only the tail of a chunk is
// copied, and what a sink that stops has left. What is buffered grows with the bytes that really
// came, never by an announced length alone.

import { getInt32 } from './byte-writer.ts';
import { ProtocolError } from './errors.ts';

/** Called for each whole frame; the bytes are valid only during the call. False stops the loop. */
export type FrameSink = (bytes: Buffer, start: number, end: number) => boolean;

export class FrameDecoder {
  readonly maxFrameBytes: number;
  /** Bytes of an incomplete frame, its length prefix included. */
  private tail: Buffer | undefined;
  private tailLength: number;
  /** Whether the sink ended the last cut. */
  private isStopped: boolean;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
    this.tail = undefined;
    this.tailLength = 0;
    this.isStopped = false;
  }

  get bufferedBytes(): number {
    return this.tailLength;
  }

  /** The incomplete frame, its length prefix included: a view, valid until the next push. */
  get buffered(): Buffer {
    return this.tail?.subarray(0, this.tailLength) ?? NOTHING;
  }

  /**
   * Feeds a chunk and hands every whole frame to `sink`, in order. When the sink returns false
   * the rest of the chunk is kept and goes on with the next `push` (an empty one will do).
   * Throws ProtocolError for a negative or too long frame; the stream is then unusable.
   */
  push(chunk: Buffer, start: number, end: number, sink: FrameSink): void {
    if (this.tailLength === 0) {
      this.keep(chunk, this.cut(chunk, start, end, sink), end);
      return;
    }
    // The commonest tail is one frame cut in two: complete just that frame, then go on in place.
    let from = start;
    for (;;) {
      const needed = this.neededBytes();
      if (needed > 0) {
        const taken = Math.min(needed, end - from);
        this.append(chunk, from, from + taken);
        from += taken;
        if (taken < needed) return;
        if (this.neededBytes() > 0) continue;
      }
      const bytes = this.tail as Buffer;
      const used = this.tailLength;
      this.tail = undefined;
      this.tailLength = 0;
      const at = this.cut(bytes, 0, used, sink);
      if (at === used) keepSpare(bytes);
      if (at < used) {
        // Stopped by the sink (or more than one frame was kept): keep the order.
        this.keep(bytes, at, used);
        if (!this.isStopped && this.neededBytes() > 0 && from < end) continue;
        this.append(chunk, from, end);
        return;
      }
      if (this.isStopped) this.append(chunk, from, end);
      else this.keep(chunk, this.cut(chunk, from, end, sink), end);
      return;
    }
  }

  /** Keeps a chunk for the next `push`, whatever is in it. */
  hold(chunk: Buffer, start: number, end: number): void {
    this.append(chunk, start, end);
  }

  /** Hands over whole frames in [start, end); returns the offset of the first byte not used. */
  private cut(bytes: Buffer, start: number, end: number, sink: FrameSink): number {
    let at = start;
    this.isStopped = false;
    while (end - at >= 4) {
      const length = getInt32(bytes, at);
      if (length < 0 || length > this.maxFrameBytes) throw this.badLength(length);
      const frameEnd = at + 4 + length;
      if (frameEnd > end) return at;
      if (!sink(bytes, at + 4, frameEnd)) {
        this.isStopped = true;
        return frameEnd;
      }
      at = frameEnd;
    }
    return at;
  }

  /** Bytes that the frame at the front of the tail still lacks; 4 - n while its length is cut. */
  private neededBytes(): number {
    if (this.tailLength < 4) return 4 - this.tailLength;
    const length = getInt32(this.tail as Buffer, 0);
    if (length < 0 || length > this.maxFrameBytes) throw this.badLength(length);
    return Math.max(0, 4 + length - this.tailLength);
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    this.tail = undefined;
    this.tailLength = 0;
    this.append(bytes, start, end);
  }

  private append(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length === 0) return;
    const needed = this.tailLength + length;
    if (this.tail === undefined || this.tail.length < needed) {
      const grown = allocate(Math.max(needed, this.tailLength * 2));
      this.tail?.copy(grown, 0, 0, this.tailLength);
      this.tail = grown;
    }
    bytes.copy(this.tail, this.tailLength, start, end);
    this.tailLength = needed;
  }

  private badLength(length: number): ProtocolError {
    const code = length < 0 ? 'FRAME_NEGATIVE' : 'FRAME_TOO_LONG';
    return new ProtocolError(code, { length, limit: this.maxFrameBytes });
  }
}

const MAX_POOLED_BYTES = 1024;
/** Frames from here on are put together in the spare buffer, where it is free. */
const MIN_SPARE_BYTES = 128 * 1024;
/** The longest buffer that is kept: a frame of jute.maxbuffer's default, grown by doubling. */
const MAX_SPARE_BYTES = 2 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * One long buffer for all decoders, kept when a frame in it was used up. The system gives new memory page by page as
 * it is written to, and the collector counts it: a frame of 1 MB took 3 ms more in a new buffer each time.
 */
let spare: Buffer | undefined;

function allocate(size: number): Buffer {
  // A buffer of its own costs a microsecond, which ten thousand clients that speak at once add up; of
  // the pool, a small one may keep 8 KiB alive as long as it lives.
  if (size <= MAX_POOLED_BYTES) return Buffer.allocUnsafe(size);
  if (spare === undefined || size < MIN_SPARE_BYTES || size > spare.length) {
    return Buffer.allocUnsafeSlow(size);
  }
  const taken = spare;
  spare = undefined;
  return taken;
}

/** Nobody may use the bytes any more. */
function keepSpare(bytes: Buffer): void {
  if (bytes.length < MIN_SPARE_BYTES || bytes.length > MAX_SPARE_BYTES) return;
  if (spare === undefined || spare.length < bytes.length) spare = bytes;
}
