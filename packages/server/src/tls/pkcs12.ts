/**
 * Reads PKCS12 (RFC 7292), as Java and OpenSSL write it, old ones too: AES (PBES2), triple DES and RC2.
 *
 *   PFX           version, authSafe: ContentInfo, macData
 *   authSafe      octets of a sequence of ContentInfo, each plain or encrypted: SafeContents
 *   SafeContents  bags: a key (PKCS8), an encrypted key, a certificate, or more SafeContents
 *   macData       HMAC over the octets of authSafe, by a key from the password: a wrong one is noticed
 *
 * Node's own `pfx` knows neither a store without a key, which a trust store is, nor RC2.
 */

import { createDecipheriv, createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { childrenOf, type Element, integerOf, joinPieces, oidOf, readElement } from './der.ts';
import type { StoreEntries } from './key-store.ts';
import { KeyStoreError } from './key-store-error.ts';
import { decryptRc2Cbc } from './rc2.ts';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
/** Java's mark of a certificate that the store trusts (TrustedKeyUsage). */
const TRUSTED_KEY_USAGE = '2.16.840.1.113894.746875.1.1';
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const PBMAC1 = '1.2.840.113549.1.5.14';

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
const INTEGER = 0x02;

const DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};

/** Ciphers of PBES2. */
const CIPHERS: Readonly<Record<string, { name: string; keyBytes: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24 },
};

/** Ciphers of PKCS12 itself (appendix C). Its two with RC4 nobody is known to have used. */
const OLD_CIPHERS: Readonly<Record<string, { name: '3des' | 'rc2'; keyBytes: number }>> = {
  '1.2.840.113549.1.12.1.3': { name: '3des', keyBytes: 24 },
  '1.2.840.113549.1.12.1.4': { name: '3des', keyBytes: 16 },
  '1.2.840.113549.1.12.1.5': { name: 'rc2', keyBytes: 16 },
  '1.2.840.113549.1.12.1.6': { name: 'rc2', keyBytes: 5 },
};

/** The entries. Throws KeyStoreError, and other errors for bytes that are no such store. */
export function readPkcs12(bytes: Buffer, password: string): StoreEntries {
  const pfx = readElement(bytes, 0);
  if (pfx.tag !== SEQUENCE) throw new RangeError('no sequence');
  const [version, authSafe, macData] = childrenOf(pfx);
  if (version?.tag !== INTEGER || authSafe === undefined) throw new RangeError('no PFX');
  const [type, wrapped] = childrenOf(authSafe);
  if (type === undefined || oidOf(type) !== DATA || wrapped === undefined) {
    throw new RangeError('signed by a key, not by a password');
  }
  const content = octets(only(wrapped));
  if (macData !== undefined) checkMac(macData, content, password);
  const keys: Buffer[] = [];
  const trusted: Buffer[] = [];
  const others: Buffer[] = [];
  for (const info of childrenOf(readElement(content, 0))) {
    readSafeContents(plainContent(info, password), password, { keys, trusted, others });
  }
  return { keys, trusted, others };
}

function plainContent(info: Element, password: string): Buffer {
  const [type, wrapped] = childrenOf(info);
  if (type === undefined || wrapped === undefined) throw new RangeError('no content');
  const kind = oidOf(type);
  if (kind === DATA) return octets(only(wrapped));
  if (kind !== ENCRYPTED_DATA) throw new KeyStoreError('UNKNOWN_CIPHER', kind);
  const [, encryptedInfo] = childrenOf(only(wrapped));
  const [, algorithm, encrypted] = childrenOf(encryptedInfo as Element);
  if (algorithm === undefined || encrypted === undefined)
    throw new RangeError('no encrypted content');
  // [0] IMPLICIT OCTET STRING: 80, or a0 when it is in pieces.
  const isInPieces = (encrypted.tag & 0x20) !== 0;
  return decrypt(
    algorithm,
    isInPieces ? joinPieces(encrypted.content) : encrypted.content,
    password,
  );
}

interface Collected {
  readonly keys: Buffer[];
  readonly trusted: Buffer[];
  readonly others: Buffer[];
}

