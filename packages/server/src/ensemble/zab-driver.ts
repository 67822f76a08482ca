// Drives the ZAB core of one member: what happens in the world goes into it, what it wants is done.
//
//   ticks, links, votes, durable batches ─► Zab ─► takeOutput(), in the order of its fields:
//     closes ─► leaving ─► sends ─► batch ─► commitTo ─► change ─► barriers       (zab/src/output.ts)
//
// Output is taken once for each turn of the loop that brought anything, so that what came together leaves
// together: one write for each link, then one for the log. What the disk completes is dealt with at once.
//
// Must never hand the core's output on in another order, nor apply what is not both durable and committed.

import {
  epochOf,
  formatZxid,
  makeZxid,
  PacketType,
  type PeerMessage,
  packetTypeName,
  type QuorumPacketView,
  type Zxid,
} from '@zebu/protocol';
import {
  acceptPeer,
  type Connection,
  dialPeer,
  type Network,
  type PeerLink,
} from '@zebu/transport';
import {
  type CoreMessage,
  type Leaving,
  type Notification,
  type Output,
  type RoleChange,
  type Send,
  SendKind,
  Zab,
  type ZabConfig,
  type ZabStart,
} from '@zebu/zab';
import { type EnsembleConfig, isObserver, memberOfSid } from '../config/ensemble-config.ts';
import { maxEntryBytes } from '../config/server-config.ts';
import type { Database } from '../database.ts';
import type { Member } from '../member.ts';
import type { EnsembleGauges } from '../metrics/metrics.ts';
import { LeaderRole } from '../roles/leader-role.ts';
import { LearnerRole, type TxnArrival } from '../roles/learner-role.ts';
import type { Serving } from '../serving.ts';
import type { Hold } from '../txns/committed-log.ts';
import type { TxnChunk } from '../txns/txn-chunks.ts';
import { type Batch, DiskBatches } from './disk-batches.ts';
import { EnsembleFigures } from './ensemble-figures.ts';
import type { EpochStore } from './epoch-store.ts';
import { FailedSyncs } from './failed-syncs.ts';
import { LeaderLink, type LeaderLinkOwner } from './leader-link.ts';
import { LearnerLink, type LearnerLinkOwner } from './learner-link.ts';
import { areLogsWorthIt, askLogs } from './log-reach.ts';
import type { SyncIntake } from './sync-intake.ts';
import { SyncSender } from './sync-sender.ts';
import { TxnHistory } from './txn-history.ts';
import { zabLimits } from './zab-limits.ts';

/** One tick of the core's clock. */
export const CORE_TICK_MS = 10;
/** Bytes that may wait on a link beside a sync; a learner that is further behind comes back by a sync. */
const MAX_BACKLOG_BYTES = 256 << 20;
/** Links to the quorum port that have not said whose they are: any more are closed. */
const MAX_UNKNOWN_LEARNERS = 64;
const MAX_AUTHINFO_BYTES = 1 << 20;

/** The votes of other members: the election port. */
export interface Votes {
  send(sid: number, notification: Notification): void;
}

export interface ZabDriverOptions {
  readonly member: Member;
  readonly ensemble: EnsembleConfig;
  readonly network: Network;
  readonly database: Database;
  readonly start: ZabStart;
  readonly epochs: EpochStore;
  readonly intake: SyncIntake;
  readonly configText: string;
  readonly votes: Votes;
}

interface Barrier {
  readonly zxid: Zxid;
  readonly released: () => void;
}

