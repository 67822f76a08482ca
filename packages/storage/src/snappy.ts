// Snappy: the raw block format, and the container that Java's SnappyOutputStream (xerial) puts around it.
//
// Block:     varint uncompressed length, then elements. The low two bits of an element's tag say which:
//   00  literal   length - 1 in the upper six bits, or 60..63: it follows in 1..4 little-endian bytes
//   01  copy      length - 4 in 3 bits, offset in 11 bits (3 in the tag, 8 in the next byte)
//   10  copy      length - 1 in 6 bits, offset in 2 little-endian bytes
//   11  copy      length - 1 in 6 bits, offset in 4 little-endian bytes
// Container: 82 53 4E 41 50 50 59 00, int version 1, int compatible version 1, then repeat
//            { int compressed length, block }.
// Source: google/snappy format_description.txt; xerial snappy-java SnappyOutputStream.

export const SNAPPY_MAGIC: Buffer = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
export const SNAPPY_HEADER_BYTES = 16;
/** Uncompressed bytes per block, as Java's writer has it. Offsets of copies then fit in two bytes. */
export const SNAPPY_BLOCK_BYTES = 32 * 1024;

const HASH_BITS = 13;

/** The 16 bytes before the first block. */
export function encodeSnappyHeader(): Buffer {
  const header = Buffer.alloc(SNAPPY_HEADER_BYTES);
  SNAPPY_MAGIC.copy(header);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(1, 12);
  return header;
}

/** The most bytes that a block of `length` bytes may take when compressed. */
export function maxCompressedLength(length: number): number {
  return 32 + length + Math.ceil(length / 6);
}

/** Compresses blocks; holds the hash table so that it is made once. */
export class SnappyCompressor {
  private readonly table = new Uint16Array(1 << HASH_BITS);

  /**
   * Compresses `source[start, end)`, at most 64 KiB, into `target` at `at`, which must have room for
   * `maxCompressedLength`. Returns the offset after the block.
   */
  compress(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
    const length = end - start;
    if (length > 0x10000) throw new RangeError(`Snappy block of ${length} bytes`);
    let to = at;
    for (let rest = length; ; rest >>>= 7) {
      if (rest < 0x80) {
        target[to++] = rest;
        break;
      }
      target[to++] = (rest & 0x7f) | 0x80;
    }

    const table = this.table.fill(0);
    const lastStart = end - 4;
    let literalStart = start;
    let from = start + 1;
    // The longer nothing matches, the larger the steps: random bytes pass quickly.
    let misses = 32;
    while (from <= lastStart) {
      const word = word32(source, from);
      const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
      const candidate = start + (table[slot] as number);
      table[slot] = from - start;
      if (candidate >= from || word32(source, candidate) !== word) {
        from += misses++ >>> 5;
        continue;
      }
      misses = 32;
      to = putLiteral(source, literalStart, from, target, to);
      let matched = 4;
      while (from + matched < end && source[from + matched] === source[candidate + matched]) {
        matched += 1;
      }
      to = putCopy(target, to, from - candidate, matched);
      from += matched;
      literalStart = from;
    }
    return putLiteral(source, literalStart, end, target, to);
  }
}

/** Uncompressed length of the block at `source[start, end)`. Throws RangeError when there is none. */
export function snappyLength(source: Buffer, start: number, end: number): number {
  let length = 0;
  for (let i = 0; i < 5 && start + i < end; i += 1) {
    const byte = source[start + i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw new RangeError('Snappy block without a length');
}

/** Decompresses `source[start, end)` into `target[0, snappyLength)`. Throws RangeError on a malformed block. */
export function decompressSnappy(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
): number {
  const length = snappyLength(source, start, end);
  if (length > target.length) throw new RangeError(`Snappy block of ${length} bytes has no room`);
  let from = start;
  while ((source[from++] as number) >= 0x80);
  let to = 0;
  while (from < end) {
    const tag = source[from++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let count = (tag >>> 2) + 1;
      if (count > 60) {
        const extra = count - 60;
        if (from + extra > end) throw new RangeError('Snappy literal is cut short');
        count = source.readUIntLE(from, extra) + 1;
        from += extra;
      }
      if (from + count > end || to + count > length) {
        throw new RangeError('Snappy literal is cut short');
      }
      source.copy(target, to, from, from + count);
      from += count;
      to += count;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (from + width > end) throw new RangeError('Snappy copy is cut short');
    const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = source.readUIntLE(from, width) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    from += width;
    if (offset === 0 || offset > to || to + count > length) {
      throw new RangeError(`Snappy copy of ${count} bytes from ${offset} back at ${to}`);
    }
    // Byte by byte: the copy may overlap what it writes, which repeats it.
    for (let i = 0; i < count; i += 1, to += 1) target[to] = target[to - offset] as number;
  }
  if (to !== length) throw new RangeError(`Snappy block gave ${to} of ${length} bytes`);
  return length;
}

function word32(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function putLiteral(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): number {
  const length = end - start;
  if (length === 0) return at;
  let to = at;
  if (length <= 60) {
    target[to++] = (length - 1) << 2;
  } else if (length <= 0x100) {
    target[to++] = 60 << 2;
    target[to++] = length - 1;
  } else {
    target[to++] = 61 << 2;
    target[to++] = length - 1;
    target[to++] = (length - 1) >>> 8;
  }
  source.copy(target, to, start, end);
  return to + length;
}

function putCopy(target: Buffer, at: number, offset: number, matched: number): number {
  let to = at;
  let rest = matched;
  // At most 64 bytes a copy; never leaves fewer than 4, which a one-byte offset could not encode.
  while (rest > 64) {
    const count = rest >= 68 ? 64 : 60;
    target[to++] = ((count - 1) << 2) | 2;
    target[to++] = offset;
    target[to++] = offset >>> 8;
    rest -= count;
  }
  if (rest <= 11 && offset < 2048) {
    target[to++] = ((offset >>> 8) << 5) | ((rest - 4) << 2) | 1;
    target[to++] = offset;
  } else {
    target[to++] = ((rest - 1) << 2) | 2;
    target[to++] = offset;
    target[to++] = offset >>> 8;
  }
  return to;
}
