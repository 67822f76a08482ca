import { type Acl, ErrorCode, OPEN_ACL_UNSAFE, Perms } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { AccessControl, redactAcl } from '../../src/auth/access-control.ts';
import { addIdentities, type Identity, NOBODY } from '../../src/auth/identity.ts';
import { defaultServerConfig, type ServerConfigOverrides } from '../../src/config/server-config.ts';

const access = (overrides: ServerConfigOverrides = {}) =>
  new AccessControl(defaultServerConfig(overrides));
const acl = (perms: number, scheme: string, id: string): Acl => ({ perms, scheme, id });
const ip: Identity = { scheme: 'ip', id: '127.0.0.1' };
const bob: Identity = { scheme: 'digest', id: 'bob:hash' };
const eve: Identity = { scheme: 'digest', id: 'eve:hash' };
const root: Identity = { scheme: 'super', id: '' };

describe('isAllowed', () => {
  const only = [acl(Perms.READ | Perms.ADMIN, 'digest', 'bob:hash')];

  test.each<[string, readonly Acl[], number, Identity[], boolean]>([
    ['no ACL is open', [], Perms.WRITE, [ip], true],
    ['the world is everybody', OPEN_ACL_UNSAFE, Perms.DELETE, [], true],
    ['a bit that the world lacks', [acl(Perms.READ, 'world', 'anyone')], Perms.WRITE, [ip], false],
    ['the named user', only, Perms.READ, [ip, bob], true],
    ['the named user without the bit', only, Perms.WRITE, [ip, bob], false],
    ['any of the wanted bits is enough', only, Perms.WRITE | Perms.ADMIN, [bob], true],
    ['another user', only, Perms.READ, [ip, eve], false],
    ['nobody', only, Perms.READ, [], false],
    ['the super user', only, Perms.ALL, [root], true],
    ['an address range', [acl(Perms.READ, 'ip', '127.0.0.0/8')], Perms.READ, [ip], true],
    ['the same id of another scheme', [acl(31, 'ip', 'bob:hash')], Perms.READ, [bob], false],
    [
      'a scheme that is off',
      [acl(31, 'x509', 'CN=a')],
      Perms.READ,
      [{ scheme: 'x509', id: 'CN=a' }],
      false,
    ],
    ['the second entry', [acl(31, 'digest', 'x:y'), ...only], Perms.READ, [bob], true],
    ['a stored auth entry means nobody', [acl(31, 'auth', '')], Perms.READ, [bob], false],
  ])('%s', (_, acls, wanted, identities, expected) => {
    expect(access().isAllowed(acls, wanted, identities)).toBe(expected);
  });

  test('skipACL allows everything', () => {
    expect(access({ skipAcl: true }).isAllowed(only, Perms.ALL, [])).toBe(true);
  });
});

describe('fixupAcl', () => {
  const invalid = ErrorCode.INVALIDACL;

  test.each<[string, Acl[] | null, Identity[], Acl[] | number]>([
    ['no list', null, [bob], invalid],
    ['an empty list', [], [bob], invalid],
    ['the world', [...OPEN_ACL_UNSAFE], [], [...OPEN_ACL_UNSAFE]],
    ['the world by another id', [acl(31, 'world', 'everyone')], [], invalid],
    [
      'repetitions go',
      [acl(1, 'world', 'anyone'), acl(31, 'world', 'anyone'), acl(1, 'world', 'anyone')],
      [],
      [acl(1, 'world', 'anyone'), acl(31, 'world', 'anyone')],
    ],
    [
      'auth is every user',
      [acl(3, 'auth', 'ignored')],
      [ip, bob, eve],
      [acl(3, 'digest', 'bob:hash'), acl(3, 'digest', 'eve:hash')],
    ],
    ['auth of an address only', [acl(3, 'auth', '')], [ip], invalid],
    ['auth of nobody', [acl(3, 'auth', '')], [], invalid],
    [
      'auth beside the world',
      [acl(1, 'world', 'anyone'), acl(31, 'auth', '')],
      [bob],
      [acl(1, 'world', 'anyone'), acl(31, 'digest', 'bob:hash')],
    ],
    [
      'what auth becomes may repeat another entry, as in Apache',
      [acl(31, 'auth', ''), acl(31, 'digest', 'bob:hash')],
      [bob],
      [acl(31, 'digest', 'bob:hash'), acl(31, 'digest', 'bob:hash')],
    ],
    ['a digest', [acl(31, 'digest', 'a:b')], [], [acl(31, 'digest', 'a:b')]],
    ['a digest without a colon', [acl(31, 'digest', 'a')], [], invalid],
    ['an address range', [acl(31, 'ip', '::1/64')], [], [acl(31, 'ip', '::1/64')]],
    ['an impossible prefix length', [acl(31, 'ip', '10.0.0.0/33')], [], invalid],
    ['a scheme that is off', [acl(31, 'sasl', 'bob')], [], invalid],
    ['an unknown scheme', [acl(31, 'host', 'a')], [], invalid],
    ['scheme super', [acl(31, 'super', 'a')], [], invalid],
    ['one bad entry among good ones', [...OPEN_ACL_UNSAFE, acl(31, 'digest', 'a')], [], invalid],
  ])('%s', (_, acls, identities, expected) => {
    expect(access().fixupAcl(acls, identities)).toEqual(expected);
  });

  test('a scheme that is switched on counts', () => {
    const control = access({ authProviders: ['digest', 'ip', 'sasl', 'x509', 'ensemble'] });
    const list = [acl(31, 'sasl', 'bob@R'), acl(31, 'x509', 'CN=a')];
    expect(control.fixupAcl(list, [])).toEqual(list);
    expect(control.fixupAcl([acl(31, 'ensemble', 'east')], [])).toBe(invalid);
  });

  test('a list of a megabyte takes no longer than its length', () => {
    const long = Array.from({ length: 60_000 }, (_, i) =>
      acl(31, 'ip', `10.0.${i >> 8}.${i & 255}`),
    );
    expect(access().fixupAcl([...long, ...long], [])).toHaveLength(60_000);
  });
});

