// What is tried again, and what is found again: nothing is ever carried out twice.

import { OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import {
  backoff,
  type Client,
  type OneShot,
  type RetryPolicy,
  type WatchStream,
  type ZkError,
} from '../src/index.ts';
import { protectedPath, protectionId } from '../src/protected-create.ts';
import { refuseSession, type ServerRequest, stat, World, watched, znode } from './world.ts';

/** A server with sequential znodes below `/l`, whose reply to a create may be lost. */
async function lockServer() {
  const world = new World();
  const names: string[] = [];
  const fates: ('answer' | 'apply and cut' | 'cut')[] = [];
  const server = await world.serve();
  server.script.request = ({ connection, xid, type, body }) => {
    switch (type) {
      case OpCode.create2: {
        const fate = fates.shift() ?? 'answer';
        if (fate !== 'cut') {
          const name = `${body.string()?.slice(3)}${String(names.length).padStart(10, '0')}`;
          names.push(name);
          if (fate === 'answer') {
            connection.reply(xid, 0, (writer) => {
              writer.string(`/l/${name}`);
              stat(writer);
            });
          }
        }
        if (fate !== 'answer') connection.connection.destroy();
        break;
      }
      case OpCode.getChildren2:
        connection.reply(xid, 0, (writer) => {
          writer.stringVector(names);
          stat(writer);
        });
        break;
      case OpCode.exists:
        connection.reply(xid, 0, stat);
        break;
      default:
        connection.reply(xid);
    }
  };
  const zk = await world.connect();
  return { world, server, zk, names, fates };
}

const lock = { mode: 'ephemeral', sequential: true, protected: true } as const;

describe('a protected create', () => {
  test('has its id in the name, as Curator writes it', async () => {
    expect(protectedPath('/locks/lock-', 'ID')).toBe('/locks/_c_ID-lock-');
    expect(protectedPath('/top', 'ID')).toBe('/_c_ID-top');
    expect(protectionId(() => 0.5)).toBe('80000000-8000-0000-8000-000080000000');
    const { world, zk } = await lockServer();
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.settle();
    expect(creating.value).toMatchObject({
      path: expect.stringMatching(/^\/l\/_c_[0-9a-f-]{36}-lock-0000000000$/),
      sequence: 0,
    });
  });

  test('whose reply was lost is found again: there is one znode', async () => {
    const { world, zk, names, fates } = await lockServer();
    fates.push('apply and cut');
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.advance(1000);
    expect(creating.value).toMatchObject({ path: `/l/${names[0]}`, sequence: 0 });
    expect(creating.value?.session).toBe(zk.session);
    expect(names).toHaveLength(1);
  });

  test('that did not happen is made by the next try, under the same id', async () => {
    const { world, zk, names, fates } = await lockServer();
    fates.push('cut', 'cut', 'apply and cut');
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.advance(5000);
    expect(creating.value?.path).toBe(`/l/${names[0]}`);
    expect(names).toHaveLength(1);
  });

  test('is not taken for that of another', async () => {
    const { world, zk, names, fates } = await lockServer();
    names.push('_c_00000000-0000-0000-0000-000000000000-lock-0000000000');
    fates.push('cut');
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.advance(1000);
    expect(creating.value).toMatchObject({ path: `/l/${names[1]}`, sequence: 1 });
  });

  test('of an ephemeral znode whose session ended is SESSION_EXPIRED, and not made again', async () => {
    const { world, server, zk, names, fates } = await lockServer();
    fates.push('apply and cut');
    server.script.handshake = refuseSession;
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.advance(200);
    server.script.handshake = undefined as never;
    await world.advance(5000);
    expect(zk.session.generation).toBe(2);
    expect(creating.error).toMatchObject({ code: 'SESSION_EXPIRED', op: 'create' });
    expect(names).toHaveLength(1);
  });

  test('that was refused is refused', async () => {
    const { world, server, zk } = await lockServer();
    server.script.request = ({ connection, xid }) => connection.reply(xid, -101);
    const creating = watched(zk.create('/l/lock-', '', lock));
    await world.settle();
    expect(creating.error).toMatchObject({ code: 'NO_NODE' });
  });
});

/** Answers from the front of a list: an error number, a znode, or a cut connection. */
async function answering(answers: (number | 'cut')[], retry: RetryPolicy | undefined = undefined) {
  const world = new World();
  const asked: ServerRequest[] = [];
  const server = await world.serve();
  server.script.request = (request) => {
    asked.push(request);
    const answer = answers.shift() ?? 0;
    if (answer === 'cut') request.connection.connection.destroy();
    else
      request.connection.reply(
        request.xid,
        answer,
        request.type === OpCode.getData ? znode('x') : stat,
      );
  };
  const zk = await world.connect({ retry });
  return { world, zk, asked };
}

const THROTTLED = -127;
const MOVED = -118;

describe('a retry policy', () => {
  test('is asked after each failure that passes, with its number, and waits as it says', async () => {
    const seen: [number, number, string, string][] = [];
    const { world, zk, asked } = await answering([THROTTLED, MOVED, 0], {
      next(attempt, elapsedMs, error: ZkError) {
        seen.push([attempt, elapsedMs, error.code, error.outcome]);
        return attempt * 100;
      },
    });
    const setting = watched(zk.set('/a', 'x'));
    await world.advance(99);
    expect(asked).toHaveLength(1);
    await world.advance(300);
    expect(setting.isSettled).toBe(true);
    expect(setting.error).toBeUndefined();
    expect(seen).toEqual([
      [1, 0, 'THROTTLED', 'failed'],
      [2, 100, 'SESSION_MOVED', 'failed'],
    ]);
  });

  test.each<[string, (zk: Client) => Promise<unknown>]>([
    ['set', (zk) => zk.set('/a', 'x')],
    ['create', (zk) => zk.create('/a', 'x')],
    ['multi', (zk) => zk.multi([{ op: 'delete', path: '/a' }])],
  ])('is not asked about a %s whose outcome is unknown', async (_, call) => {
    const { world, zk, asked } = await answering(['cut'], { next: () => expect.unreachable() });
    const calling = watched(call(zk));
    await world.advance(5000);
    expect(calling.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
    expect(asked).toHaveLength(1);
  });

  test.each([-101, -102, -103, -110])('is not asked about an answer such as %i', async (errno) => {
    const { world, zk, asked } = await answering([errno], { next: () => expect.unreachable() });
    const calling = watched(zk.get('/a'));
    await world.advance(1000);
    expect(calling.error).toMatchObject({ errno });
    expect(asked).toHaveLength(1);
  });

  test('holds for a read after a sync, too', async () => {
    const { world, zk, asked } = await answering([THROTTLED], backoff());
    const reading = watched(zk.get('/a', { consistency: 'synced' }));
    await world.advance(1000);
    expect(reading.value?.data.toString()).toBe('x');
    expect(asked.map(({ type }) => type)).toEqual([
      OpCode.sync,
      OpCode.getData,
      OpCode.sync,
      OpCode.getData,
    ]);
  });

  test('of a call comes before that of the client, false is none', async () => {
    const { world, zk, asked } = await answering([THROTTLED, THROTTLED, THROTTLED], backoff());
    const once = watched(zk.get('/a', { retry: false }));
    await world.advance(1000);
    expect([once.error, asked.length]).toMatchObject([{ code: 'THROTTLED' }, 1]);
    const twice = watched(zk.get('/a', { retry: backoff({ attempts: 2, firstMs: 1 }) }));
    await world.advance(1000);
    expect([twice.error, asked.length]).toMatchObject([{ code: 'THROTTLED' }, 3]);
  });

  test('a read that leaves a watch is tried again, and one event comes of it', async () => {
    const { world, zk, asked } = await answering([THROTTLED, MOVED], backoff());
    const reading = watched(zk.get('/a', { watch: true }));
    await world.advance(1000);
    expect(asked.map(({ type }) => type)).toEqual(Array(3).fill(OpCode.getData));
    const event = watched((reading.value as { watch: OneShot }).watch.event);
    asked.at(-1)?.connection.event(3, '/a');
    await world.settle();
    expect(event.value).toMatchObject({ type: 'changed', path: '/a' });
  });

  test('a watch whose first reply comes too late is set once, and not taken away under the second', async () => {
    const world = new World();
    const server = await world.serve();
    const zk = await world.connect({ retry: backoff(), requestTimeoutMs: 1000 });
    const reading = watched(zk.get('/a', { watch: true }));
    // The first try has timed out, the second is on its way.
    await world.advance(1200);
    const [late, second] = [server.last.take(OpCode.getData), server.last.take(OpCode.getData)];
    server.last.reply(late.xid, 0, znode('x'));
    await world.settle();
    expect(server.last.types).toEqual([]);
    server.last.reply(second.xid, 0, znode('x'));
    await world.settle();
    const { watch } = reading.value as { watch: OneShot };
    watch[Symbol.dispose]();
    await world.settle();
    expect(server.last.types).toEqual([OpCode.removeWatches]);
  });

  test('a watch whose late reply comes between two tries is taken away, and set by the next', async () => {
    const world = new World();
    const server = await world.serve();
    const zk = await world.connect({ retry: backoff({ firstMs: 500 }), requestTimeoutMs: 1000 });
    const reading = watched(zk.get('/a', { watch: true }));
    await world.advance(1100);
    server.last.reply(server.last.take(OpCode.getData).xid, 0, znode('x'));
    await world.settle();
    server.last.reply(server.last.take(OpCode.removeWatches).xid);
    await world.advance(500);
    server.last.reply(server.last.take(OpCode.getData).xid, 0, znode('y'));
    await world.settle();
    const event = watched((reading.value as { watch: OneShot }).watch.event);
    server.last.event(3, '/a');
    await world.settle();
    expect(event.value).toMatchObject({ type: 'changed' });
  });

  test('a stream is opened once, however many tries it takes', async () => {
    const { world, zk, asked } = await answering([THROTTLED, THROTTLED], backoff());
    const opening = watched(zk.watch('/a'));
    await world.advance(1000);
    expect(asked.map(({ type }) => type)).toEqual(Array(3).fill(OpCode.addWatch));
    const stream = opening.value as WatchStream;
    const items = stream[Symbol.asyncIterator]();
    expect((await items.next()).value).toMatchObject({ type: 'resync', reason: 'established' });
    asked.at(-1)?.connection.event(3, '/a');
    await world.settle();
    expect((await items.next()).value).toMatchObject({ type: 'changed' });
    const next = watched(items.next());
    await world.settle();
    expect(next.isSettled).toBe(false);
  });

  test('waits no longer when the signal aborts, and leaves no timer', async () => {
    const { world, zk } = await answering([THROTTLED]);
    const controller = new AbortController();
    const { signal } = controller;
    const before = world.runningTimers;
    const calling = watched(zk.get('/a', { signal, retry: { next: () => 60_000 } }));
    await world.settle();
    controller.abort();
    await world.settle();
    expect(calling.error).toMatchObject({ code: 'ABORTED' });
    expect(world.runningTimers).toBe(before);
  });

  test('backoff doubles, is bounded, and ends', () => {
    const { next } = backoff({ attempts: 6, firstMs: 100, longestMs: 500 });
    expect([1, 2, 3, 4, 5, 6].map((attempt) => next(attempt, 0, undefined as never))).toEqual([
      100,
      200,
      400,
      500,
      500,
      undefined,
    ]);
  });
});

test('an update under contention reads again until nobody was faster', async () => {
  const world = new World();
  let version = 0;
  let value = 0;
  const server = await world.serve();
  server.script.request = ({ connection, xid, type, body }) => {
    if (type === OpCode.getData) {
      connection.reply(xid, 0, (writer) => {
        writer.buffer(Buffer.from(String(value)));
        for (const zxid of [1, 1, 1, 1]) writer.int64(zxid);
        writer.int32(version);
        writer.int32(0);
        writer.int32(0);
        writer.int64(0);
        writer.int32(1);
        writer.int32(0);
        writer.int64(1);
      });
    } else if (type === OpCode.setData) {
      body.string();
      const data = Buffer.from(body.buffer() as Uint8Array);
      if (body.int32() !== version) {
        connection.reply(xid, -103);
        return;
      }
      version++;
      value = Number(data.toString());
      connection.reply(xid, 0, stat);
    } else connection.reply(xid);
  };
  const zk = await world.connect();
  const adding = Promise.all(
    Array.from({ length: 20 }, () =>
      zk.update('/n', ({ data }) => String(Number(String(data)) + 1)),
    ),
  );
  await world.settle();
  await adding;
  expect([value, version]).toEqual([20, 20]);
});
