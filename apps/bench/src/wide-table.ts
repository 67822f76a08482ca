// The table with every spread: too wide for a terminal, right for a page.

import { type Column, decimals, latencyColumns, RATE, USAGE_COLUMNS } from './columns.ts';
import { type Row, ratioOfSides, type Side, scenarioTitle, spreadOfSide } from './rounds.ts';
import type { Spread } from './statistics.ts';

/** Rows of cells, the titles first. With two servers a third line holds the ratio of the pairs. */
export function tableOf(rows: readonly Row[]): string[][] {
  const titles = [RATE, ...latencyColumns(''), ...USAGE_COLUMNS].map(({ title }) => title);
  const table = [['workload', 'server', 'kind', ...titles]];
  for (const row of rows) {
    const kinds = Object.keys(row.sides[0]?.rounds[0]?.latency ?? {});
    for (const [index, kind] of kinds.entries()) {
      // Rate, CPU and memory are those of all kinds together: said once.
      const isFirst = index === 0;
      const columns = [
        ...(isFirst ? [RATE] : []),
        ...latencyColumns(kind),
        ...(isFirst ? USAGE_COLUMNS : []),
      ];
      const blank = isFirst ? [] : [''];
      const title = isFirst ? scenarioTitle(row.scenario) : '';
      for (const side of row.sides) {
        table.push([title, side.label, kind, ...blank, ...cellsOf(side, columns)]);
      }
      if (row.sides.length === 2)
        table.push([title, 'ratio', kind, ...blank, ...ratios(row, columns)]);
    }
  }
  return table;
}

function cellsOf(side: Side, columns: readonly Column[]): string[] {
  return columns.map(({ value, format }) => range(spreadOfSide(side, value), format));
}

function ratios(row: Row, columns: readonly Column[]): string[] {
  return columns.map(({ value }) => range(ratioOfSides(row, value), decimals(2)));
}

/** "median (min-max)", or the one value when there is no more than that. */
export function range(spread: Spread | undefined, format: (value: number) => string): string {
  if (spread === undefined) return '-';
  if (spread.values.length === 1) return format(spread.median);
  return `${format(spread.median)} (${format(spread.min)}-${format(spread.max)})`;
}

export function markdownTable(table: readonly string[][]): string {
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}
