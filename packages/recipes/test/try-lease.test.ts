// Leases: held by time, and not by a session.

import { type Client, ZkError } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Lease, type LeaseOptions, tryLease } from '../src/lock.ts';
import { everyFault, FAULTS, PATIENCE, World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterEach(async () => {
  world.proxy.heal();
  await world.closeClients();
});
afterAll(() => world[Symbol.asyncDispose]());

let paths = 0;
const newPath = () => `/lease-${++paths}`;
const HOUR = 3_600_000;

async function given({
  path,
  ...options
}: Partial<LeaseOptions> & { path: string }): Promise<Lease> {
  const lease = await tryLease(world.other, path, { ttlMs: HOUR, id: 'a', ...options });
  expect(lease).toBeDefined();
  return lease as Lease;
}

test('a lease has one holder, until it is released', async () => {
  const path = newPath();
  const zk = await world.connect();
  const lease = await given({ path });
  expect(await tryLease(zk, path, { ttlMs: HOUR, id: 'b' })).toBeUndefined();
  await lease.release();
  await lease.release();
  expect(lease.remainingMs).toBe(0);
  await expect(lease.guard([])).rejects.toMatchObject({ code: 'LOCK_LOST' });
  const next = await tryLease(zk, path, { ttlMs: HOUR, id: 'b' });
  expect(next?.token).toBeGreaterThan(lease.token);
  // Of somebody who has lost it, a release takes nothing away.
  await lease.release();
  await next?.guard([]);
  await world.nothingLeft();
});

test('a lease outlives the session and the client of its holder, and whoever comes with its id has it again', async () => {
  const path = newPath();
  const zk = await world.connectThrough();
  const lease = (await tryLease(zk, path, { ttlMs: HOUR, id: 'a' })) as Lease;
  await world.expire(zk);
  await lease.renew();
  expect(lease.signal.aborted).toBe(false);
  await zk.close();
  expect(lease.signal.aborted).toBe(false);
  expect(await tryLease(world.other, path, { ttlMs: HOUR, id: 'b' })).toBeUndefined();
  const again = await given({ path });
  expect(again.token).toBeGreaterThan(lease.token);
});

test('a lease whose time is over by the clock of the leader is given to another one', async () => {
  const path = newPath();
  const zk = await world.connect();
  const lease = await given({ path, ttlMs: 100 });
  let next: Lease | undefined;
  await expect
    .poll(async () => {
      next = await tryLease(zk, path, { ttlMs: HOUR, id: 'b' });
      return next !== undefined;
    }, PATIENCE)
    .toBe(true);
  // Who had it has known for a tenth of its time.
  await expect(lease.renew()).rejects.toMatchObject({
    code: 'LOCK_LOST',
    cause: { code: 'TIMEOUT' },
  });
  expect(lease.signal.reason).toMatchObject({ code: 'LOCK_LOST' });
  expect(next?.token).toBeGreaterThan(lease.token);
});

test('a lease that its holder does not ask about is over by a timer', async () => {
  const lease = await given({ path: newPath(), ttlMs: 100 });
  await expect.poll(() => lease.signal.aborted, PATIENCE).toBe(true);
  expect(lease.remainingMs).toBe(0);
});

test('a lease that is renewed is held from the renewal on, and over without a turn of its timer', async () => {
  const path = newPath();
  let now = 0;
  const environment = { ...world.other.environment, now: () => now };
  const zk: Client = Object.create(world.other, { environment: { value: environment } });
  const lease = (await tryLease(zk, path, { ttlMs: 10_000, id: 'a' })) as Lease;
  expect(lease.remainingMs).toBe(9000);
  now = 5000;
  expect(lease.remainingMs).toBe(4000);
  await lease.renew();
  expect(lease.remainingMs).toBe(9000);
  expect((await world.other.exists(lease.path))?.version).toBe(1);
  await lease.guard([]);
  now = 14_000;
  await expect(lease.guard([])).rejects.toMatchObject({
    code: 'LOCK_LOST',
    outcome: 'not-sent',
    cause: { code: 'TIMEOUT' },
  });
  expect(lease.signal.aborted).toBe(true);
});

test('writes under a lease are refused once another one was granted it, with the same id too', async () => {
  const path = newPath();
  const register = `${path}-register`;
  await world.other.create(register);
  const lease = await given({ path });
  await lease.guard([{ op: 'set', path: register, data: 'first' }]);
  const again = await given({ path });
  await expect(lease.guard([{ op: 'set', path: register, data: 'late' }])).rejects.toMatchObject({
    code: 'LOCK_LOST',
    outcome: 'failed',
  });
  expect(lease.signal.aborted).toBe(true);
  await expect(lease.renew()).rejects.toMatchObject({ code: 'LOCK_LOST' });
  await again.guard([{ op: 'set', path: register, data: 'second' }]);
  expect((await world.other.get(register)).data.toString()).toBe('second');
});

test('a renewal finds that another one was granted it', async () => {
  const path = newPath();
  const lease = await given({ path });
  await given({ path });
  await expect(lease.renew()).rejects.toMatchObject({ code: 'LOCK_LOST', outcome: 'failed' });
  expect(lease.signal.reason).toMatchObject({ cause: { code: 'BAD_VERSION' } });
});

test('a renewal whose caller has gone is made all the same, and guards go on', async () => {
  const path = newPath();
  const zk = await world.connectThrough();
  const lease = (await tryLease(zk, path, { ttlMs: HOUR, id: 'a' })) as Lease;
  const controller = new AbortController();
  world.proxy.onReply = ({ request }) => {
    if (request.name !== 'setData' || controller.signal.aborted) return 'forward';
    controller.abort();
    return 'lose';
  };
  await expect(lease.renew({ signal: controller.signal })).rejects.toMatchObject({
    code: 'ABORTED',
  });
  await lease.guard([]);
  expect((await world.other.exists(lease.path))?.version).toBeGreaterThan(0);
  await lease.release();
  expect((await world.other.get(lease.path)).data).toHaveLength(0);
});

test('as many have a lease as there are permits, each its own', async () => {
  const path = newPath();
  const permits = 2;
  const [a, b] = [await given({ path, permits }), await given({ path, permits, id: 'b' })];
  expect(a.path).not.toBe(b.path);
  expect(await tryLease(world.other, path, { ttlMs: HOUR, id: 'c', permits })).toBeUndefined();
  const again = await given({ path, permits });
  expect(again.path).toBe(a.path);
  await b.release();
  const c = await given({ path, permits, id: 'c' });
  expect(c.path).toBe(b.path);
});

test('of many that try at once one gets the lease', async () => {
  const path = newPath();
  const clients = await Promise.all([world.connect(), world.connect(), world.connect()]);
  const tries = Array.from({ length: 12 }, (_, i) =>
    tryLease(clients[i % 3] ?? world.other, path, { ttlMs: HOUR, id: `id ${i}` }),
  );
  const got = (await Promise.all(tries)).filter((lease) => lease !== undefined);
  expect(got).toHaveLength(1);
});

test('a caller that gives up gets ABORTED', async () => {
  const path = newPath();
  await expect(given({ path, signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'ABORTED',
  });
});

test('options that cannot be are refused, and bytes that are no lease', async () => {
  const path = newPath();
  await expect(given({ path, ttlMs: 99 })).rejects.toThrow(
    'ttlMs must be 100 to 2147483647, not 99',
  );
  await expect(given({ path, id: '' })).rejects.toThrow('id must be a string that is not empty');
  await expect(given({ path, permits: 0 })).rejects.toThrow('permits must be a positive integer');
  await expect(given({ path, ...{ ttl: 5 } })).rejects.toThrow('tryLease() knows no option ttl');
  await world.other.create(`${path}/0`, 'x', { parents: 'persistent' });
  await expect(given({ path })).rejects.toThrow(`${path}/0 holds no lease: "x"`);
});

test.each(FAULTS)(
  'a lease with each request %s: one holder, and writes in the order of the tokens',
  async (kind) => {
    const hurt = await everyFault(world, kind, async ({ zk, path }) => {
      const register = `${path}-register`;
      await world.other.create(register);
      const first = await given({ path, id: 'other' });
      expect(await tryLease(zk, path, { ttlMs: HOUR, id: 'hurt' })).toBeUndefined();
      await first.release();
      const lease = (await tryLease(zk, path, { ttlMs: HOUR, id: 'hurt' })) as Lease;
      expect(await tryLease(world.other, path, { ttlMs: HOUR, id: 'other' })).toBeUndefined();
      await lease.renew();
      try {
        await lease.guard([{ op: 'set', path: register, data: 'hurt' }]);
      } catch (error) {
        if (!ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error;
      }
      expect(lease.signal.aborted).toBe(false);
      await lease.release();
      const next = await given({ path, id: 'other' });
      expect(next.token).toBeGreaterThan(lease.token);
    });
    expect(hurt).toBeGreaterThanOrEqual(8);
  },
);