export class ZabDriver implements LearnerLinkOwner, LeaderLinkOwner {
  readonly core: Zab;
  database: Database;
  readonly limits: { readonly maxDataBytes: number; readonly maxAuthinfoBytes: number };
  /** Learners by number of their link: only on a leader. */
  readonly learners: Map<number, LearnerLink>;
  private readonly figures: EnsembleFigures;
  private readonly options: ZabDriverOptions;
  private readonly batches: DiskBatches;
  private leaderLink: LeaderLink | undefined;
  private leaderRole: LeaderRole | undefined;
  private learnerRole: LearnerRole | undefined;
  private serving: Serving | undefined;
  /** Whose log takes batches: that of the role, and of one that is over until all its batches are durable. */
  private logging: Serving | undefined;
  private history: TxnHistory | undefined;
  private readonly syncs: Map<number, SyncSender>;
  /** Learners that were told that they are up to date in the output at hand. */
  private readonly syncsToEnd: number[];
  private readonly barriers: Map<number, Barrier>;
  /** Answered by a quorum; released once this member has applied what came before. */
  private readonly readyBarriers: Barrier[];
  private lastLink: number;
  private lastToken: number;
  private isDriving: boolean;
  private isScheduled: boolean;
  private stopTicks: (() => void) | undefined;
  private tickedMs: number;
  private pausedMs: number;
  private change: RoleChange | undefined;
  /** Calls off the dialling of the leader; undefined from the leader's first message on. */
  private stopDialling: (() => void) | undefined;
  /** What this member said first to the leader that it dials: each further link begins with it again. */
  private introduction: CoreMessage | undefined;
  private readonly touchedLinks: Set<LearnerLink | LeaderLink>;
  private onStopped: (() => void) | undefined;
  /** The server failed: nothing is driven any more. */
  private isAbandoned: boolean;
  /** Set from the end of a sync until clients are served. */
  private openAfterZxid: Zxid | undefined;
  private isTruncating: boolean;
  private afterTruncation: (() => void) | undefined;
  /** The history cannot be cut to the leader's: it is thrown away when the role ends. */
  private mustDiscard: boolean;
  private readonly failedSyncs: FailedSyncs;
  /** After failed syncs: what comes when the pause is over. */
  private pause: { readonly cancel: () => void; readonly next: () => void } | undefined;

  constructor(options: ZabDriverOptions) {
    const { member, ensemble } = options;
    const { config } = member;
    this.options = options;
    this.database = options.database;
    this.limits = {
      maxDataBytes: Math.max(maxEntryBytes(config), 2 * config.juteMaxBufferBytes),
      maxAuthinfoBytes: MAX_AUTHINFO_BYTES,
    };
    const voters = ensemble.members
      .filter(({ role }) => role === 'participant')
      .map(({ sid }) => sid);
    const zabConfig: ZabConfig = {
      sid: ensemble.sid,
      voters,
      observer: isObserver(ensemble),
      configVersion: ensemble.version,
      limits: zabLimits(ensemble, config.tickTimeMs, CORE_TICK_MS),
    };
    this.core = new Zab(zabConfig, options.start, member.environment.random);
    this.batches = new DiskBatches(
      {
        truncate: (zxid, done) => this.truncate(zxid, done),
        writeLog: (upTo) => this.writeLog(upTo),
        writeEpochs: (accepted, current, done) => options.epochs.write(accepted, current, done),
      },
      options.start.lastZxid,
      (number) => {
        this.core.durable(number);
        this.drive();
      },
    );
    this.learners = new Map();
    this.figures = new EnsembleFigures({
      metrics: member.metrics,
      voters,
      readNowMs: () => {
        member.turns.look();
        return member.turns.nowMs;
      },
    });
    this.leaderLink = undefined;
    this.leaderRole = undefined;
    this.learnerRole = undefined;
    this.serving = undefined;
    this.logging = undefined;
    this.history = undefined;
    this.syncs = new Map();
    this.syncsToEnd = [];
    this.barriers = new Map();
    this.readyBarriers = [];
    this.lastLink = 0;
    this.lastToken = 0;
    this.isDriving = false;
    this.isScheduled = false;
    this.stopTicks = undefined;
    this.tickedMs = member.turns.nowMs;
    this.pausedMs = Number.NEGATIVE_INFINITY;
    this.change = undefined;
    this.stopDialling = undefined;
    this.introduction = undefined;
    this.touchedLinks = new Set();
    this.onStopped = undefined;
    this.isAbandoned = false;
    this.openAfterZxid = undefined;
    this.isTruncating = false;
    this.afterTruncation = undefined;
    this.mustDiscard = false;
    this.failedSyncs = new FailedSyncs();
    this.pause = undefined;
  }

  /** What `mntr` shows of it. */
  gauges(): EnsembleGauges {
    const pendingSyncs = this.barriers.size + this.readyBarriers.length;
    return this.figures.gauges(this.learners.values(), pendingSyncs);
  }

  get sid(): number {
    return this.options.ensemble.sid;
  }

  start(): void {
    const { environment, turns } = this.options.member;
    this.tickedMs = turns.nowMs;
    this.stopTicks = environment.scheduler.every(CORE_TICK_MS, this.tick);
    this.drive();
  }

  /** Ends the role and casts no vote any more; `done` when the log is closed, or the server fails. */
  stop(done: () => void): void {
    if (this.isAbandoned) {
      done();
      return;
    }
    this.onStopped = done;
    this.core.stop();
    this.pauseIsOver();
    this.drive();
  }

