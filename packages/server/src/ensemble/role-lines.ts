// What the log says of a member's role: one line for each change, with the reason that the core gives.

import { formatZxid, type PacketType, packetTypeName, type Zxid } from '@zebu/protocol';
import type { RoleChange } from '@zebu/zab';
import type { Logger } from '../logger.ts';

export function logRoleChange(
  logger: Logger,
  before: RoleChange | undefined,
  change: RoleChange,
  zxid: Zxid,
): void {
  // Not that its epoch is known; nor that a learner will be brought up to date, before its leader says how.
  const isNew = change.role !== before?.role || change.phase !== before.phase;
  const isSaidLater = change.phase === 'synchronization' && change.role !== 'leading';
  if (!isNew || isSaidLater) return;
  const reason = change.reason.text;
  logger.info(describe(change), { ...placeOf(change), zxid: formatZxid(zxid), reason });
}

/** A learner's leader has begun to bring it up to date, by that packet, from the zxid that it was at. */
export function logSyncBegins(
  logger: Logger,
  change: RoleChange,
  zxid: Zxid,
  packet: { readonly type: number; readonly zxid: Zxid },
): void {
  const by = `${packetTypeName(packet.type as PacketType)} ${formatZxid(packet.zxid)}`;
  logger.info('Being brought up to date', { ...placeOf(change), zxid: formatZxid(zxid), by });
}

function placeOf({ epoch, leaderSid }: RoleChange): Record<string, number | undefined> {
  return {
    epoch: epoch < 0 ? undefined : epoch,
    leader: leaderSid < 0 ? undefined : leaderSid,
  };
}

function describe({ role, phase }: RoleChange): string {
  switch (phase) {
    case 'election':
      return 'Looking for a leader';
    case 'draining':
      return 'Leaving the role';
    case 'stopped':
      return 'Left the ensemble';
    case 'discovery':
      return role === 'leading' ? 'Elected leader' : 'Found a leader';
    case 'synchronization':
      return 'Bringing learners up to date';
    default:
      return role === 'leading' ? 'Leading' : role === 'observing' ? 'Observing' : 'Following';
  }
}
