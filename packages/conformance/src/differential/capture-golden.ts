// Captures what Apache 3.9.5 really says and writes, for the codec tests of @zebu/protocol:
//
//   node src/differential/capture-golden.ts          writes packages/protocol/test/golden/*.json
//
// The server is an ensemble of one, so that zxids have an epoch and reconfig works. The values beside the
// bytes come from the script, for requests, and from the codec of this folder, for replies: never from the
// codec under test. Run it again only to add cases: ids and times change with every capture.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startApache } from '../apache.ts';
import { freePort, type ServerProcess } from '../server-process.ts';
import { apacheClassPath, repositoryRoot } from '../tools.ts';
import { digestId, SUPER_USER } from './profile.ts';
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
} from './requests.ts';
import { encodeRequest } from './script.ts';
import { frame, OP, WireReader, WireWriter } from './wire.ts';

const target = join(repositoryRoot, 'packages', 'protocol', 'test', 'golden');

/** In the files a bigint is {"$bigint": "1"} and bytes are {"$hex": "00"}. */
type Value = unknown;

interface Exchange {
  name: string;
  op: number;
  /** Frames, length prefix included, in hex. */
  request: string;
  requestValue: Value;
  reply: string;
  replyValue: Value;
}

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
      by: 'packages/conformance/src/differential/capture-golden.ts',
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

