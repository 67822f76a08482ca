import { makeZxid } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { ZxidWindow } from '../src/zxid-window.ts';

test('gives back what was pushed, across epochs', () => {
  const zxids = [makeZxid(4, 8), makeZxid(4, 9), makeZxid(5, 1), makeZxid(5, 2), makeZxid(7, 1)];
  const window = new ZxidWindow();
  const out: number[] = [];
  for (const zxid of zxids) window.push(zxid);
  expect(window.last).toBe(makeZxid(7, 1));
  while (!window.isEmpty) {
    out.push(window.first);
    window.shift();
  }
  expect(out).toEqual(zxids);
  expect([window.first, window.last]).toEqual([-1, -1]);
});

test('is a queue while it is filled', () => {
  const window = new ZxidWindow();
  const out: number[] = [];
  for (let zxid = 1; zxid <= 10; zxid++) {
    window.push(zxid);
    if (zxid % 3 === 0) {
      out.push(window.first);
      window.shift();
    }
  }
  expect(out).toEqual([1, 2, 3]);
  expect([window.first, window.last]).toEqual([4, 10]);
});

test('costs as much as it has runs, and none of them twice', () => {
  const window = new ZxidWindow();
  for (let counter = 1; counter <= 1000; counter++) window.push(makeZxid(5, counter));
  expect(window.runCount).toBe(1);
  window.push(makeZxid(6, 1));
  window.push(makeZxid(6, 2));
  expect(window.runCount).toBe(2);
  for (let i = 0; i < 1000; i++) window.shift();
  expect([window.runCount, window.first]).toEqual([1, makeZxid(6, 1)]);
});
