// A client of a server that only reads: what it may do, and how it finds one that writes.

import { type ConnectResponse, OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { backoff, type ConnectOptions, type State } from '../src/index.ts';
import {
  answerAll,
  grantSession,
  refuseSession,
  type ScriptedServer,
  type ServerRequest,
  stat,
  World,
  watched,
} from './world.ts';

const NOT_READONLY = -119;

/** A server without a quorum: reads, and takes only who says that this will do. */
function reads(server: ScriptedServer): void {
  server.script.handshake = (request, connection): ConnectResponse | undefined => {
    if (request.readOnly !== true) {
      connection.connection.destroy();
      return undefined;
    }
    return { ...grantSession(request), readOnly: true };
  };
  server.script.request = (request) => {
    const { connection, xid, type } = request;
    if (type === OpCode.setData) connection.reply(xid, NOT_READONLY);
    else answerAll(request);
  };
}

function writes(server: ScriptedServer): void {
  server.script.handshake = grantSession;
  server.script.request = answerAll;
}

/** Two servers, `a` and `b`, and a client that is connected to `a`. */
async function twoServers(options: Partial<ConnectOptions> = {}) {
  const world = new World();
  const a = await world.serve({}, 2181, 'a');
  const b = await world.serve({}, 2181, 'b');
  const states: State[] = [];
  const connectTo = async () => {
    const connecting = world.connecting({
      servers: 'a',
      readOnly: true,
      sessionTimeoutMs: 12_000,
      ...options,
    });
    await world.advance(100);
    const zk = await connecting;
    zk.on('state', (state) => states.push(state));
    zk.setServers('a,b');
    return zk;
  };
  return { world, a, b, states, connectTo };
}

/** A session that a quorum made, and whose client had to go to a server without one. */
async function cutOff(options: Partial<ConnectOptions> = {}) {
  const servers = await twoServers(options);
  const { world, a, b, states } = servers;
  writes(a);
  const zk = await servers.connectTo();
  reads(a);
  reads(b);
  a.last.connection.destroy();
  await world.advance(500);
  expect(zk.state).toMatchObject({ status: 'connected', readOnly: true });
  const [readOnly, other] = (zk.state as { server: string }).server === 'a:2181' ? [a, b] : [b, a];
  states.length = 0;
  return { ...servers, zk, readOnly, other };
}

describe('a session that a quorum made, on a server that only reads', () => {
  test('goes on with its id on a server that writes, without being suspended', async () => {
    const { world, zk, other, states, readOnly } = await cutOff();
    const { id } = zk.session;
    writes(other);
    await world.advance(5000);
    expect(zk.state).toMatchObject({ status: 'connected', readOnly: false });
    expect(zk.session).toMatchObject({ id, generation: 1 });
    expect(zk.session.signal.aborted).toBe(false);
    expect(other.last.handshake).toMatchObject({ sessionId: id, readOnly: false });
    expect(states.map(({ status }) => status)).toEqual(['connected']);
    expect(readOnly.last.isClosed).toBe(true);
    const setting = watched(zk.set('/a', 'x'));
    await world.settle();
    expect(setting.value).toBeDefined();
  });

  test('reads while it looks, and is told NOT_READONLY for a write', async () => {
    const { world, zk } = await cutOff();
    await world.advance(1000);
    const reading = watched(zk.get('/a'));
    const writing = watched(zk.set('/a', 'x'));
    await world.settle();
    expect(reading.value?.data.toString()).toBe('/a');
    expect(writing.error).toMatchObject({ code: 'NOT_READONLY', outcome: 'failed' });
  });

  test('with a retry policy a write waits for the server that writes', async () => {
    const { world, zk, other } = await cutOff({ retry: backoff({ attempts: 20, longestMs: 500 }) });
    const writing = watched(zk.set('/a', 'x'));
    await world.advance(2000);
    expect(writing.isSettled).toBe(false);
    writes(other);
    await world.advance(8000);
    expect(writing.value).toBeDefined();
  });

  test('looks less and less often, up to once a minute', async () => {
    const { world, other } = await cutOff();
    const before = other.connections.length;
    await world.advance(10_000);
    const early = other.connections.length - before;
    expect(early).toBeGreaterThanOrEqual(3);
    await world.advance(600_000);
    const late = other.connections.length - before - early;
    // Each try is for one of two servers.
    expect(late).toBeGreaterThanOrEqual(4);
    expect(late).toBeLessThanOrEqual(20);
  });

  test('sets its watches again on the server that writes, and streams say resync', async () => {
    const { world, zk, other, readOnly } = await cutOff();
    const opening = watched(zk.watch('/s'));
    const reading = watched(zk.get('/a', { watch: true }));
    await world.settle();
    expect([opening.error, reading.error]).toEqual([undefined, undefined]);
    const items: string[] = [];
    void (async () => {
      for await (const item of opening.value as NonNullable<typeof opening.value>) {
        items.push(item.type);
      }
    })();
    writes(other);
    await world.advance(5000);
    expect(other.last.types).toContain(OpCode.setWatches2);
    expect(items).toEqual(['resync', 'resync']);
    other.last.event(3, '/a');
    await world.settle();
    const event = watched((reading.value as { watch: { event: Promise<unknown> } }).watch.event);
    await world.settle();
    expect(event.value).toMatchObject({ type: 'changed' });
    expect(readOnly.last.isClosed).toBe(true);
  });

  test('a read that is on its way when the server changes is asked there again', async () => {
    const { world, zk, other, readOnly } = await cutOff();
    readOnly.script.request = () => {};
    const reading = watched(zk.get('/a'));
    writes(other);
    await world.advance(5000);
    expect(reading.value?.data.toString()).toBe('/a');
  });

  test('is over when the server that writes does not know it any more', async () => {
    const { world, zk, other } = await cutOff();
    const { session } = zk;
    other.script.handshake = (request) =>
      request.sessionId === session.id ? refuseSession() : grantSession(request);
    other.script.request = answerAll;
    await world.advance(8000);
    expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'server' });
    // Perhaps by way of a session of the server that only reads.
    expect(zk.session.generation).toBeGreaterThan(1);
    expect(zk.state).toMatchObject({ status: 'connected', readOnly: false });
  });

  test('is not kept alive by what a server without a quorum answers', async () => {
    const { world, zk } = await cutOff();
    const { safeUntil } = zk.session;
    await world.advance(5000);
    const reading = watched(zk.get('/a'));
    await world.settle();
    expect(reading.value).toBeDefined();
    expect(zk.session.safeUntil).toBe(safeUntil);
  });

  test('is not looked for any more when the client is closed', async () => {
    const { world, zk, other } = await cutOff();
    zk.detach();
    const before = other.connections.length;
    await world.advance(120_000);
    expect(other.connections.length).toBe(before);
    expect(world.runningTimers).toBe(0);
  });
});

