import { ErrorCode, EventType, OpCode, readSetWatchesRequest, Xid } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import type { Client, WatchItem } from '../src/index.ts';
import { ZkError } from '../src/index.ts';
import {
  answerAll,
  refuseSession,
  replyFrame,
  type ScriptedServer,
  stat,
  World,
  watched,
  znode,
} from './world.ts';

/** A world with one server and a client that is connected to it. */
async function connected(options: Parameters<World['connect']>[0] = {}) {
  const world = new World();
  const server = await world.serve();
  const zk = await world.connect(options);
  return { world, server, zk };
}

/** A stream of the path, read by a loop. */
async function watching(world: World, zk: Client, path: string) {
  const opening = zk.watch(path);
  await world.settle();
  const stream = await opening;
  const items: WatchItem[] = [];
  const reading = (async () => {
    for await (const item of stream) items.push(item);
  })();
  const end = watched(reading);
  await world.settle();
  return { items, end };
}

async function cutConnection(world: World, server: ScriptedServer): Promise<void> {
  server.last.connection.destroy();
  await world.advance(500);
}

describe('requests', () => {
  test('calls of one turn leave in one write', async () => {
    const { world, server, zk } = await connected();
    const reads = server.last.reads;
    const all = [zk.get('/a'), zk.set('/a', 'x'), zk.exists('/a')];
    await world.settle();
    expect(server.last.reads).toBe(reads + 1);
    expect(server.last.types).toEqual([OpCode.getData, OpCode.setData, OpCode.exists]);
    for (const request of server.last.requests.splice(0)) answerAll(request);
    await world.settle();
    await Promise.all(all);
  });

  test('results are copies: the read buffer is used again', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const first = watched(zk.get('/first'));
    await world.settle();
    const second = watched(zk.get('/second'));
    await world.settle();
    expect(first.value?.data.toString()).toBe('/first');
    expect(second.value?.data.toString()).toBe('/second');
  });

  test('data is written as it was when the call was made', async () => {
    const { world, server, zk } = await connected();
    const data = Buffer.from('before');
    void zk.set('/a', data);
    data.fill('x');
    await world.settle();
    const { body } = server.last.take(OpCode.setData);
    expect([body.string(), body.buffer()?.toString()]).toEqual(['/a', 'before']);
    server.last.reply(1, 0, znode(''));
  });

  test('a code that nobody knows is an error with its number', async () => {
    const { world, server, zk } = await connected();
    server.script.request = ({ connection, xid }) => connection.reply(xid, -126);
    const outcome = watched(zk.get('/a'));
    await world.settle();
    expect(outcome.error).toMatchObject({ code: 'SERVER_OTHER', errno: -126, path: '/a' });
  });

  test('50,000 replies in one chunk are all taken', async () => {
    const { world, server, zk } = await connected();
    const count = 50_000;
    const all = watched(Promise.all(Array.from({ length: count }, () => zk.get('/a'))));
    await world.settle();
    const frames = server.last.requests.map(({ xid }) => replyFrame(xid, 2, 0, znode('v')));
    expect(frames).toHaveLength(count);
    server.last.send(Buffer.concat(frames));
    await world.settle();
    expect(all.value).toHaveLength(count);
  });

  test('a request that is given up keeps its place in the order of replies', async () => {
    const { world, server, zk } = await connected();
    const slow = watched(zk.get('/slow', { timeoutMs: 100 }));
    const next = watched(zk.get('/next'));
    await world.advance(100);
    expect(slow.error).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown', path: '/slow' });
    for (const request of server.last.requests.splice(0)) answerAll(request);
    await world.settle();
    expect(next.value?.data.toString()).toBe('/next');
  });

  test('requestTimeoutMs holds for all calls', async () => {
    const { world, zk } = await connected({ requestTimeoutMs: 1000 });
    const outcome = watched(zk.set('/a', ''));
    await world.advance(999);
    expect(outcome.isSettled).toBe(false);
    await world.advance(1);
    expect(outcome.error).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' });
  });

  test('more than maxQueuedBytes is refused, and nothing of it is sent', async () => {
    const { world, server, zk } = await connected({ maxQueuedBytes: 5000 });
    const outcomes = [1, 2, 3].map(() => watched(zk.set('/a', Buffer.alloc(2000))));
    await world.settle();
    expect(outcomes[2]?.error).toMatchObject({ code: 'QUEUE_FULL', outcome: 'not-sent' });
    expect(server.last.types).toEqual([OpCode.setData, OpCode.setData]);
  });

  test('a reply for another request ends the connection, not the client', async () => {
    const { world, server, zk } = await connected();
    const outcome = watched(zk.set('/a', ''));
    await world.settle();
    server.last.reply(4711);
    await world.advance(500);
    expect(outcome.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
    expect(server.connections).toHaveLength(2);
    expect(zk.state.status).toBe('connected');
  });

  test.each([
    ['a frame of a negative length', Buffer.from('ffffffff', 'hex')],
    ['a frame of a gigabyte', Buffer.from('40000000', 'hex')],
    ['a reply that ends within its header', Buffer.from('0000000400000001', 'hex')],
    ['a body that ends too early', replyFrame(1, 2, 0, (writer) => writer.int32(100))],
    ['an event that ends too early', replyFrame(Xid.notification, 2, 0)],
  ])('%s ends the connection, not the client', async (_, bytes) => {
    const { world, server, zk } = await connected();
    const outcome = watched(zk.get('/a', { retry: false }));
    await world.settle();
    server.last.send(bytes);
    await world.advance(500);
    expect(outcome.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
    expect(zk.state.status).toBe('connected');
  });
});

describe('a lost connection', () => {
  test('the session goes on with its id, password and last zxid', async () => {
    const { world, server, zk } = await connected();
    const { id } = zk.session;
    server.last.reply(Xid.ping, 0, undefined, 0x500000007);
    await world.settle();
    await cutConnection(world, server);
    expect(server.connections).toHaveLength(2);
    expect(server.last.handshake).toMatchObject({ sessionId: id, lastZxidSeen: 0x500000007n });
    expect(server.last.handshake?.password).toEqual(Buffer.alloc(16, 7));
    expect(zk.session.id).toBe(id);
    expect(zk.session.generation).toBe(1);
  });

  test('what a server that says goodbye has not answered goes to the next one in order, writes too', async () => {
    const { world, server, zk } = await connected();
    const answered = watched(zk.set('/a', 'first'));
    const written = watched(zk.set('/a', 'second'));
    const read = watched(zk.get('/a', { retry: false }));
    await world.settle();
    server.last.reply(server.last.take().xid, 0, stat);
    server.last.reply(Xid.ping, ErrorCode.CONNECTIONLOSS);
    server.script.request = ({ connection, xid, type }) =>
      connection.reply(xid, 0, type === OpCode.setData ? stat : znode('second'));
    await world.advance(500);
    expect(server.connections).toHaveLength(2);
    expect(server.last.requests.map(({ type }) => type)).toEqual([OpCode.setData, OpCode.getData]);
    for (const outcome of [answered, written, read]) expect(outcome.error).toBeUndefined();
    expect([answered, written, read].every(({ value }) => value !== undefined)).toBe(true);
  });

  test('half a frame of the old connection does not reach the new one', async () => {
    const { world, server, zk } = await connected();
    const first = watched(zk.get('/a'));
    await world.settle();
    const frame = replyFrame(server.last.take().xid, 2, 0, znode('lost'));
    server.last.send(frame.subarray(0, 21));
    await world.settle();
    server.script.request = answerAll;
    await cutConnection(world, server);
    expect(first.value?.data.toString()).toBe('/a');
    const second = watched(zk.get('/b'));
    await world.settle();
    expect(second.value?.data.toString()).toBe('/b');
  });

  test('a write that was sent may have been carried out; one that was not waits for the next', async () => {
    const { world, server, zk } = await connected();
    server.last.connection.pause();
    const megabyte = Buffer.alloc(1_000_000);
    const sent = [watched(zk.set('/1', megabyte)), watched(zk.set('/2', megabyte))];
    await world.settle();
    // The connection has more than it can take: this one stays here.
    const unsent = watched(zk.set('/3', ''));
    await world.settle();
    server.script.request = answerAll;
    await cutConnection(world, server);
    expect(sent.map(({ error }) => error)).toMatchObject([
      { code: 'CONNECTION_LOSS', outcome: 'unknown', path: '/1' },
      { code: 'CONNECTION_LOSS', outcome: 'unknown', path: '/2' },
    ]);
    expect(unsent.value?.version).toBe(5);
    expect(server.last.requests.map(({ xid }) => xid)).toEqual([3]);
  });

  test('a flushed multi of set and check is not sent again: its outcome is unknown', async () => {
    const { world, server, zk } = await connected();
    const multi = watched(
      zk.multi([
        { op: 'set', path: '/a', data: '1' },
        { op: 'check', path: '/b', version: 3 },
      ]),
    );
    await world.settle();
    expect(server.last.types).toEqual([OpCode.multi]);
    server.script.request = answerAll;
    server.last.connection.destroy();
    await world.advance(5000);
    expect(zk.state.status).toBe('connected');
    expect(multi.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown', op: 'multi' });
    const sent = server.connections.flatMap(({ types }) => types);
    expect(sent.filter((type) => type === OpCode.multi)).toHaveLength(1);
  });

  test('reads are asked again, in their order among what was not sent', async () => {
    const { world, server, zk } = await connected();
    const reads = [zk.get('/1'), zk.exists('/2')];
    const failing = watched(zk.get('/3', { retry: false }));
    await world.settle();
    server.script.request = answerAll;
    server.last.connection.destroy();
    await world.settle();
    const later = zk.set('/4', '');
    await world.advance(500);
    await Promise.all([...reads, later]);
    expect(failing.error).toMatchObject({ code: 'CONNECTION_LOSS' });
    expect(server.last.types).toEqual([OpCode.getData, OpCode.exists, OpCode.setData]);
  });

  test('a read whose reply breaks every connection is not asked for ever', async () => {
    const { world, server, zk } = await connected({ maxReplyBytes: 1000 });
    server.script.request = ({ connection, xid }) =>
      connection.reply(xid, 0, znode('x'.repeat(2000)));
    const read = watched(zk.get('/long'));
    await world.advance(20_000);
    expect(read.error).toMatchObject({ code: 'CONNECTION_LOSS', path: '/long' });
    expect(read.error?.cause).toMatchObject({ code: 'FRAME_TOO_LONG' });
    expect(server.connections).toHaveLength(4);
    expect(zk.state.status).toBe('connected');
  });

  test('calls made while offline come after credentials and watches', async () => {
    const { world, server, zk } = await connected({ auth: [] });
    server.script.request = answerAll;
    const authenticated = zk.addAuth('digest', 'a:b');
    void zk.get('/w', { watch: true });
    await world.settle();
    await authenticated;
    server.last.connection.destroy();
    await world.settle();
    const waiting = [zk.get('/acl'), zk.set('/acl', '')];
    await world.advance(500);
    await Promise.all(waiting);
    expect(server.last.types).toEqual([
      OpCode.auth,
      OpCode.setWatches,
      OpCode.getData,
      OpCode.setData,
    ]);
  });

  test('an abort of a call that waits leaves nothing to send', async () => {
    const { world, server, zk } = await connected();
    server.last.connection.destroy();
    await world.settle();
    const controller = new AbortController();
    const outcome = watched(zk.set('/a', '', { signal: controller.signal }));
    controller.abort();
    await world.advance(500);
    expect(outcome.error).toMatchObject({ code: 'ABORTED', outcome: 'not-sent' });
    expect(server.last.types).toEqual([]);
  });

  test('with no server, pauses grow between rounds', async () => {
    const { world, server, zk } = await connected();
    await world.advance(2000);
    server.listener?.stopAccepting();
    const refused: number[] = [];
    const { dial } = world.network;
    (world.network as { dial: typeof dial }).dial = (options, handler) => {
      refused.push(world.now);
      return dial(options, handler);
    };
    server.last.connection.destroy();
    await world.advance(6000);
    const pauses = refused.slice(1).map((at, i) => at - (refused[i] as number));
    expect(refused[0]).toBe(2000);
    expect(pauses.slice(0, 6)).toEqual([75, 150, 300, 600, 900, 900]);
    expect(zk.state.status).toBe('suspended');
  });
});

describe('life signs', () => {
  test('a silent client pings every third of the timeout, a busy one need not', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    await world.advance(13_000);
    const pings = server.last.requests.filter(({ type }) => type === OpCode.ping);
    expect(pings).toHaveLength(3);
    expect(pings[0]?.xid).toBe(Xid.ping);
    server.last.requests.length = 0;
    for (let i = 0; i < 20; i++) {
      void zk.get('/a');
      await world.advance(1000);
    }
    expect(server.last.requests.filter(({ type }) => type === OpCode.ping)).toHaveLength(0);
  });

  test('a server that falls silent is left after 2/3 of the timeout', async () => {
    const { world, server, zk } = await connected();
    server.last.isMute = true;
    server.script.handshake = () => undefined;
    await world.advance(7999);
    expect(zk.state.status).toBe('connected');
    await world.advance(2);
    expect(zk.state.status).toBe('suspended');
  });

  test('a server that still tells of changes, but hears no more of us, is left after 2/3 of the timeout', async () => {
    const { world, server, zk } = await connected();
    const mute = server.last;
    mute.isMute = true;
    server.script.handshake = () => undefined;
    for (let ms = 0; ms < 7500; ms += 500) {
      await world.advance(500);
      mute.event(EventType.nodeDataChanged, '/a', 1);
    }
    expect(zk.state.status).toBe('connected');
    await world.advance(501);
    expect(zk.state.status).toBe('suspended');
  });

  test('a large answer that arrives in pieces is a sign of life', async () => {
    const { world, server, zk } = await connected();
    const { last } = server;
    const reading = zk.get('/a');
    await world.settle();
    const { xid } = last.take();
    last.isMute = true;
    const frame = replyFrame(xid, 2, 0, (writer) => {
      writer.buffer(Buffer.alloc(1000));
      stat(writer);
    });
    for (let at = 0; at < frame.length; at += 100) {
      last.send(frame.subarray(at, at + 100));
      await world.advance(2000);
    }
    await reading;
    expect(zk.state.status).toBe('connected');
  });

  test('without any answer the session is over after 4/3 of the timeout', async () => {
    const { world, server, zk } = await connected();
    server.last.isMute = true;
    server.script.handshake = () => undefined;
    const { session } = zk;
    await world.advance(15_900);
    expect(session.signal.aborted).toBe(false);
    await world.advance(200);
    expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'local' });
    expect(zk.state.status).toBe('connecting');
  });

  test('safeUntil moves with what was answered', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    expect(zk.session.safeUntil).toBe(12_000);
    await world.advance(1000);
    void zk.get('/a');
    await world.advance(500);
    expect(zk.session.safeUntil).toBe(13_000);
    server.last.isMute = true;
    await world.advance(5000);
    expect(zk.session.safeUntil).toBe(13_000);
  });

  test('safeUntil counts from when a request was written, however late its reply', async () => {
    const { world, server, zk } = await connected();
    await world.advance(1000);
    void zk.get('/a');
    await world.advance(2000);
    const request = server.last.take(OpCode.getData);
    request.connection.reply(request.xid, 0, znode('late'));
    await world.settle();
    expect(zk.session.safeUntil).toBe(13_000);
  });

  test('a server that takes the connection but not the handshake is passed over', async () => {
    const world = new World();
    const mute = await world.serve({ handshake: () => undefined }, 1, 'a');
    const good = await world.serve({}, 2, 'b');
    const connecting = watched(world.connecting({ servers: 'a:1,b:2', connectTimeoutMs: 1000 }));
    await world.advance(1100);
    expect(connecting.value?.state).toMatchObject({ status: 'connected', server: 'b:2' });
    expect(mute.connections.length + good.connections.length).toBeLessThanOrEqual(2);
  });
});

