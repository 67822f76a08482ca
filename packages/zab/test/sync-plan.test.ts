import { makeZxid } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { planSync, type SyncFacts, SyncMode } from '../src/index.ts';

const z = makeZxid;

/** A leader of epoch 7 whose history is (5,1..9), (6,1..9); the committed log begins at (6,4), the logs after (5,3). */
const FACTS: SyncFacts = {
  appliedZxid: z(6, 9),
  minCommittedZxid: z(6, 4),
  logAfterZxid: z(5, 3),
  floorZxid: -1,
  ceilingZxid: -1,
  forceSnapshot: false,
};
const HORIZON = z(6, 9);

interface Case {
  readonly name: string;
  readonly learner: number;
  readonly floor?: number;
  readonly ceiling?: number;
  readonly facts?: Partial<SyncFacts>;
  readonly horizon?: number;
  readonly leaderEpoch?: number;
  readonly tentative?: number;
  readonly expected: readonly [
    mode: keyof typeof SyncMode,
    packet: number,
    after: number,
    upTo: number,
    row: string,
  ];
}

const CASES: readonly Case[] = [
  {
    name: 'a forced snapshot is sent to a learner that lacks nothing',
    learner: HORIZON,
    facts: { forceSnapshot: true },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'forced'],
  },
  {
    name: 'a learner without a history that counts gets everything',
    learner: -1,
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'no-history'],
  },
  {
    name: 'a learner with the same last txn gets nothing',
    learner: HORIZON,
    expected: ['DIFF', HORIZON, HORIZON, HORIZON, 'equal'],
  },
  {
    name: 'an empty learner of an empty leader gets nothing',
    learner: 0,
    horizon: 0,
    facts: { appliedZxid: 0, minCommittedZxid: -1, logAfterZxid: 0 },
    expected: ['DIFF', 0, 0, 0, 'equal'],
  },
  {
    name: 'a follower past the leader in an epoch that both know is told to truncate',
    learner: z(6, 12),
    expected: ['TRUNC', HORIZON, HORIZON, HORIZON, 'ahead-trunc'],
  },
  {
    name: 'a follower with proposals of the leader itself that are not committed is told to truncate',
    learner: z(7, 3),
    expected: ['TRUNC', HORIZON, HORIZON, HORIZON, 'ahead-trunc'],
  },
  {
    name: 'a follower past the leader in an epoch that the leader does not know gets a snapshot',
    learner: z(7, 3),
    leaderEpoch: 8,
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'ahead-across-epochs'],
  },
  {
    name: 'a former leader without a txn in its epoch is not truncated',
    learner: z(7, 0),
    leaderEpoch: 8,
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'ahead-new-epoch'],
  },
  {
    name: 'a learner within the committed log gets what it lacks',
    learner: z(6, 6),
    floor: z(6, 6),
    ceiling: z(6, 7),
    expected: ['DIFF', HORIZON, z(6, 6), HORIZON, 'memory-diff'],
  },
  {
    name: 'a learner with the first txn of the committed log gets the rest',
    learner: z(6, 4),
    floor: z(6, 4),
    ceiling: z(6, 5),
    expected: ['DIFF', HORIZON, z(6, 4), HORIZON, 'memory-diff'],
  },
  {
    name: 'a learner one txn before the committed log is not served from it',
    learner: z(6, 3),
    floor: z(6, 3),
    ceiling: z(6, 4),
    facts: { logAfterZxid: -1 },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'a learner at the beginning of an epoch that the committed log reaches gets its txns',
    learner: z(6, 0),
    floor: z(5, 9),
    ceiling: z(6, 1),
    facts: { minCommittedZxid: z(5, 8) },
    expected: ['DIFF', HORIZON, z(6, 0), HORIZON, 'memory-new-epoch'],
  },
  {
    name: 'a learner with a txn that the leader lacks between two that it has is cut back to the one before',
    learner: z(6, 6),
    floor: z(6, 5),
    ceiling: z(6, 7),
    expected: ['TRUNC', z(6, 5), z(6, 5), HORIZON, 'memory-trunc'],
  },
  {
    name: 'a learner that went further in an old epoch gets a snapshot: no truncation crosses an epoch',
    learner: z(5, 11),
    floor: z(5, 9),
    ceiling: z(6, 1),
    facts: { minCommittedZxid: z(5, 8) },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'memory-across-epochs'],
  },
  {
    name: 'a learner of an epoch that the leader has no txn of gets a snapshot',
    learner: z(5, 3),
    floor: z(4, 9),
    ceiling: z(6, 1),
    facts: { minCommittedZxid: z(4, 2) },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'memory-across-epochs'],
  },
  {
    name: 'ZOOKEEPER-2846: a learner before the committed log is served from the logs, up to what is committed',
    learner: z(5, 7),
    floor: z(5, 7),
    ceiling: z(5, 8),
    expected: ['DIFF', HORIZON, z(5, 7), HORIZON, 'logs-diff'],
  },
  {
    name: 'a learner at the zxid of the snapshot that the logs follow is served from them',
    learner: z(5, 3),
    floor: -1,
    ceiling: z(5, 4),
    expected: ['DIFF', HORIZON, z(5, 3), HORIZON, 'logs-diff'],
  },
  {
    name: 'a learner before the logs gets a snapshot',
    learner: z(5, 2),
    floor: -1,
    ceiling: z(5, 4),
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'ZOOKEEPER-2418: a gap between the logs and the committed log means a snapshot',
    learner: z(5, 7),
    floor: z(5, 7),
    ceiling: z(5, 8),
    facts: { logAfterZxid: -1 },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'ZOOKEEPER-4352: an empty learner is not served from logs that begin later than the history',
    learner: 0,
    floor: -1,
    ceiling: z(5, 4),
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'ZOOKEEPER-4352: nor from a committed log that begins later',
    learner: 0,
    floor: -1,
    ceiling: z(6, 4),
    facts: { logAfterZxid: -1 },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'an empty learner is served from logs that hold the whole history',
    learner: 0,
    floor: -1,
    ceiling: z(5, 1),
    facts: { logAfterZxid: 0 },
    expected: ['DIFF', HORIZON, 0, HORIZON, 'logs-diff'],
  },
  {
    name: 'a learner at the beginning of an epoch is served from logs that reach back to it',
    learner: z(6, 0),
    floor: z(5, 9),
    ceiling: z(6, 1),
    expected: ['DIFF', HORIZON, z(6, 0), HORIZON, 'logs-new-epoch'],
  },
  {
    name: 'a txn that the leader lacks is cut off from the logs, too',
    learner: z(5, 6),
    floor: z(5, 5),
    ceiling: z(5, 7),
    expected: ['TRUNC', z(5, 5), z(5, 5), HORIZON, 'logs-trunc'],
  },
  {
    name: 'no truncation crosses an epoch in the logs, either',
    learner: z(5, 11),
    floor: z(5, 9),
    ceiling: z(6, 1),
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'logs-across-epochs'],
  },
  {
    name: 'a txn that the leader lacks at the beginning of an epoch is not cut back into the epoch before',
    learner: z(5, 1),
    floor: z(4, 9),
    ceiling: z(5, 2),
    facts: { logAfterZxid: z(4, 1) },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'logs-across-epochs'],
  },
  {
    name: 'nor is it cut back to before the logs',
    learner: z(5, 1),
    floor: -1,
    ceiling: z(5, 2),
    facts: { logAfterZxid: z(4, 9) },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'logs-across-epochs'],
  },
  {
    name: 'an empty committed log serves nobody',
    learner: z(6, 6),
    floor: z(6, 6),
    ceiling: z(6, 7),
    facts: { minCommittedZxid: -1, logAfterZxid: -1 },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'a snapshot of a tree that lags is followed by the txns up to the horizon',
    learner: -1,
    facts: { appliedZxid: z(6, 2) },
    expected: ['SNAP', z(6, 2), z(6, 2), HORIZON, 'no-history'],
  },
  {
    name: 'a leader that is not established applies what the learner gives up for its snapshot',
    learner: z(6, 5),
    tentative: HORIZON,
    facts: { appliedZxid: z(6, 2), minCommittedZxid: -1, logAfterZxid: -1 },
    expected: ['SNAP', HORIZON, HORIZON, HORIZON, 'too-old'],
  },
  {
    name: 'a tree that went beyond the horizon meanwhile makes a later snapshot',
    learner: -1,
    facts: { appliedZxid: z(7, 2) },
    expected: ['SNAP', z(7, 2), z(7, 2), z(7, 2), 'no-history'],
  },
];

