import { type Client, ZkError } from '@zebu/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type QueueItem, queue } from '../src/queue.ts';
import { json, text } from '../src/typed.ts';
import { FaultWorld, KINDS } from './every-fault.ts';
import { PATIENCE } from './world.ts';

let world: FaultWorld;
beforeAll(async () => {
  world = await FaultWorld.start();
});
afterEach(() => world.endTest());
afterAll(() => world[Symbol.asyncDispose]());

/** What a queue leaves: its directories. */
const DIRECTORIES = ['entries', 'producers', 'special', 'taken'];

/** Consumes until `count` items are acknowledged. */
async function take<T>(
  zk: Client,
  path: string,
  codec: Parameters<typeof queue<T>>[2],
  count: number,
): Promise<T[]> {
  const values: T[] = [];
  if (count === 0) return values;
  for await (const item of queue(zk, path, codec).consume()) {
    values.push(item.value);
    await item.ack();
    if (values.length === count) break;
  }
  return values;
}

async function clean(path: string): Promise<void> {
  await world.nothingLeft(path, DIRECTORIES);
  await world.other.delete(path, { recursive: true });
}

test('items come out in the order of priority, and of one priority in the order of putting', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/order', text());
  await work.put('b1');
  await work.put('c', { priority: 999 });
  await work.put('b2');
  const path = await work.put('a', { priority: 1 });
  expect(path).toMatch(/^\/order\/entries\/entry-001-\d{10}$/);
  expect(await work.size()).toBe(4);
  expect(await take(zk, '/order', text(), 4)).toEqual(['a', 'b1', 'b2', 'c']);
  expect(await work.size()).toBe(0);
  await work[Symbol.asyncDispose]();
  await clean('/order');
});

test('a consumer that waits gets what is put later', async () => {
  const { other: zk } = world;
  const taking = take(zk, '/later', text(), 2);
  const producer = await world.direct();
  await using work = queue(producer, '/later', text());
  await work.put('a');
  await work.put('b');
  expect(await taking).toEqual(['a', 'b']);
  await work[Symbol.asyncDispose]();
  await clean('/later');
});

test('an item with a time is not handed out before it, and then first', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/delayed', text());
  const notBefore = new Date(Date.now() + 300);
  await work.put('later', { notBefore });
  await work.put('never', { notBefore: new Date(Date.now() + 3_600_000), id: 'never' });
  await work.put('now');
  const consumed: string[] = [];
  for await (const item of work.consume()) {
    consumed.push(item.value);
    if (item.value === 'later') expect(Date.now()).toBeGreaterThanOrEqual(notBefore.getTime());
    await item.ack();
    if (consumed.length === 2) break;
  }
  expect(consumed).toEqual(['now', 'later']);
  await expect(work.put('x', { notBefore: new Date(Number.NaN) })).rejects.toThrow(TypeError);
  expect(await work.remove('never')).toBe(1);
  await work[Symbol.asyncDispose]();
  await clean('/delayed');
});

test('items are removed by their id, unless a consumer has them', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/ids', text());
  await work.put('a', { id: 'job-1' });
  await work.put('b', { id: 'job/2' });
  await work.put('c', { id: 'job/2' });
  for await (const item of work.consume()) {
    expect([item.value, item.id]).toEqual(['a', 'job-1']);
    expect(await work.remove('job-1')).toBe(0);
    expect(await work.remove('job/2')).toBe(2);
    expect(await work.remove('job-3')).toBe(0);
    await item.ack();
    break;
  }
  expect(await work.size()).toBe(0);
  await expect(work.put('x', { id: '' })).rejects.toThrow('not empty');
  await expect(work.put('x', { priority: 1000 })).rejects.toThrow('0..999');
  await work[Symbol.asyncDispose]();
  await clean('/ids');
});

test('an item that is not acknowledged is handed out again', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/again', text());
  await work.put('a');
  for await (const item of work.consume()) {
    await item[Symbol.asyncDispose]();
    break;
  }
  expect(await take(zk, '/again', text(), 1)).toEqual(['a']);
  await work[Symbol.asyncDispose]();
  await clean('/again');
});

test('what was claimed ahead is released when the loop is left or aborted', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/ahead', text());
  for (const value of ['a', 'b', 'c', 'd']) await work.put(value);
  const stopping = new AbortController();
  for await (const item of work.consume({ prefetch: 2, signal: stopping.signal })) {
    expect(item.value).toBe('a');
    await expect
      .poll(async () => (await zk.children('/ahead/taken')).names.length, PATIENCE)
      .toBe(3);
    await item.ack();
    stopping.abort();
  }
  expect((await zk.children('/ahead/taken')).names).toEqual([]);
  expect(await take(zk, '/ahead', text(), 3)).toEqual(['b', 'c', 'd']);
  await work[Symbol.asyncDispose]();
  await clean('/ahead');
});

