import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openKeyStore, openTrustStore } from '../../src/tls/key-store.ts';
import { KeyStoreError } from '../../src/tls/key-store-error.ts';

const store = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/stores/${name}`, import.meta.url));

const namesOf = (pem: string): string[] =>
  (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/g) ?? []).map((one) =>
    new X509Certificate(one).subject.replaceAll('\n', ','),
  );

const SERVER = 'O=Zebu,CN=zebu.test';

describe('a key store', () => {
  test.each<[string, string[]]>([
    ['rsa.jks', [SERVER]],
    ['ec.jks', [SERVER]],
    ['ec.p12', [SERVER]],
    ['legacy.p12', [SERVER]],
    ['openssl.p12', ['CN=leaf', 'CN=middle', 'CN=root']],
    ['openssl-legacy.p12', ['CN=leaf', 'CN=middle', 'CN=root']],
    ['openssl-2des.p12', ['CN=leaf']],
    ['openssl-plain.p12', ['CN=leaf']],
    ['plain.pem', ['CN=leaf', 'CN=middle']],
    ['encrypted.pem', ['CN=leaf', 'CN=middle']],
  ])('%s holds a key and its certificates, its own first', (name, subjects) => {
    const password = name === 'openssl-plain.p12' ? undefined : 'changeit';
    const { key, cert } = openKeyStore(store(name), password);
    expect(namesOf(cert)).toEqual(subjects);
    expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test.each<[string, string | undefined, string]>([
    ['rsa.jks', 'wrong', 'WRONG_PASSWORD'],
    ['rsa.jks', undefined, 'NO_PASSWORD'],
    ['rsa-keypass.jks', 'changeit', 'WRONG_KEY_PASSWORD'],
    ['ec.p12', 'wrong', 'WRONG_PASSWORD'],
    ['ec.p12', undefined, 'NO_PASSWORD'],
    ['legacy.p12', 'wrong', 'WRONG_PASSWORD'],
    ['openssl-2des.p12', 'wrong', 'WRONG_PASSWORD'],
    ['encrypted.pem', 'wrong', 'WRONG_PASSWORD'],
    ['encrypted.pem', undefined, 'NO_PASSWORD'],
    ['trust.jks', 'changeit', 'NO_KEY'],
    ['trust.p12', 'changeit', 'NO_KEY'],
    ['ec.pem', undefined, 'NO_KEY'],
    ['README.md', 'changeit', 'NOT_A_STORE'],
  ])('%s with the password %s: %s', (name, password, code) => {
    expect(() => openKeyStore(store(name), password)).toThrow(
      expect.objectContaining({ name: 'KeyStoreError', code }),
    );
  });

  test('cut anywhere, it is refused and nothing else is thrown', () => {
    for (const name of ['rsa.jks', 'ec.p12', 'openssl-plain.p12']) {
      const whole = store(name);
      for (let length = 0; length < whole.length; length += 7) {
        try {
          openKeyStore(whole.subarray(0, length), 'changeit');
          throw new Error(`${name} opened with ${length} of ${whole.length} bytes`);
        } catch (error) {
          expect(error, `${name}, ${length} bytes`).toBeInstanceOf(KeyStoreError);
        }
      }
    }
  });
});

test('a byte that changed in a PKCS12 store is noticed by its MAC, before anything is read of it', () => {
  for (let at = 100; at < 900; at += 100) {
    const damaged = store('ec.p12');
    damaged[at] = (damaged[at] as number) ^ 1;
    expect(() => openKeyStore(damaged, 'changeit'), `byte ${at}`).toThrow(
      expect.objectContaining({ code: 'WRONG_PASSWORD' }),
    );
  }
});

test('certificates of a PEM file that stand in another order are sorted', () => {
  const [key, leaf, middle] = store('plain.pem')
    .toString()
    .split(/(?=-----BEGIN CERT)/) as [string, string, string];
  const { cert } = openKeyStore(Buffer.from(`${middle}${key}${leaf}`), undefined);
  expect(namesOf(cert)).toEqual(['CN=leaf', 'CN=middle']);
  expect(() => openKeyStore(Buffer.from(`${key}${middle}`), undefined)).toThrow(
    'It holds no certificate: none is that of the key',
  );
});

describe('a trust store', () => {
  test.each<[string, string[]]>([
    ['trust.jks', [SERVER]],
    ['trust.p12', [SERVER]],
    ['trust-legacy.p12', [SERVER]],
    ['ec.pem', [SERVER]],
    ['openssl-trust.p12', ['CN=root', 'CN=middle']],
    // As in Java: of a store with a key the key's own certificate, and not what signed it.
    ['openssl.p12', ['CN=leaf']],
    ['rsa.jks', [SERVER]],
  ])('%s trusts %j', (name, subjects) => {
    const password = name.endsWith('.pem') ? undefined : 'changeit';
    expect(openTrustStore(store(name), password).flatMap(namesOf)).toEqual(subjects);
  });

  test.each<[string, string | undefined, string]>([
    ['trust.jks', 'wrong', 'WRONG_PASSWORD'],
    ['trust.p12', undefined, 'NO_PASSWORD'],
    ['README.md', undefined, 'NOT_A_STORE'],
  ])('%s with the password %s: %s', (name, password, code) => {
    expect(() => openTrustStore(store(name), password)).toThrow(
      expect.objectContaining({ name: 'KeyStoreError', code }),
    );
  });

  test('PEM text without a certificate trusts nobody, and is refused', () => {
    const key = store('plain.pem').toString().split('-----BEGIN CERTIFICATE')[0] as string;
    expect(() => openTrustStore(Buffer.from(key), undefined)).toThrow(
      expect.objectContaining({ code: 'NO_CERTIFICATE' }),
    );
  });
});