  /** Nothing is done any more: the server failed. */
  abandon(): void {
    this.stopTicks?.();
    this.stopDialling?.();
    this.pause?.cancel();
    for (const link of this.learners.values()) link.close(new Error('This server failed'));
    this.leaderLink?.close(new Error('This server failed'));
    this.isAbandoned = true;
    this.onStopped?.();
    this.onStopped = undefined;
  }

  // ---- Inputs -------------------------------------------------------------------------------

  private readonly tick = (): void => {
    const { turns, config } = this.options.member;
    turns.look();
    // The core's time stands still with the process: it must not find everybody silent at once.
    if (turns.nowMs - this.tickedMs > config.tickTimeMs) this.pausedMs = turns.nowMs;
    this.tickedMs = turns.nowMs;
    this.core.tick();
    this.drive();
  };

  /** A vote of another member. */
  voted(sid: number, notification: Notification): void {
    this.core.notification(sid, notification);
    this.drive();
  }

  /** Another member's election port refused, or its link was reset. */
  memberUnreachable(sid: number): void {
    this.core.memberUnreachable(sid);
    this.drive();
  }

  /** A learner dials this member's quorum port. */
  accept(connection: Connection): PeerLink {
    let strangers = 0;
    for (const { sid } of this.learners.values()) if (sid === -1) strangers++;
    const link = new LearnerLink(++this.lastLink, this);
    const peer = acceptPeer(connection, link, { maxBacklogBytes: MAX_BACKLOG_BYTES });
    link.attach(peer);
    if (strangers >= MAX_UNKNOWN_LEARNERS) {
      link.close(new Error(`${strangers} links have not said whose they are`));
      return peer;
    }
    this.learners.set(link.number, link);
    this.figures.linkBegan(link);
    this.core.learnerConnected(link.number);
    this.driveSoon();
    return peer;
  }

  begin(): void {
    this.options.member.turns.look();
  }

  end(): void {
    this.driveSoon();
  }

  linkActive(link: LearnerLink | LeaderLink): void {
    this.core.linkActive(link.number);
  }

  linkClosed(link: LearnerLink | LeaderLink, reason: Error | undefined): void {
    const { logger } = this.options.member.environment;
    this.figures.linkEnded(link);
    if (link instanceof LearnerLink) {
      if (!this.learners.delete(link.number)) return;
      logger.info('A learner left', { sid: link.sid, reason: reason?.message ?? 'closed' });
      this.endSync(link.number);
      this.leaderRole?.learnerLeft(link);
    } else {
      if (this.leaderLink !== link) return;
      this.leaderLink = undefined;
      logger.info('The link to the leader ended', { reason: reason?.message ?? 'closed' });
    }
    this.core.linkClosed(link.number);
  }

  received(link: LearnerLink | LeaderLink, message: CoreMessage): void {
    if (link instanceof LearnerLink) {
      if (message.type === PacketType.PING) link.pongMs = this.options.member.turns.nowMs;
    } else if (message.type === PacketType.LEADERINFO) this.leaderAnswered(link);
    this.core.receive(link.number, message);
  }

  // A leader's links.

  acked(link: LearnerLink, zxid: Zxid): void {
    this.figures.acked(link, zxid, this.options.member.turns.nowMs);
    this.core.receiveAck(link.number, zxid);
  }

  requested(link: LearnerLink, packet: QuorumPacketView): void {
    this.leaderRole?.requested(link, packet);
  }

  revalidate(link: LearnerLink, sessionId: bigint, timeoutMs: number): void {
    this.leaderRole?.revalidate(link, sessionId, timeoutMs);
  }

  touched(_link: LearnerLink, touched: Uint8Array): void {
    this.leaderRole?.touched(touched);
  }

  releaseChunk(chunk: TxnChunk): void {
    this.database.chunks.release(chunk);
  }

  // A learner's link.

  linkUp(link: LeaderLink): void {
    if (this.introduction === undefined) {
      this.core.leaderConnected(link.number);
      return;
    }
    link.sendMessage(this.completed(this.introduction));
    this.touchedLinks.add(link);
  }

  /** It is the leader that took the link up: the link's end is the end of the role from now on. */
  private leaderAnswered(link: LeaderLink): void {
    link.onDialFailed = undefined;
    this.stopDialling = undefined;
    this.introduction = undefined;
  }

  proposed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveProposal(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.proposalReceived();
    this.take(zxid, bytes, start, end, isFresh ? 'proposed' : 'synced');
  }

