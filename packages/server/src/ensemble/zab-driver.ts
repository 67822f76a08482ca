// Drives the ZAB core of one member: what happens in the world goes into it, what it wants is done.
//
//   ticks, links, votes, durable batches ─► Zab ─► takeOutput(), in the order of its fields:
//     closes ─► leaving ─► sends ─► batch ─► commitTo ─► change ─► barriers       (zab/src/output.ts)
//
// Output is taken once for each turn of the loop that brought anything, so that what came together leaves
// together: one write for each link, then one for the log. What the disk completes is dealt with at once.
//
// Must never hand the core's output on in another order, nor apply what is not both durable and committed.

import { PacketType, type PeerMessage, type QuorumPacketView, type Zxid } from '@zebu/protocol';
import { acceptPeer, type Connection, type Network, type PeerLink } from '@zebu/transport';
import {
  type CoreMessage,
  type Leaving,
  type Notification,
  type Output,
  type RoleChange,
  type Send,
  SendKind,
  Zab,
  type ZabStart,
} from '@zebu/zab';
import { type EnsembleConfig, isObserver } from '../config/ensemble-config.ts';
import { maxEntryBytes } from '../config/server-config.ts';
import type { Database } from '../database.ts';
import type { Member } from '../member.ts';
import type { EnsembleGauges } from '../metrics/metrics.ts';
import type { TxnChunk } from '../txns/txn-chunks.ts';
import { CurrentRole } from './current-role.ts';
import { type Batch, DiskBatches } from './disk-batches.ts';
import { EnsembleFigures } from './ensemble-figures.ts';
import type { EpochStore } from './epoch-store.ts';
import type { LeaderLink, LeaderLinkOwner } from './leader-link.ts';
import { LearnerFeed } from './learner-feed.ts';
import { LearnerLink, type LearnerLinkOwner } from './learner-link.ts';
import { OwnHistory } from './own-history.ts';
import { logRoleChange, logSyncBegins } from './role-lines.ts';
import { RolePause } from './role-pause.ts';
import type { SyncIntake } from './sync-intake.ts';
import { WayToLeader } from './way-to-leader.ts';
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

export class ZabDriver implements LearnerLinkOwner, LeaderLinkOwner {
  readonly core: Zab;
  readonly limits: { readonly maxDataBytes: number; readonly maxAuthinfoBytes: number };
  private readonly options: ZabDriverOptions;
  private readonly figures: EnsembleFigures;
  /** Learners by number of their link: only on a leader. */
  private readonly learners: Map<number, LearnerLink>;
  /** Links that hold something to send. */
  private readonly touchedLinks: Set<LearnerLink | LeaderLink>;
  private readonly pause: RolePause;
  private readonly role: CurrentRole;
  private readonly feed: LearnerFeed;
  private readonly way: WayToLeader;
  private readonly batches: DiskBatches;
  private readonly history: OwnHistory;
  private change: RoleChange | undefined;
  private lastLink: number;
  private isDriving: boolean;
  private isScheduled: boolean;
  private stopTicks: (() => void) | undefined;
  private tickedMs: number;
  private pausedMs: number;
  private onStopped: (() => void) | undefined;
  /** The server failed: nothing is driven any more. */
  private isAbandoned: boolean;

  constructor(options: ZabDriverOptions) {
    const { member, ensemble } = options;
    const { config, environment } = member;
    this.options = options;
    this.limits = {
      maxDataBytes: Math.max(maxEntryBytes(config), 2 * config.juteMaxBufferBytes),
      maxAuthinfoBytes: MAX_AUTHINFO_BYTES,
    };
    const voters = ensemble.members
      .filter(({ role }) => role === 'participant')
      .map(({ sid }) => sid);
    this.core = new Zab(
      {
        sid: ensemble.sid,
        voters,
        observer: isObserver(ensemble),
        configVersion: ensemble.version,
        limits: zabLimits(ensemble, config.tickTimeMs, CORE_TICK_MS),
      },
      options.start,
      environment.random,
    );
    this.figures = new EnsembleFigures({
      metrics: member.metrics,
      voters,
      readNowMs: () => {
        member.turns.look();
        return member.turns.nowMs;
      },
    });
    this.learners = new Map();
    this.touchedLinks = new Set();
    this.pause = new RolePause(environment.scheduler, environment.logger);
    this.role = this.makeRole();
    this.feed = this.makeFeed();
    this.way = this.makeWay();
    this.batches = this.makeBatches();
    this.history = this.makeHistory();
    this.change = undefined;
    this.lastLink = 0;
    this.isDriving = false;
    this.isScheduled = false;
    this.stopTicks = undefined;
    this.tickedMs = member.turns.nowMs;
    this.pausedMs = Number.NEGATIVE_INFINITY;
    this.onStopped = undefined;
    this.isAbandoned = false;
  }

