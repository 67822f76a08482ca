// Containers and TTL znodes that nobody needs any more go by themselves.

import { describe, expect, test } from 'vitest';
import {
  addWatch,
  create,
  createContainer,
  createTTL,
  exists,
  remove,
  setData,
} from './support/asks.ts';
import { World } from './support/world.ts';

const CHECK_MS = 1000;
const config = {
  extendedTypesEnabled: true,
  containers: { checkIntervalMs: CHECK_MS, maxPerMinute: 600 },
};

/** Lets the next check come, and stops just after it. */
function check(world: World): void {
  world.advance(CHECK_MS);
}

describe('a container', () => {
  test('goes once it had a child and has none', async () => {
    const world = await World.start(config);
    const client = world.client({ timeoutMs: 40_000 });
    client.must(createContainer('/box'), create('/box/a'));
    check(world);
    expect(client.errorOf(exists('/box'))).toBe('OK');
    client.must(remove('/box/a'), addWatch('/box', 0));
    client.lines();
    check(world);
    expect(client.events()).toEqual(['deleted /box']);
    expect(client.errorOf(exists('/box'))).toBe('NONODE');
  });

  test('that never had a child stays, unless maxNeverUsedInterval is over', async () => {
    const forever = await World.start(config);
    forever.client({ timeoutMs: 40_000 }).must(createContainer('/box'));
    forever.advance(100_000);
    expect(forever.serving.tree.findString('/box')).not.toBe(0);
    const world = await World.start({
      ...config,
      containers: { ...config.containers, maxNeverUsedIntervalMs: 3000 },
    });
    world.client({ timeoutMs: 40_000 }).must(createContainer('/box'));
    world.advance(3000);
    expect(world.serving.tree.findString('/box')).not.toBe(0);
    check(world);
    expect(world.serving.tree.findString('/box')).toBe(0);
  });

  test('stays when a child of it is in the works', async () => {
    const world = await World.start(config);
    const client = world.client({ timeoutMs: 40_000 });
    client.must(createContainer('/box'), create('/box/a'), remove('/box/a'));
    world.log.isHeld = true;
    client.send(create('/box/b'));
    check(world);
    world.log.isHeld = false;
    world.log.release();
    world.run();
    expect(client.errorOf(exists('/box/b'))).toBe('OK');
  });
});

test('a container that is becoming a persistent znode stays', async () => {
  const world = await World.start(config);
  const client = world.client({ timeoutMs: 40_000 });
  client.must(createContainer('/box'), create('/box/a'), remove('/box/a'));
  world.log.isHeld = true;
  client.send(remove('/box'), create('/box'));
  check(world);
  world.log.isHeld = false;
  world.log.release();
  world.run();
  world.advance(3 * CHECK_MS);
  expect(client.errorOf(exists('/box'))).toBe('OK');
});

describe('a TTL znode', () => {
  test('goes when its ttl is over, and every setData gives it the whole again', async () => {
    const world = await World.start(config);
    const client = world.client({ timeoutMs: 40_000 });
    client.must(createTTL('/t', 2500), createTTL('/kept', 2500));
    check(world);
    check(world);
    client.must(setData('/kept', 'x'));
    check(world);
    expect(client.errorOf(exists('/t'))).toBe('NONODE');
    expect(client.errorOf(exists('/kept'))).toBe('OK');
    world.advance(2 * CHECK_MS);
    expect(client.errorOf(exists('/kept'))).toBe('NONODE');
  });

  test('stays when a setData that gives it the whole again is in the works', async () => {
    const world = await World.start(config);
    const client = world.client({ timeoutMs: 40_000 });
    client.must(createTTL('/t', 500));
    world.log.isHeld = true;
    client.send(setData('/t', 'x'));
    check(world);
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(client.errorOf(exists('/t'))).toBe('OK');
    check(world);
    expect(client.errorOf(exists('/t'))).toBe('NONODE');
  });

  test('with children stays', async () => {
    const world = await World.start(config);
    world.client({ timeoutMs: 40_000 }).must(createTTL('/t', 1), create('/t/a'));
    world.advance(5 * CHECK_MS);
    expect(world.serving.tree.findString('/t')).not.toBe(0);
  });
});

test('no more go at a check than maxPerMinute leaves to it, and all of them in the end', async () => {
  const world = await World.start(config);
  const client = world.client({ timeoutMs: 40_000 });
  const { tree } = world.serving;
  const before = tree.znodeCount;
  // Those that stay are looked at too, and do not count.
  client.send(...Array.from({ length: 95 }, (_, i) => createTTL(`/t${i}`, i % 2 === 0 ? 1 : 1e9)));
  world.run();
  const counts: number[] = [];
  for (let checks = 0; checks < 6; checks++) {
    const had = tree.znodeCount;
    check(world);
    counts.push(had - tree.znodeCount);
  }
  // 600 a minute are 10 a second; 48 of 95 are due.
  expect(counts).toEqual([10, 10, 10, 10, 8, 0]);
  expect(tree.znodeCount).toBe(before + 47);
});

test('nothing goes while the check is off', async () => {
  const world = await World.start({ ...config, containers: { checkIntervalMs: 0 } });
  world.client({ timeoutMs: 40_000 }).must(createTTL('/t', 1));
  world.advance(1_000_000);
  expect(world.serving.tree.findString('/t')).not.toBe(0);
});
