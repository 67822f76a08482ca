// Txns that became durable together are applied without holding the loop.

import { expect, test } from 'vitest';
import { create, exists } from './support/asks.ts';
import { World } from './support/world.ts';

const creates = (count: number) => Array.from({ length: count }, (_, i) => create(`/n${i}`));

test('a long batch is applied in slices, with the rest of the loop in between', async () => {
  const world = await World.start({ globalOutstandingLimit: 10_000 });
  const [client, other] = [world.client(), world.client()];
  world.log.isHeld = true;
  client.send(...creates(1000));
  world.run();
  // Every look at the clock takes more than a slice may.
  world.time.lookCostMs = 5;
  world.log.release();
  const { tree } = world.serving;
  const before = tree.lastProcessedZxid;
  expect(world.serving.sequence.size).toBe(1000 - 64);
  other.send(exists('/n0'), exists('/n999'));
  while (other.frames.length === 0) world.time.turn();
  expect(tree.lastProcessedZxid).toBeLessThan(before + 900);
  expect(other.frames.map(({ error }) => error)).toEqual([0, -101]);
  world.time.lookCostMs = 0;
  expect(client.lines()).toEqual(creates(1000).map((_, i) => `#${i + 1} OK`));
});
