import type { Client } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  CacheFullError,
  type CacheItem,
  type TreeCache,
  treeCache,
  watchChildren,
} from '../src/cache.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE as WAIT } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

/** What a reader of the changes has been told, as text, in order. */
function told(cache: TreeCache): { items: string[]; stop: () => Promise<void> } {
  const stopping = new AbortController();
  const items: string[] = [];
  const reading = (async () => {
    for await (const item of cache.changes({ signal: stopping.signal })) items.push(textOf(item));
  })();
  return {
    items,
    stop: async () => {
      stopping.abort();
      await reading;
    },
  };
}

function textOf(item: CacheItem): string {
  return 'path' in item ? `${item.type} ${item.path} ${item.znode.data}` : item.type;
}

/** All that the server has, by path. */
async function tree(
  zk: Client,
  path: string,
  into = new Map<string, string>(),
): Promise<Map<string, string>> {
  const { data } = await zk.get(path);
  into.set(path, data.toString());
  const { names } = await zk.children(path);
  for (const name of names) await tree(zk, `${path}/${name}`, into);
  return into;
}

function cached(
  cache: TreeCache,
  path: string,
  into = new Map<string, string>(),
): Map<string, string> {
  const znode = cache.get(path);
  if (znode === undefined) return into;
  into.set(path, znode.data.toString());
  for (const name of cache.children(path) ?? []) cached(cache, `${path}/${name}`, into);
  return into;
}

test('a cache tells what is there, says ready, and then what changes', async () => {
  const { other: zk } = world;
  await zk.create('/app/a', '1', { parents: 'persistent' });
  await zk.create('/app/a/b', '2');
  const cache = await treeCache(zk, '/app');
  expect(cache.size).toBe(3);
  expect(cache.get('/app/a/b')?.data.toString()).toBe('2');
  expect(cache.children('/app/a')).toEqual(['b']);
  expect(cache.children('/app/x')).toBeUndefined();
  const reader = told(cache);
  await expect.poll(() => reader.items.at(-1), WAIT).toBe('ready');
  expect(reader.items.splice(0)).toEqual([
    'added /app ',
    'added /app/a 1',
    'added /app/a/b 2',
    'ready',
  ]);

  await zk.set('/app/a', '3');
  await expect.poll(() => reader.items, WAIT).toEqual(['changed /app/a 3']);
  await zk.create('/app/c', '4');
  await expect.poll(() => reader.items.at(-1), WAIT).toBe('added /app/c 4');
  await zk.delete('/app/a', { recursive: true });
  await expect.poll(() => reader.items.length, WAIT).toBe(4);
  expect(reader.items.slice(2).sort()).toEqual(['removed /app/a 3', 'removed /app/a/b 2']);
  expect(cache.children('/app')).toEqual(['c']);
  await reader.stop();
  await cache[Symbol.asyncDispose]();
  expect(cache.stale).toBe(true);
  await expect.poll(() => world.world.watchCount(), WAIT).toBe(0);
  await zk.delete('/app', { recursive: true });
});

test('a missing root is an empty cache, which fills when it is created', async () => {
  const { other: zk } = world;
  await using cache = await treeCache(zk, '/later');
  expect(cache.size).toBe(0);
  expect(cache.get('/later')).toBeUndefined();
  const reader = told(cache);
  await zk.create('/later/a', 'x', { parents: 'persistent' });
  await expect
    .poll(() => reader.items.filter((item) => item !== 'ready').sort(), WAIT)
    .toEqual(['added /later ', 'added /later/a x']);
  await reader.stop();
  await zk.delete('/later', { recursive: true });
});

test('all of the tree can be cached, from its root', async () => {
  const { other: zk } = world;
  await using cache = await treeCache(zk, '/', { depth: 1 });
  await zk.create('/top', 'x');
  await expect.poll(() => cache.get('/top')?.data.toString(), WAIT).toBe('x');
  expect(cache.children('/')).toContain('top');
  await zk.delete('/top');
  await expect.poll(() => cache.get('/top'), WAIT).toBeUndefined();
});

