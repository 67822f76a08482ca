// What a run says: a narrow table of medians for a terminal, a wide one with every spread as Markdown, JSON
// for programs. The head says what was run, with what, on what; the end says what to think of it.

import { wholeNumber } from './columns.ts';
import { type Machine, machineLine } from './machine.ts';
import { formatNarrowTable, TABLE_COLUMNS } from './narrow-table.ts';
import { type Row, scenarioTitle, spreadOfSide } from './rounds.ts';
import { markdownTable, tableOf } from './wide-table.ts';

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
  /** What spoils figures, one sentence for each cause. */
  readonly warnings: readonly string[];
  /** How far the ratios can be trusted. */
  readonly notes: readonly string[];
  /** Why the run ended before its time; the rows are those measured until then. */
  readonly failure?: string;
}

/** Cores that others used above which a figure is not to be trusted. */
const BUSY_CORES = 0.15;
/** Share of one core that the driver used above which it, not the server, may be what was measured. */
const DRIVER_CORES = 0.95;

/** What a reader must know before believing the rows: one sentence for each cause, whatever the rows. */
export function warningsFor(rows: readonly Row[], servers: readonly ServerUnderTest[]): string[] {
  const warnings: string[] = [];
  for (const { label, pids } of servers) {
    if (pids.length > 0) continue;
    warnings.push(
      `${label}: pid unknown, so no CPU, no memory and no way to tell whether the machine was busy with something else; give --pid`,
    );
  }
  const busy: string[] = [];
  const limited: string[] = [];
  const failing: string[] = [];
  let busiest = 0;
  let mostErrors = 0;
  for (const row of rows) {
    for (const side of row.sides) {
      const where = `${scenarioTitle(row.scenario)} on ${side.label}`;
      const other = spreadOfSide(side, ({ usage }) => usage.otherCores);
      if (other !== undefined && other.max > BUSY_CORES) {
        busy.push(where);
        busiest = Math.max(busiest, other.max);
      }
      const driver = spreadOfSide(side, ({ usage }) => usage.driverCores);
      const server = spreadOfSide(side, ({ usage }) => usage.serverCores);
      const isServerIdle = server === undefined || server.median < DRIVER_CORES;
      if (driver !== undefined && driver.median > DRIVER_CORES && isServerIdle) limited.push(where);
      const errors = spreadOfSide(side, (figures) => figures.errors);
      if (errors !== undefined && errors.max > 0) {
        failing.push(where);
        mostErrors = Math.max(mostErrors, errors.max);
      }
    }
  }
  const measured = rows.reduce((sum, row) => sum + row.sides.length, 0);
  if (busy.length > 0) {
    warnings.push(
      `the machine was busy with something else, with up to ${busiest.toFixed(2)} cores, in ` +
        `${busy.length} of ${measured} measurements: their rates are too low and their latencies too high, ` +
        `p99 and above most of all, while CPU per request and ratios suffer less (${listed(busy)})`,
    );
  }
  if (limited.length > 0) {
    warnings.push(
      `the driver used a whole core and the server did not: the server can do more (${listed(limited)})`,
    );
  }
  if (failing.length > 0) {
    warnings.push(
      `answers were errors, up to ${wholeNumber(mostErrors)} in a round: those figures are of requests that ` +
        `did nothing (${listed(failing)})`,
    );
  }
  return warnings;
}

const LISTED = 4;

function listed(all: readonly string[]): string {
  const rest = all.length - LISTED;
  return all.slice(0, LISTED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

export function formatReport(report: Report): string {
  const spread = report.rounds === 1 ? '' : `; spread: smallest and largest rate`;
  const lines = [
    `$ ${report.command}`,
    `${report.startedAt}, ${machineLine(report.machine)}`,
    ...report.servers.map(serverLine),
    `rounds: ${report.rounds}${report.rounds === 1 ? '' : '; each figure is their median'}${spread}`,
    '',
    ...formatNarrowTable(report.rows),
    ...remarks(report).flatMap((remark) => ['', ...wrapped(remark)]),
  ];
  return `${lines.join('\n')}\n`;
}

export function formatMarkdown(report: Report): string {
  const paragraphs = remarks(report).map((remark) => `\n${remark}\n`);
  return markdownTable(tableOf(report.rows)) + paragraphs.join('');
}

function remarks({ notes, warnings, failure }: Report): string[] {
  return [
    ...notes,
    ...warnings.map((warning) => `warning: ${warning}`),
    ...(failure === undefined ? [] : [`incomplete: the run ended early (${failure})`]),
  ];
}

/** In lines of at most the width of the table, but for longer words. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= TABLE_COLUMNS) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function serverLine({ label, addresses, version, pids, commands }: ServerUnderTest): string {
  const pid = pids.length === 0 ? '' : `, pid ${pids.join(', ')}`;
  const command = commands.length === 0 ? '' : `: ${shorten(commands.join(' | '), 200)}`;
  return `${label}: ${addresses}, version ${version ?? 'unknown'}${pid}${command}`;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
