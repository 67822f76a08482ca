// A random life of one server, from one seed: a configuration, a workload, and a list of misfortunes;
// then everything is healed, and the server must serve everybody and still know all that it said.

import { Prng } from './prng.ts';
import { Standalone, type StandaloneOptions } from './standalone.ts';
import { demand, Violation } from './violation.ts';

/** What a run did, to see that the misfortunes do happen. */
export interface ScenarioReport {
  readonly seed: number;
  readonly hash: number;
  readonly steps: number;
  readonly starts: number;
  readonly txns: number;
  /** Issued txns that crashes took away. */
  readonly lostTxns: number;
  readonly misfortunes: readonly string[];
}

/** A scenario that failed: the cause, and how to see it again. */
export class ScenarioFailure extends Error {
  override readonly name = 'ScenarioFailure';

  constructor(seed: number, cause: Error, transcript: string) {
    super(
      `Seed ${seed}: ${cause.message}\n${transcript}\n` +
        `Again: node --conditions=@zebu/source packages/sim/src/fuzz.ts --seed ${seed}`,
      { cause },
    );
  }
}

const HEAL_MS = 30_000;
const LONGEST_LIFE_MS = 1_500;
const SERVER_HOST = '10.0.0.1';

/** Runs the scenario of a seed. Rejects with ScenarioFailure. */
export async function runScenario(
  seed: number,
  overrides: Partial<StandaloneOptions> = {},
): Promise<ScenarioReport> {
  const prng = new Prng(seed ^ 0x5ce2a810);
  const world = new Standalone({ ...chooseOptions(seed, prng), ...overrides });
  try {
    return await new Scenario(world, prng).run(seed);
  } catch (error) {
    throw new ScenarioFailure(seed, error as Error, world.transcript.tail());
  }
}

function chooseOptions(seed: number, prng: Prng): StandaloneOptions {
  const isPaced = prng.chance(0.6);
  const slowMs = prng.chance(0.2) ? prng.between(1, 40) : 0;
  return {
    seed,
    requests: 60 + prng.below(200),
    clients: 2 + prng.below(4),
    reads: prng.between(0.1, 0.7),
    closes: prng.pick([0, 0.01, 0.05]),
    dataBytes: prng.pick([20, 200, 3000]),
    paceMs: isPaced ? prng.between(2, 60) : 0,
    windowBytes: prng.pick([600, 4096, 65_536]),
    ...(slowMs === 0 ? {} : { diskMs: (disk: Prng) => disk.between(0, slowMs) }),
    config: {
      snapCount: 6 + prng.below(40),
      preAllocSizeBytes: prng.pick([0, 2048, 8192, 65_536]),
      txnLogSizeLimitBytes: prng.pick([-1, -1, 1500, 6000]),
      snapshotCompression: prng.pick(['none', 'none', 'snappy']),
      globalOutstandingLimit: prng.pick([1000, 1000, 2]),
      tickTimeMs: prng.pick([50, 100, 200]),
      ...(prng.chance(0.3) ? { dataLogDir: '/logs' } : {}),
    },
  };
}

class Scenario {
  private readonly world: Standalone;
  private readonly prng: Prng;
  private readonly misfortunes: string[];
  private lostTxns: number;

  constructor(world: Standalone, prng: Prng) {
    this.world = world;
    this.prng = prng;
    this.misfortunes = [];
    this.lostTxns = 0;
  }

  async run(seed: number): Promise<ScenarioReport> {
    const { world, prng } = this;
    if (prng.chance(0.15)) world.disk.crashAtEvent(1 + prng.below(25));
    await this.startUntilServing();
    world.startClients();
    for (let left = 1 + prng.below(7); left > 0; left--) await this.liveUntil(this.misfortune());
    await this.healAll();
    await this.endInOrder();
    return {
      seed,
      hash: world.transcript.hash,
      steps: world.scheduler.steps,
      starts: world.starts,
      txns: world.oracle.lastZxid,
      lostTxns: this.lostTxns,
      misfortunes: this.misfortunes,
    };
  }