describe('identities', () => {
  test('the order is that of Java, whatever came first', () => {
    const added = ['u1', 'u2', 'u3', 'u4', 'u5', 'u6'].map((user) => ({
      scheme: 'digest',
      id: `${user}:h`,
    }));
    const all = addIdentities(NOBODY, [...added, { scheme: 'ip', id: '0:0:0:0:0:0:0:1' }]);
    // Printed by a set over a ConcurrentHashMap of org.apache.zookeeper.data.Id on Java 17.
    expect(all.map(({ id }) => id)).toEqual([
      'u3:h',
      'u2:h',
      'u5:h',
      'u4:h',
      'u6:h',
      'u1:h',
      '0:0:0:0:0:0:0:1',
    ]);
    expect(addIdentities(addIdentities(NOBODY, [ip]), [root]).map(({ scheme }) => scheme)).toEqual([
      'super',
      'ip',
    ]);
  });

  test('one that is there already changes nothing', () => {
    const list = addIdentities(NOBODY, [ip, bob, ip]);
    expect(list).toHaveLength(2);
    expect(addIdentities(list, [{ ...bob }])).toBe(list);
  });

  test('a connection begins as its address', () => {
    expect(access().initialIdentities({ remoteAddress: '10.0.0.1' })).toEqual([
      { scheme: 'ip', id: '10.0.0.1' },
    ]);
  });

  test('an IPv6 address is spelt as Java does', () => {
    expect(access().initialIdentities({ remoteAddress: '::1' })).toEqual([
      { scheme: 'ip', id: '0:0:0:0:0:0:0:1' },
    ]);
  });

  test('a certificate that names nobody is not let in', () => {
    const control = access({ authProviders: ['ip', 'x509'] });
    const context = { remoteAddress: '10.0.0.1', peerCertificate: Buffer.from('bad') };
    expect(control.initialIdentities(context)).toBeUndefined();
  });

  test('whoAmI shows names, and a super user has none', () => {
    expect(access().clientInfos([bob, ip, root])).toEqual([
      { authScheme: 'digest', user: 'bob' },
      { authScheme: 'ip', user: '127.0.0.1' },
      { authScheme: 'super', user: '' },
    ]);
    expect(access().auditUsers([bob, ip, root])).toBe('bob,127.0.0.1');
    expect(access().auditUsers([root])).toBeUndefined();
  });
});

describe('authenticate', () => {
  test('a scheme that is off or unknown fails', () => {
    const context = { remoteAddress: '10.0.0.1' };
    expect(access().authenticate('kerberos', null, context)).toEqual({ kind: 'failed' });
    expect(
      access({ authProviders: ['ip'] }).authenticate('digest', Buffer.from('a:b'), context),
    ).toEqual({ kind: 'failed' });
  });
});

describe('mayRequest', () => {
  const enforced = access({ enforceAuth: { enabled: true, schemes: ['digest', 'sasl'] } });

  test.each<[string, Identity[], boolean]>([
    ['an address is not enough', [ip], false],
    ['a user of a named scheme is', [ip, bob], true],
    ['the super user is judged by scheme too', [root], false],
  ])('%s', (_, identities, expected) => {
    expect(enforced.mayRequest(identities)).toBe(expected);
  });

  test('everybody may when nothing is enforced', () => {
    expect(access().mayRequest([])).toBe(true);
  });
});

test('redactAcl hides hashes and nothing else', () => {
  const list = [acl(31, 'digest', 'bob:hash'), acl(1, 'ip', '::1'), acl(1, 'digest', 'a:b:c')];
  expect(redactAcl(list)).toEqual([
    acl(31, 'digest', 'bob:x'),
    acl(1, 'ip', '::1'),
    acl(1, 'digest', 'a:x'),
  ]);
});
