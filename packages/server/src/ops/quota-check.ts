// Hard quotas, when enforceQuota is on (ZooKeeperServer.checkQuota).

import { type PathId, QuotaVerdict } from '@zebu/data-tree';
import type { Preparation } from '../txns/preparation.ts';

/**
 * Whether a change at or below `id` of this many bytes and znodes must be refused. What goes over a
 * soft limit is let through, with a line in the log.
 */
export function overQuota(
  preparation: Preparation,
  id: PathId,
  bytesDelta: number,
  countDelta: number,
): boolean {
  const { config, tree } = preparation;
  if (!config.enforceQuota || tree.quotas.size === 0) return false;
  const verdict = tree.quotas.check(id, bytesDelta, countDelta);
  if (verdict === QuotaVerdict.within) return false;
  preparation.onOverQuota(tree.paths.pathString(id), verdict === QuotaVerdict.overHard);
  return verdict === QuotaVerdict.overHard;
}
