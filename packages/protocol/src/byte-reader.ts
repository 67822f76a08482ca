// A cursor over received bytes: one method per jute type, named by its width.
//
// Layout rules (jute, org.apache.jute.BinaryInputArchive):
//   boolean 1 byte, any non-zero is true     int 4 bytes, long 8 bytes, big-endian, signed
//   buffer / ustring   int length, bytes; length -1 is null
//   vector             int count, elements; -1 is null, any other count <= 0 is empty
//
// Must never read past `end`, and never allocate by a length that the bytes do not back.

import { MarshallingError } from './errors.ts';
import { decodeJavaUtf8 } from './java-utf8.ts';

/** Default of jute.maxbuffer: 1,048,575 bytes. */
export const DEFAULT_MAX_BUFFER = 0xfffff;
const TWO_32 = 2 ** 32;

export class ByteReader {
  bytes: Buffer;
  /** Next byte to read. Invariant: offset <= end. */
  offset: number;
  end: number;
  /** Longest buffer or ustring accepted, in bytes (jute.maxbuffer plus its extra size). */
  maxLength: number;

  constructor(bytes: Buffer = EMPTY, offset = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.maxLength = 2 * DEFAULT_MAX_BUFFER;
  }

  /** Points the same cursor at other bytes; the reader keeps no copy. */
  reset(bytes: Buffer, offset: number, end: number): this {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    return this;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  int8(): number {
    const at = this.take(1);
    return ((this.bytes[at] as number) << 24) >> 24;
  }

  bool(): boolean {
    return this.bytes[this.take(1)] !== 0;
  }

  int32(): number {
    const at = this.take(4);
    const b = this.bytes;
    return (
      ((b[at] as number) << 24) |
      ((b[at + 1] as number) << 16) |
      ((b[at + 2] as number) << 8) |
      (b[at + 3] as number)
    );
  }

  /** A long as a number: exact for -2^53 .. 2^53 (zxids, times, ttls). */
  int64(): number {
    const high = this.int32();
    return high * TWO_32 + (this.int32() >>> 0);
  }

  /** A long as a number. Throws MarshallingError where a number cannot hold it exactly. */
  exactInt64(what: string): number {
    const value = this.int64();
    if (!Number.isSafeInteger(value)) {
      throw new MarshallingError(`${what} ${value} is outside -2^53..2^53`);
    }
    return value;
  }

  bigint64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8));
  }

  skip(length: number): void {
    this.take(length);
  }

  /** Length of a buffer or ustring: -1 for null. The bytes that follow are known to be there. */
  bufferLength(): number {
    const length = this.int32();
    if (length === -1) return -1;
    if (length < 0 || length > this.maxLength) {
      throw new MarshallingError(`Unreasonable length ${length}, limit ${this.maxLength}`);
    }
    if (length > this.end - this.offset) {
      throw new MarshallingError(`Length ${length} but only ${this.end - this.offset} bytes left`);
    }
    return length;
  }

  /** Moves past a buffer or ustring, to its end. Returns its length: -1 for null. */
  skipBuffer(): number {
    const length = this.bufferLength();
    if (length > 0) this.offset += length;
    return length;
  }

  /** A view, not a copy: valid as long as the underlying bytes are. */
  buffer(): Buffer | null {
    const length = this.bufferLength();
    if (length < 0) return null;
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  string(): string | null {
    const length = this.bufferLength();
    if (length < 0) return null;
    const at = this.take(length);
    return decodeJavaUtf8(this.bytes, at, at + length);
  }

  /** Element count of a vector: -1 for null, 0 for every other count below 1. */
  vectorLength(): number {
    const count = this.int32();
    return count < -1 ? 0 : count;
  }

  /** A vector of non-null strings, or null. Grows with the bytes read, never by the count alone. */
  stringVector(): string[] | null {
    const count = this.vectorLength();
    if (count < 0) return null;
    const strings: string[] = [];
    for (let i = 0; i < count; i++) strings.push(this.string() ?? '');
    return strings;
  }

  private take(length: number): number {
    const at = this.offset;
    if (length > this.end - at) {
      throw new MarshallingError(
        `Needs ${length} bytes at ${at}, but the record ends at ${this.end}`,
      );
    }
    this.offset = at + length;
    return at;
  }
}

const EMPTY = Buffer.alloc(0);
