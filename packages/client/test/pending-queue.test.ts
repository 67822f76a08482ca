import { expect, test } from 'vitest';
import { PendingQueue } from '../src/pending-queue.ts';

test('first in, first out, across growth and wrap', () => {
  const queue = new PendingQueue<number>();
  let next = 0;
  let due = 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i <= round % 23; i++) queue.push(next++);
    for (let i = 0; i < round % 19 && queue.length > 0; i++) expect(queue.shift()).toBe(due++);
    expect(queue.length).toBe(next - due);
  }
  while (queue.length > 0) expect(queue.shift()).toBe(due++);
  expect(due).toBe(next);
  expect(queue.shift()).toBeUndefined();
  // An empty one stays a queue.
  expect(queue.length).toBe(0);
  queue.push(1);
  queue.push(2);
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([1, 2, undefined]);
});