test('each of many items goes to one of many consumers', async () => {
  const clients = await Promise.all([world.direct(), world.direct(), world.direct()]);
  await using work = queue(world.other, '/many', json<number>());
  const stopping = new AbortController();
  const done: number[] = [];
  const consuming = clients.map(async (zk) => {
    const items = queue(zk, '/many', json<number>()).consume({
      prefetch: 3,
      signal: stopping.signal,
    });
    for await (const item of items) {
      await item.ack();
      done.push(item.value);
      if (done.length === 120) stopping.abort();
    }
  });
  const all = Array.from({ length: 120 }, (_, i) => i);
  await Promise.all(all.map((i) => work.put(i)));
  await Promise.all(consuming);
  expect(done.toSorted((a, b) => a - b)).toEqual(all);
  await work[Symbol.asyncDispose]();
  await clean('/many');
  await Promise.all(clients.map((zk) => zk.close()));
});

test('put waits while the queue is full, and leaves no watch', async () => {
  const { other: zk, proxy } = world;
  const hurt = await world.connect();
  await using work = queue(hurt, '/full', text(), { maxSize: 2 });
  await work.put('a');
  await work.put('b');
  let isPut = false;
  const putting = work.put('c').then(() => {
    isPut = true;
  });
  // `wchs` does not count watches of children; the reads that leave them are seen on the way.
  const reads = (): number => proxy.requests.filter(({ name }) => name === 'getChildren2').length;
  const before = reads();
  await expect.poll(() => reads() - before, PATIENCE).toBeGreaterThanOrEqual(2);
  expect(isPut).toBe(false);
  await expect(work.put('d', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  expect(await take(zk, '/full', text(), 1)).toEqual(['a']);
  await putting;
  expect(await take(zk, '/full', text(), 2)).toEqual(['b', 'c']);
  // One of the two watches has fired, the other one is taken back.
  await proxy.request(({ name }) => name === 'removeWatches');
  await work[Symbol.asyncDispose]();
  await clean('/full');
});

test('an item that the codec refuses is told of, stays, and holds up nobody', async () => {
  const { other: zk } = world;
  await using work = queue(zk, '/bad', json<number>());
  const bad = await queue(zk, '/bad', text()).put('{');
  await work.put(1);
  const refused: string[] = [];
  for await (const item of work.consume({ onBadItem: (path) => refused.push(path) })) {
    expect(item.value).toBe(1);
    await item.ack();
    break;
  }
  expect(refused).toEqual([bad]);
  expect(await work.size()).toBe(1);
  await zk.delete(bad);
  await zk.delete('/bad', { recursive: true });
});

test('a consumer whose session ends is told, cannot acknowledge, and another gets the item', async () => {
  const hurt = await world.direct();
  await using work = queue(world.other, '/expired', text());
  await work.put('a');
  for await (const item of queue(hurt, '/expired', text()).consume()) {
    await world.world.expire(hurt);
    expect(await take(world.other, '/expired', text(), 1)).toEqual(['a']);
    await expect.poll(() => item.signal.aborted, PATIENCE).toBe(true);
    expect(ZkError.is(item.signal.reason, 'LOCK_LOST')).toBe(true);
    await expect(item.ack()).rejects.toMatchObject({ code: 'LOCK_LOST' });
    await item.release();
    break;
  }
  await work[Symbol.asyncDispose]();
  await clean('/expired');
});

test('an acknowledgement whose reply is lost is carried through, and said to be done', async () => {
  const { proxy } = world;
  const zk = await world.connect();
  await using work = queue(world.other, '/acked', text());
  await work.put('a');
  await work.put('b');
  const items: QueueItem<string>[] = [];
  for await (const item of queue(zk, '/acked', text()).consume({ prefetch: 1 })) {
    items.push(item);
    if (items.length === 1) {
      proxy.onReply = ({ request }) => (request.name === 'multi' ? 'lose' : 'forward');
      const acking = item.ack();
      await expect
        .poll(() => proxy.requests.some(({ name }) => name === 'multi'), PATIENCE)
        .toBe(true);
      proxy.onReply = () => 'forward';
      await acking;
      expect(item.signal.aborted).toBe(false);
    } else {
      await item.ack();
      break;
    }
  }
  expect(items.map(({ value }) => value)).toEqual(['a', 'b']);
  await work[Symbol.asyncDispose]();
  await clean('/acked');
});

test('the claim of an item that vanished is taken back', async () => {
  const { other: zk } = world;
  const hurt = await world.connect();
  await using work = queue(zk, '/vanished', text());
  await work.put('a');
  const path = await work.put('b');
  const first: string[] = [];
  // The second one is deleted between its claim and its read.
  let isDone = false;
  world.proxy.onRequest = ({ name, path: at }) => {
    if (!isDone && name === 'create2' && at?.includes(path.slice(-10)) === true) {
      isDone = true;
      void zk.delete(path);
      world.proxy.hold('to-server');
      void zk.sync('/').then(() => world.proxy.release('to-server'));
    }
    return 'forward';
  };
  const stopping = new AbortController();
  for await (const item of queue(hurt, '/vanished', text()).consume({ signal: stopping.signal })) {
    first.push(item.value);
    await item.ack();
    if (first.length === 1) await work.put('c');
    else stopping.abort();
  }
  world.proxy.heal();
  expect(first[0]).toBe('a');
  await zk.delete('/vanished/entries', { recursive: true, missingOk: true });
  expect((await zk.children('/vanished/taken')).names).toEqual([]);
  await work[Symbol.asyncDispose]();
  await zk.delete('/vanished', { recursive: true });
});

test('many puts at once of one producer are all there, in order', async () => {
  await using work = queue(world.other, '/burst', json<number>());
  const paths = await Promise.all(Array.from({ length: 50 }, (_, i) => work.put(i)));
  expect(new Set(paths).size).toBe(50);
  expect(await take(world.other, '/burst', json<number>(), 50)).toEqual(
    Array.from({ length: 50 }, (_, i) => i),
  );
  await work[Symbol.asyncDispose]();
  await clean('/burst');
});

test.each(KINDS)(
  'items put through a fault are there once, or said to be unknown: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(
      kind,
      async ({ zk, other, path }) => {
        const work = queue(zk, `${path}/q`, text());
        const known: string[] = [];
        const unknown: string[] = [];
        for (const value of ['a', 'b', 'c']) {
          try {
            await work.put(value);
            known.push(value);
          } catch (error) {
            expect(error).toMatchObject({ outcome: 'unknown' });
            unknown.push(value);
          }
        }
        // The end of a session takes the answer along; all else can be known.
        if (kind !== 'expired') expect(unknown).toEqual([]);
        const { names } = await other.children(`${path}/q/entries`);
        const values = await take(other, `${path}/q`, text(), names.length);
        expect(new Set(values).size).toBe(values.length);
        expect(values.filter((value) => !unknown.includes(value))).toEqual(known);
        await work[Symbol.asyncDispose]();
      },
      ['q', ...DIRECTORIES.map((name) => `q/${name}`)],
    );
    expect(hurt).toBeGreaterThanOrEqual(8);
  },
);

