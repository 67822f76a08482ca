// Access control lists that people need, and what `addAuth('digest', ...)` stands for in them.

import { createHash } from 'node:crypto';
import { type Acl, Perms } from '@zebu/protocol';

/** Everyone may read; nobody may do anything else, its creator neither. */
export const READ_ACL_UNSAFE: readonly Acl[] = [
  { perms: Perms.READ, scheme: 'world', id: 'anyone' },
];

/** The users that the creating client has shown credentials of may do everything, nobody else anything. */
export const CREATOR_ALL_ACL: readonly Acl[] = [{ perms: Perms.ALL, scheme: 'auth', id: '' }];

/**
 * One entry of an ACL for a user of the scheme digest, who shows himself with
 * `addAuth('digest', 'user:password')`. SHA-1, by the protocol; the server keeps no password.
 * Source: DigestAuthenticationProvider.generateDigest.
 */
export function digestAcl(user: string, password: string, perms: number = Perms.ALL): Acl {
  if (user === '' || user.includes(':')) {
    throw new TypeError('The name of a digest user is not empty and has no colon');
  }
  const hash = createHash('sha1').update(`${user}:${password}`).digest('base64');
  return { perms, scheme: 'digest', id: `${user}:${hash}` };
}
