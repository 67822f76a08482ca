// A session of npm zookeeper (the C client 3.x compiled into Node); prints what the server let it see.
//
//   NODE_PATH=.../node_modules node session.cjs 127.0.0.1:2181
'use strict';

const ZooKeeper = require('zookeeper');
const { say, section, until, sleep, server, Events, closeElsewhere } = require('../harness.cjs');

const { constants } = ZooKeeper;
const hosts = process.argv[2];
let baseZxid = 0;

function show(value) {
  if (value === undefined || value === null) return String(value);
  if (Buffer.isBuffer(value)) return value.length > 60 ? `${value.length} bytes` : `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value.czxid !== undefined) {
    // As numbers: this client gives zxids as doubles or as text, by version.
    const relative = (zxid) => Number(zxid) - baseZxid;
    return `stat(czxid=${relative(value.czxid)} mzxid=${relative(value.mzxid)} pzxid=${relative(value.pzxid)} version=${value.version} cversion=${value.cversion} aversion=${value.aversion} ephemeral=${!/^0*$/.test(String(value.ephemeralOwner))} length=${value.dataLength} children=${value.numChildren})`;
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// The a_ functions call back with (code, error text, results...).
function call(client, method, ...args) {
  return new Promise((resolve) => {
    const name = `${method} ${args.map((one) => (typeof one === 'function' ? 'watcher' : show(one))).join(' ')}`;
    const done = (rc, error, ...results) => {
      const shown = results.map((one) =>
        show(Array.isArray(one) && typeof one[0] === 'string' ? [...one].sort() : one),
      );
      say(name, '->', rc, error, rc === 0 ? shown.join(' ') : '');
      resolve({ rc, results });
    };
    try {
      client[method](...args, done);
    } catch (error) {
      say(name, '!! thrown:', error.message);
      resolve({ rc: Number.NaN, results: [] });
    }
  });
}

function quietly(client, method, ...args) {
  return new Promise((resolve) =>
    client[method](...args, (rc, _error, ...results) => resolve({ rc, results })),
  );
}

function open(where = hosts, options = {}) {
  return new Promise((resolve) => {
    const client = new ZooKeeper({
      connect: where,
      timeout: 10_000,
      debug_level: constants.ZOO_LOG_LEVEL_ERROR ?? 1,
      host_order_deterministic: false,
      ...options,
    });
    client.once('connect', () => resolve(client));
    client.init();
  });
}

/** Ends a session and waits for it: what comes next has the next zxid. */
function close(client) {
  return new Promise((resolve) => {
    client.once('close', resolve);
    client.close();
  });
}

async function basics(client) {
  section('basics');
  say('timeout', client.timeout, 'state', client.state === constants.ZOO_CONNECTED_STATE);
  await call(client, 'a_create', '/a', 'one', 0);
  baseZxid = Number((await quietly(client, 'a_exists', '/a', false)).results[0].czxid);
  await call(client, 'a_create', '/a', 'one', 0);
  await call(client, 'a_create', '/no/where', '', 0);
  await call(client, 'a_create', '/empty', '', 0);
  await call(client, 'a_get', '/empty', false);
  await call(client, 'a_create', '/a/seq-', '', constants.ZOO_SEQUENCE);
  await call(client, 'a_create', '/a/seq-', '', constants.ZOO_SEQUENCE);
  await call(client, 'a_create', '/a/eph', 'e', constants.ZOO_EPHEMERAL);
  await call(client, 'a_create', '/a/es-', 'e', constants.ZOO_EPHEMERAL | constants.ZOO_SEQUENCE);
  await call(client, 'a_create', '/a/container', 'c', constants.ZOO_CONTAINER ?? 4);
  await call(client, 'a_createTtl', '/a/ttl', 't', constants.ZOO_PERSISTENT_WITH_TTL ?? 5, 600_000);
  await call(
    client,
    'a_createTtl',
    '/a/ttl-',
    't',
    constants.ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL ?? 6,
    600_000,
  );
  await call(client, 'a_create', '/a/eph/child', '', 0);
  await call(client, 'a_create', '/a/日本 ü', 'ж', 0);
  await call(client, 'a_get', '/a/日本 ü', false);
  await call(client, 'a_create', '/a/bytes', Buffer.from([0, 1, 255]), 0);
  await call(client, 'a_get_children', '/a', false);
  await call(client, 'a_get_children2', '/a', false);
  await call(client, 'a_get_children', '/', false);
  await call(client, 'a_get_children', '/missing', false);
  await call(client, 'a_get', '/a', false);
  await call(client, 'a_get', '/missing', false);
  await call(client, 'a_exists', '/a/eph', false);
  await call(client, 'a_exists', '/missing', false);
  await call(client, 'a_set', '/a', 'two', -1);
  await call(client, 'a_set', '/a', 'three', 1);
  await call(client, 'a_set', '/a', 'four', 1);
  await call(client, 'a_get', '/a', false);
  await call(client, 'a_set', '/missing', 'x', -1);
  await call(client, 'a_delete_', '/a', -1);
  await call(client, 'a_delete_', '/missing', -1);
  await call(client, 'a_delete_', '/empty', 5);
  await call(client, 'a_delete_', '/empty', 0);
  await call(client, 'a_delete_', '/zookeeper', -1);
  await call(client, 'a_sync', '/a');
  await call(client, 'a_getconfig', false);
  // Larger replies than some packets make this client close itself.
  await call(client, 'a_create', '/large', Buffer.alloc(8000, 'x'), 0);
  await call(client, 'a_get', '/large', false);
}

async function acls(client) {
  section('acls');
  await call(client, 'a_get_acl', '/a');
  await call(client, 'add_auth', 'digest', 'dave:pw');
  await call(client, 'a_create', '/private', 'p', 0);
  await call(client, 'a_set_acl', '/private', -1, [constants.ZOO_CREATOR_ALL_ACL]);
  await call(client, 'a_get_acl', '/private');
  const other = await open();
  await call(other, 'a_get', '/private', false);
  await call(other, 'a_set', '/private', 'x', -1);
  await call(other, 'a_exists', '/private', false);
  await call(other, 'add_auth', 'digest', 'dave:pw');
  await call(other, 'a_get', '/private', false);
  await call(other, 'a_set_acl', '/private', 9, [constants.ZOO_READ_ACL_UNSAFE]);
  await call(other, 'a_set_acl', '/private', 1, [constants.ZOO_READ_ACL_UNSAFE]);
  await call(other, 'a_set', '/private', 'x', -1);
  await call(client, 'a_set_acl', '/missing', -1, [constants.ZOO_OPEN_ACL_UNSAFE]);
  await close(other);
}

async function watches(client) {
  section('watches');
  const events = new Events();
  const watcher = (type, state, path) => events.seen.push(`type ${type} state ${state} ${path}`);
  const other = await open();
  await call(client, 'a_create', '/w', '', 0);
  await call(client, 'aw_get', '/w', watcher);
  await call(other, 'a_set', '/w', '1', -1);
  await call(other, 'a_set', '/w', '2', -1);
  await events.tell('data watch fires once', 1);
  await call(client, 'aw_exists', '/w/later', watcher);
  await call(other, 'a_create', '/w/later', '', 0);
  await events.tell('exists watch of a missing node', 1);
  await call(client, 'aw_get_children2', '/w', watcher);
  await call(other, 'a_delete_', '/w/later', -1);
  await events.tell('delete', 1);
  await call(client, 'aw_exists', '/w/eph', watcher);
  await call(other, 'a_create', '/w/eph', '', constants.ZOO_EPHEMERAL);
  await events.tell('ephemeral came', 1);
  await call(client, 'aw_exists', '/w/eph', watcher);
  await close(other);
  await events.tell('ephemeral went', 1);

  section('chroot');
  await call(client, 'a_create', '/chroot', '', 0);
  const rooted = await open(`${hosts}/chroot`);
  await call(rooted, 'a_create', '/x', '', 0);
  await call(rooted, 'aw_get_children', '/', watcher);
  await call(client, 'a_create', '/chroot/y', '', 0);
  await events.tell('event of a chroot', 1);
  await close(rooted);

  section('promises');
  say('exists', await client.pathExists('/a', false), await client.pathExists('/missing', false));
  say('create', await client.create('/promised', 'p', 0));
  say(
    'get',
    (await client.get('/promised', false)).map((one) =>
      Buffer.isBuffer(one) ? one.toString() : typeof one,
    ),
  );
  say('delete', await client.delete_('/promised', -1));
  say(
    'delete again',
    await client.delete_('/promised', -1).catch((error) => error.message.slice(0, 60)),
  );
}

async function sessions(client) {
  section('the server restarts');
  const events = new Events();
  const watcher = (type, state, path) => {
    if (type !== constants.ZOO_SESSION_EVENT)
      events.seen.push(`type ${type} state ${state} ${path}`);
  };
  const id = client.client_id;
  let connects = 0;
  client.on('connect', () => {
    connects += 1;
  });
  await call(client, 'a_create', '/kept', '', constants.ZOO_EPHEMERAL);
  await call(client, 'aw_get', '/w', watcher);
  await call(client, 'aw_exists', '/later', watcher);
  await server('stop');
  await server('start');
  await until(() => connects >= 1);
  say('same session', id === client.client_id);
  await call(client, 'a_exists', '/kept', false);
  await call(client, 'a_set', '/w', 'after', -1);
  await call(client, 'a_create', '/later', '', 0);
  await events.tell('watches were set again', 2);
  const before = connects;
  await server('kill');
  await server('start');
  await until(() => connects > before);
  await call(client, 'a_exists', '/kept', false);
  await call(client, 'a_create', '/a/seq-', '', constants.ZOO_SEQUENCE);

  section('many in flight');
  await call(client, 'a_create', '/many', '', 0);
  const created = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => quietly(client, 'a_create', `/many/n${n}`, '', 0)),
  );
  say('created', created.filter((one) => one.rc === 0).length, created.at(-1).results[0]);
  const removed = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => quietly(client, 'a_delete_', `/many/n${n}`, -1)),
  );
  say('removed', removed.filter((one) => one.rc === 0).length);

  section('closed elsewhere');
  let closed = false;
  client.on('close', () => {
    closed = true;
  });
  await closeElsewhere(
    hosts,
    Buffer.from(client.client_id.padStart(16, '0'), 'hex'),
    Buffer.from(client.client_password, 'hex'),
  );
  await until(() => closed);
  say('closed', closed);
  const other = await open();
  // A session is refused from its close on; its ephemerals go when that is on disk, before this sync.
  await call(other, 'a_sync', '/kept');
  await call(other, 'a_exists', '/kept', false);
  await close(other);
}

async function main() {
  const client = await open();
  await basics(client);
  await acls(client);
  await watches(client);
  await sessions(client);
  await sleep(50);
  process.exit(0);
}

void main();
