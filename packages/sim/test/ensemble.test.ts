// Whole ensembles of production servers: fixed seeds that must run clean, and defects that must be found.

import type { Serving } from '@zebu/server/internal';
import { describe, expect, test } from 'vitest';
import type { ClusterOverrides } from '../src/ensemble/cluster.ts';
import { runEnsemblePlan } from '../src/ensemble/engine.ts';
import { drawEnsemblePlan, type EnsemblePlan } from '../src/ensemble/plan.ts';

const FIXED_SEEDS = 24;
const TEST_MS = 300_000;

test(`${FIXED_SEEDS} fixed seeds run clean`, { timeout: TEST_MS }, async () => {
  let acknowledged = 0;
  for (let seed = 1; seed <= FIXED_SEEDS; seed++) {
    const { report, failure } = await runEnsemblePlan(drawEnsemblePlan(seed));
    expect(failure?.message, `seed ${seed}`).toBe(undefined);
    acknowledged += report?.seen['write acknowledged'] ?? 0;
  }
  // Runs in which nobody is served prove nothing.
  expect(acknowledged).toBeGreaterThan(10 * FIXED_SEEDS);
});

test('two runs of a plan are the same run', { timeout: TEST_MS }, async () => {
  const plan = drawEnsemblePlan(7);
  const [first, second] = [await runEnsemblePlan(plan), await runEnsemblePlan(plan)];
  expect(first.report?.hash).toBe(second.report?.hash);
});

test('the zxid of a member is known before it has a role', { timeout: TEST_MS }, async () => {
  // All members lose their power with txns on disk that no disk had reported as durable yet.
  const plan: EnsemblePlan = {
    ...drawEnsemblePlan(18),
    ...{ voters: 3, observers: 0, clients: 4, requests: 80 },
    ...{ paceMs: 20, diskMs: 20, latencyMs: 2, snapCount: 24 },
    faults: [
      { atMs: 662, kind: 'power cut of all', member: 32, other: 26, forMs: 297, seed: 241966316 },
    ],
  };
  const { failure } = await runEnsemblePlan(plan);
  expect(failure?.message).toBe(undefined);
});

test.each([
  ['an ensemble that never wrote anything comes back after a power cut of all', 2196],
  ['a tree that began with a snapshot written while its leader went on', 100145],
  ['a member leaves its role while the epoch of its sync is being prepared', 2094],
])('%s', { timeout: TEST_MS }, async (_what, seed) => {
  const { failure } = await runEnsemblePlan(drawEnsemblePlan(seed));
  expect(failure?.message).toBe(undefined);
});

describe('a defect is found', () => {
  // biome-ignore lint/suspicious/noExplicitAny: defects reach into what is private.
  type Open = any;
  const plants: { defect: string; found: string; plant: NonNullable<ClusterOverrides['plant']> }[] =
    [
      {
        defect: 'a leader commits what its own disk has, whatever the others have',
        found: 'quorum',
        plant: (serving: Serving) => {
          const { role } = serving as Open;
          const durable = role.durable.bind(role);
          role.durable = (zxid: number) => {
            durable(zxid);
            serving.commit(zxid);
          };
        },
      },
      {
        defect: 'a member applies a txn twice as large',
        found: 'digests',
        plant: (serving: Serving, member) => {
          if (member.config.serverId !== 2) return;
          const { tree } = serving;
          const apply = tree.apply.bind(tree);
          let count = 0;
          (tree as Open).apply = (...args: Open[]) => {
            const error = (apply as Open)(...args);
            if (++count === 9) (tree as Open).digestSum.add(1);
            return error;
          };
        },
      },
      {
        defect: 'a learner leaves a txn out',
        found: 'order',
        plant: (serving: Serving, member) => {
          if (member.config.serverId !== 1) return;
          const open = serving as Open;
          const apply = open.apply;
          let count = 0;
          open.apply = (txn: Open) => {
            if (++count !== 7) apply(txn);
          };
        },
      },
    ];

  test.each(plants)('$defect', { timeout: TEST_MS }, async ({ found, plant }) => {
    const kinds: string[] = [];
    for (let seed = 1; seed <= 30; seed++) {
      const { failure } = await runEnsemblePlan(drawEnsemblePlan(seed), { plant });
      if (failure === undefined) continue;
      kinds.push(failure.kind);
      break;
    }
    expect(kinds).toEqual([found]);
  });
});
