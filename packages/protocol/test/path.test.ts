import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { isValidPathBytes, parentPath, validatePath } from '../src/index.ts';

function isValid(bytes: Buffer): boolean {
  return isValidPathBytes(bytes, 0, bytes.length);
}

describe('what a refusal says', () => {
  test.each([
    ['', 'Path length must be > 0'],
    ['a', 'Path must start with / character'],
    ['a/b', 'Path must start with / character'],
    ['/a/', 'Path must not end with / character'],
    ['//', 'Path must not end with / character'],
    ['//a', 'Empty node name specified @1'],
    ['/a//b', 'Empty node name specified @3'],
    ['/.', 'Relative paths not allowed @2'],
    ['/./a', 'Relative paths not allowed @2'],
    ['/..', 'Relative paths not allowed @3'],
    ['/a/../b', 'Relative paths not allowed @5'],
    ['/a/b\u0000', 'Invalid character @4'],
  ])('%j: %s', (path, reason) => {
    expect(validatePath(path)).toBe(reason);
    expect(isValid(Buffer.from(path))).toBe(false);
  });
});

test.each(['/', '/a', '/a/b', '/...', '/.a', '/a.', '/a./..b', '/é', '/日本', '/a é'])(
  '%s is a path',
  (path) => {
    expect(validatePath(path)).toBeUndefined();
    expect(isValid(Buffer.from(path))).toBe(true);
  },
);

/** The first and the last unit of each range that Java forbids, and their neighbours. */
test.each([
  [0x00, false],
  [0x1f, false],
  [0x20, true],
  [0x7e, true],
  [0x7f, false],
  [0x80, false],
  [0x9f, false],
  [0xa0, true],
  [0x7ff, true],
  [0x800, true],
  [0xd7ff, true],
  [0xe000, false],
  [0xf8ff, false],
  [0xf900, true],
  [0xffef, true],
  [0xfff0, false],
  [0xffff, false],
])('unit %i may be in a path: %s', (unit, isAllowed) => {
  for (const path of [`/${String.fromCharCode(unit)}`, `/a/${String.fromCharCode(unit)}b`]) {
    expect(validatePath(path) === undefined).toBe(isAllowed);
    expect(isValid(Buffer.from(path))).toBe(isAllowed);
  }
});

test.each([0xd800, 0xdbff, 0xdc00, 0xdfff])('surrogate %i is refused', (unit) => {
  expect(validatePath(`/a${String.fromCharCode(unit)}`)).toBe('Invalid character @2');
});

test.each([
  ['a byte that only continues', '2f80'],
  ['a byte that only continues, the last of them', '2fbf'],
  ['an overlong slash', '2fc0af'],
  ['an overlong letter', '2fc1a1'],
  ['two bytes, cut', '2fc3'],
  ['two bytes, the second no continuation', '2fc361'],
  ['two bytes, the second a lead', '2fc3c3'],
  ['three bytes, cut after one', '2fe6'],
  ['three bytes, cut after two', '2fe697'],
  ['three bytes, the second no continuation', '2fe661a5'],
  ['three bytes, the third no continuation', '2fe69761'],
  ['three bytes for what needs two', '2fe09fbf'],
  ['an encoded surrogate', '2feda080'],
  ['four bytes', '2ff09f9880'],
  ['a byte that is in no UTF-8', '2fff'],
])('ill-formed: %s', (_what, hex) => {
  expect(isValid(Buffer.from(hex, 'hex'))).toBe(false);
});

test('bytes outside the range given are not looked at', () => {
  const bytes = Buffer.from('//a/日//');
  expect(isValidPathBytes(bytes, 1, 7)).toBe(true);
  // What the range cuts off is there in the buffer.
  expect(isValidPathBytes(bytes, 1, 6)).toBe(false);
  expect(isValidPathBytes(bytes, 1, 5)).toBe(false);
  expect(isValidPathBytes(Buffer.from('/é'), 0, 2)).toBe(false);
  expect(isValidPathBytes(bytes, 1, 2)).toBe(true);
  expect(isValidPathBytes(bytes, 1, 1)).toBe(false);
  expect(isValidPathBytes(bytes, 2, 1)).toBe(false);
});

test.each([
  ['/a/b', '/a'],
  ['/a/b/c', '/a/b'],
  ['/a', '/'],
  ['/', undefined],
  ['', undefined],
  ['ab', undefined],
])('the parent of %j is %j', (path, parent) => {
  expect(parentPath(path)).toBe(parent);
});
