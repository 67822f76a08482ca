// One member of a simulated ensemble: a host with its disk, its clock, and one process after the other.

import { epochOf, getInt32, OpCode, type Zxid } from '@zebu/protocol';
import {
  type Logger,
  type ServerConfigOverrides,
  startServer,
  type ZebuServer,
} from '@zebu/server';
import { type EnsembleConfig, type Member, memberOf, type Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import { SendKind } from '@zebu/zab';
import type { Prng } from '../prng.ts';
import type { SimScheduler } from '../scheduler.ts';
import { SimClock } from '../sim-clock.ts';
import { SimDisk } from '../sim-disk.ts';
import { simEnvironment } from '../sim-environment.ts';
import type { SimNetwork } from '../sim-network.ts';
import { SimProcess } from '../sim-process.ts';
import { tapTxnLog, withDisk } from '../txn-log-tap.ts';
import { demand } from '../violation.ts';
import { tapEpochs } from './epoch-tap.ts';
import { type Decided, describeEntry, type History } from './history.ts';
import { CLIENT_PORT, hostOf } from './hosts.ts';
import { coreOf, driverOf, type Open, wrap } from './inside.ts';
import { MemberDisk } from './member-disk.ts';
import type { EnsemblePlan } from './plan.ts';
import type { EnsemblePlant } from './plants.ts';
import type { Promises } from './promises.ts';

const DATA_DIR = '/data';
/** What each operation of a slow disk takes beyond its time. */
const SLOW_DISK_MS = 150;

/** What the engine wants to know of a member beside its History. */
export interface MemberEvents {
  say(kind: string, text: string): void;
  count(what: string): void;
  guard(check: () => void): void;
  /** The core takes another role, or another phase of it. */
  roleChanged(member: SimMember, role: string, phase: string): void;
  /** A leader prepares the end of a session. */
  closes(sessionId: bigint, zxid: Zxid, isExpiry: boolean): void;
}

export interface SimMemberOptions {
  readonly sid: number;
  readonly plan: EnsemblePlan;
  readonly ensemble: Omit<EnsembleConfig, 'sid'>;
  readonly scheduler: SimScheduler;
  readonly network: SimNetwork;
  readonly prng: Prng;
  readonly history: History;
  readonly promises: Promises;
  readonly config: ServerConfigOverrides;
  readonly events: MemberEvents;
  /** A defect that is planted in each process. */
  readonly plant: EnsemblePlant | undefined;
}

export class SimMember {
  readonly sid: number;
  readonly host: string;
  disk: SimDisk;
  /** What the disk holds, as far as it is known. */
  durable: MemberDisk;
  process: SimProcess;
  server: ZebuServer | undefined;
  /** Set while a start is under way. */
  isStarting: boolean;
  /** Why the last start was refused; a member is not started again then. */
  refusal: Error | undefined;
  starts: number;
  /** It is killed as soon as its log has a txn of an epoch that its currentEpoch does not cover. */
  diesAhead: boolean;
  private slowUntilMs: number;
  private readonly options: SimMemberOptions;
  private readonly clock: SimClock;
  private entries: Decided[];

  constructor(options: SimMemberOptions) {
    this.sid = options.sid;
    this.host = hostOf(options.sid);
    this.options = options;
    this.clock = new SimClock(options.scheduler, options.prng.fork('clock'));
    this.durable = new MemberDisk(this.sid);
    options.history.has(this.durable);
    this.disk = this.newDisk();
    this.process = new SimProcess(options.scheduler, `server ${this.sid}.0`);
    this.server = undefined;
    this.isStarting = false;
    this.refusal = undefined;
    this.starts = 0;
    this.diesAhead = false;
    this.slowUntilMs = 0;
    this.entries = [];
  }

  get member(): Member | undefined {
    return this.server === undefined ? undefined : memberOf(this.server);
  }

  get isUp(): boolean {
    return this.server !== undefined || this.isStarting;
  }

  get isServing(): boolean {
    return this.member?.isServing === true;
  }

  get lastZxid(): Zxid {
    return this.server?.lastZxid ?? -1;
  }

  /** Commits that its disk does not let it apply yet. */
  get isDiskBehind(): boolean {
    const { member } = this;
    const serving = member?.serving;
    if (member === undefined || serving === undefined) return false;
    return driverOf(member).core.committedZxid > serving.sequence.appliedZxid;
  }

  get mode(): string {
    return this.member?.ensemble?.mode ?? 'down';
  }

  /** Begins a start; the server is there some turns later, if nothing is wrong with its disk. */
  start(): void {
    if (this.isUp || this.refusal !== undefined) return;
    const { scheduler, network, prng, config, ensemble, events } = this.options;
    this.starts++;
    this.isStarting = true;
    network.hasPower(this.host);
    const process = new SimProcess(scheduler, `server ${this.sid}.${this.starts}`);
    this.process = process;
    const environment = simEnvironment({
      process,
      clock: this.clock,
      disk: this.tappedDisk(),
      network: network.host(this.host, process),
      prng: prng.fork(process.name),
      logger: this.logger(),
    });
    events.say(`server ${this.sid}`, `start ${this.starts}`);
    startServer({
      clientPort: CLIENT_PORT,
      clientPortAddress: this.host,
      dataDir: DATA_DIR,
      serverId: this.sid,
      ...config,
      ensemble: { ...ensemble, sid: this.sid },
      environment,
    }).then(
      (server) => {
        if (process === this.process && process.alive) this.started(server, process);
      },
      (error: Error) => {
        if (process !== this.process || !process.alive) return;
        this.isStarting = false;
        this.refusal = error;
        events.say(`server ${this.sid}`, `refuses to start: ${error.message}`);
      },
    );
  }

  private started(server: ZebuServer, process: SimProcess): void {
    const { history, events, plant } = this.options;
    this.isStarting = false;
    this.server = server;
    const member = memberOf(server);
    // What it recovered is durable, whether or not its disk had said so.
    this.noteDurable(server.lastZxid);
    this.entries = [];
    // Without its last txn it begins with a snapshot of a leader, whose sync had not ended.
    if (this.durable.knows(server.lastZxid)) this.durable.endsAt(server.lastZxid);
    else history.replaced(this.durable, server.lastZxid);
    this.durable.acceptedEpoch = driverOf(member).core.acceptedEpoch;
    this.durable.currentEpoch = driverOf(member).core.currentEpoch;
    history.begins(this.sid, server.lastZxid);
    this.watchDriver(member);
    if (plant?.core !== undefined) coreOf(member).plant = plant.core;
    plant?.member?.(member, driverOf(member));
    const begin = member.beginServing.bind(member);
    member.beginServing = (database, role) => {
      const serving = begin(database, role);
      this.watchServing(serving, driverOf(member));
      plant?.serving?.(serving, driverOf(member), member);
      return serving;
    };
    void server.failed.then((error) => {
      if (process !== this.process) return;
      events.say(`server ${this.sid}`, `failed: ${error.message}`);
      events.count(`server failed: ${error.code}`);
      const { failures } = this.disk;
      events.guard(() =>
        demand(failures > 0, 'failed', () => `server ${this.sid} gives up: ${error.message}`),
      );
      this.bury();
      this.disk.kill();
    });
  }

  /** The process is killed; what was written stays. */
  kill(): void {
    if (!this.isUp) return;
    this.options.events.say(`server ${this.sid}`, 'killed');
    this.bury();
    this.disk.kill();
  }

  /** The machine loses its power: what was not synced is kept in part, and nobody is told. */
  powerCut(seed: number): void {
    if (!this.isUp) return;
    this.options.events.say(`server ${this.sid}`, 'power cut');
    this.options.network.losePower(this.process, this.host);
    this.bury();
    this.disk.crash({ seed });
  }

  /** What its disk begins in this time takes long. */
  slowDisk(forMs: number): void {
    this.slowUntilMs = this.options.scheduler.nowMs + forMs;
  }

  /** The machine comes back with an empty disk. */
  wipe(): void {
    this.options.events.say(`server ${this.sid}`, 'wiped');
    if (this.isUp) this.bury();
    this.disk.kill();
    this.durable = new MemberDisk(this.sid);
    this.options.history.has(this.durable);
    this.disk = this.newDisk();
    this.options.history.wiped(this.sid);
  }

  private bury(): void {
    this.process.kill();
    this.options.network.crash(this.process);
    this.server = undefined;
    this.isStarting = false;
  }

  private newDisk(): SimDisk {
    const { scheduler, plan } = this.options;
    const prng = this.options.prng.fork(`disk ${this.starts}`);
    const disk = new SimDisk({
      schedule: (delayMs, task) => void scheduler.schedule(delayMs, task),
      random: () => prng.next(),
      latencyMs: () =>
        prng.between(0, plan.diskMs) + (scheduler.nowMs < this.slowUntilMs ? SLOW_DISK_MS : 0),
    });
    disk.makeDirectory(DATA_DIR);
    return disk;
  }

  // ---- What is seen of it -------------------------------------------------------------------

  /** Plants lie below the taps' users and above the taps: what is said to be durable, and is not, is seen. */
  private tappedDisk(): Disk {
    const { durable } = this;
    const log = tapTxnLog(this.disk, {
      issued: (bytes) => {
        this.entries.push(describeEntry(bytes));
      },
      durable: (zxid) => this.options.events.guard(() => this.noteDurable(zxid)),
    });
    const disk = tapEpochs(log, (file, epoch) => {
      durable[file] = epoch;
      // A start settles what a crash has left.
      if (this.isStarting || file === 'acceptedEpoch') return;
      this.options.events.guard(() => this.options.promises.raises(durable, epoch));
    });
    const counted = withDisk(disk, {
      unlink: (path) => {
        this.countUnlink(path);
        disk.unlink(path);
      },
      unlinkAsync: (path, done) => {
        this.countUnlink(path);
        disk.unlinkAsync(path, done);
      },
    });
    return this.options.plant?.disk?.(counted) ?? counted;
  }

  private countUnlink(path: string): void {
    if (path.includes('/log.')) this.options.events.count('log file removed');
  }

  private noteDurable(zxid: Zxid): void {
    let done = 0;
    for (const entry of this.entries) {
      if (entry.zxid > zxid) break;
      done++;
    }
    for (const entry of this.entries.splice(0, done)) {
      this.options.history.durable(this.sid, entry);
      this.durable.logged(entry);
    }
    if (this.isStarting || epochOf(zxid) <= this.durable.currentEpoch) return;
    this.options.events.count('txn of an epoch ahead of currentEpoch');
    if (!this.diesAhead) return;
    this.diesAhead = false;
    this.options.scheduler.schedule(0, () => this.kill());
  }

  /** Sees roles, and how histories are replaced, cut and sent. */
  private watchDriver(member: Member): void {
    const { events, history, promises, plan } = this.options;
    const driver = driverOf(member);
    const { intake } = driver.options;
    const adopted = (zxid: Zxid): void => {
      events.count('snapshot restored');
      history.takesSnapshot(this.sid);
      history.replaced(this.durable, zxid);
    };
    wrap(intake, 'install', (install, done: (...args: Open[]) => void) =>
      install((database: Open, zxid: Zxid) => {
        adopted(zxid);
        done(database, zxid);
      }),
    );
    wrap(driver.core, 'historyReplaced', (historyReplaced, zxid: Zxid) => {
      events.count('snapshot restored late');
      adopted(zxid);
      historyReplaced(zxid);
    });
    wrap(intake, 'truncate', (truncate, zxid: Zxid, done: (database: Open) => void) =>
      truncate(zxid, (database: Open) => {
        events.count(database === undefined ? 'log not cut' : 'log cut');
        done(database);
      }),
    );
    // A snapshot whose role was over before it was this member's history: no serving begins with it.
    wrap(intake, 'whenAtRest', (whenAtRest, next: (replacedAt: Zxid | undefined) => void) =>
      whenAtRest((replacedAt: Zxid | undefined) => {
        if (replacedAt !== undefined) {
          events.count('snapshot restored late');
          history.takesSnapshot(this.sid);
          history.replaced(this.durable, replacedAt);
        }
        next(replacedAt);
      }),
    );
    wrap(intake, 'discard', (discard, ...args) => {
      events.count('history discarded');
      discard(...args);
    });
    wrap(driver, 'roleChanged', (roleChanged, change: Open) => {
      const { role, phase, epoch } = change;
      events.count(`role: ${role}, ${phase}`);
      const { leader } = driver.core;
      if (role === 'leading' && leader !== undefined) {
        if (phase !== 'discovery') promises.leads(epoch, leader.historyZxid);
        if (phase === 'broadcast') {
          events.guard(() => history.established(this.durable, epoch, leader.historyZxid));
        }
      }
      roleChanged(change);
      events.roleChanged(this, role, phase);
    });
    wrap(driver, 'leaveRole', (leaveRole, leaving: Open) => {
      events.count(`leave: ${leaving.reason.code}`);
      if (leaving.discardTree) events.count('tree discarded');
      leaveRole(leaving);
    });
    wrap(driver.feed, 'send', (sendTo, learner: Open, send: Open) => {
      if (send.kind === SendKind.SYNC) events.count(`sync ${send.plan.row}`);
      sendTo(learner, send);
    });
    if (plan.rollover > 0) {
      const { config } = driver.core.core;
      config.limits = {
        ...config.limits,
        softCounter: plan.rollover,
        hardCounter: 2 * plan.rollover,
      };
    }
  }

  /** Sees every txn that this life of serving applies as committed. */
  private watchServing(serving: Serving, driver: Open): void {
    const { history, events, plan } = this.options;
    const { tree, sequence } = serving;
    history.begins(this.sid, tree.lastProcessedZxid);
    this.durable.endsAt(tree.lastProcessedZxid);
    const { committedLog } = serving.database as Open;
    committedLog.limits = { ...committedLog.limits, entries: plan.committedLog };
    wrap(serving as Open, 'hasSeen', (hasSeen, zxid: bigint) => {
      const isSeen = hasSeen(zxid);
      if (!isSeen) events.count('client that has seen more');
      return isSeen;
    });
    let isCommitted = true;
    wrap(serving, 'fastForward', (fastForward) => {
      // What follows is in the log, and perhaps not committed.
      isCommitted = false;
      fastForward();
    });
    wrap(serving, 'apply', (apply, txn: Open) => {
      const { zxid, bytes, start, end } = txn;
      if (isCommitted) {
        events.guard(() => history.applying(this.durable, zxid, bytes.subarray(start, end)));
      }
      apply(txn);
      if (isCommitted) events.guard(() => history.appliedWith(this.sid, zxid, tree.digest));
    });
    if (driver.role.leader === undefined) return;
    wrap(sequence, 'append', (append, ...args) => {
      const txn = append(...args);
      const { bytes, start } = txn;
      if (getInt32(bytes, start + 28) === OpCode.closeSession) {
        const isExpiry = getInt32(bytes, start + 8) === 0;
        events.guard(() => events.closes(bytes.readBigUInt64BE(start), txn.zxid, isExpiry));
      }
      return txn;
    });
  }

  private logger(): Logger {
    const { events } = this.options;
    const line = (level: string) => (message: string, fields?: object) => {
      events.say(`server ${this.sid}`, `${level} ${message} ${JSON.stringify(fields ?? {})}`);
    };
    return {
      debugEnabled: false,
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
    };
  }
}
