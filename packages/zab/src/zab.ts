// One member's part in the protocol of an ensemble: leader election, discovery, synchronization and broadcast, as
// Apache ZooKeeper's servers speak it.
//
// A pure state machine. It knows zxids, counters and messages, never a txn's bytes; the host keeps those. Inputs are
// methods, time is tick(), and what has to be done is taken with takeOutput(): the order of its fields is the order
// in which the driver does it (output.ts). Every ack is made here, after the batch it speaks of is durable.
//
//                       ┌──────────────── drained() ◄── draining ◄──────────────┐
//                       ▼                                                       │ link or quorum lost,
//   new Zab ──► looking: election ──┬─► leading:   discovery ─► synchronization ─► broadcast
//                                   └─► following, discovery ─► synchronization ─► broadcast
//                                       observing
//
// Links are numbers that the driver gives, one for each connection, never used again: a member may come back by a
// new connection before the old one is known to be dead. Election messages go by sid.

import type { Zxid } from '@zebu/protocol';
import type { Notification, PeerMessage } from './messages.ts';
import type { Output, Phase, Role } from './output.ts';
import type { SyncFacts } from './sync-plan.ts';

export interface ZabCore {
  readonly role: Role;
  readonly phase: Phase;
  /** Sid of the leader, itself when leading; -1 while there is none. */
  readonly leaderSid: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** Last txn that the host was told to append. Invariant: durableZxid <= appendedZxid. */
  readonly appendedZxid: Zxid;
  /** Last txn that is durable in this member's log. */
  readonly durableZxid: Zxid;
  /** Last txn that is known to be committed; the tree may hold min(committedZxid, durableZxid). */
  readonly committedZxid: Zxid;

  /**
   * The zxid of the next txn, or -1 when nothing may be proposed: this member does not lead, is not established, or
   * is about to step down. Ask again after every propose().
   */
  readonly nextZxid: Zxid;

  /** Whether takeOutput() has something to say. */
  readonly hasOutput: boolean;

  /** One unit of logical time has passed. */
  tick(): void;

  /** Stops for good: no vote, no role. The log is drained by the host as in any end of a role. */
  stop(): void;

  // Election

  /** A notification from a member's election port. */
  notification(sid: number, notification: Notification): void;
  /** Dialling this member's election port was refused, or its election link was reset: it will not vote now. */
  memberUnreachable(sid: number): void;

  // Links of the quorum port

  /** A learner dialled. It speaks first. Allowed in every role: who does not lead closes the link. */
  learnerConnected(link: number): void;
  /** The link to the leader that change.leaderSid named is up. */
  leaderConnected(link: number): void;
  /** The leader could not be reached; the driver gave up. */
  leaderUnreachable(): void;
  /** A link ended, for whatever reason; also one that the core had closed. */
  linkClosed(link: number): void;
  /**
   * Bytes came in on a link, or a part of a sync went out: it is not dead. Once for each read is enough; the
   * receive methods imply it.
   */
  linkActive(link: number): void;

  /** Any message that is none of the four below. Types that the core does not know are ignored. */
  receive(link: number, message: PeerMessage): void;
  /** PROPOSAL from the leader; the host keeps its txn. */
  receiveProposal(link: number, zxid: Zxid): void;
  /** COMMIT from the leader. */
  receiveCommit(link: number, zxid: Zxid): void;
  /** INFORM from the leader; the host keeps its txn. */
  receiveInform(link: number, zxid: Zxid): void;
  /** ACK from a learner, whether of a proposal or of NEWLEADER. Of a run of proposals the last one is enough. */
  receiveAck(link: number, zxid: Zxid): void;

  // Leader

  /** The host proposes the txn with the number nextZxid. */
  propose(zxid: Zxid): void;
  /** Answers a planRequest, at once or later: how the learner is synced is decided with these facts now. */
  syncFacts(link: number, facts: SyncFacts): void;
  /** The last byte of a plan was handed to the link. */
  syncSent(link: number): void;
  /**
   * Answered by output.barriers once a quorum has answered something that was sent after this call, and all that
   * was proposed before it is committed. Tokens of a role that ended are never answered: the host drops them with
   * the role.
   */
  readBarrier(token: number): void;

  // Learner

  /**
   * The leader's snapshot is durable, the host's own history before it is gone, and its tree is that of the
   * snapshot. Appends may follow from here.
   */
  snapshotInstalled(zxid: Zxid): void;
  /** The host cannot do what the sync asks for (no such zxid to truncate to, a broken stream). */
  syncFailed(why: string): void;

  // Disk

  /** This batch and all before it are on disk. */
  durable(batch: number): void;
  /**
   * Answers output.leaving: nothing is in flight to the disk, and the history ends with this txn. `discarded` says
   * that the host threw its history away: lastZxid is 0 then.
   */
  drained(lastZxid: Zxid, discarded: boolean): void;

  /** What is to be done. The object and everything in it are valid until the next call. */
  takeOutput(): Output;
}