test('depth, filter and data leave out what is not wanted', async () => {
  const { other: zk } = world;
  await zk.create('/some/a/b', 'deep', { parents: 'persistent' });
  await zk.create('/some/skip/b', 'x', { parents: 'persistent' });
  await using shallow = await treeCache(zk, '/some', { depth: 1 });
  await using filtered = await treeCache(zk, '/some', {
    filter: (path) => path !== '/some/skip',
    data: false,
  });
  await zk.create('/some/a/c', '1');
  await zk.create('/some/skip/c', '1');
  await zk.create('/some/last', '1');
  await expect.poll(() => shallow.get('/some/last')?.data.toString(), WAIT).toBe('1');
  await expect.poll(() => filtered.get('/some/last')?.stat.dataLength, WAIT).toBe(1);
  expect([...cached(shallow, '/some').keys()].sort()).toEqual([
    '/some',
    '/some/a',
    '/some/last',
    '/some/skip',
  ]);
  expect([...cached(filtered, '/some').entries()].sort()).toEqual([
    ['/some', ''],
    ['/some/a', ''],
    ['/some/a/b', ''],
    ['/some/a/c', ''],
    ['/some/last', ''],
  ]);
  await zk.delete('/some', { recursive: true });
});

test('more znodes than it may hold end a cache with an error that has the number', async () => {
  const { other: zk } = world;
  await zk.create('/big');
  for (let i = 0; i < 4; i++) await zk.create(`/big/${i}`);
  await expect(treeCache(zk, '/big', { maxZnodes: 4 })).rejects.toThrow(
    new CacheFullError('/big', 4),
  );
  const cache = await treeCache(zk, '/big', { maxZnodes: 5 });
  const reading = (async () => {
    for await (const _ of cache.changes()) {
    }
  })();
  await zk.create('/big/more');
  await expect(reading).rejects.toThrow('More than 5 znodes at and below /big');
  await cache[Symbol.asyncDispose]();
  await expect.poll(() => world.world.watchCount(), WAIT).toBe(0);
  await zk.delete('/big', { recursive: true });
});

test('a znode that was deleted and created again while nobody could hear is told of as both', async () => {
  const { other: zk } = world;
  const { proxy } = world;
  const reader = await world.connect();
  await zk.create('/again/a', 'x', { parents: 'persistent' });
  await zk.create('/again/gone', 'x');
  await using cache = await treeCache(reader, '/again');
  const { items, stop } = told(cache);
  await expect.poll(() => items.at(-1), WAIT).toBe('ready');
  items.length = 0;
  proxy.down();
  await expect.poll(() => items, WAIT).toEqual(['stale']);
  expect(cache.stale).toBe(true);
  await zk.delete('/again/a');
  await zk.create('/again/a', 'x');
  await zk.delete('/again/gone');
  await zk.create('/again/new', 'y');
  proxy.up();
  await expect.poll(() => items.at(-1), WAIT).toBe('ready');
  expect(items.slice(0, -1).sort()).toEqual([
    'added /again/a x',
    'added /again/new y',
    'removed /again/a x',
    'removed /again/gone x',
    'stale',
  ]);
  expect(cache.stale).toBe(false);
  await stop();
  await zk.delete('/again', { recursive: true });
});

test('a slow reader is told of the newest only, and all readers end up with what the server has', async () => {
  const { other: zk } = world;
  await zk.create('/busy');
  await using cache = await treeCache(zk, '/busy');
  const slow = cache.changes()[Symbol.asyncIterator]();
  expect((await slow.next()).value).toMatchObject({ type: 'added', path: '/busy' });
  expect((await slow.next()).value).toEqual({ type: 'ready' });
  await zk.create('/busy/a', '0');
  const writing = [];
  for (let i = 1; i <= 500; i++) {
    writing.push(zk.set('/busy/a', String(i)), zk.create(`/busy/n${i}`), zk.delete(`/busy/n${i}`));
  }
  await Promise.all(writing);
  await expect.poll(() => cache.get('/busy/a')?.data.toString(), WAIT).toBe('500');
  await expect.poll(() => cache.children('/busy'), WAIT).toEqual(['a']);
  const rest: string[] = [];
  while (rest.at(-1) !== 'added /busy/a 500')
    rest.push(textOf((await slow.next()).value as CacheItem));
  // Of 1,500 changes.
  expect(rest.length).toBeLessThan(3);
  await slow.return?.();
  await zk.delete('/busy', { recursive: true });
});

test('a thousand creates of one multi come in', async () => {
  const { other: zk } = world;
  await zk.create('/many');
  await using cache = await treeCache(zk, '/many');
  await zk.multi(
    Array.from({ length: 1000 }, (_, i) => ({
      op: 'create' as const,
      path: `/many/${i}`,
      data: String(i),
    })),
  );
  await expect.poll(() => cache.size, WAIT).toBe(1001);
  expect(cached(cache, '/many')).toEqual(await tree(zk, '/many'));
  await zk.delete('/many', { recursive: true });
});

