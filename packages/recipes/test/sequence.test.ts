import { expect, test } from 'vitest';
import { compareSequences, parseSequence } from '../src/core/sequence.ts';

const LABELS = ['lock-', '__lock__'];

test.each([
  ['_c_6e1a-lock-0000000007', 7],
  ['_c_6e1a-lock-2147483647', 2147483647],
  ['_c_6e1a-lock--2147483648', -2147483648],
  ['_c_6e1a-lock--000000001', -1],
  ['93fd__lock__0000000012', 12],
  ['lock-0000000003', 3],
])('%s has the number %s', (name, sequence) => {
  expect(parseSequence(name, LABELS)).toBe(sequence);
});

test.each([
  'lock-',
  'lock-123',
  'lock-00000000001',
  'lock-0000000001x',
  'lock--0000000',
  '_c_6e1a-latch-0000000001',
  'leader',
])('%s has no number', (name) => {
  expect(parseSequence(name, LABELS)).toBeUndefined();
});

test('numbers are in the order of creation across the wrap of the counter', () => {
  const created = [2147483646, 2147483647, -2147483648, -2147483647];
  expect(created.toReversed().sort(compareSequences)).toEqual(created);
  expect(compareSequences(5, 5)).toBe(0);
});
