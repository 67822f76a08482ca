// How the two servers of a run are configured. What happens by the clock is switched off: sessions live
// longer than a run, containers and TTL znodes are never swept.

import { createHash } from 'node:crypto';
import type { ServerOptions } from '../server-process.ts';

/** The settings that the generator must know of. */
export interface Profile {
  readonly extendedTypes: boolean;
  readonly enforceQuota: boolean;
  readonly reconfigEnabled: boolean;
  /** Start on the directory of `edge-data.ts` instead of an empty one. */
  readonly edgeData: boolean;
}

/** Seeds run through the settings, so that a few seeds meet them all. */
export function profileOf(seed: number): Profile {
  return {
    extendedTypes: seed % 4 !== 3,
    enforceQuota: seed % 5 !== 4,
    reconfigEnabled: seed % 3 === 0,
    // It has a TTL znode, which without extended types is the ephemeral of nobody (`KNOWN_DIFFERENCES`).
    edgeData: seed % 7 === 6 && seed % 4 !== 3,
  };
}

export const SUPER_USER = 'super:secret';

export const MIN_SESSION_TIMEOUT_MS = 600_000;
export const MAX_SESSION_TIMEOUT_MS = 900_000;

/** The same configuration for either kind of server. */
export function serverOptions(profile: Profile): ServerOptions {
  return {
    config: {
      minSessionTimeout: String(MIN_SESSION_TIMEOUT_MS),
      maxSessionTimeout: String(MAX_SESSION_TIMEOUT_MS),
      extendedTypesEnabled: String(profile.extendedTypes),
      enforceQuota: String(profile.enforceQuota),
      reconfigEnabled: String(profile.reconfigEnabled),
      // Apache's cache of serialised replies serves a quota's old counts: they change without the stat.
      maxResponseCacheSize: '0',
      maxGetChildrenResponseCacheSize: '0',
      preAllocSize: '4096',
    },
    systemProperties: {
      'zookeeper.DigestAuthenticationProvider.superDigest': digestId(SUPER_USER),
      'znode.container.checkIntervalMs': '100000000',
      'zookeeper.forceSync': 'no',
    },
  };
}

/** `user:base64(sha1(user:password))`, as the scheme digest names an identity. */
export function digestId(userAndPassword: string): string {
  const user = userAndPassword.slice(0, userAndPassword.indexOf(':'));
  return `${user}:${createHash('sha1').update(userAndPassword).digest('base64')}`;
}
