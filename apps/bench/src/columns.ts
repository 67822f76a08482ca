// The figures of a row that a table shows, and how each is printed.

import type { Figures } from './meter.ts';

export interface Column {
  readonly title: string;
  readonly value: (figures: Figures) => number | undefined;
  readonly format: (value: number) => string;
}

export const RATE: Column = { title: 'per second', value: ({ rate }) => rate, format: wholeNumber };

/** Of one kind of request. */
export function latencyColumns(kind: string): Column[] {
  return LATENCIES.map(([title, field]) => ({
    title,
    value: ({ latency }) => latency[kind]?.[field],
    format: significant,
  }));
}

const LATENCIES = [
  ['p50 ms', 'p50Ms'],
  ['p99 ms', 'p99Ms'],
  ['p99.9 ms', 'p999Ms'],
  ['max ms', 'maxMs'],
] as const;

export const USAGE_COLUMNS: readonly Column[] = [
  { title: 'CPU us', value: ({ usage }) => usage.serverCpuUs, format: decimals(2) },
  { title: 'RSS MB', value: ({ usage }) => megabytes(usage.rssBytes), format: decimals(0) },
  { title: 'peak MB', value: ({ usage }) => megabytes(usage.peakBytes), format: decimals(0) },
];

export function wholeNumber(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function decimals(digits: number): (value: number) => string {
  return (value) => value.toFixed(digits);
}

/** Three significant digits, never an exponent. */
export function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}

function megabytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 2 ** 20;
}
