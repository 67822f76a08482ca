// Three zebu processes under load are restarted in order, one after the other, the leader last, as an operator does it for an
// upgrade. Clients of zebu with their defaults, each with several requests in flight: no read fails, no write fails that is
// known not to have been carried out, no session is lost, and every write was carried out exactly once.

import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect, ZkError } from '@zebu/client';
import { expect } from 'vitest';
import { kazooRollingScript } from '../../src/foreign-clients.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { runScript } from '../../src/transcript.ts';
import { interopTest } from '../support.ts';
import { printLogs } from './checks.ts';

const ROUNDS = Number(process.env.ZEBU_RESTART_ROUNDS ?? 3);
const CLIENTS = 6;
/** Requests of one client in flight: writers of one key each, and as many readers. */
const WRITERS = 4;
const PROGRESS_MS = 60_000;
const WRITES_AFTER = 200;

interface Failures {
  readonly reads: string[];
  readonly writes: string[];
  /** Writes that may have been carried out or not, which a client with its defaults never sends again. */
  readonly unknown: string[];
}

interface Writer {
  readonly path: string;
  acknowledged: number;
  unknown: number;
}

interopTest(
  'a rolling restart fails no read, and no write that was not carried out',
  [],
  120_000 + ROUNDS * 60_000,
  async () => {
    await using ensemble = await MixedEnsemble.make({
      voters: 3,
      config: { tickTime: '1000', syncLimit: '5', maxSessionTimeout: '40000' },
    });
    try {
      await ensemble.startAll({ 1: 'zebu', 2: 'zebu', 3: 'zebu' });
      await restartAll(ensemble);
    } catch (error) {
      printLogs(ensemble);
      throw error;
    }
  },
);

interopTest(
  'a rolling restart fails no request of kazoo that is retried',
  ['kazoo'],
  300_000,
  async () => {
    await using ensemble = await MixedEnsemble.make({ voters: 3 });
    await ensemble.startAll({ 1: 'zebu', 2: 'zebu', 3: 'zebu' });
    const order = await leaderLast(ensemble);
    const printed = await runScript(kazooRollingScript(ensemble.connectString()), async () => {
      const sid = order.shift() as number;
      await ensemble.stop(sid);
      await ensemble.start(sid, 'zebu');
      await ensemble.settled();
    });
    expect(printed).toBe('failed []\nsame sessions True\nlast writes True\n');
  },
);

async function leaderLast(ensemble: MixedEnsemble): Promise<number[]> {
  const leader = await ensemble.leader();
  return [...ensemble.sids.filter((sid) => sid !== leader), leader];
}

async function restartAll(ensemble: MixedEnsemble): Promise<void> {
  await using clients = new AsyncDisposableStack();
  const load = new RestartLoad();
  for (let n = 0; n < CLIENTS; n++) {
    const servers = ensemble.connectString();
    const client = clients.use(await connect({ servers, sessionTimeoutMs: 20_000 }));
    await load.add(client, n);
  }
  const stopped: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const sid of await leaderLast(ensemble)) {
      const mode = await ensemble.modeOf(sid);
      const before = load.failures.unknown.length;
      await load.untilWrites(WRITES_AFTER);
      await ensemble.stop(sid);
      await load.untilWrites(WRITES_AFTER);
      await ensemble.start(sid, 'zebu');
      await ensemble.settled();
      await load.untilWrites(WRITES_AFTER);
      stopped.push(`${mode}: ${load.failures.unknown.length - before}`);
    }
  }
  await load.end();
  console.log(
    `${load.reads} reads, ${load.writes} writes; writes with an unknown outcome, by the role of the member that was stopped: ${stopped.join(', ')}`,
  );
  expect(load.failures.reads, 'reads that failed').toEqual([]);
  expect(load.failures.writes, 'writes that failed and were not carried out').toEqual([]);
  expect(load.lostSessions).toBe(0);
  // None, unless a disk takes longer than a stop may wait. Without a word from those that stop it is every write in flight
  // at each stop of a leader.
  expect(load.failures.unknown.length).toBeLessThan(CLIENTS * WRITERS);
  await load.check(await connectTo(clients, ensemble));
}

async function connectTo(clients: AsyncDisposableStack, ensemble: MixedEnsemble): Promise<Client> {
  return clients.use(await connect(ensemble.connectString()));
}

class RestartLoad {
  readonly failures: Failures;
  reads: number;
  writes: number;
  lostSessions: number;
  private readonly writers: Writer[];
  private readonly running: Promise<void>[];
  private isEnding: boolean;

  constructor() {
    this.failures = { reads: [], writes: [], unknown: [] };
    this.reads = 0;
    this.writes = 0;
    this.lostSessions = 0;
    this.writers = [];
    this.running = [];
    this.isEnding = false;
  }

  async add(client: Client, number: number): Promise<void> {
    client.on('session', () => this.lostSessions++);
    for (let n = 0; n < WRITERS; n++) {
      const writer = { path: `/restart-${number}-${n}`, acknowledged: 0, unknown: 0 };
      await client.create(writer.path);
      this.writers.push(writer);
      this.running.push(this.write(client, writer), this.read(client, writer));
    }
  }

  /** Waits for so many more writes. */
  async untilWrites(count: number): Promise<void> {
    const goal = this.writes + count;
    const deadline = performance.now() + PROGRESS_MS;
    while (this.writes < goal) {
      if (performance.now() > deadline) {
        throw new Error(`${this.writes} of ${goal} writes within ${PROGRESS_MS} ms`);
      }
      await delay(10);
    }
  }

  async end(): Promise<void> {
    this.isEnding = true;
    await Promise.all(this.running);
  }

  /** As often as it was acknowledged; once more for each that may have been carried out. */
  async check(client: Client): Promise<void> {
    await client.sync('/');
    for (const { path, acknowledged, unknown } of this.writers) {
      const { stat } = await client.get(path);
      expect(stat.version, path).toBeGreaterThanOrEqual(acknowledged);
      expect(stat.version, path).toBeLessThanOrEqual(acknowledged + unknown);
    }
  }

  private async write(client: Client, writer: Writer): Promise<void> {
    while (!this.isEnding) {
      try {
        await client.set(writer.path, `${writer.acknowledged}`);
        writer.acknowledged++;
        this.writes++;
      } catch (error) {
        if (!ZkError.is(error)) throw error;
        if (error.outcome === 'unknown') {
          writer.unknown++;
          this.failures.unknown.push(`${error}`);
        } else this.failures.writes.push(`${error}`);
      }
      await delay(1);
    }
  }

  private async read(client: Client, { path }: Writer): Promise<void> {
    while (!this.isEnding) {
      try {
        await client.get(path);
        this.reads++;
      } catch (error) {
        this.failures.reads.push(`${error}`);
      }
      await delay(1);
    }
  }
}
