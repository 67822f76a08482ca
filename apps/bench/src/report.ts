// What a run says: a table for people, JSON for programs. Every figure is a median with the smallest and
// the largest of its rounds; the head says what was run, with what, on what.

import { type Machine, machineLine } from './machine.ts';
import type { Figures } from './meter.ts';
import { type Row, ratioOfSides, type Side, scenarioTitle, spreadOfSide } from './rounds.ts';
import type { Spread } from './statistics.ts';

export interface ServerUnderTest {
  readonly label: string;
  readonly addresses: string;
  readonly version: string | undefined;
  readonly pids: readonly number[];
  readonly commands: readonly string[];
}

export interface Report {
  readonly format: 'zebu-bench/1';
  readonly command: string;
  readonly startedAt: string;
  readonly machine: Machine;
  readonly servers: readonly ServerUnderTest[];
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly warnings: readonly string[];
}

/** Cores that others used above which a figure is not to be trusted. */
const BUSY_CORES = 0.15;
/** Share of one core that the driver used above which it, not the server, may be what was measured. */
const DRIVER_CORES = 0.95;

/** What a reader must know before believing the rows. */
export function warningsFor(rows: readonly Row[], servers: readonly ServerUnderTest[]): string[] {
  const warnings: string[] = [];
  for (const { label, pids } of servers) {
    if (pids.length > 0) continue;
    warnings.push(
      `${label}: pid unknown, so no CPU, no memory and no way to tell whether the machine was busy with something else; give --pid`,
    );
  }
  for (const row of rows) {
    for (const side of row.sides) {
      const where = `${scenarioTitle(row.scenario)} on ${side.label}`;
      const other = spreadOfSide(side, ({ usage }) => usage.otherCores);
      if (other !== undefined && other.max > BUSY_CORES) {
        warnings.push(
          `${where}: the machine was busy with something else (${range(other, decimals(2))} cores)`,
        );
      }
      const driver = spreadOfSide(side, ({ usage }) => usage.driverCores);
      const server = spreadOfSide(side, ({ usage }) => usage.serverCores);
      const isServerIdle = server === undefined || server.median < DRIVER_CORES;
      if (driver !== undefined && driver.median > DRIVER_CORES && isServerIdle) {
        warnings.push(
          `${where}: the driver used a whole core and the server did not: the server can do more`,
        );
      }
      const errors = spreadOfSide(side, (figures) => figures.errors);
      if (errors !== undefined && errors.max > 0) {
        warnings.push(`${where}: ${errors.max} answers of a round were errors`);
      }
    }
  }
  return warnings;
}

export function formatReport(report: Report): string {
  const lines = [
    `$ ${report.command}`,
    `${report.startedAt}, ${machineLine(report.machine)}`,
    ...report.servers.map(serverLine),
    `${report.rounds} rounds; each figure is the median (smallest-largest)`,
    '',
    ...formatTable(tableOf(report.rows)),
  ];
  for (const warning of report.warnings) lines.push('', `warning: ${warning}`);
  return `${lines.join('\n')}\n`;
}

function serverLine({ label, addresses, version, pids, commands }: ServerUnderTest): string {
  const pid = pids.length === 0 ? '' : `, pid ${pids.join(', ')}`;
  const command = commands.length === 0 ? '' : `: ${shorten(commands.join(' | '), 200)}`;
  return `${label}: ${addresses}, version ${version ?? 'unknown'}${pid}${command}`;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}

interface Column {
  readonly title: string;
  readonly value: (figures: Figures) => number | undefined;
  readonly format: (value: number) => string;
}

const LATENCIES = ['p50Ms', 'p99Ms', 'p999Ms', 'maxMs'] as const;

const USAGE_COLUMNS: readonly Column[] = [
  { title: 'CPU us', value: ({ usage }) => usage.serverCpuUs, format: decimals(2) },
  { title: 'RSS MB', value: ({ usage }) => megabytes(usage.rssBytes), format: decimals(0) },
  { title: 'peak MB', value: ({ usage }) => megabytes(usage.peakBytes), format: decimals(0) },
];

/** Rows of cells, the titles first. With two servers a third line holds the ratio of the pairs. */
export function tableOf(rows: readonly Row[]): string[][] {
  const titles = ['p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'];
  const table = [
    ['workload', 'server', 'kind', 'per second', ...titles, ...USAGE_COLUMNS.map((c) => c.title)],
  ];
  for (const row of rows) {
    const kinds = Object.keys(row.sides[0]?.rounds[0]?.latency ?? {});
    for (const [index, kind] of kinds.entries()) {
      // Rate, CPU and memory are those of all kinds together: said once.
      const isFirst = index === 0;
      const columns: Column[] = [
        ...(isFirst
          ? [{ title: 'rate', value: (figures: Figures) => figures.rate, format: wholeNumber }]
          : []),
        ...LATENCIES.map((field) => ({
          title: field,
          value: (figures: Figures) => figures.latency[kind]?.[field],
          format: significant,
        })),
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

export function formatTable(table: readonly string[][]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table.map((row) =>
    row
      .map((cell, column) =>
        column < 3
          ? cell.padEnd(widths[column] as number)
          : cell.padStart(widths[column] as number),
      )
      .join('  ')
      .trimEnd(),
  );
}

export function formatMarkdown(table: readonly string[][]): string {
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

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