function readSafeContents(contents: Buffer, password: string, into: Collected): void {
  for (const bag of childrenOf(readElement(contents, 0))) {
    const [id, value, attributes] = childrenOf(bag);
    if (id === undefined || value === undefined) throw new RangeError('no bag');
    const inner = only(value);
    switch (oidOf(id)) {
      case KEY_BAG:
        into.keys.push(wholeOf(value));
        break;
      case SHROUDED_KEY_BAG: {
        const [algorithm, encrypted] = childrenOf(inner) as [Element, Element];
        into.keys.push(decrypt(algorithm, encrypted.content, password));
        break;
      }
      case CERTIFICATE_BAG: {
        const [kind, certificate] = childrenOf(inner) as [Element, Element];
        if (oidOf(kind) !== X509_CERTIFICATE) break;
        const list = isTrusted(attributes) ? into.trusted : into.others;
        list.push(octets(only(certificate)));
        break;
      }
      case SAFE_CONTENTS_BAG:
        readSafeContents(wholeOf(value), password, into);
        break;
    }
  }
}

function isTrusted(attributes: Element | undefined): boolean {
  if (attributes === undefined) return false;
  return childrenOf(attributes).some((attribute) => {
    const [id] = childrenOf(attribute);
    return id !== undefined && oidOf(id) === TRUSTED_KEY_USAGE;
  });
}

function checkMac(macData: Element, content: Buffer, password: string): void {
  const [digestInfo, salt, iterations] = childrenOf(macData);
  const [algorithm, expected] = childrenOf(digestInfo as Element);
  if (algorithm === undefined || expected === undefined || salt === undefined) {
    throw new RangeError('no MAC');
  }
  const [id, parameters] = childrenOf(algorithm);
  const name = oidOf(id as Element);
  let mac: Buffer;
  if (name === PBMAC1) {
    const [kdf, hmac] = childrenOf(parameters as Element) as [Element, Element];
    const key = pbkdf2Key(kdf, password, undefined);
    mac = createHmac(known(HMACS, oidOf(only(hmac))), key)
      .update(content)
      .digest();
  } else {
    const digest = known(DIGESTS, name);
    const key = pkcs12Key({
      digest,
      password,
      salt: salt.content,
      iterations: iterations === undefined ? 1 : integerOf(iterations),
      purpose: MAC_KEY,
      length: createHash(digest).digest().length,
    });
    mac = createHmac(digest, key).update(content).digest();
  }
  if (mac.length !== expected.content.length || !timingSafeEqual(mac, expected.content)) {
    throw new KeyStoreError('WRONG_PASSWORD');
  }
}

function decrypt(algorithm: Element, encrypted: Buffer, password: string): Buffer {
  const [id, parameters] = childrenOf(algorithm);
  if (id === undefined || parameters === undefined) throw new RangeError('no algorithm');
  const name = oidOf(id);
  try {
    if (name === PBES2) return decryptPbes2(parameters, encrypted, password);
    return decryptOld(known(OLD_CIPHERS, name), parameters, encrypted, password);
  } catch (error) {
    // Without a MAC the padding is the first to tell.
    if (/bad decrypt|padding/i.test((error as Error).message)) {
      throw new KeyStoreError('WRONG_PASSWORD');
    }
    throw error;
  }
}

function decryptPbes2(parameters: Element, encrypted: Buffer, password: string): Buffer {
  const [kdf, scheme] = childrenOf(parameters) as [Element, Element];
  const [id, iv] = childrenOf(scheme) as [Element, Element];
  const cipher = known(CIPHERS, oidOf(id));
  const decipher = createDecipheriv(
    cipher.name,
    pbkdf2Key(kdf, password, cipher.keyBytes),
    iv.content,
  );
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}

function decryptOld(
  { name, keyBytes }: { name: '3des' | 'rc2'; keyBytes: number },
  parameters: Element,
  encrypted: Buffer,
  password: string,
): Buffer {
  const [salt, iterations] = childrenOf(parameters) as [Element, Element];
  const derive = (purpose: number, length: number): Buffer =>
    pkcs12Key({
      digest: 'sha1',
      password,
      salt: salt.content,
      iterations: integerOf(iterations),
      purpose,
      length,
    });
  const key = derive(CIPHER_KEY, keyBytes);
  const iv = derive(CIPHER_IV, 8);
  if (name === 'rc2') {
    return unpadded(decryptRc2Cbc({ key, iv, effectiveBits: 8 * keyBytes }, encrypted));
  }
  // Two keys are three, of which the last is the first.
  const tripleKey = keyBytes === 24 ? key : Buffer.concat([key, key.subarray(0, 8)]);
  const decipher = createDecipheriv('des-ede3-cbc', tripleKey, iv);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}

