// What @zebu/client must do against any real server. Each scenario works below a fresh znode of its own.

import assert from 'node:assert/strict';
import {
  type Client,
  type ConnectOptions,
  connect,
  MultiError,
  OPEN_ACL_UNSAFE,
  Perms,
  type WatchItem,
  type WatchStream,
  ZkError,
} from '@zebu/client';

export interface Scenario {
  readonly name: string;
  readonly run: (context: ScenarioContext) => Promise<void>;
}

export interface ScenarioContext {
  /** Another session, closed after the scenario; its root is the scenario's directory. */
  readonly open: (options?: Partial<ConnectOptions>) => Promise<Client>;
  readonly zk: Client;
}

export async function runScenario(server: string, scenario: Scenario): Promise<void> {
  const opened: Client[] = [];
  const directory = `/client-${Math.random().toString(36).slice(2)}`;
  const admin = await connect(server);
  try {
    await admin.create(directory);
    const open = async (options: Partial<ConnectOptions> = {}): Promise<Client> => {
      const client = await connect({ servers: server + directory, ...options });
      opened.push(client);
      return client;
    };
    await scenario.run({ open, zk: await open() });
    for (const client of opened) await client.close();
    await admin.delete(directory, { recursive: true });
  } finally {
    for (const client of opened) await client.close();
    await admin.close();
  }
}

const rejects = (promise: Promise<unknown>, ...codes: Parameters<typeof ZkError.is>[1][]) =>
  assert.rejects(promise, (error) => ZkError.is(error, ...codes));

/** The next items of a stream. */
async function take(stream: WatchStream, count: number): Promise<WatchItem[]> {
  const items: WatchItem[] = [];
  const iterator = stream[Symbol.asyncIterator]();
  while (items.length < count) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    items.push(value);
  }
  return items;
}

/** "type path" of each event. */
const briefly = (items: readonly WatchItem[]): string[] =>
  items.map((item) =>
    item.type === 'resync' ? `resync ${item.reason}` : `${item.type} ${item.path}`,
  );

