// What one member counts of its part in the ensemble. The driver says what happens; the figures are rows of
// metrics/metric-table.ts. Nothing is allocated for a txn.

import type { Zxid } from '@zebu/protocol';
import type { RoleChange } from '@zebu/zab';
import type { EnsembleGauges, ServerMetrics } from '../metrics/metrics.ts';
import type { Txn, TxnSequence } from '../txns/txn-sequence.ts';
import type { LeaderLink } from './leader-link.ts';
import type { LearnerLink } from './learner-link.ts';
import type { SyncSender } from './sync-sender.ts';

export interface EnsembleFiguresOptions {
  readonly metrics: ServerMetrics;
  /** Sids of the members that vote. */
  readonly voters: readonly number[];
  /** Reads the clock; monotonic ms. */
  readonly readNowMs: () => number;
}

export class EnsembleFigures {
  private readonly options: EnsembleFiguresOptions;
  private readonly metrics: ServerMetrics;
  /** Those that may still be written to. */
  private readonly links: Set<LearnerLink | LeaderLink>;
  /** Of links that ended. */
  private endedWrites: number;
  private change: RoleChange | undefined;
  /** Since when this member looks for a leader; kept until the next time. */
  private lookingSinceMs: number;
  /** Since when it is being brought up to date; undefined while it is not. */
  private syncingSinceMs: number | undefined;
  /** Since when it does not serve; undefined while it does. */
  private unavailableSinceMs: number | undefined;
  /** Since when it is an established leader; undefined while it is none. */
  private leadingSinceMs: number | undefined;
  /** Commits up to here are counted. */
  private committedZxid: Zxid;
  private committedMs: number;

  constructor(options: EnsembleFiguresOptions) {
    const nowMs = options.readNowMs();
    this.options = options;
    this.metrics = options.metrics;
    this.links = new Set();
    this.endedWrites = 0;
    this.change = undefined;
    this.lookingSinceMs = nowMs;
    this.syncingSinceMs = undefined;
    this.unavailableSinceMs = nowMs;
    this.leadingSinceMs = undefined;
    this.committedZxid = 0;
    this.committedMs = 0;
  }

  linkBegan(link: LearnerLink | LeaderLink): void {
    this.links.add(link);
  }

  linkEnded(link: LearnerLink | LeaderLink): void {
    if (this.links.delete(link)) this.endedWrites += link.writes;
  }

  // ---- Roles --------------------------------------------------------------------------------

  roleChanged(change: RoleChange): void {
    const { metrics } = this;
    const before = this.change;
    const nowMs = this.options.readNowMs();
    const { role, phase } = change;
    this.change = change;
    if (role !== 'leading' || phase !== 'broadcast') this.leadingSinceMs = undefined;
    else this.leadingSinceMs ??= nowMs;
    if (role === 'looking') this.looks(change, before, nowMs);
    // An observer does not elect.
    else if (role !== 'observing' && (before === undefined || before.role === 'looking')) {
      metrics.electionTime.add(Math.trunc(nowMs - this.lookingSinceMs));
    }
    const isLearner = role === 'following' || role === 'observing';
    if (isLearner && phase === 'synchronization') this.syncingSinceMs ??= nowMs;
    else {
      if (isLearner && phase === 'broadcast') this.noteSync(role === 'observing', nowMs);
      this.syncingSinceMs = undefined;
    }
    if (phase === 'broadcast') this.noteServing(role === 'leading', nowMs);
    else this.unavailableSinceMs ??= nowMs;
  }

  private looks(change: RoleChange, before: RoleChange | undefined, nowMs: number): void {
    if (before?.role === 'leading' && change.reason.code === 'disloyal-voter') {
      this.metrics.leadershipsForgotten++;
    }
    if (change.phase !== 'election') return;
    this.lookingSinceMs = nowMs;
    this.metrics.elections++;
  }

  private noteSync(isObserver: boolean, nowMs: number): void {
    const { metrics, syncingSinceMs } = this;
    // A sync without a txn may begin and end within one turn.
    const tookMs = Math.trunc(nowMs - (syncingSinceMs ?? nowMs));
    (isObserver ? metrics.observerSyncTime : metrics.followerSyncTime).add(tookMs);
  }

  private noteServing(isLeader: boolean, nowMs: number): void {
    const { metrics, unavailableSinceMs } = this;
    if (unavailableSinceMs === undefined) return;
    this.unavailableSinceMs = undefined;
    const tookMs = Math.trunc(nowMs - unavailableSinceMs);
    metrics.unavailableTime.add(tookMs);
    if (isLeader) metrics.leaderUnavailableTime.add(tookMs);
  }

  // ---- Syncs --------------------------------------------------------------------------------

  /** `running`: all that are under way, this one among them. */
  syncBegan(isSnapshot: boolean, running: Iterable<SyncSender>): void {
    if (isSnapshot) this.metrics.snapshotSyncs++;
    else this.metrics.diffSyncs++;
    this.countSyncs(isSnapshot, running);
  }

  /** `running`: the others that are under way. */
  syncEnded(isSnapshot: boolean, running: Iterable<SyncSender>): void {
    this.countSyncs(isSnapshot, running);
  }

  private countSyncs(isSnapshot: boolean, running: Iterable<SyncSender>): void {
    const { metrics } = this;
    let count = 0;
    for (const sender of running) if (sender.isSnapshot === isSnapshot) count++;
    (isSnapshot ? metrics.snapshotSyncsInFlight : metrics.diffSyncsInFlight).add(count);
  }

  // ---- Txns ---------------------------------------------------------------------------------

  proposalReceived(): void {
    this.metrics.proposalsReceived++;
  }

  commitReceived(): void {
    this.metrics.commitsReceived++;
  }

  /** A learner has acked everything up to the zxid. */
  acked(link: LearnerLink, zxid: Zxid, nowMs: number): void {
    const tookMs = link.ackTookMs(zxid, nowMs);
    if (tookMs >= 0) this.metrics.ackLatency.of(`${link.sid}`).add(Math.trunc(tookMs));
  }

  /** Everything up to the zxid is known to be committed; what of it is not applied is in the sequence. */
  committed(sequence: TxnSequence, upTo: Zxid, nowMs: number): void {
    if (upTo <= this.committedZxid) return;
    const after = this.committedZxid;
    this.committedZxid = upTo;
    if (this.change?.phase !== 'broadcast') return;
    this.committedMs = nowMs;
    sequence.forEachIn(
      after,
      upTo,
      this.change.role === 'leading' ? this.noteQuorumAck : this.noteCommit,
    );
  }

  private readonly noteQuorumAck = ({ preparedMs }: Txn): void => {
    this.metrics.quorumAckLatency.add(Math.trunc(this.committedMs - preparedMs));
  };

  private readonly noteCommit = ({ preparedMs }: Txn): void => {
    this.metrics.commitPropagationLatency.add(Math.trunc(this.committedMs - preparedMs));
  };

  // ---- What is looked up --------------------------------------------------------------------

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
