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
  expect(world.member.turns.cutShort).toBeGreaterThan(0);
});

test('a turn stays short however many wait, and have more to ask than fits in it', async () => {
  const world = await World.start();
  const clients = Array.from({ length: 40 }, () => world.client());
  clients[0]?.must(create('/a', { data: 'x' }));
  for (const client of clients) client.lines();
  world.time.lookCostMs = 1;
  const asks = Array.from({ length: 320 }, () => getData('/a'));
  for (const client of clients) client.send(...asks);
  let longestMs = 0;
  for (;;) {
    // What is due now is one turn of the loop; what it brings belongs to the next.
    const fromMs = world.time.nowMs;
    for (let due = world.time.dueTasks; due > 0; due--) world.time.turn();
    if (world.time.dueTasks === 0) break;
    longestMs = Math.max(longestMs, world.time.nowMs - fromMs);
  }
  expect(world.member.turns.cutShort).toBeGreaterThan(40);
  expect(longestMs).toBeLessThan(100);
  world.time.lookCostMs = 0;
  for (const client of clients) expect(client.lines()).toHaveLength(320);
});
