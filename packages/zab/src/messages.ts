// What members say to each other, as the core sees it: without txns, config texts and session tables.
//
// The records are those of @zebu/protocol, which carry more: a decoded packet or notification can be given to the core
// as it is, and the driver completes what the core sends (the config text of a notification and of NEWLEADER, the
// touched sessions in a learner's PING). PROPOSAL, COMMIT and INFORM, and ACKs of proposals that go out, are no records
// here: they come and go as zxids (zab.ts, output.ts).

import type {
  AckEpochMessage,
  ElectionNotification,
  LeaderInfoMessage,
  LearnerInfoMessage,
  PacketType,
  Zxid,
} from '@zebu/protocol';

/**
 * Messages of which the zxid is all. UPTODATE has -1; an ACK of NEWLEADER, and the one that follows UPTODATE, (epoch,0).
 */
export interface CoreZxidMessage {
  readonly type:
    | typeof PacketType.ACK
    | typeof PacketType.PING
    | typeof PacketType.NEWLEADER
    | typeof PacketType.UPTODATE
    | typeof PacketType.DIFF
    | typeof PacketType.TRUNC
    | typeof PacketType.SNAP;
  readonly zxid: Zxid;
}

export type CoreMessage =
  | LearnerInfoMessage
  | LeaderInfoMessage
  | AckEpochMessage
  | CoreZxidMessage;

/** A vote and who casts it in which state: what members send each other on the election port. */
export type Notification = Omit<ElectionNotification, 'configText'>;
