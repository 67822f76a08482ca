import { EventType } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { ZkError } from '../src/index.ts';
import {
  BATCH_BYTES,
  BATCH_OVERHEAD_BYTES,
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
    watch.fail = (error: ZkError) => heard.push(`${kind} ${path} ${error.code}`);
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
    watch.finish = (error?: ZkError) => heard.push(`${kind} ${path} ${error?.code}`);
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

const ONE_SHOTS = ['data', 'exist', 'child'] as const;
const STREAMS = ['persistent', 'recursive'] as const;
const CLOSED = new ZkError('CLOSED', { outcome: 'failed' });

test.each([
  [EventType.nodeCreated, 'created'],
  [EventType.nodeDeleted, 'deleted'],
  [EventType.nodeDataChanged, 'changed'],
  [EventType.nodeChildrenChanged, 'children'],
  [EventType.none, undefined],
  [99, undefined],
])('an event of type %i is %s, with or without a watch, and carries its zxid', (type, name) => {
  const watches = new WatchRegistry();
  expect(watches.dispatch(type, '/a', 5)).toBe(name);
  const heard: unknown[] = [];
  const watch = new OneShotWatch(() => {});
  watch.fire = (event: WatchEvent) => heard.push(event);
  watches.addOneShot('data', '/a', { watch, chroot: '' });
  watches.addOneShot('child', '/a', { watch, chroot: '' });
  expect(watches.dispatch(type, '/a', 6)).toBe(name);
  const event = { type: name, path: '/a', zxid: 6 };
  expect(heard).toEqual(name === undefined ? [] : name === 'deleted' ? [event, event] : [event]);
});

test('every watch of a path hears of it, and those of a path below only if they are recursive', () => {
  const { watches, heard, oneShot, stream } = registry();
  oneShot('data', '/a');
  oneShot('data', '/a');
  stream('persistent', '/a');
  stream('persistent', '/a');
  watches.dispatch(EventType.nodeDataChanged, '/a/b', 5);
  expect(heard).toEqual([]);
  watches.dispatch(EventType.nodeDataChanged, '/a', 6);
  expect(heard).toEqual([
    ...Array(2).fill('data changed /a'),
    ...Array(2).fill('persistent changed /a'),
  ]);
});

test('one watch of several of a path is taken away, and no other', () => {
  const { watches, heard, oneShot, stream } = registry();
  const [first, second] = [oneShot('child', '/a'), oneShot('child', '/a')];
  expect(watches.removeOneShot('child', '/a', second)).toBe(true);
  expect(watches.removeOneShot('child', '/a', second)).toBe(false);
  expect(watches.removeOneShot('child', '/b', first)).toBe(false);
  expect(watches.isUnused('child', '/a')).toBe(false);
  const [one, other] = [stream('recursive', '/a'), stream('recursive', '/a')];
  expect(watches.removeStream('recursive', '/a', one)).toBe(true);
  expect(watches.removeStream('recursive', '/a', one)).toBe(false);
  expect(watches.isUnused('recursive', '/a')).toBe(false);
  watches.dispatch(EventType.nodeDeleted, '/a', 5);
  expect(heard).toEqual(['child deleted /a', 'recursive deleted /a']);
  expect(watches.isUnused('child', '/a')).toBe(true);
  expect(watches.removeStream('recursive', '/a', other)).toBe(true);
  expect(watches.isUnused('recursive', '/a')).toBe(true);
});

test('a children watch is not fired by a recursive one of another path', () => {
  const { watches, heard, oneShot, stream } = registry();
  for (const path of ['/', '/a', '/a/b']) oneShot('child', path);
  stream('recursive', '/a/b');
  stream('recursive', '/');
  // Its server tells of the children of /a, which is not watched recursively.
  watches.dispatch(EventType.nodeCreated, '/a/b', 5);
  expect(heard).toEqual(['recursive created /a/b', 'recursive created /a/b']);
  heard.length = 0;
  watches.dispatch(EventType.nodeDeleted, '/a', 6);
  expect(heard).toEqual(['child deleted /a', 'recursive deleted /a', 'child children /']);
  heard.length = 0;
  watches.dispatch(EventType.nodeCreated, '/', 7);
  expect(heard).toEqual(['recursive created /']);
});

test('a path outside the chroot of a view stays as it is', () => {
  expect(withoutChroot('/app', '/other')).toBe('/other');
  expect(withoutChroot('/app', '/app')).toBe('/');
  expect(withoutChroot('/app', '/app/x/y')).toBe('/x/y');
});

test.each([
  ['data', ['data', 'exist']],
  ['exist', ['data', 'exist']],
  ['child', ['child']],
  ['persistent', ['persistent']],
  ['recursive', ['recursive']],
] as const)('a call for a watch of kind %s keeps those of %j', (coming, kept) => {
  const { watches } = registry();
  const unused = () => [...ONE_SHOTS, ...STREAMS].filter((kind) => !watches.isUnused(kind, '/a'));
  const [first, second] = [watches.expect(coming, '/a'), watches.expect(coming, '/a')];
  expect(unused()).toEqual(kept);
  expect(watches.isUnused(coming, '/b')).toBe(true);
  first.settled();
  first.settled();
  expect(unused()).toEqual(kept);
  second.settled();
  expect(unused()).toEqual([]);
});

test.each([
  ['data', ['data', 'exist']],
  ['exist', ['data', 'exist']],
  ['child', ['child']],
] as const)('a watch of kind %s uses those of %j', (held, used) => {
  const { watches, oneShot } = registry();
  oneShot(held, '/a');
  expect(ONE_SHOTS.filter((kind) => !watches.isUnused(kind, '/a'))).toEqual(used);
});

describe('what is set again', () => {
  test('is split so that no request has more bytes of paths, whichever list they are of', () => {
    const { watches, oneShot, stream } = registry();
    for (const kind of ONE_SHOTS) oneShot(kind, `/${kind}`);
    for (const kind of STREAMS) stream(kind, `/${kind}`);
    // With the length before each: 9, 10, 10, 15 and 14 bytes.
    const none = { data: [], exist: [], child: [], persistent: [], persistentRecursive: [] };
    const first = { ...none, relativeZxid: 7, data: ['/data'], exist: ['/exist'] };
    const third = { ...none, relativeZxid: 7, persistentRecursive: ['/recursive'] };
    expect(watches.batches(7, false, 19)).toEqual([
      first,
      { ...none, relativeZxid: 7, child: ['/child'] },
      { ...none, relativeZxid: 7, persistent: ['/persistent'] },
      third,
    ]);
    expect(watches.batches(7, false, 29)).toEqual([
      { ...first, child: ['/child'] },
      { ...third, persistent: ['/persistent'] },
    ]);
    expect(watches.batches(7, false, 28)).toEqual([
      first,
      { ...none, relativeZxid: 7, child: ['/child'], persistent: ['/persistent'] },
      third,
    ]);
    expect(watches.batches(7, false, 1)).toHaveLength(5);
    expect(watches.batches(7, false)).toHaveLength(1);
  });

  test('is three lists where no stream is: older servers know no more', () => {
    const { watches, oneShot, stream } = registry();
    oneShot('exist', '/a');
    expect(watches.batches(7, false)).toEqual([
      { relativeZxid: 7, data: [], exist: ['/a'], child: [] },
    ]);
    stream('recursive', '/r');
    expect(watches.batches(7, false)[0]).toMatchObject({ persistentRecursive: ['/r'] });
    expect(new WatchRegistry().batches(7, false)).toEqual([]);
  });

  test('is counted in the bytes of the wire', () => {
    const { watches, oneShot } = registry();
    oneShot('data', '/\u00e9\u00e9');
    oneShot('data', '/b');
    // 9 and 6 bytes.
    expect(watches.batches(7, false, 15)).toHaveLength(1);
    expect(watches.batches(7, false, 14)).toHaveLength(2);
    expect(BATCH_BYTES).toBe(131_072);
    expect(BATCH_OVERHEAD_BYTES).toBe(36);
  });
});

test('all streams are told what is announced, and nobody else', () => {
  const { watches, heard, oneShot, stream } = registry();
  oneShot('data', '/a');
  for (const kind of STREAMS) stream(kind, '/a');
  watches.announce({ type: 'resync', reason: 'reconnected' });
  expect(heard).toEqual(['persistent resync reconnected', 'recursive resync reconnected']);
});

test('what cannot be set again fails, each watch of the batch once, and no other', () => {
  const { watches, heard, oneShot, stream } = registry();
  for (const path of ['/a', '/b']) {
    for (const kind of ONE_SHOTS) oneShot(kind, path);
    for (const kind of STREAMS) stream(kind, path);
  }
  const list = ['/a', '/unknown'];
  const three = { relativeZxid: 7, data: list, exist: list, child: list };
  const batch = { ...three, persistent: list, persistentRecursive: list };
  watches.failBatch(batch, CLOSED);
  expect(heard).toEqual([...ONE_SHOTS, ...STREAMS].map((kind) => `${kind} /a CLOSED`));
  heard.length = 0;
  watches.failBatch(batch, CLOSED);
  watches.failBatch({ relativeZxid: 7, child: ['/a'] } as typeof three, CLOSED);
  expect(heard).toEqual([]);
  watches.failBatch({ ...three, data: ['/b'] }, CLOSED);
  expect(heard).toEqual(['data /b CLOSED']);
});

test('a session that ends takes what fires once, and streams end when they are told to', () => {
  const { watches, heard, oneShot, stream } = registry();
  for (const kind of ONE_SHOTS) oneShot(kind, '/a');
  for (const kind of STREAMS) stream(kind, '/a');
  watches.failOneShots(CLOSED);
  expect(heard).toEqual(ONE_SHOTS.map((kind) => `${kind} /a CLOSED`));
  watches.failOneShots(CLOSED);
  expect(heard).toHaveLength(3);
  watches.finishStreams();
  expect(heard.slice(3)).toEqual(STREAMS.map((kind) => `${kind} /a undefined`));
  watches.finishStreams(CLOSED);
  expect(heard).toHaveLength(5);
  expect(watches.batches(7, false)).toEqual([]);
});
