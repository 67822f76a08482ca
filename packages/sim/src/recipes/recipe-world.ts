// Clients of @zebu/client that take turns at a lock, and lead terms of an election, on one production server, in virtual
// time.
//
//   mutex, election ─ Client ─ SimNetwork ─ startServer() ─ SimDisk
//
// The clients' code is promises from end to end, so after each callback of the scheduler all microtasks are drained.

import { type Client, connect, ZkError } from '@zebu/client';
import { counter } from '@zebu/recipes/counter';
import { election } from '@zebu/recipes/election';
import { type Held, mutex } from '@zebu/recipes/lock';
import { queue } from '@zebu/recipes/queue';
import { text } from '@zebu/recipes/typed';
import { startServer, type ZebuServer } from '@zebu/server';
import { Prng } from '../prng.ts';
import { SimScheduler } from '../scheduler.ts';
import { SimClock } from '../sim-clock.ts';
import { SimDisk } from '../sim-disk.ts';
import { simEnvironment } from '../sim-environment.ts';
import { SimNetwork } from '../sim-network.ts';
import { SimProcess } from '../sim-process.ts';
import { Transcript } from '../transcript.ts';
import { demand, Violation } from '../violation.ts';
import { CounterAccount, QueueAccount } from './accounts.ts';
import { Grants } from './grants.ts';
import type { RecipeFault, RecipePlan } from './plan.ts';

const DATA_DIR = '/data';
const SERVER = { host: '10.0.0.1', port: 2181 };
const LOCK = '/lock';
const ELECTION = '/election';
const COUNTER = '/counter';
const QUEUE = '/queue';
/** After the last fault everyone must have had its rounds within so many virtual ms. */
const LIVENESS_MS = 120_000;
const RESTART_MS = 50;

/** A defect that is planted between the recipes and the client, to see that it is found. */
export type RecipePlant = (zk: Client) => Client;

export interface RecipeReport {
  readonly seed: number;
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly seen: Readonly<Record<string, number>>;
}

export type RecipeName = 'lock' | 'election' | 'counter' | 'queue';

export interface RecipeOverrides {
  readonly keepsText?: boolean;
  readonly plant?: RecipePlant;
  /** Only one of the recipes. */
  readonly only?: RecipeName;
}

interface Actor {
  readonly name: string;
  readonly host: string;
  readonly process: SimProcess;
  zk: Client | undefined;
}

export class RecipeWorld {
  readonly transcript: Transcript;
  private readonly plan: RecipePlan;
  private readonly overrides: RecipeOverrides;
  private readonly scheduler: SimScheduler;
  private readonly prng: Prng;
  private readonly network: SimNetwork;
  private readonly disk: SimDisk;
  private readonly clock: SimClock;
  private readonly lock: Grants;
  private readonly terms: Grants;
  private readonly sums: CounterAccount;
  private readonly items: QueueAccount;
  private readonly actors: Actor[];
  private readonly seen: Record<string, number>;
  private process: SimProcess;
  private server: ZebuServer | undefined;
  private starts: number;
  private isRestartDue: boolean;
  private failure: Error | undefined;
  private isOver: boolean;

  constructor(plan: RecipePlan, overrides: RecipeOverrides = {}) {
    this.plan = plan;
    this.overrides = overrides;
    this.scheduler = new SimScheduler();
    this.prng = new Prng(plan.seed);
    const diskPrng = this.prng.fork('disk');
    this.disk = new SimDisk({
      schedule: (delayMs, task) => void this.scheduler.schedule(delayMs, task),
      random: () => diskPrng.next(),
    });
    this.disk.makeDirectory(DATA_DIR);
    this.network = new SimNetwork({
      prng: this.prng.fork('network'),
      latencyMs: [0.05, plan.latencyMs],
    });
    this.clock = new SimClock(this.scheduler, this.prng.fork('clock'));
    this.transcript = new Transcript(() => this.scheduler.nowMs, overrides.keepsText ?? false);
    this.lock = new Grants('the lock');
    this.terms = new Grants('the election');
    this.sums = new CounterAccount();
    this.items = new QueueAccount();
    this.actors = Array.from({ length: plan.clients }, (_, i) => ({
      name: `client ${i}`,
      host: `10.0.1.${i + 1}`,
      process: new SimProcess(this.scheduler, `client ${i}`),
      zk: undefined,
    }));
    this.seen = {};
    this.process = new SimProcess(this.scheduler, 'server 0');
    this.server = undefined;
    this.starts = 0;
    this.isRestartDue = false;
    this.failure = undefined;
    this.isOver = false;
  }

