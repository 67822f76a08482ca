import { EventType } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { ZkError } from '../src/index.ts';
import {
  type OneShotKind,
  type StreamKind,
  WatchRegistry,
  withoutChroot,
} from '../src/watch-registry.ts';
import {
  OneShotWatch,
  StreamBuffer,
  type WatchEvent,
  type WatchItem,
} from '../src/watch-stream.ts';

/** A registry whose watches write what they hear into `heard`. */
function registry() {
  const watches = new WatchRegistry();
  const heard: string[] = [];
  const oneShot = (kind: OneShotKind, path: string, chroot = ''): OneShotWatch => {
    const watch = new OneShotWatch(() => {});
    watch.fire = (event: WatchEvent) => heard.push(`${kind} ${event.type} ${event.path}`);
    watches.addOneShot(kind, path, { watch, chroot });
    return watch;
  };
  const stream = (kind: StreamKind, path: string, chroot = ''): StreamBuffer => {
    const watch = new StreamBuffer({
      path,
      recursive: kind === 'recursive',
      limit: 10,
      dispose: async () => {},
    });
    watch.push = (item: WatchItem) =>
      heard.push(`${kind} ${item.type} ${item.type === 'resync' ? item.reason : item.path}`);
    watches.addStream(kind, path, { watch, chroot });
    return watch;
  };
  return { watches, heard, oneShot, stream };
}

test.each([
  ['created', EventType.nodeCreated, ['data', 'exist', 'persistent', 'recursive']],
  ['changed', EventType.nodeDataChanged, ['data', 'exist', 'persistent', 'recursive']],
  ['deleted', EventType.nodeDeleted, ['data', 'exist', 'child', 'persistent', 'recursive']],
  ['children', EventType.nodeChildrenChanged, ['child', 'persistent']],
])('%s concerns the watches of its kind, the one-shot ones once', (name, type, kinds) => {
  const { watches, heard, oneShot, stream } = registry();
  for (const kind of ['data', 'exist', 'child'] as const) oneShot(kind, '/a');
  stream('persistent', '/a');
  stream('recursive', '/a');
  watches.dispatch(type, '/a', 5);
  expect(heard).toEqual(kinds.map((kind) => `${kind} ${name} /a`));
  heard.length = 0;
  watches.dispatch(type, '/a', 6);
  expect(heard).toEqual(
    kinds
      .filter((kind) => ['persistent', 'recursive'].includes(kind))
      .map((kind) => `${kind} ${name} /a`),
  );
});

test('a recursive watch hears of all below, up to the root', () => {
  const { watches, heard, stream } = registry();
  stream('recursive', '/');
  stream('recursive', '/a/b');
  stream('recursive', '/a/x');
  watches.dispatch(EventType.nodeDataChanged, '/a/b/c', 5);
  expect(heard).toEqual(['recursive changed /a/b/c', 'recursive changed /a/b/c']);
});

test('below a recursive watch, children watches fire by what happens to children', () => {
  const { watches, heard, oneShot, stream } = registry();
  stream('recursive', '/a');
  oneShot('child', '/a');
  watches.dispatch(EventType.nodeDataChanged, '/a/b', 5);
  watches.dispatch(EventType.nodeCreated, '/a/b/c', 6);
  expect(heard).not.toContain('child children /a');
  watches.dispatch(EventType.nodeCreated, '/a/c', 7);
  expect(heard).toContain('child children /a');
});

test('a view sees its own paths', () => {
  const { watches, heard, oneShot, stream } = registry();
  oneShot('data', '/app/x', '/app');
  stream('recursive', '/app', '/app');
  watches.dispatch(EventType.nodeDataChanged, '/app/x', 5);
  watches.dispatch(EventType.nodeDataChanged, '/app', 6);
  expect(heard).toEqual(['data changed /x', 'recursive changed /x', 'recursive changed /']);
  expect(withoutChroot('', '/a')).toBe('/a');
});

test('an event of an unknown type is ignored', () => {
  const { watches, heard, oneShot } = registry();
  oneShot('data', '/a');
  watches.dispatch(EventType.none, '/a', 5);
  watches.dispatch(99, '/a', 5);
  expect(heard).toEqual([]);
});

test('a watch of the server is unused when nobody here needs it and nobody is about to', () => {
  const { watches, oneShot, stream } = registry();
  const data = oneShot('data', '/a');
  const exist = oneShot('exist', '/a');
  expect(watches.removeOneShot('data', '/a', data)).toBe(true);
  expect(watches.removeOneShot('data', '/a', data)).toBe(false);
  expect(watches.isUnused('data', '/a')).toBe(false);
  watches.removeOneShot('exist', '/a', exist);
  expect(watches.isUnused('data', '/a')).toBe(true);
  const coming = watches.expect('exist', '/a');
  expect(watches.isUnused('data', '/a')).toBe(false);
  coming.settled();
  coming.settled();
  expect(watches.isUnused('data', '/a')).toBe(true);
  const one = stream('persistent', '/a');
  expect(watches.isUnused('persistent', '/a')).toBe(false);
  expect(watches.isUnused('recursive', '/a')).toBe(true);
  watches.removeStream('persistent', '/a', one);
  expect(watches.isUnused('persistent', '/a')).toBe(true);
});

test('what a new session sets again is streams only', () => {
  const { watches, oneShot, stream } = registry();
  oneShot('child', '/a');
  expect(watches.batches(7, true)).toEqual([]);
  expect(watches.batches(7, false)).toEqual([
    { relativeZxid: 7, data: [], exist: [], child: ['/a'] },
  ]);
  stream('persistent', '/p');
  expect(watches.batches(0, true)).toEqual([
    {
      relativeZxid: 0,
      data: [],
      exist: [],
      child: [],
      persistent: ['/p'],
      persistentRecursive: [],
    },
  ]);
});

test('failing and finishing reach everyone, once', async () => {
  const watches = new WatchRegistry();
  const watch = new OneShotWatch(() => {});
  watches.addOneShot('data', '/a', { watch, chroot: '' });
  const error = new ZkError('CLOSED', { outcome: 'failed' });
  watches.failOneShots(error);
  watches.failOneShots(new ZkError('ABORTED', { outcome: 'failed' }));
  await expect(watch.event).rejects.toBe(error);
});
