import type { Client } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { barrier, doubleBarrier, type Party } from '../src/barrier.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

function settled(promise: Promise<unknown>): { is: boolean } {
  const state = { is: false };
  const settle = (): void => {
    state.is = true;
  };
  promise.then(settle, settle);
  return state;
}

test('a barrier holds up who waits until it is lifted', async () => {
  const { other: zk } = world;
  const gate = barrier(zk, '/gates/a');
  await gate.wait();
  await gate.raise();
  await gate.raise();
  const waiting = Promise.all([gate.wait(), gate.wait()]);
  const state = settled(waiting);
  await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
  // Its data is not what is waited for.
  await zk.set('/gates/a', 'x');
  await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
  expect(state.is).toBe(false);
  await gate.lift();
  await gate.lift();
  await waiting;
  await zk.delete('/gates');
  await world.nothingLeft();
});

test('waiting at a barrier can be given up, and leaves no watch', async () => {
  const gate = barrier(world.other, '/gate');
  await gate.raise();
  const stopping = new AbortController();
  const waiting = gate.wait({ signal: stopping.signal });
  await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
  stopping.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  await expect(gate.wait({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  await gate.lift();
  await world.nothingLeft();
});

test('who waits at a barrier hears of its lifting across a lost connection', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  await barrier(world.other, '/gate').raise();
  const waiting = barrier(zk, '/gate').wait();
  await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
  proxy.down();
  await barrier(world.other, '/gate').lift();
  proxy.up();
  await waiting;
  await world.nothingLeft();
});

test.each(KINDS)('a barrier through a fault: %s at every request', async (kind) => {
  const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
    const gate = barrier(zk, `${path}/gate`);
    await gate.raise();
    const waiting = gate.wait();
    const state = settled(waiting);
    await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
    expect(state.is).toBe(false);
    await barrier(other, `${path}/gate`).lift();
    await waiting;
    await gate.raise();
    await gate.lift();
  });
  expect(hurt).toBeGreaterThanOrEqual(4);
});

/** `enter` of each, at once. */
const enterAll = (clients: readonly Client[], path: string): Promise<Party[]> =>
  Promise.all(clients.map((zk) => doubleBarrier(zk, path, clients.length).enter()));

test('a double barrier lets all in together and out together, round after round', async () => {
  const clients = await Promise.all([world.direct(), world.direct(), world.direct()]);
  for (let round = 0; round < 20; round++) {
    let entered = 0;
    let left = 0;
    await Promise.all(
      clients.map(async (zk) => {
        const party = await doubleBarrier(zk, '/double', clients.length).enter();
        entered++;
        // Nobody leaves before all have entered.
        expect(left).toBe(0);
        await zk.sync('/');
        const leaving = party.leave();
        await leaving;
        left++;
        // Nobody has left before all have begun to.
        expect(entered).toBe(clients.length);
      }),
    );
    expect((await world.other.children('/double')).names).toEqual([]);
  }
  await world.other.delete('/double');
  await world.nothingLeft();
  await Promise.all(clients.map((zk) => zk.close()));
});

test('an entry that is given up leaves no znode and no watch', async () => {
  const stopping = new AbortController();
  const entering = doubleBarrier(world.other, '/alone', 2).enter({ signal: stopping.signal });
  await expect.poll(() => world.world.watchCount(), PATIENCE).toBe(1);
  stopping.abort();
  await expect(entering).rejects.toMatchObject({ code: 'ABORTED' });
  await world.nothingLeft('/alone');
  await world.other.delete('/alone');
  expect(() => doubleBarrier(world.other, '/alone', 0)).toThrow('at least 1 party');
});