  async run(): Promise<RecipeReport> {
    const { plan, scheduler, overrides } = this;
    this.start();
    await this.until('the server starts', () => this.server !== undefined);
    const maker = await this.settled(
      this.connect('maker', '10.0.1.100', new SimProcess(scheduler, 'maker')),
    );
    for (const path of [`${LOCK}-register`, `${ELECTION}-register`]) {
      await this.settled(maker.create(path));
    }
    for (const fault of plan.faults) {
      scheduler.schedule(fault.atMs, () => this.inflict(fault, maker));
    }
    const runs = (name: RecipeName): boolean =>
      overrides.only === undefined
        ? name === 'lock' || name === 'election' || plan.accounts === true
        : overrides.only === name;
    const stopping = new AbortController();
    const consuming = runs('queue')
      ? this.actors.map((actor) =>
          this.consume(actor, stopping.signal).catch((error) => this.fail(error)),
        )
      : [];
    const work = this.actors.flatMap((actor) => [
      ...(runs('lock') ? [this.takeTurns(actor)] : []),
      ...(runs('election') ? [this.leadTerms(actor)] : []),
      ...(runs('counter') ? [this.countUp(actor)] : []),
      ...(runs('queue') ? [this.produce(actor)] : []),
    ]);
    await this.settled(Promise.all(work));
    if (runs('queue')) await this.settled(this.drained(maker));
    this.isOver = true;
    await this.until('the server is there', () => this.server !== undefined);
    this.network.heal();
    stopping.abort();
    await this.settled(Promise.all(consuming));
    await this.expectNothingLeft(maker);
    if (runs('queue')) this.items.balance();
    if (runs('counter')) {
      const value = counter(maker, COUNTER).get({ consistency: 'synced' });
      this.sums.balance(await this.settled(value));
    }
    await this.settled(maker.close());
    for (const { zk } of this.actors) if (zk !== undefined) await this.settled(zk.close());
    const { hash } = this.transcript;
    this.seen['sum made'] = this.sums.known;
    this.seen['add unknown'] = this.sums.unknown;
    this.seen['item done'] = this.items.done.size;
    this.seen['put unknown'] = this.items.maybePut.size;
    this.seen['lock granted'] = this.lock.count;
    this.seen['term led'] = this.terms.count;
    this.seen['write under guard'] = this.lock.writes + this.terms.writes;
    const { steps, nowMs: virtualMs } = scheduler;
    return { seed: plan.seed, hash, steps, virtualMs, seen: this.seen };
  }

  // ---- what the clients do ----

  private async takeTurns(actor: Actor): Promise<void> {
    const zk = await this.clientOf(actor);
    const prng = this.prng.fork(`${actor.name} lock`);
    const onSuspend = prng.pick(['strict', 'lease'] as const);
    const lock = mutex(zk, LOCK, { identity: actor.name, onSuspend });
    for (let round = 0; round < this.plan.rounds; round++) {
      await this.pause(actor, prng.between(0, 20));
      const held = await lock.acquire();
      let isReleased = false;
      this.granted(this.lock, actor, held, () => isReleased);
      await this.useIt(this.lock, actor, held, `${LOCK}-register`, prng);
      isReleased = true;
      await held.release();
    }
  }

  private async leadTerms(actor: Actor): Promise<void> {
    const zk = await this.clientOf(actor);
    const prng = this.prng.fork(`${actor.name} election`);
    const candidate = election(zk, ELECTION, {
      identity: actor.name,
      onSuspend: prng.pick(['strict', 'lease'] as const),
    });
    let led = 0;
    for await (const term of candidate.terms()) {
      let isResigned = false;
      this.granted(this.terms, actor, term, () => isResigned);
      await this.useIt(this.terms, actor, term, `${ELECTION}-register`, prng);
      isResigned = true;
      if (++led === this.plan.rounds) break;
    }
  }

  private async countUp(actor: Actor): Promise<void> {
    const zk = await this.clientOf(actor);
    const prng = this.prng.fork(`${actor.name} counter`);
    const count = counter(zk, COUNTER);
    for (let round = 0; round < 3 * this.plan.rounds; round++) {
      await this.pause(actor, prng.between(0, this.plan.holdMs));
      try {
        const sum = await count.add(1);
        this.note(actor.name, Number(sum), 'made the sum');
        this.sums.added(actor.name, sum);
      } catch (error) {
        if (!isUnknown(error)) throw error;
        this.sums.unknown++;
      }
    }
  }

  private async produce(actor: Actor): Promise<void> {
    const zk = await this.clientOf(actor);
    const prng = this.prng.fork(`${actor.name} producer`);
    await using items = queue(zk, QUEUE, text());
    for (let round = 0; round < 2 * this.plan.rounds; round++) {
      await this.pause(actor, prng.between(0, this.plan.holdMs));
      const item = `${actor.name}: ${round}`;
      try {
        await items.put(item);
        this.note(actor.name, round, `put ${item}`);
        this.items.put.add(item);
      } catch (error) {
        if (!isUnknown(error)) throw error;
        this.items.maybePut.add(item);
      }
    }
  }

