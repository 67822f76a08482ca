// Three zebu processes under load, of which one after the other, often the leader, is killed with SIGKILL and started
// again, or stopped for a while with SIGSTOP. What was acknowledged stays, what is read after a sync is linearizable, an
// epoch has one leader, one member alone answers nothing, and in the end all three hold the same tree.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, ZkError } from '@zebu/client';
import { expect } from 'vitest';
import { OP } from '../../src/differential/wire.ts';
import { EnsembleLoad, type TreeStat } from '../../src/ensemble-load.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import { mulberry32 } from '../../src/load.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { body, Probe, readStat, walkExactly } from '../../src/probe.ts';
import { interopTest } from '../support.ts';

const ROUNDS = Number(process.env.ZEBU_KILL_ROUNDS ?? 50);
const SESSIONS = 4;
const SESSION_TIMEOUT_MS = 8000;
const WRITES_PER_ROUND = 20;
const LONGEST_PAUSE_MS = 3000;
const ALONE_MS = 2000;
const END_MS = 30_000;
const seed = Number(process.env.ZEBU_KILL_SEED ?? Date.now() % 100_000);

interopTest(
  'kill -9 and pauses of one member after the other lose nothing that was acknowledged',
  [],
  120_000 + ROUNDS * 30_000,
  async () => {
    console.log(`seed ${seed}, ${ROUNDS} rounds`);
    await using ensemble = await MixedEnsemble.make({
      voters: 3,
      config: {
        tickTime: '300',
        syncLimit: '6',
        maxSessionTimeout: '20000',
        snapCount: '2000',
        preAllocSize: '256',
      },
    });
    try {
      await ensemble.startAll({ 1: 'zebu', 2: 'zebu', 3: 'zebu' });
      await run(ensemble);
    } catch (error) {
      for (const sid of ensemble.sids) console.log(`member ${sid}:\n${lastLines(ensemble, sid)}`);
      throw error;
    }
  },
);

