/**
 * Reads Java's own store, JKS (sun.security.provider.JavaKeyStore and KeyProtector). All numbers are big-endian;
 * `utf` is a length of two bytes and modified UTF-8.
 *
 *   feedfeed, version (1 or 2), count, entries, SHA-1 of all before it
 *   entry 1   a private key: alias utf, date long, length, EncryptedPrivateKeyInfo (DER),
 *             certificates in its chain, each: type utf (version 2), length, DER
 *   entry 2   a trusted certificate: alias utf, date long, type utf (version 2), length, DER
 *
 * The digest is taken of the password in UTF-16, then "Mighty Aphrodite", then the bytes. A key is its salt of
 * 20 bytes, the PKCS8 bytes mixed with a stream of SHA-1 of password and salt, and a SHA-1 to check it by.
 */

import { createHash } from 'node:crypto';
import { childrenOf, readElement } from './der.ts';
import type { StoreEntries } from './key-store.ts';
import { KeyStoreError } from './key-store-error.ts';

const MAGIC = 0xfeedfeed;
const WHITENER = Buffer.from('Mighty Aphrodite');
const SHA1_BYTES = 20;
const KEY_ENTRY = 1;
const CERTIFICATE_ENTRY = 2;

export function isJks(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE(0) === MAGIC;
}

/** The entries. Throws KeyStoreError, and RangeError for bytes that end too early. */
export function readJks(bytes: Buffer, password: string): StoreEntries {
  const secret = Buffer.from(password, 'utf16le').swap16();
  const end = bytes.length - SHA1_BYTES;
  const digest = sha1(secret, WHITENER, bytes.subarray(0, Math.max(0, end)));
  if (end < 12 || !digest.equals(bytes.subarray(end))) throw new KeyStoreError('WRONG_PASSWORD');

  const reader = new Reader(bytes.subarray(0, end));
  reader.uint32();
  const hasTypes = reader.uint32() === 2;
  const readCertificate = (): Buffer => {
    if (hasTypes) reader.utf();
    return reader.bytes(reader.uint32());
  };
  const keys: Buffer[] = [];
  const trusted: Buffer[] = [];
  const others: Buffer[] = [];
  for (let left = reader.uint32(); left > 0; left--) {
    const kind = reader.uint32();
    reader.utf();
    reader.bytes(8);
    if (kind === KEY_ENTRY) {
      keys.push(openKey(reader.bytes(reader.uint32()), secret));
      for (let chain = reader.uint32(); chain > 0; chain--) others.push(readCertificate());
    } else if (kind === CERTIFICATE_ENTRY) {
      trusted.push(readCertificate());
    } else {
      throw new KeyStoreError('NOT_A_STORE', `an entry of kind ${kind}`);
    }
  }
  return { keys, trusted, others };
}

// KeyProtector.recover.
function openKey(encryptedKeyInfo: Buffer, secret: Buffer): Buffer {
  const [, octets] = childrenOf(readElement(encryptedKeyInfo, 0));
  if (octets === undefined) throw new RangeError('no encrypted key');
  const { content } = octets;
  const plain = Buffer.from(content.subarray(SHA1_BYTES, content.length - SHA1_BYTES));
  let digest: Buffer = content.subarray(0, SHA1_BYTES);
  for (let i = 0; i < plain.length; i++) {
    if (i % SHA1_BYTES === 0) digest = sha1(secret, digest);
    plain[i] = (plain[i] as number) ^ (digest[i % SHA1_BYTES] as number);
  }
  if (!sha1(secret, plain).equals(content.subarray(content.length - SHA1_BYTES))) {
    throw new KeyStoreError('WRONG_KEY_PASSWORD');
  }
  return plain;
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

class Reader {
  private readonly source: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.source = bytes;
  }

  uint32(): number {
    this.at += 4;
    return this.source.readUInt32BE(this.at - 4);
  }

  bytes(length: number): Buffer {
    this.at += length;
    if (this.at > this.source.length) throw new RangeError('the store ends too early');
    return this.source.subarray(this.at - length, this.at);
  }

  utf(): Buffer {
    return this.bytes(this.bytes(2).readUInt16BE(0));
  }
}
