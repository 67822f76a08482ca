// The engine of whole ensembles, as the command runs it.

import type { Engine, Outcome, RunFailure } from '../engines.ts';
import { minimize } from '../shrink.ts';
import { Violation } from '../violation.ts';
import { Cluster, type ClusterOverrides } from './cluster.ts';
import {
  drawEnsemblePlan,
  ENSEMBLE_FAULTS,
  type EnsemblePlan,
  formatEnsemblePlan,
  parseEnsemblePlan as parsePlan,
  SCENES,
} from './plan.ts';
import { ENSEMBLE_PLANTS, ensemblePlant } from './plants.ts';

/**
 * What must have been met. Of the rows of the sync table the others cannot be met among members whose histories have no
 * holes and whose zxids are those of txns: sync-plan.test.ts of zab has them.
 */
const EXPECTED = [
  ...ENSEMBLE_FAULTS,
  ...SCENES,
  'stale leader, in truth',
  'member misses an epoch, in truth',
  'leader stands still for the time of a session, in truth',
  'txn of an epoch ahead of currentEpoch',
  'sync asked of a leader that is behind',
  'sync asked of a learner that is behind',
  'sync asked of a learner whose disk is behind',
  'client that has seen more',
  'request refused as moved',
  'leader dies far ahead, in truth',
  'client goes on without a paused learner, in truth',
  'log file removed',
  'wiped disk, in truth',
  'power cut in a sync, in truth',
  'kill the leader in a sync, in truth',
  'kill a new leader, in truth',
  'server failed: txn log',
  ...['leading', 'following', 'observing'].flatMap((role) =>
    ['discovery', 'synchronization', 'broadcast'].map((phase) => `role: ${role}, ${phase}`),
  ),
  'leave: leader-lost',
  'leave: leader-silent',
  'leave: quorum-lost',
  'leave: zxid-rollover',
  'sync forced',
  'sync no-history',
  'sync equal',
  'sync ahead-trunc',
  'sync ahead-across-epochs',
  'sync memory-diff',
  'sync memory-across-epochs',
  'sync logs-diff',
  'sync logs-across-epochs',
  'sync too-old',
  'log cut',
  'snapshot restored',
  'tree discarded',
  'ACK',
  'ACKEPOCH',
  'session moved',
  'session gone',
  'session expired, members undisturbed',
  'write acknowledged',
  'write refused',
  'sync answered',
  'read answered',
  'watch set',
  'watches set again',
  'watch event',
];

/** Runs a plan; twice if it fails, the second time for its text. Not with a plant: nobody reads what that does. */
export async function runEnsemblePlan(
  plan: EnsemblePlan,
  overrides: ClusterOverrides = {},
): Promise<Outcome> {
  try {
    const { seed, hash, steps, virtualMs, txns, seen } = await new Cluster(plan, overrides).run();
    return {
      report: { seed, hash, sums: { steps, 'virtual minutes': virtualMs / 60_000, txns }, seen },
    };
  } catch (error) {
    const again = new Cluster(plan, { ...overrides, keepsText: true });
    let cause = error as Error;
    try {
      if (overrides.plant === undefined) {
        await again.run();
        cause.message += ' (the same plan did not fail when it was run again: find out why first)';
      }
    } catch (second) {
      cause = second as Error;
    }
    const failure: RunFailure = {
      seed: plan.seed,
      message: cause.message,
      kind: cause instanceof Violation ? cause.checker : cause.name,
      stack: cause.stack ?? '',
      transcript: again.transcript.tail(),
      plan: formatEnsemblePlan(plan),
    };
    return { failure };
  }
}

export const ENSEMBLE_ENGINE: Engine = {
  summary: 'whole ensembles of production servers, with clients that move',
  members: [3, 5],
  expected: EXPECTED,
  plants: ENSEMBLE_PLANTS.map(({ name }) => name),
  runSeed: (seed, members, plant) =>
    runEnsemblePlan(drawEnsemblePlan(seed, members), {
      plant: plant === undefined ? undefined : ensemblePlant(plant),
    }),
  checkPlan: (plan) => void parsePlan(plan),
  runPlan: (plan) => runEnsemblePlan(parsePlan(plan)),
  shrink: async (failure, onStep) => {
    const plan = parsePlan(failure.plan);
    let runs = 0;
    const faults = await minimize(plan.faults, async (kept) => {
      runs++;
      const { failure: other } = await runEnsemblePlan({ ...plan, faults: kept });
      if (other?.kind !== failure.kind) return false;
      onStep({ runs, faults: kept.length, requests: plan.requests });
      return true;
    });
    return (await runEnsemblePlan({ ...plan, faults })).failure ?? failure;
  },
};
