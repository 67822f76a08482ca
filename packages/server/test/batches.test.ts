// How txns are gathered for the log, applied in slices, and what a stop or a failed log does to them.

import { describe, expect, test } from 'vitest';
import { create, exists, getData, setData } from './support/asks.ts';
import { World } from './support/world.ts';

const creates = (count: number) => Array.from({ length: count }, (_, i) => create(`/n${i}`));

describe('the log is flushed', () => {
  test('once for all writes that came in one turn, whoever sent them', async () => {
    const world = await World.start();
    const clients = [world.client(), world.client(), world.client()];
    world.log.flushes.length = 0;
    for (const [i, client] of clients.entries()) client.send(create(`/a${i}`), create(`/b${i}`));
    world.run();
    expect(world.log.flushes).toEqual([6]);
  });

  test('at maxBatchSize without waiting for the end of the turn', async () => {
    const world = await World.start({ maxBatchSize: 10 });
    const client = world.client();
    world.log.flushes.length = 0;
    client.send(...creates(25));
    world.run();
    expect(world.log.flushes).toEqual([10, 10, 5]);
    expect(client.lines()).toHaveLength(25);
  });

  test('with a maxBatchSize of 0 at the end of the turn only', async () => {
    const world = await World.start({ maxBatchSize: 0 });
    const client = world.client();
    world.log.flushes.length = 0;
    client.send(...creates(25));
    world.run();
    expect(world.log.flushes).toEqual([25]);
  });

  test('only after flushDelay, with all that came until then', async () => {
    const world = await World.start({ flushDelayMs: 20 });
    const client = world.client();
    world.advance(20);
    world.log.flushes.length = 0;
    client.send(create('/a'));
    world.advance(10);
    client.send(create('/b'));
    world.advance(9);
    expect(client.lines()).toEqual([]);
    world.advance(1);
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(world.log.flushes).toEqual([2]);
    world.advance(100);
    expect(world.log.flushes).toEqual([2]);
  });

  test('at maxBatchSize before flushDelay is over', async () => {
    const world = await World.start({ flushDelayMs: 20, maxBatchSize: 2 });
    const client = world.client();
    world.advance(20);
    client.send(...creates(2));
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
  });
});

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

/** The answer to a ping that nobody asked for: nothing else was carried out. */
const GOODBYE = '#-2 CONNECTIONLOSS';

describe('a stop', () => {
  test('makes durable and answers what is in the works, then closes every connection', async () => {
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

describe('a log that fails', () => {
  test('ends the server: nothing more is answered, and it says so once', async () => {
    const world = await World.start();
    const [client, other] = [world.client(), world.client()];
    world.log.isHeld = true;
    client.send(create('/a'));
    world.run();
    world.log.fail('disk full');
    world.log.fail('disk full again');
    other.send(exists('/'));
    expect(client.lines()).toEqual([]);
    expect(other.lines()).toEqual([]);
    expect([client.isClosed, other.isClosed]).toEqual([true, true]);
    expect(world.fatal.map(({ message }) => message)).toEqual(['The txn log failed: disk full']);
    expect(world.time.timerCount).toBe(0);
  });

  test('does not apply what it did not make durable', async () => {
    const world = await World.start();
    const client = world.client();
    world.log.isHeld = true;
    client.send(create('/a'));
    world.run();
    const { tree } = world.serving;
    world.log.fail('disk full');
    world.advance(60_000);
    expect(tree.findString('/a')).toBe(0);
    expect(world.dial().connect().session).toBe(undefined);
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
