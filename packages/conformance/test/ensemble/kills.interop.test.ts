// Three zebu processes under load, of which one after the other, often the leader, is killed with SIGKILL and started
// again, or stopped for a while with SIGSTOP. What was acknowledged stays, what is read after a sync is linearizable, an
// epoch has one leader, one member alone answers nothing, and in the end all three hold the same tree.

import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, ZkError } from '@zebu/client';
import { expect } from 'vitest';
import { EnsembleLoad } from '../../src/ensemble-load.ts';
import { mulberry32 } from '../../src/load.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { interopTest } from '../support.ts';
import { allAgree, Epochs, printLogs } from './checks.ts';

const ROUNDS = Number(process.env.ZEBU_KILL_ROUNDS ?? 50);
const SESSIONS = 4;
const SESSION_TIMEOUT_MS = 8000;
const WRITES_PER_ROUND = 20;
const LONGEST_PAUSE_MS = 3000;
const ALONE_MS = 2000;
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
      printLogs(ensemble);
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
  await allAgree(ensemble, load, epochs);
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
