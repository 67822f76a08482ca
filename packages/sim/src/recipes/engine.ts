// The engine of the recipes, as the command runs it.

import type { Engine, Outcome, RunFailure } from '../engines.ts';
import { minimize } from '../shrink.ts';
import { Violation } from '../violation.ts';
import {
  drawRecipePlan,
  formatRecipePlan,
  parseRecipePlan,
  RECIPE_FAULTS,
  type RecipePlan,
} from './plan.ts';
import { type RecipeOverrides, RecipeWorld } from './recipe-world.ts';

/** Runs a plan; twice if it fails, the second time for its text. */
export async function runRecipePlan(
  plan: RecipePlan,
  overrides: RecipeOverrides = {},
): Promise<Outcome> {
  try {
    const { seed, hash, steps, virtualMs, seen } = await new RecipeWorld(plan, overrides).run();
    return { report: { seed, hash, sums: { steps, 'virtual minutes': virtualMs / 60_000 }, seen } };
  } catch (error) {
    const again = new RecipeWorld(plan, { ...overrides, keepsText: true });
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
      plan: formatRecipePlan(plan),
    };
    return { failure };
  }
}

export const RECIPES_ENGINE: Engine = {
  summary: 'clients that take turns at a lock and lead terms, on one server',
  members: [1],
  expected: [...RECIPE_FAULTS, 'lock granted', 'term led', 'write under guard', 'guard: LOCK_LOST'],
  plants: [],
  runSeed: (seed) => runRecipePlan(drawRecipePlan(seed)),
  checkPlan: (plan) => void parseRecipePlan(plan),
  runPlan: (plan) => runRecipePlan(parseRecipePlan(plan)),
  shrink: async (failure, onStep) => {
    const plan = parseRecipePlan(failure.plan);
    let runs = 0;
    const faults = await minimize(plan.faults, async (kept) => {
      runs++;
      const { failure: other } = await runRecipePlan({ ...plan, faults: kept });
      if (other?.kind !== failure.kind) return false;
      onStep({ runs, faults: kept.length, requests: plan.rounds });
      return true;
    });
    return (await runRecipePlan({ ...plan, faults })).failure ?? failure;
  },
};
