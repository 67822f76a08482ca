import { type Client, connect, ZkError } from '@zebu/client';
import { expireSession } from '@zebu/fault-kit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { group, HeldByOtherError, hold, type Presence } from '../src/presence.ts';
import { json } from '../src/typed.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE as WAIT } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

const direct = (): Promise<Client> => world.direct();

async function dataOf(path: string): Promise<string | undefined> {
  try {
    return (await world.other.get(path)).data.toString();
  } catch (error) {
    if (ZkError.is(error, 'NO_NODE')) return undefined;
    throw error;
  }
}

const ownerOf = async (path: string): Promise<bigint | undefined> =>
  (await world.other.exists(path))?.ephemeralOwner;

async function untilLive(presence: Presence): Promise<void> {
  for await (const { live } of presence.states()) if (live) return;
}

test('a presence is an ephemeral znode until it is disposed', async () => {
  const zk = await direct();
  const presence = await hold(zk, '/here/me', 'a');
  expect(presence.live).toBe(true);
  expect(await ownerOf('/here/me')).toBe(zk.session.id);
  await presence.update('b');
  expect(await dataOf('/here/me')).toBe('b');
  await presence[Symbol.asyncDispose]();
  expect(presence.live).toBe(false);
  expect(await dataOf('/here/me')).toBeUndefined();
  expect(await world.world.watchCount()).toBe(0);
  await expect(presence.update('c')).rejects.toMatchObject({ code: 'CLOSED' });
  await world.other.delete('/here');
});

test('it is created again, with the newest data, in the next session and when somebody deletes it', async () => {
  const zk = await direct();
  await using presence = await hold(zk, '/kept', 'a');
  await presence.update('b');
  const first = zk.session;
  await expireSession(world.server, first);
  await expect.poll(() => zk.session.id !== first.id, WAIT).toBe(true);
  await expect.poll(() => ownerOf('/kept'), WAIT).toBe(zk.session.id);
  expect(await dataOf('/kept')).toBe('b');
  await untilLive(presence);
  await world.other.delete('/kept');
  await expect.poll(() => dataOf('/kept'), WAIT).toBe('b');
});

test('a path that another session holds is a conflict, or is waited for', async () => {
  const holder = await direct();
  const zk = await direct();
  const first = await hold(holder, '/taken', 'first');
  const refused = hold(zk, '/taken', 'second');
  await expect(refused).rejects.toThrow(new HeldByOtherError('/taken', holder.session.id));
  await expect(refused).rejects.toMatchObject({ owner: holder.session.id, path: '/taken' });
  const waiting = hold(zk, '/taken', 'second', { onConflict: 'wait' });
  await expect.poll(() => world.world.watchCount(), WAIT).toBe(2);
  expect(await dataOf('/taken')).toBe('first');
  await first[Symbol.asyncDispose]();
  const second = await waiting;
  expect(await dataOf('/taken')).toBe('second');
  await second[Symbol.asyncDispose]();
  await world.nothingLeft();
});

test('two that hold one path in one session are in conflict, and neither deletes the other', async () => {
  const zk = await direct();
  await using _ = await hold(zk, '/twice', 'first');
  await expect(hold(zk, '/twice', 'second')).rejects.toThrow(HeldByOtherError);
  expect(await dataOf('/twice')).toBe('first');
});

test('a znode that is not ephemeral is a conflict', async () => {
  const zk = await direct();
  await world.other.create('/plain', 'x');
  await expect(hold(zk, '/plain', 'a')).rejects.toThrow(
    '/plain is held by a znode that is not ephemeral',
  );
  await world.other.delete('/plain');
});

test('who takes the path between two sessions is told of as a conflict, and keeps it', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  await using presence = await hold(zk, '/lost', 'mine');
  proxy.down();
  await expireSession(world.server, zk.session);
  await world.other.create('/lost', 'theirs', { mode: 'ephemeral' });
  proxy.up();
  for await (const { error } of presence.states()) {
    if (error === undefined) continue;
    expect(error).toBeInstanceOf(HeldByOtherError);
    break;
  }
  expect(presence.live).toBe(false);
  await expect(presence.update('mine still')).rejects.toThrow(HeldByOtherError);
  expect(await dataOf('/lost')).toBe('theirs');
  await world.other.delete('/lost');
  await expect.poll(() => dataOf('/lost'), WAIT).toBe('mine still');
});

