// The expectations without a comment were printed by Apache 3.9.5's own providers on Java 17.

import { describe, expect, test } from 'vitest';
import {
  DIGEST_ALGORITHMS,
  DigestProvider,
  generateDigest,
  nodeHashName,
} from '../../src/auth/digest-provider.ts';
import {
  certificateSubject,
  isDistinguishedName,
  nameFromDer,
} from '../../src/auth/distinguished-name.ts';
import { EnsembleProvider } from '../../src/auth/ensemble-provider.ts';
import { javaHostAddress, javaSocketAddress } from '../../src/auth/ip-address.ts';
import { IpProvider } from '../../src/auth/ip-provider.ts';
import { SaslProvider } from '../../src/auth/sasl-provider.ts';
import { X509Provider } from '../../src/auth/x509-provider.ts';
import { ServerMetrics } from '../../src/metrics/metrics.ts';

const here = { remoteAddress: '127.0.0.1' };
const bytes = (text: string) => Buffer.from(text, 'utf8');

describe('scheme ip', () => {
  const ip = new IpProvider();

  test.each<[string, string, boolean]>([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.0/8', true],
    ['10.1.2.3', '10.1.2.0/25', true],
    ['10.1.2.200', '10.1.2.0/25', false],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['10.1.2.3', '10.1.2.3/32', true],
    ['10.1.2.3', '10.1.2.2/31', true],
    ['10.1.2.4', '10.1.2.2/31', false],
    ['0:0:0:0:0:0:0:1', '::1', true],
    ['0:0:0:0:0:0:0:1', '::/0', true],
    ['0:0:0:0:0:0:0:1', '0.0.0.0/0', false],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::/32', true],
    ['2001:db9:0:0:0:0:0:1', '2001:db8::/32', false],
    ['2001:db8:8000:0:0:0:0:1', '2001:db8:8000::/33', true],
    ['2001:db8:0:0:0:0:0:1', '2001:db8:8000::/33', false],
    ['10.1.2.3', '::ffff:10.1.2.3', false],
    ['10.1.2.3', '10.1.2.3/33', false],
    ['10.1.2.3', 'x', false],
    // Apache never matches an address with a zone.
    ['fe80:0:0:0:0:0:0:1%eth0', 'fe80::/10', true],
  ])('%s against %s is %s', (id, aclId, expected) => {
    expect(ip.matches(id, aclId)).toBe(expected);
  });

  test.each<[string, boolean]>([
    ['1.2.3.4', true],
    ['1.2.3', false],
    ['1.2.3.4.5', false],
    ['1.2.3.256', false],
    ['1.2.3.-1', false],
    ['1.2.3.+4', true],
    ['1.2.3.04', true],
    ['1.2.3.4/0', true],
    ['1.2.3.4/32', true],
    ['1.2.3.4/33', false],
    ['1.2.3.4/-1', false],
    ['1.2.3.4/', false],
    ['1.2.3.4/8/9', false],
    ['1.2.3.4/a', false],
    ['::', true],
    ['::1', true],
    ['1::', true],
    ['1::2', true],
    ['1:2:3:4:5:6:7:8', true],
    ['1:2:3:4:5:6:7', false],
    ['1:2:3:4:5:6:7::', true],
    ['1:2:3:4:5:6:7:8::', false],
    ['::1::', false],
    ['12345::', false],
    ['g::', false],
    ['::ffff:1.2.3.4', false],
    ['::/0', true],
    ['::/128', true],
    ['::/129', false],
    ['', false],
    ['localhost', false],
    ['1.2.3.', false],
    ['...', false],
    ['+1::', true],
    ['-1::', true],
    [':', false],
    [':::', false],
    ['::1%eth0', false],
    ['1:', false],
  ])('%j in an ACL: %s', (aclId, expected) => {
    expect(ip.isValid(aclId)).toBe(expected);
  });

  test('an auth request adds the address, whatever it says', () => {
    expect(ip.authenticate(here)).toEqual({
      kind: 'ok',
      identities: [{ scheme: 'ip', id: '127.0.0.1' }],
    });
  });
});

