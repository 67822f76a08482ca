// What is told through node:diagnostics_channel, and the bridge to OpenTelemetry of the examples.

import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { OpCode } from '@zebu/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { type SpanLike, traceCalls } from '../examples/opentelemetry.ts';
import { backoff, type RequestTrace } from '../src/index.ts';
import { answerAll, refuseSession, World, watched, znode } from './world.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

function messagesOf(name: string): unknown[] {
  const messages: unknown[] = [];
  const listener = (message: unknown): void => void messages.push(message);
  subscribe(name, listener);
  undo.push(() => unsubscribe(name, listener));
  return messages;
}

/** What `zebu:request` says, in order. */
function requestEvents(): [string, RequestTrace][] {
  const events: [string, RequestTrace][] = [];
  const on = (name: string) => (message: unknown) =>
    void events.push([name, { ...(message as RequestTrace) }]);
  const subscribers = {
    start: on('start'),
    end: on('end'),
    asyncStart: on('asyncStart'),
    asyncEnd: on('asyncEnd'),
    error: on('error'),
  };
  const channel = tracingChannel('zebu:request');
  channel.subscribe(subscribers);
  undo.push(() => channel.unsubscribe(subscribers));
  return events;
}

describe('zebu:request', () => {
  test('tells of a call that succeeds: what, where, and its result', async () => {
    const world = new World();
    await world.serve({ request: answerAll });
    const zk = await world.connect();
    const events = requestEvents();
    const reading = watched(zk.get('/a'));
    expect(events.map(([name]) => name)).toEqual(['start', 'end']);
    expect(events[0]?.[1]).toMatchObject({ op: 'get', path: '/a', server: 'zk:2181' });
    expect(events[0]?.[1].session).toBe(zk.session);
    await world.settle();
    expect(events.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(events[3]?.[1]).toMatchObject({ tries: 1, result: reading.value });
  });

  test('tells of one that fails, and names the line that awaits it all the same', async () => {
    const world = new World();
    await world.serve({ request: ({ connection, xid }) => connection.reply(xid, -101) });
    const zk = await world.connect();
    const events = requestEvents();
    async function theCaller() {
      await zk.get('/missing');
    }
    const reading = watched(theCaller());
    await world.settle();
    const [, failed] = events.find(([name]) => name === 'error') ?? [];
    expect(failed?.error).toBe(reading.error);
    expect(reading.error?.stack).toMatch(/theCaller/);
  });

  test('counts the tries of a policy as one call, and a synced read as one', async () => {
    const world = new World();
    const answers = [-127, -127, 0];
    await world.serve({
      request: ({ connection, xid, type }) =>
        type === OpCode.sync
          ? connection.reply(xid)
          : connection.reply(xid, answers.shift() ?? 0, znode('x')),
    });
    const zk = await world.connect({ retry: backoff() });
    const events = requestEvents();
    const reading = watched(zk.get('/a', { consistency: 'synced' }));
    await world.advance(1000);
    expect(reading.value).toBeDefined();
    expect(events.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(events.at(-1)?.[1].tries).toBe(3);
  });

  test('says which session and server a call ended with', async () => {
    const world = new World();
    const server = await world.serve();
    const zk = await world.connect();
    const events = requestEvents();
    const reading = watched(zk.get('/a'));
    await world.settle();
    server.script.handshake = (request) =>
      request.sessionId === 0n
        ? {
            protocolVersion: 0,
            timeoutMs: 5000,
            sessionId: 77n,
            password: Buffer.alloc(16),
            readOnly: false,
          }
        : refuseSession();
    server.script.request = answerAll;
    server.last.connection.destroy();
    await world.advance(1000);
    expect(reading.value).toBeDefined();
    expect(events[0]?.[1].session?.generation).toBe(1);
    expect(events.at(-1)?.[1].session?.id).toBe(77n);
  });

  test('carries the async context of the caller, as spans need it', async () => {
    const world = new World();
    await world.serve({ request: answerAll });
    const zk = await world.connect();
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const see = (): void => void seen.push(storage.getStore());
    const subscribers = { start: see, end() {}, asyncStart() {}, asyncEnd: see, error() {} };
    const channel = tracingChannel('zebu:request');
    channel.subscribe(subscribers);
    undo.push(() => channel.unsubscribe(subscribers));
    storage.run('the caller', () => void zk.get('/a'));
    await world.settle();
    expect(seen).toEqual(['the caller', 'the caller']);
  });
});

test('states, sessions, attempts and watches have channels of their own', async () => {
  const world = new World();
  const server = await world.serve({ request: answerAll });
  const [states, sessions, attempts, watches] = ['state', 'session', 'attempt', 'watch'].map(
    (name) => messagesOf(`zebu:${name}`),
  ) as [unknown[], unknown[], unknown[], unknown[]];
  const zk = await world.connect({ servers: 'zk:2181/app' });
  server.last.event(3, '/app/a');
  await world.settle();
  expect(watches).toEqual([
    { type: 'changed', path: '/app/a', zxid: expect.any(Number), session: zk.session },
  ]);
  server.listener?.stopAccepting();
  server.last.connection.destroy();
  await world.advance(1000);
  expect(states.map((message) => (message as { state: { status: string } }).state.status)).toEqual([
    'connected',
    'suspended',
  ]);
  expect(sessions).toEqual([zk.session]);
  expect(attempts.length).toBeGreaterThan(0);
  expect(attempts[0]).toMatchObject({ server: 'zk:2181', attempt: 1 });
});

test('a subscriber that throws does no harm to the client', async () => {
  const world = new World();
  await world.serve({ request: answerAll });
  const thrown: unknown[] = [];
  const keep = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  undo.push(() => {
    process.removeAllListeners('uncaughtException');
    for (const one of keep) process.on('uncaughtException', one);
  });
  const listener = (): void => {
    throw new Error('of the subscriber');
  };
  subscribe('zebu:state', listener);
  undo.push(() => unsubscribe('zebu:state', listener));
  const zk = await world.connect();
  const reading = watched(zk.get('/a'));
  await world.settle();
  expect(reading.value).toBeDefined();
  await expect.poll(() => thrown.length).toBeGreaterThan(0);
});

test('the bridge to OpenTelemetry makes a span of each call', async () => {
  const world = new World();
  await world.serve({
    request: (request) =>
      request.type === OpCode.setData
        ? request.connection.reply(request.xid, -103)
        : answerAll(request),
  });
  const zk = await world.connect();
  const spans: { name: string; attributes: Record<string, unknown>; said: unknown[] }[] = [];
  const tracing = traceCalls({
    startSpan(name, { attributes }) {
      const span = {
        name,
        attributes: { ...attributes } as Record<string, unknown>,
        said: [] as unknown[],
      };
      spans.push(span);
      return {
        setAttribute: (key, value) => Object.assign(span.attributes, { [key]: value }),
        recordException: (error) => span.said.push(error.message),
        setStatus: ({ code }) => span.said.push(code),
        end: () => span.said.push('end'),
      } satisfies SpanLike;
    },
  });
  const calls = Promise.allSettled([zk.get('/a'), zk.set('/a', 'x', { version: 7 })]);
  await world.settle();
  await calls;
  tracing.stop();
  watched(zk.get('/unseen'));
  await world.settle();
  expect(spans).toMatchObject([
    {
      name: 'zookeeper get',
      attributes: { 'zookeeper.path': '/a', 'server.address': 'zk:2181', 'zookeeper.tries': 1 },
      said: ['end'],
    },
    {
      name: 'zookeeper set',
      attributes: { 'error.type': 'BAD_VERSION', 'zookeeper.outcome': 'failed' },
      said: [expect.stringContaining('/a'), 2, 'end'],
    },
  ]);
});
