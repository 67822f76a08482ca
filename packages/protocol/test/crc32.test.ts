import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { crc32, tableCrc32, trusted } from '../src/crc32.ts';

const bytes = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i) & 0xff));

test('both ways give what zlib does, at every length and offset, from any seed', () => {
  for (let length = 0; length < 400; length++) {
    for (const start of [0, 1, 7, 8]) {
      for (const seed of [0, 1, 0xdeadbeef]) {
        const expected = zlibCrc32(bytes.subarray(start, start + length), seed);
        expect(crc32(bytes, start, start + length, seed)).toBe(expected);
        expect(tableCrc32(bytes, start, start + length, seed)).toBe(expected);
      }
    }
  }
  expect(crc32(bytes, 0, bytes.length)).toBe(zlibCrc32(bytes));
});

test('a sum goes on from one way to the other', () => {
  const whole = zlibCrc32(bytes);
  for (const cut of [3, 100, 159, 160, 161, 4900, 4995]) {
    expect(crc32(bytes, cut, bytes.length, crc32(bytes, 0, cut))).toBe(whole);
  }
});

test('a plain Uint8Array will do', () => {
  const plain = new Uint8Array(bytes.subarray(0, 1000));
  expect(crc32(plain, 10, 1000)).toBe(zlibCrc32(bytes.subarray(10, 1000)));
});

test('a runtime without the function, or with another one of its name, is not used', () => {
  expect(trusted(zlibCrc32)).toBe(zlibCrc32);
  expect(trusted(undefined)).toBe(undefined);
  expect(trusted((data) => zlibCrc32(data))).toBe(undefined);
  expect(trusted((data, seed) => zlibCrc32(data, seed) | 0)).toBe(undefined);
  expect(
    trusted(() => {
      throw new TypeError('not like this');
    }),
  ).toBe(undefined);
});
