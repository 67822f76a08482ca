// One round of @zebu/client, built, on whatever runs this file: Node, Bun, Deno. Arguments: the server's plain
// address, its TLS address, and the certificate to trust. Prints "round done" at the end; fails otherwise.

import assert from 'node:assert/strict';
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { backoff, connect, tlsFiles, ZkError } from '@zebu/client';

const [plain, secure, ca] = process.argv.slice(2);

const states = [];
subscribe('zebu:state', ({ state }) => states.push(state.status));
let traced = 0;
tracingChannel('zebu:request').subscribe({
  start() {},
  end() {},
  asyncStart() {},
  asyncEnd: () => {
    traced++;
  },
  error() {},
});

const zk = await connect({ servers: plain, retry: backoff() });
await zk.create('/round/config', 'one', { parents: 'persistent' });
const { data, stat } = await zk.get('/round/config');
assert.equal(data.toString(), 'one');
assert.equal(stat.version, 0);

// Errors have their codes, and name the call.
await assert.rejects(zk.set('/round/config', 'x', { version: 7 }), (error) =>
  ZkError.is(error, 'BAD_VERSION'),
);
await assert.rejects(async () => zk.create('/x', '', { ephemeral: true }), TypeError);

// A stream, a one-shot watch, and a new connection below them.
const stream = await zk.watch('/round', { recursive: true });
const items = stream[Symbol.asyncIterator]();
assert.equal((await items.next()).value.reason, 'established');
const { watch } = await zk.children('/round', { watch: true });
zk.setServers(plain.replace('127.0.0.1', 'localhost'));
assert.equal((await items.next()).value.reason, 'reconnected');
const created = await zk.create('/round/lock-', '', { mode: 'ephemeral', sequential: true });
assert.equal(created.sequence, 1);
assert.equal((await watch.event).type, 'children');
assert.equal((await items.next()).value.path, created.path);
await stream[Symbol.asyncDispose]();

// Many at once, in one transaction, in bulk, and behind a sync.
const all = await Promise.all(Array.from({ length: 1000 }, () => zk.get('/round/config')));
assert.equal(all.length, 1000);
const [made, changed] = await zk.multi([
  { op: 'create', path: '/round/multi', data: 'm' },
  { op: 'set', path: '/round/config', data: Buffer.alloc(500_000, 7) },
]);
assert.equal(made.stat.czxid, changed.mzxid);
let results = 0;
const operations = Array.from({ length: 500 }, (_, i) => ({ op: 'create', path: `/round/b${i}` }));
for await (const some of zk.bulk(operations)) results += some.length;
assert.equal(results, 500);
const read = await zk.get('/round/config', { consistency: 'synced' });
assert.equal(read.data.length, 500_000);
assert.equal(created.session.id, (await zk.exists(created.path)).ephemeralOwner);

// What is printed holds no secret, and aborting ends a call.
assert.match(inspect(zk), /^Client \{ connected/);
await assert.rejects(zk.get('/', { signal: AbortSignal.abort() }), (error) =>
  ZkError.is(error, 'ABORTED'),
);

const other = await connect({ servers: `tls://${secure}`, tls: tlsFiles({ ca }) });
assert.equal((await other.get('/round/config')).data.length, 500_000);
await other.delete('/round', { recursive: true });
await other.close();

const { signal } = zk.session;
await zk.close();
assert.equal(signal.aborted, true);
assert.ok(traced > 1500, `${traced} calls were traced`);
assert.deepEqual(states.slice(0, 3), ['connected', 'suspended', 'connected']);
console.log('round done');
