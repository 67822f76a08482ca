import { expect, test } from 'vitest';
import { follows } from '../src/zxid-order.ts';
import { EPOCH } from './helpers.ts';

test.each([
  [5, 4, true],
  [6, 4, false],
  [4, 4, false],
  [3, 4, false],
  [EPOCH + 1, 4, true],
  [EPOCH + 2, 4, false],
  [3 * EPOCH + 1, EPOCH + 700, true],
  [3 * EPOCH + 1, 3 * EPOCH, true],
  [3 * EPOCH, EPOCH + 700, false],
])('0x%x directly follows 0x%x: %s', (next, previous, expected) => {
  expect(follows(next, previous)).toBe(expected);
});
