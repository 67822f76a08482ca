import { type Client, ZkError } from '@zebu/client';
import { expireSession } from '@zebu/fault-kit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { HeldByOtherError } from '../src/presence.ts';
import { curatorJson, type Instance, registry } from '../src/registry.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

const instance = (id: string, port = 80): Instance => ({ id, host: '10.0.0.1', port });

/** The newest list of a watch, until it is stopped. */
function following(zk: Client, base: string, service: string) {
  const stopping = new AbortController();
  const state: { last: readonly Instance[] | undefined } = { last: undefined };
  const watching = (async () => {
    const lists = registry(zk, base).watch(service, { signal: stopping.signal });
    for await (const list of lists) state.last = list;
  })();
  return {
    ids: () => state.last?.map(({ id }) => id),
    ports: () => state.last?.map(({ port }) => port),
    stop: async () => {
      stopping.abort();
      await watching;
    },
  };
}

test('an instance is written in the JSON of Curator, and read from it', () => {
  const codec = curatorJson('api', () => 1_700_000_000_000);
  const full = { ...instance('a'), tls: true, meta: { zone: 'eu' }, enabled: false };
  expect(JSON.parse(Buffer.from(codec.encode(full)).toString())).toEqual({
    name: 'api',
    id: 'a',
    address: '10.0.0.1',
    port: null,
    sslPort: 80,
    payload: { zone: 'eu' },
    registrationTimeUTC: 1_700_000_000_000,
    serviceType: 'DYNAMIC',
    uriSpec: null,
    enabled: false,
  });
  expect(codec.decode(codec.encode(full))).toEqual(full);
  expect(codec.decode(codec.encode(instance('b')))).toEqual(instance('b'));
  expect(() => codec.decode(Buffer.from('{"id":"a"}'))).toThrow('needs an id and an address');
  expect(() => codec.decode(Buffer.from('{"id":"a","address":"h"}'))).toThrow('a has no port');
});

test('who registers is found, updated and gone, and what is no instance is left out', async () => {
  const zk = await world.direct();
  const services = registry(zk, '/services');
  const list = following(zk, '/services', 'api');
  await expect.poll(list.ids, PATIENCE).toEqual([]);
  const b = await services.register('api', instance('b'));
  await using a = await services.register('api', instance('a'));
  await world.other.create('/services/api/odd', 'no json');
  await expect.poll(list.ids, PATIENCE).toEqual(['a', 'b']);
  await a.update({ host: '10.0.0.2', port: 81 });
  await expect.poll(list.ports, PATIENCE).toEqual([81, 80]);
  expect(a.instance).toEqual({ id: 'a', host: '10.0.0.2', port: 81 });
  expect(await services.services()).toEqual(['api']);
  await expect(services.register('api', instance('a'))).rejects.toThrow(HeldByOtherError);
  await b[Symbol.asyncDispose]();
  await expect.poll(list.ids, PATIENCE).toEqual(['a']);
  await list.stop();
  await a[Symbol.asyncDispose]();
  await world.other.delete('/services', { recursive: true });
  await world.nothingLeft();
});

test('after the end of a session the newest data is registered again', async () => {
  const zk = await world.direct();
  await using me = await registry(zk, '/again').register('api', instance('a', 1));
  await me.update({ host: '10.0.0.1', port: 2 });
  await expireSession(world.server, zk.session);
  await expect.poll(() => zk.session.generation, PATIENCE).toBe(2);
  const registered = async (): Promise<unknown> => {
    try {
      const { data, stat } = await world.other.get('/again/api/a');
      return [JSON.parse(data.toString()).port, stat.ephemeralOwner];
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return undefined;
      throw error;
    }
  };
  await expect.poll(registered, PATIENCE).toEqual([2, zk.session.id]);
  await me[Symbol.asyncDispose]();
  await world.other.delete('/again', { recursive: true });
});

test('an unregistration that races a reconnect leaves nothing', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  const me = await registry(zk, '/race').register('api', instance('a'));
  proxy.down();
  await expireSession(world.server, zk.session);
  const leaving = me[Symbol.asyncDispose]();
  proxy.up();
  await leaving;
  await expect.poll(() => zk.session.generation, PATIENCE).toBe(2);
  await zk.sync('/');
  expect(await world.other.exists('/race/api/a')).toBeUndefined();
  await world.other.delete('/race', { recursive: true });
});