function unpadded(bytes: Buffer): Buffer {
  const count = bytes.at(-1) ?? 0;
  const padding = bytes.subarray(bytes.length - count);
  const isPadding = count >= 1 && count <= 8 && padding.every((one) => one === count);
  if (!isPadding) throw new RangeError('wrong padding');
  return bytes.subarray(0, bytes.length - count);
}

// PBKDF2-params: salt, iterations, key length OPTIONAL, prf DEFAULT hmacWithSHA1.
function pbkdf2Key(kdf: Element, password: string, wantedBytes: number | undefined): Buffer {
  const [id, parameters] = childrenOf(kdf) as [Element, Element];
  if (oidOf(id) !== PBKDF2) throw new KeyStoreError('UNKNOWN_CIPHER', oidOf(id));
  const [salt, iterations, ...rest] = childrenOf(parameters) as [Element, Element, ...Element[]];
  const length = rest.find(({ tag }) => tag === INTEGER);
  const prf = rest.find(({ tag }) => tag === SEQUENCE);
  const digest = prf === undefined ? 'sha1' : known(HMACS, oidOf(childrenOf(prf)[0] as Element));
  const keyBytes = wantedBytes ?? (length === undefined ? 32 : integerOf(length));
  return pbkdf2Sync(password, salt.content, integerOf(iterations), keyBytes, digest);
}

// The ID byte of appendix B.3.
const CIPHER_KEY = 1;
const CIPHER_IV = 2;
const MAC_KEY = 3;

/** Appendix B.2. The password counts as UTF-16, its zero at the end included. */
function pkcs12Key(given: {
  digest: string;
  password: string;
  salt: Buffer;
  iterations: number;
  purpose: number;
  length: number;
}): Buffer {
  const { digest, iterations, purpose, length } = given;
  const blockBytes = digest === 'sha384' || digest === 'sha512' ? 128 : 64;
  const secret = Buffer.from(`${given.password}\0`, 'utf16le').swap16();
  const input = Buffer.concat([filled(given.salt, blockBytes), filled(secret, blockBytes)]);
  const diversifier = Buffer.alloc(blockBytes, purpose);
  const parts: Buffer[] = [];
  for (let have = 0; have < length; have += (parts.at(-1) as Buffer).length) {
    let part = createHash(digest).update(diversifier).update(input).digest();
    for (let i = 1; i < iterations; i++) part = createHash(digest).update(part).digest();
    parts.push(part);
    const addend = filled(part, blockBytes);
    for (let at = 0; at < input.length; at += blockBytes) addOnePlus(input, at, addend);
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** Repeated up to a whole number of blocks. */
function filled(bytes: Buffer, blockBytes: number): Buffer {
  const length = blockBytes * Math.ceil(bytes.length / blockBytes);
  return Buffer.alloc(length, length === 0 ? undefined : bytes);
}

// The block as one big-endian number: itself, the first block of the addend, and 1.
function addOnePlus(input: Buffer, at: number, addend: Buffer): void {
  const blockBytes = Math.min(addend.length, input.length - at);
  let carry = 1;
  for (let i = blockBytes - 1; i >= 0; i--) {
    carry += (input[at + i] as number) + (addend[i] as number);
    input[at + i] = carry & 0xff;
    carry >>>= 8;
  }
}

function known<T>(names: Readonly<Record<string, T>>, oid: string): T {
  const found = names[oid];
  if (found === undefined) throw new KeyStoreError('UNKNOWN_CIPHER', oid);
  return found;
}

/** The one element inside of a tag. */
function only(element: Element): Element {
  const [inner] = childrenOf(element);
  if (inner === undefined) throw new RangeError('an empty element');
  return inner;
}

/** The one element inside of an explicit tag, with its own tag and length: what PKCS8 begins with. */
function wholeOf({ content }: Element): Buffer {
  return content.subarray(0, readElement(content, 0).end);
}

function octets({ tag, content }: Element): Buffer {
  if (tag !== OCTET_STRING) throw new RangeError('no octet string');
  return content;
}
