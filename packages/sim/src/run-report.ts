// What many runs came to, added up, and the text of it.

import type { Outcome, RunFailure } from './engines.ts';

interface Seen {
  runs: number;
  times: number;
}

export class RunTotals {
  runs = 0;
  readonly failures: RunFailure[] = [];
  private readonly sums = new Map<string, number>();
  private readonly seen = new Map<string, Seen>();

  add({ report, failure }: Outcome): void {
    this.runs++;
    if (failure !== undefined) {
      this.failures.push(failure);
      return;
    }
    for (const [name, value] of Object.entries(report.sums)) {
      this.sums.set(name, (this.sums.get(name) ?? 0) + value);
    }
    for (const [name, times] of Object.entries(report.seen)) {
      const one = this.seen.get(name) ?? { runs: 0, times: 0 };
      this.seen.set(name, { runs: one.runs + 1, times: one.times + times });
    }
  }

  /** What should have happened in some run, and did in none. */
  missing(expected: readonly string[]): string[] {
    return expected.filter((name) => !this.seen.has(name));
  }

  /** `expected` is what should have happened in some run; what never did is said. */
  format(expected: readonly string[], seconds: number): string {
    const failed = this.failures.length;
    const sums = [...this.sums].map(([name, value]) => `${count(value)} ${name}`);
    const lines = [
      `${this.runs} runs in ${seconds.toFixed(1)} s (${(this.runs / seconds).toFixed(1)} a second): ` +
        (failed === 0 ? 'none failed' : `${failed} FAILED`),
      `${sums.join(', ')}${failed === 0 ? '' : ' in those that did not fail'}`,
      '',
      '    runs     times',
      ...[...this.seen]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, { runs, times }]) => `${padded(runs, 8)}${padded(times, 10)}  ${name}`),
    ];
    const never = this.missing(expected);
    if (never.length > 0) lines.push('', `Never happened: ${never.join(', ')}`);
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
    `This plan again: npm run sim -- --plan ${planFile}`,
    '',
  ].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function padded(value: number, columns: number): string {
  return count(value).padStart(columns);
}

/** In how many of the seeds each planted defect was found, and by what. */
export function formatPlants(
  plants: ReadonlyMap<string, RunTotals>,
  seeds: { readonly from: number; readonly count: number },
): string {
  const rows = [...plants].map(([name, { failures }]) => {
    const kinds = new Map<string, number>();
    for (const { kind } of failures) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const by = [...kinds].sort(([, a], [, b]) => b - a).map(([kind]) => kind);
    return `| ${name} | ${failures.length} | ${by.join(', ') || 'NOTHING'} |`;
  });
  const heading = `| plant | seeds, of ${seeds.from} to ${seeds.from + seeds.count - 1} | found by |`;
  return `${[heading, '| --- | --- | --- |', ...rows].join('\n')}\n`;
}