describe('addresses as Java prints them', () => {
  test.each<[string, string]>([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['2001:DB8::a0', '2001:db8:0:0:0:0:0:a0'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1%eth0'],
    ['', ''],
  ])('%j is %j', (address, expected) => {
    expect(javaHostAddress(address)).toBe(expected);
  });

  test('with a port, IPv6 stands in brackets', () => {
    expect(javaSocketAddress('127.0.0.1', 2181)).toBe('/127.0.0.1:2181');
    expect(javaSocketAddress('::1', 2181)).toBe('/[0:0:0:0:0:0:0:1]:2181');
  });
});

describe('scheme digest', () => {
  const digest = new DigestProvider({ algorithm: 'SHA1', superDigest: undefined });

  test.each<[string, string]>([
    ['super:secret', 'super:lK75jTNcA+U9vtVEw5vB51mj/w4='],
    ['bob', 'bob:SBgazSKz7a68ikR4aKfffOYpkgo='],
    ['a:b:c', 'a:cLzgnoJ6mP5qz3w+mwvPE2vDgu0='],
    ['é:ü', 'é:Ztqg8TrMmzkSFpOaDBO87lu10+c='],
    ['', ':2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
  ])('%j becomes %j', (text, id) => {
    expect(digest.authenticate(here, bytes(text))).toEqual({
      kind: 'ok',
      identities: [{ scheme: 'digest', id }],
    });
  });

  test.each<[string, boolean]>([
    ['a:b', true],
    ['a', false],
    ['a:b:c', false],
    ['a:', false],
    ['::', false],
    [':b', true],
    ['a:b:', true],
    ['a:b::', true],
    ['', false],
    [':', false],
    ['a::b', false],
  ])('%j in an ACL: %s', (aclId, expected) => {
    expect(digest.isValid(aclId)).toBe(expected);
  });

  test('no bytes at all fail', () => {
    expect(digest.authenticate(here, null)).toEqual({ kind: 'failed' });
  });

  test('the super digest makes a super user, who is also a plain one', () => {
    const superDigest = generateDigest('super:secret', 'SHA-256');
    const provider = new DigestProvider({ algorithm: 'SHA-256', superDigest });
    expect(provider.authenticate(here, bytes('super:secret'))).toEqual({
      kind: 'ok',
      identities: [
        { scheme: 'super', id: '' },
        { scheme: 'digest', id: superDigest },
      ],
    });
    expect(provider.authenticate(here, bytes('super:guess'))).toMatchObject({
      identities: [{ scheme: 'digest' }],
    });
  });

  test('the user name is what comes before the colon', () => {
    expect(digest.userName('bob:hash')).toBe('bob');
  });

  test('every listed hash exists in Node, and others are refused', () => {
    for (const name of DIGEST_ALGORITHMS) expect(nodeHashName(name), name).toBeDefined();
    expect(nodeHashName('sha3-256')).toBe('sha3-256');
    expect(nodeHashName('SHA-999')).toBeUndefined();
    expect(() => new DigestProvider({ algorithm: 'ROT13', superDigest: undefined })).toThrow(
      'No hash is called ROT13',
    );
  });
});

describe('scheme x509', () => {
  test.each<[string, boolean]>([
    ['CN=a', true],
    ['cn=a,O=b', true],
    ['CN=a, OU=b; O=c', true],
    ['CN=a+OU=b', true],
    ['a', false],
    ['', true],
    ['CN=', true],
    ['CN', false],
    ['1.2.3=#0401ff', true],
    ['OID.1.2.3=x', true],
    ['FOO=bar', false],
    ['CN="a,b"', true],
    ['CN=a\\,b', true],
    ['CN=a,', false],
    ['CN=a,,O=b', false],
    ['EMAILADDRESS=a@b', true],
    ['UID=x', true],
    ['CN=#zz', false],
    ['CN=a"b', false],
    ['CN=a<b', false],
    ['SURNAME=y', true],
    ['CN=a\\', false],
    ['=a', false],
    ['CN=a=b', true],
    ['CN=a #b', true],
    [' ', false],
    ['CN=a;', false],
    ['3.1=x', false],
    ['CN=#04', false],
    ['DC=x,DC=y', true],
    ['CN=a\\zb', false],
    ['CN="a"b', false],
    ['CN="ab', false],
    ['CN=é', true],
  ])('%j in an ACL: %s', (aclId, expected) => {
    expect(isDistinguishedName(aclId)).toBe(expected);
  });

  const names: [string, string][] = [
    [
      '3024310a3008060355040a130163310a3008060355040b130162310a30080603550403130161',
      'CN=a,OU=b,O=c',
    ],
    ['300e310c300a06035504031303612c62', 'CN=a\\,b'],
    ['30163114300806035504031301613008060355040b130162', 'CN=a+OU=b'],
    [
      '3020310a300806035504031301783112301006092a864886f70d0109011603614062',
      '1.2.840.113549.1.9.1=#1603614062,CN=x',
    ],
    ['300c310a30080603550405130135', '2.5.4.5=#130135'],
    ['300d310b300906035504030c022361', 'CN=\\#a'],
    ['300d310b300906035504030c02c3a9', 'CN=é'],
    ['30133111300f060a0992268993f22c640101130175', 'UID=u'],
    [
      '3031310b3009060355040613025553310a3008060355040713016c310a30080603550408130174310a30080603550409130173',
      'STREET=s,ST=t,L=l,C=US',
    ],
    ['30193117301506035504030c0e613c623e3b633d642b655c662267', 'CN=a\\<b\\>\\;c\\=d\\+e\\\\f\\"g'],
    [
      '30263111300f060a0992268993f22c6401191601793111300f060a0992268993f22c640119160178',
      'DC=x,DC=y',
    ],
    ['300f310d300b0603550403130461202062', 'CN=a  b'],
  ];

  test.each(names)('the name %s is %j', (der, expected) => {
    expect(nameFromDer(Buffer.from(der, 'hex'))).toBe(expected);
  });

  test('a name that is cut anywhere is refused and never read past its end', () => {
    for (const [hex] of names) {
      const der = Buffer.from(hex, 'hex');
      for (let end = 0; end < der.length; end++) {
        expect(() => nameFromDer(der.subarray(0, end))).toThrow(RangeError);
      }
    }
  });

  // The least certificate that has the fields in their places: version, serial number, algorithm,
  // issuer, validity, subject, key.
  const fields = `a003020102020101${'3000'.repeat(3)}300d310b300906035504030c02c3a93000`;
  const peerCertificate = wrap(wrap(Buffer.from(fields, 'hex')));

  test('the subject comes out of a certificate', () => {
    expect(certificateSubject(peerCertificate)).toBe('CN=é');
    expect(certificateSubject(Buffer.from('no certificate'))).toBeUndefined();
    expect(certificateSubject(Buffer.alloc(0))).toBeUndefined();
  });

  test('a client is its subject, and the named one is super user', () => {
    const provider = new X509Provider({ superUser: 'CN=é' });
    expect(provider.authenticate({ ...here, peerCertificate })).toEqual({
      kind: 'ok',
      identities: [
        { scheme: 'super', id: 'CN=é' },
        { scheme: 'x509', id: 'CN=é' },
      ],
    });
    expect(provider.matches('CN=é', 'CN=other')).toBe(true);
    expect(provider.matches('CN=b', 'CN=other')).toBe(false);
    expect(provider.authenticate(here)).toEqual({ kind: 'failed' });
  });

  function wrap(content: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from([0x30, content.length]), content]);
  }
});