describe('the end of a session', () => {
  /** Cuts the connection and has the server refuse the session from now on. */
  async function expireSession(world: World, server: ScriptedServer): Promise<void> {
    const { handshake } = server.script;
    server.script.handshake = (request, connection) => {
      if (request.sessionId !== 0n) return refuseSession();
      server.script = { ...server.script };
      if (handshake === undefined) delete server.script.handshake;
      return {
        protocolVersion: 0,
        timeoutMs: 12_000,
        sessionId: 99n,
        password: Buffer.alloc(16, 9),
        readOnly: connection.isMute,
      };
    };
    await cutConnection(world, server);
    await world.advance(500);
  }

  test('a refused session is renewed: a new id, a new generation, the old signal aborted', async () => {
    const { world, server, zk } = await connected();
    const old = zk.session;
    const states: string[] = [];
    zk.on('state', ({ status }) => states.push(status));
    const sessions: bigint[] = [];
    zk.on('session', ({ id }) => sessions.push(id));
    await expireSession(world, server);
    expect(old.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'server' });
    expect(zk.session).toMatchObject({ id: 99n, generation: 2 });
    expect(zk.session.signal.aborted).toBe(false);
    expect(states).toEqual(['suspended', 'expired', 'connecting', 'connected']);
    expect(sessions).toEqual([99n]);
    expect(server.last.handshake).toMatchObject({ sessionId: 0n, lastZxidSeen: 0n });
  });

  test('one-shot watches end with it, streams go on in the next', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const getting = zk.get('/w', { watch: true });
    const streaming = zk.watch('/s', { recursive: true });
    await world.settle();
    const { watch } = await getting;
    const stream = await streaming;
    const items: unknown[] = [];
    void (async () => {
      for await (const item of stream) items.push(item);
    })();
    await expireSession(world, server);
    await expect(watch.event).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
    const { body } = server.last.take(OpCode.setWatches2);
    expect(readSetWatchesRequest(body, true)).toMatchObject({
      data: [],
      persistentRecursive: ['/s'],
    });
    expect(items).toEqual([
      { type: 'resync', reason: 'established' },
      { type: 'resync', reason: 'new-session' },
    ]);
  });

  test('of what waits, plain reads go on in the new session and the rest fails', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    server.last.connection.destroy();
    await world.settle();
    const read = watched(zk.get('/read'));
    const watching = watched(zk.get('/watch', { watch: true }));
    const write = watched(zk.set('/write', ''));
    await expireSession(world, server);
    expect(read.value?.data.toString()).toBe('/read');
    expect(watching.error).toMatchObject({ code: 'SESSION_EXPIRED', outcome: 'not-sent' });
    expect(write.error).toMatchObject({
      code: 'SESSION_EXPIRED',
      outcome: 'not-sent',
      path: '/write',
    });
  });

  test("with onExpire 'close' it is the client's end", async () => {
    const { world, server, zk } = await connected({ onExpire: 'close' });
    server.script.request = answerAll;
    const streaming = zk.watch('/s');
    await world.settle();
    const stream = await streaming;
    const seen = watched(
      (async () => {
        for await (const _ of stream);
      })(),
    );
    await expireSession(world, server);
    expect(zk.state.status).toBe('expired');
    expect(seen.error).toMatchObject({ code: 'SESSION_EXPIRED' });
    await expect(zk.get('/a')).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
    expect(world.runningTimers).toBe(0);
    await zk.close();
  });
});