test('the znode of a session of ours that the server still keeps is replaced in one txn', async () => {
  // The client is sure that its session is over after 4/3 of the timeout, the server when it next looks: here never,
  // because the session is kept alive by a second connection.
  const { proxy } = world;
  await using zk = await connect({
    servers: proxy.connectString + world.root,
    sessionTimeoutMs: 4000,
  });
  await using presence = await hold(zk, '/replaced', 'a');
  const old = zk.session;
  await using keeper = await connect({
    servers: `${world.server.host}:${world.server.port}${world.root}`,
    sessionTimeoutMs: 60_000,
    resume: old,
  });
  proxy.down();
  await expect.poll(() => old.signal.aborted, WAIT).toBe(true);
  expect(await ownerOf('/replaced')).toBe(old.id);
  const events: string[] = [];
  await using watch = await world.other.watch('/replaced');
  const hearing = (async () => {
    for await (const item of watch) {
      if (item.type === 'resync') continue;
      events.push(`${item.type} ${item.zxid}`);
      if (item.type === 'created') return;
    }
  })();
  proxy.up();
  await untilLive(presence);
  expect(await ownerOf('/replaced')).toBe(zk.session.id);
  expect(keeper.session.signal.aborted).toBe(false);
  await hearing;
  const czxid = (await world.other.exists('/replaced'))?.czxid;
  expect(events).toEqual([`deleted ${czxid}`, `created ${czxid}`]);
});

test('a dispose that races a reconnect leaves nothing', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  const presence = await hold(zk, '/racing', 'a');
  proxy.down();
  await expireSession(world.server, zk.session);
  proxy.up();
  await expect.poll(() => zk.session.generation, WAIT).toBe(2);
  // The create of the new session is on its way, or about to be.
  await presence[Symbol.asyncDispose]();
  await zk.sync('/');
  expect(await dataOf('/racing')).toBeUndefined();
});

test('a hold that is given up without a connection leaves nothing', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  proxy.down();
  await expect.poll(() => zk.state.status, WAIT).toBe('suspended');
  const stopping = new AbortController();
  const holding = hold(zk, '/given-up', 'a', { signal: stopping.signal });
  stopping.abort(new Error('enough'));
  await expect(holding).rejects.toMatchObject({ code: 'ABORTED' });
  proxy.up();
  await expect.poll(() => zk.state.status, WAIT).toBe('connected');
  await zk.sync('/');
  await world.nothingLeft();
  expect(await dataOf('/given-up')).toBeUndefined();
});

test('the end of the client ends the presence', async () => {
  const zk = await direct();
  const presence = await hold(zk, '/ending', 'a');
  const states = (async () => {
    for await (const _ of presence.states()) {
    }
  })();
  await zk.close();
  await states;
  await presence[Symbol.asyncDispose]();
  expect(await dataOf('/ending')).toBeUndefined();
});

test.each(KINDS)(
  'a presence through a fault is there once, and gone when disposed: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
      const presence = await hold(zk, `${path}/me`, 'a');
      await presence.update('b');
      await expect
        .poll(async () => (await other.get(`${path}/me`)).data.toString(), WAIT)
        .toBe('b');
      await presence[Symbol.asyncDispose]();
    });
    expect(hurt).toBeGreaterThanOrEqual(6);
  },
);

