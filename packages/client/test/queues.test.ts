// What waits, for how long, and how a caller learns that there is room again.

import { OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { Deadlines } from '../src/deadlines.ts';
import { answerAll, World, watched } from './world.ts';

describe('time limits', () => {
  test('a thousand requests with one take one timer', async () => {
    const world = new World();
    await world.serve();
    const zk = await world.connect({ requestTimeoutMs: 1000 });
    const before = world.runningTimers;
    const all = Array.from({ length: 1000 }, () => watched(zk.get('/a')));
    await world.settle();
    expect(world.runningTimers).toBe(before + 1);
    await world.advance(1000);
    expect(all.every(({ error }) => (error as { code?: string }).code === 'TIMEOUT')).toBe(true);
  });

  test('requests that are answered one by one take one timer, too, and it ends', async () => {
    const world = new World();
    await world.serve({ request: answerAll });
    const zk = await world.connect({ requestTimeoutMs: 1000 });
    let timers = 0;
    const { setTimer } = world.environment;
    Object.assign(world.environment, {
      setTimer: (callback: () => void, ms: number) => {
        if (ms === 1000) timers++;
        return setTimer(callback, ms);
      },
    });
    const before = world.runningTimers;
    for (let i = 0; i < 100; i++) {
      const reading = watched(zk.get('/a'));
      await world.settle();
      expect(reading.value).toBeDefined();
    }
    expect(timers).toBe(1);
    await world.advance(3000);
    expect(world.runningTimers).toBe(before);
  });

  test('each of many durations expires at its own time, in the order of time', async () => {
    const world = new World();
    const deadlines = new Deadlines(world.environment);
    const fired: string[] = [];
    deadlines.add(300, () => fired.push(`a at ${world.now}`));
    deadlines.add(100, () => fired.push(`b at ${world.now}`));
    const cancel = deadlines.add(100, () => fired.push('never'));
    await world.advance(50);
    deadlines.add(100, () => fired.push(`c at ${world.now}`));
    cancel();
    cancel();
    await world.advance(1000);
    expect(fired).toEqual(['b at 100', 'c at 150', 'a at 300']);
    expect(world.runningTimers).toBe(0);
  });

  test('what is over does not pile up behind a request that lasts', async () => {
    const world = new World();
    const deadlines = new Deadlines(world.environment);
    let fired = 0;
    deadlines.add(60_000, () => fired++);
    for (let i = 0; i < 100_000; i++) deadlines.add(60_000, () => fired++)();
    const lanes = (deadlines as unknown as { lanes: Map<number, { entries: unknown[] }> }).lanes;
    expect(lanes.get(60_000)?.entries.length).toBeLessThan(2000);
    await world.advance(60_000);
    expect(fired).toBe(1);
    deadlines.add(10, () => fired++);
    deadlines.stop();
    expect(world.runningTimers).toBe(0);
  });
});

describe('drained', () => {
  test('resolves at once where there is room', async () => {
    const world = new World();
    await world.serve({ request: answerAll });
    const zk = await world.connect();
    const waiting = watched(zk.drained());
    await world.settle();
    expect(waiting).toMatchObject({ isSettled: true, value: undefined });
  });

  test('waits for a connection while calls wait for one, and then nothing was refused', async () => {
    const world = new World();
    const server = await world.serve({ request: answerAll });
    const zk = await world.connect({ maxQueuedBytes: 10_000 });
    server.listener?.stopAccepting();
    server.last.connection.destroy();
    await world.settle();
    const calls = Array.from({ length: 4 }, () => watched(zk.set('/a', Buffer.alloc(2000))));
    const waiting = watched(zk.drained());
    await world.advance(1000);
    expect(waiting.isSettled).toBe(false);
    expect(calls.map(({ error }) => error)).toEqual(Array(4).fill(undefined));
    await world.serve({ request: answerAll });
    await world.advance(2000);
    expect(waiting).toMatchObject({ isSettled: true });
    expect(calls.every(({ value }) => value !== undefined)).toBe(true);
  });

  test('waits for a peer that reads slowly', async () => {
    const world = new World();
    const server = await world.serve();
    const zk = await world.connect({ maxQueuedBytes: 4_000_000 });
    server.last.connection.pause();
    const data = Buffer.alloc(500_000);
    const calls = Array.from({ length: 7 }, () => watched(zk.set('/a', data)));
    await world.settle();
    const waiting = watched(zk.drained());
    await world.settle();
    expect(waiting.isSettled).toBe(false);
    server.last.connection.resume();
    await world.settle();
    expect(waiting.isSettled).toBe(true);
    expect(calls.map(({ error }) => error)).toEqual(Array(7).fill(undefined));
    expect(server.last.types.filter((type) => type === OpCode.setData)).toHaveLength(7);
  });

  test('ends with the client, with its signal, and at once when either is over', async () => {
    const world = new World();
    const server = await world.serve();
    const zk = await world.connect({ maxQueuedBytes: 10_000 });
    server.listener?.stopAccepting();
    server.last.connection.destroy();
    await world.settle();
    void zk.set('/a', Buffer.alloc(8000)).catch(() => {});
    const controller = new AbortController();
    const aborted = watched(zk.drained({ signal: controller.signal }));
    const closed = watched(zk.drained());
    await world.settle();
    controller.abort();
    await world.settle();
    expect(aborted.error).toMatchObject({ code: 'ABORTED', op: 'drained' });
    const late = watched(zk.drained({ signal: controller.signal }));
    await world.settle();
    expect(late.error).toMatchObject({ code: 'ABORTED' });
    zk.detach();
    await world.settle();
    expect(closed.error).toMatchObject({ code: 'CLOSED' });
    const after = watched(zk.drained());
    await world.settle();
    expect(after.error).toMatchObject({ code: 'CLOSED' });
  });
});

test('replies are decoded where the socket put them: one chunk, no copy of it', async () => {
  const world = new World();
  const server = await world.serve();
  const zk = await world.connect();
  const reading = watched(zk.get('/a'));
  await world.settle();
  const concat = Buffer.concat;
  let copies = 0;
  Buffer.concat = (...args) => {
    copies++;
    return concat(...args);
  };
  try {
    answerAll(server.last.take(OpCode.getData));
    await world.settle();
  } finally {
    Buffer.concat = concat;
  }
  expect(reading.value?.data.toString()).toBe('/a');
  expect(copies).toBe(0);
});