async function run(ensemble: MixedEnsemble): Promise<void> {
  const random = mulberry32(seed);
  await using load = await EnsembleLoad.begin({
    servers: ensemble.connectString(),
    sessions: SESSIONS,
    seed,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  const epochs = new Epochs(ensemble);
  const watching = epochs.watch();
  const gapsMs: number[] = [];
  try {
    await load.untilWrites(0, WRITES_PER_ROUND);
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await ensemble.leader();
      const isLeader = random() < 0.5;
      const others = ensemble.sids.filter((sid) => sid !== leader);
      const sid = isLeader ? leader : (others[Math.floor(random() * 2)] as number);
      const since = performance.now();
      if (random() < 0.6) {
        await ensemble.kill(sid);
        if (isLeader) gapsMs.push((await load.untilWrites(since, 1)).answeredAt - since);
        else await delay(random() * 500);
        await ensemble.start(sid, 'zebu');
      } else {
        await pause(ensemble, sid, random() * LONGEST_PAUSE_MS);
      }
      await load.untilWrites(since, WRITES_PER_ROUND);
      epochs.readFiles();
      expect(load.problems, `seed ${seed}, round ${round}`).toEqual([]);
    }
    await aloneAnswersNothing(ensemble, load, await ensemble.leader());
    const leader = await ensemble.leader();
    await aloneAnswersNothing(ensemble, load, (leader % 3) + 1);
    await comesBackFromNothing(ensemble, load);
    await load.end();
    await ensemble.settled();
  } finally {
    epochs.stop();
    await watching;
  }
  expect(load.violations(), `seed ${seed}`).toEqual([]);
  epochs.check();
  await lostSessionsExpire(ensemble, load);
  await haveTheSameTree(ensemble, load);
  await load[Symbol.asyncDispose]();
  await endAtTheSameZxid(ensemble, epochs);
  report(load, epochs, gapsMs);
}

/** The process stands still; its sockets stay open. */
async function pause(ensemble: MixedEnsemble, sid: number, ms: number): Promise<void> {
  const pid = ensemble.pid(sid) as number;
  process.kill(pid, 'SIGSTOP');
  try {
    await delay(ms);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** With two killed, the third acknowledges no write and no synced read, and opens no session. */
async function aloneAnswersNothing(
  ensemble: MixedEnsemble,
  load: EnsembleLoad,
  alone: number,
): Promise<void> {
  const others = ensemble.sids.filter((sid) => sid !== alone);
  await Promise.all(others.map((sid) => ensemble.kill(sid)));
  const since = performance.now();
  const stranger = await connect({
    servers: ensemble.connectString([alone]),
    establishTimeoutMs: ALONE_MS,
  }).catch((error: unknown) => error);
  expect(ZkError.is(stranger, 'CONNECTION_LOSS'), `${stranger}`).toBe(true);
  await delay(Math.max(0, since + ALONE_MS - performance.now()));
  const answered = load.answered.filter(({ calledAt }) => calledAt > since);
  expect(answered, `seed ${seed}: member ${alone} was alone`).toEqual([]);
  const until = performance.now();
  await ensemble.startAll(Object.fromEntries(others.map((sid) => [sid, 'zebu'] as const)));
  await load.untilWrites(until, WRITES_PER_ROUND);
}

/** A follower that has lost its disk gets the whole tree while the others serve; the comparison of the trees judges it. */
async function comesBackFromNothing(ensemble: MixedEnsemble, load: EnsembleLoad): Promise<void> {
  await ensemble.settled();
  const wiped = ((await ensemble.leader()) % 3) + 1;
  await ensemble.kill(wiped);
  const since = performance.now();
  rmSync(ensemble.dataDir(wiped), { recursive: true });
  await load.untilWrites(since, WRITES_PER_ROUND);
  await ensemble.start(wiped, 'zebu');
  await load.untilWrites(performance.now(), WRITES_PER_ROUND);
}

/** Which members led in which epoch. */
class Epochs {
  readonly leaders: Map<number, Set<number>>;
  private readonly ensemble: MixedEnsemble;
  private readonly onDisk: Map<number, number>;
  /** Leaders that had committed something of an epoch later than their own. */
  private readonly ahead: string[];
  private isOver: boolean;

  constructor(ensemble: MixedEnsemble) {
    this.ensemble = ensemble;
    this.ahead = [];
    this.leaders = new Map();
    this.onDisk = new Map();
    this.isOver = false;
  }

  async watch(): Promise<void> {
    while (!this.isOver) {
      await Promise.all(this.ensemble.sids.map((sid) => this.ask(sid)));
      await delay(100);
    }
  }

  stop(): void {
    this.isOver = true;
  }

  /** A member's epochs never go back, and it accepts an epoch before it takes part in it. */
  readFiles(): void {
    for (const sid of this.ensemble.sids) {
      const current = this.file(sid, 'currentEpoch');
      const before = this.onDisk.get(sid) ?? 0;
      expect(current, `currentEpoch of member ${sid}`).toBeGreaterThanOrEqual(before);
      // Read second: an epoch is accepted first, and does not go back.
      const accepted = this.file(sid, 'acceptedEpoch');
      expect(accepted, `acceptedEpoch of member ${sid}`).toBeGreaterThanOrEqual(current);
      this.onDisk.set(sid, current);
    }
  }

  file(sid: number, name: 'acceptedEpoch' | 'currentEpoch'): number {
    const path = join(this.ensemble.dataDir(sid), 'version-2', name);
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  }

  check(): void {
    expect(this.leaders.size, 'epochs that were seen').toBeGreaterThan(0);
    const shared = [...this.leaders].filter(([, sids]) => sids.size > 1);
    expect(shared, `seed ${seed}: epochs with more than one leader`).toEqual([]);
    expect(this.ahead, `seed ${seed}`).toEqual([]);
  }

  /** The file says which epoch it is: `srvr` shows the last txn, which may still be of the epoch before. */
  private async ask(sid: number): Promise<void> {
    const { ensemble } = this;
    const before = this.file(sid, 'currentEpoch');
    const port = ensemble.clientPort(sid);
    const answer = await fourLetterWord(port, 'srvr', { timeoutMs: 500 }).catch(() => '');
    const epoch = this.file(sid, 'currentEpoch');
    if (!answer.includes('Mode: leader') || before !== epoch) return;
    const sids = this.leaders.get(epoch) ?? new Set();
    this.leaders.set(epoch, sids.add(sid));
    if (epochOf(zxidIn(answer)) > epoch)
      this.ahead.push(`member ${sid}, epoch ${epoch}: ${answer}`);
  }
}

function zxidIn(srvr: string): bigint {
  return BigInt(/^Zxid: (0x[0-9a-f]+)$/m.exec(srvr)?.[1] ?? -1);
}

function epochOf(zxid: bigint): number {
  return Number(zxid >> 32n);
}

/**
 * Of a session that its client gave up, the ephemerals go. A leader gives every session its whole timeout anew, so that
 * it may take this long from the start of the last leader.
 */
async function lostSessionsExpire(ensemble: MixedEnsemble, load: EnsembleLoad): Promise<void> {
  const probe = await Probe.open(ensemble.clientPort(1));
  const deadline = performance.now() + 2 * SESSION_TIMEOUT_MS;
  for (;;) {
    const alive = load.liveSessions();
    const stats = await childrenOf(probe, '/load/ephemeral');
    const left = [...stats].filter(
      ([, { ephemeralOwner }]) => !alive.has(BigInt.asIntN(64, ephemeralOwner)),
    );
    if (left.length === 0) break;
    if (performance.now() > deadline) {
      expect(left, `seed ${seed}: ephemerals of sessions that are over`).toEqual([]);
    }
    await delay(100);
  }
  await probe.close();
}

async function childrenOf(probe: Probe, parent: string): Promise<Map<string, TreeStat>> {
  const { body: answer } = await probe.ask(OP.getChildren, body.read(parent));
  const paths = Array.from({ length: answer.int() }, () => `${parent}/${answer.string()}`);
  const found = await Promise.all(paths.map((path) => probe.ask(OP.exists, body.read(path))));
  return new Map(
    found.flatMap(({ err, body: stat }, n) =>
      err === 0 ? [[paths[n] as string, readStat(stat)] as const] : [],
    ),
  );
}

/** All three, to the millisecond; and what was acknowledged is there. */
async function haveTheSameTree(ensemble: MixedEnsemble, load: EnsembleLoad): Promise<void> {
  const trees: string[][] = [];
  for (const sid of ensemble.sids) {
    const probe = await Probe.open(ensemble.clientPort(sid));
    await probe.ask(OP.sync, body.path('/'));
    trees.push((await walkExactly(probe)).map(withoutOwnTime));
    const stats = new Map([
      ...(await childrenOf(probe, '/load/created')),
      ...(await childrenOf(probe, '/load/ephemeral')),
    ]);
    const values = new Map<string, string>();
    for (const path of EnsembleLoad.keyPaths) {
      const { body: answer } = await probe.ask(OP.getData, body.read(path));
      values.set(path, String(answer.buffer()));
      stats.set(path, readStat(answer));
    }
    await probe.close();
    expect(load.missingFrom(stats, values), `seed ${seed}, member ${sid}`).toEqual([]);
  }
  const [first = [], ...others] = trees;
  expect(first.length).toBeGreaterThan(10);
  for (const [n, other] of others.entries()) {
    const theirs = new Set(other);
    const differing = first.filter((line) => !theirs.has(line));
    expect(differing.slice(0, 5), `seed ${seed}, member 1 and member ${n + 2}`).toEqual([]);
    expect(other.length).toBe(first.length);
  }
}

/** Each member writes the ensemble's configuration into its tree when it starts, at a time of its own, as Apache's do. */
function withoutOwnTime(line: string): string {
  return line.startsWith('/zookeeper/config ') ? line.replace(/ times=\S+/, '') : line;
}

async function endAtTheSameZxid(ensemble: MixedEnsemble, epochs: Epochs): Promise<void> {
  const zxids = () =>
    Promise.all(
      ensemble.sids.map(async (sid) =>
        zxidIn(await fourLetterWord(ensemble.clientPort(sid), 'srvr')),
      ),
    );
  const deadline = performance.now() + END_MS;
  let seen = await zxids();
  while (new Set(seen).size > 1 && performance.now() < deadline) {
    await delay(50);
    seen = await zxids();
  }
  expect(new Set(seen).size, `seed ${seed}: zxids ${seen}`).toBe(1);
  for (const sid of ensemble.sids) {
    expect(epochs.file(sid, 'currentEpoch'), `member ${sid}`).toBe(epochOf(seen[0] as bigint));
    expect(await ensemble.figure(sid, 'digest_mismatches_count'), `member ${sid}`).toBe(0);
  }
}

function report(load: EnsembleLoad, epochs: Epochs, gapsMs: readonly number[]): void {
  const sorted = gapsMs.map(Math.round).sort((a, b) => a - b);
  const writes = load.answered.filter(({ isWrite }) => isWrite).length;
  console.log(
    [
      `${writes} writes, ${load.answered.length - writes} reads, ${load.unknownOutcomes} without an answer`,
      `${epochs.leaders.size} epochs seen, ${load.moves} moves of sessions, ${load.lostSessions.length} sessions lost`,
      ...load.lostSessions,
      `ms from the kill of a leader to the next acknowledged write, sorted: ${sorted.join(' ')}`,
    ].join('\n'),
  );
}

function lastLines(ensemble: MixedEnsemble, sid: number): string {
  return ensemble.log(sid).split('\n').slice(-30).join('\n');
}
