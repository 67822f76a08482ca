// What can be simulated: engines by name, each with what it takes to run a seed or a plan. The command
// (main.ts) and its workers know engines only through this table.

import { ENSEMBLE_ENGINE } from './ensemble/engine.ts';
import { drawPlan, FAULT_KINDS, formatPlan, type Plan, parsePlan } from './plan.ts';
import { RECIPES_ENGINE } from './recipes/engine.ts';
import {
  runPlan,
  ScenarioFailure,
  type ScenarioOverrides,
  type ScenarioReport,
} from './scenario.ts';
import { shrinkPlan } from './shrink.ts';
import { Violation } from './violation.ts';
import { ZAB_ENGINE, ZAB_SEARCH_ENGINE } from './zab-engine/engine.ts';

/** What every engine reports of one run. */
export interface RunReport {
  readonly seed: number;
  readonly hash: number;
  /** Added up over the runs. */
  readonly sums: Readonly<Record<string, number>>;
  /** What happened, and how often. */
  readonly seen: Readonly<Record<string, number>>;
}

export interface RunFailure {
  readonly seed: number;
  readonly message: string;
  /** What was broken: two failures of one kind are one bug, most likely. */
  readonly kind: string;
  readonly stack: string;
  /** The last events, as text. */
  readonly transcript: string;
  /** As JSON. */
  readonly plan: string;
}

export type Outcome =
  | { readonly report: RunReport; readonly failure?: undefined }
  | { readonly report?: undefined; readonly failure: RunFailure };

export interface ShrinkProgress {
  readonly runs: number;
  readonly faults: number;
  readonly requests: number;
}

export interface Engine {
  readonly summary: string;
  /** How many members it can have; undefined: that is drawn from the seed. */
  readonly members: readonly number[] | undefined;
  /** What may happen in a run, for the report to say what never did. */
  readonly expected: readonly string[];
  /** Defects that can be planted, by name. */
  readonly plants: readonly string[];
  /** `members` is one of those above, or undefined: the engine chooses; `plant` is one of `plants`. */
  runSeed(seed: number, members: number | undefined, plant?: string): Promise<Outcome>;
  /** Throws an Error for the user when the plan cannot be meant. */
  checkPlan(plan: string): void;
  runPlan(plan: string): Promise<Outcome>;
  /** A smaller plan that fails alike. */
  shrink(failure: RunFailure, onStep: (progress: ShrinkProgress) => void): Promise<RunFailure>;
}

const SHRINK_RUNS = 600;

/** Runs once as fast as it can, and once more for the text if it fails. */
export async function runForOutcome(
  plan: Plan,
  overrides: ScenarioOverrides = {},
): Promise<Outcome> {
  try {
    return { report: summaryOf(await runPlan(plan, overrides)) };
  } catch (error) {
    const first = failureOf(error);
    try {
      await runPlan(plan, { ...overrides, keepsText: true });
    } catch (again) {
      return { failure: { ...first, transcript: failureOf(again).transcript } };
    }
    const message = `${first.message} (the same plan did not fail when it was run again: find out why first)`;
    return { failure: { ...first, message } };
  }
}

function summaryOf(report: ScenarioReport): RunReport {
  const { seed, hash, steps, virtualMs, starts, txns, lostTxns, misfortunes } = report;
  const seen: Record<string, number> = {};
  for (const name of misfortunes) seen[name] = (seen[name] ?? 0) + 1;
  if (lostTxns > 0) seen['txns lost before they were acknowledged'] = lostTxns;
  return {
    seed,
    hash,
    sums: { steps, 'virtual minutes': virtualMs / 60_000, starts, 'txns kept': txns },
    seen,
  };
}

function failureOf(error: unknown): RunFailure {
  if (!(error instanceof ScenarioFailure)) throw error;
  const cause = error.cause as Error;
  return {
    seed: error.plan.seed,
    message: cause.message,
    kind: cause instanceof Violation ? cause.checker : cause.name,
    stack: cause.stack ?? '',
    transcript: error.transcript,
    plan: formatPlan(error.plan),
  };
}

/** `overrides` are for tests: a planted defect, say. */
export async function shrinkFailure(
  failure: RunFailure,
  onStep: (progress: ShrinkProgress) => void,
  overrides: ScenarioOverrides = {},
): Promise<RunFailure> {
  const smaller = await shrinkPlan(parsePlan(failure.plan), {
    budget: SHRINK_RUNS,
    fails: async (plan) => {
      try {
        await runPlan(plan, overrides);
        return false;
      } catch (error) {
        return failureOf(error).kind === failure.kind;
      }
    },
    onStep: (runs, { lives, requests }) =>
      onStep({
        runs,
        faults: lives.filter(({ fault }) => fault !== null).length,
        requests: requests.length,
      }),
  });
  const outcome = await runForOutcome(smaller, overrides);
  return outcome.failure ?? failure;
}

/** The engine that a plan is for. Throws an Error for the user. */
export function engineOf(plan: string): string {
  const { engine } = JSON.parse(plan) as { engine?: unknown };
  if (typeof engine !== 'string' || ENGINES[engine] === undefined) {
    throw new Error(`it is for an engine ${JSON.stringify(engine)}, which there is not`);
  }
  return engine;
}

export const ENGINES: Readonly<Record<string, Engine>> = {
  member: {
    summary: 'whole production servers: disk, network, clocks, clients',
    members: [1],
    expected: [...FAULT_KINDS, 'crash while starting', 'gave up: txn log'],
    // They are in test/plants.test.ts, each with the one checker that must find it.
    plants: [],
    runSeed: (seed) => runForOutcome(drawPlan(seed)),
    checkPlan: parsePlan,
    runPlan: (plan) => runForOutcome(parsePlan(plan)),
    shrink: (failure, onStep) => shrinkFailure(failure, onStep),
  },
  ensemble: ENSEMBLE_ENGINE,
  recipes: RECIPES_ENGINE,
  zab: ZAB_ENGINE,
  'zab-search': ZAB_SEARCH_ENGINE,
};
