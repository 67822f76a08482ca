// The engine of the cores alone, as the command runs it.

import type { Engine, Outcome, RunFailure } from '../engines.ts';
import { minimize } from '../shrink.ts';
import { drawPlan, type ZabPlan } from './plan.ts';
import { runZabSeed, type ZabSeedResult } from './run-zab-seed.ts';

/** Lines of the trace that a failure is shown with. */
const KEPT_LINES = 60;

export const ZAB_ENGINE: Engine = {
  summary: 'the core of the ensemble protocol alone: many more seeds a second',
  members: undefined,
  expected: ['election', 'DIFF', 'TRUNC', 'SNAP', 'barrier', 'torn batch', 'wiped'],
  runSeed: async (seed) => outcomeOf(drawPlan(seed)),
  checkPlan: (plan) => void parsePlan(plan),
  runPlan: async (plan) => outcomeOf(parsePlan(plan)),
  shrink: async (failure, onStep) => {
    const plan = parsePlan(failure.plan);
    let runs = 0;
    const faults = await minimize(plan.faults, async (kept) => {
      runs++;
      const { failure: other } = runZabSeed(plan.seed, { plan: { ...plan, faults: kept } });
      if (other?.checker !== failure.kind) return false;
      onStep({ runs, faults: kept.length, requests: 0 });
      return true;
    });
    return outcomeOf({ ...plan, faults }).failure ?? failure;
  },
};

function outcomeOf(plan: ZabPlan): Outcome {
  const result = runZabSeed(plan.seed, { plan });
  return result.failure === undefined
    ? { report: summaryOf(result) }
    : { failure: failureOf(plan, result.failure) };
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
    plan: `${JSON.stringify({ format: 'zebu-sim/1', engine: 'zab', ...plan }, undefined, 1)}\n`,
  };
  return failure;
}

function parsePlan(text: string): ZabPlan {
  const { format, engine, ...plan } = JSON.parse(text) as ZabPlan & {
    format: string;
    engine: string;
  };
  if (format !== 'zebu-sim/1' || engine !== 'zab') {
    throw new Error(`it is a plan of format ${format} for engine ${engine}`);
  }
  if (!Number.isSafeInteger(plan.voters) || !Array.isArray(plan.faults)) {
    throw new Error('it lacks voters or faults');
  }
  return plan;
}
