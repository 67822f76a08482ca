// Medians, spreads and ratios. A figure is never shown without its spread, so these travel together.

/** The middle of some runs, with the smallest and the largest of them. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly values: readonly number[];
}

/** Throws RangeError on no values. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('No values to summarize');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number, values };
}

/**
 * Run by run, `first` over `second`: the runs of a pair were neighbours in time, so what disturbed the
 * machine disturbed both. Pairs whose second value is 0 are left out; undefined when none is left.
 */
export function ratioOf(first: readonly number[], second: readonly number[]): Spread | undefined {
  const ratios: number[] = [];
  for (let run = 0; run < Math.min(first.length, second.length); run++) {
    const divisor = second[run] as number;
    if (divisor !== 0) ratios.push((first[run] as number) / divisor);
  }
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}