  private makeRole(): CurrentRole {
    const { member, epochs, ensemble, database } = this.options;
    return new CurrentRole(database, {
      member,
      core: this.core,
      epochs,
      leaderServes: ensemble.leaderServes,
      logDurable: (zxid) => this.batches.logDurable(zxid),
      sendToLearner: (link, message) => this.sendSoon(link, message),
      sendToLeader: (message) => {
        const { link } = this.way;
        if (link !== undefined) this.sendSoon(link, message);
      },
      driveSoon: () => this.driveSoon(),
      hasHeardAllSincePause: () => {
        for (const { pongMs } of this.learners.values()) if (pongMs < this.pausedMs) return false;
        return true;
      },
      served: () => this.pause.served(),
    });
  }

  private makeFeed(): LearnerFeed {
    const { member, ensemble } = this.options;
    return new LearnerFeed({
      member,
      ensemble,
      core: this.core,
      figures: this.figures,
      role: this.role,
      completed: (message) => this.completed(message),
      onSent: (learner) => {
        this.touchedLinks.add(learner);
        this.driveSoon();
      },
      drive: () => this.drive(),
    });
  }

  private makeWay(): WayToLeader {
    const { member, ensemble, network } = this.options;
    return new WayToLeader({
      owner: this,
      ensemble,
      network,
      scheduler: member.environment.scheduler,
      maxBacklogBytes: MAX_BACKLOG_BYTES,
      tryBegan: (link) => this.figures.linkBegan(link),
      tryFailed: (link) => {
        this.touchedLinks.delete(link);
        this.figures.linkEnded(link);
      },
      // Whether the link was ever up is the core's reason.
      onGivenUp: (number, wasUp) => {
        if (wasUp) this.core.linkClosed(number);
        else this.core.leaderUnreachable();
        this.driveSoon();
      },
    });
  }

  private makeBatches(): DiskBatches {
    const { epochs, start } = this.options;
    return new DiskBatches(
      {
        truncate: (zxid, done) => this.history.truncate(zxid, done),
        writeLog: (upTo) => this.role.writeLog(upTo),
        writeEpochs: (accepted, current, done) => epochs.write(accepted, current, done),
      },
      start.lastZxid,
      (number) => {
        this.core.durable(number);
        this.drive();
      },
    );
  }

  private makeHistory(): OwnHistory {
    const { intake, member } = this.options;
    return new OwnHistory({
      core: this.core,
      intake,
      role: this.role,
      batches: this.batches,
      isLinkOfLeader: (link) => this.way.link === link,
      beginLearning: () => this.role.beginLearning(this.change?.epoch ?? -1),
      readClock: () => member.turns.look(),
      drive: () => this.drive(),
      driveSoon: () => this.driveSoon(),
    });
  }

  /** What `mntr` shows of it. */
  gauges(): EnsembleGauges {
    return this.figures.gauges(this.learners.values(), this.role.barriers.size);
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
    this.pause.end();
    this.drive();
  }

