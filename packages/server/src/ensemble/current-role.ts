// What this member serves: one life of serving, under a leader's or a learner's role, with the database that outlives
// both. A role of the core that has no serving yet, or none any more, has nothing here but the database.

import {
  epochOf,
  makeZxid,
  type PeerMessage,
  type QuorumPacketView,
  type Zxid,
} from '@zebu/protocol';
import type { Zab } from '@zebu/zab';
import type { Database } from '../database.ts';
import type { Member } from '../member.ts';
import { LeaderRole } from '../roles/leader-role.ts';
import { LearnerRole, type TxnArrival } from '../roles/learner-role.ts';
import type { Serving } from '../serving.ts';
import type { EpochStore } from './epoch-store.ts';
import type { LearnerLink } from './learner-link.ts';
import { ReadBarriers } from './read-barriers.ts';
import { TxnHistory } from './txn-history.ts';

export interface CurrentRoleOptions {
  readonly member: Member;
  readonly core: Zab;
  readonly epochs: EpochStore;
  /** A leader serves clients, too. */
  readonly leaderServes: boolean;
  logDurable(zxid: Zxid): void;
  sendToLearner(link: LearnerLink, message: PeerMessage): void;
  sendToLeader(message: PeerMessage): void;
  /** Takes the core's output at the end of the turn. */
  driveSoon(): void;
  /** Whether every learner in sync has answered a PING since this process stood still the last time. */
  hasHeardAllSincePause(): boolean;
  /** Clients are served. */
  served(): void;
}

export class CurrentRole {
  database: Database;
  serving: Serving | undefined;
  history: TxnHistory | undefined;
  leader: LeaderRole | undefined;
  learner: LearnerRole | undefined;
  readonly barriers: ReadBarriers;
  private readonly options: CurrentRoleOptions;
  /** Whose log takes batches: that of the role, and of one that is over until all its batches are durable. */
  private logging: Serving | undefined;
  /** Set from the end of a sync until clients are served. */
  private openAfterZxid: Zxid | undefined;

  constructor(database: Database, options: CurrentRoleOptions) {
    this.database = database;
    this.serving = undefined;
    this.history = undefined;
    this.leader = undefined;
    this.learner = undefined;
    this.barriers = new ReadBarriers();
    this.options = options;
    this.logging = undefined;
    this.openAfterZxid = undefined;
  }

  beginLeading(epoch: number): void {
    if (this.serving !== undefined) return;
    const { options } = this;
    const { member, core } = options;
    member.metrics.resetProposalBytes();
    this.leader = new LeaderRole(member, {
      firstZxid: makeZxid(epoch, 0),
      get nextZxid() {
        return core.nextZxid;
      },
      get hasHeardAllSincePause() {
        return options.hasHeardAllSincePause();
      },
      logDurable: (zxid) => options.logDurable(zxid),
      proposed: (zxid) => {
        core.propose(zxid);
        options.driveSoon();
      },
      readBarrier: (released) => this.readBarrier(released),
      send: (link, message) => options.sendToLearner(link, message),
      applied: () => this.barriers.release(this.serving?.sequence.appliedZxid ?? 0),
    });
    this.serve(member.beginServing(this.database, this.leader));
  }

  beginLearning(epoch: number): void {
    if (this.serving !== undefined) return;
    const { options } = this;
    const { member } = options;
    this.learner = new LearnerRole(member, {
      epochZxid: makeZxid(Math.max(0, epoch), 0),
      send: (message) => options.sendToLeader(message),
      logDurable: (zxid) => options.logDurable(zxid),
      applied: () => this.openIfApplied(),
    });
    this.serve(member.beginServing(this.database, this.learner));
  }

  private serve(serving: Serving): void {
    this.serving = serving;
    this.logging = serving;
    this.history = new TxnHistory(this.database.committedLog, serving.sequence);
  }

  /** Clients are served once everything that is committed by now is applied (ZOOKEEPER-2807). */
  openForClients(): void {
    this.openAfterZxid = this.options.core.committedZxid;
    this.openIfApplied();
  }

  private openIfApplied(): void {
    const { member, core, leaderServes } = this.options;
    const { serving, openAfterZxid } = this;
    if (openAfterZxid === undefined || serving === undefined) return;
    if (serving.sequence.appliedZxid < openAfterZxid) return;
    this.openAfterZxid = undefined;
    this.options.served();
    if (core.role === 'leading' && !leaderServes) member.startRole();
    else member.startServing();
  }

  // ---- A leader's ---------------------------------------------------------------------------

  requested(link: LearnerLink, packet: QuorumPacketView): void {
    this.leader?.requested(link, packet);
  }

  private readBarrier(released: () => void): void {
    const token = this.barriers.add(this.serving?.sequence.appendedZxid ?? 0, released);
    this.options.core.readBarrier(token);
    this.options.driveSoon();
  }

  /** A quorum has answered a sync. */
  barrierAnswered(token: number): void {
    // Those that waited go on as after a batch.
    if (this.barriers.answered(token)) this.serving?.applyReady();
  }

  // ---- A learner's --------------------------------------------------------------------------

  /** Keeps the txn if the core took it: not one that was there before, nor one after a gap. */
  take(zxid: Zxid, bytes: Buffer, start: number, end: number, how: TxnArrival): void {
    if (this.options.core.appendedZxid !== zxid) return;
    if (this.serving === undefined || this.serving.sequence.appendedZxid >= zxid) return;
    this.learner?.take(zxid, bytes, start, end, how);
  }

  synced(): void {
    // Not what the sequence knows: it is told of a commit only once this member's disk has the txn.
    this.learner?.synced(this.options.core.committedZxid);
    this.serving?.applyReady();
  }

  revalidated(sessionId: bigint, isValid: boolean): void {
    this.learner?.revalidated(sessionId, isValid);
    this.serving?.applyReady();
  }

  // ---- Txns ---------------------------------------------------------------------------------

  writeLog(upTo: Zxid): void {
    const { logging } = this;
    if (logging === undefined) return;
    // A txn of an epoch above currentEpoch must find that epoch prepared on disk, should this member crash now.
    this.options.epochs.prepare(epochOf(upTo), () => {
      if (this.logging === logging) logging.writeLog(upTo);
    });
  }

  commit(upTo: Zxid): void {
    const { serving } = this;
    if (serving === undefined) return;
    // What was there when the role began is applied already.
    serving.commit(Math.min(upTo, serving.sequence.appendedZxid));
    serving.applyReady();
  }

  // ---- The end ------------------------------------------------------------------------------

  /** Nothing of the role goes on, but what was handed to the log. */
  end(): void {
    this.openAfterZxid = undefined;
    this.barriers.clear();
    this.leader = undefined;
    this.learner = undefined;
    this.serving = undefined;
    this.history = undefined;
  }

  /** The server failed: its log takes nothing more, nor does what waits for an epoch go there. */
  abandon(): void {
    this.logging = undefined;
  }

  /** Sends the clients away; `done` when what was handed to the log is durable and applied. */
  rest(done: () => void): void {
    this.logging = undefined;
    this.options.member.endServing(done);
  }
}
