// What each write answers, and the order in which its mistakes are found.

import { type Acl, OPEN_ACL_UNSAFE, Perms, readStat } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  ask,
  auth,
  create,
  create2,
  createContainer,
  createTTL,
  exists,
  getACL,
  getData,
  reconfig,
  remove,
  setACL,
  setData,
} from './support/asks.ts';
import { bodyOf, type RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const only = (perms: number, scheme = 'world', id = 'anyone'): Acl[] => [{ perms, scheme, id }];
const NOT = { create: only(Perms.ALL & ~Perms.CREATE), none: only(Perms.ADMIN) };
const MAX_TTL_MS = 0xff_ffff_ffff;

let world: World;
let client: RawClient;
beforeEach(async () => {
  world = await World.start({ extendedTypesEnabled: true });
  client = world.client();
  client.must(
    create('/a', { data: 'x' }),
    create('/e', { flags: 1 }),
    create('/full'),
    create('/full/child'),
    create('/closed', { acl: NOT.none }),
    create('/nocreate', { acl: NOT.create }),
  );
  client.lines();
});

describe('create', () => {
  test.each([
    ['flags that are none', create('/new', { flags: 7 }), 'BADARGUMENTS'],
    ['negative flags', create('bad', { flags: -1 }), 'BADARGUMENTS'],
    ['flags of a TTL without a ttl', create('/new', { flags: 5 }), 'BADARGUMENTS'],
    ['a null path', create(null), 'MARSHALLINGERROR'],
    ['a path without a slash, before its ACL', create('new', { acl: [] }), 'BADARGUMENTS'],
    ['an empty path', create(''), 'BADARGUMENTS'],
    ['a NUL in the path', create('/ne\0w'), 'BADARGUMENTS'],
    ['no ACL, before its parent', create('/no/parent', { acl: [] }), 'INVALIDACL'],
    ['a null ACL', create('/new', { acl: null }), 'INVALIDACL'],
    ['an unknown scheme', create('/new', { acl: only(31, 'x', 'y') }), 'INVALIDACL'],
    ['a digest of one part', create('/new', { acl: only(31, 'digest', 'u') }), 'INVALIDACL'],
    ['scheme auth for nobody', create('/new', { acl: only(31, 'auth', '') }), 'INVALIDACL'],
    ['a missing parent, before a bad path', create('/no/par//ent'), 'NONODE'],
    ['a parent it may not add to, before a bad path', create('/nocreate/..'), 'NOAUTH'],
    ['a bad path, before what is there', create('/a/'), 'BADARGUMENTS'],
    ['a dot in the path', create('/.'), 'BADARGUMENTS'],
    ['a character that no path may have', create('/\u007f'), 'BADARGUMENTS'],
    ['what is there', create('/a'), 'NODEEXISTS'],
    ['the root', create('/'), 'NODEEXISTS'],
    ['an ephemeral parent', create('/e/child'), 'NOCHILDRENFOREPHEMERALS'],
    ['nothing wrong', create('/new'), 'OK'],
  ])('with %s', (_, request, error) => {
    expect(client.errorOf(request)).toBe(error);
  });

  test('answers with the path alone, create2 with the stat too', () => {
    expect(bodyOf(client.call(create('/b'))).string()).toBe('/b');
    const reply = client.call(create2('/c', { data: 'abc' }));
    const body = bodyOf(reply);
    expect(body.string()).toBe('/c');
    expect(readStat(body)).toMatchObject({
      czxid: reply.zxid,
      mzxid: reply.zxid,
      pzxid: reply.zxid,
      version: 0,
      dataLength: 3,
      numChildren: 0,
      ephemeralOwner: 0n,
    });
    expect(body.remaining).toBe(0);
  });

  test('keeps null apart from empty data', () => {
    client.must(create('/null', { data: null }), create('/empty', { data: '' }));
    expect(bodyOf(client.call(getData('/null'))).buffer()).toBe(null);
    expect(bodyOf(client.call(getData('/empty'))).buffer()).toEqual(Buffer.alloc(0));
  });

  test('as an ephemeral belongs to its session', () => {
    const stat = readStat(bodyOf(client.call(exists('/e'))));
    expect(BigInt.asUintN(64, stat.ephemeralOwner)).toBe(client.session?.sessionId);
  });

  test('with flag 4 makes an ordinary znode, createContainer a container of any flags', () => {
    client.must(create('/flag4', { flags: 4 }), createContainer('/container', { flags: 0 }));
    const kindOf = (path: string): number =>
      world.serving.tree.kind(world.serving.tree.findString(path));
    expect([kindOf('/flag4'), kindOf('/container')]).toEqual([0, 2]);
  });

  test('with an ACL that repeats itself keeps each entry once, in order', () => {
    const acl = [...only(1), ...OPEN_ACL_UNSAFE, ...only(1)];
    client.must(create('/acl', { acl }));
    expect(aclOf(client, '/acl')).toEqual([...only(1), ...OPEN_ACL_UNSAFE]);
  });

  test('with scheme auth stores who the client is', () => {
    client.sendWithXid(-4, auth('digest', 'u:p'));
    client.must(create('/mine', { acl: only(31, 'auth', '') }));
    expect(aclOf(client, '/mine')).toEqual(only(31, 'digest', 'u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ='));
  });
});

describe('a sequential create', () => {
  test('counts the creates below its parent, whoever was deleted since', () => {
    client.must(create('/s'), create('/s/one'), remove('/s/one'));
    const path = (flags: number): string | null =>
      bodyOf(client.call(create('/s/n-', { flags }))).string();
    expect([path(2), path(3), path(2)]).toEqual([
      '/s/n-0000000001',
      '/s/n-0000000002',
      '/s/n-0000000003',
    ]);
  });

  test('may end in a slash: the number is the whole name', () => {
    client.must(create('/s'));
    expect(bodyOf(client.call(create('/s/', { flags: 2 }))).string()).toBe('/s/0000000000');
  });

  test('numbers those that are prepared and not yet durable too', () => {
    client.must(create('/s'));
    world.log.isHeld = true;
    client.send(create('/s/', { flags: 2 }), create('/s/', { flags: 2 }));
    world.run();
    world.log.release();
    world.run();
    const paths = client.frames.slice(-2).map((frame) => bodyOf(frame).string());
    expect(paths).toEqual(['/s/0000000000', '/s/0000000001']);
  });
});

describe('createTTL', () => {
  const at = (flags: number) => ({ flags });
  test.each([
    ['no ttl', createTTL('/t', 0), 'BADARGUMENTS'],
    ['a negative ttl', createTTL('/t', -1), 'BADARGUMENTS'],
    ['a ttl of 1 ms', createTTL('/t', 1), 'OK'],
    ['the longest ttl', createTTL('/t', MAX_TTL_MS), 'OK'],
    ['a ttl too long', createTTL('/t', MAX_TTL_MS + 1), 'BADARGUMENTS'],
    ['a sequential name', createTTL('/t', 10, at(6)), 'OK'],
    ['no TTL flags', createTTL('/t', 10, at(0)), 'BADARGUMENTS'],
    [
      'no TTL flags and a negative ttl, of which Apache dies',
      createTTL('/t', -1, at(0)),
      'BADARGUMENTS',
    ],
  ])('with %s', (_, request, error) => {
    expect(client.errorOf(request)).toBe(error);
    expect(client.errorOf(exists('/a'))).toBe('OK');
  });

  test('is unimplemented while extended types are off, before its ttl is looked at', async () => {
    const plain = (await World.start()).client();
    expect(plain.errorOf(createTTL('/t', 10))).toBe('UNIMPLEMENTED');
    expect(plain.errorOf(createTTL('/t', 0))).toBe('UNIMPLEMENTED');
    expect(plain.isClosed).toBe(false);
  });

  test('shows no owner to clients', () => {
    client.must(createTTL('/t', 5000));
    expect(readStat(bodyOf(client.call(exists('/t')))).ephemeralOwner).toBe(0n);
  });
});

describe('delete', () => {
  test.each([
    ['a null path', remove(null), 'MARSHALLINGERROR'],
    ['the root', remove('/'), 'BADARGUMENTS'],
    ['/zookeeper', remove('/zookeeper'), 'BADARGUMENTS'],
    ['/zookeeper/quota', remove('/zookeeper/quota'), 'BADARGUMENTS'],
    ['/zookeeper/config', remove('/zookeeper/config'), 'BADARGUMENTS'],
    ['a path without a slash', remove('a'), 'BADARGUMENTS'],
    ['a missing parent', remove('/no/such'), 'NONODE'],
    ['a parent it may not delete from, before what is missing', remove('/closed/no'), 'NOAUTH'],
    ['a missing znode', remove('/no'), 'NONODE'],
    ['a wrong version, before its children', remove('/full', 3), 'BADVERSION'],
    ['children', remove('/full', 0), 'NOTEMPTY'],
    ['the right version', remove('/a', 0), 'OK'],
    ['any version', remove('/a'), 'OK'],
    ['an ACL on the znode itself, which does not count', remove('/closed'), 'OK'],
  ])('of %s', (_, request, error) => {
    const reply = client.call(request);
    expect(reply.body).toEqual(Buffer.alloc(0));
    expect(client.errorOf(request)).toBe(error === 'OK' ? 'NONODE' : error);
  });
});

describe('setData', () => {
  test.each([
    ['a null path', setData(null, 'y'), 'BADARGUMENTS'],
    ['a bad path', setData('/a/', 'y'), 'BADARGUMENTS'],
    ['a missing znode', setData('/no', 'y'), 'NONODE'],
    ['a znode it may not write, before its version', setData('/closed', 'y', 9), 'NOAUTH'],
    ['a wrong version', setData('/a', 'y', 1), 'BADVERSION'],
    ['a wrong negative version', setData('/a', 'y', -2), 'BADVERSION'],
    ['the right version', setData('/a', 'y', 0), 'OK'],
    ['null data', setData('/a', null), 'OK'],
  ])('of %s', (_, request, error) => {
    expect(client.errorOf(request)).toBe(error);
  });

  test('answers with the stat after it', () => {
    const reply = client.call(setData('/a', 'longer'));
    expect(readStat(bodyOf(reply))).toMatchObject({
      mzxid: reply.zxid,
      version: 1,
      dataLength: 6,
    });
  });
});

describe('setACL', () => {
  test.each([
    ['a null path', setACL(null, OPEN_ACL_UNSAFE), 'BADARGUMENTS'],
    ['a bad path, before its ACL', setACL('/a/', []), 'BADARGUMENTS'],
    ['no ACL, before a missing znode', setACL('/no', []), 'INVALIDACL'],
    ['a missing znode', setACL('/no', OPEN_ACL_UNSAFE), 'NONODE'],
    ['a znode it may not administer', setACL('/nocreate2', OPEN_ACL_UNSAFE, 5), 'NOAUTH'],
    ['a wrong version', setACL('/a', OPEN_ACL_UNSAFE, 1), 'BADVERSION'],
    ['the right version', setACL('/a', OPEN_ACL_UNSAFE, 0), 'OK'],
  ])('of %s', (_, request, error) => {
    client.must(create('/nocreate2', { acl: only(Perms.READ) }));
    expect(client.errorOf(request)).toBe(error);
  });

  test.each([
    ['the version of the ACL', 0, 'OK'],
    ['that of the data', 1, 'BADVERSION'],
  ])('checks %s', (_, version, error) => {
    client.must(setData('/a', 'newer'));
    expect(client.errorOf(setACL('/a', OPEN_ACL_UNSAFE, version))).toBe(error);
  });

  test('counts its own version, and leaves that of the data alone', () => {
    const stat = readStat(bodyOf(client.call(setACL('/a', only(31)))));
    expect(stat).toMatchObject({ version: 0, aversion: 1 });
  });
});

describe('hard quotas', () => {
  const LIMITS = 'count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=2';
  const setQuota = (of: RawClient): void =>
    of.must(
      create('/q'),
      create('/zookeeper/quota/q'),
      create('/zookeeper/quota/q/zookeeper_limits', { data: LIMITS }),
      create('/zookeeper/quota/q/zookeeper_stats', { data: 'count=1,bytes=0' }),
    );

  test('refuse what would pass them while enforceQuota is on', async () => {
    const strict = (await World.start({ enforceQuota: true })).client();
    setQuota(strict);
    expect(strict.errorOf(setData('/q', '123456', 9))).toBe('QUOTAEXCEEDED');
    expect(strict.errorOf(setData('/q', '12345'))).toBe('OK');
    expect(strict.errorOf(create('/q/one', { data: 'x' }))).toBe('QUOTAEXCEEDED');
    expect(strict.errorOf(create('/q/one'))).toBe('OK');
    expect(strict.errorOf(create('/q/two'))).toBe('QUOTAEXCEEDED');
    expect(strict.errorOf(setData('/q', '1'))).toBe('OK');
  });

  test('refuse nothing while it is off', () => {
    setQuota(client);
    client.must(setData('/q', '123456'), create('/q/one'), create('/q/two'));
  });
});

test.each([
  ['off', false, 'RECONFIGDISABLED'],
  ['on, since a server alone has no members', true, 'UNIMPLEMENTED'],
])('reconfig is refused while it is %s', async (_, reconfigEnabled, error) => {
  const alone = (await World.start({ reconfigEnabled })).client();
  expect(alone.errorOf(reconfig())).toBe(error);
  expect(alone.isClosed).toBe(false);
});

test('a write cut at any byte is an error of its own, and changes nothing', () => {
  for (const { type, body } of [
    create('/cut', { data: 'd' }),
    setData('/a', 'y', 0),
    remove('/a', 0),
    setACL('/a', OPEN_ACL_UNSAFE, 0),
  ]) {
    for (let end = 0; end < body.length; end++) {
      const cut = ask(type, (w) => w.raw(body, 0, end));
      expect(client.errorOf(cut)).toBe('MARSHALLINGERROR');
    }
  }
  expect(client.errorOf(exists('/cut'))).toBe('NONODE');
  expect(readStat(bodyOf(client.call(exists('/a'))))).toMatchObject({ version: 0, aversion: 0 });
});

function aclOf(of: RawClient, path: string): Acl[] {
  const body = bodyOf(of.call(getACL(path)));
  const acl: Acl[] = [];
  for (let count = body.vectorLength(); count > 0; count--) {
    acl.push({ perms: body.int32(), scheme: body.string() ?? '', id: body.string() ?? '' });
  }
  return acl;
}