test.each(KINDS)('aborting a hold at every request, hurt by %s, leaves nothing', async (kind) => {
  await world.everyFault(kind, async ({ zk, path }) => {
    const stopping = new AbortController();
    const holding = hold(zk, `${path}/me`, 'a', { signal: stopping.signal });
    await Promise.resolve();
    stopping.abort();
    await expect(holding).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

test('a TTL presence is there for its time after its process is gone, and is adopted by the next', async () => {
  const zk = await direct();
  const presence = await hold(zk, '/ttl/me', 'a', { ttlMs: 60_000 });
  expect(presence.live).toBe(true);
  expect(await world.other.children('/ttl/me')).toMatchObject({ names: ['touch'] });
  await presence.update('b');
  expect(await dataOf('/ttl/me')).toBe('b');
  const next = await direct();
  await using again = await hold(next, '/ttl/me', 'c', { ttlMs: 60_000 });
  expect(await dataOf('/ttl/me')).toBe('c');
  expect(await ownerOf('/ttl/me')).toBe(0n);
  await again[Symbol.asyncDispose]();
  expect(await dataOf('/ttl/me')).toBeUndefined();
  await presence[Symbol.asyncDispose]();
  expect(presence.live).toBe(false);
  await expect(presence.update('d')).rejects.toThrow();
});

test('a TTL presence is touched before its time is over, and made again if it was deleted', async () => {
  const zk = await direct();
  await using presence = await hold(zk, '/touched', 'a', { ttlMs: 300 });
  const version = async (): Promise<number> =>
    (await world.other.exists('/touched/touch'))?.version ?? -1;
  await expect.poll(version, WAIT).toBeGreaterThan(2);
  expect((await world.other.exists('/touched'))?.version).toBe(0);
  await world.other.delete('/touched', { recursive: true });
  await expect.poll(() => dataOf('/touched'), WAIT).toBe('a');
  expect(presence.path).toBe('/touched');
});

test.each(KINDS)('a TTL presence through a fault: %s at every request', async (kind) => {
  const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
    const presence = await hold(zk, `${path}/me`, 'a', { ttlMs: 60_000 });
    await presence.update('b');
    expect((await other.get(`${path}/me`)).data.toString()).toBe('b');
    await presence[Symbol.asyncDispose]();
  });
  expect(hurt).toBeGreaterThanOrEqual(8);
});

test('a group is who has joined, with their values', async () => {
  const zk = await direct();
  const workers = group(zk, '/group', json<{ load: number }>());
  const stopping = new AbortController();
  const seen: Record<string, { load: number }>[] = [];
  const watching = (async () => {
    for await (const members of workers.members({ signal: stopping.signal })) {
      seen.push(Object.fromEntries(members));
    }
  })();
  await expect.poll(() => seen, WAIT).toEqual([{}]);
  const a = await workers.join('a', { load: 1 });
  await using b = await workers.join('b', { load: 2 });
  await expect.poll(() => seen.at(-1), WAIT).toEqual({ a: { load: 1 }, b: { load: 2 } });
  await b.update({ load: 3 });
  await expect.poll(() => seen.at(-1), WAIT).toEqual({ a: { load: 1 }, b: { load: 3 } });
  await expect(workers.join('a', { load: 9 })).rejects.toThrow(HeldByOtherError);
  await world.other.create('/group/odd', 'no json');
  await a[Symbol.asyncDispose]();
  await expect.poll(() => seen.at(-1), WAIT).toEqual({ b: { load: 3 } });
  stopping.abort();
  await watching;
  await b[Symbol.asyncDispose]();
  await expect.poll(() => world.world.watchCount(), WAIT).toBe(0);
  await world.other.delete('/group', { recursive: true });
});

test.each(KINDS)('a group through a fault: %s at every request', async (kind) => {
  const hurt = await world.everyFault(
    kind,
    async ({ zk, path }) => {
      const workers = group(zk, `${path}/g`, json<number>());
      const stopping = new AbortController();
      let seen: Record<string, number> | undefined;
      const watching = (async () => {
        for await (const members of workers.members({ signal: stopping.signal })) {
          seen = Object.fromEntries(members);
        }
      })();
      const me = await workers.join('me', 1);
      await expect.poll(() => seen, WAIT).toEqual({ me: 1 });
      await me[Symbol.asyncDispose]();
      await expect.poll(() => seen, WAIT).toEqual({});
      stopping.abort();
      await watching;
    },
    ['g'],
  );
  expect(hurt).toBeGreaterThanOrEqual(8);
});
