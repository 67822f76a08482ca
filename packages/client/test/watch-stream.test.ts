import { expect, test } from 'vitest';
import { ZkError } from '../src/index.ts';
import { StreamBuffer, type WatchItem } from '../src/watch-stream.ts';

const event = (path: string): WatchItem => ({ type: 'changed', path, zxid: 1 });

function buffer(limit = 3) {
  let disposals = 0;
  const stream = new StreamBuffer({
    path: '/',
    recursive: true,
    limit,
    dispose: async (disposed) => {
      disposals++;
      disposed.finish();
    },
  });
  return { stream, disposals: () => disposals };
}

async function drain(stream: StreamBuffer): Promise<WatchItem[]> {
  const items: WatchItem[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

test('items come in order, those before the reader too, and the end after them', async () => {
  const { stream } = buffer();
  stream.push(event('/a'));
  const reading = drain(stream);
  await undefined;
  stream.push(event('/b'));
  stream.finish();
  stream.push(event('/late'));
  expect(await reading).toEqual([event('/a'), event('/b')]);
});

test('overflow collapses to one resync, and goes on from there', async () => {
  const { stream } = buffer(3);
  for (const path of ['/1', '/2', '/3', '/4', '/5']) stream.push(event(path));
  stream.finish();
  expect(await drain(stream)).toEqual([{ type: 'resync', reason: 'overflow' }, event('/5')]);
});

test('a resync makes what came before it worthless, also what was taken and not yet read', async () => {
  const { stream } = buffer();
  stream.push(event('/1'));
  stream.push(event('/2'));
  const items = stream[Symbol.asyncIterator]();
  expect((await items.next()).value).toEqual(event('/1'));
  stream.push({ type: 'resync', reason: 'reconnected' });
  expect((await items.next()).value).toEqual({ type: 'resync', reason: 'reconnected' });
});

test('leaving the loop disposes', async () => {
  const { stream, disposals } = buffer();
  stream.push(event('/1'));
  for await (const _ of stream) break;
  expect(disposals()).toBe(1);
});

test('an error ends the loop with a throw', async () => {
  const { stream } = buffer();
  stream.push(event('/1'));
  stream.finish(new ZkError('SESSION_EXPIRED', { outcome: 'failed' }));
  const seen: WatchItem[] = [];
  const reading = (async () => {
    for await (const item of stream) seen.push(item);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
  expect(seen).toEqual([event('/1')]);
});

test('dispose wakes a waiting reader', async () => {
  const { stream } = buffer();
  const reading = drain(stream);
  await undefined;
  await stream[Symbol.asyncDispose]();
  expect(await reading).toEqual([]);
});
