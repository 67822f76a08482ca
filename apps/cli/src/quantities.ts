// Sizes and ages as people write them.

import { usage } from './command-error.ts';

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** "512", "10k", "1M" in bytes. */
export function parseSize(text: string, option: string): number {
  const [, digits, unit = ''] = /^(\d+)([kmg]?)b?$/i.exec(text) ?? [];
  if (digits === undefined) throw usage(`${option} is "${text}": a size is as 512, 10k or 1M`);
  return Number(digits) * (SIZE_UNITS[unit.toLowerCase()] as number);
}

/** "30s", "5m", "2h", "1d" in milliseconds. */
export function parseAge(text: string, option: string): number {
  const [, digits, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (digits === undefined) throw usage(`${option} is "${text}": a time is as 30s, 5m, 2h or 1d`);
  return Number(digits) * (TIME_UNITS[unit as string] as number);
}

export function parseCount(text: string, option: string, fewest = 0): number {
  if (!/^\d+$/.test(text) || Number(text) < fewest) {
    throw usage(`${option} is "${text}": it must be a whole number from ${fewest} up`);
  }
  return Number(text);
}

/** 1536 as "1.5 KB". */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
