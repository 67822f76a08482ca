// Drives the ZAB core of one member: what happens in the world goes into it, what it wants is done.
//
//   ticks, links, votes, durable batches ─► Zab ─► takeOutput(), in the order of its fields:
//     closes ─► leaving ─► sends ─► batch ─► commitTo ─► change ─► barriers       (zab/src/output.ts)
//
// Output is taken once for each turn of the loop that brought anything, so that what came together leaves
// together: one write for each link, then one for the log. What the disk completes is dealt with at once.
//
// The parts around it: the links (peer-links.ts), what is served (current-role.ts), what learners get (learner-feed.ts),
// what becomes of this member's history (own-history.ts), its batches for the disk (disk-batches.ts).
//
// Must never hand the core's output on in another order, nor apply what is not both durable and committed.

import type { Connection, Network, PeerLink } from '@zebu/transport';
import {
  type Leaving,
  type Notification,
  type Output,
  type RoleChange,
  Zab,
  type ZabStart,
} from '@zebu/zab';
import { type EnsembleConfig, isObserver } from '../config/ensemble-config.ts';
import type { Database } from '../database.ts';
import type { Member } from '../member.ts';
import type { EnsembleGauges } from '../metrics/metrics.ts';
import { CurrentRole } from './current-role.ts';
import { type Batch, DiskBatches } from './disk-batches.ts';
import { EnsembleFigures } from './ensemble-figures.ts';
import type { EpochStore } from './epoch-store.ts';
import { HandOver } from './hand-over.ts';
import { LearnerFeed } from './learner-feed.ts';
import { OwnHistory } from './own-history.ts';
import { type LinkTargets, PeerLinks } from './peer-links.ts';
import { logRoleChange } from './role-lines.ts';
import { RolePause } from './role-pause.ts';
import type { SyncIntake } from './sync-intake.ts';
import { zabLimits } from './zab-limits.ts';

/** One tick of the core's clock. */
export const CORE_TICK_MS = 10;
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

export class ZabDriver {
  readonly core: Zab;
  private readonly options: ZabDriverOptions;
  private readonly figures: EnsembleFigures;
  private readonly links: PeerLinks;
  private readonly pause: RolePause;
  private readonly role: CurrentRole;
  private readonly feed: LearnerFeed;
  private readonly batches: DiskBatches;
  private readonly history: OwnHistory;
  private readonly targets: LinkTargets;
  private readonly handOver: HandOver;
  private change: RoleChange | undefined;
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
        member.turns.readClock();
        return member.turns.nowMs;
      },
    });
    this.links = this.makeLinks();
    this.pause = new RolePause(environment.scheduler, environment.logger);
    this.role = this.makeRole();
    this.feed = this.makeFeed();
    this.batches = this.makeBatches();
    this.history = this.makeHistory();
    this.targets = { role: this.role, feed: this.feed, history: this.history };
    this.handOver = new HandOver({
      core: this.core,
      role: this.role,
      links: this.links,
      scheduler: environment.scheduler,
      leave: () => this.leaveEnsemble(),
    });
    this.change = undefined;
    this.isDriving = false;
    this.isScheduled = false;
    this.stopTicks = undefined;
    this.tickedMs = member.turns.nowMs;
    this.pausedMs = Number.NEGATIVE_INFINITY;
    this.onStopped = undefined;
    this.isAbandoned = false;
  }

  private makeLinks(): PeerLinks {
    const { member, ensemble, network, configText } = this.options;
    return new PeerLinks({
      member,
      ensemble,
      network,
      core: this.core,
      figures: this.figures,
      configText,
      targets: () => this.targets,
      change: () => this.change,
      drive: () => this.drive(),
      driveSoon: () => this.driveSoon(),
    });
  }

  private makeRole(): CurrentRole {
    const { member, epochs, ensemble, database } = this.options;
    return new CurrentRole(database, {
      member,
      core: this.core,
      epochs,
      leaderServes: ensemble.leaderServes,
      logDurable: (zxid) => this.batches.logDurable(zxid),
      sendToLearner: (link, message) => this.links.sendSoon(link, message),
      sendToLeader: (message) => {
        const { link } = this.links.way;
        if (link !== undefined) this.links.sendSoon(link, message);
      },
      driveSoon: () => this.driveSoon(),
      hasHeardAllSincePause: () => {
        for (const { pongMs } of this.links.ofLearners()) if (pongMs < this.pausedMs) return false;
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
      completed: (message) => this.links.completed(message),
      onSent: (learner) => {
        this.links.touch(learner);
        this.driveSoon();
      },
      drive: () => this.drive(),
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
      isLinkOfLeader: (link) => this.links.way.link === link,
      beginLearning: () => this.role.beginLearning(this.change?.epoch ?? -1),
      readClock: () => member.turns.readClock(),
      drive: () => this.drive(),
      driveSoon: () => this.driveSoon(),
    });
  }

  /** What `mntr` shows of it. */
  gauges(): EnsembleGauges {
    return this.figures.gauges(this.links.ofLearners(), this.role.barriers.size);
  }

  start(): void {
    const { environment, turns } = this.options.member;
    this.tickedMs = turns.nowMs;
    this.stopTicks = environment.scheduler.every(CORE_TICK_MS, this.tick);
    this.drive();
  }

  /**
   * Ends the role and casts no vote any more; `done` when the log is closed, or the server fails. A leader hands over
   * before.
   */
  stop(done: () => void): void {
    if (this.isAbandoned) {
      done();
      return;
    }
    this.onStopped = done;
    this.handOver.begin();
    this.drive();
  }

  private leaveEnsemble(): void {
    this.core.stop();
    this.pause.end();
    this.drive();
  }

  /** Nothing is done any more: the server failed. */
  abandon(): void {
    this.stopTicks?.();
    this.pause.cancel();
    this.handOver.cancel();
    this.links.abandon(new Error('This server failed'));
    this.role.abandon();
    this.isAbandoned = true;
    this.onStopped?.();
    this.onStopped = undefined;
  }

  // ---- Inputs -------------------------------------------------------------------------------

  private readonly tick = (): void => {
    const { turns, config } = this.options.member;
    turns.readClock();
    // The core's time stands still with the process: it must not find everybody silent at once.
    if (turns.nowMs - this.tickedMs > config.tickTimeMs) {
      this.pausedMs = turns.nowMs;
      this.role.leader?.stoodStill();
    }
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
    return this.links.accept(connection);
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
    this.options.member.turns.readClock();
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
      this.links.flushAll();
    } catch (error) {
      this.options.member.fail('ensemble', error as Error);
    } finally {
      this.isDriving = false;
    }
    this.options.member.turns.flush();
    this.handOver.look();
  }

  private noteCommitted(): void {
    const { serving } = this.role;
    if (serving === undefined) return;
    const { nowMs } = this.options.member.turns;
    this.figures.committed(serving.sequence, this.core.committedZxid, nowMs);
  }

  private carryOut(output: Output): void {
    for (const { link, reason } of output.closes) this.links.closeLink(link, reason.text);
    const { leaving } = output;
    if (leaving !== undefined) this.leaveRole(leaving);
    for (const send of output.sends) this.links.send(send);
    this.feed.sent();
    for (const { sid, notification } of output.votes) {
      this.options.votes.send(sid, { ...notification });
    }
    // Links before the disk: their way is longer.
    this.links.flush();
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
        this.links.dial(change.leaderSid);
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
    this.links.way.stop();
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
