// One change that very many clients are told of: the loop is not held until all are, and each gets its
// event in its place.

import { Xid } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { addWatch, create, getData, setData } from './support/asks.ts';
import type { RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const WATCHERS = 400;

async function crowd(fanOut = false) {
  const world = await World.start({ maxClientCnxns: 0, fanOut });
  const setter = world.client();
  setter.must(create('/a', { data: 'before' }));
  const watchers = Array.from({ length: WATCHERS }, () => world.client());
  for (const watcher of watchers) {
    watcher.must(addWatch('/a', 0));
    watcher.lines();
  }
  setter.lines();
  return { world, setter, watchers };
}

/** Sets the data to these, one after the other: all are applied, and no turn has passed since. */
function applyAtOnce(world: World, setter: RawClient, ...values: string[]): void {
  world.log.isHeld = true;
  setter.send(...values.map((value) => setData('/a', value)));
  world.run();
  world.log.isHeld = false;
  world.log.release();
}

function eventsOf({ frames }: RawClient) {
  return frames.filter(({ xid }) => xid === Xid.notification);
}

test('is told over several turns, and to everybody', async () => {
  const { world, setter, watchers } = await crowd();
  world.time.lookCostMs = 1;
  setter.send(setData('/a', 'after'));
  const told = () => watchers.filter((watcher) => eventsOf(watcher).length > 0).length;
  let longest = 0;
  for (;;) {
    const before = told();
    for (let due = world.time.dueTasks; due > 0; due--) world.time.turn();
    longest = Math.max(longest, told() - before);
    if (world.time.dueTasks === 0) break;
  }
  expect(longest).toBeLessThan(WATCHERS);
  for (const watcher of watchers) expect(watcher.lines()).toEqual(['changed /a']);
});

describe.each([false, true])('with a fan-out of the network: %s; an event', (fanOut) => {
  test('comes before what a watcher reads after it, though its turn has not come', async () => {
    const { world, setter, watchers } = await crowd(fanOut);
    // All in one turn of the loop: the change is applied, and the reads are there.
    applyAtOnce(world, setter, 'after');
    for (const watcher of watchers) watcher.send(getData('/a'));
    world.run();
    for (const watcher of watchers) {
      expect(watcher.lines().map((line) => line.split(' ')[0])).toEqual(['changed', '#2']);
    }
  });

  test('and a second one after it do not pile up, and keep their order', async () => {
    const { world, setter, watchers } = await crowd(fanOut);
    applyAtOnce(world, setter, '1', '2', '3');
    world.run();
    for (const watcher of watchers) {
      const zxids = eventsOf(watcher).map(({ zxid }) => zxid);
      expect(zxids).toHaveLength(3);
      expect(zxids).toEqual([...zxids].sort((a, b) => Number(a) - Number(b)));
    }
  });

  test('reaches those who are sent away before their turn', async () => {
    const { world, setter, watchers } = await crowd(fanOut);
    applyAtOnce(world, setter, 'after');
    for (const connection of [...world.member.connections]) connection.closeAfterFlush();
    world.run();
    for (const watcher of watchers) expect(watcher.lines()).toEqual(['changed /a']);
  });
});

test('a client that does not read gets its event after what it has not read, whoever tells the others', async () => {
  const world = await World.start({ maxClientCnxns: 0, fanOut: true, windowBytes: 4096 });
  const setter = world.client();
  setter.must(create('/a', { data: 'x'.repeat(3000) }));
  const watchers = Array.from({ length: WATCHERS }, () => world.client());
  for (const watcher of watchers) {
    watcher.must(addWatch('/a', 0));
    watcher.lines();
  }
  const slow = watchers.at(-1) as RawClient;
  slow.transport.pause();
  slow.send(getData('/a'), getData('/a'), getData('/a'));
  world.run();
  applyAtOnce(world, setter, 'after');
  world.run();
  for (const watcher of watchers.slice(0, -1)) expect(watcher.lines()).toEqual(['changed /a']);
  slow.transport.resume();
  world.run();
  expect(slow.lines().map((line) => line.split(' ')[0])).toEqual(['#2', '#3', '#4', 'changed']);
});