describe('watches on a new connection', () => {
  test('they are set again with the last zxid, and streams say resync after that', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const calls = [
      zk.get('/data', { watch: true }),
      zk.children('/child', { watch: true }),
    ] as const;
    const streaming = zk.watch('/persistent');
    await world.settle();
    const [data] = await calls[0].then((znode) => [znode.watch]);
    const stream = await streaming;
    const items: unknown[] = [];
    void (async () => {
      for await (const item of stream) items.push(item);
    })();
    await world.settle();
    server.script.request = () => {};
    const lastZxid = server.last.zxid;
    await cutConnection(world, server);
    const { body, xid } = server.last.take(OpCode.setWatches2);
    expect(xid).toBe(Xid.setWatches);
    expect(readSetWatchesRequest(body, true)).toEqual({
      relativeZxid: lastZxid,
      data: ['/data'],
      exist: [],
      child: ['/child'],
      persistent: ['/persistent'],
      persistentRecursive: [],
    });
    expect(items).toEqual([{ type: 'resync', reason: 'established' }]);
    server.last.event(3, '/data', -1);
    server.last.reply(Xid.setWatches);
    await world.settle();
    expect(await data?.event).toEqual({ type: 'changed', path: '/data', zxid: undefined });
    expect(items.at(-1)).toEqual({ type: 'resync', reason: 'reconnected' });
  });

  test('40,000 of them go out in pieces that every server takes', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const paths = Array.from({ length: 40_000 }, (_, i) => `/a/rather/long/path/number-${i}`);
    const all = Promise.all(paths.map((path) => zk.get(path, { watch: true })));
    await world.settle();
    await all;
    await cutConnection(world, server);
    const batches = server.last.requests.splice(0);
    expect(batches.length).toBeGreaterThan(10);
    expect(Math.max(...batches.map(({ bytes }) => bytes))).toBeLessThan(132 * 1024);
    const again = batches.flatMap(({ body }) => readSetWatchesRequest(body, false).data ?? []);
    expect(again).toEqual(paths);
  });

  test('batches are no longer than maxPacketBytes, whatever else waits', async () => {
    const { world, server, zk } = await connected({ maxPacketBytes: 4000, maxQueuedBytes: 4100 });
    server.script.request = answerAll;
    const paths = Array.from({ length: 200 }, (_, i) => `/a/rather/long/path/of/a/service/${i}`);
    for (let i = 0; i < paths.length; i += 50) {
      const some = Promise.all(paths.slice(i, i + 50).map((path) => zk.watch(path)));
      await world.settle();
      for (const stream of await some) void stream;
    }
    const first = await watching(world, zk, paths[0] as string);
    await cutConnection(world, server);
    const batches = server.last.requests.filter(({ type }) => type === OpCode.setWatches2);
    expect(batches.length).toBeGreaterThan(1);
    expect(Math.max(...batches.map(({ bytes }) => bytes))).toBeLessThanOrEqual(4000);
    const set = batches.flatMap(({ body }) => readSetWatchesRequest(body, true).persistent ?? []);
    expect(new Set(set)).toEqual(new Set(paths));
    expect(first.items.at(-1)).toEqual({ type: 'resync', reason: 'reconnected' });
  });

  test('one that is too long to be set again ends with the reason, and the others go on', async () => {
    const { world, server, zk } = await connected({ maxPacketBytes: 4000 });
    server.script.request = answerAll;
    const long = await watching(world, zk, `/${'x'.repeat(3975)}`);
    const short = await watching(world, zk, '/a');
    await cutConnection(world, server);
    expect(long.end.error).toMatchObject({ code: 'TOO_LARGE', op: 'setWatches' });
    expect(short.end.isSettled).toBe(false);
    expect(short.items.at(-1)).toEqual({ type: 'resync', reason: 'reconnected' });
  });

  test('what a server refuses to set again ends with its error, one-shot watches too', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const stream = await watching(world, zk, '/a');
    const reading = zk.get('/b', { watch: true });
    await world.settle();
    const oneShot = watched((await reading).watch.event);
    server.script.request = ({ connection, xid, type }) =>
      connection.reply(xid, type === OpCode.setWatches2 ? -6 : 0);
    await cutConnection(world, server);
    expect(zk.state.status).toBe('connected');
    for (const end of [stream.end, oneShot]) {
      expect(end.error).toMatchObject({ code: 'UNIMPLEMENTED', op: 'setWatches' });
    }
  });

  test('a server that hangs up on batches gets smaller ones', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const paths = Array.from({ length: 1000 }, (_, i) => `/a/rather/long/path/of/a/service/${i}`);
    const all = Promise.all(paths.map((path) => zk.watch(path)));
    await world.settle();
    await all;
    const first = await watching(world, zk, paths[0] as string);
    server.script.request = (request) => {
      if (request.bytes > 10_000) request.connection.connection.destroy();
      else answerAll(request);
    };
    server.last.connection.destroy();
    await world.advance(12_000);
    expect(zk.state.status).toBe('connected');
    expect(first.items.at(-1)).toEqual({ type: 'resync', reason: 'reconnected' });
    const set = server.last.requests
      .filter(({ type }) => type === OpCode.setWatches2)
      .flatMap(({ body }) => readSetWatchesRequest(body, true).persistent ?? []);
    expect(set).toHaveLength(paths.length);
  });

  test('a disposed watch is removed from the server, unless another call is about to set it', async () => {
    const { world, server, zk } = await connected();
    const getting = zk.get('/a', { watch: true });
    await world.settle();
    answerAll(server.last.take(OpCode.getData));
    await world.settle();
    const first = await getting;
    const again = zk.get('/a', { watch: true });
    await world.settle();
    first.watch[Symbol.dispose]();
    await world.settle();
    answerAll(server.last.take(OpCode.getData));
    expect(server.last.types).toEqual([]);
    await world.settle();
    (await again).watch[Symbol.dispose]();
    await world.settle();
    const { body } = server.last.take(OpCode.removeWatches);
    expect([body.string(), body.int32()]).toEqual(['/a', 2]);
  });
});