  informed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveInform(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.commitReceived();
    this.take(zxid, bytes, start, end, isFresh ? 'informed' : 'synced');
  }

  /** Keeps the txn if the core took it: not one that was there before, nor one after a gap. */
  private take(zxid: Zxid, bytes: Buffer, start: number, end: number, how: TxnArrival): void {
    if (this.core.appendedZxid !== zxid) return;
    if (this.serving === undefined || this.serving.sequence.appendedZxid >= zxid) return;
    this.learnerRole?.take(zxid, bytes, start, end, how);
  }

  committed(link: LeaderLink, zxid: Zxid): void {
    if (this.core.phase === 'broadcast') this.figures.commitReceived();
    this.core.receiveCommit(link.number, zxid);
  }

  synced(): void {
    // Not what the sequence knows: it is told of a commit only once this member's disk has the txn.
    this.learnerRole?.synced(this.core.committedZxid);
    this.serving?.applyReady();
  }

  revalidated(sessionId: bigint, isValid: boolean): void {
    this.learnerRole?.revalidated(sessionId, isValid);
    this.serving?.applyReady();
  }

  syncBegins(link: LeaderLink, mode: number, zxid: Zxid): boolean {
    const zxidBefore = formatZxid(this.core.durableZxid);
    this.drive();
    if (this.leaderLink !== link) return true;
    if (this.change !== undefined) {
      const by = `${packetTypeName(mode as PacketType)} ${formatZxid(zxid)}`;
      this.say('Being brought up to date', this.change, { zxid: zxidBefore, by });
    }
    if (mode === PacketType.SNAP) {
      this.options.intake.begin(zxid);
      return true;
    }
    if (!this.isTruncating) {
      this.beginLearning();
      return true;
    }
    this.afterTruncation = () => this.continueSync(link);
    return false;
  }

  snapshotBytes(
    link: LeaderLink,
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean } {
    const { intake } = this.options;
    const { used, isDone, isFull } = intake.feed(bytes, start, end);
    if (isFull) {
      link.stop();
      intake.whenReady(() => link.resume());
    }
    if (isDone) {
      link.stop();
      intake.install((database, zxid) => {
        if (this.leaderLink !== link) return;
        this.database = database;
        this.batches.restartAt(zxid);
        this.core.snapshotInstalled(zxid);
        this.continueSync(link);
      });
    }
    return { used, isDone };
  }

  /** The database is what the leader wants it to be: its txns may come. */
  private continueSync(link: LeaderLink): void {
    if (this.leaderLink !== link) return;
    this.options.member.turns.look();
    this.beginLearning();
    link.resume();
    this.driveSoon();
  }

  // ---- Output -------------------------------------------------------------------------------

  /** Takes the core's output at the end of this turn of the loop, with all that came in it. */
  driveSoon(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.options.member.environment.scheduler.afterTurn(this.driveLater);
  }

  private readonly driveLater = (): void => {
    this.isScheduled = false;
    this.options.member.turns.look();
    this.drive();
  };

  private drive(): void {
    if (this.isDriving || this.options.member.failure !== undefined) return;
    this.isDriving = true;
    try {
      for (;;) {
        this.noteCommitted();
        if (!this.core.hasOutput) break;
        this.carryOut(this.core.takeOutput());
      }
      for (const link of this.touchedLinks) link.flush();
      this.touchedLinks.clear();
    } catch (error) {
      this.options.member.fail('ensemble', error as Error);
    } finally {
      this.isDriving = false;
    }
    this.options.member.turns.flush();
  }

  private noteCommitted(): void {
    if (this.serving === undefined) return;
    const { nowMs } = this.options.member.turns;
    this.figures.committed(this.serving.sequence, this.core.committedZxid, nowMs);
  }

  private carryOut(output: Output): void {
    for (const { link, reason } of output.closes) this.closeLink(link, reason.text);
    const { leaving } = output;
    if (leaving !== undefined) this.leaveRole(leaving);
    for (const send of output.sends) this.send(send);
    for (const link of this.syncsToEnd) this.endSync(link);
    this.syncsToEnd.length = 0;
    for (const { sid, notification } of output.votes) {
      this.options.votes.send(sid, { ...notification });
    }
    // Links before the disk: their way is longer.
    for (const link of this.touchedLinks) link.flush();
    if (output.batch > 0) this.batches.add(batchOf(output));
    if (output.commitTo >= 0) this.commit(output.commitTo);
    const { change } = output;
    const barriers = [...output.barriers];
    const planRequests = [...output.planRequests];
    if (change !== undefined) this.roleChanged({ ...change });
    for (const token of barriers) this.releaseBarrier(token);
    for (const { link, learnerZxid } of planRequests) this.answerPlanRequest(link, learnerZxid);
  }

