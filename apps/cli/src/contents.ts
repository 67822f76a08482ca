// Data and ACL of a znode, for what copies znodes.

import type { Acl, Client } from '@zebu/client';
import { CommandError } from './command-error.ts';
import type { WalkOptions } from './walk.ts';

export interface Contents {
  readonly data: Buffer;
  readonly acl: readonly Acl[];
}

/**
 * Reads data and ACL as one: asks again when the ACL changed in between. Refuses an ACL that the server shows with its
 * hashes hidden (`alice:x`, to clients without ADMIN): written elsewhere it would lock everyone out.
 */
export function contentsReader(zk: Client, keepsAcl = true): WalkOptions<Contents>['read'] {
  return async (path) => {
    for (;;) {
      if (!keepsAcl) {
        const { data, stat } = await zk.get(path);
        return { stat, value: { data, acl: [] }, bytes: data.length };
      }
      const [{ data, stat }, { acl, stat: after }] = await Promise.all([
        zk.get(path),
        zk.getAcl(path),
      ]);
      if (stat.aversion !== after.aversion || stat.czxid !== after.czxid) continue;
      const hidden = acl.find(({ scheme, id }) => scheme === 'digest' && id.endsWith(':x'));
      if (hidden !== undefined) {
        throw new CommandError(
          'not-allowed',
          `The server hides the digest of ${hidden.id.slice(0, -2)} in the ACL of ${path}`,
          { path, hint: 'credentials with the right a see it: --auth-file, ZEBU_AUTH' },
        );
      }
      return { stat, value: { data, acl }, bytes: data.length };
    }
  };
}
