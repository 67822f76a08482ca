// One-shot commands against a server in this process: answers, errors, exit codes, pipes.

import { randomBytes } from 'node:crypto';
import { connect } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZebuRunner } from './run-zebu.ts';

let server: ZebuServer;
let zebu: ZebuRunner;
beforeAll(async () => {
  server = await startServer({ port: 0, extendedTypesEnabled: true });
  zebu = new ZebuRunner(`127.0.0.1:${server.port}`);
});
afterAll(async () => {
  zebu[Symbol.dispose]();
  await server.close();
});

test('answers are laid out as by zkCli, and errors say what to do', async () => {
  const text = await zebu.transcript([
    ['create', '/a', 'one'],
    ['create', '/a', 'one'],
    ['create', '-s', '/a/seq-', 'x'],
    ['create', '/no/where'],
    ['create', '-p', '/yes/where'],
    ['create', 'relative'],
    ['create', '-c', '-s', '/a/both'],
    ['create', '-t', 'soon', '/a/ttl'],
    ['create', '/a/words', 'a', 'b'],
    ['ls', '/'],
    ['ls', '-R', '/a'],
    ['ls', '/missing'],
    ['get', '-b', '/a'],
    ['get', '-x', '/a'],
    ['set', '-v', '5', '/a', 'x'],
    ['set', '-b', '/a', '?'],
    ['set', '-v', 'x', '/a', 'x'],
    ['delete', '/a'],
    ['delete', '/missing'],
    ['deleteall', '/yes'],
    ['deleteall', '/'],
    ['getAcl', '/a'],
    ['setAcl', '/a', 'world:anyone:crx'],
    ['getAllChildrenNumber', '/a'],
    ['getEphemerals'],
    ['whoami'],
    ['sync', '/a'],
    ['setquota', '-n', '1', '/a'],
    ['listquota', '/a'],
    ['setquota', '-n', '5', '/a/seq-0000000000'],
    ['delquota', '/a'],
    ['listquota', '/a'],
    ['ls', '-R', '/zookeeper'],
    ['reconfig', '-remove', '2'],
    ['reconfig'],
    ['removewatches', '/a'],
    ['redo', '1'],
    ['get'],
    ['lss', '/'],
    ['ls', '-z', '/'],
    ['set', '/a', 'two words', 'three'],
  ]);
  expect(text).toMatchInlineSnapshot(`
    "$ zebu create /a one
    Created /a
    $ zebu create /a one
    Node already exists: /a; set changes its data
    exit code 5
    $ zebu create -s /a/seq- x
    Created /a/seq-0000000000
    $ zebu create /no/where
    Node does not exist: /no/where; its parent is missing: create that first, or use -p
    exit code 4
    $ zebu create -p /yes/where
    Created /yes/where
    $ zebu create relative
    Path must start with / character: relative
    exit code 2
    $ zebu create -c -s /a/both
    -c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.
    exit code 2
    $ zebu create -t soon /a/ttl
    -t argument must be a long value; it is "soon"
    exit code 2
    $ zebu create /a/words a b
    b does not have the form scheme:id:perm; as in world:anyone:cdrwa
    exit code 2
    $ zebu ls /
    [a, yes, zookeeper]
    $ zebu ls -R /a
    /a
    /a/seq-0000000000
    $ zebu ls /missing
    Node does not exist: /missing
    exit code 4
    $ zebu get -b /a
    b25l
    $ zebu get -x /a
             +-------------------------------------------------+
             |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
    +--------+-------------------------------------------------+----------------+
    |00000000| 6f 6e 65                                        |one             |
    +--------+-------------------------------------------------+----------------+
    $ zebu set -v 5 /a x
    version No is not valid : /a, it is 0 now; somebody else changed it meanwhile: read it again
    exit code 6
    $ zebu set -b /a ?
    The data is not base64
    exit code 2
    $ zebu set -v x /a x
    -v is "x": a version is a number from 0 up, -1 for any
    exit code 2
    $ zebu delete /a
    Node not empty: /a has 1 child; deleteall deletes it with all below it
    exit code 7
    $ zebu delete /missing
    Node does not exist: /missing
    exit code 4
    $ zebu deleteall /yes
    $ zebu deleteall /
    The root cannot be deleted; name its children: ls /
    exit code 2
    $ zebu getAcl /a
    'world,'anyone
    : cdrwa
    $ zebu setAcl /a world:anyone:crx
    Unknown perm type: x (in world:anyone:crx); c create, d delete, r read, w write, a admin
    exit code 2
    $ zebu getAllChildrenNumber /a
    1
    $ zebu getEphemerals
    []
    $ zebu whoami
    Auth scheme: User
    ip: 127.0.0.1
    $ zebu sync /a
    Sync is OK
    $ zebu setquota -n 1 /a
    [Warning]: the count quota you create is less than the existing count:2
    $ zebu listquota /a
    Output quota for /a count=1,bytes=-1=;byteHardLimit=-1;countHardLimit=-1
    Output stat for /a count=2,bytes=4
    absolute path is /zookeeper/quota/a/zookeeper_limits
    $ zebu setquota -n 5 /a/seq-0000000000
    /a/seq-0000000000 has a parent /a which has a quota
    exit code 2
    $ zebu delquota /a
    $ zebu listquota /a
    absolute path is /zookeeper/quota/a/zookeeper_limits
    quota for /a does not exist.
    exit code 4
    $ zebu ls -R /zookeeper
    /zookeeper
    /zookeeper/config
    /zookeeper/quota
    $ zebu reconfig -remove 2
    KeeperErrorCode = Reconfig is disabled; the servers need reconfigEnabled=true in their configuration
    exit code 9
    $ zebu reconfig
    Nothing to change: reconfig [-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]
    exit code 2
    $ zebu removewatches /a
    KeeperErrorCode = No such watcher for /a
    exit code 11
    $ zebu redo 1
    redo is for the interactive session; zebu without a command begins one
    exit code 2
    $ zebu get
    Too few arguments: get [-s] [-w] [-b] [-x] path
    exit code 2
    $ zebu lss /
    Command not found: lss; did you mean ls?
    exit code 127
    $ zebu ls -z /
    Unrecognized option: -z; did you mean -s?
    exit code 2
    $ zebu set /a two words three
    Too many arguments (3 arguments): set [-s] [-v version] [-b] [--file FILE] path [data]; an argument with spaces needs quotes
    exit code 2
    "
  `);
});