  private async consume(actor: Actor, signal: AbortSignal): Promise<void> {
    const zk = await this.clientOf(actor);
    const prng = this.prng.fork(`${actor.name} consumer`);
    const prefetch = prng.below(3);
    for await (const item of queue(zk, QUEUE, text()).consume({ signal, prefetch })) {
      await this.pause(actor, prng.between(0, this.plan.holdMs));
      try {
        await item.ack();
        this.note(actor.name, 0, `did ${item.value}`);
        this.items.acknowledged(actor.name, item.value);
      } catch (error) {
        if (!ZkError.is(error, 'LOCK_LOST')) throw error;
        if (error.outcome === 'unknown') this.items.maybeDone.add(item.value);
        this.count('ack: LOCK_LOST');
      }
    }
  }

  /** Until the queue is empty. */
  private async drained(maker: Client): Promise<void> {
    for (;;) {
      try {
        const { names } = await maker.children(`${QUEUE}/entries`, { consistency: 'synced' });
        if (names.length === 0) return;
      } catch (error) {
        // Nothing was put: all puts were of unknown outcome.
        if (ZkError.is(error, 'NO_NODE')) return;
        if (!ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error;
      }
      await this.virtualPause(20);
    }
  }

  private granted(grants: Grants, actor: Actor, held: Held, isGivenUp: () => boolean): void {
    this.note(actor.name, held.token, `has ${grants.what} with token ${held.token}`);
    grants.granted({
      who: actor.name,
      token: held.token,
      isOver: () => held.signal.aborted || isGivenUp(),
      isExcused: false,
    });
  }

  /** Writes under guard now and then while it is held, and stops when it is lost. */
  private async useIt(
    grants: Grants,
    actor: Actor,
    held: Held,
    register: string,
    prng: Prng,
  ): Promise<void> {
    const writes = 1 + prng.below(5);
    for (let i = 0; i < writes && !held.signal.aborted; i++) {
      await this.pause(actor, prng.between(0, this.plan.holdMs));
      try {
        const data = String(held.token);
        const [stat] = await held.guard([{ op: 'set', path: register, data }]);
        this.note(actor.name, stat.mzxid, `wrote under token ${held.token}`);
        grants.wrote({ token: held.token, mzxid: stat.mzxid, who: actor.name });
      } catch (error) {
        if (!ZkError.is(error, 'LOCK_LOST', 'CONNECTION_LOSS')) throw error;
        this.count(`guard: ${error.code}`);
      }
    }
  }

  private async clientOf(actor: Actor): Promise<Client> {
    if (actor.zk !== undefined) return actor.zk;
    const zk = await this.connect(actor.name, actor.host, actor.process);
    actor.zk ??= this.overrides.plant?.(zk) ?? zk;
    return actor.zk;
  }

  private connect(name: string, host: string, process: SimProcess): Promise<Client> {
    const prng = this.prng.fork(`${name} randomness`);
    return connect({
      servers: `${SERVER.host}:${SERVER.port}`,
      sessionTimeoutMs: this.plan.sessionTimeoutMs,
      establishTimeoutMs: 0,
      environment: {
        network: this.network.host(host, process),
        now: () => this.scheduler.nowMs,
        setTimer: (callback, ms) => process.after(ms, callback),
        clearTimer: (timer) => (timer as (() => void) | undefined)?.(),
        random: () => prng.next(),
        gather: (callback) => process.schedule(0, callback),
      },
    });
  }

  private pause(actor: Actor, ms: number): Promise<void> {
    return new Promise((resolve) => actor.process.schedule(ms, resolve));
  }

  // ---- faults ----

  private inflict(fault: RecipeFault, maker: Client): void {
    const { kind, forMs } = fault;
    if (this.isOver) return;
    const actor = this.targetOf(fault);
    this.count(kind);
    this.note(actor.name, forMs, kind);
    switch (kind) {
      case 'reset':
        for (const connection of [...this.network.connections]) {
          if (connection.process === actor.process) this.network.reset(connection);
        }
        break;
      case 'cut off':
        this.network.cut(actor.host, SERVER.host);
        this.scheduler.schedule(forMs, () => this.network.heal());
        break;
      case 'cut off one way':
        if (forMs % 2 === 0) this.network.cutOneWay(actor.host, SERVER.host);
        else this.network.cutOneWay(SERVER.host, actor.host);
        this.scheduler.schedule(forMs, () => this.network.heal());
        break;
      case 'stall':
        this.stall(actor, forMs);
        break;
      case 'server killed':
        this.kill();
        if (this.isRestartDue) break;
        this.isRestartDue = true;
        this.scheduler.schedule(RESTART_MS, () => {
          this.isRestartDue = false;
          this.start();
        });
        break;
      case 'znode deleted':
        this.meddle(maker, fault.target).catch((error) => this.fail(error));
        break;
      case 'znode deleted, holder stalled':
        this.stall(actor, forMs);
        this.meddle(maker, fault.target).catch((error) => this.fail(error));
        break;
    }
  }

  private targetOf({ target, client }: RecipeFault): Actor {
    const holder =
      target === 'client' ? undefined : (target === 'leader' ? this.terms : this.lock).holder;
    const actor =
      this.actors.find(({ name }) => name === holder) ?? this.actors[client % this.actors.length];
    return actor as Actor;
  }

  private stall(actor: Actor, forMs: number): void {
    actor.process.stall(forMs);
    this.lock.stalled(actor.name);
    this.terms.stalled(actor.name);
  }

  /** Deletes the znode of the first in line, as an operator might. */
  private async meddle(maker: Client, target: RecipeFault['target']): Promise<void> {
    const directory = target === 'leader' ? ELECTION : LOCK;
    try {
      const { names } = await maker.children(directory);
      const first = names.toSorted((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1))[0];
      if (first === undefined) return;
      const path = `${directory}/${first}`;
      const stat = await maker.exists(path);
      if (stat === undefined) return;
      (directory === LOCK ? this.lock : this.terms).meddled(stat.czxid);
      await maker.delete(path);
    } catch (error) {
      if (!ZkError.is(error, 'NO_NODE', 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error;
    }
  }

  private start(): void {
    if (this.server !== undefined) return;
    this.starts++;
    const process = new SimProcess(this.scheduler, `server ${this.starts}`);
    this.process = process;
    this.note('server', this.starts, 'starts');
    startServer({
      dataDir: DATA_DIR,
      clientPort: SERVER.port,
      clientPortAddress: SERVER.host,
      tickTimeMs: 100,
      preAllocSizeBytes: 8192,
      environment: simEnvironment({
        process,
        clock: this.clock,
        disk: this.disk,
        network: this.network.host(SERVER.host, process),
        prng: this.prng.fork(process.name),
        logger: SILENT,
      }),
    }).then(
      (server) => {
        if (process === this.process) this.server = server;
      },
      (error) => {
        if (process === this.process) this.fail(error);
      },
    );
  }

  private kill(): void {
    this.process.kill();
    this.network.crash(this.process);
    this.disk.kill();
    this.server = undefined;
    this.note('server', this.starts, 'is killed');
  }

  // ---- the end ----

  /**
   * What belonged to a session that its client has given up goes when the server, which may have been started again
   * meanwhile, ends that session.
   */
  private async expectNothingLeft(maker: Client): Promise<void> {
    const until = this.scheduler.nowMs + 2 * this.plan.sessionTimeoutMs;
    for (const path of [LOCK, ELECTION, `${QUEUE}/taken`, `${QUEUE}/producers`]) {
      let names = await this.settled(this.namesIn(maker, path));
      while (names.length > 0 && this.scheduler.nowMs < until) {
        await this.settled(this.virtualPause(50));
        names = await this.settled(this.namesIn(maker, path));
      }
      demand(names.length === 0, 'nothing-left', () => `${path} still has ${names.join(', ')}`);
    }
  }

  private async namesIn(maker: Client, path: string): Promise<readonly string[]> {
    try {
      return (await maker.children(path, { consistency: 'synced' })).names;
    } catch (error) {
      // Empty containers are deleted.
      if (ZkError.is(error, 'NO_NODE')) return [];
      throw error;
    }
  }

  private virtualPause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.scheduler.schedule(ms, () => resolve()));
  }

  /** Runs until the promise is settled, and gives what came of it. */
  private async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    promise.then(
      () => {
        isSettled = true;
      },
      (error) => {
        isSettled = true;
        this.fail(error);
      },
    );
    await this.until('all that was begun ends', () => isSettled);
    return await promise;
  }

  private async until(what: string, condition: () => boolean): Promise<void> {
    const lastFaultMs = this.plan.faults.at(-1)?.atMs ?? 0;
    const deadlineMs = Math.max(this.scheduler.nowMs, lastFaultMs) + LIVENESS_MS;
    for (;;) {
      await allMicrotasks();
      if (this.failure !== undefined) throw this.failure;
      if (condition()) return;
      if (!this.scheduler.step(deadlineMs)) {
        throw new Violation(
          'liveness',
          `${what}: not within ${LIVENESS_MS} ms after the last fault`,
        );
      }
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
  }

  private note(who: string, number: number, what: string): void {
    this.transcript.add(who, number, this.starts, () => what);
  }

  private count(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }
}

function isUnknown(error: unknown): boolean {
  return ZkError.is(error) && error.outcome === 'unknown';
}

/** All that promises have set off, however deep: a macrotask comes after the last of them. */
function allMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const SILENT = {
  debugEnabled: false,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
