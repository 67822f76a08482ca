// Captures what Apache 3.9.5 really says and writes, for the codec tests of @zebu/protocol:
//
//   node src/golden/capture.ts          writes packages/protocol/test/golden/*.json
//
// The server is an ensemble of one, so that zxids have an epoch and reconfig works. The values beside the
// bytes come from the script, for requests, and from the codec of the differential test, for replies: never from the
// codec under test. Run it again only to add cases: ids and times change with every capture.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startApache } from '../apache.ts';
import { digestId, SUPER_USER } from '../differential/profile.ts';
import {
  type AclEntry,
  anything,
  auth,
  bare,
  create,
  type Draft,
  multi,
  OPEN_ACL,
  pathAndNumber,
  pathOnly,
  read,
  reconfig,
  setAcl,
  setData,
  setWatches,
} from '../differential/requests.ts';
import { OP } from '../differential/wire.ts';
import { freePort, type ServerProcess } from '../server-process.ts';
import { repositoryRoot } from '../tools.ts';
import { type ConnectOptions, connectPayload, type Exchange, GoldenClient } from './client.ts';
import { snapshot, txnLogs } from './disk.ts';
import { javaUtf8 } from './java-utf8.ts';
import type { Value } from './values.ts';

const target = join(repositoryRoot, 'packages', 'protocol', 'test', 'golden');

