// Runs one server through a plan: requests, and faults one after the other. Then everything is healed: the server
// must serve all clients and must still know everything that it acknowledged.

import { drawPlan, type Fault, type LifePlan, type Plan } from './plan.ts';
import { Prng } from './prng.ts';
import { Standalone, type StandaloneOptions } from './standalone.ts';
import { demand, Violation } from './violation.ts';

/** What a run did, to see that the faults do happen. */
export interface ScenarioReport {
  readonly seed: number;
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly starts: number;
  readonly txns: number;
  /** Issued txns that crashes took away. */
  readonly lostTxns: number;
  /** Faults, and what they led to. */
  readonly misfortunes: readonly string[];
}

/** A run that failed: the cause, and how to see it again. */
export class ScenarioFailure extends Error {
  override readonly name = 'ScenarioFailure';
  readonly plan: Plan;
  readonly transcript: string;

  constructor(plan: Plan, cause: Error, transcript: string) {
    super(`Seed ${plan.seed}: ${cause.message}\nAgain: npm run sim -- --seed ${plan.seed}`, {
      cause,
    });
    this.plan = plan;
    this.transcript = transcript;
  }
}

/** Things that a plan does not hold: checkers, planted defects, whether the transcript can be read. */
export type ScenarioOverrides = Pick<StandaloneOptions, 'checkers' | 'plant' | 'keepsText'>;

const HEAL_MS = 30_000;
const LONGEST_LIFE_MS = 1_500;
const SERVER_HOST = '10.0.0.1';

/** Runs the plan of a seed. Rejects with ScenarioFailure. */
export function runScenario(
  seed: number,
  overrides: ScenarioOverrides = {},
): Promise<ScenarioReport> {
  return runPlan(drawPlan(seed), overrides);
}

/** Rejects with ScenarioFailure. */
export async function runPlan(
  plan: Plan,
  overrides: ScenarioOverrides = {},
): Promise<ScenarioReport> {
  const { clients, paceMs, windowBytes, slowDiskMs, config } = plan.world;
  const world = new Standalone({
    seed: plan.seed,
    requests: plan.requests,
    clients,
    paceMs,
    windowBytes,
    ...(slowDiskMs === 0 ? {} : { diskMs: (disk: Prng) => disk.between(0, slowDiskMs) }),
    config,
    keepsText: false,
    ...overrides,
  });
  try {
    return await new Scenario(world, plan).run();
  } catch (error) {
    throw new ScenarioFailure(plan, error as Error, world.transcript.tail());
  }
}

class Scenario {
  private readonly world: Standalone;
  private readonly plan: Plan;
  /** Of the current life: decides how crashes and restarts go. */
  private prng: Prng;
  private readonly misfortunes: string[];
  private lostTxns: number;

  constructor(world: Standalone, plan: Plan) {
    this.world = world;
    this.plan = plan;
    this.prng = new Prng(plan.seed).fork('first start');
    this.misfortunes = [];
    this.lostTxns = 0;
  }

  async run(): Promise<ScenarioReport> {
    const { world, plan } = this;
    if (plan.firstCrashEvent > 0) world.disk.crashAtEvent(plan.firstCrashEvent);
    await this.startUntilServing();
    world.startClients();
    for (const life of plan.lives) await this.live(life);
    this.prng = new Prng(plan.end.seed);
    await this.healAll();
    await this.endInOrder();
    return {
      seed: plan.seed,
      hash: world.transcript.hash,
      steps: world.scheduler.steps,
      virtualMs: world.scheduler.nowMs,
      starts: world.starts,
      txns: world.oracle.lastZxid,
      lostTxns: this.lostTxns,
      misfortunes: this.misfortunes,
    };
  }

  /** Runs for a while, lets the fault happen, and sees to it that a server serves. */
  private async live({ seed, length, away, fault, afterwardsMs }: LifePlan): Promise<void> {
    const { world } = this;
    this.prng = new Prng(seed);
    const lengthMs = (world.workload.left > 0 ? length : 0.1) * LONGEST_LIFE_MS;
    if (away !== null) {
      const client = this.client(away.client);
      world.scheduler.schedule(away.at * lengthMs, () => client.breakOff(away.awayMs));
    }
    world.runFor(lengthMs, () => this.isStruck);
    if (!this.isStruck && fault !== null) {
      this.misfortunes.push(fault.kind);
      world.transcript.addText('fate', fault.kind);
      this.happen(fault);
      world.runFor(afterwardsMs, () => this.isStruck);
    }
    await this.afterwards();
  }

  private client(index: number) {
    const { clients } = this.world;
    return clients[index % clients.length] as (typeof clients)[number];
  }

  /** The disk is down, or the server gave up. */
  private get isStruck(): boolean {
    const { world } = this;
    return world.disk.down || world.member?.isServing !== true;
  }

  private async afterwards(): Promise<void> {
    const { world, prng } = this;
    if (!this.isStruck) {
      world.look();
      return;
    }
    if (!world.disk.down && world.server !== undefined) {
      // The server gave up: it must resolve `failed`, and send nothing more.
      await world.settlePromises();
      const { failure } = world;
      demand(failure !== undefined, 'failed-resolves', () => 'nobody was told of the failure');
      demand(
        (failure.code === 'txn log' || failure.code === 'directory') && world.hasDiskFailed,
        'gives-up-for-its-disk',
        () => `the server gave up on its own: ${failure.message}`,
      );
      this.misfortunes.push(`gave up: ${failure.code}`);
      world.runFor(prng.between(0, 50), () => world.disk.down);
    }
    this.strike();
    await this.startUntilServing();
  }