  private closeLink(number: number, reason: string): void {
    const { logger } = this.options.member.environment;
    const learner = this.learners.get(number);
    if (learner !== undefined) {
      this.learners.delete(number);
      this.endSync(number);
      this.leaderRole?.learnerLeft(learner);
      this.touchedLinks.delete(learner);
      logger.info('Closing a link to a learner', { sid: learner.sid, reason });
      learner.close();
      return;
    }
    const { leaderLink } = this;
    if (leaderLink?.number !== number) return;
    this.leaderLink = undefined;
    this.touchedLinks.delete(leaderLink);
    logger.info('Closing the link to the leader', { reason });
    leaderLink.close();
  }

  private send(send: Send): void {
    const learner = this.learners.get(send.link);
    if (learner !== undefined) {
      this.touchedLinks.add(learner);
      this.sendToLearner(learner, send);
      return;
    }
    const { leaderLink, history } = this;
    if (leaderLink?.number !== send.link) return;
    this.touchedLinks.add(leaderLink);
    if (send.kind === SendKind.ACKS) {
      if (history !== undefined) leaderLink.sendAcks(history, send.after, send.upTo);
    } else if (send.message !== undefined) {
      if (this.stopDialling !== undefined) this.introduction = { ...send.message };
      leaderLink.sendMessage(this.completed(send.message));
    }
  }

  private sendToLearner(learner: LearnerLink, send: Send): void {
    const { history } = this;
    const { after, upTo } = send;
    switch (send.kind) {
      case SendKind.MESSAGE:
        if (send.message === undefined) return;
        learner.sendMessage(this.completed(send.message));
        // What was held for it follows in this output.
        if (send.message.type === PacketType.UPTODATE) {
          learner.isSynced = true;
          this.syncsToEnd.push(learner.number);
        }
        return;
      case SendKind.SYNC:
        if (history !== undefined && send.plan !== undefined && this.serving !== undefined) {
          const sender = new SyncSender({
            member: this.options.member,
            serving: this.serving,
            history,
            link: learner,
            plan: { ...send.plan },
            onSent: () => {
              this.core.syncSent(learner.number);
              this.touchedLinks.add(learner);
              this.driveSoon();
            },
            onActive: () => this.core.linkActive(learner.number),
            onFailed: (error) => learner.close(error),
          });
          this.endSync(learner.number);
          this.syncs.set(learner.number, sender);
          this.figures.syncBegan(sender.isSnapshot, this.syncs.values());
          sender.start();
        }
        return;
      default:
        if (history === undefined) return;
        if (send.kind === SendKind.PROPOSALS) {
          learner.timeAck(upTo, this.options.member.turns.nowMs);
          learner.sendProposals(history, after, upTo);
        } else if (send.kind === SendKind.COMMITS) learner.sendCommits(history, after, upTo);
        else learner.sendInforms(history, after, upTo);
    }
  }

  /** Fills in what the core does not know. */
  private completed(message: CoreMessage): PeerMessage {
    switch (message.type) {
      case PacketType.NEWLEADER:
        return { ...message, type: message.type, configText: this.options.configText };
      case PacketType.PING: {
        const touched = this.learnerRole === undefined ? null : this.learnerRole.touches.take();
        return { type: message.type, zxid: message.zxid, touched };
      }
      default:
        return { ...message } as PeerMessage;
    }
  }

  private endSync(link: number): void {
    const sender = this.syncs.get(link);
    if (sender === undefined) return;
    sender.end();
    this.syncs.delete(link);
    this.figures.syncEnded(sender.isSnapshot, this.syncs.values());
  }

