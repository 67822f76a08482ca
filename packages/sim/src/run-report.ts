// What many runs came to, added up, and the text of it.

import type { Outcome, RunFailure } from './engines.ts';

interface Sums {
  steps: number;
  virtualMs: number;
  starts: number;
  txns: number;
  lostTxns: number;
}

export class RunTotals {
  runs = 0;
  readonly failures: RunFailure[] = [];
  readonly #sum: Sums = { steps: 0, virtualMs: 0, starts: 0, txns: 0, lostTxns: 0 };
  /** In how many runs each misfortune happened. */
  readonly #seen = new Map<string, number>();
  #withLoss = 0;

  add({ report, failure }: Outcome): void {
    this.runs++;
    if (report === undefined) {
      if (failure !== undefined) this.failures.push(failure);
      return;
    }
    for (const field of Object.keys(this.#sum) as (keyof Sums)[]) {
      this.#sum[field] += report[field];
    }
    if (report.lostTxns > 0) this.#withLoss++;
    for (const name of new Set(report.misfortunes)) {
      this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
    }
  }

  /** `faults` are those that could have happened; what never did is said. */
  format(faults: readonly string[], seconds: number): string {
    const { steps, virtualMs, starts, txns, lostTxns } = this.#sum;
    const clean = this.runs - this.failures.length;
    const lines = [
      `${this.runs} runs in ${seconds.toFixed(1)} s (${(this.runs / seconds).toFixed(1)} a second): ` +
        (this.failures.length === 0 ? 'none failed' : `${this.failures.length} FAILED`),
      '',
      `  in the ${clean} that did not fail:`,
      `  ${(virtualMs / 3_600_000).toFixed(2)} hours of virtual time, ${count(steps)} steps`,
      `  ${count(starts)} starts, ${count(txns)} txns kept at the end`,
      `  ${count(lostTxns)} txns lost in a crash before they were acknowledged, in ${count(this.#withLoss)} runs`,
      '',
      '  runs in which it happened:',
      ...[...this.#seen]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, times]) => `  ${String(times).padStart(8)}  ${name}`),
    ];
    const never = faults.filter((name) => !this.#seen.has(name));
    if (never.length > 0) lines.push('', `  never happened: ${never.join(', ')}`);
    return `${lines.join('\n')}\n`;
  }
}

/** A failure with the end of its transcript, to be read by a person. */
export function formatFailure(failure: RunFailure, planFile: string): string {
  return [
    `Seed ${failure.seed} failed: ${failure.message}`,
    '',
    failure.transcript,
    '',
    ...failure.stack
      .split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 8),
    '',
    `  the same seed:        npm run sim -- --seed ${failure.seed}`,
    `  this, made smaller:   npm run sim -- --plan ${planFile}`,
    '',
  ].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