test('an entry that is given up while it counts the others leaves no watch either', async () => {
  const stopping = new AbortController();
  const { other } = world;
  let watches = 0;
  const children = async (...args: Parameters<Client['children']>) => {
    watches = await world.world.watchCount();
    stopping.abort();
    return other.children(...args);
  };
  const zk = new Proxy(other, {
    get: (target, key) => {
      if (key === 'children') return children;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const entering = doubleBarrier(zk, '/counting', 2).enter({ signal: stopping.signal });
  await expect(entering).rejects.toMatchObject({ code: 'ABORTED' });
  expect(watches).toBe(1);
  await world.nothingLeft('/counting');
  await other.delete('/counting');
});

test('leaving waits for those who are in, and has a limit', async () => {
  const [a, b] = [await world.direct(), await world.direct()];
  const [first, second] = (await enterAll([a, b], '/limited')) as [Party, Party];
  await expect(first.leave({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  await second.leave();
  await world.nothingLeft('/limited');
  await world.other.delete('/limited');
  await a.close();
  await b.close();
});

test('the session of a party that ends aborts its signal, and holds up nobody', async () => {
  const [a, b] = [await world.direct(), await world.direct()];
  const [first, second] = (await enterAll([a, b], '/dying')) as [Party, Party];
  await world.world.expire(a);
  await second.leave();
  await expect.poll(() => first.signal.aborted, PATIENCE).toBe(true);
  await first.leave();
  await world.nothingLeft('/dying');
  await world.other.delete('/dying');
  await a.close();
  await b.close();
});

test('a `ready` whose round died does not let a new round in', async () => {
  const { other } = world;
  await other.create('/stale/ready', undefined, { parents: 'persistent' });
  const [a, b] = [await world.direct(), await world.direct()];
  const entering = doubleBarrier(a, '/stale', 2).enter();
  const state = settled(entering);
  await expect
    .poll(async () => (await other.children('/stale')).names.includes('ready'), PATIENCE)
    .toBe(false);
  expect(state.is).toBe(false);
  const second = await doubleBarrier(b, '/stale', 2).enter();
  const first = await entering;
  await Promise.all([first.leave(), second.leave()]);
  await world.nothingLeft('/stale');
  await other.delete('/stale');
  await a.close();
  await b.close();
});

test('a party that did not make `ready` itself takes it away if the last member could not', async () => {
  const { other, proxy } = world;
  const [hurt, b] = [await world.connect(), await world.direct()];
  const entering = doubleBarrier(b, '/late', 2).enter();
  await expect.poll(() => world.world.ephemerals('/late'), PATIENCE).toHaveLength(1);
  // The second one sees enough members; while its `ready` is on the way, another makes it.
  let isCut = false;
  proxy.onRequest = ({ name, path }) => {
    if (isCut || name !== 'create2' || path?.endsWith('/ready') !== true) return 'forward';
    isCut = true;
    proxy.down();
    return 'cut';
  };
  const late = doubleBarrier(hurt, '/late', 2).enter();
  await expect.poll(() => isCut, PATIENCE).toBe(true);
  await other.create('/late/ready');
  proxy.heal();
  const [first, second] = [await entering, await late];
  // As if both sessions had ended.
  await other.delete(first.path);
  await other.delete(second.path);
  await second.leave();
  await world.nothingLeft('/late');
  await first.leave();
  await other.delete('/late');
  await hurt.close();
  await b.close();
});

test('one more than the parties may enter a round that is under way', async () => {
  const clients = await Promise.all([world.direct(), world.direct()]);
  const parties = await enterAll(clients, '/more');
  const late = await doubleBarrier(world.other, '/more', 2).enter();
  await Promise.all([...parties, late].map((party) => party.leave()));
  await world.nothingLeft('/more');
  await world.other.delete('/more');
  await Promise.all(clients.map((zk) => zk.close()));
});

test.each(KINDS)('a double barrier through a fault: %s at every request', async (kind) => {
  const hurt = await world.everyFault(
    kind,
    async ({ zk, other, path }) => {
      const [mine, theirs] = (await enterAll([zk, other], `${path}/d`)) as [Party, Party];
      await Promise.all([mine.leave(), theirs.leave()]);
    },
    ['d'],
  );
  expect(hurt).toBeGreaterThanOrEqual(5);
});