async function main(): Promise<void> {
  mkdirSync(target, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'zebu-golden-'));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'myid'), '1');
  const [quorumPort, electionPort, port] = [await freePort(), await freePort(), await freePort()];
  const start = () =>
    startApache({
      dataDir,
      port,
      config: {
        'server.1': `127.0.0.1:${quorumPort}:${electionPort}:participant;127.0.0.1:${port}`,
        standaloneEnabled: 'false',
        reconfigEnabled: 'true',
        extendedTypesEnabled: 'true',
        maxSessionTimeout: '300000',
        preAllocSize: '64',
      },
      systemProperties: {
        'zookeeper.DigestAuthenticationProvider.superDigest': digestId(SUPER_USER),
        'znode.container.checkIntervalMs': '500',
      },
    });
  try {
    const first = await start();
    await captureWire(first);
    await first.stop();
    save('txn-log', txnLogs(dataDir));
    // Loading what is there, the server takes a snapshot.
    const second = await start();
    await delay(1000);
    await second.stop();
    save('snapshot', snapshot(dataDir));
    save('java-utf8', javaUtf8(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function save(name: string, value: Value): void {
  const text = JSON.stringify(
    {
      server: 'Apache ZooKeeper 3.9.5',
      by: 'packages/conformance/src/golden/capture.ts',
      ...(value as object),
    },
    (_, one: unknown) => {
      if (typeof one === 'bigint') return { $bigint: String(one) };
      return one;
    },
    1,
  );
  writeFileSync(join(target, `${name}.json`), `${text}\n`);
  console.log(`${name}.json: ${text.length} characters`);
}

async function captureWire(server: ServerProcess): Promise<void> {
  const connects = await captureConnects(server);
  const client = new GoldenClient(server.port);
  await client.open(connectPayload({ timeoutMs: 30_000, readOnly: false }));
  const other = new GoldenClient(server.port);
  const otherConnect = await other.open(connectPayload({ timeoutMs: 200_000, readOnly: false }));
  save('connect', { connects: [...connects, otherConnect] });

  const exchanges: Exchange[] = [];
  const ask = async (
    by: GoldenClient,
    name: string,
    draft: Draft,
    requestValue: Value,
    xid?: number,
  ) => {
    exchanges.push(await by.ask(name, draft, requestValue, xid));
  };
  const open = [{ perms: 31, scheme: 'world', id: 'anyone' }];
  const alice: AclEntry[] = [
    { perms: 31, scheme: 'digest', id: digestId('alice:one') },
    { perms: 1, scheme: 'ip', id: '10.0.0.0/8' },
    { perms: 1, scheme: 'world', id: 'anyone' },
  ];
  const text = (value: string) => Buffer.from(value).toString('hex');
  const made = (path: string, data: string | null, flags = 0, acl: Value = open) => ({
    path,
    data: data === null ? null : { $hex: text(data) },
    acl,
    flags,
  });

  await ask(client, 'ping', bare(OP.ping), {}, -2);
  await ask(
    client,
    'auth with scheme digest',
    auth('digest', 'alice:one'),
    { type: 0, scheme: 'digest', auth: { $hex: text('alice:one') } },
    -4,
  );
  await ask(
    client,
    'create of a persistent znode',
    create(OP.create, '/a', { data: text('one') }),
    made('/a', 'one'),
  );
  await ask(
    client,
    'create with null data',
    create(OP.create, '/null', { data: null }),
    made('/null', null),
  );
  await ask(
    client,
    'create of a path with letters of two and three bytes',
    create(OP.create, '/é日本', { data: '' }),
    made('/é日本', ''),
  );
  await ask(
    client,
    'create of what exists: NODEEXISTS',
    create(OP.create, '/a', { data: '' }),
    made('/a', ''),
  );
  await ask(
    client,
    'create below nothing: NONODE',
    create(OP.create, '/none/b', { data: '' }),
    made('/none/b', ''),
  );
  await ask(
    client,
    'create without an ACL: INVALIDACL',
    create(OP.create, '/b', { data: '', acl: [] }),
    made('/b', '', 0, []),
  );
  await ask(
    client,
    'create with a null ACL: INVALIDACL',
    create(OP.create, '/b', { data: '', acl: { count: -1 } }),
    made('/b', '', 0, null),
  );
  await ask(
    client,
    'create of a sequential znode',
    create(OP.create, '/a/s-', { data: '', flags: 2 }),
    made('/a/s-', '', 2),
  );
  await ask(
    client,
    'create2 of an ephemeral sequential znode',
    create(OP.create2, '/a/e-', { data: text('mine'), flags: 3 }),
    made('/a/e-', 'mine', 3),
  );
  await ask(
    client,
    'create2 with three ACL entries',
    create(OP.create2, '/acl', { data: text('x'), acl: alice }),
    made('/acl', 'x', 0, alice),
  );
  await ask(
    client,
    'createContainer',
    create(OP.createContainer, '/c', { data: '', flags: 4 }),
    made('/c', '', 4),
  );
  await ask(
    client,
    'createTTL',
    create(OP.createTTL, '/ttl', { data: text('t'), flags: 5, ttl: '1099511627775' }),
    { ...made('/ttl', 't', 5), ttlMs: { $bigint: '1099511627775' } },
  );
  await ask(
    client,
    'createTTL with a ttl of 0: BADARGUMENTS',
    create(OP.createTTL, '/ttl0', { data: '', flags: 6, ttl: '0' }),
    { ...made('/ttl0', '', 6), ttlMs: { $bigint: '0' } },
  );

  // Watches, fired by the other session below.
  await ask(client, 'exists with a watch, of nothing: NONODE', read(OP.exists, '/later', 1), {
    path: '/later',
    watch: true,
  });
  await ask(client, 'exists', read(OP.exists, '/a', 0), { path: '/a', watch: false });
  await ask(client, 'getData with a watch', read(OP.getData, '/a', 1), { path: '/a', watch: true });
  await ask(client, 'getData of null data', read(OP.getData, '/null', 0), {
    path: '/null',
    watch: false,
  });
  await ask(client, 'getData of a null path: MARSHALLINGERROR', read(OP.getData, null, 0), {
    path: null,
    watch: false,
  });
  await ask(client, 'getChildren with a watch', read(OP.getChildren, '/a', 1), {
    path: '/a',
    watch: true,
  });
  await ask(client, 'getChildren2', read(OP.getChildren2, '/a', 0), { path: '/a', watch: false });
  await ask(client, 'getACL', pathOnly(OP.getACL, '/acl'), { path: '/acl' });
  await ask(other, 'getACL with the digests hidden', pathOnly(OP.getACL, '/acl'), { path: '/acl' });
  await ask(client, 'getACL of the open ACL', pathOnly(OP.getACL, '/a'), { path: '/a' });
  await ask(client, 'sync', pathOnly(OP.sync, '/no/such'), { path: '/no/such' });
  await ask(client, 'getEphemerals', pathOnly(OP.getEphemerals, '/'), { path: '/' });
  await ask(client, 'getAllChildrenNumber', pathOnly(OP.getAllChildrenNumber, '/a'), {
    path: '/a',
  });
  await ask(client, 'whoAmI', bare(OP.whoAmI), {});
  await ask(client, 'addWatch, persistent', pathAndNumber(OP.addWatch, '/null', 0), {
    path: '/null',
    value: 0,
  });
  await ask(client, 'addWatch, recursive', pathAndNumber(OP.addWatch, '/tree', 1), {
    path: '/tree',
    value: 1,
  });
  await ask(
    client,
    'addWatch of no mode: MARSHALLINGERROR',
    pathAndNumber(OP.addWatch, '/tree', 9),
    { path: '/tree', value: 9 },
  );
  await ask(client, 'checkWatches', pathAndNumber(OP.checkWatches, '/a', 2), {
    path: '/a',
    value: 2,
  });
  await ask(client, 'checkWatches: NOWATCHER', pathAndNumber(OP.checkWatches, '/nobody', 3), {
    path: '/nobody',
    value: 3,
  });
  await ask(client, 'removeWatches', pathAndNumber(OP.removeWatches, '/null', 4), {
    path: '/null',
    value: 4,
  });
  await ask(
    client,
    'setWatches',
    setWatches(OP.setWatches, 0, [['/gone'], ['/later', '/a'], []]),
    { relativeZxid: 0, data: ['/gone'], exist: ['/later', '/a'], child: [] },
    -8,
  );
  await ask(
    client,
    'setWatches2',
    setWatches(OP.setWatches2, 0, [[], [], ['/gone'], ['/null'], ['/tree']]),
    {
      relativeZxid: 0,
      data: [],
      exist: [],
      child: ['/gone'],
      persistent: ['/null'],
      persistentRecursive: ['/tree'],
    },
    -8,
  );

  // What fires them.
  await ask(other, 'setData', setData('/a', text('two'), 0), {
    path: '/a',
    data: { $hex: text('two') },
    version: 0,
  });
  await ask(other, 'setData of another version: BADVERSION', setData('/a', text('three'), 7), {
    path: '/a',
    data: { $hex: text('three') },
    version: 7,
  });
  await ask(other, 'setData with null data', setData('/null', null, -1), {
    path: '/null',
    data: null,
    version: -1,
  });
  await ask(other, 'setData without the right: NOAUTH', setData('/acl', text('no'), -1), {
    path: '/acl',
    data: { $hex: text('no') },
    version: -1,
  });
  await ask(
    other,
    'create that fires an exists watch',
    create(OP.create, '/later', { data: '' }),
    made('/later', ''),
  );
  await ask(
    other,
    'create that fires a recursive watch',
    create(OP.create, '/tree', { data: '' }),
    made('/tree', ''),
  );
  await ask(
    other,
    'create that fires a child watch',
    create(OP.create, '/a/child', { data: '' }),
    made('/a/child', ''),
  );
  await ask(other, 'delete that fires a watch', pathAndNumber(OP.delete, '/tree', -1), {
    path: '/tree',
    version: -1,
  });
  await ask(other, 'delete of a parent: NOTEMPTY', pathAndNumber(OP.delete, '/a', -1), {
    path: '/a',
    version: -1,
  });
  await ask(
    other,
    'create below an ephemeral: NOCHILDRENFOREPHEMERALS',
    create(OP.create, '/a/e-0000000001/x', { data: '' }),
    made('/a/e-0000000001/x', ''),
  );
  await ask(client, 'setACL', setAcl('/acl', OPEN_ACL, 0), { path: '/acl', acl: open, version: 0 });

  // multi of every kind.
  const createItem = (type: number, path: string, flags: number) => ({
    draft: create(type, path, {
      data: text('m'),
      flags,
      ...(type === OP.createTTL ? { ttl: '5000' } : {}),
    }),
  });
  const createValue = (type: number, path: string, flags: number) => ({
    type,
    request: {
      ...made(path, 'm', flags),
      ...(type === OP.createTTL ? { ttlMs: { $bigint: '5000' } } : {}),
    },
  });
  await ask(
    client,
    'multi of every kind',
    multi(OP.multi, [
      createItem(OP.create, '/m', 0),
      createItem(OP.create2, '/m/s-', 2),
      createItem(OP.createContainer, '/m/c', 4),
      createItem(OP.createTTL, '/m/t', 5),
      { draft: setData('/m', text('n'), 0) },
      { draft: pathAndNumber(OP.check, '/m', 1) },
      { draft: pathAndNumber(OP.delete, '/m/c', -1) },
    ]),
    {
      ops: [
        createValue(OP.create, '/m', 0),
        createValue(OP.create2, '/m/s-', 2),
        createValue(OP.createContainer, '/m/c', 4),
        createValue(OP.createTTL, '/m/t', 5),
        { type: OP.setData, request: { path: '/m', data: { $hex: text('n') }, version: 0 } },
        { type: OP.check, request: { path: '/m', version: 1 } },
        { type: OP.delete, request: { path: '/m/c', version: -1 } },
      ],
    },
  );
  await ask(
    client,
    'multi that fails in its second place',
    multi(OP.multi, [
      createItem(OP.create, '/n', 0),
      { draft: pathAndNumber(OP.check, '/none', 0) },
      { draft: pathAndNumber(OP.delete, '/n', -1) },
    ]),
    {
      ops: [
        createValue(OP.create, '/n', 0),
        { type: OP.check, request: { path: '/none', version: 0 } },
        { type: OP.delete, request: { path: '/n', version: -1 } },
      ],
    },
  );
  await ask(client, 'multi of nothing', multi(OP.multi, []), { ops: [] });
  await ask(
    client,
    'multi of a read: MARSHALLINGERROR',
    multi(OP.multi, [{ draft: read(OP.getData, '/a') }]),
    { ops: [{ type: OP.getData, request: { path: '/a', watch: false } }] },
  );
  await ask(
    client,
    'multiRead',
    multi(OP.multiRead, [
      { draft: read(OP.getData, '/a') },
      { draft: read(OP.getChildren, '/a') },
      { draft: read(OP.getData, '/none') },
    ]),
    {
      ops: [
        { type: OP.getData, request: { path: '/a', watch: false } },
        { type: OP.getChildren, request: { path: '/a', watch: false } },
        { type: OP.getData, request: { path: '/none', watch: false } },
      ],
    },
  );

  // Extended: a container that the sweeper deletes, and a change of the ensemble.
  await ask(
    client,
    'create below a container',
    create(OP.create, '/c/x', { data: '' }),
    made('/c/x', ''),
  );
  await ask(client, 'delete below a container', pathAndNumber(OP.delete, '/c/x', 0), {
    path: '/c/x',
    version: 0,
  });
  await delay(2500);
  await ask(client, 'sasl without a server login', anything(OP.sasl, '00000003616263'), {
    token: { $hex: '616263' },
  });
  await ask(
    client,
    'auth as super user',
    auth('digest', SUPER_USER),
    { type: 0, scheme: 'digest', auth: { $hex: text(SUPER_USER) } },
    -4,
  );
  const joining = 'server.2=127.0.0.1:1:2:observer;127.0.0.1:3';
  await ask(client, 'reconfig', reconfig(joining, null, null), {
    joiningServers: joining,
    leavingServers: null,
    newMembers: null,
    curConfigId: { $bigint: '-1' },
  });

  const closing = new GoldenClient(server.port);
  await closing.open(connectPayload({ timeoutMs: 30_000, readOnly: false }));
  await ask(
    closing,
    'create2 of an ephemeral znode',
    create(OP.create2, '/eph', { data: '', flags: 1 }),
    made('/eph', '', 1),
  );
  await ask(
    closing,
    'create of another ephemeral znode',
    create(OP.create, '/eph2', { data: '', flags: 1 }),
    made('/eph2', '', 1),
  );
  await ask(closing, 'closeSession', bare(OP.closeSession), {});
  const unknown = new GoldenClient(server.port);
  await unknown.open(connectPayload({ timeoutMs: 30_000, readOnly: false }));
  await ask(unknown, 'an unknown opcode: UNIMPLEMENTED', anything(99, ''), {});
  const failing = new GoldenClient(server.port);
  await failing.open(connectPayload({ timeoutMs: 30_000, readOnly: false }));
  await ask(
    failing,
    'auth of an unknown scheme: AUTHFAILED',
    auth('nothing', 'x'),
    { type: 0, scheme: 'nothing', auth: { $hex: text('x') } },
    -4,
  );
  save('exchanges', { exchanges });
  save('events', { events: client.events });
  client.close();
  other.close();
}

async function captureConnects(server: ServerProcess): Promise<Value[]> {
  const connects: Value[] = [];
  const variants: [name: string, options: ConnectOptions][] = [
    ['a new session', { timeoutMs: 30_000, readOnly: false }],
    ['a new session without the readOnly byte', { timeoutMs: 30_000 }],
    ['a new session that takes a read-only server', { timeoutMs: 30_000, readOnly: true }],
    ['a new session with a null password', { timeoutMs: 5000, password: null, readOnly: false }],
    ['a timeout over the maximum', { timeoutMs: 2_147_483_647, readOnly: false }],
    [
      'an unknown session: refused',
      { timeoutMs: 30_000, sessionId: 0x1234567890abcdefn, readOnly: false },
    ],
    [
      'an unknown session without the readOnly byte: refused',
      { timeoutMs: 30_000, sessionId: -2n },
    ],
  ];
  for (const [name, options] of variants) {
    const client = new GoldenClient(server.port);
    connects.push(await client.open(connectPayload(options), name));
    client.close();
  }
  const client = new GoldenClient(server.port);
  await client.open(connectPayload({ timeoutMs: 30_000, readOnly: false }));
  const again = new GoldenClient(server.port);
  const { sessionId, password } = client;
  connects.push(
    await again.open(
      connectPayload({ timeoutMs: 30_000, sessionId, password, readOnly: false }),
      'a session that moves',
    ),
  );
  client.close();
  again.close();
  return connects;
}

await main();
