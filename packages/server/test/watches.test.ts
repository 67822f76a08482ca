// Who is told of which change.

import { type Acl, Perms } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Ask,
  addWatch,
  ask,
  auth,
  checkWatches,
  create,
  exists,
  getChildren,
  getChildren2,
  getData,
  remove,
  removeWatches,
  setACL,
  setData,
  setWatches,
  setWatches2,
} from './support/asks.ts';
import type { RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const PERSISTENT = 0;
const RECURSIVE = 1;
const OPEN: Acl[] = [{ perms: Perms.ALL, scheme: 'world', id: 'anyone' }];
const UNREADABLE: Acl[] = [{ perms: Perms.ALL & ~Perms.READ, scheme: 'world', id: 'anyone' }];

let world: World;
let watcher: RawClient;
let writer: RawClient;
beforeEach(async () => {
  world = await World.start();
  watcher = world.client();
  writer = world.client();
  writer.must(create('/a'), create('/a/b'));
});

/** The events of changes made twice in a row: a one-shot watch shows the first time only. */
function told(watch: Ask, ...changes: Ask[]): string[] {
  watcher.call(watch);
  watcher.lines();
  writer.must(...changes);
  return watcher.events();
}

const CHANGES: Record<string, Ask[]> = {
  'setData /a twice': [setData('/a', 'x'), setData('/a', 'y')],
  'setACL /a': [setACL('/a', OPEN)],
  'create and delete /a/new': [create('/a/new'), remove('/a/new')],
  'setData /a/b': [setData('/a/b', 'x')],
  'delete and create /a': [remove('/a/b'), remove('/a'), create('/a')],
  'a sibling': [create('/aa'), setData('/aa', 'x'), remove('/aa')],
};

describe('on /a', () => {
  test.each([
    [
      'getData',
      getData('/a', true),
      {
        'setData /a twice': ['changed /a'],
        'delete and create /a': ['deleted /a'],
      },
    ],
    [
      'exists',
      exists('/a', true),
      {
        'setData /a twice': ['changed /a'],
        'delete and create /a': ['deleted /a'],
      },
    ],
    [
      'getChildren',
      getChildren('/a', true),
      {
        'create and delete /a/new': ['children /a'],
        'delete and create /a': ['children /a'],
      },
    ],
    [
      'getChildren2',
      getChildren2('/a', true),
      {
        'create and delete /a/new': ['children /a'],
        'delete and create /a': ['children /a'],
      },
    ],
    [
      'a persistent watch',
      addWatch('/a', PERSISTENT),
      {
        'setData /a twice': ['changed /a', 'changed /a'],
        'create and delete /a/new': ['children /a', 'children /a'],
        'delete and create /a': ['children /a', 'deleted /a', 'created /a'],
      },
    ],
    [
      'a recursive watch',
      addWatch('/a', RECURSIVE),
      {
        'setData /a twice': ['changed /a', 'changed /a'],
        'create and delete /a/new': ['created /a/new', 'deleted /a/new'],
        'setData /a/b': ['changed /a/b'],
        'delete and create /a': ['deleted /a/b', 'deleted /a', 'created /a'],
      },
    ],
  ])('%s fires on these changes and on no others', (_, watch, expected) => {
    for (const [change, requests] of Object.entries(CHANGES)) {
      const events = told(watch, ...requests);
      expect([change, events]).toEqual([
        change,
        (expected as Record<string, string[]>)[change] ?? [],
      ]);
      // Whatever is left of the watch, and what was deleted, is made good.
      watcher.call(removeWatches('/a', 3));
      writer.call(create('/a/b'));
    }
  });

  test('getChildren fires on its deletion, once', () => {
    writer.must(remove('/a/b'));
    expect(told(getChildren('/a', true), remove('/a'))).toEqual(['deleted /a']);
  });

  test('exists where nothing is fires when something comes', () => {
    expect(told(exists('/new', true), create('/new'), setData('/new', 'x'))).toEqual([
      'created /new',
    ]);
  });

  test('getData and getChildren where nothing is watch nothing', () => {
    expect(told(getData('/new', true), create('/new'))).toEqual([]);
    expect(told(getChildren('/new2', true), create('/new2'))).toEqual([]);
  });

  test('watches of two kinds are told once of one deletion, and once of each other change', () => {
    writer.must(remove('/a/b'));
    watcher.must(getData('/a', true), getChildren('/a', true));
    expect(told(addWatch('/a', RECURSIVE), remove('/a'))).toEqual(['deleted /a']);
  });

  test('a recursive watch on the root is told of everything but lists of children', () => {
    expect(
      told(addWatch('/', RECURSIVE), create('/n'), setData('/a/b', 'x'), remove('/n')),
    ).toEqual(['created /n', 'changed /a/b', 'deleted /n']);
  });

  test('a write that fails fires nothing', () => {
    watcher.must(addWatch('/', RECURSIVE));
    watcher.lines();
    expect(writer.errorOf(setData('/a', 'x', 9))).toBe('BADVERSION');
    expect(watcher.events()).toEqual([]);
  });
});

describe('who may not read a znode', () => {
  test('is told of no change of it, and its one-shot watch is used up all the same', () => {
    writer.must(setACL('/a', UNREADABLE));
    watcher.call(exists('/secret', true));
    watcher.call(addWatch('/', PERSISTENT));
    watcher.lines();
    writer.must(create('/secret', { acl: UNREADABLE }));
    expect(watcher.events()).toEqual(['children /']);
    writer.must(remove('/secret'), create('/secret'));
    expect(watcher.events()).toEqual(['children /', 'children /']);
  });

  test.each([
    ['a change', [setData('/a', 'x')]],
    ['a child', [create('/a/new')]],
    ['its end', [remove('/a/b'), remove('/a')]],
  ])('gets no event of %s', (_, changes) => {
    watcher.must(addWatch('/a', PERSISTENT));
    writer.must(setACL('/a', UNREADABLE));
    watcher.lines();
    writer.must(...changes);
    expect(watcher.events()).toEqual([]);
  });

  test.each([
    ['getData', getData],
    ['exists', exists],
    ['getChildren', getChildren],
    ['getChildren2', getChildren2],
  ])('get no watch by %s, which is refused', (_, read) => {
    writer.must(setACL('/a', UNREADABLE));
    const before = world.serving.watches.size;
    expect(watcher.errorOf(read('/a', true))).toBe('NOAUTH');
    expect(world.serving.watches.size).toBe(before);
    // The watch would have outlived the reason.
    writer.must(setACL('/a', OPEN), setData('/a', 'x'), create('/a/new'));
    expect(watcher.events()).toEqual([]);
  });

  test('gets them once it has proved who it is', () => {
    const acl = [{ perms: Perms.ALL, scheme: 'auth', id: '' }];
    writer.sendWithXid(-4, auth('digest', 'u:p'));
    writer.must(setACL('/a', acl));
    watcher.must(addWatch('/a', PERSISTENT));
    watcher.lines();
    writer.must(setData('/a', '1'));
    expect(watcher.events()).toEqual([]);
    watcher.sendWithXid(-4, auth('digest', 'u:p'));
    watcher.lines();
    writer.must(setData('/a', '2'));
    expect(watcher.events()).toEqual(['changed /a']);
  });
});

describe('checkWatches and removeWatches', () => {
  const SETS: Record<string, Ask> = {
    child: getChildren('/a', true),
    data: getData('/a', true),
    persistent: addWatch('/a', PERSISTENT),
    recursive: addWatch('/a', RECURSIVE),
  };
  const FINDS: [string, number[]][] = [
    ['child', [1, 3]],
    ['data', [2, 3]],
    ['persistent', [3, 4]],
    ['recursive', [3, 5]],
  ];
  test.each(FINDS)('find a %s watch by types %j only', (kind, types) => {
    for (let type = 1; type <= 5; type++) {
      const expected = types.includes(type) ? 'OK' : 'NOWATCHER';
      watcher.must(SETS[kind] as Ask);
      expect([type, watcher.errorOf(checkWatches('/a', type))]).toEqual([type, expected]);
      expect([type, watcher.errorOf(removeWatches('/a', type))]).toEqual([type, expected]);
      expect(watcher.errorOf(checkWatches('/a', 3))).toBe(expected === 'OK' ? 'NOWATCHER' : 'OK');
      watcher.call(removeWatches('/a', 3));
    }
  });

  test('know nothing of what others watch', () => {
    writer.must(getData('/a', true));
    expect(watcher.errorOf(removeWatches('/a', 3))).toBe('NOWATCHER');
    watcher.must(setData('/a', 'x'));
    expect(writer.events()).toContain('changed /a');
  });

  test.each([0, 6, -1])('take no type %i', (type) => {
    expect(watcher.errorOf(checkWatches('/a', type))).toBe('MARSHALLINGERROR');
    expect(watcher.errorOf(removeWatches('/a', type))).toBe('MARSHALLINGERROR');
  });

  test('leave the other watches of a path where they are', () => {
    watcher.must(getData('/a', true), addWatch('/a', PERSISTENT), removeWatches('/a', 4));
    watcher.lines();
    writer.must(setData('/a', '1'), setData('/a', '2'), create('/a/new'));
    expect(watcher.events()).toEqual(['changed /a']);
  });
});

test.each([2, -1])('addWatch takes no mode %i, and no null path', (mode) => {
  expect(watcher.errorOf(addWatch('/a', mode))).toBe('MARSHALLINGERROR');
  expect(watcher.errorOf(addWatch(null, 0))).toBe('MARSHALLINGERROR');
  expect(watcher.call(addWatch('/nowhere', 0)).body).toEqual(Buffer.alloc(4));
});

describe('setWatches', () => {
  test('tells what changed since, before its reply, and watches the rest again', () => {
    const seen = world.serving.tree.lastProcessedZxid;
    writer.must(create('/changed'), create('/grown'), create('/same'));
    const since = world.serving.tree.lastProcessedZxid;
    writer.must(setData('/changed', 'x'), create('/grown/new'), create('/came'));
    expect(seen).toBeLessThan(since);
    watcher.sendWithXid(
      -8,
      setWatches({
        relativeZxid: since,
        data: ['/changed', '/same', '/gone'],
        exist: ['/came', '/notyet'],
        child: ['/grown', '/same', '/gone2'],
      }),
    );
    expect(watcher.lines()).toEqual([
      'changed /changed',
      'deleted /gone',
      'created /came',
      'children /grown',
      'deleted /gone2',
      '#-8 OK',
    ]);
    expect(watcher.frames.slice(0, 5).map(({ zxid }) => zxid)).toEqual(Array(5).fill(-1));
    writer.must(setData('/changed', 'y'), create('/grown/2'), setData('/same', 'y'));
    writer.must(create('/same/c'), create('/notyet'));
    expect(watcher.events()).toEqual(['changed /same', 'children /same', 'created /notyet']);
  });

  test('2 sets persistent watches too, without an event', () => {
    watcher.must(setWatches2({ persistent: ['/a'], persistentRecursive: ['/z'] }));
    writer.must(setData('/a', 'x'), create('/z'), create('/z/1'));
    expect(watcher.events()).toEqual(['changed /a', 'created /z', 'created /z/1']);
  });

  test('with a null list does not decode', () => {
    expect(watcher.errorOf(setWatches({ exist: null }))).toBe('MARSHALLINGERROR');
    expect(watcher.errorOf(ask(105, (w) => w.int64(0)))).toBe('MARSHALLINGERROR');
  });
});

describe('watches of a connection that is gone', () => {
  test('are gone with it, though its session lives on', () => {
    watcher.must(addWatch('/', RECURSIVE), getData('/a', true));
    expect(world.serving.watches.size).toBe(2);
    watcher.transport.destroy();
    world.run();
    expect(world.serving.watches.size).toBe(0);
    const again = world.reattach(watcher);
    writer.must(setData('/a', 'x'));
    expect(again.events()).toEqual([]);
  });

  test('do not become those of the next connection, however many they are', () => {
    const paths = Array.from({ length: 3000 }, (_, i) => `/many${i}`);
    watcher.must(setWatches2({ persistent: paths }));
    expect(world.serving.watches.size).toBe(6000);
    watcher.transport.destroy();
    // Every look at the clock takes longer than a slice: one step of the sweep a turn.
    world.time.lookCostMs = 3;
    let slices = 0;
    const next: RawClient[] = [];
    while (world.serving.watches.size > 0 && slices++ < 1000) {
      world.time.turn();
      if (slices % 10 === 0) next.push(world.dial().connect());
    }
    world.time.lookCostMs = 0;
    world.run();
    next.push(world.client());
    writer.must(...paths.slice(0, 20).map((path) => create(path)));
    for (const client of next) expect(client.events()).toEqual([]);
  });
});
