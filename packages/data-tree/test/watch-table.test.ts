import { Buffer } from 'node:buffer';
import { EventType, WatcherType } from '@zebu/protocol';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type PathId, PathTable, WatchMode, WatchTable } from '../src/index.ts';
import { OracleWatches } from './support/oracle-watches.ts';
import { RUNS } from './support/runs.ts';

const { nodeCreated, nodeDeleted, nodeDataChanged, nodeChildrenChanged } = EventType;

let paths: PathTable;
let watches: WatchTable;
beforeEach(() => {
  paths = new PathTable();
  watches = new WatchTable(paths);
});

/** Interns a path for the length of a test. */
function id(path: string): PathId {
  const bytes = Buffer.from(path);
  return paths.intern(bytes, 0, bytes.length);
}

function trigger(path: string, type: number): number[] {
  const told: number[] = [];
  expect(watches.trigger(id(path), type, (watcher) => told.push(watcher))).toBe(told.length);
  return told.sort((a, b) => a - b);
}

describe('what fires on what, and how often', () => {
  test.each([
    ['data', '/a', nodeCreated, 1],
    ['data', '/a', nodeDataChanged, 1],
    ['data', '/a', nodeDeleted, 1],
    ['data', '/a', nodeChildrenChanged, 0],
    ['data', '/a/b', nodeDataChanged, 0],
    ['child', '/a', nodeChildrenChanged, 1],
    ['child', '/a', nodeDeleted, 1],
    ['child', '/a', nodeCreated, 0],
    ['child', '/a', nodeDataChanged, 0],
    ['persistent', '/a', nodeCreated, 2],
    ['persistent', '/a', nodeDataChanged, 2],
    ['persistent', '/a', nodeDeleted, 2],
    ['persistent', '/a', nodeChildrenChanged, 2],
    ['persistent', '/a/b', nodeDataChanged, 0],
    ['recursive', '/a', nodeDataChanged, 2],
    ['recursive', '/a/b/c', nodeCreated, 2],
    ['recursive', '/a/b', nodeDeleted, 2],
    ['recursive', '/a', nodeChildrenChanged, 0],
    ['recursive', '/a/b', nodeChildrenChanged, 0],
    ['recursive', '/ab', nodeCreated, 0],
    ['recursive', '/', nodeDataChanged, 0],
  ] as const)('a %s watch on /a, an event on %s of type %i: %i of 2', (mode, path, type, count) => {
    for (const at of ['/', '/a', '/a/b', '/a/b/c']) id(at);
    watches.add(id('/a'), 7, WatchMode[mode]);
    const times = [trigger(path, type), trigger(path, type)].filter((told) => told.length > 0);
    expect(times).toEqual(Array(count).fill([7]));
  });

  test('a recursive watch on the root sees everything', () => {
    id('/x');
    watches.add(id('/'), 0, WatchMode.recursive);
    expect(trigger('/x/y', nodeCreated)).toEqual([0]);
    expect(trigger('/', nodeDataChanged)).toEqual([0]);
  });
});

test('several modes of a watcher on a path are one event, and only the one-shot is used up', () => {
  for (const mode of Object.values(WatchMode)) watches.add(id('/a'), 1, mode);
  expect(watches.size).toBe(2);
  expect(trigger('/a', nodeDeleted)).toEqual([1]);
  expect(watches.has(id('/a'), 1, WatcherType.data)).toBe(false);
  expect(watches.has(id('/a'), 1, WatcherType.children)).toBe(false);
  expect(watches.has(id('/a'), 1, WatcherType.persistent)).toBe(true);
  expect(watches.has(id('/a'), 1, WatcherType.persistentRecursive)).toBe(true);
  expect(watches.size).toBe(2);
});

test('a deletion tells a watcher of data and children once, and uses both up', () => {
  watches.add(id('/a'), 1, WatchMode.data | WatchMode.child);
  watches.add(id('/a'), 2, WatchMode.child);
  expect(trigger('/a', nodeDeleted)).toEqual([1, 2]);
  expect(watches.size).toBe(0);
});

test('a child watch fires beside a recursive one on the same path', () => {
  // WatchManager of 3.9.5 keeps the two in different tables; 3.8 had one mode per path and lost it.
  watches.add(id('/a'), 1, WatchMode.child);
  watches.add(id('/a'), 1, WatchMode.recursive);
  expect(trigger('/a/b', nodeCreated)).toEqual([1]);
  expect(trigger('/a', nodeChildrenChanged)).toEqual([1]);
});

test('a watch keeps its path interned, and lets it go', () => {
  const path = id('/nowhere');
  watches.add(path, 1, WatchMode.data);
  paths.release(path);
  expect(paths.size).toBe(2);
  expect(trigger('/nowhere', nodeCreated)).toEqual([1]);
  paths.release(path);
  expect(paths.size).toBe(1);
});

test('a watcher that is told cannot change watches, and the table stays whole', () => {
  const a = id('/a');
  for (let watcher = 0; watcher < 3; watcher++) watches.add(a, watcher, WatchMode.data);
  const changes: ((watcher: number) => void)[] = [
    (watcher) => watches.add(a, watcher, WatchMode.data),
    (watcher) => watches.remove(a, watcher, WatcherType.any),
    (watcher) => watches.removeWatcher(watcher),
  ];
  for (const change of changes) {
    expect(() => watches.trigger(a, nodeDataChanged, change)).toThrow('cannot change');
  }
  expect(watches.size).toBe(0);
  watches.add(a, 1, WatchMode.data);
  expect(trigger('/a', nodeDataChanged)).toEqual([1]);
});