test('a Stat has the lines of zkCli', async () => {
  const { stdout } = await zebu.run(['stat', '/']);
  expect(stdout.replaceAll(/0x[0-9a-f]+|\d+$/gm, '#')).toMatchInlineSnapshot(`
    "cZxid = #
    ctime = Thu Jan 01 00:00:00 UTC #
    mZxid = #
    mtime = Thu Jan 01 00:00:00 UTC #
    pZxid = #
    cversion = #
    dataVersion = #
    aclVersion = #
    ephemeralOwner = #
    dataLength = #
    numChildren = #
    "
  `);
});

test('bytes pass through pipes as they are, both ways', async () => {
  const bytes = randomBytes(70_000);
  await zebu.run(['create', '/bytes']);
  expect((await zebu.run(['set', '/bytes'], { input: bytes })).code).toBe(0);
  expect((await zebu.run(['get', '/bytes'])).bytes.equals(bytes)).toBe(true);
  await zebu.run(['create', '/bytes/file', '--file', '-'], { input: bytes });
  expect((await zebu.run(['get', '/bytes/file'])).bytes.equals(bytes)).toBe(true);
});

test('with --json every answer is a line of JSON, and so is an error', async () => {
  await zebu.run(['create', '/json', 'text']);
  await zebu.run(['create', '/json/binary']);
  await zebu.run(['set', '/json/binary'], { input: Buffer.from([0xff, 0x00]) });
  const ask = async (...words: string[]) =>
    JSON.parse((await zebu.run([...words, '--json'])).stdout);
  expect(await ask('ls', '/json')).toEqual({ path: '/json', children: ['binary'] });
  expect(await ask('get', '/json')).toEqual({ path: '/json', data: 'text' });
  expect(await ask('get', '/json/binary')).toEqual({ path: '/json/binary', dataBase64: '/wA=' });
  expect(await ask('stat', '/json')).toMatchObject({
    stat: { version: 0, numChildren: 1, ephemeralOwner: '0x0' },
  });
  expect(await ask('getAcl', '/json')).toMatchObject({ acl: 'world:anyone:cdrwa' });
  const failed = await zebu.run(['get', '/missing', '--json']);
  expect(failed.stdout).toBe('');
  expect(JSON.parse(failed.stderr)).toEqual({
    error: {
      kind: 'no-znode',
      exitCode: 4,
      code: 'NO_NODE',
      path: '/missing',
      message: 'Node does not exist: /missing',
    },
  });
});