function hex(bytes: Uint8Array | null): Value {
  return bytes === null ? null : { $hex: Buffer.from(bytes).toString('hex') };
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

interface ConnectOptions {
  timeoutMs: number;
  sessionId?: bigint;
  password?: Buffer | null;
  readOnly?: boolean;
}

function connectPayload(options: ConnectOptions): { payload: Buffer; value: Value } {
  const { timeoutMs, sessionId = 0n, password = Buffer.alloc(16), readOnly } = options;
  const writer = new WireWriter().int(0).long(0n).int(timeoutMs).long(sessionId).buffer(password);
  if (readOnly !== undefined) writer.byte(readOnly ? 1 : 0);
  return {
    payload: writer.done(),
    value: {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs,
      sessionId,
      password: hex(password),
      ...(readOnly === undefined ? {} : { readOnly }),
    },
  };
}

/** One connection whose frames are kept. */
class GoldenClient {
  readonly events: Value[] = [];
  sessionId = 0n;
  password: Buffer = Buffer.alloc(16);
  private readonly socket: Socket;
  private readonly frames: Buffer[] = [];
  private tail: Buffer = Buffer.alloc(0);
  private wake: (() => void) | undefined;
  private xid = 0;

  constructor(port: number) {
    this.socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.tail = Buffer.concat([this.tail, chunk]);
      while (this.tail.length >= 4 && this.tail.length >= 4 + this.tail.readInt32BE(0)) {
        const end = 4 + this.tail.readInt32BE(0);
        this.frames.push(Buffer.from(this.tail.subarray(0, end)));
        this.tail = this.tail.subarray(end);
      }
      this.wake?.();
    });
  }

  async open(
    { payload, value }: { payload: Buffer; value: Value },
    name = 'a long timeout',
  ): Promise<Value> {
    this.socket.write(frame(payload));
    const reply = await this.frame();
    const reader = new WireReader(reply, 4);
    const protocolVersion = reader.int();
    const timeoutMs = reader.int();
    this.sessionId = reader.long();
    this.password = Buffer.from(reader.buffer() ?? '');
    const readOnly = reader.remaining > 0 ? { readOnly: reader.byte() !== 0 } : {};
    return {
      name,
      request: frame(payload).toString('hex'),
      requestValue: value,
      reply: reply.toString('hex'),
      replyValue: {
        protocolVersion,
        timeoutMs,
        sessionId: this.sessionId,
        password: hex(this.password),
        ...readOnly,
      },
    };
  }

  async ask(name: string, draft: Draft, requestValue: Value, xid = ++this.xid): Promise<Exchange> {
    const request = frame(encodeRequest({ ...draft, xid }, BigInt));
    this.socket.write(request);
    for (;;) {
      const reply = await this.frame();
      const reader = new WireReader(reply, 4);
      const header = { xid: reader.int(), zxid: Number(reader.long()), error: reader.int() };
      if (header.xid === -1) {
        const event = { type: reader.int(), state: reader.int(), path: reader.string() };
        this.events.push({
          name: `before the reply to: ${name}`,
          frame: reply.toString('hex'),
          header,
          event,
        });
        continue;
      }
      const body = header.error === 0 ? replyBody(draft.op, reader) : {};
      return {
        name,
        op: draft.op,
        request: request.toString('hex'),
        requestValue: { header: { xid, type: draft.op }, body: requestValue },
        reply: reply.toString('hex'),
        replyValue: { header, body },
      };
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private async frame(): Promise<Buffer> {
    while (this.frames.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.frames.shift() as Buffer;
  }
}

function replyBody(op: number, reader: WireReader): Value {
  switch (op) {
    case OP.create:
    case OP.sync:
      return { path: reader.string() };
    case OP.create2:
    case OP.createContainer:
    case OP.createTTL:
      return { path: reader.string(), stat: stat(reader) };
    case OP.exists:
    case OP.setData:
    case OP.setACL:
      return { stat: stat(reader) };
    case OP.getData:
    case OP.reconfig:
      return { data: hex(reader.buffer()), stat: stat(reader) };
    case OP.getACL:
      return { acl: acls(reader), stat: stat(reader) };
    case OP.getChildren:
      return { children: strings(reader) };
    case OP.getChildren2:
      return { children: strings(reader), stat: stat(reader) };
    case OP.getEphemerals:
      return { ephemerals: strings(reader) };
    case OP.getAllChildrenNumber:
      return { total: reader.int() };
    case OP.addWatch:
      return { error: reader.int() };
    case OP.whoAmI: {
      const infos: Value[] = [];
      for (let count = reader.int(); count > 0; count--) {
        infos.push({ authScheme: reader.string(), user: reader.string() });
      }
      return { infos };
    }
    case OP.sasl:
      return { token: hex(reader.buffer()) };
    case OP.multi:
    case OP.multiRead:
      return { results: multiResults(reader) };
    default:
      return {};
  }
}

function multiResults(reader: WireReader): Value[] {
  const results: Value[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.byte();
    reader.int();
    if (done !== 0) return results;
    const body =
      type === -1
        ? { error: reader.int() }
        : type === OP.delete || type === OP.check
          ? {}
          : replyBody(type, reader);
    results.push({ type, ...(body as object) });
  }
}

function stat(reader: WireReader): Value {
  return {
    czxid: Number(reader.long()),
    mzxid: Number(reader.long()),
    ctime: Number(reader.long()),
    mtime: Number(reader.long()),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: reader.long(),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: Number(reader.long()),
  };
}

function strings(reader: WireReader): Value[] {
  const values: Value[] = [];
  for (let count = reader.int(); count > 0; count--) values.push(reader.string());
  return values;
}

function acls(reader: WireReader): Value[] {
  const entries: Value[] = [];
  for (let count = reader.int(); count > 0; count--) {
    entries.push({ perms: reader.int(), scheme: reader.string(), id: reader.string() });
  }
  return entries;
}

/** Header and records of all logs. A record is checksum, length, entry and end mark. */
function txnLogs(dataDir: string): Value {
  const folder = join(dataDir, 'version-2');
  const records: Value[] = [];
  let header = '';
  for (const name of readdirSync(folder)
    .filter((one) => one.startsWith('log.'))
    .sort()) {
    const bytes = readFileSync(join(folder, name));
    header = bytes.toString('hex', 0, 16);
    for (let at = 16; at + 12 < bytes.length; ) {
      const length = bytes.readInt32BE(at + 8);
      if (length <= 0) break;
      const end = at + 12 + length + 1;
      const entry = bytes.subarray(at + 12, end - 1);
      records.push({
        type: entry.readInt32BE(28),
        record: bytes.toString('hex', at, end),
        value: txnValue(entry),
      });
      at = end;
    }
  }
  return { header, records };
}

function txnValue(entry: Buffer): Value {
  const reader = new WireReader(entry);
  const header = {
    clientId: reader.long(),
    cxid: reader.int(),
    zxid: Number(reader.long()),
    time: Number(reader.long()),
    type: reader.int(),
  };
  const body = txnBody(header.type, reader);
  const digest =
    reader.remaining >= 12 ? { digest: { version: reader.int(), treeDigest: reader.long() } } : {};
  return { header, body, ...digest };
}

function txnBody(type: number, reader: WireReader): Value {
  switch (type) {
    case 1:
    case 15:
      return {
        type,
        path: reader.string(),
        data: hex(reader.buffer()),
        acl: acls(reader),
        ephemeral: reader.byte() !== 0,
        parentCVersion: reader.int(),
      };
    case 19:
      return {
        type,
        path: reader.string(),
        data: hex(reader.buffer()),
        acl: acls(reader),
        parentCVersion: reader.int(),
      };
    case 21:
      return {
        type,
        path: reader.string(),
        data: hex(reader.buffer()),
        acl: acls(reader),
        parentCVersion: reader.int(),
        ttlMs: Number(reader.long()),
      };
    case 2:
    case 20:
      return { type, path: reader.string() };
    case 5:
    case 16:
      return { type, path: reader.string(), data: hex(reader.buffer()), version: reader.int() };
    case 7:
      return { type, path: reader.string(), acl: acls(reader), version: reader.int() };
    case 13:
      return { type, path: reader.string(), version: reader.int() };
    case 14: {
      const txns: Value[] = [];
      for (let count = reader.int(); count > 0; count--) {
        const subtype = reader.int();
        txns.push(txnBody(subtype, new WireReader(reader.buffer() ?? Buffer.alloc(0))));
      }
      return { type, txns };
    }
    case -10:
      return { type, timeoutMs: reader.int() };
    case -11:
      return { type, paths: strings(reader) };
    default:
      return { type, error: reader.int() };
  }
}

/** The newest snapshot, whole. */
function snapshot(dataDir: string): Value {
  const folder = join(dataDir, 'version-2');
  const names = readdirSync(folder).filter((name) => name.startsWith('snapshot.'));
  const name =
    names
      .sort((a, b) => Number.parseInt(a.slice(9), 16) - Number.parseInt(b.slice(9), 16))
      .at(-1) ?? '';
  return { name, file: readFileSync(join(folder, name)).toString('hex') };
}

/** What Apache's own jute classes make of bytes, and of UTF-16. */
function javaUtf8(folder: string): Value {
  const source = join(folder, 'Utf8Vectors.java');
  writeFileSync(source, JAVA_SOURCE);
  const jars = apacheClassPath('3.9.5');
  run('javac', ['-cp', jars, '-d', folder, source]);
  const lines = run('java', ['-cp', `${folder}:${jars}`, 'Utf8Vectors'])
    .split('\n')
    .filter((line) => /^(de|en)code /.test(line));
  const decode: string[][] = [];
  const encode: string[][] = [];
  for (const line of lines) {
    const [kind, from = '', to = ''] = line.split(' ');
    (kind === 'decode' ? decode : encode).push([from === '-' ? '' : from, to === '-' ? '' : to]);
  }
  return {
    note: 'decode: bytes to UTF-16 units by BinaryInputArchive.readString; encode: UTF-16 units to bytes by BinaryOutputArchive.writeString',
    decode,
    encode,
  };
}

function run(command: string, args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' });
}

const JAVA_SOURCE = `
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;

public class Utf8Vectors {
  // Bytes at the edges of every class of UTF-8.
  static final int[] EDGES = {0x00, 0x2f, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
    0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfc, 0xff};

  public static void main(String[] args) throws IOException {
    for (int a : EDGES) {
      decode(a);
      for (int b : EDGES) decode(a, b);
    }
    Random random = new Random(1);
    for (int i = 0; i < 1500; i++) {
      int[] bytes = new int[3 + random.nextInt(6)];
      for (int j = 0; j < bytes.length; j++) bytes[j] = EDGES[random.nextInt(EDGES.length)];
      decode(bytes);
    }
    // Well-formed four-byte sequences, whole, cut and followed by others.
    decode(0xf0, 0x9f, 0x98, 0x80);
    decode(0xf0, 0x9f, 0x98);
    decode(0xf0, 0x9f, 0x98, 0x41);
    decode(0xf4, 0x8f, 0xbf, 0xbf, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80);
    int[] units = {0, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfffd, 0xffff};
    for (int i = 0; i < 200; i++) {
      char[] chars = new char[random.nextInt(6)];
      for (int j = 0; j < chars.length; j++) chars[j] = (char) units[random.nextInt(units.length)];
      encode(new String(chars));
    }
  }

  static void decode(int... ints) throws IOException {
    byte[] bytes = new byte[4 + ints.length];
    bytes[3] = (byte) ints.length;
    for (int i = 0; i < ints.length; i++) bytes[4 + i] = (byte) ints[i];
    String s = BinaryInputArchive.getArchive(new ByteArrayInputStream(bytes)).readString("s");
    System.out.println("decode " + hex(Arrays.copyOfRange(bytes, 4, bytes.length)) + " " + units(s));
  }

  static void encode(String s) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryOutputArchive.getArchive(out).writeString(s, "s");
    byte[] bytes = out.toByteArray();
    System.out.println("encode " + units(s) + " " + hex(Arrays.copyOfRange(bytes, 4, bytes.length)));
  }

  static String units(String s) {
    StringBuilder text = new StringBuilder();
    for (char c : s.toCharArray()) text.append(String.format("%04x", (int) c));
    return text.length() == 0 ? "-" : text.toString();
  }

  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) text.append(String.format("%02x", b));
    return text.length() == 0 ? "-" : text.toString();
  }
}
`;

await main();