  private answerPlanRequest(link: number, learnerZxid: Zxid): void {
    const { serving, history, database } = this;
    const { member, ensemble } = this.options;
    if (serving === undefined || history === undefined) return;
    const facts = () => {
      const { minZxid } = database.committedLog;
      return {
        appliedZxid: serving.tree.lastProcessedZxid,
        minCommittedZxid: minZxid >= 0 ? minZxid : (serving.sequence.first()?.zxid ?? -1),
        logAfterZxid: -1,
        ...history.neighbours(learnerZxid),
        forceSnapshot: ensemble.forceSnapshotSync,
      };
    };
    const now = facts();
    const { directory } = member;
    const { minZxid } = database.committedLog;
    if (
      learnerZxid < 0 ||
      learnerZxid >= now.minCommittedZxid ||
      ensemble.forceSnapshotSync ||
      directory === undefined ||
      minZxid < 0 ||
      !areLogsWorthIt(member.environment.disk, directory, learnerZxid, ensemble.snapshotSizeFactor)
    ) {
      this.core.syncFacts(link, now);
      return;
    }
    // What is in memory now is still there when the logs have been sent.
    const hold: Hold = { afterZxid: minZxid - 1, overflowed: () => {} };
    database.committedLog.hold(hold);
    askLogs(member, directory, { fromZxid: learnerZxid, toZxid: minZxid }, (reach) => {
      if (this.serving === serving) {
        this.core.syncFacts(link, { ...facts(), ...reach });
        this.drive();
      }
      database.committedLog.release(hold);
    });
  }

  // ---- Disk ---------------------------------------------------------------------------------

  private writeLog(upTo: Zxid): void {
    const { logging } = this;
    if (logging === undefined) return;
    // A txn of an epoch above currentEpoch must find that epoch prepared on disk, should this member crash now.
    this.options.epochs.prepare(epochOf(upTo), () => {
      if (this.logging === logging) logging.writeLog(upTo);
    });
  }

  private truncate(zxid: Zxid, done: () => void): void {
    this.isTruncating = true;
    this.options.intake.truncate(zxid, (database) => {
      this.isTruncating = false;
      if (database === undefined) {
        this.mustDiscard = true;
        this.afterTruncation = undefined;
        this.core.syncFailed(`The log cannot be cut to ${formatZxid(zxid)}`);
        this.drive();
        return;
      }
      this.database = database;
      done();
      const { afterTruncation } = this;
      this.afterTruncation = undefined;
      afterTruncation?.();
    });
  }

  private commit(upTo: Zxid): void {
    const { serving } = this;
    if (serving === undefined) return;
    // What was there when the role began is applied already.
    serving.commit(Math.min(upTo, serving.sequence.appendedZxid));
    serving.applyReady();
  }

  // ---- Barriers -----------------------------------------------------------------------------

  private readBarrier(released: () => void): void {
    const token = ++this.lastToken;
    this.barriers.set(token, { zxid: this.serving?.sequence.appendedZxid ?? 0, released });
    this.core.readBarrier(token);
    this.driveSoon();
  }

  private releaseBarrier(token: number): void {
    const barrier = this.barriers.get(token);
    if (barrier === undefined) return;
    this.barriers.delete(token);
    this.readyBarriers.push(barrier);
    // Those that waited go on as after a batch.
    this.serving?.applyReady();
  }

  /** In order: a sync is answered after what was proposed before it was applied here. */
  private releaseReadyBarriers(): void {
    const applied = this.serving?.sequence.appliedZxid ?? 0;
    for (;;) {
      const [barrier] = this.readyBarriers;
      if (barrier === undefined || barrier.zxid > applied) return;
      this.readyBarriers.shift();
      barrier.released();
    }
  }

  // ---- Roles --------------------------------------------------------------------------------

  private roleChanged(change: RoleChange): void {
    const before = this.change;
    this.change = change;
    this.figures.roleChanged(change);
    const { role, phase } = change;
    // Not that its epoch is known; nor that a learner will be brought up to date, before its leader says how.
    const isNew = role !== before?.role || phase !== before.phase;
    const isSaidLater = phase === 'synchronization' && role !== 'leading';
    if (isNew && !isSaidLater) this.say(describe(change), change, { reason: change.reason.text });
    if (role === 'leading') {
      // A small ensemble may be established in one step.
      const isCertain = phase === 'synchronization' || phase === 'broadcast';
      if (isCertain && this.serving === undefined) this.beginLeading(change.epoch);
      if (phase === 'broadcast') this.openForClients();
    } else if (role !== 'looking') {
      if (phase === 'discovery' && (before?.role === 'looking' || before === undefined)) {
        this.dialLeader(change.leaderSid, ++this.lastLink, 0);
      }
      if (phase === 'broadcast') this.openForClients();
    } else if (phase === 'stopped') {
      this.stopTicks?.();
      this.onStopped?.();
      this.onStopped = undefined;
    }
  }

