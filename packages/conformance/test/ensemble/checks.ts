// What must hold once the faults of a test with real processes are over, and which member led in which epoch meanwhile.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { OP } from '../../src/differential/wire.ts';
import { EnsembleLoad, type TreeStat } from '../../src/ensemble-load.ts';
import { fourLetterWord } from '../../src/four-letter.ts';
import type { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { body, Probe, readStat, walkExactly } from '../../src/probe.ts';

const END_MS = 30_000;
const CONDITION_MS = 60_000;
const LOOK_MS = 50;

/**
 * The history that a load has recorded is one of a correct ensemble, and all members hold what was acknowledged and the
 * same tree. The load's requests have ended; its sessions are closed here.
 */
export async function allAgree(
  ensemble: MixedEnsemble,
  load: EnsembleLoad,
  epochs: Epochs,
): Promise<void> {
  expect(load.violations(), `seed ${load.options.seed}`).toEqual([]);
  epochs.check();
  await lostSessionsExpire(ensemble, load);
  await haveTheSameTree(ensemble, load);
  await load[Symbol.asyncDispose]();
  await endAtTheSameZxid(ensemble, epochs);
}

/** The end of every member's log, for a test that has failed. */
export function printLogs(ensemble: MixedEnsemble): void {
  for (const sid of ensemble.sids) {
    console.log(`member ${sid}:\n${ensemble.log(sid).split('\n').slice(-30).join('\n')}`);
  }
}

/** Waits until a member answers words, and says that it serves nobody. */
export async function untilTurnedAway(ensemble: MixedEnsemble, sid: number): Promise<void> {
  const deadline = performance.now() + CONDITION_MS;
  let answer = '';
  while (performance.now() < deadline) {
    answer = await fourLetterWord(ensemble.clientPort(sid), 'srvr').catch(() => '');
    if (answer !== '' && !answer.includes('Mode:')) return;
    await delay(LOOK_MS);
  }
  throw new Error(`Member ${sid} still serves after ${CONDITION_MS} ms: ${answer}`);
}

/** Which members led in which epoch. */
export class Epochs {
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
    expect(shared, 'epochs with more than one leader').toEqual([]);
    expect(this.ahead, 'leaders with txns of a later epoch').toEqual([]);
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

export function zxidIn(srvr: string): bigint {
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
  const deadline = performance.now() + 2 * load.options.sessionTimeoutMs;
  for (;;) {
    const alive = load.liveSessions();
    const stats = await childrenOf(probe, '/load/ephemeral');
    const left = [...stats].filter(
      ([, { ephemeralOwner }]) => !alive.has(BigInt.asIntN(64, ephemeralOwner)),
    );
    if (left.length === 0) break;
    if (performance.now() > deadline) {
      expect(left, `seed ${load.options.seed}: ephemerals of sessions that are over`).toEqual([]);
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
    expect(load.missingFrom(stats, values), `seed ${load.options.seed}, member ${sid}`).toEqual([]);
  }
  const [first = [], ...others] = trees;
  expect(first.length).toBeGreaterThan(10);
  for (const [n, other] of others.entries()) {
    const theirs = new Set(other);
    const differing = first.filter((line) => !theirs.has(line));
    expect(
      differing.slice(0, 5),
      `seed ${load.options.seed}, member 1 and member ${n + 2}`,
    ).toEqual([]);
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
  expect(new Set(seen).size, `zxids ${seen}`).toBe(1);
  for (const sid of ensemble.sids) {
    expect(epochs.file(sid, 'currentEpoch'), `member ${sid}`).toBe(epochOf(seen[0] as bigint));
    expect(await ensemble.figure(sid, 'digest_mismatches_count'), `member ${sid}`).toBe(0);
  }
}