describe('a session that a server without a quorum made', () => {
  test('is left for a new one on a server that writes', async () => {
    const { world, a, b, states, connectTo } = await twoServers();
    reads(a);
    const zk = await connectTo();
    expect(zk.state).toMatchObject({ status: 'connected', readOnly: true });
    const { session } = zk;
    const reading = watched(zk.get('/a', { watch: true }));
    await world.settle();
    const { watch } = reading.value as { watch: { event: Promise<unknown> } };
    const event = watched(watch.event);
    writes(b);
    await world.advance(5000);
    expect(b.last.handshake).toMatchObject({ sessionId: 0n, readOnly: false });
    expect(zk.state).toMatchObject({ status: 'connected', server: 'b:2181', readOnly: false });
    expect(zk.session.generation).toBe(2);
    expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED' });
    expect(event.error).toMatchObject({ code: 'SESSION_EXPIRED' });
    expect(states.map(({ status }) => status)).toEqual(['expired', 'connecting', 'connected']);
  });

  test("is kept where onExpire is 'close'", async () => {
    const { world, a, b, connectTo } = await twoServers({ onExpire: 'close' });
    reads(a);
    const zk = await connectTo();
    writes(b);
    await world.advance(10_000);
    expect(zk.state).toMatchObject({ status: 'connected', readOnly: true });
    expect(b.connections).toHaveLength(0);
  });
});

test('a client that did not ask for it is not given a server that only reads', async () => {
  const world = new World();
  const server = await world.serve();
  reads(server);
  const connecting = watched(world.connecting({ establishTimeoutMs: 1000 }));
  await world.advance(1000);
  expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS' });
  expect(server.connections[0]?.handshake).toMatchObject({ readOnly: false });
});

test('the one server that there is may be asked whether it writes', async () => {
  const world = new World();
  const server = await world.serve();
  reads(server);
  const zk = await world.connect({ readOnly: true });
  const requests: ServerRequest[] = [];
  writes(server);
  server.script.request = (request) => {
    requests.push(request);
    request.connection.reply(request.xid, 0, stat);
  };
  await world.advance(5000);
  expect(zk.state).toMatchObject({ readOnly: false });
});

test('what waits while it logs in on the server that writes is not lost when the login fails', async () => {
  const logins: ((error: Error | undefined) => void)[] = [];
  const { world, zk, other } = await cutOff({
    sasl: {
      name: 'BY-HAND',
      begin: () => ({
        next: () =>
          new Promise((resolve, reject) => {
            const done = (error: Error | undefined): void =>
              error === undefined ? resolve(undefined) : reject(error);
            // Until the client is on the server that only reads, all goes by itself.
            if (logins.length < 2) done(undefined);
            logins.push(done);
          }),
      }),
    },
  });
  writes(other);
  await world.advance(3000);
  expect(logins).toHaveLength(3);
  const calls = [watched(zk.get('/a')), watched(zk.set('/a', 'x'))];
  await world.settle();
  expect(calls.map(({ isSettled }) => isSettled)).toEqual([false, false]);
  logins[2]?.(new Error('no ticket any more'));
  await world.advance(1000);
  for (const login of logins.slice(3)) login(undefined);
  await world.advance(5000);
  for (const login of logins.slice(3)) login(undefined);
  await world.advance(1000);
  expect(calls.map(({ isSettled }) => isSettled)).toEqual([true, true]);
  expect(calls[0]?.value).toBeDefined();
});
