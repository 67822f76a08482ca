// One member of a simulated ensemble: a host with its disk, its clock, and one process after the other.

import type { Zxid } from '@zebu/protocol';
import {
  type Logger,
  type ServerConfigOverrides,
  startServer,
  type ZebuServer,
} from '@zebu/server';
import { type EnsembleConfig, type Member, memberOf, type Serving } from '@zebu/server/internal';
import type { Prng } from '../prng.ts';
import type { SimScheduler } from '../scheduler.ts';
import { SimClock } from '../sim-clock.ts';
import { SimDisk } from '../sim-disk.ts';
import { simEnvironment } from '../sim-environment.ts';
import type { SimNetwork } from '../sim-network.ts';
import { SimProcess } from '../sim-process.ts';
import { tapTxnLog } from '../txn-log-tap.ts';
import { type Decided, describeEntry, type History } from './history.ts';

export const CLIENT_PORT = 2181;
const DATA_DIR = '/data';

export interface SimMemberOptions {
  readonly sid: number;
  readonly ensemble: Omit<EnsembleConfig, 'sid'>;
  readonly scheduler: SimScheduler;
  readonly network: SimNetwork;
  readonly prng: Prng;
  readonly history: History;
  readonly config: ServerConfigOverrides;
  readonly diskMs: number;
  readonly say: (kind: string, text: string) => void;
  readonly guard: (check: () => void) => void;
  /** A defect that is planted in each life of serving. */
  readonly plant: ((serving: Serving, member: Member) => void) | undefined;
}

export function hostOf(sid: number): string {
  return `10.0.0.${sid}`;
}

export class SimMember {
  readonly sid: number;
  readonly host: string;
  disk: SimDisk;
  process: SimProcess;
  server: ZebuServer | undefined;
  /** Set while a start is under way. */
  isStarting: boolean;
  /** Why the last start was refused; a member is not started again then. */
  refusal: Error | undefined;
  starts: number;
  private readonly options: SimMemberOptions;
  private readonly clock: SimClock;
  private entries: Decided[];

  constructor(options: SimMemberOptions) {
    this.sid = options.sid;
    this.host = hostOf(options.sid);
    this.options = options;
    this.clock = new SimClock(options.scheduler, options.prng.fork('clock'));
    this.disk = this.newDisk();
    this.process = new SimProcess(options.scheduler, `server ${this.sid}.0`);
    this.server = undefined;
    this.isStarting = false;
    this.refusal = undefined;
    this.starts = 0;
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

  get mode(): string {
    return this.member?.ensemble?.mode ?? 'down';
  }

  /** Begins a start; the server is there some turns later, if nothing is wrong with its disk. */
  start(): void {
    if (this.isUp || this.refusal !== undefined) return;
    const { scheduler, network, prng, history, config, ensemble, say, guard, plant } = this.options;
    this.starts++;
    this.isStarting = true;
    const process = new SimProcess(scheduler, `server ${this.sid}.${this.starts}`);
    this.process = process;
    const disk = tapTxnLog(this.disk, {
      issued: (bytes) => {
        this.entries.push(describeEntry(bytes));
      },
      durable: (zxid) => this.noteDurable(zxid),
    });
    const environment = simEnvironment({
      process,
      clock: this.clock,
      disk,
      network: network.host(this.host, process),
      prng: prng.fork(process.name),
      logger: this.logger(),
    });
    say(`server ${this.sid}`, `start ${this.starts}`);
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
        if (process !== this.process || !process.alive) return;
        this.isStarting = false;
        this.server = server;
        const member = memberOf(server);
        // What it recovered is durable, whether or not its disk had said so.
        this.noteDurable(server.lastZxid);
        this.entries = [];
        history.begins(this.sid, server.lastZxid);
        this.watchIntake(member);
        const begin = member.beginServing.bind(member);
        member.beginServing = (database, role) => {
          const serving = begin(database, role);
          guard(() => this.watch(serving));
          plant?.(serving, member);
          return serving;
        };
        void server.failed.then((error) => {
          if (process !== this.process) return;
          say(`server ${this.sid}`, `failed: ${error.message}`);
          this.bury();
          this.disk.kill();
        });
      },
      (error: Error) => {
        if (process !== this.process || !process.alive) return;
        this.isStarting = false;
        this.refusal = error;
        say(`server ${this.sid}`, `refuses to start: ${error.message}`);
      },
    );
  }

  /** The process is killed; what was written stays. */
  kill(): void {
    if (!this.isUp) return;
    this.options.say(`server ${this.sid}`, 'killed');
    this.bury();
    this.disk.kill();
  }

  /** The machine loses its power: what was not synced is kept in part. */
  powerCut(seed: number): void {
    if (!this.isUp) return;
    this.options.say(`server ${this.sid}`, 'power cut');
    this.bury();
    this.disk.crash({ seed });
  }

  /** The machine comes back with an empty disk. */
  wipe(): void {
    this.options.say(`server ${this.sid}`, 'wiped');
    if (this.isUp) this.bury();
    this.disk.kill();
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
    const { scheduler, diskMs } = this.options;
    const prng = this.options.prng.fork(`disk ${this.starts}`);
    const disk = new SimDisk({
      schedule: (delayMs, task) => void scheduler.schedule(delayMs, task),
      random: () => prng.next(),
      latencyMs: () => prng.between(0, diskMs),
    });
    disk.makeDirectory(DATA_DIR);
    return disk;
  }

  private noteDurable(zxid: Zxid): void {
    let done = 0;
    for (const entry of this.entries) {
      if (entry.zxid > zxid) break;
      this.options.history.durable(this.sid, entry);
      done++;
    }
    this.entries.splice(0, done);
  }

  /** Sees when a leader's snapshot becomes this member's database. */
  private watchIntake(member: Member): void {
    const { intake } = driverOf(member).options;
    const install = intake.install.bind(intake);
    intake.install = (done) =>
      install((database, zxid) => {
        this.options.history.takesSnapshot(this.sid);
        done(database, zxid);
      });
  }

  /** Sees every txn that this life of serving applies as committed. */
  private watch(serving: Serving): void {
    const { history, guard } = this.options;
    history.begins(this.sid, serving.tree.lastProcessedZxid);
    const open = serving as unknown as {
      apply(txn: { zxid: Zxid; bytes: Buffer; start: number; end: number }): void;
      fastForward(): void;
    };
    const apply = open.apply.bind(serving);
    const fastForward = open.fastForward.bind(serving);
    let isCommitted = true;
    open.fastForward = () => {
      // What follows is in the log, and perhaps not committed.
      isCommitted = false;
      fastForward();
    };
    open.apply = (txn) => {
      const { zxid, bytes, start, end } = txn;
      if (isCommitted) guard(() => history.applying(this.sid, zxid, bytes.subarray(start, end)));
      apply(txn);
      if (isCommitted) guard(() => history.appliedWith(this.sid, zxid, serving.tree.digest));
    };
  }

  private logger(): Logger {
    const { say, history, guard } = this.options;
    const line = (level: string) => (message: string, fields?: object) => {
      say(`server ${this.sid}`, `${level} ${message} ${JSON.stringify(fields ?? {})}`);
      if (message === 'Leading') {
        const { epoch } = fields as { epoch: number };
        guard(() => history.established(this.sid, epoch));
      }
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

interface OpenDriver {
  readonly options: {
    readonly intake: {
      install(done: (database: unknown, zxid: Zxid) => void): void;
    };
  };
}

/** What drives the core of a member, with what is private in it. */
function driverOf(member: Member): OpenDriver {
  return (member.ensemble as unknown as { driver: OpenDriver }).driver;
}
