// How fast a lock goes from hand to hand: @zebu/recipes, kazoo and Curator, each with all contenders in one process and
// a session for each contender, on one zebu server.
//
//   node --conditions=@zebu/source bench/locks.ts [--rounds 5] [--seconds 4] [--contenders 2,50]
//
// The three take turns round by round, each round in another order, so that what disturbs the machine disturbs all.
// Rates are medians over the rounds; behind them is the range.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { startServer } from './servers.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    contenders: { type: 'string', default: '2,50' },
  },
});
const rounds = Number(values.rounds);
const widths = values.contenders.split(',').map(Number);

const drivers = join(import.meta.dirname, 'drivers');
const tools = join(import.meta.dirname, '..', '.tools', 'interop');
const logback = join(import.meta.dirname, '..', 'packages/conformance/foreign/logback.xml');

/** What starts each, before its arguments. */
const COMMANDS = {
  zebu: [process.execPath, '--conditions=@zebu/source', join(drivers, 'locks.ts')],
  kazoo: [join(tools, 'kazoo', 'bin', 'python'), join(drivers, 'locks.py')],
  Curator: [
    ...['java', '-XX:+UseSerialGC', '-Dzebu.log=OFF', `-Dlogback.configurationFile=${logback}`],
    ...['-cp', join(tools, 'curator-5.9.0', 'lib', '*'), join(drivers, 'Locks.java')],
  ],
} as const satisfies Record<string, readonly string[]>;
type Contestant = keyof typeof COMMANDS;
const CONTESTANTS = Object.keys(COMMANDS) as Contestant[];

const home = mkdtempSync(join(tmpdir(), 'zebu-locks-'));
const server = await startServer('zebu', {
  dataDir: join(home, 'zebu'),
  config: { maxClientCnxns: '0' },
});
try {
  console.log(machineLine(describeMachine()));
  console.log(
    `load at the start: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  console.log(`| contenders | ${CONTESTANTS.join(' | ')} | zebu / the better |`);
  console.log('| --- | --- | --- | --- | --- |');
  for (const width of widths) compare(width);
  console.log(
    `load at the end: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
} finally {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
}

function compare(width: number): void {
  const rates: Record<Contestant, number[]> = { zebu: [], kazoo: [], Curator: [] };
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < CONTESTANTS.length; i++) {
      const who = CONTESTANTS[(round + i) % CONTESTANTS.length] as Contestant;
      rates[who].push(measure(who, `/${who}-${width}-${round}`, width));
    }
  }
  const cells = CONTESTANTS.map((who) => {
    const sorted = rates[who].toSorted((a, b) => a - b);
    const [least, most] = [sorted[0], sorted.at(-1)].map((rate) => (rate as number).toFixed(0));
    return `${median(sorted).toFixed(0)} (${least}..${most})`;
  });
  const better = Math.max(median(rates.kazoo), median(rates.Curator));
  const ratio = (median(rates.zebu) / better).toFixed(2);
  console.log(`| ${width} | ${cells.join(' | ')} | ${ratio} |`);
}

/** Hand-overs a second. */
function measure(who: Contestant, path: string, width: number): number {
  const [command, ...args] = COMMANDS[who] as readonly string[] as [string, ...string[]];
  const { host, port } = server.address;
  const all = [...args, `${host}:${port}`, path, String(width), values.seconds];
  return Number(execFileSync(command, all, { encoding: 'utf8', timeout: 180_000 }));
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}
