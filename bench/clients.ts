// @zebu/client beside npm's two others, against one zebu server: each in a process of its own, all on the same Node,
// in turns. And what @zebu/client alone has to answer for: watches, the time until it is connected, its size.
//
//   node --conditions=@zebu/source bench/clients.ts [options]
//
//   --rounds N      turns, whose middle counts (default 5)
//   --seconds N     of each measurement (default 3)
//   --write FILE    put the table into a Markdown file, between its clients markers
//
// Needs a build, and node packages/conformance/setup.mjs npm. Meant for a machine that does nothing else.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { markdownTable } from '../apps/bench/src/wide-table.ts';
import { npmClients } from '../packages/conformance/src/tools.ts';
import { startServer } from './servers.ts';
import { writeBetween } from './write-between.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    write: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const root = join(import.meta.dirname, '..');
const { folder, node } = npmClients();
const LIBRARIES = ['zebu', 'node-zookeeper-client', 'zookeeper'] as const;

/** One library, one measurement, in a process of its own. */
function measure(
  library: string,
  address: string,
  what: string,
  flags: readonly string[] = [],
): Record<string, number> {
  const script = join(import.meta.dirname, 'drivers', 'client-load.mjs');
  const client = join(root, 'packages', 'client', 'dist', 'index.js');
  const output = execFileSync(node, [...flags, script, library, address, what, values.seconds], {
    encoding: 'utf8',
    env: {
      ...process.env,
      NODE_PATH: join(folder, 'node_modules'),
      ZEBU_CLIENT: pathToFileURL(client).href,
    },
  });
  return JSON.parse(output.trim().split('\n').at(-1) as string);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;
}

/** How large the packed package is, in bytes. */
function packedBytes(folderForIt: string): number {
  const packed = execFileSync('pnpm', ['pack', '--pack-destination', folderForIt, '--json'], {
    cwd: join(root, 'packages', 'client'),
    encoding: 'utf8',
  });
  return statSync((JSON.parse(packed) as { filename: string }).filename).size;
}

const scratch = mkdtempSync(join(tmpdir(), 'zebu-clients-'));
const server = await startServer('zebu', { dataDir: join(scratch, 'data') });
try {
  const address = `${server.address.host}:${server.address.port}`;
  const rows: string[][] = [
    [
      'what',
      'unit',
      '@zebu/client',
      'node-zookeeper-client',
      'zookeeper',
      'against the better',
      'to reach',
    ],
  ];
  const compared = [
    ['gets, 1,000 in flight', 'calls/s', 'gets', 'perSecond', 'at least 3'],
    ['gets one by one, p50', 'us', 'ping-pong', 'p50us', 'at most 0.9'],
    ['creates, 100 in flight', 'calls/s', 'creates', 'perSecond', 'at least 1.5'],
  ] as const;
  for (const [title, unit, what, figure, goal] of compared) {
    const figures = new Map<string, number[]>(LIBRARIES.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of LIBRARIES) {
        figures.get(name)?.push(measure(name, address, what)[figure] as number);
      }
    }
    const [own, ...others] = LIBRARIES.map((name) => median(figures.get(name) as number[])) as [
      number,
      ...number[],
    ];
    const better = figure === 'p50us' ? Math.min(...others) : Math.max(...others);
    rows.push([
      title,
      unit,
      ...[own, ...others].map((value) => Math.round(value).toLocaleString('en')),
      (own / better).toFixed(2),
      goal,
    ]);
  }
  const alone = [
    ['memory of one of 10,000 armed watches', 'bytes', 'watches', 'bytesEach', 'stated'],
    ['100,000 watches set again after a reconnect', 'ms', 'rearm', 'rearmMs', 'under 2,000'],
    ['import until connected', 'ms', 'connect', 'connectMs', 'under 120'],
  ] as const;
  for (const [title, unit, what, figure, goal] of alone) {
    const all = Array.from(
      { length: rounds },
      () => measure('zebu', address, what, ['--expose-gc'])[figure] as number,
    );
    rows.push([title, unit, Math.round(median(all)).toLocaleString('en'), '', '', '', goal]);
  }
  const size = packedBytes(scratch);
  rows.push(['packed size', 'kB', (size / 1000).toFixed(0), '', '', '', 'under 150']);
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const text = `${machineLine(describeMachine())} The clients ran on Node ${version}. Medians of ${rounds}.\n\n${markdownTable(rows)}`;
  console.log(text);
  if (values.write !== undefined) writeBetween(values.write, 'clients', text);
} finally {
  await server.stop();
  rmSync(scratch, { recursive: true });
}
