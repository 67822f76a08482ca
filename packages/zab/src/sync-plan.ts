// How a learner is brought up to date: what the leader's host knows, and what is decided from it.

import type { Zxid } from '@zebu/protocol';

/** What the leader's host knows about its history, for one learner. */
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
  /** Of the DIFF, TRUNC or SNAP packet. */
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
