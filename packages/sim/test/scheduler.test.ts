import { expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimProcess } from '../src/sim-process.ts';

test('callbacks run by time, and at one time in the order in which they were asked for', () => {
  const scheduler = new SimScheduler();
  const prng = new Prng(1);
  const asked: [number, number][] = [];
  const ran: [number, number][] = [];
  for (let i = 0; i < 500; i++) {
    const atMs = prng.below(40);
    asked.push([atMs, i]);
    scheduler.schedule(atMs, () => ran.push([scheduler.nowMs, i]));
  }
  scheduler.run(100);
  expect(ran).toEqual(asked.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
  expect(scheduler.nowMs).toBe(100);
});

test('work takes time, and what is due meanwhile is late', () => {
  const scheduler = new SimScheduler();
  const times: number[] = [];
  scheduler.schedule(1, () => scheduler.burn(10));
  scheduler.schedule(2, () => times.push(scheduler.nowMs));
  scheduler.run(50);
  expect(times).toEqual([11]);
});

test('a stalled process runs nothing, then everything in order; a dead one nothing', () => {
  const scheduler = new SimScheduler();
  const process = new SimProcess(scheduler, 'p');
  const ran: string[] = [];
  process.schedule(1, () => ran.push(`a ${scheduler.nowMs}`));
  process.schedule(2, () => ran.push(`b ${scheduler.nowMs}`));
  process.stall(5);
  scheduler.run(10);
  process.schedule(1, () => ran.push('c'));
  process.kill();
  scheduler.run(20);
  expect(ran).toEqual(['a 5', 'b 5']);
});
