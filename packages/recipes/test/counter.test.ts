import { ZkError } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { counter } from '../src/counter.ts';
import { expiringAtWrite, FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

test('a counter counts, up and down, past what a double can', async () => {
  const count = counter(world.other, '/count/a');
  expect(await count.get()).toBe(0n);
  expect(await count.add(2)).toBe(2n);
  expect(await count.add(-5n)).toBe(-3n);
  expect(await count.add(10n ** 20n)).toBe(10n ** 20n - 3n);
  expect(await count.get({ consistency: 'synced' })).toBe(10n ** 20n - 3n);
  await expect(count.add(0.5)).rejects.toThrow(RangeError);
  await world.other.delete('/count', { recursive: true });
});

test('adds of many clients are all counted, and no two make the same sum', async () => {
  const clients = await Promise.all([world.direct(), world.direct(), world.direct()]);
  const sums = await Promise.all(
    clients.flatMap((zk) => {
      const count = counter(zk, '/contended');
      return Array.from({ length: 30 }, () => count.add(1));
    }),
  );
  const expected = Array.from({ length: 90 }, (_, i) => BigInt(i + 1));
  expect(sums.sort((a, b) => (a < b ? -1 : 1))).toEqual(expected);
  await Promise.all(clients.map((zk) => zk.close()));
  await world.other.delete('/contended');
});

test('a znode that is no counter is told of, and left alone; one of kazoo is counted on', async () => {
  const { other: zk } = world;
  await zk.create('/odd', 'three');
  await expect(counter(zk, '/odd').add(1)).rejects.toThrow('/odd is no counter: it holds "three"');
  expect((await zk.get('/odd')).data.toString()).toBe('three');
  await zk.set('/odd', '41');
  expect(await counter(zk, '/odd').add(1)).toBe(42n);
  await zk.delete('/odd');
});

test('the remembered adds stay few', async () => {
  const { other: zk } = world;
  const count = counter(zk, '/ring');
  for (let i = 0; i < 70; i++) await count.add(1);
  const { data } = await zk.get('/ring');
  expect(JSON.parse(data.toString()).adds.length).toBe(64);
  expect(data.length).toBeLessThan(3000);
  await zk.delete('/ring');
});

test('an add whose reply is lost is found among those of others, and counted once', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  const mine = counter(zk, '/lost');
  await mine.add(1);
  const theirs = counter(world.other, '/lost');
  proxy.onReply = ({ request }) => {
    if (request.name !== 'setData') return 'forward';
    // It is carried out; the others go on before its maker is back.
    proxy.down();
    return 'lose';
  };
  const adding = mine.add(10);
  await expect.poll(() => theirs.get(), PATIENCE).toBe(11n);
  for (let i = 0; i < 63; i++) await theirs.add(100);
  proxy.heal();
  expect(await adding).toBe(11n);
  expect(await theirs.get()).toBe(11n + 6300n);
  await world.other.delete('/lost');
});

test.each([
  [
    'more adds of others followed than are remembered',
    async () => {
      const theirs = counter(world.other, '/unknown');
      for (let i = 0; i < 64; i++) await theirs.add(100);
    },
  ],
  [
    'the znode was made anew',
    async () => {
      await world.other.delete('/unknown');
      await counter(world.other, '/unknown').add(5);
    },
  ],
  [
    'the remembered adds were overwritten',
    async () => {
      await world.other.set('/unknown', '7');
    },
  ],
])('an add whose reply is lost is said to be unknown if %s', async (_, others) => {
  const { proxy } = world;
  const zk = await world.connect();
  const mine = counter(zk, '/unknown');
  await mine.add(1);
  let isLost = false;
  proxy.onReply = ({ request }) => {
    if (request.name !== 'setData') return 'forward';
    proxy.down();
    isLost = true;
    return 'lose';
  };
  const adding = mine.add(10);
  adding.catch(() => {});
  await expect.poll(() => isLost, PATIENCE).toBe(true);
  await others();
  const before = await counter(world.other, '/unknown').get();
  proxy.heal();
  await expect(adding).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
  expect(await counter(world.other, '/unknown').get()).toBe(before);
  await world.other.delete('/unknown');
});

test('an add goes on in the next session, whether its read or its write meets the end of one', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  expect(await counter(zk, '/outlived').add(1)).toBe(1n);
  proxy.down();
  await expect.poll(() => zk.state.status, PATIENCE).not.toBe('connected');
  const adding = counter(zk, '/outlived').add(1);
  await expect.poll(() => world.world.expire(zk), PATIENCE).toBe(true);
  proxy.heal();
  expect(await adding).toBe(2n);
  expect(await counter(expiringAtWrite(zk), '/outlived').add(1)).toBe(3n);
  await world.other.delete('/outlived');
});

test('an add that is given up says whether it may be counted', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  const count = counter(zk, '/given-up');
  proxy.hold('to-client');
  const stopping = new AbortController();
  const adding = count.add(1, { signal: stopping.signal });
  await proxy.request(({ name }) => name === 'getData');
  stopping.abort();
  await expect(adding).rejects.toMatchObject({
    code: 'ABORTED',
    outcome: expect.not.stringMatching('unknown'),
  });
  proxy.release('to-client');
  // The line goes on without it.
  expect(await count.add(1)).toBe(1n);
  await world.other.delete('/given-up');
});

test.each(KINDS)('adds through a fault are counted once: %s at every request', async (kind) => {
  const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
    const mine = counter(zk, `${path}/n`);
    const theirs = counter(other, `${path}/n`);
    let known = 0n;
    for (let i = 0; i < 3; i++) {
      known += 1n;
      expect(await mine.add(1)).toBe(known);
      known += 100n;
      expect(await theirs.add(100)).toBe(known);
    }
    expect(await theirs.get()).toBe(303n);
    await other.delete(`${path}/n`);
  });
  expect(hurt).toBeGreaterThanOrEqual(6);
});

test('a counter that may not be read says so', async () => {
  const zk = await world.direct();
  await zk.addAuth('digest', 'me:pw');
  await zk.create('/mine', '0', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  const refused = counter(world.other, '/mine').add(1);
  await expect(refused).rejects.toSatisfy((error) => ZkError.is(error, 'NO_AUTH'));
  await zk.delete('/mine');
});