  private say(
    message: string,
    { epoch, leaderSid }: RoleChange,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    this.options.member.environment.logger.info(message, {
      epoch: epoch < 0 ? undefined : epoch,
      leader: leaderSid < 0 ? undefined : leaderSid,
      zxid: formatZxid(this.core.durableZxid),
      ...fields,
    });
  }

  private beginLeading(epoch: number): void {
    const { member } = this.options;
    const driver = this;
    member.metrics.resetProposalBytes();
    const role = new LeaderRole(member, {
      firstZxid: makeZxid(epoch, 0),
      get nextZxid() {
        return driver.core.nextZxid;
      },
      get hasHeardAllSincePause() {
        return driver.hasHeardAllSincePause;
      },
      logDurable: (zxid) => this.batches.logDurable(zxid),
      proposed: (zxid) => {
        this.core.propose(zxid);
        this.driveSoon();
      },
      readBarrier: (released) => this.readBarrier(released),
      send: (link, message) => {
        link.sendMessage(message);
        this.touchedLinks.add(link);
        this.driveSoon();
      },
      applied: () => this.releaseReadyBarriers(),
    });
    this.leaderRole = role;
    this.serve(member.beginServing(this.database, role));
  }

  private beginLearning(): void {
    const { member } = this.options;
    if (this.serving !== undefined) return;
    const driver = this;
    const role = new LearnerRole(member, {
      get epochZxid() {
        return makeZxid(Math.max(0, driver.change?.epoch ?? 0), 0);
      },
      send: (message) => {
        const { leaderLink } = this;
        if (leaderLink === undefined) return;
        leaderLink.sendMessage(message);
        this.touchedLinks.add(leaderLink);
        this.driveSoon();
      },
      logDurable: (zxid) => this.batches.logDurable(zxid),
      applied: () => this.openIfApplied(),
    });
    this.learnerRole = role;
    this.serve(member.beginServing(this.database, role));
  }

  private serve(serving: Serving): void {
    this.serving = serving;
    this.logging = serving;
    this.history = new TxnHistory(this.database.committedLog, serving.sequence);
  }

  /** Clients are served once everything that is committed by now is applied (ZOOKEEPER-2807). */
  private openForClients(): void {
    this.openAfterZxid = this.core.committedZxid;
    this.openIfApplied();
  }

  private openIfApplied(): void {
    const { member, ensemble } = this.options;
    const { serving, openAfterZxid } = this;
    if (openAfterZxid === undefined || serving === undefined) return;
    if (serving.sequence.appliedZxid < openAfterZxid) return;
    this.openAfterZxid = undefined;
    this.failedSyncs.reset();
    if (this.core.role === 'leading' && !ensemble.leaderServes) member.startRole();
    else member.startServing();
  }

  /** Whether every learner in sync has answered a PING since this process stood still the last time. */
  private get hasHeardAllSincePause(): boolean {
    for (const { pongMs } of this.learners.values()) if (pongMs < this.pausedMs) return false;
    return true;
  }

  // ---- The way to the leader ----------------------------------------------------------------

  /**
   * To the core every try is the same link, until the leader has answered on it: whatever stands in front of a leader
   * may take a connection and end it while the leader does not listen yet.
   */
  private dialLeader(sid: number, number: number, failures: number): void {
    const { member, ensemble, network } = this.options;
    const { environment } = member;
    const [address] = memberOfSid(ensemble, sid)?.addresses ?? [];
    if (address === undefined) {
      this.core.leaderUnreachable();
      this.driveSoon();
      return;
    }
    const link = new LeaderLink(number, this);
    this.leaderLink = link;
    this.figures.linkBegan(link);
    link.onDialFailed = (): void => {
      this.leaderLink = undefined;
      this.touchedLinks.delete(link);
      this.figures.linkEnded(link);
      const next = failures + 1;
      if (next >= LEADER_TRIES) {
        this.giveUpDialling(number);
        return;
      }
      // A leader of this kind listens as soon as it is elected: the first tries follow each other quickly.
      const delayMs = Math.min(QUICK_RETRY_MS * 2 ** failures, ensemble.leaderConnectRetryMs);
      this.stopDialling = environment.scheduler.after(delayMs, () =>
        this.dialLeader(sid, number, next),
      );
    };
    this.stopDialling = () => {
      link.onDialFailed = undefined;
      link.close();
    };
    const peer = dialPeer(
      network,
      {
        host: address.host,
        port: address.quorumPort,
        connectTimeoutMs: ensemble.cnxTimeoutMs,
        keepAlive: ensemble.keepAlive,
      },
      link,
      { maxBacklogBytes: MAX_BACKLOG_BYTES },
    );
    link.attach(peer);
  }