test('removing a watcher goes in slices and leaves nothing', () => {
  for (let i = 0; i < 25; i++) {
    watches.add(id(`/n${i}`), 3, WatchMode.persistent);
    watches.add(id(`/n${i}`), 4, WatchMode.data);
  }
  let slices = 1;
  while (!watches.removeWatcher(3, 10)) slices++;
  expect(slices).toBeGreaterThan(4);
  expect(watches.size).toBe(25);
  expect(watches.removeWatcher(3, 10)).toBe(true);
  expect(watches.removeWatcher(99, 10)).toBe(true);
});

test('the summary counts the data table, and a watcher whose last watch fired stays counted', () => {
  watches.add(id('/a'), 1, WatchMode.data);
  watches.add(id('/a'), 2, WatchMode.data);
  watches.add(id('/b'), 2, WatchMode.child);
  expect(watches.summary).toEqual({ watchers: 2, paths: 1, watches: 2 });
  expect(watches.size).toBe(3);
  trigger('/a', nodeDataChanged);
  expect(watches.summary).toEqual({ watchers: 2, paths: 0, watches: 0 });
  watches.removeWatcher(1);
  expect(watches.summary.watchers).toBe(1);
  const seen: string[] = [];
  watches.add(id('/c'), 5, WatchMode.data);
  for (let at = watches.watchedPathAfter(0); at !== 0; at = watches.watchedPathAfter(at)) {
    watches.forEachWatcherOf(at, (watcher) => seen.push(`${paths.pathString(at)} ${watcher}`));
  }
  for (let at = watches.watcherAfter(-1); at >= 0; at = watches.watcherAfter(at)) {
    seen.push(String(at));
  }
  for (const path of watches.watchedPathsOf(5)) seen.push(paths.pathString(path));
  expect(seen).toEqual(['/c 5', '2', '5', '/c']);
});

test('a watcher is counted once, until its last watch is taken away', () => {
  const [a, b] = [id('/a'), id('/b')];
  watches.add(a, 1, WatchMode.data);
  watches.add(b, 1, WatchMode.data);
  expect(watches.summary.watchers).toBe(1);
  expect(watches.remove(a, 1, WatcherType.data)).toBe(true);
  expect(watches.summary.watchers).toBe(1);
  // The path without a watch is left out.
  expect(watches.watchedPathAfter(0)).toBe(b);
  expect(watches.remove(b, 1, WatcherType.data)).toBe(true);
  expect(watches.summary.watchers).toBe(0);
  expect(watches.removeWatcher(1)).toBe(true);
  expect(watches.summary.watchers).toBe(0);
});

test('a walk of what a watcher watches goes on whatever is removed and added meanwhile', () => {
  for (let i = 0; i < 6; i++) watches.add(id(`/n${i}`), 3, WatchMode.data);
  const walk = watches.watchedPathsOf(3);
  const step = (): string => {
    const next = walk.next();
    return next.done === true ? 'end' : paths.pathString(next.value);
  };
  expect(step()).toBe('/n0');
  // The one just told of, the one that comes next, and one after it.
  for (const gone of ['/n0', '/n1', '/n2', '/n4']) trigger(gone, nodeDataChanged);
  watches.add(id('/late'), 3, WatchMode.data);
  watches.add(id('/others'), 4, WatchMode.data);
  expect([step(), step(), step(), step()]).toEqual(['/n3', '/n5', '/late', 'end']);
});

test('any sequence of watches and events goes as with plain sets', () => {
  const path = fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/d');
  const watcher = fc.nat(4);
  const step = fc.oneof(
    fc.record({
      op: fc.constant('add' as const),
      path,
      watcher,
      kind: fc.constantFrom(
        'data' as const,
        'child' as const,
        'persistent' as const,
        'recursive' as const,
      ),
    }),
    fc.record({ op: fc.constant('trigger' as const), path, type: fc.integer({ min: 1, max: 4 }) }),
    fc.record({
      op: fc.constant('has' as const),
      path,
      watcher,
      type: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({
      op: fc.constant('remove' as const),
      path,
      watcher,
      type: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ op: fc.constant('end' as const), watcher }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      paths = new PathTable();
      watches = new WatchTable(paths);
      // Events are about znodes, whose parents are interned.
      for (const at of ['/a', '/a/b', '/a/b/c', '/d']) id(at);
      const oracle = new OracleWatches();
      for (const one of steps) {
        if (one.op === 'add') {
          watches.add(id(one.path), one.watcher, WatchMode[one.kind]);
          oracle.add(one.path, one.watcher, one.kind);
        } else if (one.op === 'trigger') {
          expect(trigger(one.path, one.type)).toEqual(oracle.trigger(one.path, one.type));
        } else if (one.op === 'end') {
          while (!watches.removeWatcher(one.watcher, 2));
          oracle.removeWatcher(one.watcher);
        } else {
          const found = watches[one.op](id(one.path), one.watcher, one.type);
          expect(found).toBe(oracle[one.op](one.path, one.watcher, one.type));
        }
        expect(watches.size).toBe(oracle.data.size + oracle.child.size);
        expect(watches.summary.watches).toBe(oracle.data.size);
      }
    }),
    RUNS,
  );
});
