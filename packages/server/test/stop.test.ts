// What a stop answers, and what it does not take any more.

import { describe, expect, test } from 'vitest';
import { create, getData, setData } from './support/asks.ts';
import { World } from './support/world.ts';

/** The answer to a ping that nobody asked for: nothing else was carried out. */
const GOODBYE = '#-2 CONNECTIONLOSS';

const creates = (count: number) => Array.from({ length: count }, (_, i) => create(`/n${i}`));

describe('a stop', () => {
  test('makes durable and answers what is outstanding, then closes every connection', async () => {
    const world = await World.start();
    const [client, idle] = [world.client(), world.client()];
    world.log.isHeld = true;
    client.send(create('/a'), getData('/a'), setData('/a', 'x'));
    world.run();
    const stopped = world.member.stop();
    await settle(world, stopped);
    expect(client.lines()).toEqual(['#1 OK', '#2 OK', '#3 OK', GOODBYE]);
    expect([client.isClosed, idle.isClosed]).toEqual([true, true]);
    expect(world.time.timerCount).toBe(0);
    expect(world.fatal).toEqual([]);
  });

  test('answers all of many txns before it closes, however long they take to apply', async () => {
    const world = await World.start();
    const client = world.client();
    world.log.isHeld = true;
    client.send(...creates(500));
    world.run();
    // Every look at the clock takes more than a slice of applying may.
    world.time.lookCostMs = 5;
    await settle(world, world.member.stop());
    expect(client.lines()).toEqual([...creates(500).map((_, i) => `#${i + 1} OK`), GOODBYE]);
    expect(client.isClosed).toBe(true);
  });

  test('takes no request and no connection that comes after it', async () => {
    const world = await World.start();
    const client = world.client();
    world.log.isHeld = true;
    const stopped = world.member.stop();
    client.send(create('/late'));
    const late = world.dial().connect();
    await settle(world, stopped);
    expect(client.lines()).toEqual([GOODBYE]);
    expect(late.session).toBe(undefined);
    expect(world.serving.tree.findString('/late')).toBe(0);
  });

  test('may be asked for twice', async () => {
    const world = await World.start();
    await settle(world, Promise.all([world.member.stop(), world.member.stop()]));
    expect(world.member.isServing).toBe(false);
  });
});

/** Takes turns until a promise of the server has settled. */
async function settle(world: World, promise: Promise<unknown>): Promise<void> {
  let isDone = false;
  void promise.finally(() => {
    isDone = true;
  });
  for (let i = 0; i < 1000 && !isDone; i++) {
    world.run();
    await Promise.resolve();
  }
  expect(isDone).toBe(true);
  world.run();
}
