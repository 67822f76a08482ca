import { describe, expect, test } from 'vitest';
import { firstSessionId, formatSessionId, nextSessionId } from '../src/index.ts';

describe('the first id of a server', () => {
  test('has the low byte of the server id on top, the clock below it, and 16 bits of zeros', () => {
    const id = firstSessionId(1, 0x0123_4567_89ab);
    expect(id >> 56n).toBe(1n);
    // 40 bits of the milliseconds, from bit 16 up.
    expect((id >> 16n) & 0xff_ffff_ffffn).toBe(0x23_4567_89abn);
    expect(id & 0xffffn).toBe(0n);
  });

  test('of server 257 is on server 1, as only the low byte counts', () => {
    expect(firstSessionId(257, 1000)).toBe(firstSessionId(1, 1000));
  });

  test('grows with the clock, so a restarted server begins beyond what it gave before', () => {
    expect(firstSessionId(1, 2000)).toBeGreaterThan(firstSessionId(1, 1999));
  });

  test('is never the mark of a container', () => {
    expect(firstSessionId(0x80, 0)).toBe(0x8000000000000001n);
  });
});

describe('the next id', () => {
  test.each([
    [1n, 2n],
    [0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0001n],
  ])('of %s is %s', (id, next) => {
    expect(nextSessionId(id)).toBe(next);
  });
});

test('an id is printed unsigned, in hex', () => {
  expect(formatSessionId(-1n)).toBe('0xffffffffffffffff');
  expect(formatSessionId(0x1000_0000_0000_0000n)).toBe('0x1000000000000000');
});
