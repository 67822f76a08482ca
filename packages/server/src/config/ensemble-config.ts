// What a member of an ensemble is told: who the members are, and the limits that they agree on.

import type { QuorumMember, Zxid } from '@zebu/protocol';

export interface EnsembleConfig {
  /** The id of this member, 1 to 255 as a rule: the number in its file myid. */
  readonly sid: number;
  /** All members, this one among them; the same on each. */
  readonly members: readonly QuorumMember[];
  /** Zxid of the reconfig that made the list; 0 for a list from files. */
  readonly version: Zxid;
  /** Ticks that a learner may take to connect and to be brought up to date. */
  readonly initLimitTicks: number;
  /** Ticks that a member may be silent. */
  readonly syncLimitTicks: number;
  /** Ticks that a learner tries to reach the leader; 0: initLimit. */
  readonly connectLimitTicks: number;
  /** Time to connect to another member's election port. */
  readonly cnxTimeoutMs: number;
  /** Ports are bound on all addresses, not on the one of the server.N line. */
  readonly listenOnAllAddresses: boolean;
  /** Whether a leader serves clients. */
  readonly leaderServes: boolean;
  /** -1: off. See ZOOKEEPER-3109. */
  readonly maxTimeToWaitForEpochMs: number;
  readonly minNotificationMs: number;
  readonly maxNotificationMs: number;
  readonly observerElectionDelayMs: number;
  /** Pause between two tries of a learner to reach the leader. */
  readonly leaderConnectRetryMs: number;
  readonly maxConcurrentSnapSyncs: number;
  readonly maxConcurrentDiffSyncs: number;
  /** Learners always get a snapshot. */
  readonly forceSnapshotSync: boolean;
  /** Logs on disk of up to this share of the snapshot's size are sent in place of it; negative: never. */
  readonly snapshotSizeFactor: number;
  readonly keepAlive: boolean;
}

export const DEFAULT_ENSEMBLE: Omit<EnsembleConfig, 'sid' | 'members'> = {
  version: 0,
  initLimitTicks: 10,
  syncLimitTicks: 5,
  connectLimitTicks: 0,
  cnxTimeoutMs: 5000,
  listenOnAllAddresses: false,
  leaderServes: true,
  maxTimeToWaitForEpochMs: -1,
  minNotificationMs: 200,
  maxNotificationMs: 60_000,
  observerElectionDelayMs: 200,
  leaderConnectRetryMs: 100,
  maxConcurrentSnapSyncs: 10,
  maxConcurrentDiffSyncs: 100,
  forceSnapshotSync: false,
  snapshotSizeFactor: 0.33,
  keepAlive: false,
};

export function memberOfSid(ensemble: EnsembleConfig, sid: number): QuorumMember | undefined {
  return ensemble.members.find((member) => member.sid === sid);
}

/**
 * What the member has this port for between members, where the two would be bound to one address; `address` undefined:
 * all addresses of the machine.
 */
export function usedBetweenMembers(
  { addresses }: Pick<QuorumMember, 'addresses'>,
  port: number,
  address: string | undefined,
): 'quorum port' | 'election port' | undefined {
  if (port <= 0) return undefined;
  for (const { host, quorumPort, electionPort } of addresses) {
    if (address !== undefined && host !== address) continue;
    if (port === quorumPort) return 'quorum port';
    if (port === electionPort) return 'election port';
  }
  return undefined;
}

export function isObserver(ensemble: EnsembleConfig): boolean {
  return memberOfSid(ensemble, ensemble.sid)?.role === 'observer';
}
