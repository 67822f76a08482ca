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
} from './plan.ts';

/** Runs a plan; twice if it fails, the second time for its text. */
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
      await again.run();
      cause.message += ' (the same plan did not fail when it was run again: find out why first)';
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
  expected: [...ENSEMBLE_FAULTS, 'session moved', 'write acknowledged', 'sync answered'],
  runSeed: (seed, members) => runEnsemblePlan(drawEnsemblePlan(seed, members)),
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
