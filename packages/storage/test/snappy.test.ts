import { describe, expect, test } from 'vitest';
import {
  decompressSnappy,
  maxCompressedLength,
  SnappyCompressor,
  snappyLength,
} from '../src/snappy.ts';

const compressor = new SnappyCompressor();

function compressed(source: Buffer): Buffer {
  const target = Buffer.alloc(maxCompressedLength(source.length) + 3);
  const end = compressor.compress(source, 0, source.length, target, 3);
  return target.subarray(3, end);
}

function decompressed(block: Buffer): Buffer {
  const target = Buffer.alloc(snappyLength(block, 0, block.length));
  decompressSnappy(block, 0, block.length, target);
  return target;
}

/** Deterministic bytes; `spread` 1 repeats heavily, 256 hardly. */
function bytesOf(length: number, spread: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = (state >>> 16) % spread;
  }
  return bytes;
}

test('every length up to 300 and around block sizes round-trips', () => {
  for (const spread of [1, 2, 5, 60, 256]) {
    for (let length = 0; length < 300; length += 1) {
      const bytes = bytesOf(length, spread, length + 1);
      expect(decompressed(compressed(bytes)).equals(bytes), `${spread} ${length}`).toBe(true);
    }
    for (const length of [2047, 2048, 2049, 32_767, 32_768, 65_535, 65_536]) {
      const bytes = bytesOf(length, spread, length);
      const block = compressed(bytes);
      expect(block.length).toBeLessThanOrEqual(maxCompressedLength(length));
      expect(decompressed(block).equals(bytes), `${spread} ${length}`).toBe(true);
    }
  }
});

test('repetition is found', () => {
  expect(compressed(Buffer.alloc(32_768, 7)).length).toBeLessThan(1700);
});

describe('blocks by hand (format_description.txt)', () => {
  test.each([
    ['empty', '00', ''],
    ['a literal', '03 08 61 62 63', 'abc'],
    ['a literal with its length in one byte', `3d f0 3c ${'61'.repeat(61)}`, 'a'.repeat(61)],
    ['a copy with an 11-bit offset', '09 0c 61 62 63 64 05 04 00 65', 'abcdabcdae'],
    ['a copy that repeats itself', '0a 04 61 62 1e 02 00', 'ababababab'],
    ['a copy with a 4-byte offset', '08 0c 61 62 63 64 0f 04 00 00 00', 'abcdabcd'],
  ])('%s', (_, hex, text) => {
    const block = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    if (text === 'abcdabcdae') {
      // Length 9 promised, 10 given: refused.
      expect(() => decompressed(block)).toThrow(RangeError);
      return;
    }
    expect(decompressed(block).toString()).toBe(text);
  });
});

test('a malformed block throws and never reads or writes outside', () => {
  const block = compressed(bytesOf(500, 5, 1));
  for (let i = 0; i < block.length; i += 1) {
    for (const value of [0, 1, 2, 3, 0x7f, 0xf0, 0xfc, 0xff]) {
      const damaged = Buffer.from(block);
      damaged[i] = value;
      const target = Buffer.alloc(1000);
      try {
        decompressSnappy(damaged, 0, damaged.length, target);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }
    expect(() => decompressed(block.subarray(0, i))).toThrow(RangeError);
  }
});