  /** Nothing is done any more: the server failed. */
  abandon(): void {
    this.stopTicks?.();
    this.way.stop();
    this.pause.cancel();
    for (const link of this.learners.values()) link.close(new Error('This server failed'));
    this.way.link?.close(new Error('This server failed'));
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
      this.feed.endSync(link.number);
      this.role.leader?.learnerLeft(link);
    } else {
      if (this.way.link !== link) return;
      this.way.link = undefined;
      logger.info('The link to the leader ended', { reason: reason?.message ?? 'closed' });
    }
    this.core.linkClosed(link.number);
  }

  received(link: LearnerLink | LeaderLink, message: CoreMessage): void {
    if (link instanceof LearnerLink) {
      if (message.type === PacketType.PING) link.pongMs = this.options.member.turns.nowMs;
    } else if (message.type === PacketType.LEADERINFO) this.way.answered(link);
    this.core.receive(link.number, message);
  }

  // A leader's links.

  acked(link: LearnerLink, zxid: Zxid): void {
    this.figures.acked(link, zxid, this.options.member.turns.nowMs);
    this.core.receiveAck(link.number, zxid);
  }

  requested(link: LearnerLink, packet: QuorumPacketView): void {
    this.role.requested(link, packet);
  }

  revalidate(link: LearnerLink, sessionId: bigint, timeoutMs: number): void {
    this.role.leader?.revalidate(link, sessionId, timeoutMs);
  }

  touched(_link: LearnerLink, touched: Uint8Array): void {
    this.role.leader?.touched(touched);
  }

  releaseChunk(chunk: TxnChunk): void {
    this.role.database.chunks.release(chunk);
  }

  // A learner's link.

  linkUp(link: LeaderLink): void {
    const { firstMessage } = this.way;
    if (firstMessage === undefined) {
      this.core.leaderConnected(link.number);
      return;
    }
    link.sendMessage(this.completed(firstMessage));
    this.touchedLinks.add(link);
  }

  proposed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveProposal(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.proposalReceived();
    this.role.take(zxid, bytes, start, end, isFresh ? 'proposed' : 'synced');
  }

  informed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    this.core.receiveInform(link.number, zxid);
    const isFresh = this.core.phase === 'broadcast';
    if (isFresh) this.figures.commitReceived();
    this.role.take(zxid, bytes, start, end, isFresh ? 'informed' : 'synced');
  }

  committed(link: LeaderLink, zxid: Zxid): void {
    if (this.core.phase === 'broadcast') this.figures.commitReceived();
    this.core.receiveCommit(link.number, zxid);
  }

  synced(): void {
    this.role.synced();
  }

  revalidated(sessionId: bigint, isValid: boolean): void {
    this.role.revalidated(sessionId, isValid);
  }

  syncBegins(link: LeaderLink, mode: number, zxid: Zxid): boolean {
    const { durableZxid } = this.core;
    this.drive();
    if (this.way.link !== link) return true;
    if (this.change !== undefined) {
      const { logger } = this.options.member.environment;
      logSyncBegins(logger, this.change, durableZxid, { type: mode, zxid });
    }
    return this.history.syncBegins(link, mode, zxid);
  }

  snapshotBytes(
    link: LeaderLink,
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean } {
    return this.history.snapshotBytes(link, bytes, start, end);
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
    const { serving } = this.role;
    if (serving === undefined) return;
    const { nowMs } = this.options.member.turns;
    this.figures.committed(serving.sequence, this.core.committedZxid, nowMs);
  }

  private carryOut(output: Output): void {
    for (const { link, reason } of output.closes) this.closeLink(link, reason.text);
    const { leaving } = output;
    if (leaving !== undefined) this.leaveRole(leaving);
    for (const send of output.sends) this.send(send);
    this.feed.sent();
    for (const { sid, notification } of output.votes) {
      this.options.votes.send(sid, { ...notification });
    }
    // Links before the disk: their way is longer.
    for (const link of this.touchedLinks) link.flush();
    if (output.batch > 0) this.batches.add(batchOf(output));
    if (output.commitTo >= 0) this.role.commit(output.commitTo);
    const { change } = output;
    const barriers = [...output.barriers];
    const planRequests = [...output.planRequests];
    if (change !== undefined) this.roleChanged({ ...change });
    for (const token of barriers) this.role.barrierAnswered(token);
    for (const { link, learnerZxid } of planRequests) {
      this.feed.answerPlanRequest(link, learnerZxid);
    }
  }

  private closeLink(number: number, reason: string): void {
    const { logger } = this.options.member.environment;
    const learner = this.learners.get(number);
    if (learner !== undefined) {
      this.learners.delete(number);
      this.feed.endSync(number);
      this.role.leader?.learnerLeft(learner);
      this.touchedLinks.delete(learner);
      logger.info('Closing a link to a learner', { sid: learner.sid, reason });
      learner.close();
      return;
    }
    const { link } = this.way;
    if (link?.number !== number) return;
    this.way.link = undefined;
    this.touchedLinks.delete(link);
    logger.info('Closing the link to the leader', { reason });
    link.close();
  }

  private send(send: Send): void {
    const learner = this.learners.get(send.link);
    if (learner !== undefined) {
      this.touchedLinks.add(learner);
      this.feed.send(learner, send);
      return;
    }
    const { link } = this.way;
    if (link?.number !== send.link) return;
    this.touchedLinks.add(link);
    if (send.kind === SendKind.ACKS) {
      const { history } = this.role;
      if (history !== undefined) link.sendAcks(history, send.after, send.upTo);
    } else if (send.message !== undefined) {
      this.way.sending(send.message);
      link.sendMessage(this.completed(send.message));
    }
  }

  /** A message of a role: it leaves at the end of the turn. */
  private sendSoon(link: LearnerLink | LeaderLink, message: PeerMessage): void {
    link.sendMessage(message);
    this.touchedLinks.add(link);
    this.driveSoon();
  }

  /** Fills in what the core does not know. */
  private completed(message: CoreMessage): PeerMessage {
    switch (message.type) {
      case PacketType.NEWLEADER:
        return { ...message, type: message.type, configText: this.options.configText };
      case PacketType.PING: {
        const touched = this.role.learner?.touches.take() ?? null;
        return { type: message.type, zxid: message.zxid, touched };
      }
      default:
        return { ...message } as PeerMessage;
    }
  }

  // ---- Roles --------------------------------------------------------------------------------

  private roleChanged(change: RoleChange): void {
    const before = this.change;
    this.change = change;
    this.figures.roleChanged(change);
    logRoleChange(this.options.member.environment.logger, before, change, this.core.durableZxid);
    const { role, phase } = change;
    if (role === 'leading') {
      // A small ensemble may be established in one step.
      const isCertain = phase === 'synchronization' || phase === 'broadcast';
      if (isCertain) this.role.beginLeading(change.epoch);
      if (phase === 'broadcast') this.role.openForClients();
    } else if (role !== 'looking') {
      if (phase === 'discovery' && (before?.role === 'looking' || before === undefined)) {
        this.way.dial(change.leaderSid, ++this.lastLink);
      }
      if (phase === 'broadcast') this.role.openForClients();
    } else if (phase === 'stopped') {
      this.stopTicks?.();
      this.onStopped?.();
      this.onStopped = undefined;
    }
  }

  // ---- The end of a role --------------------------------------------------------------------

  /**
   * Nothing of this role goes on: clients are sent away, what was handed to the log becomes durable, and only then
   * the member votes again, with what its disk holds (ZOOKEEPER-4541, 4712).
   */
  private leaveRole({ reason, discardTree }: Leaving): void {
    const pauseMs =
      this.onStopped === undefined ? this.pause.lengthAfter(this.change, reason.text) : 0;
    this.way.stop();
    this.feed.endAllSyncs();
    this.role.end();
    this.history.abort();
    // Not when the log is drained: that takes as long as the disk stands still.
    this.options.member.leaveServing();
    this.history.rest(discardTree, (isDiscarded) => {
      this.pause.begin(this.onStopped === undefined ? pauseMs : 0, () => {
        this.core.drained(isDiscarded ? 0 : this.core.durableZxid, isDiscarded);
        this.driveSoon();
      });
    });
  }
}

function batchOf(output: Output): Batch {
  return {
    number: output.batch,
    truncateAfter: output.truncateAfter,
    appendTo: output.appendTo,
    acceptedEpoch: output.acceptedEpoch,
    currentEpoch: output.currentEpoch,
  };
}
