// Makes a failing script short: drops steps, then requests of bursts, while the same kind of difference
// stays (ddmin, Zeller and Hildebrandt 2002). Every trial runs on two fresh servers.

import type { Difference, Outcome } from './run.ts';
import type { Script, Step } from './script.ts';

export interface ShrinkOptions {
  /** Runs a script from scratch. */
  run(script: Script): Promise<Outcome>;
  log?(line: string): void;
  /** Trials at most. */
  maxTrials?: number;
}

/** The shortest outcome found that still differs in the same way as `failing`. */
export async function shrink(
  failing: Outcome,
  { run, log = () => {}, maxTrials = 150 }: ShrinkOptions,
): Promise<Outcome> {
  if (failing.difference === undefined) return failing;
  const wanted = signature(failing.difference, failing.script);
  let best = failing;
  let trials = 0;
  const attempt = async (script: Script): Promise<boolean> => {
    if (trials >= maxTrials || script.length === 0) return false;
    trials++;
    const outcome = await run(script);
    if (outcome.difference === undefined) return false;
    if (signature(outcome.difference, outcome.script) !== wanted) return false;
    best = outcome;
    return true;
  };

  // Most failures need little of what came long before: keep only the end first.
  for (let keep = 1; keep < best.script.length; keep *= 4) {
    if (await attempt(best.script.slice(-keep))) break;
  }
  for (let parts = 2; best.script.length > 1 && trials < maxTrials; ) {
    const size = Math.ceil(best.script.length / parts);
    let isShorter = false;
    for (let start = 0; start < best.script.length; ) {
      const without = best.script.filter((_, index) => index < start || index >= start + size);
      if (await attempt(without)) isShorter = true;
      else start += size;
    }
    log(`  shrink: ${best.script.length} steps after ${trials} trials`);
    if (!isShorter && size === 1) break;
    parts = Math.min(best.script.length, isShorter ? Math.max(2, parts) : parts * 2);
  }
  await shrinkBursts(() => best.script, attempt);
  return best;
}

async function shrinkBursts(
  script: () => Script,
  attempt: (script: Script) => Promise<boolean>,
): Promise<void> {
  for (let index = 0; index < script().length; index++) {
    for (let at = 0; ; ) {
      const step = script()[index];
      if (step?.kind !== 'burst' || at >= step.requests.length || step.requests.length === 1) break;
      const shorter: Step = { ...step, requests: step.requests.filter((_, other) => other !== at) };
      if (!(await attempt(script().map((old, other) => (other === index ? shorter : old))))) at++;
    }
  }
}

/** What makes two differences the same one: where it was, and the kinds of the first lines that differ. */
function signature(difference: Difference, script: Script): string {
  const step = script[difference.index];
  const op = step?.kind === 'request' ? step.request.op : (step?.kind ?? 'end');
  const at = difference.reference.findIndex((line, index) => line !== difference.subject[index]);
  const kinds = [difference.reference[at], difference.subject[at]].map(kindOf);
  return `${difference.where} ${op} ${kinds.join(' / ')}`;
}

/** A line without slots, numbers and texts: `reply err=NONODE`. */
function kindOf(line: string | undefined): string {
  if (line === undefined) return 'nothing';
  const err = /err=(\S+)/.exec(line)?.[1] ?? '';
  const kind =
    /(reply|event \w+|connected|connection closed|no reply|undecodable)/.exec(line)?.[1] ?? '';
  return `${kind} ${err}`;
}
