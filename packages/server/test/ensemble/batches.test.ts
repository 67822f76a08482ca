// How the members of an ensemble gather txns into writes of their logs: as maxBatchSize and flushDelay say.

import { expect, test } from 'vitest';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

function creates(count: number) {
  return Array.from({ length: count }, (_, i) => create(`/n-${i}`));
}

/** Txns in the writes of a member's log since the last `srst`: the smallest and the largest number. */
function batchesOf(world: WorldEnsemble, sid: number): { min: number; max: number } {
  const text = world.word(sid, 'mntr');
  const figure = (kind: string) =>
    Number(new RegExp(`^zk_${kind}_sync_processor_batch_size\\t(\\d+)$`, 'm').exec(text)?.[1]);
  return { min: figure('min'), max: figure('max') };
}

test.each([
  // The first batch is written when it is full; what comes meanwhile shares the next write, as on a server on its own.
  [3, { min: 3, max: 37 }],
  [1000, { min: 40, max: 40 }],
  [0, { min: 40, max: 40 }],
])(
  'with maxBatchSize %i 40 txns are written in batches of %o, on every member',
  async (maxBatchSize, batches) => {
    const world = await WorldEnsemble.start({ maxBatchSize });
    const client = world.client(world.leaderSid);
    for (const sid of world.sids) world.word(sid, 'srst');
    client.send(...creates(40));
    world.settle();
    expect(client.frames).toHaveLength(40);
    for (const sid of world.sids) expect(batchesOf(world, sid)).toEqual(batches);
  },
);

test('with flushDelay txns wait for more before they are written and acked, and no longer', async () => {
  const world = await WorldEnsemble.start({ flushDelayMs: 100 });
  const client = world.client(world.leaderSid);
  world.until(() => client.session !== undefined, 'the session is there');
  world.time.advance(500);
  for (const sid of world.sids) world.word(sid, 'srst');
  client.send(...creates(2));
  world.time.advance(60);
  client.send(...creates(3).slice(2));
  world.time.advance(30);
  expect(client.frames).toHaveLength(0);
  world.time.advance(20);
  expect(client.frames).toHaveLength(3);
  for (const sid of world.sids) expect(batchesOf(world, sid)).toEqual({ min: 3, max: 3 });
});

test('maxBatchSize ends the wait of flushDelay', async () => {
  const world = await WorldEnsemble.start({ flushDelayMs: 30_000, maxBatchSize: 1 });
  const client = world.client(world.leaderSid);
  const { nowMs } = world.time;
  client.send(...creates(2));
  world.settle();
  expect(client.frames).toHaveLength(2);
  expect(world.time.nowMs - nowMs).toBeLessThan(30_000);
});
