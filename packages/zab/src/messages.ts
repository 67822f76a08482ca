// What members say to each other, as the core sees it: decoded, and without txns, config texts or session tables.
//
// The fields are those of @zebu/protocol's peer and election records, which carry more: a decoded packet can be
// given to the core as it is, and the driver completes what the core sends (the config text of a notification and
// of NEWLEADER, the touched sessions in a learner's PING). PROPOSAL, COMMIT, INFORM and ACK are no records here:
// they come and go as watermarks (zab.ts, output.ts).

import type { Zxid } from '@zebu/protocol';

/** The types of quorum packets that the core handles as records; the numbers are those of the wire. */
export const MessageType = {
  ACK: 3,
  PING: 5,
  NEWLEADER: 10,
  FOLLOWERINFO: 11,
  UPTODATE: 12,
  DIFF: 13,
  TRUNC: 14,
  SNAP: 15,
  OBSERVERINFO: 16,
  LEADERINFO: 17,
  ACKEPOCH: 18,
} as const;

/** The version of the peer protocol that every release since 3.4 speaks. */
export const PROTOCOL_VERSION = 0x10000;

export interface LearnerInfo {
  /** Undefined for a learner that does not say it: the leader makes one up. */
  readonly sid: number | undefined;
  readonly protocolVersion: number;
  /** Undefined for learners before reconfig: their config is not checked. */
  readonly configVersion: number | undefined;
}

/** A learner's first message. */
export interface LearnerInfoMessage {
  readonly type: typeof MessageType.FOLLOWERINFO | typeof MessageType.OBSERVERINFO;
  readonly acceptedEpoch: number;
  readonly info: LearnerInfo;
}

/** The leader's epoch: the learner promises not to join an older one. */
export interface LeaderInfoMessage {
  readonly type: typeof MessageType.LEADERINFO;
  readonly epoch: number;
  readonly protocolVersion: number;
}

export interface AckEpochMessage {
  readonly type: typeof MessageType.ACKEPOCH;
  /** The last txn that is durable in the learner's log; -1 for a history that must not be counted. */
  readonly lastZxid: Zxid;
  /** -1: the learner had promised this epoch before, or has no history: no ack. */
  readonly currentEpoch: number;
}

/** Messages of which the zxid is all. UPTODATE has -1; an ACK of NEWLEADER and the one after UPTODATE (epoch,0). */
export interface ZxidMessage {
  readonly type:
    | typeof MessageType.ACK
    | typeof MessageType.PING
    | typeof MessageType.NEWLEADER
    | typeof MessageType.UPTODATE
    | typeof MessageType.DIFF
    | typeof MessageType.TRUNC
    | typeof MessageType.SNAP;
  readonly zxid: Zxid;
}

export type PeerMessage = LearnerInfoMessage | LeaderInfoMessage | AckEpochMessage | ZxidMessage;

/** State of a member, as a notification tells it; the numbers are those of the wire. */
export const MemberState = { LOOKING: 0, FOLLOWING: 1, LEADING: 2, OBSERVING: 3 } as const;
export type MemberState = (typeof MemberState)[keyof typeof MemberState];

/** Leader, zxid and peerEpoch of a vote for nobody: what an observer proposes. */
export const NO_VOTE: number = -(2 ** 63);

/** Version of the notifications that carry a config. */
export const NOTIFICATION_VERSION = 2;

/** A vote and who casts it in which state: what members send each other on the election port. */
export interface Notification {
  readonly state: MemberState;
  /** Sid of the member that is voted for, or NO_VOTE. */
  readonly leader: number;
  /** Last zxid of that member. */
  readonly zxid: Zxid;
  /** The round of the election that the vote belongs to. */
  readonly electionEpoch: number;
  /** currentEpoch of the member that is voted for. */
  readonly peerEpoch: number;
  /** 0 from members before 3.4.6 (forms of 28 and 40 bytes). */
  readonly version: number;
}