test('a watch of a one-shot command is waited for, and told as zkCli tells it', async () => {
  await using zk = await connect(`127.0.0.1:${server.port}`);
  await zk.create('/watched', 'one');
  const child = zebu.start(['get', '-w', '/watched']);
  let said = '';
  const heard = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.startsWith('one')) resolve();
    });
  });
  await heard;
  const { mzxid } = await zk.set('/watched', 'two');
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code).toBe(0);
  expect(said).toBe(
    `one\nWATCHER::\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/watched zxid: ${mzxid}\n`,
  );
});

test('Ctrl-C ends a command that waits, with 130', async () => {
  const child = zebu.start(['ls', '-w', '/']);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGINT');
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(130);
});

test('a chroot in the list of servers is the root of all paths', async () => {
  await zebu.run(['create', '/chroot']);
  const inside = { env: { ZEBU_SERVERS: `127.0.0.1:${server.port}/chroot` } };
  expect((await zebu.run(['create', '/inside'], inside)).stdout).toBe('Created /inside\n');
  expect((await zebu.run(['ls', '/chroot'])).stdout).toBe('[inside]\n');
  // The members of the ensemble are not below it.
  expect((await zebu.run(['config'], inside)).code).toBe(0);
});

test.each([
  [
    ['--server', '127.0.0.1:1', '--timeout', '1000', 'ls', '/'],
    3,
    'No server answered: 127.0.0.1:1: ',
  ],
  [
    ['ls', '--server', '127.0.0.1:1', '/', '--timeout', '1000'],
    3,
    'No server answered: 127.0.0.1:1: ',
  ],
  [
    ['-server', '127.0.0.1:1', '-timeout', '1000', '-r', '-waitforconnection', 'ls', '/'],
    3,
    'No server answered',
  ],
  [['--server', '127.0.0.1:port', 'ls', '/'], 2, '"port" is no port'],
  [['--server', 'a/x,b/y', 'ls', '/'], 2, 'different chroots'],
  [['-client-configuration', 'file', 'ls', '/'], 2, '--tls-ca'],
  [['--auth-file', '/nowhere', 'ls', '/'], 2, 'Cannot read the credentials'],
  [['--timeout', 'long', 'ls', '/'], 2, '--timeout is "long"'],
  [['--tls', 'ls', '/', '--tls-ca', '/nowhere'], 2, 'Cannot read the certificates to trust'],
])('%j ends with %d and says why', async (words, code, text) => {
  const ran = await zebu.run(words);
  expect(ran.stderr).toContain(text);
  expect(ran.code).toBe(code);
});

test('credentials come from a file or the environment', async () => {
  const auth = { env: { ZEBU_AUTH: 'digest:alice:secret' } };
  await zebu.run(['create', '/mine', 'x', 'auth::cdrwa'], auth);
  expect((await zebu.run(['get', '/mine'])).code).toBe(8);
  expect((await zebu.run(['get', '/mine'], auth)).stdout).toBe('x');
  expect((await zebu.run(['whoami'], auth)).stdout).toContain('digest: alice');
});

test('addauth of a shell says where credentials go, and connects to nobody', async () => {
  const ran = await zebu.run(['addauth', 'digest', 'alice:secret', '--server', '127.0.0.1:1']);
  expect([ran.code, ran.stderr]).toEqual([
    2,
    'addauth is for the interactive session; a command of a shell takes credentials from --auth-file FILE or ZEBU_AUTH\n',
  ]);
});

test('help lists the commands, and tells all about one', async () => {
  const { stdout } = await zebu.run(['--help']);
  expect(stdout).toContain('zebu [options] command');
  expect((await zebu.run(['get', '--help'])).stdout).toContain('zebu get /app/logo > logo.png');
  expect((await zebu.run(['help', 'set'])).stdout).toContain('--file FILE');
  expect((await zebu.run(['--version'])).stdout).toMatch(/^zebu CLI version: \d/);
});