test('znodes that may not be read are left out', async () => {
  const { other: zk } = world;
  const reader = await world.connect();
  await zk.create('/mixed/open', 'x', { parents: 'persistent' });
  await zk.addAuth('digest', 'me:pw');
  await zk.create('/mixed/secret', 'x', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  await using cache = await treeCache(reader, '/mixed');
  expect([...cached(cache, '/mixed').keys()].sort()).toEqual(['/mixed', '/mixed/open']);
  await zk.delete('/mixed', { recursive: true });
});

test.each(KINDS)(
  'a cache through a fault ends up with what the server has: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
      await other.create(`${path}/a/b`, '1', { parents: 'persistent' });
      const cache = await treeCache(zk, path);
      const { items, stop } = told(cache);
      await other.set(`${path}/a`, '2');
      await other.create(`${path}/c`, '3');
      await expect.poll(() => cache.get(`${path}/c`)?.data.toString(), WAIT).toBe('3');
      await other.delete(`${path}/a/b`);
      await other.delete(`${path}/a`);
      await other.delete(`${path}/c`);
      await expect.poll(() => cache.size, WAIT).toBe(1);
      await expect
        .poll(() => items.at(-1)?.startsWith('removed') === true || items.at(-1) === 'ready', WAIT)
        .toBe(true);
      await stop();
      // Added and removed in turn, each path by itself.
      for (const name of ['a', 'a/b', 'c']) {
        const kinds = items
          .filter((item) => item.split(' ')[1] === `${path}/${name}`)
          .map((item) => item.split(' ')[0]);
        expect(kinds.filter((one) => one !== 'changed').join(' ')).toMatch(/^(added removed ?)*$/);
      }
      await cache[Symbol.asyncDispose]();
    });
    expect(hurt).toBeGreaterThanOrEqual(8);
  },
);

test('children are watched through delete and create of their parent', async () => {
  const { other: zk } = world;
  const stopping = new AbortController();
  const seen: string[][] = [];
  const watching = (async () => {
    for await (const { names } of watchChildren(zk, '/parent', { signal: stopping.signal })) {
      seen.push([...names]);
    }
  })();
  await expect.poll(() => seen.at(-1), WAIT).toEqual([]);
  await zk.create('/parent/b', undefined, { parents: 'persistent' });
  await expect.poll(() => seen.at(-1), WAIT).toEqual(['b']);
  await zk.create('/parent/a');
  await expect.poll(() => seen.at(-1), WAIT).toEqual(['a', 'b']);
  await zk.delete('/parent', { recursive: true });
  await expect.poll(() => seen.at(-1), WAIT).toEqual([]);
  await zk.create('/parent/c', undefined, { parents: 'persistent' });
  await expect.poll(() => seen.at(-1), WAIT).toEqual(['c']);
  const before = seen.length;
  // Data is none of its business.
  await zk.set('/parent', 'x');
  await zk.create('/parent/d');
  await expect.poll(() => seen.at(-1), WAIT).toEqual(['c', 'd']);
  expect(seen.length).toBe(before + 1);
  stopping.abort();
  await watching;
  await expect.poll(() => world.world.watchCount(), WAIT).toBe(0);
  await zk.delete('/parent', { recursive: true });
});

test('children that have settled are told of once', async () => {
  const { other: zk } = world;
  await zk.create('/settling');
  const seen: number[] = [];
  // As long as the time does not pass, all is one change.
  for await (const { names } of watchChildren(zk, '/settling', { settleMs: 50 })) {
    seen.push(names.length);
    if (names.length === 20) break;
    await Promise.all(Array.from({ length: 20 }, (_, i) => zk.create(`/settling/${i}`)));
  }
  expect(seen[0]).toBe(0);
  expect(seen.at(-1)).toBe(20);
  await zk.delete('/settling', { recursive: true });
});

test.each(KINDS)('children through a fault: %s at every request', async (kind) => {
  const hurt = await world.everyFault(kind, async ({ zk, other, path }) => {
    let seen: readonly string[] | undefined;
    const stopping = new AbortController();
    const watching = (async () => {
      for await (const { names } of watchChildren(zk, `${path}/p`, { signal: stopping.signal })) {
        seen = names;
      }
    })();
    await other.create(`${path}/p/a`, undefined, { parents: 'persistent' });
    await expect.poll(() => seen, WAIT).toEqual(['a']);
    await other.delete(`${path}/p`, { recursive: true });
    await expect.poll(() => seen, WAIT).toEqual([]);
    stopping.abort();
    await watching;
  });
  expect(hurt).toBeGreaterThanOrEqual(4);
});
