// How long a session lives, and what goes with it.

import { sessionPassword } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { Database } from '../src/database.ts';
import { addWatch, create, exists, getData, ping, setData } from './support/asks.ts';
import { World } from './support/world.ts';

const TICK_MS = 2000;

/** What a restart finds: sessions 1 to `count`. */
function stateWith(count: number, timeoutMs: number): Database {
  const state = new Database(defaultServerConfig(), 1);
  for (let id = 1n; id <= count; id++) state.sessions.set(id, timeoutMs);
  return state;
}

describe('a session', () => {
  test('lives its timeout at least, and a tick and a sweep longer at most', async () => {
    const world = await World.start();
    const client = world.client({ timeoutMs: 5000 });
    const { sessions } = world.serving;
    world.advance(5000);
    expect(sessions.size).toBe(1);
    world.advance(TICK_MS + TICK_MS / 2);
    expect(sessions.size).toBe(0);
    expect(client.isClosed).toBe(true);
    expect(world.reattach(client).session?.timeoutMs).toBe(0);
  });

  test.each([
    ['a ping', ping()],
    ['a read', exists('/')],
    ['a write that fails', setData('/no', '')],
  ])('is kept alive by %s', async (_, request) => {
    const world = await World.start();
    const client = world.client({ timeoutMs: 5000 });
    for (let i = 0; i < 10; i++) {
      world.advance(4000);
      client.call(request);
    }
    expect(client.isClosed).toBe(false);
  });

  test('is kept alive by part of a frame', async () => {
    const world = await World.start();
    const client = world.client({ timeoutMs: 5000 });
    for (let i = 0; i < 3; i++) {
      world.advance(4000);
      client.sendBytes(Buffer.alloc(1));
      world.run();
    }
    expect(client.isClosed).toBe(false);
  });

  test('takes its ephemerals with it in one txn, with their events', async () => {
    const world = await World.start();
    const watcher = world.client({ timeoutMs: 40_000 });
    const client = world.client({ timeoutMs: 4000 });
    client.must(create('/e1', { flags: 1 }), create('/e2', { flags: 1 }), create('/p'));
    watcher.must(addWatch('/', 1));
    watcher.lines();
    const before = world.serving.tree.lastProcessedZxid;
    world.advance(8000);
    expect(watcher.events().sort()).toEqual(['deleted /e1', 'deleted /e2']);
    expect(watcher.frames.slice(-2).map(({ zxid }) => zxid)).toEqual([before + 1, before + 1]);
    expect(watcher.errorOf(exists('/p'))).toBe('OK');
  });

  test('that expires loses the requests that come too late', async () => {
    const world = await World.start();
    const client = world.client({ timeoutMs: 4000 });
    world.log.isHeld = true;
    // The sweep decides its end; the txn of it is not durable yet.
    world.advance(8000);
    client.send(create('/late'), exists('/'));
    expect(client.lines()).toEqual([]);
    world.log.release();
    world.run();
    expect(client.lines()).toEqual([]);
    expect(client.isClosed).toBe(true);
    world.log.isHeld = false;
    expect(world.client().errorOf(exists('/late'))).toBe('NONODE');
  });

  // A session of 8 s that asks, on its return, for less or more than the server gives.
  test.each([
    ['1 ms', 1, 2 * TICK_MS],
    ['1 h', 3_600_000, 20 * TICK_MS],
  ])(
    'that comes back and asks for %s lives as long as it is granted',
    async (_, asked, granted) => {
      const world = await World.start();
      const first = world.client({ timeoutMs: 8000 });
      const again = world.reattach(first, { timeoutMs: asked });
      expect(again.session?.timeoutMs).toBe(granted);
      world.advance(granted);
      expect(again.isClosed).toBe(false);
      world.advance(TICK_MS + TICK_MS / 2);
      expect(again.isClosed).toBe(true);
      expect(world.serving.sessions.size).toBe(0);
    },
  );

  test('of a client that left lives on until its time is up', async () => {
    const world = await World.start();
    const client = world.client({ timeoutMs: 4000 });
    client.must(create('/e', { flags: 1 }));
    client.transport.destroy();
    const other = world.client({ timeoutMs: 40_000 });
    expect(other.errorOf(exists('/e'))).toBe('OK');
    world.advance(8000);
    expect(other.errorOf(exists('/e'))).toBe('NONODE');
  });
});

