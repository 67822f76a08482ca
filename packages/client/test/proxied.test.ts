// The client and an embedded server, with a proxy between them that cuts, loses, holds and swallows.

import { cutPoints, expireSession, FaultProxy, watchCount } from '@zebu/fault-kit';
import { startServer, type ZebuServer } from '@zebu/server';
import { describe, expect, test } from 'vitest';
import {
  type Client,
  type ConnectOptions,
  connect,
  type WatchItem,
  ZkError,
} from '../src/index.ts';

const PATIENCE = { timeout: 30_000, interval: 5 };

interface World extends AsyncDisposable {
  readonly server: ZebuServer;
  readonly proxy: FaultProxy;
  /** Through the proxy. */
  readonly zk: Client;
  /** Past it. */
  readonly other: Client;
}

async function world(options: Partial<ConnectOptions> = {}): Promise<World> {
  const server = await startServer({ port: 0, fourLetterWhitelist: ['srvr', 'wchs'] });
  const proxy = await FaultProxy.start(server);
  const other = await connect(server.connectString);
  const zk = await connect({ servers: proxy.connectString, sessionTimeoutMs: 30_000, ...options });
  return {
    server,
    proxy,
    zk,
    other,
    async [Symbol.asyncDispose]() {
      proxy.heal();
      await zk.close();
      await other.close();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** What a stream says, as it comes. */
function itemsOf(stream: AsyncIterable<WatchItem>): string[] {
  const items: string[] = [];
  void (async () => {
    for await (const item of stream) {
      items.push(item.type === 'resync' ? `resync ${item.reason}` : `${item.type} ${item.path}`);
    }
  })();
  return items;
}

describe('a write whose reply is lost', () => {
  test('was carried out once, and its caller is told that nobody knows', async () => {
    await using it = await world();
    await it.zk.create('/n', '0');
    it.proxy.onReply = ({ request }) => (request.name === 'setData' ? 'lose' : 'forward');
    await expect(it.zk.set('/n', '1')).rejects.toMatchObject({
      code: 'CONNECTION_LOSS',
      outcome: 'unknown',
    });
    it.proxy.heal();
    expect((await it.zk.get('/n')).stat.version).toBe(1);
  });

  test('as a multi is not sent again', async () => {
    await using it = await world();
    it.proxy.onReply = ({ request }) => (request.name === 'multi' ? 'lose-mid-frame' : 'forward');
    const multi = it.zk.multi([
      { op: 'create', path: '/a' },
      { op: 'create', path: '/b-', options: { sequential: true } },
    ]);
    await expect(multi).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' });
    it.proxy.heal();
    expect((await it.zk.children('/')).names.filter((name) => name.startsWith('b-'))).toHaveLength(
      1,
    );
    expect(it.proxy.requests.filter(({ name }) => name === 'multi')).toHaveLength(1);
  });

  test('as a protected create is found again, and there is one znode', async () => {
    await using it = await world();
    it.proxy.onReply = ({ request }) => (request.name === 'create2' ? 'lose' : 'forward');
    const creating = it.zk.create('/lock-', '', {
      mode: 'ephemeral',
      sequential: true,
      protected: true,
    });
    await it.proxy.request(({ name }) => name === 'create2');
    await expect.poll(() => it.proxy.connectionCount, PATIENCE).toBeGreaterThan(1);
    it.proxy.heal();
    const created = await creating;
    const names = (await it.zk.children('/')).names.filter((name) => name.includes('lock-'));
    expect(names).toEqual([created.path.slice(1)]);
  });
});

describe('watches across a connection that is lost', () => {
  test('what changed meanwhile fires a one-shot watch once, and a stream says resync', async () => {
    await using it = await world();
    await it.other.create('/w', '0');
    const { watch } = await it.zk.get('/w', { watch: true });
    let fired = 0;
    void watch.event.then(() => fired++);
    const items = itemsOf(await it.zk.watch('/w'));
    await expect.poll(() => items, PATIENCE).toEqual(['resync established']);
    it.proxy.down();
    await expect.poll(() => it.zk.state.status, PATIENCE).toBe('suspended');
    await it.other.set('/w', '1');
    await it.other.set('/w', '2');
    it.proxy.up();
    await expect.poll(() => items, PATIENCE).toContain('resync reconnected');
    expect((await watch.event).type).toBe('changed');
    await it.other.set('/w', '3');
    await expect.poll(() => items.at(-1), PATIENCE).toBe('changed /w');
    // Each change after the resync comes once.
    expect(items.slice(items.indexOf('resync reconnected'))).toEqual([
      'resync reconnected',
      'changed /w',
    ]);
    expect(fired).toBe(1);
  });

  test('an event that is lost with its connection is made up for by the next one', async () => {
    await using it = await world();
    await it.other.create('/w', '0');
    const { watch } = await it.zk.get('/w', { watch: true });
    it.proxy.onEvent = () => 'lose-mid-frame';
    await it.other.set('/w', '1');
    await expect.poll(() => it.proxy.connectionCount, PATIENCE).toBeGreaterThan(1);
    it.proxy.heal();
    expect((await watch.event).type).toBe('changed');
  });

  test('nothing is left on the server when they are disposed', async () => {
    await using it = await world();
    await it.zk.create('/w');
    // The word wchs counts no watches of children.
    const { watch } = await it.zk.get('/w', { watch: true });
    const stream = await it.zk.watch('/v', { recursive: true });
    expect(await watchCount(it.server)).toBe(2);
    const items = itemsOf(stream);
    it.proxy.cut();
    await expect.poll(() => items, PATIENCE).toContain('resync reconnected');
    expect(await watchCount(it.server)).toBe(2);
    watch[Symbol.dispose]();
    await stream[Symbol.asyncDispose]();
    await expect.poll(() => watchCount(it.server), PATIENCE).toBe(0);
  });
});

describe('a server that is there and says nothing', () => {
  test.each(['to-server', 'to-client'] as const)(
    '%s: suspended, then expired, then back',
    async (direction) => {
      await using it = await world({ sessionTimeoutMs: 4000 });
      const { session } = it.zk;
      const seen: string[] = [];
      it.zk.on('state', ({ status }) => seen.push(status));
      it.proxy.blackHole(direction);
      await expect.poll(() => seen, PATIENCE).toContain('expired');
      expect(seen.slice(0, 2)).toEqual(['suspended', 'expired']);
      expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'local' });
      it.proxy.heal();
      await expect.poll(() => it.zk.state.status, PATIENCE).toBe('connected');
      expect(it.zk.session.generation).toBe(2);
    },
  );
});

test('a session that somebody ended is renewed, and what was bound to it is told', async () => {
  await using it = await world();
  const { session } = it.zk;
  await it.zk.create('/mine', '', { mode: 'ephemeral' });
  const { watch } = await it.zk.get('/mine', { watch: true });
  const event = watch.event.catch((error: unknown) => error);
  it.proxy.down();
  await expireSession(it.server, session);
  it.proxy.up();
  await expect.poll(() => it.zk.session.generation, PATIENCE).toBe(2);
  expect(session.signal.reason).toMatchObject({ code: 'SESSION_EXPIRED', detectedBy: 'server' });
  expect(await event).toMatchObject({ code: 'SESSION_EXPIRED' });
  expect(await it.zk.exists('/mine')).toBeUndefined();
});

/** Calls of each kind, one after another; returns what each came to. */
async function scenario(zk: Client): Promise<Map<string, unknown>> {
  const outcomes = new Map<string, unknown>();
  const run = async (name: string, call: () => Promise<unknown>): Promise<void> => {
    outcomes.set(
      name,
      await call().then(
        () => 'done',
        (error: unknown) => error,
      ),
    );
  };
  await run('create', () => zk.create('/s/a', 'x'));
  await run('set', () => zk.set('/s/count', 'x'));
  await run('multi', () =>
    zk.multi([
      { op: 'create', path: '/s/b' },
      { op: 'set', path: '/s/count', data: 'y' },
    ]),
  );
  await run('get', () => zk.get('/s/count'));
  await run('synced get', () => zk.get('/s/count', { consistency: 'synced' }));
  await run('watch', async () => (await zk.watch('/s'))[Symbol.asyncDispose]());
  return outcomes;
}

describe('whatever happens at whichever request', () => {
  test.each(cutPoints(8))('$name: what the client says of each call is true', async (point) => {
    await using it = await world();
    await it.other.create('/s');
    await it.other.create('/s/count', '0');
    const happened = point.arm(it.proxy, () => expireSession(it.server, it.zk.session));
    const outcomes = await scenario(it.zk);
    expect(happened()).toBe(true);
    it.proxy.heal();
    const { version } = (await it.other.get('/s/count', { consistency: 'synced' })).stat;
    const exists = async (path: string): Promise<boolean> =>
      (await it.other.exists(path)) !== undefined;
    for (const [name, error] of outcomes) {
      if (error === 'done') continue;
      expect(ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED'), name).toBe(true);
    }
    const isPossible = (outcome: unknown, wasDone: boolean): boolean => {
      if (outcome === 'done') return wasDone;
      return (outcome as ZkError).outcome === 'unknown' || !wasDone;
    };
    expect(isPossible(outcomes.get('create'), await exists('/s/a'))).toBe(true);
    const multiDone = await exists('/s/b');
    expect(isPossible(outcomes.get('multi'), multiDone)).toBe(true);
    // Nothing twice: the set and the multi count one each.
    const setDone = version - (multiDone ? 1 : 0);
    expect([0, 1]).toContain(setDone);
    expect(isPossible(outcomes.get('set'), setDone === 1)).toBe(true);
    await expect.poll(() => watchCount(it.server), PATIENCE).toBe(0);
  });
});
