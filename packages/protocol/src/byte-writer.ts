// A growing cursor for bytes to send or to log; the counterpart of ByteReader.
//
// The buffer is reused: `view()` and `bytes` are valid until the next write or reset.

import { encodeJavaUtf8, javaUtf8Length } from './java-utf8.ts';

const TWO_32 = 2 ** 32;

export class ByteWriter {
  bytes: Buffer;
  /** Next byte to write. */
  offset: number;

  constructor(size = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.offset = 0;
  }

  reset(): this {
    this.offset = 0;
    return this;
  }

  /** Makes room for `length` more bytes, doubling the buffer when it must. */
  ensure(length: number): void {
    const needed = this.offset + length;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.offset);
    this.bytes = grown;
  }

  int8(value: number): void {
    this.ensure(1);
    this.bytes[this.offset++] = value;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int32(value: number): void {
    this.ensure(4);
    this.offset = putInt32(this.bytes, this.offset, value);
  }

  /** A long from a number: exact for -2^53 .. 2^53. */
  int64(value: number): void {
    this.ensure(8);
    const at = putInt32(this.bytes, this.offset, Math.floor(value / TWO_32));
    this.offset = putInt32(this.bytes, at, value);
  }

  int64Parts(high: number, low: number): void {
    this.ensure(8);
    this.offset = putInt32(this.bytes, putInt32(this.bytes, this.offset, high), low);
  }

  bigint64(value: bigint): void {
    this.ensure(8);
    this.offset = this.bytes.writeBigInt64BE(BigInt.asIntN(64, value), this.offset);
  }

  /** Length-prefixed bytes; null is length -1. */
  buffer(value: Uint8Array | null): void {
    if (value === null) {
      this.int32(-1);
      return;
    }
    this.ensure(4 + value.length);
    this.offset = putInt32(this.bytes, this.offset, value.length);
    this.bytes.set(value, this.offset);
    this.offset += value.length;
  }

  string(value: string | null): void {
    if (value === null) {
      this.int32(-1);
      return;
    }
    const length = javaUtf8Length(value);
    this.ensure(4 + length);
    this.offset = putInt32(this.bytes, this.offset, length);
    this.offset = encodeJavaUtf8(value, this.bytes, this.offset);
  }

  stringVector(values: readonly string[] | null): void {
    if (values === null) {
      this.int32(-1);
      return;
    }
    this.int32(values.length);
    for (const value of values) this.string(value);
  }

  /** Bytes as they are, without a length. */
  raw(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.ensure(length);
    copyBytes(source, start, end, this.bytes, this.offset);
    this.offset += length;
  }

  /** Overwrites four bytes that were written before. */
  patchInt32(at: number, value: number): void {
    putInt32(this.bytes, at, value);
  }

  view(): Buffer {
    return this.bytes.subarray(0, this.offset);
  }
}

/** Writes a big-endian int; returns the offset after it. The target must have room. */
export function putInt32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

export function getInt32(source: Uint8Array, at: number): number {
  return (
    ((source[at] as number) << 24) |
    ((source[at + 1] as number) << 16) |
    ((source[at + 2] as number) << 8) |
    (source[at + 3] as number)
  );
}

/** Up to this a plain loop beats the call into native code (data-tree/bench/copy.ts). */
const LOOP_COPY_BYTES = 40;
/** Kept, since the global `Buffer` is a getter: looking it up at each call costs 18 ns of 60. */
const bufferCopy = Buffer.prototype.copy;

/** Copies source[start, end) to target[at...]. The target must have room. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  if (end - start <= LOOP_COPY_BYTES) {
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] as number;
  } else {
    bufferCopy.call(source, target, at, start, end);
  }
}