describe('a process that stood still', () => {
  const INTERVAL_MS = TICK_MS / 2;

  /** The session's time is up, by the clock, when the process goes on. */
  async function standStill(intervals: number, hasPinged: boolean) {
    const world = await World.start();
    const client = world.client({ timeoutMs: 4000 });
    const [due] = world.serving.sessions.expiries();
    const untilDueMs = (due?.deadlineMs as number) - world.time.nowMs;
    world.advance(untilDueMs - 100);
    if (hasPinged) client.send(ping());
    world.time.standStill(100 + intervals * INTERVAL_MS);
    return { sessions: world.serving.sessions.size, isClosed: client.isClosed };
  }

  test.each([1, 1.5, 2, 3])(
    'for %d ticks of its timer expires nobody whose ping lies unread',
    async (intervals) => {
      expect(await standStill(intervals, true)).toEqual({ sessions: 1, isClosed: false });
      expect(await standStill(intervals, false)).toEqual({ sessions: 0, isClosed: true });
    },
  );
});

describe('after a restart', () => {
  test('every session has its whole timeout to come back', async () => {
    const world = await World.start({ state: stateWith(2, 5000) });
    world.advance(4000);
    const back = world.client({ sessionId: 1n, password: sessionPassword(1n), timeoutMs: 30_000 });
    expect(back.session).toMatchObject({ sessionId: 1n, timeoutMs: 30_000 });
    world.advance(6000);
    expect([...world.serving.sessions.values()].map(({ id }) => id)).toEqual([1n]);
  });

  test('ephemerals of a session that nobody knows are deleted by a txn', async () => {
    const first = await World.start();
    const client = first.client();
    client.must(create('/e', { flags: 1 }), create('/p'));
    const state = stateWith(0, 0);
    Object.assign(state, { tree: first.serving.tree });
    const again = await World.start({ state });
    const other = again.client();
    expect(other.errorOf(exists('/e'))).toBe('NONODE');
    expect(other.errorOf(exists('/p'))).toBe('OK');
    expect(again.serving.tree.lastProcessedZxid).toBe(5);
  });

  test('ephemerals of a session that is known stay', async () => {
    const first = await World.start();
    const client = first.client();
    client.must(create('/e', { flags: 1 }));
    const state = stateWith(0, 0);
    state.sessions.set(client.session?.sessionId as bigint, 10_000);
    Object.assign(state, { tree: first.serving.tree });
    const again = await World.start({ state });
    expect(again.client().errorOf(exists('/e'))).toBe('OK');
  });
});

test('10,000 sessions that are due at once are expired over many turns, others being served', async () => {
  const world = await World.start({ state: stateWith(10_000, 4000) });
  const client = world.client({ timeoutMs: 40_000 });
  world.log.isHeld = true;
  const { time, log } = world;
  const before = log.appendedZxid;
  // The sweep that finds them due, alone: the turns it asks for come below.
  time.nowMs = 3 * TICK_MS;
  client.send(getData('/'));
  const perTurn: number[] = [];
  let last = log.appendedZxid;
  const run = time.run.bind(time);
  time.run = () => {
    while (time.turn()) {
      perTurn.push(log.appendedZxid - last);
      last = log.appendedZxid;
    }
  };
  time.advance(2000);
  time.run = run;
  expect(log.appendedZxid - before).toBe(10_000);
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(200);
  expect(client.lines()).toEqual(['#1 OK']);
  log.isHeld = false;
  log.release();
  world.run();
  expect(world.serving.sessions.size).toBe(1);
});
