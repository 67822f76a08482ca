// The leader's view of one learner, from its first packet on.

import type { Zxid } from '@zebu/protocol';
import type { SyncMode } from './sync-plan.ts';

/** Where a learner stands, in the order in which it gets there. */
export const LearnerStep = {
  /** Connected; its FOLLOWERINFO or OBSERVERINFO is to come. */
  CONNECTED: 0,
  /** Waits for the leader's epoch. */
  WAITS_FOR_EPOCH: 1,
  /** LEADERINFO is sent; its ACKEPOCH is to come. */
  EPOCH_SENT: 2,
  /** Waits until a quorum has acked the epoch. */
  WAITS_FOR_QUORUM: 3,
  /** The host is asked how far its history reaches, or its tree is to hold more before a snapshot is taken. */
  PLANNING: 4,
  /** Its sync and NEWLEADER are sent; its ACK is to come. Nothing else is sent meanwhile (ZOOKEEPER-4394). */
  SYNCING: 5,
  /** In sync, waits until a quorum is. */
  SYNCED: 6,
  /** UPTODATE is sent: it gets every proposal and commit. */
  FORWARDING: 7,
} as const;
export type LearnerStep = (typeof LearnerStep)[keyof typeof LearnerStep];

export class LearnerProgress {
  readonly link: number;
  step: LearnerStep;
  sid: number;
  isObserver: boolean;
  /** Place among the voters, -1 for observers and for followers without a vote. */
  voterIndex: number;
  /** Last zxid of its ACKEPOCH; -1: none that counts. */
  learnerZxid: Zxid;
  /** Waits for the tree, while it is planning. */
  waitsForTree: boolean;
  mode: SyncMode | undefined;
  /** The plan was handed to the link whole. */
  isPlanSent: boolean;
  /** Up to here proposals, and commits or informs, were sent. */
  sentProposalZxid: Zxid;
  sentCommitZxid: Zxid;
  /** Its acks; those that come before that of NEWLEADER wait here (ZOOKEEPER-4685). */
  ackedZxid: Zxid;
  /** The last tick at which the link showed life. */
  heardAt: number;
  /** After this tick it does not count as in time. */
  deadline: number;
  /** A proposal that is not acked since the tick of sampleAt; -1 while there is none. */
  sampleZxid: Zxid;
  sampleAt: number;
  /** Rounds of barriers of the pings that it has not answered, oldest first. */
  readonly pingRounds: number[];

  constructor(link: number, now: number, deadline: number) {
    this.link = link;
    this.step = LearnerStep.CONNECTED;
    this.sid = -1;
    this.isObserver = false;
    this.voterIndex = -1;
    this.learnerZxid = -1;
    this.waitsForTree = false;
    this.mode = undefined;
    this.isPlanSent = false;
    this.sentProposalZxid = -1;
    this.sentCommitZxid = -1;
    this.ackedZxid = -1;
    this.heardAt = now;
    this.deadline = deadline;
    this.sampleZxid = -1;
    this.sampleAt = 0;
    this.pingRounds = [];
  }
}
