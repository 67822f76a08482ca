// What the driver has to do, in this order. One object that is used again: it and all it holds are valid until the
// next takeOutput().
//
//   1. closes    end these links. Nothing more goes out on them, and nothing that still arrives is given to the core.
//   2. leaving   the role is over: drop proposed and received txns that were not handed to the log, throw away the
//                tree where it says so, close clients and links, stop dialling, wait for the log, then call drained().
//   3. sends     queue on the links, in order; do not wait for the disk.
//   4. batch     if not 0: hand to the disk, in order: truncate, append, sync; acceptedEpoch, then currentEpoch,
//                each synced; then durable(batch). Batches become durable in order; reporting one reports all
//                before it.
//   5. commitTo  apply txns up to and including it. Never beyond what was reported durable.
//   6. change    tell the server about role, phase, leader and epoch.
//   7. barriers  release the waiting syncs: after the commits above on a learner's link; for a client of the leader's
//                own once its tree holds Zab.committedZxid, which a slow disk may keep back.
//
// Links before the disk: their way is longer. The votes of `votes` may leave at any time.

import type { Zxid } from '@zebu/protocol';
import type { CoreMessage, Notification } from './messages.ts';
import type { SyncPlan } from './sync-plan.ts';

/** What a Send asks for. PROPOSALS, COMMITS, INFORMS and ACKS stand for one packet for each txn of a range. */
export const SendKind = {
  /** `message`, completed by the driver. */
  MESSAGE: 0,
  /** PROPOSAL for each txn after `after` up to `upTo`. */
  PROPOSALS: 1,
  /** COMMIT for each. */
  COMMITS: 2,
  /** INFORM for each. */
  INFORMS: 3,
  /** ACK for each: Apache's leader counts by exact zxid. */
  ACKS: 4,
  /** Bring the learner up to date as `plan` says; what comes after it on this link waits for it. */
  SYNC: 5,
} as const;
export type SendKind = (typeof SendKind)[keyof typeof SendKind];

/** One thing to queue on a link. */
export interface Send {
  readonly link: number;
  readonly kind: SendKind;
  /** Of a range: exclusive. Txns between it and upTo are those that the sender's host knows, in order. */
  readonly after: Zxid;
  /** Of a range: inclusive. */
  readonly upTo: Zxid;
  /** Only of MESSAGE. */
  readonly message: CoreMessage | undefined;
  /** Only of SYNC. */
  readonly plan: SyncPlan | undefined;
}

/** A notification for one member; a member that is not connected is dialled for it. The newest one for a sid wins. */
export interface Vote {
  readonly sid: number;
  readonly notification: Notification;
}

/** Why a link is closed or a role ends: a word for logs and metrics, and the numbers that led to it. */
export interface Reason {
  readonly code: ReasonCode;
  /** A sentence without full stop, with the numbers in it. */
  readonly text: string;
}

export type ReasonCode =
  // a role begins or ends
  | 'started'
  | 'elected'
  | 'epoch-chosen'
  | 'epoch-acked'
  | 'leader-answered'
  | 'in-sync'
  | 'stopped'
  | 'leader-lost'
  | 'leader-silent'
  | 'leader-unreachable'
  | 'leader-looks'
  | 'leader-epoch-too-old'
  | 'protocol'
  | 'sync-failed'
  | 'epoch-timeout'
  | 'epoch-ack-timeout'
  | 'newleader-timeout'
  | 'quorum-lost'
  | 'disk-stalled'
  | 'not-followed'
  | 'disloyal-voter'
  | 'higher-epoch-seen'
  | 'zxid-rollover'
  // a link ends
  | 'not-leading'
  | 'role-over'
  | 'replaced'
  | 'config-ahead'
  | 'learner-ahead'
  | 'learner-silent'
  | 'ack-late'
  | 'throttled'
  | 'old-protocol';

export interface LinkClose {
  readonly link: number;
  readonly reason: Reason;
}

export type Role = 'looking' | 'following' | 'observing' | 'leading';
/**
 * As Apache's ZabState, and what it has no word for: 'draining' between a role and the next election, 'stopped'.
 * A member serves clients in 'broadcast' only.
 */
export type Phase =
  | 'election'
  | 'discovery'
  | 'synchronization'
  | 'broadcast'
  | 'draining'
  | 'stopped';

/** Where the member stands. In 'draining' and 'stopped' the role is 'looking'. */
export interface RoleChange {
  readonly role: Role;
  readonly phase: Phase;
  /** The leader to dial when the phase is 'discovery' and the role is not 'leading'; -1 while there is none. */
  readonly leaderSid: number;
  /** The leader's epoch once it is known, -1 before. */
  readonly epoch: number;
  /** Why the member stands there, and not where it stood before. */
  readonly reason: Reason;
}

export interface Leaving {
  readonly reason: Reason;
  /**
   * The tree is half of a leader's snapshot, or holds txns that are not committed: throw it away, and recover it from
   * disk up to Zab.appliedZxid.
   */
  readonly discardTree: boolean;
}

export interface Output {
  /** Number of this batch for the disk, rising by one; 0 when there is nothing to write. */
  batch: number;
  /** Drop every txn after this one from the log, before anything is appended; -1: nothing to drop. */
  truncateAfter: Zxid;
  /** Append every txn after the last appended one up to this one, in order; -1: none. */
  appendTo: Zxid;
  /** Epochs to make durable after the log, accepted first; -1: unchanged. */
  acceptedEpoch: number;
  currentEpoch: number;
  readonly closes: LinkClose[];
  leaving: Leaving | undefined;
  readonly sends: Send[];
  readonly votes: Vote[];
  /** Learners that wait for Zab.syncFacts, with the last zxid of each. */
  readonly planRequests: PlanRequest[];
  /** Apply up to this one; -1: no more than before. */
  commitTo: Zxid;
  change: RoleChange | undefined;
  /** Tokens of readBarrier calls that are answered. */
  readonly barriers: number[];
}

export interface PlanRequest {
  readonly link: number;
  readonly sid: number;
  /** -1: no history that counts. */
  readonly learnerZxid: Zxid;
}
