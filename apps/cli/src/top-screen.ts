// The table of `zebu top`, as lines of text.

import type { MemberSample } from './member-sample.ts';

export interface TopRow {
  readonly sample: MemberSample;
  /** Requests a second since the sample before; undefined without one. */
  readonly rate: number | undefined;
  /** Txns behind the member that is farthest, or the epochs where they differ. */
  readonly lag: string;
}

const HEADS = [
  'SERVER',
  'ROLE',
  'ZXID',
  'LAG',
  'CONNS',
  'SESSIONS',
  'REQ/S',
  'AVG MS',
  'MAX MS',
  'QUEUE',
  'WATCHES',
  'ZNODES',
] as const;
/** Of the first, which are text; the others are numbers and stand to the right. */
const TEXTS = 3;
const COUNTER_BITS = 32n;

export function topRows(now: readonly MemberSample[], before: readonly MemberSample[]): TopRow[] {
  let newest = 0n;
  for (const { zxid } of now) if (zxid !== undefined && zxid > newest) newest = zxid;
  return now.map((sample, index) => ({
    sample,
    rate: rateOf(sample, before[index]),
    lag: lagOf(sample.zxid, newest),
  }));
}

function rateOf(sample: MemberSample, before: MemberSample | undefined): number | undefined {
  if (sample.received === undefined || before?.received === undefined) return undefined;
  const seconds = (sample.atMs - before.atMs) / 1000;
  const requests = sample.received - before.received;
  // Fewer than before: the member was started anew.
  return seconds > 0 && requests >= 0 ? requests / seconds : undefined;
}

/** Counters of two epochs have nothing to do with each other. */
function lagOf(zxid: bigint | undefined, newest: bigint): string {
  if (zxid === undefined) return '-';
  const epochs = (newest >> COUNTER_BITS) - (zxid >> COUNTER_BITS);
  return epochs > 0n ? `${epochs} ep.` : String(newest - zxid);
}

/** Who leads. Members on their own lead nobody; two leaders are two ensembles, or one that is torn apart. */
export function leadershipText(rows: readonly TopRow[]): string {
  const serversAs = (role: string): string[] =>
    rows.filter(({ sample }) => sample.role === role).map(({ sample }) => sample.server);
  const leaders = serversAs('leader');
  const alone = serversAs('standalone');
  const texts: string[] = [];
  if (leaders.length > 0)
    texts.push(`${leaders.join(' and ')} ${leaders.length === 1 ? 'leads' : 'lead'}`);
  if (alone.length === 1) texts.push(`${alone[0]} is on its own`);
  if (alone.length > 1) texts.push(`${alone.length} are each on their own`);
  return texts.length === 0 ? 'nobody leads' : texts.join(', ');
}

/** Lines no longer than `columns`. */
export function topScreen(
  rows: readonly TopRow[],
  options: { title: string; columns: number; emphasize: (role: string, line: string) => string },
): string[] {
  const { title, columns, emphasize } = options;
  const cells = rows.map(({ sample, rate, lag }) => [
    sample.server,
    sample.role,
    sample.zxid === undefined ? (sample.problem ?? '-') : `0x${sample.zxid.toString(16)}`,
    lag,
    text(sample.connections),
    text(sample.sessions),
    rate === undefined ? '-' : rate.toFixed(rate < 10 ? 1 : 0),
    sample.latencyMs === undefined ? '-' : sample.latencyMs.average.toFixed(2),
    text(sample.latencyMs?.max),
    text(sample.outstanding),
    text(sample.watches),
    text(sample.znodes),
  ]);
  // A problem may be long: it takes the place of the figures, and not the width of a column.
  const widths = HEADS.map((head, column) =>
    Math.max(
      head.length,
      ...cells
        .filter((_, row) => column !== 2 || rows[row]?.sample.zxid !== undefined)
        .map((row) => (row[column] as string).length),
    ),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < TEXTS
          ? cell.padEnd(widths[column] as number)
          : cell.padStart(widths[column] as number),
      )
      .join('  ')
      .trimEnd()
      .slice(0, columns);
  const body = rows.map(({ sample }, index) => {
    const row = cells[index] as string[];
    const shown = sample.zxid === undefined ? row.slice(0, TEXTS) : row;
    return emphasize(sample.role, line(shown));
  });
  return [title.slice(0, columns), '', line(HEADS), ...body];
}

function text(value: number | undefined): string {
  return value === undefined ? '-' : String(value);
}
