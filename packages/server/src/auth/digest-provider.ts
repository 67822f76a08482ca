/** Scheme `digest`: a user name and the hash of name and password, which the client sends in clear. */

import { createHash, getHashes } from 'node:crypto';
import {
  AUTH_FAILED,
  type AuthContext,
  type AuthProvider,
  type AuthResult,
} from './auth-provider.ts';

/** Java's names of message digests, where Node has another one. */
const NODE_HASH_NAMES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  SHA: 'sha1',
  SHA1: 'sha1',
  'SHA-1': 'sha1',
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA-512/224': 'sha512-224',
  'SHA-512/256': 'sha512-256',
  'SHA3-224': 'sha3-224',
  'SHA3-256': 'sha3-256',
  'SHA3-384': 'sha3-384',
  'SHA3-512': 'sha3-512',
};

/** Java's names of the hashes that digestAlg may be. */
export const DIGEST_ALGORITHMS: readonly string[] = Object.keys(NODE_HASH_NAMES);

/** Node's name of a hash that Java calls `javaName`; undefined when there is none. */
export function nodeHashName(javaName: string): string | undefined {
  const name = NODE_HASH_NAMES[javaName.toUpperCase()];
  return name !== undefined && getHashes().includes(name) ? name : undefined;
}

/**
 * `user:hash` of `user:password`, as an ACL entry and superDigest hold it. The hash is of the whole
 * text, so that the same password of two users differs.
 */
export function generateDigest(userAndPassword: string, javaHashName = 'SHA1'): string {
  const name = nodeHashName(javaHashName);
  if (name === undefined) throw new Error(`No hash is called ${javaHashName}`);
  const colon = userAndPassword.indexOf(':');
  const user = colon < 0 ? userAndPassword : userAndPassword.slice(0, colon);
  return `${user}:${createHash(name).update(userAndPassword, 'utf8').digest('base64')}`;
}

export class DigestProvider implements AuthProvider {
  readonly scheme = 'digest';
  readonly isAuthenticated = true;
  private readonly algorithm: string;
  private readonly superDigest: string | undefined;

  /** Throws when `algorithm` is not a hash's Java name. */
  constructor({ algorithm, superDigest }: { algorithm: string; superDigest: string | undefined }) {
    generateDigest('', algorithm);
    this.algorithm = algorithm;
    this.superDigest = superDigest;
  }

  authenticate(_context: AuthContext, data: Uint8Array | null): AuthResult {
    if (data === null) return AUTH_FAILED;
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
    const id = generateDigest(text, this.algorithm);
    const identity = { scheme: this.scheme, id };
    return {
      kind: 'ok',
      identities: id === this.superDigest ? [{ scheme: 'super', id: '' }, identity] : [identity],
    };
  }

  matches(id: string, aclId: string): boolean {
    return id === aclId;
  }

  // Two parts, as Java's split counts them, which drops empty ones at the end.
  isValid(aclId: string): boolean {
    return aclId.replace(/:+$/, '').split(':').length === 2;
  }

  userName(id: string): string {
    return id.split(':', 1)[0] as string;
  }
}
