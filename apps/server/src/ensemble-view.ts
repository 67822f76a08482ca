/**
 * What `zebu-server ensemble` shows of its members: a table that is drawn again and again on a terminal, a line for
 * each change where the output is no terminal.
 */

/** A member as it was seen last. */
export interface MemberView {
  readonly id: number;
  readonly clientPort: number;
  /** `leader`, `follower`; `looking` while it serves nobody, `down` without a process. */
  readonly state: string;
  /** Hex, as the word srvr says it; undefined while it serves nobody. */
  readonly zxid: string | undefined;
  readonly connections: number | undefined;
  readonly znodes: number | undefined;
  /** Why its process ended; empty while it runs. */
  readonly note: string;
}

const CLEAR = '\x1b[H\x1b[J';

/** The whole screen. */
export function screen(
  members: readonly MemberView[],
  connectString: string,
  folder: string,
): string {
  const newest = members.reduce((most, { zxid }) => Math.max(most, parseZxid(zxid)), 0);
  const rows = members.map((member) => [
    `${member.id}`,
    `127.0.0.1:${member.clientPort}`,
    member.state,
    member.zxid ?? '-',
    lagOf(member, newest),
    `${member.connections ?? '-'}`,
    `${member.znodes ?? '-'}`,
    member.note,
  ]);
  const head = ['id', 'clients', 'state', 'zxid', 'behind', 'conns', 'znodes', ''];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
  return `${CLEAR}${[
    `A local ensemble of ${members.length}, data in ${folder}`,
    `Connect to ${connectString}`,
    '',
    line(head),
    ...rows.map(line),
    '',
    '1-9 kills a member as kill -9 does, or starts it again; q stops all',
    '',
  ].join('\n')}`;
}

/** What is new since the last look, a line for each member that changed its state. */
export function changes(
  before: readonly MemberView[],
  after: readonly MemberView[],
): readonly string[] {
  return after
    .filter(({ id, state }) => before.find((one) => one.id === id)?.state !== state)
    .map(({ id, state, zxid, note }) =>
      [
        `member ${id}: ${state}`,
        zxid === undefined ? '' : ` at ${zxid}`,
        note === '' ? '' : ` (${note})`,
      ].join(''),
    );
}

/** What the answer to srvr says; an empty object for a member that serves nobody. */
export function readSrvr(answer: string): {
  mode?: string;
  zxid?: string;
  connections?: number;
  znodes?: number;
} {
  const mode = /^Mode: (\w+)/m.exec(answer)?.[1];
  if (mode === undefined) return {};
  return {
    mode,
    zxid: /^Zxid: (0x[0-9a-f]+)/m.exec(answer)?.[1] ?? '0x0',
    connections: Number(/^Connections: (\d+)/m.exec(answer)?.[1] ?? 0),
    znodes: Number(/^Node count: (\d+)/m.exec(answer)?.[1] ?? 0),
  };
}

/** Txns that a member has not applied yet, where it is in the same epoch as the newest. */
function lagOf({ zxid }: MemberView, newest: number): string {
  if (zxid === undefined) return '-';
  const own = parseZxid(zxid);
  if (own === newest) return '0';
  return Math.floor(own / 2 ** 32) === Math.floor(newest / 2 ** 32)
    ? `${newest - own}`
    : 'an epoch';
}

function parseZxid(zxid: string | undefined): number {
  return zxid === undefined ? 0 : Number.parseInt(zxid.slice(2), 16);
}
