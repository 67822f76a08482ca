// How a learner is brought up to date: what the leader's host knows, and what is decided from it.

import { counterOf, epochOf, type Zxid } from '@zebu/protocol';
import type { Plant } from './config.ts';

/** What the leader's host knows about its history, for one learner. "History" ends at Zab.horizonZxid here. */
export interface SyncFacts {
  /** What the host's tree holds now: the zxid of a snapshot that begins now. */
  readonly appliedZxid: Zxid;
  /** The first txn of the committed log in memory; -1 while it is empty. */
  readonly minCommittedZxid: Zxid;
  /**
   * The logs on disk give every txn after this one, without a gap up to the committed log, at a size that is worth
   * it; -1 where they do not, or are not asked. Where it is 0 the history is there from its beginning.
   */
  readonly logAfterZxid: Zxid;
  /** The greatest zxid of this history that is at most the learner's; -1 where none is known. */
  readonly floorZxid: Zxid;
  /** The smallest zxid of this history that is greater than the learner's; -1 where there is none. */
  readonly ceilingZxid: Zxid;
  /** forceSnapshotSync. */
  readonly forceSnapshot: boolean;
}

export const SyncMode = { DIFF: 13, TRUNC: 14, SNAP: 15 } as const;
export type SyncMode = (typeof SyncMode)[keyof typeof SyncMode];

/** What to send: the packet of this mode, for SNAP the snapshot's stream, then PROPOSAL and COMMIT of each txn. */
export interface SyncPlan {
  readonly mode: SyncMode;
  /**
   * Of the DIFF, TRUNC or SNAP packet. A snapshot must hold every txn up to it: where the host's tree holds less, the
   * host applies what is missing first.
   */
  readonly packetZxid: Zxid;
  /** PROPOSAL and COMMIT, in pairs, for each txn after this one... */
  readonly after: Zxid;
  /** ...up to this one. The core sends what comes after it; the host keeps those txns until then. */
  readonly upTo: Zxid;
  /** Whether txns come from the logs on disk before they come from the committed log. */
  readonly fromLogs: boolean;
  /** The row of the decision's table, for reports. */
  readonly row: SyncRow;
}

/** Rows of quorum.md 6.3. */
export type SyncRow =
  | 'forced'
  | 'no-history'
  | 'equal'
  | 'ahead-trunc'
  | 'ahead-across-epochs'
  | 'ahead-new-epoch'
  | 'memory-diff'
  | 'memory-new-epoch'
  | 'memory-trunc'
  | 'memory-across-epochs'
  | 'logs-diff'
  | 'logs-new-epoch'
  | 'logs-trunc'
  | 'logs-across-epochs'
  | 'too-old';

export interface SyncQuestion {
  /** The learner's last logged zxid; -1: no history that counts. */
  readonly learnerZxid: Zxid;
  /** Last txn that may be told as committed: what the leader brought into its epoch, later its last commit. */
  readonly horizonZxid: Zxid;
  /** The leader's own epoch. */
  readonly leaderEpoch: number;
  /**
   * What the host may apply for a snapshot although it is not committed: all that the leader brought in, while it is
   * not established. -1 afterwards.
   */
  readonly tentativeZxid: Zxid;
}

/**
 * Chooses how to bring a learner up to date; undefined while only a snapshot would do, and the tree does not hold enough
 * yet for one. Pure; throws nothing. The cases of LearnerHandler.syncFollower
 * (ZooKeeper 3.9), with two that are stricter. A log is cut only to a zxid that the learner's log is sure to hold:
 * one of an epoch in which it had the same leader. And a zxid with counter 0 (a fresh member, or a leader that had
 * no txn) is brought forward by txns only where they reach back to it (ZOOKEEPER-4352).
 */
export function planSync(
  question: SyncQuestion,
  facts: SyncFacts,
  plant?: Plant | undefined,
): SyncPlan | undefined {
  const { learnerZxid, horizonZxid, leaderEpoch } = question;
  if (facts.forceSnapshot) return snapshot(question, facts, 'forced');
  if (learnerZxid < 0) return snapshot(question, facts, 'no-history');
  if (learnerZxid === horizonZxid) return diff(learnerZxid, horizonZxid, false, 'equal');
  const newEpoch = counterOf(learnerZxid) === 0;
  if (learnerZxid > horizonZxid) {
    if (newEpoch) return snapshot(question, facts, 'ahead-new-epoch');
    const epoch = epochOf(learnerZxid);
    if (plant === 'skip-trunc') return diff(learnerZxid, learnerZxid, false, 'ahead-trunc');
    return epoch === leaderEpoch || epoch === epochOf(horizonZxid)
      ? truncate(horizonZxid, horizonZxid, false, 'ahead-trunc')
      : snapshot(question, facts, 'ahead-across-epochs');
  }
  const inMemory = facts.minCommittedZxid >= 0 && learnerZxid >= facts.minCommittedZxid;
  const inLogs = facts.logAfterZxid >= 0 && learnerZxid >= facts.logAfterZxid;
  if (!inMemory && !inLogs) return snapshot(question, facts, 'too-old');
  const known =
    facts.floorZxid === learnerZxid || (!inMemory && facts.logAfterZxid === learnerZxid);
  if (known) {
    return diff(learnerZxid, horizonZxid, !inMemory, inMemory ? 'memory-diff' : 'logs-diff');
  }
  if (newEpoch) {
    const row = inMemory ? 'memory-new-epoch' : 'logs-new-epoch';
    return diff(learnerZxid, horizonZxid, !inMemory, row);
  }
  // TRUNC never crosses an epoch, neither back to its zxid nor forward to the txn that follows it.
  const epoch = epochOf(learnerZxid);
  const { floorZxid, ceilingZxid } = facts;
  const sameEpoch =
    floorZxid >= 0 && epochOf(floorZxid) === epoch && epochOf(ceilingZxid) === epoch;
  return sameEpoch
    ? truncate(facts.floorZxid, horizonZxid, !inMemory, inMemory ? 'memory-trunc' : 'logs-trunc')
    : snapshot(question, facts, inMemory ? 'memory-across-epochs' : 'logs-across-epochs');
}

function diff(after: Zxid, upTo: Zxid, fromLogs: boolean, row: SyncRow): SyncPlan {
  return { mode: SyncMode.DIFF, packetZxid: upTo, after, upTo, fromLogs, row };
}

function truncate(to: Zxid, upTo: Zxid, fromLogs: boolean, row: SyncRow): SyncPlan {
  return { mode: SyncMode.TRUNC, packetZxid: to, after: to, upTo, fromLogs, row };
}

/**
 * A learner gives up its own history for the snapshot before the txns that follow are on its disk. What it holds of
 * the committed history must therefore be in the snapshot itself: a crash between the two must not take it away.
 */
function snapshot(question: SyncQuestion, facts: SyncFacts, row: SyncRow): SyncPlan | undefined {
  const { learnerZxid, horizonZxid, tentativeZxid } = question;
  const needed = Math.min(learnerZxid, horizonZxid);
  const zxid = facts.appliedZxid >= needed ? facts.appliedZxid : tentativeZxid;
  if (zxid < needed) return undefined;
  return {
    mode: SyncMode.SNAP,
    packetZxid: zxid,
    after: zxid,
    upTo: Math.max(horizonZxid, zxid),
    fromLogs: false,
    row,
  };
}