describe('planSync', () => {
  test.each(CASES)('$name', (one) => {
    const plan = planSync(
      {
        learnerZxid: one.learner,
        horizonZxid: one.horizon ?? HORIZON,
        leaderEpoch: one.leaderEpoch ?? 7,
        tentativeZxid: one.tentative ?? -1,
      },
      { ...FACTS, floorZxid: one.floor ?? -1, ceilingZxid: one.ceiling ?? -1, ...one.facts },
    );
    const [mode, packetZxid, after, upTo, row] = one.expected;
    expect(plan).toEqual({
      mode: SyncMode[mode],
      packetZxid,
      after,
      upTo,
      fromLogs: mode !== 'SNAP' && row.startsWith('logs'),
      row,
    });
  });

  test('a snapshot waits while the tree does not hold what the learner gives up', () => {
    const question = {
      learnerZxid: z(6, 5),
      horizonZxid: HORIZON,
      leaderEpoch: 7,
      tentativeZxid: -1,
    };
    const facts = { ...FACTS, appliedZxid: z(6, 4), minCommittedZxid: -1, logAfterZxid: -1 };
    expect(planSync(question, facts)).toBeUndefined();
    expect(planSync(question, { ...facts, appliedZxid: z(6, 5) })?.packetZxid).toBe(z(6, 5));
    // Beyond the horizon nothing is committed: the learner gives up nothing that counts.
    expect(
      planSync({ ...question, learnerZxid: z(7, 9) }, { ...facts, appliedZxid: HORIZON })
        ?.packetZxid,
    ).toBe(HORIZON);
  });
});
