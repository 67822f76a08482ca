// One screen of a cluster: who leads, how far each member is, how much it does. Redrawn until q or Ctrl-C.

import { setTimeout as delay } from 'node:timers/promises';
import { EXIT_CODES } from '../exit-codes.ts';
import { type MemberSample, sampleMember } from '../member-sample.ts';
import { parseAge } from '../quantities.ts';
import { leadershipText, type TopRow, topRows, topScreen } from '../top-screen.ts';
import type { Call, Run } from '../verb.ts';

const DEFAULT_INTERVAL_MS = 2000;
/** q, Q, Ctrl-C, Ctrl-D. */
const LEAVING_KEYS: readonly number[] = [0x71, 0x51, 0x03, 0x04];
const ENTER_SCREEN = '\u001b[?1049h\u001b[?25l';
const LEAVE_SCREEN = '\u001b[?25h\u001b[?1049l';

export const top: Run = async (call) => {
  const { words, out, session, signal } = call;
  const interval = words.value('--interval');
  const intervalMs =
    interval === undefined ? DEFAULT_INTERVAL_MS : parseAge(interval, '--interval');
  const { list, tls } = session.target;
  const sample = (): Promise<MemberSample[]> =>
    Promise.all(list.hosts.map((host) => sampleMember(host, tls)));
  const isScreen = out.isTty && !out.isJson && !words.has('--once');
  // Rates need two looks, and some time between them.
  let before: MemberSample[] = [];
  if (!isScreen) {
    before = await sample();
    await delay(intervalMs, undefined, { signal });
    const rows = topRows(await sample(), before);
    if (out.isJson) for (const row of rows) out.value(jsonOf(row));
    else out.lines(draw(call, rows, 1000));
    return rows.some(({ sample }) => sample.role !== 'down')
      ? undefined
      : EXIT_CODES['no-connection'];
  }
  return await onScreen(call, intervalMs, async () => {
    const now = await sample();
    const rows = topRows(now, before);
    before = now;
    return rows;
  });
};

async function onScreen(
  call: Call,
  intervalMs: number,
  look: () => Promise<TopRow[]>,
): Promise<undefined> {
  const { stdin, stdout } = process;
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  const onKey = (key: Buffer): void => {
    // Ctrl-C is a key like any other while the terminal is raw.
    if (LEAVING_KEYS.includes(key[0] as number)) leave();
  };
  let rows = await look();
  const redraw = (): void => {
    const lines = draw(call, rows, stdout.columns ?? 80).slice(0, (stdout.rows ?? 24) - 2);
    stdout.write(
      `\u001b[H${[...lines, '', 'q leaves'].map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`,
    );
  };
  call.signal.addEventListener('abort', leave);
  stdin.on('data', onKey);
  stdout.on('resize', redraw);
  stdin.setRawMode?.(true);
  stdout.write(ENTER_SCREEN);
  try {
    while (!leaving.signal.aborted) {
      redraw();
      await delay(intervalMs, undefined, { signal: leaving.signal }).catch(() => {});
      if (!leaving.signal.aborted) rows = await look();
    }
  } finally {
    stdout.write(LEAVE_SCREEN);
    stdin.setRawMode?.(false);
    stdin.off('data', onKey);
    stdin.pause();
    stdout.off('resize', redraw);
  }
  return undefined;
}

function draw(
  { out, session: { target } }: Call,
  rows: readonly TopRow[],
  columns: number,
): string[] {
  const up = rows.filter(({ sample }) => sample.zxid !== undefined).length;
  const where = target.source.startsWith('context ') ? target.source.slice(8) : target.list.servers;
  const title = `${where}: ${up} of ${rows.length} serve, ${leadershipText(rows)}`;
  return topScreen(rows, {
    title,
    columns,
    emphasize: (role, line) =>
      role === 'leader' || role === 'standalone'
        ? out.style('strong', line)
        : /down|not serving/.test(role)
          ? out.style('error', line)
          : line,
  });
}

function jsonOf({ sample, rate, lag }: TopRow): unknown {
  const { atMs: _, ...rest } = sample;
  return { ...rest, requestsPerSecond: rate, lag };
}