export const scenarios: readonly Scenario[] = [
  {
    name: 'a znode is created, read, changed and deleted',
    async run({ zk }) {
      const created = await zk.create('/a', 'one');
      assert.equal(created.path, '/a');
      assert.equal(created.sequence, undefined);
      const first = await zk.get('/a');
      assert.equal(first.data.toString(), 'one');
      assert.equal(first.stat.czxid, created.stat.czxid);
      assert.equal(first.stat.ephemeralOwner, 0n);
      const stat = await zk.set('/a', Buffer.from([0, 1, 2]), { version: 0 });
      assert.equal(stat.version, 1);
      assert.ok(stat.mzxid > first.stat.mzxid);
      assert.deepEqual([...(await zk.get('/a')).data], [0, 1, 2]);
      await rejects(zk.set('/a', '', { version: 0 }), 'BAD_VERSION');
      await rejects(zk.delete('/a', { version: 7 }), 'BAD_VERSION');
      await zk.delete('/a', { version: 1 });
      assert.equal(await zk.exists('/a'), undefined);
      await rejects(zk.get('/a'), 'NO_NODE');
      await rejects(zk.delete('/a'), 'NO_NODE');
      await zk.delete('/a', { missingOk: true });
    },
  },
  {
    name: 'null data and no data both read as no bytes',
    async run({ zk }) {
      await zk.create('/null', null);
      await zk.create('/empty');
      assert.equal((await zk.get('/null')).data.length, 0);
      assert.equal((await zk.get('/empty')).data.length, 0);
    },
  },
  {
    name: 'errors say which call, which path and what became of it',
    async run({ zk }) {
      await zk.create('/a');
      await assert.rejects(zk.create('/a'), (error) => {
        assert.ok(ZkError.is(error, 'NODE_EXISTS'));
        const { errno, op, path, outcome, message } = error;
        assert.deepEqual([errno, op, path, outcome], [-110, 'create', '/a', 'failed']);
        assert.match(message, /create \/a/);
        return true;
      });
      await rejects(zk.create('/missing/child'), 'NO_NODE');
      await rejects(zk.get('no-slash'), 'BAD_ARGUMENTS');
      await rejects(zk.set('/a/../b', ''), 'BAD_ARGUMENTS');
    },
  },
  {
    name: 'modes: ephemeral, container, sequential, with parents',
    async run({ zk, open }) {
      const other = await open();
      const ephemeral = await other.create('/e', '', { mode: 'ephemeral' });
      assert.equal(ephemeral.stat.ephemeralOwner, other.session.id);
      await rejects(other.create('/e/child'), 'NO_CHILDREN_FOR_EPHEMERALS');
      assert.deepEqual(await other.ephemerals(), ['/e']);
      const sequential = await other.create('/s-', '', { sequential: true });
      assert.match(sequential.path, /^\/s-\d{10}$/);
      assert.equal(sequential.path, `/s-${String(sequential.sequence).padStart(10, '0')}`);
      const both = await other.create('/e-', '', { mode: 'ephemeral', sequential: true });
      assert.equal(both.sequence, (sequential.sequence as number) + 1);
      await zk.create('/c', '', { mode: 'container' });
      const deep = await zk.create('/p/q/r', 'deep', { parents: 'container' });
      assert.equal(deep.path, '/p/q/r');
      assert.deepEqual((await zk.children('/p')).names, ['q']);
      const unnamed = await zk.create('/p/', '', { sequential: true });
      assert.match(unnamed.path, /^\/p\/\d{10}$/);
      await other.close();
      await zk.sync();
      assert.equal(await zk.exists('/e'), undefined);
      assert.equal(await zk.exists(both.path), undefined);
      await rejects(zk.create('/ttl', '', { mode: { ttlMs: 0 } }), 'BAD_ARGUMENTS');
    },
  },
  {
    name: 'calls are carried out in the order they were made',
    async run({ zk }) {
      await zk.create('/a', '0');
      const written = Array.from({ length: 200 }, (_, i) => zk.set('/a', String(i + 1)));
      const last = zk.get('/a');
      const versions = (await Promise.all(written)).map((stat) => stat.version);
      assert.deepEqual(
        versions,
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
      assert.equal((await last).data.toString(), '200');
    },
  },
  {
    name: 'ten thousand calls at once are answered in order',
    async run({ zk }) {
      await zk.create('/a', 'x'.repeat(100));
      const all = await Promise.all(Array.from({ length: 10_000 }, () => zk.get('/a')));
      assert.equal(all.length, 10_000);
      assert.ok(all.every((znode) => znode.data.length === 100));
    },
  },
  {
    name: 'ACLs keep out a client that does not show credentials, and whoAmI lists them',
    async run({ zk, open }) {
      await zk.addAuth('digest', 'alice:secret');
      const acl = [{ perms: Perms.ALL, scheme: 'auth', id: '' }];
      await zk.create('/mine', 'private', { acl });
      const read = await zk.getAcl('/mine');
      assert.deepEqual(
        read.acl.map(({ perms, scheme, id }) => [perms, scheme, id.split(':')[0]]),
        [[31, 'digest', 'alice']],
      );
      const stranger = await open();
      await rejects(stranger.get('/mine'), 'NO_AUTH');
      assert.ok(
        (await zk.whoAmI()).some((id) => id.authScheme === 'digest' && id.user === 'alice'),
      );
      const friend = await open({ auth: [{ scheme: 'digest', auth: 'alice:secret' }] });
      assert.equal((await friend.get('/mine')).data.toString(), 'private');
      const stat = await zk.setAcl('/mine', OPEN_ACL_UNSAFE, { version: 0 });
      assert.equal(stat.aversion, 1);
      assert.equal((await stranger.get('/mine')).data.toString(), 'private');
      await rejects(zk.setAcl('/mine', []), 'INVALID_ACL');
    },
  },
  {
    name: 'credentials that no provider takes are refused, and the client lives on',
    async run({ zk }) {
      await rejects(zk.addAuth('nonsense', 'x'), 'AUTH_FAILED');
      await zk.create('/after');
    },
  },
  {
    name: 'a multi gives each result its type, and is all or nothing',
    async run({ zk }) {
      const [created, stat, checked, deleted, numbered] = await zk.multi([
        { op: 'create', path: '/a', data: 'one' },
        { op: 'set', path: '/a', data: 'two' },
        { op: 'check', path: '/a', version: 1 },
        { op: 'delete', path: '/a' },
        { op: 'create', path: '/s-', options: { sequential: true, mode: 'ephemeral' } },
      ]);
      assert.equal(created.path, '/a');
      assert.equal(stat.version, 1);
      assert.deepEqual([checked, deleted], [undefined, undefined]);
      assert.equal(numbered.stat.ephemeralOwner, zk.session.id);
      await assert.rejects(
        zk.multi([
          { op: 'create', path: '/b' },
          { op: 'check', path: '/b', version: 5 },
          { op: 'delete', path: '/b' },
        ]),
        (error) => {
          assert.ok(error instanceof MultiError);
          assert.equal(error.index, 1);
          assert.deepEqual(
            error.opErrors.map((opError) => opError?.code),
            [undefined, 'BAD_VERSION', 'RUNTIME_INCONSISTENCY'],
          );
          assert.equal(error.path, '/b');
          return true;
        },
      );
      assert.equal(await zk.exists('/b'), undefined);
      assert.deepEqual(await zk.multi([]), []);
    },
  },
  {
    name: 'a thousand creates in one multi share one zxid',
    async run({ zk }) {
      const ops = Array.from({ length: 1000 }, (_, i) => ({
        op: 'create' as const,
        path: `/n${i}`,
        data: 'x'.repeat(100),
      }));
      const results = await zk.multi(ops);
      assert.equal(new Set(results.map(({ stat }) => stat.czxid)).size, 1);
      assert.equal(await zk.descendantsCount('/'), 1000);
      const znodes = await zk.multiRead(['/n0', '/missing', '/n999']);
      assert.equal((znodes[0] as { data: Buffer }).data.length, 100);
      assert.ok(ZkError.is(znodes[1], 'NO_NODE') && znodes[1].path === '/missing');
      assert.equal((znodes[2] as { data: Buffer }).data.length, 100);
    },
  },
  {
    name: 'a thousand creates of which the last is refused leave nothing, and say which it was',
    async run({ zk }) {
      await zk.create('/taken');
      const ops = Array.from({ length: 999 }, (_, i) => ({
        op: 'create' as const,
        path: `/n${i}`,
        data: 'x'.repeat(100),
      }));
      await assert.rejects(zk.multi([...ops, { op: 'create', path: '/taken' }]), (error) => {
        assert.ok(error instanceof MultiError);
        assert.equal(error.index, 999);
        assert.equal(error.opErrors.length, 1000);
        const refused = error.opErrors.map((opError) => opError?.code);
        assert.deepEqual(refused, [...Array(999).fill(undefined), 'NODE_EXISTS']);
        return true;
      });
      assert.deepEqual((await zk.children('/')).names, ['taken']);
    },
  },
  {
    name: 'sequential creates in one multi get numbers that differ, in order',
    async run({ zk }) {
      const ops = Array.from({ length: 100 }, () => ({
        op: 'create' as const,
        path: '/s-',
        options: { sequential: true },
      }));
      const paths = (await zk.multi(ops)).map(({ path }) => path);
      assert.equal(new Set(paths).size, 100);
      assert.deepEqual(paths, paths.toSorted());
      assert.deepEqual((await zk.children('/')).names.map((name) => `/${name}`).toSorted(), paths);
    },
  },
  {
    name: 'a recursive stream hears of a thousand creates of one multi, in order',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/r');
      await using stream = await zk.watch('/r', { recursive: true, buffer: 2000 });
      const paths = Array.from({ length: 1000 }, (_, i) => `/r/n${i}`);
      await other.multi(paths.map((path) => ({ op: 'create', path }) as const));
      assert.deepEqual(briefly(await take(stream, 1001)), [
        'resync established',
        ...paths.map((path) => `created ${path}`),
      ]);
    },
  },
  {
    name: 'a request over the limit is refused here, and the connection stays',
    async run({ zk }) {
      await zk.create('/a');
      const before = zk.get('/a');
      await rejects(zk.set('/a', Buffer.alloc(1_100_000)), 'TOO_LARGE');
      await before;
      await zk.set('/a', Buffer.alloc(1_000_000));
      assert.equal((await zk.get('/a')).data.length, 1_000_000);
    },
  },
  {
    name: 'one-shot watches fire once, for the event they are for',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/a');
      const data = await zk.get('/a', { watch: true });
      const exists = await zk.exists('/a', { watch: true });
      const children = await zk.children('/a', { watch: true });
      const missing = await zk.exists('/b', { watch: true });
      assert.equal(missing.stat, undefined);
      const stat = await other.set('/a', 'x');
      const changed = await data.watch.event;
      assert.deepEqual([changed.type, changed.path], ['changed', '/a']);
      assert.ok(changed.zxid === undefined || changed.zxid === stat.mzxid);
      assert.equal((await exists.watch.event).type, 'changed');
      await other.create('/a/child');
      assert.equal((await children.watch.event).type, 'children');
      await other.create('/b');
      assert.equal((await missing.watch.event).type, 'created');
      const again = await zk.children('/b', { watch: true });
      await other.delete('/b');
      assert.equal((await again.watch.event).type, 'deleted');
    },
  },
  {
    name: 'the event comes before the new data',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/a', '0');
      for (let i = 1; i <= 20; i++) {
        const { watch } = await zk.get('/a', { watch: true });
        let isSeen = false;
        void watch.event.then(() => {
          isSeen = true;
        });
        const writing = other.set('/a', String(i));
        while ((await zk.get('/a')).data.toString() !== String(i));
        assert.ok(isSeen, `round ${i}: new data before the event`);
        await writing;
      }
    },
  },
  {
    name: 'a persistent stream hears of its path again and again',
    async run({ zk, open }) {
      const other = await open();
      await using stream = await zk.watch('/a');
      await other.create('/a');
      await other.set('/a', 'x');
      await other.create('/a/child');
      await other.set('/a/child', 'not heard');
      await other.delete('/a/child');
      await other.delete('/a');
      assert.deepEqual(briefly(await take(stream, 6)), [
        'resync established',
        'created /a',
        'changed /a',
        'children /a',
        'children /a',
        'deleted /a',
      ]);
    },
  },
  {
    name: 'a recursive stream hears of all below, and children watches still fire',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/r');
      await using stream = await zk.watch('/r', { recursive: true });
      const { watch } = await zk.children('/r', { watch: true });
      await other.create('/r/a/b', 'x', { parents: 'persistent' });
      await other.set('/r/a/b', 'y');
      await other.delete('/r', { recursive: true });
      assert.deepEqual(briefly(await take(stream, 7)), [
        'resync established',
        'created /r/a',
        'created /r/a/b',
        'changed /r/a/b',
        'deleted /r/a/b',
        'deleted /r/a',
        'deleted /r',
      ]);
      assert.deepEqual(await watch.event.then(({ type, path }) => [type, path]), [
        'children',
        '/r',
      ]);
      await other.create('/r');
    },
  },
  {
    name: 'disposed watches are gone from the server',
    async run({ zk }) {
      await zk.create('/a');
      const one = await zk.get('/a', { watch: true });
      const two = await zk.exists('/a', { watch: true });
      const stream = await zk.watch('/a');
      one.watch[Symbol.dispose]();
      await rejects(one.watch.event, 'ABORTED');
      await stream[Symbol.asyncDispose]();
      // The other watch of the same path still fires: its table was not cleared.
      await zk.set('/a', 'x');
      assert.equal((await two.watch.event).type, 'changed');
    },
  },
  {
    name: 'a slow reader of a stream gets a resync in place of a flood',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/a');
      await using stream = await zk.watch('/a', { buffer: 4 });
      const items = stream[Symbol.asyncIterator]();
      assert.equal((await items.next()).value?.type, 'resync');
      await Promise.all(Array.from({ length: 20 }, (_, i) => other.set('/a', String(i))));
      await zk.sync();
      await zk.get('/a');
      assert.deepEqual(await items.next().then(({ value }) => briefly([value as WatchItem])), [
        'resync overflow',
      ]);
    },
  },
  {
    name: 'synced reads, sync, update',
    async run({ zk, open }) {
      const other = await open();
      await zk.create('/n', '0');
      await Promise.all(
        [zk, other].flatMap((client) =>
          Array.from({ length: 10 }, () =>
            client.update('/n', ({ data }) => String(Number(data.toString()) + 1)),
          ),
        ),
      );
      const { data } = await other.get('/n', { consistency: 'synced' });
      assert.equal(data.toString(), '20');
      await zk.sync('/n');
      const unchanged = await zk.update('/n', () => undefined);
      assert.equal(unchanged.version, 20);
    },
  },
  {
    name: 'a view of a part of the tree knows no other paths',
    async run({ zk }) {
      await zk.create('/part/sub', '', { parents: 'persistent' });
      const part = zk.chroot('/part');
      assert.ok(part.chrootPath.endsWith('/part'));
      assert.deepEqual((await part.children('/')).names, ['sub']);
      await using stream = await part.watch('/', { recursive: true });
      const created = await part.create('/x-', '', { sequential: true, mode: 'ephemeral' });
      assert.match(created.path, /^\/x-\d{10}$/);
      assert.deepEqual(await part.ephemerals(), [created.path]);
      assert.deepEqual(await zk.ephemerals('/part'), [`/part${created.path}`]);
      const [again] = await part.multi([{ op: 'create', path: '/m' }]);
      assert.equal(again.path, '/m');
      assert.deepEqual(briefly(await take(stream, 3)), [
        'resync established',
        `created ${created.path}`,
        'created /m',
      ]);
      await rejects(part.get('/nothing'), 'NO_NODE');
      assert.equal(part.session.id, zk.session.id);
    },
  },
  {
    name: 'a session is resumed with its id and password, and refused with a wrong one',
    async run({ open }) {
      const first = await open();
      await first.create('/e', '', { mode: 'ephemeral' });
      const ticket = first.detach();
      await rejects(first.get('/e'), 'CLOSED');
      const second = await open({ resume: ticket });
      assert.equal(second.session.id, ticket.id);
      assert.deepEqual(await second.ephemerals(), ['/e']);
      await rejects(
        open({ resume: { id: ticket.id, password: Buffer.alloc(16) } }),
        'SESSION_EXPIRED',
      );
      await second.close();
      await rejects(open({ resume: ticket }), 'SESSION_EXPIRED');
    },
  },
  {
    name: 'a session that another client ends is renewed, and its signal tells',
    async run({ zk, open }) {
      const victim = await open({ sessionTimeoutMs: 4000 });
      await zk.create('/w');
      await using stream = await victim.watch('/w');
      const { watch } = await victim.get('/w', { watch: true });
      const { session } = victim;
      const renewed = new Promise<bigint>((resolve) => {
        victim.on('session', (next) => resolve(next.id));
      });
      // The usual trick: take the session over, then close it.
      const killer = await open({ resume: { id: session.id, password: session.password } });
      await killer.close();
      const id = await renewed;
      assert.notEqual(id, session.id);
      assert.ok(session.signal.aborted && ZkError.is(session.signal.reason, 'SESSION_EXPIRED'));
      await rejects(watch.event, 'SESSION_EXPIRED');
      assert.equal(victim.session.generation, 2);
      await victim.set('/w', 'by the new session');
      const items = briefly(await take(stream, 2));
      assert.equal(items.at(-1), 'changed /w');
    },
  },
  {
    name: 'close ends the session, and further calls say so',
    async run({ zk, open }) {
      const other = await open();
      const creating = other.create('/e', '', { mode: 'ephemeral' });
      const closing = other.close();
      assert.equal((await creating).path, '/e');
      await closing;
      assert.equal(other.state.status, 'closed');
      assert.ok(other.session.signal.aborted);
      await rejects(other.get('/e'), 'CLOSED');
      await other.close();
      await zk.sync();
      assert.equal(await zk.exists('/e'), undefined);
    },
  },
  {
    name: 'an aborted call rejects at once, and those after it are answered',
    async run({ zk }) {
      await zk.create('/a', 'x');
      const controller = new AbortController();
      const aborted = zk.get('/a', { signal: controller.signal });
      const next = zk.get('/a');
      controller.abort(new Error('no longer needed'));
      await assert.rejects(aborted, (error) => {
        assert.ok(
          ZkError.is(error, 'ABORTED') && (error.cause as Error).message === 'no longer needed',
        );
        return true;
      });
      assert.equal((await next).data.toString(), 'x');
      await rejects(zk.get('/a', { signal: AbortSignal.abort() }), 'ABORTED');
    },
  },
];
