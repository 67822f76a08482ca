import { gzipSync, constants as zlib } from 'node:zlib';
import { expect, test } from 'vitest';
import { type ByteSource, GunzipSource } from '../src/inflate.ts';

/** Hands out a buffer, at most `step` bytes at a time... as a file does: whole reads but at the end. */
function sourceOf(bytes: Buffer): ByteSource {
  let at = 0;
  return {
    read: (target, offset, length) => {
      const count = bytes.copy(target, offset, at, at + length);
      at += count;
      return count;
    },
  };
}

function gunzip(bytes: Buffer, piece = 10_007): Buffer {
  const source = new GunzipSource(sourceOf(bytes));
  const pieces: Buffer[] = [];
  for (;;) {
    const target = Buffer.alloc(piece);
    const got = source.read(target, 0, piece);
    pieces.push(target.subarray(0, got));
    if (got < piece) return Buffer.concat(pieces);
  }
}

function text(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    // Mostly repeats from a distance that grows, now and then fresh bytes.
    const back = 1 + ((state >>> 8) % 40_000);
    bytes[i] = state % 7 < 5 && back <= i ? (bytes[i - back] as number) : state >>> 24;
  }
  return bytes;
}

const runs = Buffer.concat(
  Array.from({ length: 400 }, (_, i) => Buffer.alloc(1 + ((i * 131) % 900), i)),
);

test.each([
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['runs', runs],
  ['mixed', text(300_000, 1)],
  ['a million zeros', Buffer.alloc(1_000_000)],
])('%s is read as node:zlib wrote it, at every level', (_, bytes) => {
  for (let level = 0; level <= 9; level += 1) {
    expect(gunzip(gzipSync(bytes, { level })).equals(bytes), `level ${level}`).toBe(true);
  }
  const fixed = gzipSync(bytes, { strategy: zlib.Z_FIXED });
  expect(gunzip(fixed).equals(bytes)).toBe(true);
  const literals = gzipSync(bytes, { strategy: zlib.Z_HUFFMAN_ONLY });
  expect(gunzip(literals).equals(bytes)).toBe(true);
});

test('it may be read in pieces of any size', () => {
  const bytes = text(70_000, 9);
  const compressed = gzipSync(bytes);
  for (const piece of [1, 2, 3, 255, 4096, 65_536]) {
    expect(gunzip(compressed, piece).equals(bytes), `${piece}`).toBe(true);
  }
});

test('concatenated members are one stream, as for Java; what follows them and is no member is left', () => {
  const bytes = Buffer.concat([gzipSync('first '), gzipSync(''), gzipSync('second')]);
  expect(gunzip(bytes).toString()).toBe('first second');
  expect(gunzip(Buffer.concat([bytes, Buffer.from('junk')])).toString()).toBe('first second');
});

test('a header with name, comment, extra field and checksum is passed', () => {
  const plain = gzipSync('content');
  const header = Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3]);
  const extra = Buffer.from([3, 0, 1, 2, 3]);
  const names = Buffer.from('name\0comment\0');
  const bytes = Buffer.concat([header, extra, names, Buffer.from([9, 9]), plain.subarray(10)]);
  expect(gunzip(bytes).toString()).toBe('content');
});

test('data that is cut anywhere throws', () => {
  const compressed = gzipSync(text(5000, 3));
  for (let end = 0; end < compressed.length; end += 7) {
    expect(() => gunzip(compressed.subarray(0, end)), `${end}`).toThrow();
  }
});

test('damaged data throws or is caught by its checksum, and never hangs', () => {
  const bytes = text(3000, 4);
  const compressed = gzipSync(bytes);
  let caught = 0;
  let tried = 0;
  for (let i = 10; i < compressed.length; i += 1) {
    for (const mask of [1, 0x10, 0x80, 0xff]) {
      const damaged = Buffer.from(compressed);
      damaged[i] = (damaged[i] as number) ^ mask;
      tried += 1;
      try {
        if (gunzip(damaged).equals(bytes)) caught += 1; // A bit that nobody reads.
      } catch {
        caught += 1;
      }
    }
  }
  expect(caught).toBe(tried);
});
