// One turn of the loop is shared: whoever is ready when it is used up is served in a later one.

import { expect, test } from 'vitest';
import { create, getData } from './support/asks.ts';
import { World } from './support/world.ts';

test('many clients that ask at once are served over several turns, each in its own order', async () => {
  const world = await World.start();
  const clients = Array.from({ length: 40 }, () => world.client());
  clients[0]?.must(create('/a', { data: 'x' }));
  for (const client of clients) client.lines();
  // Each look at the clock is a millisecond of work: a turn is used up after a few clients.
  world.time.lookCostMs = 1;
  for (const client of clients) client.send(getData('/a'), getData('/b'), getData('/a'));
  world.run();
  world.time.lookCostMs = 0;
  for (const client of clients) {
    expect(client.lines().map((line) => line.split(' ').at(-1))).toEqual(['OK', 'NONODE', 'OK']);
  }
  expect(world.node.turns.cutShort).toBeGreaterThan(0);
});
