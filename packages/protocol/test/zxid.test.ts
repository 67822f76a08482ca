import { expect, test } from 'vitest';
import { counterOf, epochOf, formatZxid, MAX_COUNTER, MAX_EPOCH, makeZxid } from '../src/index.ts';

test('a zxid is exact up to the last counter of the last epoch, and comes apart again', () => {
  expect([MAX_EPOCH, MAX_COUNTER]).toEqual([0x1f_ffff, 0xffff_ffff]);
  expect(makeZxid(0, 0)).toBe(0);
  expect(makeZxid(5, 3)).toBe(0x5_0000_0003);
  expect(makeZxid(MAX_EPOCH, MAX_COUNTER)).toBe(Number.MAX_SAFE_INTEGER);
  for (const [epoch, counter] of [
    [0, 0],
    [0, MAX_COUNTER],
    [1, 0],
    [MAX_EPOCH, MAX_COUNTER],
  ] as const) {
    const zxid = makeZxid(epoch, counter);
    expect([epochOf(zxid), counterOf(zxid)]).toEqual([epoch, counter]);
  }
});

test.each([-1, 0.5, Number.NaN, MAX_EPOCH + 1])('no epoch is %d', (epoch) => {
  expect(() => makeZxid(epoch, 0)).toThrow(
    new RangeError(`Epoch ${epoch} is outside 0..${MAX_EPOCH}`),
  );
});

test.each([-1, 0.5, Number.NaN, MAX_COUNTER + 1])('no counter is %d', (counter) => {
  expect(() => makeZxid(0, counter)).toThrow(
    new RangeError(`Counter ${counter} is outside 0..${MAX_COUNTER}`),
  );
});

test('a zxid is printed as Apache prints it, "none" as all ones', () => {
  expect(formatZxid(0x5_0000_0003)).toBe('0x500000003');
  expect(formatZxid(0)).toBe('0x0');
  expect(formatZxid(-1)).toBe('0xffffffffffffffff');
});
