import { expect, test } from 'vitest';
import { paddedSize } from '../src/log-padding.ts';

const MIB = 1024 * 1024;

// disk.md 2.1, by hand from FilePadding.calculateFileSizeWithPadding.
test.each([
  ['a fresh log', 16, 16, 64 * MIB, 16 + 64 * MIB],
  ['room enough', 1000, 64 * MIB, 64 * MIB, 64 * MIB],
  ['4097 bytes left', 64 * MIB - 4097, 64 * MIB, 64 * MIB, 64 * MIB],
  ['4096 bytes left', 64 * MIB - 4096, 64 * MIB, 64 * MIB, 128 * MIB],
  ['outgrown in one batch', 200 * MIB + 5, 100 * MIB, 64 * MIB, 256 * MIB],
  ['switched off', 5000, 16, 0, 16],
  ['switched off', 5000, 16, -1, 16],
])('preallocation: %s', (_, position, size, preAlloc, expected) => {
  expect(paddedSize(position, size, preAlloc)).toBe(expected);
});
