// One production server, its disk, its clients and the checkers, in virtual time.
//
//   clients ─ SimNetwork ─ startServer() ─ tap ─ SimDisk
//      │                        │           │
//      └──── what was said ─────┴─ checkers ┴─ what was logged ─► Oracle
//
// The server is started anew after each crash, from what the disk kept. A step is one callback of the
// scheduler; after each, the first broken promise ends the run. Promises exist only where a server is
// started and stopped: there, and nowhere else, microtasks are drained.

import { errorName } from '@zebu/protocol';
import {
  type Logger,
  type ServerConfigOverrides,
  type ServerFailure,
  startServer,
  type ZebuServer,
} from '@zebu/server';
import { type Member, memberOf, type Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import { ALL_CHECKERS } from './checkers/all.ts';
import type { Checker, CheckerContext, MakeChecker } from './checkers/checker.ts';
import { Oracle } from './oracle.ts';
import { Prng } from './prng.ts';
import { SimScheduler } from './scheduler.ts';
import { type ClientObserver, SimClient } from './sim-client.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk, type SimDiskEvent } from './sim-disk.ts';
import { simEnvironment } from './sim-environment.ts';
import { type SimConnection, SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
import { Transcript } from './transcript.ts';
import { tapTxnLog } from './txn-log-tap.ts';
import { demand, Violation } from './violation.ts';
import { type Answer, type Ask, describeAsk } from './wire.ts';
import { drawRequests, type Request, Workload } from './workload.ts';

export const DATA_DIR = '/data';
const SERVER = { host: '10.0.0.1', port: 2181 };
const BEAT_MS = 40;
const LOOK_MS = 100;
/** Microtasks between two callbacks while a server starts or stops. */
const DRAINED_MICROTASKS = 16;

/** Faults put into the server or its surroundings, to see that the checkers find them. */
export interface Plant {
  /** Between the tap and the disk: what the disk really does. */
  readonly disk?: (disk: Disk, later: (task: () => void) => void) => Disk;
  /** Between the server and the tap: what the server is told of its disk. */
  readonly log?: (disk: Disk, later: (task: () => void) => void) => Disk;
  readonly serving?: (serving: Serving, member: Member) => void;
  readonly serverWrites?: (end: SimConnection, bytes: Buffer) => Buffer;
}

export interface StandaloneOptions {
  readonly seed: number;
  /** All requests, or how many are drawn from the seed. Default 150. */
  readonly requests?: number | readonly Request[];
  readonly clients?: number;
  readonly reads?: number;
  readonly closes?: number;
  readonly dataBytes?: number;
  readonly config?: ServerConfigOverrides;
  /** Ms of a disk operation; default SimDisk's. */
  readonly diskMs?: (prng: Prng) => number;
  readonly windowBytes?: number;
  /** Longest pause of a client between two requests, ms. Default 0. */
  readonly paceMs?: number;
  /** Sees every event of the disk. */
  readonly onDiskEvent?: (event: SimDiskEvent) => void;
  readonly checkers?: readonly MakeChecker[];
  /** Whether the transcript can be read, and not only compared. Default true. */
  readonly keepsText?: boolean;
  readonly plant?: Plant;
}

export type Outcome = 'serving' | 'down' | 'refused';

export class Standalone {
  readonly scheduler: SimScheduler;
  readonly prng: Prng;
  readonly disk: SimDisk;
  readonly network: SimNetwork;
  readonly clock: SimClock;
  readonly oracle: Oracle;
  readonly transcript: Transcript;
  readonly workload: Workload;
  readonly clients: SimClient[];
  server: ZebuServer | undefined;
  /** Why the last start was refused. */
  refusal: Error | undefined;
  starts: number;
  private readonly options: StandaloneOptions;
  private readonly checkers: Checker[];
  private process: SimProcess;
  private violation: Error | undefined;
  private stalledMs: number;
  private readonly serverPrng: Prng;
  private failedWith: ServerFailure | undefined;
  /** Failures of the disk before this server was started. */
  private failuresBefore: number;

  constructor(options: StandaloneOptions) {
    this.options = options;
    this.scheduler = new SimScheduler();
    this.prng = new Prng(options.seed);
    const diskPrng = this.prng.fork('disk');
    const { diskMs, onDiskEvent } = options;
    this.disk = new SimDisk({
      schedule: (delayMs, task) => void this.scheduler.schedule(delayMs, task),
      random: () => diskPrng.next(),
      ...(diskMs === undefined ? {} : { latencyMs: () => diskMs(diskPrng) }),
      ...(onDiskEvent === undefined ? {} : { onEvent: onDiskEvent }),
    });
    this.disk.makeDirectory(DATA_DIR);
    this.network = new SimNetwork({
      prng: this.prng.fork('network'),
      ...(options.windowBytes === undefined ? {} : { windowBytes: options.windowBytes }),
      onServerWrite: (end, bytes) => this.serverWrites(end, bytes),
      onServerData: (end) => this.tell('serverHears', end),
    });
    this.clock = new SimClock(this.scheduler, this.prng.fork('clock'));
    this.oracle = new Oracle();
    this.transcript = new Transcript(() => this.scheduler.nowMs, options.keepsText ?? true);
    const { requests = 150 } = options;
    this.workload = new Workload(
      typeof requests !== 'number'
        ? requests
        : drawRequests({
            prng: this.prng.fork('workload'),
            requests,
            reads: options.reads ?? 0.4,
            dataBytes: options.dataBytes ?? 120,
            closes: options.closes ?? 0.015,
          }),
    );
    this.serverPrng = this.prng.fork('server');
    this.process = new SimProcess(this.scheduler, 'server 0');
    this.server = undefined;
    this.refusal = undefined;
    this.failedWith = undefined;
    this.failuresBefore = 0;
    this.starts = 0;
    this.violation = undefined;
    this.stalledMs = 0;
    const context: CheckerContext = {
      oracle: this.oracle,
      nowMs: () => this.scheduler.nowMs,
      tickMs: this.config.tickTimeMs ?? 0,
      stalledMs: () => this.stalledMs,
    };
    this.checkers = (options.checkers ?? ALL_CHECKERS).map((make) => make(context));
    this.clients = Array.from({ length: options.clients ?? 4 }, (_, i) => this.newClient(i));
  }

  get config(): ServerConfigOverrides {
    return {
      dataDir: DATA_DIR,
      clientPort: SERVER.port,
      clientPortAddress: SERVER.host,
      tickTimeMs: 100,
      snapCount: 24,
      preAllocSizeBytes: 8192,
      autopurgePurgeIntervalMs: 20,
      autopurgeSnapRetainCount: 3,
      extendedTypesEnabled: true,
      containers: { checkIntervalMs: 15 },
      ...this.options.config,
    };
  }

  get member(): Member | undefined {
    return this.server === undefined ? undefined : memberOf(this.server);
  }

  get serving(): Serving | undefined {
    return this.member?.serving;
  }

  /** All requests were made, and answered or given up. */
  get isDone(): boolean {
    return this.workload.left === 0 && this.clients.every((client) => client.inFlight === 0);
  }

  /** Why the server stopped by itself, if it did. */
  get failure(): ServerFailure | undefined {
    return this.failedWith;
  }

  /** Whether the disk failed in anything since the server was started. */
  get hasDiskFailed(): boolean {
    return this.disk.failures > this.failuresBefore;
  }

  // ---- the server's life ----

  /** Starts the server on what the disk holds, and checks what it came up with. */
  async start(): Promise<Outcome> {
    const { plant } = this.options;
    this.starts++;
    const process = new SimProcess(this.scheduler, `server ${this.starts}`);
    this.process = process;
    this.server = undefined;
    this.failedWith = undefined;
    this.failuresBefore = this.disk.failures;
    this.refusal = undefined;
    const later = (task: () => void): void => process.schedule(0, task);
    const below = plant?.disk?.(this.disk, later) ?? this.disk;
    const tapped = tapTxnLog(below, {
      issued: (bytes) => this.guard(() => this.issued(bytes)),
      durable: (zxid) => this.oracle.durable(zxid),
    });
    const environment = simEnvironment({
      process: this.process,
      clock: this.clock,
      disk: plant?.log?.(tapped, later) ?? tapped,
      network: this.network.host(SERVER.host, this.process),
      prng: this.serverPrng.fork(this.process.name),
      logger: this.logger(),
    });
    this.transcript.addText('server', `start ${this.starts}`);
    let server: ZebuServer | undefined;
    let refusal: Error | undefined;
    startServer({ ...this.config, environment }).then(
      (started) => {
        server = started;
      },
      (error: Error) => {
        refusal = error;
      },
    );
    await this.drive(() => server !== undefined || refusal !== undefined);
    if (this.disk.down) return 'down';
    if (server === undefined) {
      this.refusal = refusal;
      this.transcript.addText('server', `refuses to start: ${refusal?.message}`);
      return 'refused';
    }
    void server.failed.then((error) => {
      if (process === this.process) this.failedWith = error;
    });
    const member = memberOf(server);
    const serving = member.serving as Serving;
    plant?.serving?.(serving, member);
    this.server = server;
    const zxid = server.lastZxid;
    this.transcript.addText('server', `recovered ${zxid} of ${this.oracle.lastZxid}`);
    const { dataLogDir } = this.config;
    const state = { serving, disk: this.disk, dataDir: DATA_DIR, dataLogDir, zxid };
    this.tell('recovered', state);
    this.throwViolation();
    this.oracle.recovered(zxid);
    this.tell('serving', state);
    this.throwViolation();
    this.process.every(LOOK_MS, () => {
      if (member.isServing) this.tell('look', serving, false);
    });
    return 'serving';
  }

  /** Stops the server in order. No acknowledged txn may be lost. */
  async stop(): Promise<void> {
    let error: Error | undefined;
    let done = false;
    this.server?.close().then(
      () => {
        done = true;
      },
      (reason: Error) => {
        done = true;
        error = reason;
      },
    );
    await this.drive(() => done);
    this.process.kill();
    this.network.crash(this.process);
    this.server = undefined;
    if (error !== undefined) throw error;
  }

  /** Power fails and comes back: what was not synced is kept in part, as `seed` says. */
  powerCut(seed: number): void {
    this.transcript.addText('power', `cut, seed ${seed}`);
    this.bury();
    this.disk.crash({ seed });
  }

  /** The process is killed; the machine, and with it all that was written, stays. */
  kill(): void {
    this.transcript.addText('server', 'killed');
    this.bury();
    this.disk.kill();
  }

  /** Nothing of the server runs for a while. */
  stall(forMs: number): void {
    this.transcript.addText('server', `stalls for ${forMs.toFixed(0)} ms`);
    this.stalledMs += forMs;
    this.process.stall(forMs);
  }

  private bury(): void {
    this.process.kill();
    this.network.crash(this.process);
    this.server = undefined;
  }

  // ---- running ----

  /**
   * Runs until the condition holds, the disk is down, or the time is up. Returns false if it did not
   * come to hold. Throws the first Violation.
   */
  run(untilMs: number, condition: () => boolean = () => false): boolean {
    const { scheduler, disk } = this;
    while (!condition()) {
      if (disk.down) return false;
      let ran = false;
      try {
        ran = scheduler.step(untilMs);
      } catch (error) {
        // A call into a disk that is down throws: it ends what the server was doing.
        if (!disk.down) this.violation ??= error as Error;
      }
      this.throwViolation();
      if (!ran && !disk.down) {
        if (untilMs > scheduler.nowMs && Number.isFinite(untilMs)) scheduler.run(untilMs);
        return condition();
      }
    }
    return true;
  }

  /** As `run`, for so many ms. */
  runFor(ms: number, condition?: () => boolean): boolean {
    return this.run(this.scheduler.nowMs + ms, condition);
  }

  /** Runs the callbacks of promises that have resolved. */
  async settlePromises(): Promise<void> {
    for (let i = 0; i < DRAINED_MICROTASKS; i++) await undefined;
  }

  /** Connects all clients; they then send their requests. */
  startClients(): void {
    for (const client of this.clients) client.connect();
  }

  /** One more client, which the checkers watch like the others; it has to be told to connect. */
  addClient(options: {
    readonly name: string;
    readonly address: string;
    readonly timeoutMs: number;
    /** Requests in flight at most. */
    readonly depth: number;
    /** How often it looks whether it may send. */
    readonly pumpMs: number;
    readonly next: (client: SimClient) => Omit<Ask, 'xid'> | undefined;
    readonly onAnswer?: (ask: Ask, answer: Answer) => void;
  }): SimClient {
    const { name, address, timeoutMs, next, onAnswer } = options;
    const process = new SimProcess(this.scheduler, name);
    const client = new SimClient({
      name,
      process,
      network: this.network.host(address, process),
      server: SERVER,
      timeoutMs,
      observer: this.observer(onAnswer),
      next,
    });
    client.depth = options.depth;
    process.every(BEAT_MS, () => client.beat());
    process.every(options.pumpMs, () => client.pump());
    return client;
  }

  /** A thorough look of all checkers at the running server; throws the first violation. */
  look(): void {
    const { member, serving } = this;
    if (member?.isServing && serving !== undefined) this.tell('look', serving, true);
    this.throwViolation();
  }

  private async drive(settled: () => boolean): Promise<void> {
    for (let idle = 0; ; ) {
      await this.settlePromises();
      if (settled() || this.disk.down) return;
      let ran = false;
      try {
        ran = this.scheduler.step();
      } catch (error) {
        if (!this.disk.down) this.violation ??= error as Error;
      }
      this.throwViolation();
      idle = ran ? 0 : idle + 1;
      if (idle > 100) throw new Violation('liveness', 'the server neither starts nor stops');
    }
  }

  // ---- what is seen ----

  private issued(bytes: Buffer): void {
    const entry = this.oracle.issued(bytes, this.scheduler.nowMs);
    const { zxid, txn } = entry;
    const { type, cxid } = txn.header;
    this.transcript.add('log', zxid, type, () => `${zxid} type ${type} #${cxid}`);
    for (const checker of this.checkers) checker.issued?.(entry);
  }

  private serverWrites(end: SimConnection, bytes: Buffer): Buffer {
    this.guard(() =>
      demand(
        this.member?.failure === undefined,
        'failed-is-silent',
        () => 'the server speaks after it failed',
      ),
    );
    const said = this.options.plant?.serverWrites?.(end, bytes) ?? bytes;
    if (said.length > 0) this.tell('serverWrites', end, said);
    return said;
  }

  private tell<K extends Exclude<keyof Checker, 'name'>>(
    what: K,
    ...about: Parameters<NonNullable<Checker[K]>>
  ): void {
    this.guard(() => {
      for (const checker of this.checkers) {
        const method = checker[what] as ((...args: typeof about) => void) | undefined;
        method?.call(checker, ...about);
      }
    });
  }

  /** A checker may be called from inside the server, which must not get to see what it throws. */
  private guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.violation ??= error as Error;
    }
  }

  private throwViolation(): void {
    if (this.violation !== undefined) throw this.violation;
  }

  private logger(): Logger {
    const line =
      (level: string) =>
      (message: string, fields?: { session?: string }): void => {
        this.transcript.addText('server', `${level} ${message} ${JSON.stringify(fields ?? {})}`);
        if (message === 'Session expired') {
          this.tell('expired', BigInt(fields?.session as string));
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

  private newClient(index: number): SimClient {
    const paceMs = this.options.paceMs ?? 0;
    const pacePrng = this.prng.fork(`c${index}`);
    let readyMs = 0;
    return this.addClient({
      name: `c${index}`,
      address: `10.0.1.${index + 1}`,
      timeoutMs: 400 + 200 * (index % 4),
      depth: 1 + (index % 4) * 3,
      pumpMs: paceMs > 0 ? paceMs / 2 : BEAT_MS,
      next: () => {
        if (this.scheduler.nowMs < readyMs) return undefined;
        if (paceMs > 0) readyMs = this.scheduler.nowMs + pacePrng.between(0, paceMs);
        return this.workload.next();
      },
    });
  }

  private observer(onAnswer?: (ask: Ask, answer: Answer) => void): ClientObserver {
    const { transcript } = this;
    return {
      established: (conversation) => {
        const { client, sessionId, isReattached } = conversation;
        const how = isReattached ? 'again' : 'new';
        transcript.addText(client.name, `session 0x${sessionId.toString(16)} ${how}`);
        this.tell('established', conversation);
      },
      refused: (client, sessionId) => {
        transcript.addText(client.name, `session 0x${sessionId.toString(16)} refused`);
        this.tell('refused', client, sessionId);
      },
      sent: (conversation, ask) => {
        transcript.add(conversation.client.name, ask.xid, ask.type, () => `> ${describeAsk(ask)}`);
        this.tell('sent', conversation, ask);
      },
      answered: (conversation, ask, answer) => {
        const { xid, zxid, error, path } = answer;
        transcript.add(
          conversation.client.name,
          zxid,
          error,
          () => `< #${xid} ${zxid} ${errorName(error)} ${path ?? ''}`,
        );
        this.tell('answered', conversation, ask, answer);
        onAnswer?.(ask, answer);
      },
      event: (conversation, event, zxid) => {
        const { type, path } = event;
        transcript.add(conversation.client.name, zxid, type, () => `! ${type} ${path} ${zxid}`);
        this.tell('event', conversation, event, zxid);
      },
      ended: (conversation, unanswered) => {
        const { length } = unanswered;
        transcript.add(conversation.client.name, length, 0, () => `closed, ${length} unknown`);
        this.tell('ended', conversation, unanswered);
      },
    };
  }
}
