// A session of npm node-zookeeper-client (pure JavaScript); prints what the server let it see.
//
//   NODE_PATH=.../node_modules node session.cjs 127.0.0.1:2181
'use strict';

const zookeeper = require('node-zookeeper-client');
const { say, section, until, sleep, server, Events, closeElsewhere } = require('../harness.cjs');

const { ACL, CreateMode, Id, Permission } = zookeeper;
const hosts = process.argv[2];
let baseZxid = 0n;

function zxid(buffer) {
  return buffer.readBigInt64BE(0);
}

function show(value) {
  if (value === undefined || value === null) return String(value);
  if (Buffer.isBuffer(value)) return value.length > 60 ? `${value.length} bytes` : `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value.czxid) {
    return `stat(czxid=${zxid(value.czxid) - baseZxid} mzxid=${zxid(value.mzxid) - baseZxid} pzxid=${zxid(value.pzxid) - baseZxid} version=${value.version} cversion=${value.cversion} aversion=${value.aversion} ephemeral=${zxid(value.ephemeralOwner) !== 0n} length=${value.dataLength} children=${value.numChildren})`;
  }
  if (value.id && value.permission !== undefined)
    return `${value.id.scheme}:${value.id.id}:${value.permission}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// Calls a method with a callback; prints its results or the name of its error.
function call(client, method, ...args) {
  return new Promise((resolve) => {
    const name = `${method} ${args.map((one) => (typeof one === 'function' ? 'watcher' : show(one))).join(' ')}`;
    const done = (error, ...results) => {
      if (error)
        say(name, '!!', error.getName ? `${error.getName()} ${error.getCode()}` : error.message);
      else
        say(
          name,
          '->',
          results
            .map((one) =>
              show(Array.isArray(one) && typeof one[0] === 'string' ? [...one].sort() : one),
            )
            .join(' '),
        );
      resolve(error ? undefined : results);
    };
    try {
      client[method](...args, done);
    } catch (error) {
      say(name, '!! thrown:', error.message);
      resolve(undefined);
    }
  });
}

function quietly(client, method, ...args) {
  return new Promise((resolve) =>
    client[method](...args, (error, ...results) => resolve({ error, results })),
  );
}

function open(where = hosts, options = { sessionTimeout: 10_000, spinDelay: 50, retries: 2 }) {
  return new Promise((resolve) => {
    const client = zookeeper.createClient(where, options);
    client.once('connected', () => resolve(client));
    client.connect();
  });
}

/** Ends a session and waits for it: what comes next has the next zxid. */
function close(client) {
  return new Promise((resolve) => {
    client.once('disconnected', resolve);
    client.close();
  });
}

function commit(transaction) {
  return new Promise((resolve) => {
    transaction.commit((error, results) => {
      const shown = (results ?? []).map((one) =>
        one?.getName
          ? one.getName()
          : one?.err !== undefined
            ? `err ${one.err}`
            : show(one.path ?? one.stat ?? one.type ?? one),
      );
      say('commit', error ? `!! ${error.getName()}` : '->', shown.join(', '));
      resolve();
    });
  });
}

async function basics(client) {
  section('basics');
  say(
    'timeout',
    client.getSessionTimeout(),
    'state',
    client.getState().getName(),
    client.getSessionPassword().length,
  );
  await call(client, 'create', '/a', Buffer.from('one'));
  baseZxid = zxid((await quietly(client, 'exists', '/a')).results[0].czxid);
  await call(client, 'create', '/a', Buffer.from('one'));
  await call(client, 'create', '/no/where');
  await call(client, 'create', '/nodata');
  await call(client, 'getData', '/nodata');
  await call(client, 'create', '/empty', Buffer.alloc(0));
  await call(client, 'getData', '/empty');
  await call(client, 'create', '/a/seq-', CreateMode.PERSISTENT_SEQUENTIAL);
  await call(client, 'create', '/a/seq-', CreateMode.PERSISTENT_SEQUENTIAL);
  await call(client, 'create', '/a/eph', Buffer.from('e'), CreateMode.EPHEMERAL);
  await call(client, 'create', '/a/es-', CreateMode.EPHEMERAL_SEQUENTIAL);
  await call(client, 'create', '/a/eph/child');
  await call(client, 'create', 'relative');
  await call(client, 'create', '/a//b');
  await call(client, 'create', '/a/');
  await call(client, 'create', '/a/日本 ü', Buffer.from('ж'));
  await call(client, 'getData', '/a/日本 ü');
  await call(client, 'mkdirp', '/deep/er/est', Buffer.from('d'));
  await call(client, 'mkdirp', '/deep/er/est', Buffer.from('d'));
  await call(client, 'getChildren', '/a');
  await call(client, 'getChildren', '/');
  await call(client, 'getChildren', '/missing');
  await call(client, 'getData', '/a');
  await call(client, 'getData', '/missing');
  await call(client, 'exists', '/a/eph');
  await call(client, 'exists', '/missing');
  await call(client, 'setData', '/a', Buffer.from('two'));
  await call(client, 'setData', '/a', Buffer.from('three'), 1);
  await call(client, 'setData', '/a', Buffer.from('four'), 1);
  await call(client, 'setData', '/a', null);
  await call(client, 'getData', '/a');
  await call(client, 'setData', '/missing', Buffer.from('x'));
  await call(client, 'remove', '/a');
  await call(client, 'remove', '/missing');
  await call(client, 'remove', '/empty', 5);
  await call(client, 'remove', '/empty', 0);
  await call(client, 'remove', '/zookeeper');
  await call(client, 'listSubTreeBFS', '/deep');
  await call(client, 'removeRecursive', '/deep');
  await call(client, 'exists', '/deep');
  await call(client, 'create', '/large', Buffer.alloc(900_000, 'x'));
  await call(client, 'getData', '/large');
}

async function acls(client) {
  section('acls');
  await call(client, 'getACL', '/a');
  await call(client, 'create', '/read-only', Buffer.from('r'), ACL.READ_ACL_UNSAFE);
  await call(client, 'getACL', '/read-only');
  await call(client, 'setData', '/read-only', Buffer.from('x'));
  await call(client, 'create', '/read-only/child');
  await call(client, 'create', '/creator', ACL.CREATOR_ALL_ACL);
  const carol = await open();
  carol.addAuthInfo('digest', Buffer.from('carol:pw'));
  await call(carol, 'create', '/creator', ACL.CREATOR_ALL_ACL);
  await call(carol, 'getACL', '/creator');
  await call(client, 'getData', '/creator');
  await call(client, 'setData', '/creator', Buffer.from('x'));
  await call(client, 'getACL', '/creator');
  await call(client, 'setACL', '/creator', ACL.OPEN_ACL_UNSAFE);
  await call(carol, 'setACL', '/creator', [new ACL(Permission.READ, new Id('ip', '127.0.0.1'))], 4);
  await call(carol, 'setACL', '/creator', [new ACL(Permission.READ, new Id('ip', '127.0.0.1'))], 0);
  await call(client, 'getData', '/creator');
  await call(client, 'setACL', '/a', [new ACL(Permission.ALL, new Id('nosuch', 'x'))]);
  await call(client, 'setACL', '/missing', ACL.OPEN_ACL_UNSAFE);
  await close(carol);
  const superuser = await open();
  superuser.addAuthInfo('digest', Buffer.from('super:admin'));
  await call(superuser, 'setData', '/read-only', Buffer.from('super'));
  await close(superuser);
  const wrong = await open();
  const states = [];
  wrong.on('state', (state) => states.push(state.getName()));
  wrong.addAuthInfo('nosuch', Buffer.from('x'));
  await until(() => states.includes('AUTH_FAILED'));
  say('after a failed auth', states.includes('AUTH_FAILED'));
  wrong.close();
}

async function transactions(client) {
  section('transactions');
  await commit(
    client
      .transaction()
      .create('/t', Buffer.from('1'))
      .create('/t/x')
      .setData('/t', Buffer.from('2'), 0)
      .check('/t', 1)
      .remove('/t/x'),
  );
  await call(client, 'getData', '/t');
  await commit(client.transaction().create('/t/new').check('/t', 9).create('/t/other'));
  await commit(client.transaction().create('/t').remove('/nothing'));
  await commit(client.transaction().remove('/t/x').create('/t/y'));
  await commit(client.transaction().create('/read-only/x'));
  await call(client, 'getChildren', '/t');
}

async function watches(client) {
  section('watches');
  const events = new Events();
  const watcher = (event) => events.seen.push(`${event.getName()} ${event.getPath()}`);
  const other = await open();
  await call(client, 'create', '/w');
  await call(client, 'getData', '/w', watcher);
  await call(other, 'setData', '/w', Buffer.from('1'));
  await call(other, 'setData', '/w', Buffer.from('2'));
  await events.tell('data watch fires once', 1);
  await call(client, 'exists', '/w/later', watcher);
  await call(other, 'create', '/w/later');
  await events.tell('exists watch of a missing node', 1);
  await call(client, 'getChildren', '/w', watcher);
  await call(client, 'exists', '/w/later', (event) =>
    events.seen.push(`exists: ${event.getName()}`),
  );
  await call(other, 'remove', '/w/later');
  await events.tell('delete', 2);
  await call(client, 'exists', '/w/eph', watcher);
  await call(other, 'create', '/w/eph', CreateMode.EPHEMERAL);
  await events.tell('ephemeral came', 1);
  await call(client, 'exists', '/w/eph', watcher);
  await close(other);
  await events.tell('ephemeral went', 1);

  section('chroot');
  await call(client, 'create', '/chroot');
  const rooted = await open(`${hosts}/chroot`);
  await call(rooted, 'create', '/x');
  await call(rooted, 'getChildren', '/', watcher);
  await call(client, 'create', '/chroot/y');
  await events.tell('event of a chroot', 1);
  await call(rooted, 'create', '/s-', CreateMode.PERSISTENT_SEQUENTIAL);
  await close(rooted);
}

async function sessions(client) {
  section('the server restarts');
  const events = new Events();
  const watcher = (event) => events.seen.push(`${event.getName()} ${event.getPath()}`);
  const states = [];
  client.on('state', (state) => states.push(state.getName()));
  const id = Buffer.from(client.getSessionId());
  await call(client, 'create', '/kept', CreateMode.EPHEMERAL);
  await call(client, 'getData', '/w', watcher);
  await call(client, 'exists', '/later', watcher);
  await call(client, 'getChildren', '/w', watcher);
  await server('stop');
  await until(() => states.includes('DISCONNECTED'));
  await server('start');
  await until(() => states.at(-1) === 'SYNC_CONNECTED');
  say('same session', id.equals(client.getSessionId()));
  await call(client, 'exists', '/kept');
  await call(client, 'setData', '/w', Buffer.from('after'));
  await call(client, 'create', '/later');
  await call(client, 'create', '/w/after');
  await events.tell('watches were set again', 3);
  const before = states.length;
  await server('kill');
  await until(() => states.length > before);
  await server('start');
  await until(() => states.at(-1) === 'SYNC_CONNECTED');
  await call(client, 'exists', '/kept');
  await call(client, 'create', '/a/seq-', CreateMode.PERSISTENT_SEQUENTIAL);
  await closeElsewhere(hosts, id, Buffer.from(client.getSessionPassword()));
  // Apache may leave the owner's last connection open and unanswered, when it comes just as the session is
  // closed: broken from here then, as a user's time limit would.
  for (let n = 0; n < 20 && !(await until(() => states.includes('EXPIRED'), 3000)); n++) {
    client.connectionManager.socket.destroy();
  }
  say('expired', states.includes('EXPIRED'));

  section('many in flight');
  const many = await open();
  // A session is refused from its close on; its ephemerals go when that is on disk, before this write.
  await call(many, 'create', '/many');
  await call(many, 'exists', '/kept');
  const created = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => quietly(many, 'create', `/many/n${n}`)),
  );
  say('created', created.filter((one) => !one.error).length, created.at(-1).results[0]);
  const stats = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => quietly(many, 'exists', `/many/n${n}`)),
  );
  const zxids = stats.map((one) => zxid(one.results[0].czxid));
  say(
    'in order',
    zxids.every((one, n) => n === 0 || one > zxids[n - 1]),
  );
  const removed = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => quietly(many, 'remove', `/many/n${n}`)),
  );
  say('removed', removed.filter((one) => !one.error).length);
  await close(many);
}

async function main() {
  const client = await open();
  await basics(client);
  await acls(client);
  await transactions(client);
  await watches(client);
  await sessions(client);
  await sleep(50);
  process.exit(0);
}

void main();
