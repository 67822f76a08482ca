// Whose turn it is when some are told by a fan-out and others keep their event.

import type { Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import { LateEvents } from '../src/connection/late-events.ts';
import { WatchEvent } from '../src/connection/watch-event.ts';
import { Turns } from '../src/turns/turns.ts';
import { ManualTime } from './support/manual-time.ts';

test('a fan-out that never ends does not keep the others waiting', () => {
  const time = new ManualTime();
  time.lookCostMs = 1;
  const turns = new Turns(time, time);
  const endless = { add() {}, step: () => true };
  const network = { fanOut: () => endless } as unknown as Network;
  const lateEvents = new LateEvents(turns, time, network);
  const event = new WatchEvent();
  event.begin(1, 1);
  const plain = { secure: false } as Parameters<LateEvents['tell']>[0];
  expect(lateEvents.tell(plain, event)).toBe(true);
  expect(lateEvents.tell({ ...plain, secure: true }, event)).toBe(false);
  let told = 0;
  for (let i = 0; i < 100; i++) lateEvents.keep({ endTurn: () => void told++ });
  for (let turn = 0; turn < 20; turn++) time.turn();
  expect(told).toBe(100);
});