test('a watcher of 1,000 instances that come and go ends up with those that are there', async () => {
  const zk = await world.direct();
  await world.other.create('/many/api', undefined, { parents: 'persistent' });
  const list = following(zk, '/many', 'api');
  const codec = curatorJson('api');
  const path = (i: number): string => `/many/api/i${String(i).padStart(4, '0')}`;
  const data = (i: number): Uint8Array => codec.encode(instance(`i${String(i).padStart(4, '0')}`));
  const { other } = world;
  await Promise.all(Array.from({ length: 1000 }, (_, i) => other.create(path(i), data(i))));
  const flapping = [];
  for (let i = 0; i < 1000; i++) {
    flapping.push(other.delete(path(i)));
    if (i % 3 !== 0) flapping.push(other.create(path(i), data(i)));
  }
  await Promise.all(flapping);
  const there = Array.from({ length: 1000 }, (_, i) => i)
    .filter((i) => i % 3 !== 0)
    .map((i) => `i${String(i).padStart(4, '0')}`);
  await expect.poll(list.ids, PATIENCE).toEqual(there);
  await list.stop();
  await other.delete('/many', { recursive: true });
});

test('a resolver picks in turn, sticks to one, and leaves out what is down or disabled', async () => {
  const zk = await world.direct();
  const services = registry(zk, '/pick');
  await using turns = await services.resolver('api', { strategy: 'round-robin' });
  expect(turns.pick()).toBeUndefined();
  const a = await services.register('api', instance('a'));
  const b = await services.register('api', instance('b'));
  const c = await services.register('api', instance('c'));
  await using off = await services.register('api', { ...instance('off'), enabled: false });
  await expect.poll(() => turns.instances.length, PATIENCE).toBe(3);
  const ids = (n: number): (string | undefined)[] =>
    Array.from({ length: n }, () => turns.pick()?.id);
  expect(ids(4)).toEqual(['a', 'b', 'c', 'a']);
  turns.reportDown(instance('b'));
  expect(ids(3)).toEqual(['c', 'a', 'c']);
  for (const id of ['a', 'c']) turns.reportDown(instance(id));
  // With all of them down, one of them is better than none.
  expect(ids(2)).toEqual(['a', 'b']);

  await using sticky = await services.resolver('api', { strategy: 'sticky', downMs: 60_000 });
  const first = sticky.pick() as Instance;
  expect(Array.from({ length: 10 }, () => sticky.pick()?.id)).toEqual(Array(10).fill(first.id));
  sticky.reportDown(first);
  const second = sticky.pick() as Instance;
  expect(second.id).not.toBe(first.id);
  expect(sticky.pick()?.id).toBe(second.id);

  await using brief = await services.resolver('api', { strategy: 'round-robin', downMs: 0 });
  brief.reportDown(instance('a'));
  expect(brief.pick()?.id).toBe('a');

  await using random = await services.resolver('api');
  const picked = new Set(Array.from({ length: 200 }, () => random.pick()?.id));
  expect([...picked].sort()).toEqual(['a', 'b', 'c']);
  await expect(services.resolver('api', { strategy: 'best' as 'random' })).rejects.toThrow(
    'No strategy "best"',
  );

  for (const one of [a, b, c, off]) await one[Symbol.asyncDispose]();
  await expect.poll(() => turns.instances.length, PATIENCE).toBe(0);
  for (const one of [turns, sticky, brief, random]) await one[Symbol.asyncDispose]();
  await world.other.delete('/pick', { recursive: true });
  await world.nothingLeft();
});

test.each(KINDS)(
  'a registration and a resolver through a fault: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(
      kind,
      async ({ zk, other, path }) => {
        const services = registry(zk, path);
        const resolver = await services.resolver('api');
        const me = await services.register('api', instance('me'));
        await expect.poll(() => resolver.pick()?.id, PATIENCE).toBe('me');
        const { names } = await other.children(`${path}/api`);
        expect(names.length).toBeLessThanOrEqual(1);
        await me[Symbol.asyncDispose]();
        await expect.poll(() => resolver.pick(), PATIENCE).toBeUndefined();
        await resolver[Symbol.asyncDispose]();
      },
      ['api'],
    );
    expect(hurt).toBeGreaterThanOrEqual(8);
  },
);
