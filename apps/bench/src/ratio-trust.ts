// How far the ratios of a run can be trusted, in sentences for the report.
//
// Two sources. The pairs themselves: the interval from the smallest to the largest ratio of n pairs holds
// the true median with probability 1 - 2^(1-n), whatever the distribution. And each server against itself:
// its neighbouring rounds would have the ratio 1 on a machine without noise, so what they differ by is what
// two equal servers would differ by here.

import { type Row, ratioOfSides, scenarioTitle } from './rounds.ts';
import { spreadOf } from './statistics.ts';

/** Pairs whose interval holds the true ratio in 96 of 100 runs. */
const TRUSTED_PAIRS = 6;

/** What the smallest-to-largest interval of so many pairs is worth: 0 to 1. */
export function confidenceOf(pairs: number): number {
  return pairs < 1 ? 0 : 1 - 2 ** (1 - pairs);
}

/**
 * By what factor a server's rate differed between two of its neighbouring rounds: one value from 1 on for
 * each such two rounds of each side of each row.
 */
export function selfRatios(rows: readonly Row[]): number[] {
  const ratios: number[] = [];
  for (const { rounds } of rows.flatMap((row) => row.sides)) {
    for (let round = 1; round < rounds.length; round++) {
      const [before, after] = [rounds[round - 1]?.rate ?? 0, rounds[round]?.rate ?? 0];
      if (before > 0 && after > 0) ratios.push(Math.max(before / after, after / before));
    }
  }
  return ratios;
}

/** Empty where no ratio is shown. */
export function trustInRatios(rows: readonly Row[]): string[] {
  const rates = rows.flatMap((row) => {
    const spread = ratioOfSides(row, ({ rate }) => rate);
    return spread === undefined ? [] : [{ title: scenarioTitle(row.scenario), spread }];
  });
  if (rates.length === 0) return [];
  const pairs = Math.min(...rates.map(({ spread }) => spread.values.length));
  if (pairs === 1) {
    return [
      'ratios: of one pair each, so nothing says how far they can be trusted. Two equal servers have ' +
        `differed by 25 % in one pair; --rounds ${TRUSTED_PAIRS} gives each ratio an interval.`,
    ];
  }
  const notes = [
    `ratios: median of ${pairs} pairs (smallest-largest). That interval holds the true ratio in ` +
      `${Math.floor(100 * confidenceOf(pairs))} of 100 runs` +
      (pairs < TRUSTED_PAIRS
        ? `; with --rounds ${TRUSTED_PAIRS} in ${Math.floor(100 * confidenceOf(TRUSTED_PAIRS))}.`
        : '.'),
  ];
  const own = selfRatios(rows);
  if (own.length > 0) {
    const { median, max } = spreadOf(own);
    notes.push(
      `noise: a server's rate differed from its own in the round before by ${percent(median)} in the ` +
        `median and by up to ${percent(max)}: two equal servers would, too.`,
    );
  }
  const undecided = rates.filter(({ spread }) => spread.min <= 1 && spread.max >= 1);
  if (undecided.length > 0) {
    notes.push(
      `not told apart by their rates: ${undecided.map(({ title }) => title).join(', ')} ` +
        '(the interval holds 1).',
    );
  }
  return notes;
}

function percent(ratio: number): string {
  return `${((ratio - 1) * 100).toFixed(0)} %`;
}
