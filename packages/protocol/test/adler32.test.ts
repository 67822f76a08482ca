import { expect, test } from 'vitest';
import { adler32, adler32Loop } from '../src/adler32.ts';

/** zlib's definition, one byte and two remainders at a time. */
function oracle(bytes: Uint8Array, seed: number): number {
  let a = seed & 0xffff;
  let b = seed >>> 16;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

const random = Buffer.alloc(200_000);
for (let i = 0, state = 1; i < random.length; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  random[i] = state >>> 24;
}
const ones = Buffer.alloc(200_000, 0xff);

test('the sum of "Wikipedia" is the one everybody prints', () => {
  expect(adler32(Buffer.from('Wikipedia'), 0, 9)).toBe(0x11e60398);
});

test('every length up to 700, and around each block size, sums as zlib does', () => {
  const around = [5535, 5536, 5537, 11_072, 65_535, 65_536, 65_537, 131_073, 200_000];
  for (const length of [...Array(700).keys(), ...around]) {
    for (const bytes of [random, ones]) {
      const start = bytes.length === length ? 0 : length % 13;
      const end = Math.min(bytes.length, start + length);
      const expected = oracle(bytes.subarray(start, end), 1);
      expect(adler32(bytes, start, end), `${length}`).toBe(expected);
      expect(adler32Loop(bytes, start, end), `${length}`).toBe(expected);
    }
  }
});

test('a sum goes on where it stopped, the largest seed included', () => {
  const largest = 65_520 * 65_536 + 65_520;
  for (const bytes of [random, ones]) {
    expect(adler32(bytes, 0, bytes.length, largest)).toBe(oracle(bytes, largest));
    for (const cut of [1, 95, 96, 4000, 65_536, 100_001]) {
      const first = adler32(bytes, 0, cut);
      expect(adler32(bytes, cut, bytes.length, first)).toBe(oracle(bytes, 1));
    }
  }
});
