import { expect, test } from 'vitest';
import { LongTurns } from '../src/long-turns.ts';

const at = (ms: number) => () => new Date(ms);

test('a timer that comes late tells a long turn, and when it ended', () => {
  const turns = new LongTurns();
  for (const ms of [5000, 5020, 5043, 5363, 5383]) turns.note(ms, at(ms));
  expect(turns.longest).toEqual([{ ms: 300, endedAt: new Date(5363) }]);
});

test('the ten longest are kept, the longest first', () => {
  const turns = new LongTurns();
  let nowMs = 0;
  turns.note(nowMs, at(nowMs));
  for (const ms of [50, 300, 20, 40, 60, 70, 80, 90, 100, 110, 120, 30, 200]) {
    nowMs += 20 + ms;
    turns.note(nowMs, at(nowMs));
  }
  expect(turns.longest.map(({ ms }) => ms)).toEqual([300, 200, 120, 110, 100, 90, 80, 70, 60, 50]);
});
