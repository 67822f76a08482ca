// Five zebu processes under load, each on a network of its own, between which packets vanish: a leader alone, halves, one
// direction only, the quorum port only. What was acknowledged stays, the side without a quorum acknowledges nothing and
// lets nobody in, the other side goes on, an epoch has one leader, and once the packets go through again all members serve,
// sessions come back, and all hold the same tree.

import { connect, ZkError } from '@zebu/client';
import { expect } from 'vitest';
import { OP } from '../../src/differential/wire.ts';
import { EnsembleLoad } from '../../src/ensemble-load.ts';
import { MemberNetwork } from '../../src/member-network.ts';
import { MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { body, ConnectionLost, Probe } from '../../src/probe.ts';
import { interopTest } from '../support.ts';
import { allAgree, Epochs, printLogs, untilTurnedAway } from './checks.ts';

const SIDS = [1, 2, 3, 4, 5];
const SESSIONS = 4;
const SESSION_TIMEOUT_MS = 12_000;
const WRITES = 20;
/** Not one of the load's: a set that was refused may have been carried out all the same. */
const REFUSED = '/refused';
const STRANGER_MS = 1000;
const seed = Number(process.env.ZEBU_PARTITION_SEED ?? Date.now() % 100_000);

interface Partition {
  readonly name: string;
  /** Those that are without a quorum, by who leads now. */
  readonly minority: (leader: number) => number[];
  readonly cut: (at: Place) => Promise<void>;
  /** False where the others may elect the member whose port cannot be reached, again and again. */
  readonly othersServe: boolean;
}

interface Place {
  readonly ensemble: MixedEnsemble;
  readonly network: MemberNetwork;
  readonly leader: number;
  readonly minority: readonly number[];
  readonly majority: readonly number[];
}

const PARTITIONS: readonly Partition[] = [
  {
    name: 'the leader alone',
    minority: (leader) => [leader],
    cut: ({ network, minority, majority }) => network.split(minority, majority),
    othersServe: true,
  },
  {
    name: 'halves, the leader in the smaller one',
    minority: (leader) => [leader, nextTo(leader, 1)],
    cut: ({ network, minority, majority }) => network.split(minority, majority),
    othersServe: true,
  },
  {
    name: 'halves, the leader in the larger one',
    minority: (leader) => [nextTo(leader, 1), nextTo(leader, 2)],
    cut: ({ network, minority, majority }) => network.split(minority, majority),
    othersServe: true,
  },
  {
    name: 'one way: nothing reaches the leader',
    minority: (leader) => [leader],
    cut: ({ network, minority, majority }) => network.cut({ from: majority, to: minority }),
    othersServe: true,
  },
  {
    name: 'one way: nothing of the leader arrives',
    minority: (leader) => [leader],
    cut: ({ network, minority, majority }) => network.cut({ from: minority, to: majority }),
    othersServe: true,
  },
  {
    name: 'quorum port only: of the leader to one follower',
    minority: (leader) => [nextTo(leader, 1)],
    cut: ({ ensemble, network, leader, minority }) =>
      cutQuorumPort(ensemble, network, leader, minority),
    othersServe: true,
  },
  {
    name: 'quorum port only: of the leader to everybody',
    minority: (leader) => [leader],
    cut: ({ ensemble, network, leader, majority }) =>
      cutQuorumPort(ensemble, network, leader, majority),
    othersServe: false,
  },
];

interopTest(
  'partitions lose nothing that was acknowledged, and a minority refuses',
  [],
  300_000,
  async () => {
    console.log(`seed ${seed}`);
    await using network = await MemberNetwork.make(SIDS);
    await using ensemble = await MixedEnsemble.make({
      voters: SIDS.length,
      network,
      config: { tickTime: '200', syncLimit: '7', maxSessionTimeout: '20000' },
    });
    try {
      await ensemble.startAll(Object.fromEntries(SIDS.map((sid) => [sid, 'zebu'] as const)));
      await run(ensemble, network);
    } catch (error) {
      printLogs(ensemble);
      throw error;
    }
  },
  MemberNetwork.whyNot,
);

async function run(ensemble: MixedEnsemble, network: MemberNetwork): Promise<void> {
  await using load = await EnsembleLoad.begin({
    servers: ensemble.connectString(),
    sessions: SESSIONS,
    seed,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  await using client = await connect(ensemble.connectString());
  await client.create(REFUSED);
  const epochs = new Epochs(ensemble);
  const watching = epochs.watch();
  const lines: string[] = [];
  try {
    await load.untilWrites(0, WRITES);
    for (const partition of PARTITIONS) {
      const since = performance.now();
      const gapMs = await part({ ensemble, network, load, partition });
      const gap = gapMs === undefined ? 'not waited for' : `after ${gapMs.toFixed(0)} ms`;
      const took = (performance.now() - since).toFixed(0);
      lines.push(`${partition.name}: next acknowledged write ${gap}; healed after ${took} ms`);
      epochs.readFiles();
      expect(load.problems, `seed ${seed}, ${partition.name}`).toEqual([]);
    }
    await load.end();
    await ensemble.settled();
  } finally {
    epochs.stop();
    await watching;
  }
  await allAgree(ensemble, load, epochs);
  const writes = load.answered.filter(({ isWrite }) => isWrite).length;
  lines.push(
    `${writes} writes, ${load.answered.length - writes} reads, ${load.unknownOutcomes} without an answer`,
    `${epochs.leaders.size} epochs seen, ${load.moves} moves of sessions, ${load.lostSessions.length} sessions lost`,
    ...load.lostSessions,
  );
  console.log(lines.join('\n'));
}

/** How long no write was acknowledged, where the others must serve. */
async function part({
  ensemble,
  network,
  load,
  partition,
}: {
  ensemble: MixedEnsemble;
  network: MemberNetwork;
  load: EnsembleLoad;
  partition: Partition;
}): Promise<number | undefined> {
  await ensemble.settled();
  const leader = await ensemble.leader();
  const minority = partition.minority(leader);
  const majority = SIDS.filter((sid) => !minority.includes(sid));
  const pinned = await Promise.all(minority.map((sid) => Probe.open(ensemble.clientPort(sid))));
  await partition.cut({ ensemble, network, leader, minority, majority });
  const since = performance.now();
  const answers = pinned.map(writeOrLoss);
  let gapMs: number | undefined;
  if (partition.othersServe) {
    // Sessions may still be at the minority: what counts is a write that came after it had given up.
    await Promise.all(minority.map((sid) => untilTurnedAway(ensemble, sid)));
    gapMs = (await load.untilWrites(since, WRITES)).answeredAt - since;
  }
  for (const [n, answer] of (await Promise.all(answers)).entries()) {
    expect(answer, `${partition.name}, member ${minority[n]}`).toBeInstanceOf(ConnectionLost);
  }
  if (partition.othersServe) {
    await letsNobodyIn(ensemble, minority);
    await load.untilWrites(performance.now(), WRITES);
  }
  await network.heal();
  await ensemble.settled();
  await load.untilWrites(performance.now(), WRITES);
  return gapMs;
}

/** A write that a member of the minority was sent after the cut is never acknowledged: its connection ends. */
function writeOrLoss(probe: Probe): Promise<unknown> {
  const set = body.setData(REFUSED, Buffer.from('of the minority'));
  return probe.ask(OP.setData, set).catch((error: unknown) => error);
}

async function letsNobodyIn(ensemble: MixedEnsemble, sids: readonly number[]): Promise<void> {
  const stranger = await connect({
    servers: ensemble.connectString(sids),
    establishTimeoutMs: STRANGER_MS,
  }).catch((error: unknown) => error);
  expect(ZkError.is(stranger, 'CONNECTION_LOSS'), `members ${sids}: ${stranger}`).toBe(true);
}

/** The connections over which `others` follow `leader`; those of elections stay. */
async function cutQuorumPort(
  ensemble: MixedEnsemble,
  network: MemberNetwork,
  leader: number,
  others: readonly number[],
): Promise<void> {
  const port = { of: leader, number: ensemble.quorumPort(leader) };
  await network.cut({ from: others, to: [leader], port });
  await network.cut({ from: [leader], to: others, port });
}

function nextTo(sid: number, distance: number): number {
  return ((sid - 1 + distance) % SIDS.length) + 1;
}
