// The table for a terminal: medians, and the spread of the rate, in fewer than 100 columns.
//
//   get 64x16            per second  spread             p50 ms  p99 ms ...
//     zebu                  622,369  601,220-640,113      1.57    3.41
//     apache                 85,020  82,410-88,900        11.2    20.4
//     ratio                    7.32  7.01-7.60            0.14    0.17
//
// With one server its figures stand beside the name of the row.

import { decimals, latencyColumns, RATE, USAGE_COLUMNS } from './columns.ts';
import { type Row, ratioOfSides, scenarioTitle, spreadOfSide } from './rounds.ts';
import type { Spread } from './statistics.ts';

/** No line of the table is longer. */
export const TABLE_COLUMNS = 99;

const NAME_COLUMNS = 20;
const GAP = ' ';

interface NarrowColumn {
  readonly title: string;
  readonly columns: number;
}

const COLUMNS: readonly NarrowColumn[] = [
  { title: 'per sec', columns: 9 },
  { title: 'spread', columns: 19 },
  { title: 'p50 ms', columns: 6 },
  { title: 'p99', columns: 6 },
  { title: 'p99.9', columns: 6 },
  { title: 'max', columns: 6 },
  { title: 'CPU us', columns: 7 },
  { title: 'RSS MB', columns: 6 },
  { title: 'peak', columns: 5 },
];

export function formatNarrowTable(rows: readonly Row[]): string[] {
  return [
    line(
      '',
      COLUMNS.map(({ title }) => title),
    ),
    ...rows.flatMap(linesOf),
  ];
}

function linesOf(row: Row): string[] {
  const title = scenarioTitle(row.scenario);
  const [only, other] = row.sides;
  const kinds = Object.keys(only?.rounds[0]?.latency ?? {});
  const hasKinds = kinds.length > 1;
  const lines = other === undefined ? [] : [line(title, [])];
  for (const [index, kind] of kinds.entries()) {
    const isFirst = index === 0;
    const nameOf = (name: string) => {
      const text = hasKinds ? `${shortened(name, NAME_COLUMNS - 3 - kind.length)} ${kind}` : name;
      return other === undefined ? text : `  ${text}`;
    };
    // Rate, CPU and memory are those of all kinds together: said once.
    const figures = (
      spread: (column: { value: typeof RATE.value }) => Spread | undefined,
      format?: (value: number) => string,
    ): string[] => {
      const median = (column: typeof RATE) => {
        const value = spread(column)?.median;
        return value === undefined ? '-' : (format ?? column.format)(value);
      };
      return [
        ...(isFirst ? [median(RATE), rangeOf(spread(RATE), format ?? RATE.format)] : ['', '']),
        ...latencyColumns(kind).map(median),
        ...(isFirst ? USAGE_COLUMNS.map(median) : []),
      ];
    };
    if (other === undefined) {
      const name = isFirst || hasKinds ? nameOf(isFirst ? title : '') : '';
      lines.push(
        line(
          name,
          figures(({ value }) => spreadOfSide(only, value)),
        ),
      );
      continue;
    }
    for (const side of row.sides) {
      lines.push(
        line(
          nameOf(side.label),
          figures(({ value }) => spreadOfSide(side, value)),
        ),
      );
    }
    const ratios = figures(({ value }) => ratioOfSides(row, value), decimals(2));
    lines.push(line(nameOf('ratio'), ratios));
  }
  return lines;
}

function rangeOf(spread: Spread | undefined, format: (value: number) => string): string {
  if (spread === undefined || spread.values.length < 2) return '';
  return `${format(spread.min)}-${format(spread.max)}`;
}

function line(name: string, cells: readonly string[]): string {
  const padded = cells.map((cell, index) => cell.padStart(COLUMNS[index]?.columns ?? 0));
  return [shortened(name, NAME_COLUMNS).padEnd(NAME_COLUMNS), ...padded].join(GAP).trimEnd();
}

/** Cut in the middle: what tells two addresses apart is often the port. */
function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const tail = Math.min(6, length >> 1);
  return `${text.slice(0, length - tail - 1)}…${text.slice(text.length - tail)}`;
}
