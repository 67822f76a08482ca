// The engine of the cores alone, as the command runs it.

import { PLANTS, type Plant } from '@zebu/zab';
import type { Engine, Outcome, RunFailure } from '../engines.ts';
import { minimize } from '../shrink.ts';
import { drawPlan, formatZabPlan, parseZabPlan, type ZabPlan } from './plan.ts';
import { runZabSeed, type ZabSeedResult } from './run-zab-seed.ts';
import { CRASH_CASES, planOfCase, SEARCH_CASES } from './search.ts';

/** Lines of the trace that a failure is shown with. */
const KEPT_LINES = 60;

/**
 * What must have been met. Of the rows of the sync table the others cannot be met among members whose histories have no
 * holes and whose zxids are those of txns: sync-plan.test.ts of zab has them.
 */
const EXPECTED = [
  'election',
  'DIFF',
  'TRUNC',
  'SNAP',
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
  'barrier',
  'torn batch',
  'tree discarded',
  'tentative tree',
  'wiped',
  'discarded',
  'ack -1',
  'leave: zxid-rollover',
  'leave: higher-epoch-seen',
  'leave: disk-stalled',
  'close: learner-ahead',
];

export const ZAB_ENGINE: Engine = {
  summary: 'the core of the ensemble protocol alone: many more seeds a second',
  members: undefined,
  expected: EXPECTED,
  plants: PLANTS,
  runSeed: async (seed, _members, plant) => outcomeOf(drawPlan(seed), seed, plant as Plant),
  checkPlan: (plan) => void parseZabPlan(plan),
  runPlan: async (plan) => outcomeOf(parseZabPlan(plan)),
  shrink: async (failure, onStep) => {
    const plan = parseZabPlan(failure.plan);
    let runs = 0;
    const failsWith = (smaller: ZabPlan): boolean => {
      runs++;
      const { failure: other } = runZabSeed(plan.seed, { plan: smaller });
      if (other?.checker !== failure.kind) return false;
      const { faults, triggers, strikes } = smaller;
      onStep({ runs, faults: faults.length + triggers.length + strikes.length, requests: 0 });
      return true;
    };
    const faults = await minimize(plan.faults, async (kept) =>
      failsWith({ ...plan, faults: kept }),
    );
    const triggers = await minimize(plan.triggers, async (kept) =>
      failsWith({ ...plan, faults, triggers: kept }),
    );
    const strikes = await minimize(plan.strikes, async (kept) =>
      failsWith({ ...plan, faults, triggers, strikes: kept }),
    );
    const smaller = { ...plan, faults, triggers, strikes };
    return { ...(outcomeOf(smaller).failure ?? failure), seed: failure.seed };
  },
};

/** The bounded search: a seed is the number of a case. */
export const ZAB_SEARCH_ENGINE: Engine = {
  ...ZAB_ENGINE,
  summary: `the core, searched: ${CRASH_CASES} cases of two crashes in a short run, then ${SEARCH_CASES} with a cut`,
  expected: ['election', 'DIFF', 'SNAP', 'fault: kill', 'fault: power-cut'],
  runSeed: async (seed, _members, plant) => outcomeOf(planOfCase(seed), seed, plant as Plant),
};

function outcomeOf(plan: ZabPlan, seed = plan.seed, plant?: Plant): Outcome {
  const result = runZabSeed(plan.seed, { plan, plant });
  return result.failure === undefined
    ? { report: { ...summaryOf(result), seed } }
    : { failure: { ...failureOf(plan, result.failure), seed } };
}

function summaryOf({ seed, hash, steps, ticks, coverage }: ZabSeedResult) {
  return { seed, hash, sums: { steps, 'virtual ticks': ticks }, seen: coverage };
}

/** Run again for its text. */
function failureOf(plan: ZabPlan, { checker, message }: { checker: string; message: string }) {
  const lines: string[] = [];
  runZabSeed(plan.seed, {
    plan,
    trace: (line) => {
      lines.push(line);
      if (lines.length > 2 * KEPT_LINES) lines.splice(0, KEPT_LINES);
    },
  });
  const failure: RunFailure = {
    seed: plan.seed,
    message: message.split('\n', 1)[0] ?? message,
    kind: checker,
    stack: message,
    transcript: lines.slice(-KEPT_LINES).join('\n'),
    plan: formatZabPlan(plan),
  };
  return failure;
}
