/**
 * Opens a key or trust store: PEM, or the two that Java writes, PKCS12 and JKS. Which of them it is, its
 * bytes say and not its name: keytool has written PKCS12 into files called .jks since Java 9, and Java
 * reads either under both names.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isJks, readJks } from './jks.ts';
import { KeyStoreError } from './key-store-error.ts';
import { readPkcs12 } from './pkcs12.ts';

/** What stands in a store of Java's, DER all of it. */
export interface StoreEntries {
  /** Private keys (PKCS8), in the order of the file. */
  readonly keys: readonly Buffer[];
  /** Certificates that the store says it trusts. */
  readonly trusted: readonly Buffer[];
  /** Other certificates: those of the keys, and what signed them. */
  readonly others: readonly Buffer[];
}

/** A private key, not encrypted, with its certificate and those that signed it, as PEM. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
}

/** The first private key of a store with its certificates. Throws KeyStoreError. */
export function openKeyStore(bytes: Buffer, password: string | undefined): Identity {
  if (isPem(bytes)) return identityOfPem(bytes.toString('latin1'), password);
  const { keys, trusted, others } = readStore(bytes, password);
  const [first] = keys;
  if (first === undefined) throw new KeyStoreError('NO_KEY');
  return identityOf(privateKey({ key: first, format: 'der', type: 'pkcs8' }), [
    ...others,
    ...trusted,
  ]);
}

function identityOfPem(pem: string, password: string | undefined): Identity {
  const certificates = certificatesOfPem(pem);
  const [first] = certificates;
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) throw new KeyStoreError('NO_KEY');
  if (first === undefined) throw new KeyStoreError('NO_CERTIFICATE');
  if (password === undefined && pem.includes('ENCRYPTED')) throw new KeyStoreError('NO_PASSWORD');
  const passphrase = password === undefined ? {} : { passphrase: password };
  const key = privateKey({ key: pem, ...passphrase });
  if (!first.checkPrivateKey(key)) return identityOf(key, certificates);
  // In the order that its writer chose, with whatever else clients may need.
  return { key: pemOfKey(key), cert: certificates.map(pemOf).join('') };
}

/** The certificates that a trust store makes trusted, as PEM. Throws KeyStoreError. */
export function openTrustStore(bytes: Buffer, password: string | undefined): string[] {
  const certificates = isPem(bytes)
    ? certificatesOfPem(bytes.toString('latin1'))
    : trustedBy(readStore(bytes, password));
  if (certificates.length === 0) throw new KeyStoreError('NO_CERTIFICATE');
  return certificates.map(pemOf);
}

function readStore(bytes: Buffer, password: string | undefined): StoreEntries {
  try {
    return isJks(bytes) ? readJks(bytes, password ?? '') : readPkcs12(bytes, password ?? '');
  } catch (error) {
    if (
      error instanceof KeyStoreError &&
      error.code === 'WRONG_PASSWORD' &&
      password === undefined
    ) {
      throw new KeyStoreError('NO_PASSWORD');
    }
    if (error instanceof KeyStoreError) throw error;
    // Bytes that end too early, or that no cipher takes.
    throw new KeyStoreError('NOT_A_STORE', (error as Error).message);
  }
}

// TrustStoreUtil.getTrustedCerts: entries of certificates, and the own certificate of each key. What
// OpenSSL writes marks nothing as trusted; then a store without keys can only be meant to be trusted.
function trustedBy({ keys, trusted, others }: StoreEntries): X509Certificate[] {
  const all = others.map((der) => new X509Certificate(der));
  if (keys.length === 0 && trusted.length === 0) return all;
  const own = keys
    .map((der) => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    .flatMap((key) => all.filter((certificate) => certificate.checkPrivateKey(key)).slice(0, 1));
  return [...trusted.map((der) => new X509Certificate(der)), ...own];
}

// A server shows its own certificate first, then each one that signed the one before it.
function identityOf(key: KeyObject, certificates: readonly (Buffer | X509Certificate)[]): Identity {
  const rest = certificates.map((one) => (Buffer.isBuffer(one) ? new X509Certificate(one) : one));
  const chain: X509Certificate[] = [];
  let next = rest.find((certificate) => certificate.checkPrivateKey(key));
  if (next === undefined) throw new KeyStoreError('NO_CERTIFICATE', 'none is that of the key');
  while (next !== undefined && !chain.includes(next)) {
    chain.push(next);
    const last: X509Certificate = next;
    next = rest.find((one) => one !== last && !chain.includes(one) && last.checkIssued(one));
  }
  return { key: pemOfKey(key), cert: chain.map(pemOf).join('') };
}

function privateKey(options: Parameters<typeof createPrivateKey>[0]): KeyObject {
  try {
    return createPrivateKey(options);
  } catch (error) {
    const { message } = error as Error;
    if (/bad decrypt|bad password/i.test(message)) throw new KeyStoreError('WRONG_PASSWORD');
    throw new KeyStoreError('NOT_A_STORE', `the private key: ${message}`);
  }
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ');
}

function certificatesOfPem(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new KeyStoreError('NOT_A_STORE', `a certificate: ${(error as Error).message}`);
    }
  });
}

function pemOfKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function pemOf(certificate: X509Certificate): string {
  return certificate.toString();
}