describe('scheme sasl', () => {
  const sasl = new SaslProvider({ letAnySaslUserDoX: 'anybody' });

  test.each<[string, boolean]>([
    ['bob', true],
    ['bob@R', true],
    ['bob/h@R', true],
    ['bob/h', true],
    ['a/b/c', true],
    ['a/b/c@R', false],
    ['a@b@c', false],
    ['', true],
    ['@', true],
    ['/@', true],
    ['a@b/c', false],
  ])('%j in an ACL: %s', (aclId, expected) => {
    expect(sasl.isValid(aclId)).toBe(expected);
  });

  test('super is meant by every entry, and one entry means everybody', () => {
    expect(sasl.matches('super', 'bob')).toBe(true);
    expect(sasl.matches('bob', 'bob')).toBe(true);
    expect(sasl.matches('bob', 'anybody')).toBe(true);
    expect(sasl.matches('bob', 'alice')).toBe(false);
  });

  test('an auth request fails', () => {
    expect(sasl.authenticate()).toEqual({ kind: 'failed' });
  });
});

describe('scheme ensemble', () => {
  test('a wrong name closes, a right one and none pass, and each is counted', () => {
    const counts = new ServerMetrics();
    const ensemble = new EnsembleProvider({ names: ['east', 'west'], counts });
    expect(ensemble.authenticate(here, bytes('east'))).toEqual({ kind: 'ok', identities: [] });
    expect(ensemble.authenticate(here, bytes('north'))).toEqual({ kind: 'close' });
    expect(ensemble.authenticate(here, bytes(''))).toEqual({ kind: 'ok', identities: [] });
    expect(ensemble.authenticate(here, null)).toEqual({ kind: 'ok', identities: [] });
    expect(counts).toMatchObject({
      ensembleAuthSuccess: 1,
      ensembleAuthFail: 1,
      ensembleAuthSkip: 2,
    });
    expect(ensemble.isValid()).toBe(false);
  });

  test('without names every name passes', () => {
    const ensemble = new EnsembleProvider({ names: [], counts: new ServerMetrics() });
    expect(ensemble.authenticate(here, bytes('any')).kind).toBe('ok');
  });
});
