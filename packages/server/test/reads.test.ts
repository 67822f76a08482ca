// What each read answers, and to whom.

import { type Acl, Perms, readAclVector, readStat, readWhoAmIResponse } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  ask,
  auth,
  create,
  exists,
  getACL,
  getAllChildrenNumber,
  getChildren,
  getChildren2,
  getData,
  getEphemerals,
  multi,
  multiRead,
  part,
  setData,
  sync,
  whoAmI,
} from './support/asks.ts';
import { bodyOf, type Frame, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const READ_ONLY: Acl[] = [
  { perms: Perms.READ, scheme: 'world', id: 'anyone' },
  { perms: Perms.ALL, scheme: 'digest', id: 'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=' },
];
const CLOSED: Acl[] = [{ perms: Perms.ALL, scheme: 'digest', id: 'other:hash' }];

let world: World;
let client: RawClient;
beforeEach(async () => {
  world = await World.start();
  client = world.client();
  client.must(
    create('/a', { data: 'x' }),
    create('/a/b'),
    create('/a/b/c'),
    create('/ab'),
    create('/closed', { acl: CLOSED }),
    create('/shown', { acl: READ_ONLY }),
  );
  client.lines();
});

function strings(frame: Frame): (string | null)[] {
  const body = bodyOf(frame);
  return Array.from({ length: body.vectorLength() }, () => body.string()).sort();
}

test.each([
  ['exists', exists],
  ['getData', getData],
  ['getChildren', getChildren],
  ['getChildren2', getChildren2],
  ['getACL', getACL],
  ['getAllChildrenNumber', getAllChildrenNumber],
])('%s: a null path, none there, none of its business, a path that is none', (_, read) => {
  const paths = [null, '/no', '/closed', 'a', '/a/', '//', ''];
  const errors = paths.map((path) => client.errorOf(read(path)));
  expect(errors).toEqual([
    'MARSHALLINGERROR',
    'NONODE',
    'NOAUTH',
    'NONODE',
    'NONODE',
    'NONODE',
    // The root has this name too.
    'OK',
  ]);
});

test('exists takes no path with a NUL in it', () => {
  expect(client.errorOf(exists('/a\0'))).toBe('BADARGUMENTS');
  expect(client.errorOf(getData('/a\0'))).toBe('NONODE');
});

test('a reply of an error has no body, a reply of a read the zxid of what it saw', () => {
  expect(client.call(exists('/no'))).toMatchObject({ zxid: 7, body: Buffer.alloc(0) });
  expect(client.call(exists('/a')).zxid).toBe(7);
});

test('getData answers data and stat', () => {
  const body = bodyOf(client.call(getData('/a')));
  expect(body.buffer()?.toString()).toBe('x');
  expect(readStat(body)).toMatchObject({ czxid: 2, pzxid: 3, numChildren: 1, dataLength: 1 });
  expect(body.remaining).toBe(0);
});

test('getChildren answers names, getChildren2 the stat too', () => {
  expect(strings(client.call(getChildren('/')))).toEqual([
    'a',
    'ab',
    'closed',
    'shown',
    'zookeeper',
  ]);
  const body = bodyOf(client.call(getChildren2('/a')));
  expect([body.vectorLength(), body.string()]).toEqual([1, 'b']);
  expect(readStat(body)).toMatchObject({ numChildren: 1, cversion: 1 });
});

describe('getACL', () => {
  const aclOf = (of: RawClient, path: string): Acl[] | null =>
    readAclVector(bodyOf(of.call(getACL(path))));

  test('hides hashes from those who may only read', () => {
    expect(aclOf(client, '/shown')).toEqual([READ_ONLY[0], { ...READ_ONLY[1], id: 'u:x' }]);
  });

  test('shows them to those who may administer', () => {
    client.sendWithXid(-4, auth('digest', 'u:p'));
    expect(aclOf(client, '/shown')).toEqual(READ_ONLY);
  });

  test('shows them to the super user', async () => {
    const ruled = await World.start({ superDigest: 'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=' });
    const ruler = ruled.client();
    ruler.must(create('/closed', { acl: CLOSED }));
    expect(ruler.errorOf(getACL('/closed'))).toBe('NOAUTH');
    ruler.sendWithXid(-4, auth('digest', 'u:p'));
    expect(aclOf(ruler, '/closed')).toEqual(CLOSED);
  });
});

describe('getEphemerals', () => {
  test.each([
    [null, ['/a/e1', '/a/e2', '/e3']],
    ['', ['/a/e1', '/a/e2', '/e3']],
    [' ', ['/a/e1', '/a/e2', '/e3']],
    ['/', ['/a/e1', '/a/e2', '/e3']],
    ['/a', ['/a/e1', '/a/e2']],
    ['/a/e2', ['/a/e2']],
    ['/no', []],
  ])('of prefix %j, of its own session alone', (prefix, paths) => {
    client.must(
      create('/a/e1', { flags: 1 }),
      create('/a/e2', { flags: 1 }),
      create('/e3', { flags: 1 }),
    );
    world.client().must(create('/a/theirs', { flags: 1 }));
    expect(strings(client.call(getEphemerals(prefix)))).toEqual(paths);
  });
});

test.each([
  ['/a', 2],
  ['/a/b', 1],
  ['/ab', 0],
  // a, a/b, a/b/c, ab, closed, shown, zookeeper, zookeeper/config and zookeeper/quota.
  ['/', 9],
])('getAllChildrenNumber of %s is %i', (path, count) => {
  expect(bodyOf(client.call(getAllChildrenNumber(path))).int32()).toBe(count);
});

test.each([[null], ['/a'], ['/no'], ['anything at all']])(
  'sync of %j gives its path back',
  (path) => {
    expect(bodyOf(client.call(sync(path))).string()).toBe(path);
  },
);

describe('multiRead', () => {
  test('answers each part by itself', () => {
    const reply = client.call(
      multiRead(
        part.getData('/a'),
        part.getData('/no'),
        part.getChildren('/a'),
        part.getData('/closed'),
      ),
    );
    const body = bodyOf(reply);
    const header = (): number[] => [body.int32(), Number(body.bool()), body.int32()];
    expect(reply.error).toBe(0);
    expect(header()).toEqual([4, 0, 0]);
    expect(body.buffer()?.toString()).toBe('x');
    readStat(body);
    expect([header(), body.int32()]).toEqual([[-1, 0, -101], -101]);
    expect([header(), body.int32(), body.string()]).toEqual([[8, 0, 0], 1, 'b']);
    expect([header(), body.int32()]).toEqual([[-1, 0, -102], -102]);
    expect([header(), body.remaining]).toEqual([[-1, 1, -1], 0]);
  });

  test('sets no watches, whatever its parts ask for', () => {
    client.must(
      multiRead(part.getData('/a'), part.getChildren('/a')),
      setData('/a', 'y'),
      create('/a/new'),
    );
    expect(client.events()).toEqual([]);
  });

  test.each([
    ['a write', multiRead(part.getData('/a'), part.setData('/a', 'y'))],
    ['a null path', multiRead(part.getData(null))],
    ['no end', ask(22, (w) => w.int32(4))],
  ])('with %s fails as a whole', (_, request) => {
    expect(client.call(request)).toMatchObject({ error: -5, body: Buffer.alloc(0) });
  });

  test('of nothing answers with the end alone', () => {
    expect(client.call(multiRead()).body.toString('hex')).toBe('ffffffff01ffffffff');
  });
});

describe('whoAmI', () => {
  const names = (of: RawClient): string[] =>
    readWhoAmIResponse(bodyOf(of.call(whoAmI()))).map(
      ({ authScheme, user }) => `${authScheme} ${user}`,
    );

  test('is the address, and then whoever the client has proved to be', () => {
    expect(names(client)).toEqual(['ip 127.0.0.1']);
    client.sendWithXid(-4, auth('digest', 'u:p'));
    expect(names(client)).toEqual(['ip 127.0.0.1', 'digest u']);
    client.sendWithXid(-4, auth('digest', 'u:p'));
    expect(names(client)).toEqual(['ip 127.0.0.1', 'digest u']);
  });
});

describe('auth', () => {
  test('of an unknown scheme is refused, and the connection closed; the session lives on', () => {
    client.sendWithXid(-4, auth('nothing', 'x'));
    expect(client.lines()).toEqual(['#-4 AUTHFAILED']);
    expect(client.isClosed).toBe(true);
    expect(world.reattach(client).session?.timeoutMs).toBe(10_000);
  });

  test('that makes all identities of a client longer than 256 KiB is refused', () => {
    client.sendWithXid(-4, auth('digest', `${'u'.repeat(200_000)}:p`));
    expect(client.lines()).toEqual(['#-4 OK']);
    client.sendWithXid(-4, auth('digest', `${'v'.repeat(200_000)}:p`));
    expect(client.lines()).toEqual(['#-4 AUTHFAILED']);
    expect(client.isClosed).toBe(true);
  });

  test('in the ACLs of a short request does not make a txn that no other member takes', () => {
    const acl = [{ perms: Perms.ALL, scheme: 'auth', id: '' }];
    const creates = Array.from({ length: 50 }, (_, i) => part.create(`/many-${i}`, { acl }));
    client.sendWithXid(-4, auth('digest', `${'u'.repeat(100_000)}:p`));
    client.lines();
    expect(client.errorOf(multi(...creates))).toBe('MARSHALLINGERROR');
    expect(client.errorOf(exists('/many-0'))).toBe('NONODE');
    expect(client.errorOf(multi(...creates.slice(0, 15)))).toBe('OK');
  });

  test('that does not decode closes the connection', () => {
    client.sendWithXid(
      -4,
      ask(100, (w) => w.int32(0)),
    );
    expect(client.lines()).toEqual([]);
    expect(client.isClosed).toBe(true);
  });

  test('is all that is served while it is enforced', async () => {
    const strict = await World.start({ enforceAuth: { enabled: true, schemes: ['digest'] } });
    const stranger = strict.client();
    stranger.send(exists('/'), exists('/'));
    expect(stranger.lines()).toEqual(['#1 SESSIONCLOSEDREQUIRESASLAUTH']);
    expect(stranger.isClosed).toBe(true);
    const friend = strict.client();
    friend.sendWithXid(-4, auth('digest', 'u:p'));
    expect(friend.errorOf(exists('/'))).toBe('OK');
  });
});

test('sasl is answered with a null token: this server has no SASL login', () => {
  const reply = client.call(ask(102, (w) => w.buffer(Buffer.from('hello'))));
  expect(reply).toMatchObject({ error: 0, zxid: 0, body: Buffer.from('ffffffff', 'hex') });
  client.send(ask(102, (w) => w.buffer(null)));
  expect(client.lines()).toHaveLength(1);
  expect(client.isClosed).toBe(true);
});
