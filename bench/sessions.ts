// How fast sessions are opened: zebu beside Apache ZooKeeper, one after the other and many at a time.
//
//   node --conditions=@zebu/source bench/sessions.ts [--sessions 10000] [--block 250] [--at-a-time 1,64]
//
// The servers take turns block by block, each block in the other order, so that what disturbs the machine disturbs both.
// Rates and latencies are medians over the blocks. The sessions of a block stay open until it ends; a C program opens
// them (bench/drivers/zkconnect.c), which knows neither server.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { type RunningServer, startServer } from './servers.ts';

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '10000' },
    block: { type: 'string', default: '250' },
    'at-a-time': { type: 'string', default: '1,64' },
  },
});
const sessions = Number(values.sessions);
const block = Number(values.block);
const widths = values['at-a-time'].split(',').map(Number);
/** What a server closes after a block must not be part of the next. */
const PAUSE_MS = 100;

interface Block {
  readonly perSecond: number;
  readonly medianMs: number;
}

const home = mkdtempSync(join(tmpdir(), 'zebu-sessions-'));
const zkconnect = join(home, 'zkconnect');
execFileSync('cc', ['-O2', '-o', zkconnect, join(import.meta.dirname, 'drivers', 'zkconnect.c')]);
const config = { maxClientCnxns: '0' };
const servers = [
  await startServer('apache', { dataDir: join(home, 'apache'), config }),
  await startServer('zebu', { dataDir: join(home, 'zebu'), config }),
] as const;
try {
  console.log(machineLine(describeMachine()));
  console.log(
    '| sessions opened | | Apache | zebu | zebu / Apache |\n| --- | --- | --- | --- | --- |',
  );
  for (const width of widths) await compare(width);
} finally {
  for (const server of servers) await server.stop();
  rmSync(home, { recursive: true, force: true });
}

async function compare(width: number): Promise<void> {
  const blocks: [Block[], Block[]] = [[], []];
  // The first block of each is a warm-up: Java compiles in it.
  for (let round = 0; round <= sessions / block; round++) {
    for (const which of (round % 2 === 0 ? [0, 1] : [1, 0]) as (0 | 1)[]) {
      const measured = openBlock(servers[which], width);
      if (round > 0) blocks[which].push(measured);
      await delay(PAUSE_MS);
    }
  }
  const what = width === 1 ? 'one after the other' : `${width} at a time`;
  const [apache, zebu] = blocks.map((of) => ({
    perSecond: median(of.map(({ perSecond }) => perSecond)),
    medianMs: median(of.map(({ medianMs }) => medianMs)),
  })) as [Block, Block];
  row(what, 'sessions/s', apache.perSecond, zebu.perSecond, 0);
  row(what, 'p50 of one, ms', apache.medianMs, zebu.medianMs, 3);
}

function row(what: string, unit: string, apache: number, zebu: number, digits: number): void {
  const [theirs, ours] = [apache.toFixed(digits), zebu.toFixed(digits)];
  console.log(`| ${what} | ${unit} | ${theirs} | ${ours} | ${(zebu / apache).toFixed(2)} |`);
}

function openBlock({ address }: RunningServer, width: number): Block {
  const args = [address.port, block, width].map(String);
  const [perSecond, medianUs] = execFileSync(zkconnect, args, { encoding: 'utf8' })
    .split(' ')
    .map(Number);
  return { perSecond: perSecond as number, medianMs: (medianUs as number) / 1000 };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}
