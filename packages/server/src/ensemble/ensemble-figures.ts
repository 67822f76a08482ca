// What one member counts of its part in the ensemble. The driver says what happens; the figures are rows of
// metrics/metric-table.ts. Nothing is allocated for a txn.

import type { RoleChange } from '@zebu/zab';
import type { EnsembleGauges } from '../metrics/metrics.ts';
import type { LeaderLink } from './leader-link.ts';
import type { LearnerLink } from './learner-link.ts';

export interface EnsembleFiguresOptions {
  /** Sids of the members that vote. */
  readonly voters: readonly number[];
  /** Reads the clock; monotonic ms. */
  readonly readNowMs: () => number;
}

export class EnsembleFigures {
  private readonly options: EnsembleFiguresOptions;
  /** Those that may still be written to. */
  private readonly links: Set<LearnerLink | LeaderLink>;
  /** Of links that ended. */
  private endedWrites: number;
  private change: RoleChange | undefined;
  /** Since when this member is an established leader; undefined while it is none. */
  private leadingSinceMs: number | undefined;

  constructor(options: EnsembleFiguresOptions) {
    this.options = options;
    this.links = new Set();
    this.endedWrites = 0;
    this.change = undefined;
    this.leadingSinceMs = undefined;
  }

  linkBegan(link: LearnerLink | LeaderLink): void {
    this.links.add(link);
  }

  linkEnded(link: LearnerLink | LeaderLink): void {
    if (this.links.delete(link)) this.endedWrites += link.writes;
  }

  roleChanged(change: RoleChange): void {
    const nowMs = this.options.readNowMs();
    const { role, phase } = change;
    this.change = change;
    if (role !== 'leading' || phase !== 'broadcast') this.leadingSinceMs = undefined;
    else this.leadingSinceMs ??= nowMs;
  }

  gauges(learners: Iterable<LearnerLink>, pendingSyncs: number): EnsembleGauges {
    const { change, leadingSinceMs } = this;
    const { voters, readNowMs } = this.options;
    const isObserving = change?.role === 'observing';
    let linkWrites = this.endedWrites;
    for (const link of this.links) linkWrites += link.writes;
    return {
      peerState: peerState(change),
      observerMasterSid: isObserving ? change.leaderSid : undefined,
      quorumSize: voters.length,
      linkWrites,
      leader:
        leadingSinceMs === undefined
          ? undefined
          : {
              ...countLearners(learners, voters),
              pendingSyncs,
              uptimeMs: Math.floor(readNowMs() - leadingSinceMs),
            },
    };
  }
}

function countLearners(links: Iterable<LearnerLink>, voters: readonly number[]) {
  const counts = {
    learners: 0,
    syncedFollowers: 0,
    syncedNonVotingFollowers: 0,
    syncedObservers: 0,
  };
  for (const { sid, isObserver, isSynced } of links) {
    counts.learners++;
    if (!isSynced) continue;
    if (isObserver) counts.syncedObservers++;
    else {
      counts.syncedFollowers++;
      if (!voters.includes(sid)) counts.syncedNonVotingFollowers++;
    }
  }
  return counts;
}

// QuorumPeer.getDetailedPeerState.
function peerState(change: RoleChange | undefined): string {
  const { role, phase } = change ?? { role: 'looking', phase: 'election' };
  return role === 'looking' ? role : `${role} - ${phase}`;
}