  /** Runs for a while, lets the misfortune happen, and sees to it that a server serves. */
  private async liveUntil(happen: () => void): Promise<void> {
    const { world, prng } = this;
    const shortMs = (world.workload.left > 0 ? prng.next() ** 2 : 0.1) * LONGEST_LIFE_MS;
    // Whatever else happens: clients come and go, and miss things.
    if (prng.chance(0.6)) {
      const client = prng.pick(world.clients);
      const awayMs = prng.between(5, 200);
      world.scheduler.schedule(prng.between(0, shortMs), () => client.breakOff(awayMs));
    }
    world.runFor(shortMs, () => this.isStruck);
    if (!this.isStruck) {
      happen();
      world.runFor(prng.between(0, 200), () => this.isStruck);
    }
    await this.afterwards();
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
      // It gave up: it must say so, and be silent.
      await world.settlePromises();
      demand(
        world.failure !== undefined,
        'failed-resolves',
        () => 'nobody was told of the failure',
      );
      this.misfortunes.push('gave up');
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

  private misfortune(): () => void {
    const { world, prng } = this;
    const client = prng.pick(world.clients);
    const host = `10.0.1.${1 + world.clients.indexOf(client)}`;
    const choices: [string, () => void][] = [
      [
        'power cut at a disk event',
        () => world.disk.crashAtEvent(world.disk.events + 1 + prng.below(60)),
      ],
      ['power cut', () => this.strikeNow(() => world.powerCut(prng.below(2 ** 31)))],
      ['kill', () => this.strikeNow(() => world.kill())],
      ['stall', () => world.stall(prng.between(1, 600))],
      ['clock jump', () => world.clock.jump(prng.between(-100_000, 100_000))],
      ['reset', () => this.resetOne()],
      ['cut off', () => this.cutOff(() => world.network.cut(host, SERVER_HOST))],
      [
        'cut off one way',
        () =>
          this.cutOff(() =>
            prng.chance(0.5)
              ? world.network.cutOneWay(host, SERVER_HOST)
              : world.network.cutOneWay(SERVER_HOST, host),
          ),
      ],
      ['slow reader', () => client.dawdle(prng.between(20, 900))],
      ['client breaks off', () => client.breakOff(prng.between(5, 300))],
      [
        'client asks for another timeout',
        () => {
          client.timeoutMs = 100 + prng.below(2_000);
          client.breakOff();
        },
      ],
      [
        'client goes away',
        () => {
          client.wantsConnection = false;
          client.breakOff();
        },
      ],
      ['disk full', () => this.fillDisk(prng.below(12) * 512)],
      ['failed write', () => world.disk.injectFault({ operation: 'writeDurable', path: 'log.' })],
      ['failed sync', () => world.disk.injectFault({ operation: 'sync', path: 'log.' })],
      ['failed rename', () => world.disk.injectFault({ operation: 'rename', path: 'tmp-log.' })],
      [
        'failed snapshot',
        () =>
          world.disk.injectFault({
            operation: prng.pick(['write', 'sync', 'rename', 'open'] as const),
            path: 'tmp-snapshot.',
          }),
      ],
      [
        'failed directory sync',
        () => world.disk.injectFault({ operation: 'syncDirectory', path: 'version-2' }),
      ],
      ['failed unlink', () => world.disk.injectFault({ operation: 'unlink' })],
    ];
    const [name, happen] = prng.pick(choices);
    return () => {
      this.misfortunes.push(name);
      world.transcript.add('fate', name);
      happen();
    };
  }

  private strikeNow(how: () => void): void {
    how();
  }

  private resetOne(): void {
    const open = [...this.world.network.connections];
    if (open.length > 0) this.world.network.reset(this.prng.pick(open));
  }

  private cutOff(cut: () => void): void {
    const { world, prng } = this;
    cut();
    world.scheduler.schedule(prng.between(10, 1_500), () => world.network.heal());
  }

  private fillDisk(bytes: number): void {
    this.world.disk.freeBytes = bytes;
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

  /** Stops the server and starts it again: nothing may be missing, and sessions end when they should. */
  private async endInOrder(): Promise<void> {
    const { world, prng } = this;
    const isOrderly = prng.chance(0.5);
    if (isOrderly) await world.stop();
    else this.strike();
    const issued = world.oracle.lastZxid;
    await this.startUntilServing();
    demand(
      !isOrderly || world.server?.lastZxid === issued,
      'orderly-stop',
      () => `${issued} txns before an orderly stop, ${world.server?.lastZxid} after it`,
    );
    // Nobody comes back: every session and every ephemeral must go.
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
