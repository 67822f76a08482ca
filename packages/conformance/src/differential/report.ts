// A difference for people.

import type { Outcome } from './run.ts';
import { describeScript, describeStep } from './script.ts';

/** The step that differed and what either server said; with `all` the whole script before it. */
export function reportDifference(
  outcome: Outcome,
  { all = false }: { all?: boolean } = {},
): string {
  const { difference, script } = outcome;
  if (difference === undefined) return 'No difference';
  const step = script[difference.index];
  const before = all ? describeScript(script) : step === undefined ? '' : describeStep(step);
  const lines: string[] = [];
  const length = Math.max(difference.reference.length, difference.subject.length);
  for (let i = 0; i < length; i++) {
    const expected = difference.reference[i];
    const actual = difference.subject[i];
    if (expected === actual) {
      lines.push(`    ${expected}`);
    } else {
      if (expected !== undefined) lines.push(`  - ${expected}`);
      if (actual !== undefined) lines.push(`  + ${actual}`);
    }
  }
  return `${before}\nDifference at ${difference.where} ${difference.index} (- reference, + subject):\n${lines.join('\n')}`;
}