test.each(KINDS)(
  'no item is lost, or done twice, by a consumer that is hurt: %s at every request',
  async (kind) => {
    const hurt = await world.everyFault(
      kind,
      async ({ zk, other, path }) => {
        const at = `${path}/q`;
        const work = queue(other, at, text());
        await work.put('a');
        await work.put('b');
        const acked: string[] = [];
        const doubtful: string[] = [];
        const stopping = new AbortController();
        const consuming = (async () => {
          for await (const item of queue(zk, at, text()).consume({ signal: stopping.signal })) {
            try {
              await item.ack();
              acked.push(item.value);
            } catch (error) {
              expect(ZkError.is(error, 'LOCK_LOST')).toBe(true);
              if ((error as ZkError).outcome === 'unknown') doubtful.push(item.value);
            }
          }
        })();
        await expect
          .poll(async () => (await other.children(`${at}/entries`)).names, PATIENCE)
          .toEqual([]);
        // What the server has deleted, somebody has heard of.
        await expect
          .poll(() => [...new Set([...acked, ...doubtful])].sort(), PATIENCE)
          .toEqual(['a', 'b']);
        stopping.abort();
        await consuming;
        expect(new Set(acked).size).toBe(acked.length);
        if (kind !== 'expired') expect(doubtful).toEqual([]);
        await work[Symbol.asyncDispose]();
      },
      ['q', ...DIRECTORIES.map((name) => `q/${name}`)],
    );
    expect(hurt).toBeGreaterThanOrEqual(8);
  },
);
