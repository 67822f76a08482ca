// What several kinds of work that was put off may take of one turn of the loop.

import { expect, test } from 'vitest';
import { Turns } from '../src/turns/turns.ts';
import { ManualTime } from './support/manual-time.ts';

/** How long somebody who wants 4 ms now may go on; he takes it. */
function take(time: ManualTime, turns: Turns): number {
  turns.readClock();
  const untilMs = turns.deadlineFor(4);
  const tookMs = untilMs - turns.nowMs;
  time.nowMs = untilMs;
  return tookMs;
}

test('they share a turn, each of them gets on, and the next turn is as long', () => {
  const time = new ManualTime();
  const turns = new Turns(time, time);
  for (let turn = 0; turn < 3; turn++) {
    expect([1, 2, 3, 4].map(() => take(time, turns))).toEqual([4, 4, 0.5, 0.5]);
    time.run();
  }
});

test('what requests took of the turn before is counted', () => {
  const time = new ManualTime();
  const turns = new Turns(time, time);
  turns.readClock();
  expect(turns.join()).toBe(true);
  time.nowMs += 6;
  expect([take(time, turns), take(time, turns)]).toEqual([2, 0.5]);
  // Reading from ten thousand sockets took longer than the whole turn should.
  time.run();
  expect(turns.join()).toBe(true);
  time.nowMs += 30;
  expect(take(time, turns)).toBe(0.5);
  time.run();
  expect(take(time, turns)).toBe(4);
});