  /** Ends the process: power cut, or, if the disk is up, perhaps only a kill. */
  private strike(): void {
    const { world, prng } = this;
    world.disk.clearFaults();
    if (prng.chance(0.9)) world.disk.freeBytes = Number.POSITIVE_INFINITY;
    if (!world.disk.down && prng.chance(0.4)) world.kill();
    else world.powerCut(prng.below(2 ** 31));
  }

  /** Starts, and crashes in starting, until it serves. */
  private async startUntilServing(): Promise<void> {
    const { world, prng } = this;
    for (let attempt = 0; ; attempt++) {
      if (attempt < 4 && attempt > 0 && prng.chance(0.4)) {
        world.disk.crashAtEvent(world.disk.events + 1 + prng.below(16));
      }
      const issued = world.oracle.lastZxid;
      const outcome = await world.start();
      if (outcome === 'serving') {
        this.lostTxns += issued - (world.server?.lastZxid ?? 0);
        return;
      }
      if (outcome === 'refused') {
        const isFull = Number.isFinite(world.disk.freeBytes);
        if (!isFull) throw world.refusal ?? new Violation('starts', 'no reason given');
        world.disk.freeBytes = Number.POSITIVE_INFINITY;
        world.kill();
      } else {
        this.misfortunes.push('crash while starting');
        world.powerCut(prng.below(2 ** 31));
      }
    }
  }

  private happen(fault: Fault): void {
    const { world } = this;
    switch (fault.kind) {
      case 'power cut at a disk event':
        world.disk.crashAtEvent(world.disk.events + fault.events);
        break;
      case 'power cut':
        world.powerCut(fault.seed);
        break;
      case 'kill':
        world.kill();
        break;
      case 'stall':
        world.stall(fault.forMs);
        break;
      case 'clock jump':
        world.clock.jump(fault.byMs);
        break;
      case 'reset': {
        const open = [...world.network.connections];
        const chosen = open[Math.floor(fault.which * open.length)];
        if (chosen !== undefined) world.network.reset(chosen);
        break;
      }
      case 'cut off':
        world.network.cut(this.hostOf(fault.client), SERVER_HOST);
        world.scheduler.schedule(fault.forMs, () => world.network.heal());
        break;
      case 'cut off one way':
        if (fault.toServer) world.network.cutOneWay(this.hostOf(fault.client), SERVER_HOST);
        else world.network.cutOneWay(SERVER_HOST, this.hostOf(fault.client));
        world.scheduler.schedule(fault.forMs, () => world.network.heal());
        break;
      case 'slow reader':
        this.client(fault.client).dawdle(fault.forMs);
        break;
      case 'client breaks off':
        this.client(fault.client).breakOff(fault.awayMs);
        break;
      case 'client asks for another timeout': {
        const client = this.client(fault.client);
        client.timeoutMs = fault.timeoutMs;
        client.breakOff();
        break;
      }
      case 'client goes away': {
        const client = this.client(fault.client);
        client.wantsConnection = false;
        client.breakOff();
        break;
      }
      case 'disk full':
        world.disk.freeBytes = fault.freeBytes;
        break;
      default: {
        const { operation, path } = fault;
        world.disk.injectFault({ operation, ...(path === '' ? {} : { path }) });
      }
    }
  }

  private hostOf(client: number): string {
    return `10.0.1.${1 + (client % this.world.clients.length)}`;
  }

  private async healAll(): Promise<void> {
    const { world } = this;
    world.network.heal();
    world.disk.clearFaults();
    world.disk.crashAtEvent(0);
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    for (const client of world.clients) {
      client.wantsConnection = true;
      client.connect();
    }
    for (let tries = 0; !this.isDone; tries++) {
      demand(tries < 3, 'liveness', () => {
        const waiting = world.clients.map((one) => `${one.name}: ${one.inFlight} in flight`);
        return `${world.workload.left} requests are left, ${waiting.join(', ')}`;
      });
      world.runFor(HEAL_MS, () => this.isStruck || this.isDone);
      await this.afterwards();
    }
  }

  private get isDone(): boolean {
    const { world } = this;
    return world.isDone && world.clients.every((client) => client.isEstablished);
  }

  /** Stops the server and starts it again: nothing may be missing, and sessions expire on time. */
  private async endInOrder(): Promise<void> {
    const { world } = this;
    const { isOrderly } = this.plan.end;
    if (isOrderly) await world.stop();
    else this.strike();
    const issued = world.oracle.lastZxid;
    await this.startUntilServing();
    demand(
      !isOrderly || world.server?.lastZxid === issued,
      'orderly-stop',
      () => `${issued} txns before an orderly stop, ${world.server?.lastZxid} after it`,
    );
    // No client comes back: every session must expire, and every ephemeral must go with its session.
    for (const client of world.clients) {
      client.wantsConnection = false;
      client.breakOff();
    }
    world.runFor(10_000, () => world.oracle.tree.sessionIds().length === 0);
    await this.afterwards();
    demand(
      world.oracle.tree.sessionIds().length === 0,
      'sessions-end',
      () => `${world.oracle.tree.sessionIds().length} sessions live on after ten seconds`,
    );
    world.runFor(100);
    world.look();
    demand(
      world.serving?.tree.ephemeralsCount === 0,
      'sessions-end',
      () => `${world.serving?.tree.ephemeralsCount} ephemerals outlive their sessions`,
    );
  }
}
