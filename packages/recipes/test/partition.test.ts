import type { Client } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type PartitionOptions, partition, rank } from '../src/partition.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

/** A session that ends is a moment in which its member does not know yet that others have its items. */
const calm = { is: true };

const ITEMS = Array.from({ length: 12 }, (_, i) => `item-${i}`);

test('each item ranks the members, evenly, and a member that goes moves its own items only', () => {
  const members = ['a', 'b', 'c', 'd'];
  const items = Array.from({ length: 4000 }, (_, i) => `item-${i}`);
  const first = new Map(items.map((item) => [item, rank(item, members)]));
  for (const member of members) {
    const count = [...first.values()].filter(([best]) => best === member).length;
    expect(count).toBeGreaterThan(850);
    expect(count).toBeLessThan(1150);
  }
  for (const [item, ranked] of first) {
    const without = rank(item, ['d', 'c', 'a']);
    expect(without).toEqual(ranked.filter((member) => member !== 'b'));
  }
});

/** A member that works until it is stopped, and tells what it has. */
function member(
  zk: Client,
  path: string,
  id: string,
  running: Map<string, string>,
  options: PartitionOptions = {},
) {
  const stopping = new AbortController();
  const mine = new Set<string>();
  const done = partition(
    zk,
    path,
    ITEMS,
    async (item, { signal }) => {
      // Never two at a time, while no session ends.
      if (calm.is) expect(running.get(item)).toBeUndefined();
      running.set(item, id);
      mine.add(item);
      if (!signal.aborted) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      }
      mine.delete(item);
      if (running.get(item) === id) running.delete(item);
    },
    { memberId: id, settleMs: 1, signal: stopping.signal, ...options },
  );
  return {
    mine,
    done,
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

test('items are divided among those who are there, each to one, and anew when that changes', async () => {
  const clients = await Promise.all([world.direct(), world.direct(), world.direct()]);
  const [first, second, third] = clients as [Client, Client, Client];
  const running = new Map<string, string>();
  const of = (ids: string[]) => new Map(ITEMS.map((item) => [item, rank(item, ids)[0]]));
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort();
  const a = member(first, '/split', 'a', running);
  await expect.poll(() => sorted(running), PATIENCE).toEqual(sorted(of(['a'])));
  const b = member(second, '/split', 'b', running);
  const c = member(third, '/split', 'c', running);
  await expect.poll(() => sorted(running), PATIENCE).toEqual(sorted(of(['a', 'b', 'c'])));
  // The session of one ends: the others take over, and it comes back.
  calm.is = false;
  await world.world.expire(second);
  await expect.poll(() => second.session.generation, PATIENCE).toBe(2);
  await expect.poll(() => sorted(running), PATIENCE).toEqual(sorted(of(['a', 'b', 'c'])));
  calm.is = true;
  await a.stop();
  expect(a.mine.size).toBe(0);
  await expect.poll(() => sorted(running), PATIENCE).toEqual(sorted(of(['b', 'c'])));
  await b.stop();
  await c.stop();
  expect(running.size).toBe(0);
  expect(await world.world.ephemerals('/split')).toEqual([]);
  await Promise.all(clients.map((zk) => zk.close()));
  await world.other.delete('/split', { recursive: true });
  await world.nothingLeft();
});

test('work that fails ends the part, and the items go to others', async () => {
  const failing = partition(
    world.other,
    '/failing',
    ITEMS,
    async (item) => {
      if (item === 'item-3') throw new Error('broken');
    },
    { settleMs: 1 },
  );
  await expect(failing).rejects.toThrow('broken');
  expect(await world.world.ephemerals('/failing')).toEqual([]);
  await expect(partition(world.other, '/failing', ['a/b'], async () => {})).rejects.toThrow(
    '"a/b" is no name of an item',
  );
  await world.other.delete('/failing', { recursive: true });
  await world.nothingLeft();
});

test.each(KINDS)(
  'no item is worked on twice, or by nobody, through a fault: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(kind, async ({ zk, path }) => {
      const running = new Map<string, string>();
      const items = ITEMS.slice(0, 2);
      const stopping = new AbortController();
      const work = (client: Client, memberId: string) =>
        partition(
          client,
          `${path}/p`,
          items,
          async (item, { signal, held }) => {
            const key = `${item} ${held.token}`;
            running.set(key, memberId);
            if (!signal.aborted) {
              await new Promise((resolve) =>
                signal.addEventListener('abort', resolve, { once: true }),
              );
            }
            running.delete(key);
          },
          { memberId, settleMs: 1, signal: stopping.signal },
        );
      const done = Promise.all([work(zk, 'hurt'), work(world.other, 'other')]);
      const expected = items.map((item) => rank(item, ['hurt', 'other'])[0]).sort();
      await expect.poll(() => [...running.values()].sort(), PATIENCE).toEqual(expected);
      stopping.abort();
      await done;
      await world.other.delete(`${path}/p`, { recursive: true });
    });
    expect(hurt).toBeGreaterThanOrEqual(5);
  },
);