describe('xids', () => {
  test('they wrap to 1, and never take a reserved value', async () => {
    const { ConnectionLoop } = await import('../src/connection-loop.ts');
    const { AbortSignals } = await import('../src/abort-signals.ts');
    const aborts = new AbortSignals();
    const world = new World();
    const server = await world.serve({ request: answerAll });
    const loop = new ConnectionLoop(
      {
        servers: [{ host: 'zk', port: 2181 }],
        tls: undefined,
        sessionTimeoutMs: 12_000,
        connectTimeoutMs: undefined,
        establishTimeoutMs: 0,
        requestTimeoutMs: 0,
        retry: undefined,
        readOnly: false,
        resume: undefined,
        onExpire: 'renew',
        sasl: undefined,
        auth: [],
        maxPacketBytes: 0xfffff,
        maxReplyBytes: 0xfffff,
        maxQueuedBytes: 0xfffff,
        firstXid: 0x7ffffffe,
      },
      world.environment,
      { stateChanged() {}, sessionStarted() {}, attemptFailed() {}, watchFired() {} },
      aborts,
    );
    const starting = loop.start();
    await world.settle();
    await starting;
    const { ClientView } = await import('../src/client-view.ts');
    const { clientListeners } = await import('../src/states.ts');
    const zk: Client = new ClientView(loop, clientListeners(aborts), '');
    const all = Promise.all(Array.from({ length: 10 }, () => zk.get('/a')));
    await world.settle();
    await all;
    expect(server.last.requests.map(({ xid }) => xid)).toEqual([
      0x7ffffffe, 0x7fffffff, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });
});

describe('credentials', () => {
  test('connect waits for its own to be taken', async () => {
    const world = new World();
    const server = await world.serve();
    const connecting = watched(world.connecting({ auth: [{ scheme: 'digest', auth: 'a:b' }] }));
    await world.settle();
    expect(connecting.isSettled).toBe(false);
    const { body, xid } = server.last.take(OpCode.auth);
    expect(xid).toBe(Xid.auth);
    expect([body.int32(), body.string(), body.buffer()?.toString()]).toEqual([0, 'digest', 'a:b']);
    server.last.reply(Xid.auth, 0, undefined, 0);
    await world.settle();
    expect(connecting.value?.state.status).toBe('connected');
  });

  test('connect fails when they are refused, and leaves nothing running', async () => {
    const world = new World();
    await world.serve({ request: ({ connection }) => connection.reply(Xid.auth, -115) });
    const connecting = watched(world.connecting({ auth: [{ scheme: 'digest', auth: 'a:b' }] }));
    await world.settle();
    expect(connecting.error).toMatchObject({ code: 'AUTH_FAILED' });
    expect(world.runningTimers).toBe(0);
  });

  test('what was taken once and is refused later ends the client', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const adding = zk.addAuth('digest', 'a:b');
    await world.settle();
    await adding;
    server.script.request = ({ connection }) => connection.reply(Xid.auth, -115);
    await cutConnection(world, server);
    expect(zk.state.status).toBe('auth-failed');
    await expect(zk.get('/a')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('connect', () => {
  test('fails with what each server did when none gives a session in time', async () => {
    const world = new World();
    await world.serve({ handshake: () => undefined }, 2, 'b');
    const connecting = watched(
      world.connecting({ servers: 'a:1,b:2', establishTimeoutMs: 5000, connectTimeoutMs: 1000 }),
    );
    await world.advance(5000);
    expect(connecting.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' });
    expect(connecting.error?.message).toMatch(/a:1: .*refused/);
    expect(connecting.error?.message).toMatch(/b:2: No answer within 1000 ms/);
    expect(connecting.error?.cause).toMatchObject({ errors: { length: 2 } });
    expect(world.runningTimers).toBe(0);
  });

  test('its signal aborts it', async () => {
    const world = new World();
    const controller = new AbortController();
    const connecting = watched(world.connecting({ signal: controller.signal }));
    await world.advance(10);
    controller.abort(new Error('enough'));
    await world.settle();
    expect(connecting.error).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
    expect(world.runningTimers).toBe(0);
  });

  test('a session to resume that is gone is an error, not a new session', async () => {
    const world = new World();
    const server = await world.serve({ handshake: refuseSession });
    const connecting = watched(
      world.connecting({ resume: { id: 5n, password: Buffer.alloc(16, 1) } }),
    );
    await world.settle();
    expect(connecting.error).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'server' });
    expect(server.last.handshake).toMatchObject({ sessionId: 5n });
    expect(world.runningTimers).toBe(0);
  });

  test.each([
    ['', 'names no server'],
    ['a:0', 'not host:port'],
    ['a:99999', 'not host:port'],
    ['http://a', 'scheme'],
    ['a/b//c', 'Empty node name'],
  ])('servers "%s" are refused', async (servers, message) => {
    await expect(new World().connecting({ servers })).rejects.toThrow(message);
  });
});

describe('close', () => {
  test('says closeSession after everything else, and stops all timers', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const read = watched(zk.get('/a'));
    const closing = watched(zk.close());
    const late = watched(zk.get('/late'));
    await world.settle();
    expect(read.value?.data.toString()).toBe('/a');
    expect(closing.isSettled).toBe(true);
    expect(late.error).toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
    expect(server.last.types).toEqual([OpCode.getData, OpCode.closeSession]);
    expect(zk.session.signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(world.runningTimers).toBe(0);
  });

  test('without a connection it comes back to end the session', async () => {
    const { world, server, zk } = await connected();
    server.last.connection.destroy();
    await world.settle();
    const closing = watched(zk.close());
    await world.advance(500);
    expect(closing.isSettled).toBe(true);
    expect(server.last.types).toEqual([OpCode.closeSession]);
  });

  test('without any server it gives up in time', async () => {
    const { world, server, zk } = await connected();
    server.listener?.stopAccepting();
    server.last.connection.destroy();
    await world.settle();
    const waiting = watched(zk.set('/a', ''));
    const closing = watched(zk.close({ timeoutMs: 1000 }));
    await world.advance(1000);
    expect(closing.isSettled).toBe(true);
    expect(waiting.error).toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
    expect(world.runningTimers).toBe(0);
  });

  test('detach leaves the session to whoever has the ticket', async () => {
    const { world, server, zk } = await connected();
    const ticket = zk.detach();
    await world.settle();
    expect(ticket).toEqual({ id: zk.session.id, password: Buffer.alloc(16, 7) });
    expect(server.last.types).toEqual([]);
    expect(server.last.isClosed).toBe(true);
    expect(world.runningTimers).toBe(0);
  });

  test('streams end, one-shot watches say CLOSED', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const calls = [zk.get('/a', { watch: true }), zk.watch('/b')] as const;
    await world.settle();
    const [{ watch }, stream] = await Promise.all(calls);
    const items = watched(
      (async () => {
        let count = 0;
        for await (const _ of stream) count++;
        return count;
      })(),
    );
    void zk.close();
    await world.settle();
    await expect(watch.event).rejects.toSatisfy((error) => ZkError.is(error, 'CLOSED'));
    expect(items.value).toBe(1);
  });
});

describe('states', () => {
  test('the iterable holds the latest state only, and ends with the client', async () => {
    const { world, server, zk } = await connected();
    const seen: string[] = [];
    const reading = watched(
      (async () => {
        for await (const { status } of zk.states()) {
          seen.push(status);
          if (status === 'connected' && seen.length === 1) await cutConnection(world, server);
        }
      })(),
    );
    await world.advance(1000);
    void zk.close();
    await world.settle();
    expect(reading.isSettled).toBe(true);
    expect(seen.at(0)).toBe('connected');
    expect(seen.at(-1)).toBe('closed');
  });

  test('a disposed listener, or one whose signal was aborted, is not called', async () => {
    const { world, server, zk } = await connected();
    let calls = 0;
    const controller = new AbortController();
    zk.on('state', () => calls++)[Symbol.dispose]();
    zk.on('state', () => calls++, { signal: controller.signal });
    controller.abort();
    await cutConnection(world, server);
    expect(calls).toBe(0);
  });
});

describe('a synced read', () => {
  test('asks sync and read back to back', async () => {
    const { world, server, zk } = await connected();
    server.script.request = answerAll;
    const read = watched(zk.get('/a', { consistency: 'synced' }));
    await world.settle();
    expect(server.last.types).toEqual([OpCode.sync, OpCode.getData]);
    expect(read.value?.data.toString()).toBe('/a');
  });

  test('starts over when the connection changes between the two', async () => {
    const { world, server, zk } = await connected();
    const read = watched(zk.get('/a', { consistency: 'synced' }));
    await world.settle();
    answerAll(server.last.take(OpCode.sync));
    await world.settle();
    server.script.request = answerAll;
    await cutConnection(world, server);
    expect(server.last.types).toEqual([OpCode.getData, OpCode.sync, OpCode.getData]);
    expect(read.value?.data.toString()).toBe('/a');
  });
});