  private giveUpDialling(number: number): void {
    this.stopDialling = undefined;
    // Whether the link was ever up is the core's reason.
    if (this.introduction === undefined) this.core.leaderUnreachable();
    else this.core.linkClosed(number);
    this.driveSoon();
  }

  // ---- The end of a role --------------------------------------------------------------------

  /**
   * Nothing of this role goes on: clients are sent away, what was handed to the log becomes durable, and only then
   * the member votes again, with what its disk holds (ZOOKEEPER-4541, 4712).
   */
  private leaveRole({ reason, discardTree }: Leaving): void {
    const { member, intake } = this.options;
    const pauseMs = this.pauseAfterRole(reason.text);
    this.stopDialling?.();
    this.stopDialling = undefined;
    this.introduction = undefined;
    for (const link of [...this.syncs.keys()]) this.endSync(link);
    this.openAfterZxid = undefined;
    this.barriers.clear();
    this.readyBarriers.length = 0;
    this.leaderRole = undefined;
    this.learnerRole = undefined;
    this.serving = undefined;
    this.history = undefined;
    intake.abort();
    // Not when the log is drained: that takes as long as the disk stands still.
    member.leaveServing();
    const { mustDiscard } = this;
    this.mustDiscard = false;
    const drained = (): void => {
      this.afterPause(pauseMs, () => {
        this.core.drained(mustDiscard ? 0 : this.core.durableZxid, mustDiscard);
        this.driveSoon();
      });
    };
    const rested = (): void => {
      intake.whenAtRest((replacedAt) => {
        // It counts as installed although the role that asked for it is over.
        if (replacedAt !== undefined) {
          this.batches.restartAt(replacedAt);
          this.core.historyReplaced(replacedAt);
        }
        settle(replacedAt !== undefined);
      });
    };
    const settle = (isReplaced: boolean): void => {
      if (mustDiscard) {
        this.batches.dropAll(0);
        intake.discard((database) => {
          this.database = database;
          drained();
        });
      } else if (discardTree || isReplaced) {
        intake.reload((database) => {
          this.database = database;
          drained();
        });
      } else drained();
    };
    const end = (): void => {
      this.logging = undefined;
      member.endServing(rested);
    };
    if (mustDiscard) end();
    else this.batches.whenIdle(end);
  }

  /** How long this member casts no vote after the role that ends: not at all, but for failed syncs in a row. */
  private pauseAfterRole(reason: string): number {
    const { change, failedSyncs } = this;
    const wasLearner = change?.role === 'following' || change?.role === 'observing';
    if (!wasLearner || change.phase === 'broadcast' || this.onStopped !== undefined) return 0;
    const pauseMs = failedSyncs.add();
    if (pauseMs > 0) {
      this.options.member.environment.logger.warn('Not brought up to date again; waiting', {
        leader: change.leaderSid,
        failures: failedSyncs.count,
        pauseMs,
        reason,
      });
    }
    return pauseMs;
  }

  private afterPause(pauseMs: number, next: () => void): void {
    if (pauseMs === 0 || this.onStopped !== undefined) {
      next();
      return;
    }
    const { scheduler } = this.options.member.environment;
    this.pause = { cancel: scheduler.after(pauseMs, () => this.pauseIsOver()), next };
  }

  private pauseIsOver(): void {
    const { pause } = this;
    this.pause = undefined;
    pause?.cancel();
    pause?.next();
  }
}

/** Tries to reach a leader before this member looks for another one (Learner.connectToLeader). */
const LEADER_TRIES = 8;
const QUICK_RETRY_MS = 10;

function batchOf(output: Output): Batch {
  return {
    number: output.batch,
    truncateAfter: output.truncateAfter,
    appendTo: output.appendTo,
    acceptedEpoch: output.acceptedEpoch,
    currentEpoch: output.currentEpoch,
  };
}

function describe({ role, phase }: RoleChange): string {
  switch (phase) {
    case 'election':
      return 'Looking for a leader';
    case 'draining':
      return 'Leaving the role';
    case 'stopped':
      return 'Left the ensemble';
    case 'discovery':
      return role === 'leading' ? 'Elected leader' : 'Found a leader';
    case 'synchronization':
      return 'Bringing learners up to date';
    default:
      return role === 'leading' ? 'Leading' : role === 'observing' ? 'Observing' : 'Following';
  }
}
