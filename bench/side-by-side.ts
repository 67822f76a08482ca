// zebu beside Apache ZooKeeper, on this machine, in one run: the figures of docs/BENCHMARKS.md.
//
//   node --conditions=@zebu/source bench/side-by-side.ts [options]
//
//   --only GROUP[,...]     reads, writes, single, watch, memory, start, million (default: all)
//   --rounds N             runs of everything, of which the medians are reported (default 5)
//   --quick                1 round, short loads, 100,000 znodes: to see that it works, not to quote
//   --servers KIND[,...]   apache, zebu, floor (default: all); ratios need two of them
//   --dir DIR              where the data directories are made, on the disk to measure (default: a
//                          temporary one); removed at the end
//   --json FILE            every single run
//   --write FILE           put the table into a Markdown file, between its side-by-side markers
//
// The servers take turns, run by run, so that what disturbs the machine disturbs all of them; each runs
// with its defaults, fsync on. Requests come from zkload and zkwatch (bench/drivers), which know neither
// server; only the longest waits come from zebu-bench's own loop, since zkload has one histogram for all.
// All in all it takes about 45 minutes; a group of `reads` alone takes three.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { significant, wholeNumber } from '../apps/bench/src/columns.ts';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { processMemory } from '../apps/bench/src/process-stats.ts';
import { LoadScenario } from '../apps/bench/src/scenario.ts';
import { ratioOf, type Spread, spreadOf } from '../apps/bench/src/statistics.ts';
import { markdownTable, range } from '../apps/bench/src/wide-table.ts';
import { createWorkload } from '../apps/bench/src/workloads.ts';
import { BusyWatch } from './busy-watch.ts';
import { compileDrivers, type Drivers, type ZkloadFigures, zkload, zkwatch } from './drivers.ts';
import {
  type RunningServer,
  type ServerKind,
  type StartOptions,
  startServer,
  versionOf,
  whyNot,
} from './servers.ts';
import { writeBetween } from './write-between.ts';

interface Row {
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  /** What zebu's figure is divided by. */
  readonly against: 'apache' | 'floor';
  /** The ratio to reach. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The table of the first performance goals, in its order. */
const ROWS: readonly Row[] = [
  row('reads1', 'reads, 64 connections, 1 in flight', 'requests/s', { atLeast: 1.6 }),
  row('reads1.cpu', 'the same: server CPU per request', 'us', { atMost: 0.45 }),
  row('reads16', 'reads, 64 connections, 16 in flight', 'requests/s', { atLeast: 5 }),
  row('writes1', 'writes, fsync on, 64 connections, 1 in flight', 'requests/s', { atLeast: 1.5 }),
  row('writes16', 'writes, fsync on, 64 connections, 16 in flight', 'requests/s', { atLeast: 3 }),
  row('single.get', 'one connection, 1 in flight: p50 of get', 'ms', { atMost: 0.8 }),
  row('single.set', 'one connection, 1 in flight: p50 of set', 'ms', { atMost: 1 }),
  row('watch', 'one change to 10,000 watchers', 'events/s', { atLeast: 2.5 }),
  row('memory', 'memory after a minute of 70/30 load', 'MB', { atMost: 0.4 }),
  row('million.memory', 'memory with 1,000,000 znodes of 100 bytes', 'MB', { atMost: 0.5 }),
  row('start', 'start until it serves, empty', 's', { atMost: 0.5 }),
  row('million.start', 'start until it serves, 1,000,000 znodes', 's', { atMost: 0.5 }),
  row('million.get', 'longest wait of a get, 1,000,000 znodes, 70/30, snapshots', 'ms', {
    atMost: 0.3,
  }),
  row('million.set', 'longest wait of a set, the same', 'ms', { atMost: 0.3 }),
  row('floor1', 'share of the bare loop, reads, 1 in flight', 'requests/s', {
    atLeast: 0.8,
    against: 'floor',
  }),
  row('floor16', 'share of the bare loop, reads, 16 in flight', 'requests/s', {
    atLeast: 0.6,
    against: 'floor',
  }),
];

const GROUPS = ['reads', 'writes', 'single', 'watch', 'memory', 'start', 'million'] as const;
type Group = (typeof GROUPS)[number];

interface Settings {
  readonly groups: readonly Group[];
  readonly kinds: readonly ServerKind[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly loadSeconds: number;
  readonly znodes: number;
  readonly watchers: number;
  readonly dir: string;
}

/** row id -> server -> one value for each round */
type Values = Record<string, Partial<Record<ServerKind, number[]>>>;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: GROUPS.join(',') },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    servers: { type: 'string', default: 'apache,zebu,floor' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'string' },
    write: { type: 'string' },
  },
});

mkdirSync(options.dir, { recursive: true });
const dir = mkdtempSync(join(options.dir, 'zebu-side-by-side-'));
// A server that is left behind is stopped by `startServer`'s own exit handler.
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
const settings: Settings = {
  groups: options.only.split(',').map(groupNamed),
  kinds: options.servers.split(',') as ServerKind[],
  rounds: Number(options.rounds ?? (options.quick ? 1 : 5)),
  seconds: options.quick ? 2 : 5,
  warmUpSeconds: 1,
  loadSeconds: options.quick ? 10 : 60,
  znodes: options.quick ? 100_000 : 1_000_000,
  watchers: options.quick ? 1000 : 10_000,
  dir,
};
for (const kind of settings.kinds) {
  const missing = whyNot(kind);
  if (missing !== undefined) throw new Error(missing);
}
const values: Values = {};
const notes: string[] = [];
const busy = new BusyWatch();
const drivers = compileDrivers(dir);
const startedAt = new Date();
const versions = await runGroups(settings, drivers);
report();

async function runGroups(settings: Settings, drivers: Drivers): Promise<string[]> {
  const has = (...groups: Group[]) => groups.some((group) => settings.groups.includes(group));
  if (has('reads', 'writes', 'single')) await serving(settings, drivers);
  if (has('watch')) await watching(settings, drivers);
  if (has('start')) await starting(settings);
  if (has('memory')) await loading(settings);
  if (has('million')) await million(settings);
  return serverVersions(settings);
}

/** Requests per second and their times: the servers run side by side, only one of them has load. */
async function serving({ groups, kinds, rounds, ...settings }: Settings, drivers: Drivers) {
  const servers = await startAll(kinds, settings.dir, 'serving');
  const { seconds, warmUpSeconds } = settings;
  const measure = (server: RunningServer, mix: string, connections: number, window: number) =>
    busy.during(server, () =>
      zkload(drivers, server, { mix, connections, window, seconds, warmUpSeconds }),
    );
  // A JVM needs some ten seconds of load before it has compiled what matters.
  for (const server of servers) {
    const load = { connections: 64, window: 16, seconds: 5, warmUpSeconds: 0 };
    await zkload(drivers, server, { mix: 'read', ...load });
    if (server.kind !== 'floor') await zkload(drivers, server, { mix: 'write', ...load });
  }
  const plan: [
    Group,
    string,
    number,
    number,
    (figures: ZkloadFigures, kind: ServerKind) => void,
  ][] = [
    ['reads', 'read', 64, 1, recordReads('reads1', 'floor1')],
    ['reads', 'read', 64, 16, recordReads('reads16', 'floor16')],
    ['writes', 'write', 64, 1, ({ rate }, kind) => record('writes1', kind, rate)],
    ['writes', 'write', 64, 16, ({ rate }, kind) => record('writes16', kind, rate)],
    ['single', 'read', 1, 1, ({ p50Ms }, kind) => record('single.get', kind, p50Ms)],
    ['single', 'write', 1, 1, ({ p50Ms }, kind) => record('single.set', kind, p50Ms)],
  ];
  for (let round = 0; round < rounds; round++) {
    for (const [group, mix, connections, window, recordFigures] of plan) {
      if (!groups.includes(group)) continue;
      for (const server of servers) {
        if (server.kind === 'floor' && group !== 'reads') continue;
        recordFigures(await measure(server, mix, connections, window), server.kind);
      }
    }
  }
  for (const server of servers) await server.stop();
}

function recordReads(id: string, floorId: string) {
  return ({ rate, cpuUs }: ZkloadFigures, kind: ServerKind) => {
    if (kind !== 'floor') {
      record(id, kind, rate);
      if (id === 'reads1') record('reads1.cpu', kind, cpuUs);
    }
    if (kind !== 'apache') record(floorId, kind, rate);
  };
}

/** Fan-out. zkwatch does not close its sessions, so each run waits until those of the last expired. */
async function watching(settings: Settings, drivers: Drivers) {
  const kinds = settings.kinds.filter((kind) => kind !== 'floor');
  const sessionMs = 15_000;
  const config = { maxSessionTimeout: String(sessionMs) };
  const servers = await startAll(kinds, settings.dir, 'watching', { config });
  const { watchers } = settings;
  for (const server of servers) await zkwatch(drivers, server, { watchers: 1000, changes: 20 });
  for (let round = 0; round < settings.rounds; round++) {
    for (const server of servers) {
      await delay((sessionMs + 4000) / servers.length);
      record('watch', server.kind, await zkwatch(drivers, server, { watchers, changes: 5 }));
    }
  }
  for (const server of servers) await server.stop();
}

async function starting(settings: Settings) {
  // One start that does not count: the first reads everything from the disk.
  for (let round = -1; round < settings.rounds; round++) {
    for (const kind of settings.kinds.filter((kind) => kind !== 'floor')) {
      const server = await start(kind, settings.dir, `start${round}`);
      await server.stop();
      if (round >= 0) record('start', kind, server.startMs / 1000);
    }
  }
}

async function loading(settings: Settings) {
  for (let round = 0; round < settings.rounds; round++) {
    for (const kind of settings.kinds.filter((kind) => kind !== 'floor')) {
      const server = await start(kind, settings.dir, `memory${round}`);
      const scenario = mixedLoad(1000, 128, { window: 16, seconds: settings.loadSeconds });
      await scenario.prepare(server.target);
      await scenario.run(server.target);
      record('memory', kind, rssMb(server));
      await server.stop();
    }
  }
}

/**
 * Fill, weigh, load with snapshots going on, stop and start again; a fresh server each time. What is on disk stays
 * until the end, two gigabytes a time: on a file system that tells the disk what was deleted (mount option
 * `discard`), a deletion of gigabytes makes each sync of the next minute wait for 20 to 180 ms.
 */
async function million(settings: Settings) {
  const { znodes, dir, rounds } = settings;
  const seconds = settings.loadSeconds / 2;
  for (let round = 0; round < rounds; round++) {
    for (const kind of settings.kinds.filter((kind) => kind !== 'floor')) {
      const name = `million${round}`;
      const server = await start(kind, dir, name);
      const scenario = mixedLoad(znodes, 100, { window: 1, seconds });
      await scenario.prepare(server.target);
      // What a server has left to the system to write is written now, not while the next one is measured.
      execFileSync('sync');
      await delay(5000);
      record('million.memory', kind, rssMb(server));
      const before = snapshotsIn(join(dir, kind, name));
      const { latency, rate } = await scenario.run(server.target);
      const snapshots = snapshotsIn(join(dir, kind, name)) - before;
      record('million.get', kind, latency.get?.maxMs ?? 0);
      record('million.set', kind, latency.set?.maxMs ?? 0);
      note(
        `${kind}, ${wholeNumber(znodes)} znodes, round ${round + 1}: ${wholeNumber(rate)} requests/s, ${snapshots} snapshots within ${seconds} s, peak ${peakMb(server).toFixed(0)} MB`,
      );
      await server.stop();
      const again = await start(kind, dir, name);
      record('million.start', kind, again.startMs / 1000);
      await again.stop();
    }
  }
}

function mixedLoad(keys: number, size: number, shape: { window: number; seconds: number }) {
  const workload = createWorkload('70', {
    path: '/side-by-side',
    keys,
    size,
    children: 1,
    operations: 1,
  });
  return new LoadScenario(workload, { connections: 64, warmUpSeconds: 2, ...shape });
}

function snapshotsIn(dataDir: string): number {
  const names = readdirSync(join(dataDir, 'version-2'));
  return names.filter((name) => name.startsWith('snapshot.')).length;
}

function rssMb({ pid }: RunningServer): number {
  return (processMemory(pid)?.rssBytes ?? 0) / 2 ** 20;
}

function peakMb({ pid }: RunningServer): number {
  return (processMemory(pid)?.peakBytes ?? 0) / 2 ** 20;
}

function start(
  kind: ServerKind,
  dir: string,
  name: string,
  more: Omit<StartOptions, 'dataDir'> = {},
): Promise<RunningServer> {
  return startServer(kind, { dataDir: join(dir, kind, name), ...more });
}

async function startAll(
  kinds: readonly ServerKind[],
  dir: string,
  name: string,
  more: Omit<StartOptions, 'dataDir'> = {},
): Promise<RunningServer[]> {
  const servers: RunningServer[] = [];
  for (const kind of kinds) servers.push(await start(kind, dir, name, more));
  return servers;
}

async function serverVersions({ kinds, dir }: Settings): Promise<string[]> {
  const names: string[] = [];
  for (const kind of kinds.filter((kind) => kind !== 'floor')) {
    const server = await start(kind, dir, 'version');
    names.push(`${kind} ${await versionOf(server)}`);
    await server.stop();
  }
  return names;
}

function record(id: string, kind: ServerKind, value: number): void {
  values[id] ??= {};
  values[id][kind] ??= [];
  values[id][kind].push(value);
  const unit = ROWS.find((row) => row.id === id)?.unit ?? '';
  process.stderr.write(`${id} ${kind}: ${figure(value)} ${unit}\n`);
}

function note(text: string): void {
  notes.push(text);
  process.stderr.write(`${text}\n`);
}

function report(): void {
  const command = [
    'node --conditions=@zebu/source bench/side-by-side.ts',
    ...process.argv.slice(2),
  ];
  const machine = describeMachine();
  const head = [
    `Run on ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC: ${machineLine(machine)}; ${versions.join('; ')}.`,
    `Medians of ${settings.rounds} rounds (smallest-largest); ratios are zebu's over the other's, round by round.`,
    `While a server was measured, others used ${busy.text()} cores of the machine.`,
  ];
  const table = [
    ['what', 'unit', 'other', 'zebu', 'ratio', 'to reach', ''],
    ...ROWS.filter(({ id }) => values[id] !== undefined).map(tableRow),
  ];
  const parts = ['```sh', command.join(' '), '```', '', ...head, '', markdownTable(table)];
  if (notes.length > 0) parts.push(...notes.map((text) => `- ${text}`), '');
  const text = parts.join('\n');
  process.stdout.write(`${text}\n`);
  if (options.json !== undefined) {
    const { dir: _, ...shown } = settings;
    const all = { command, startedAt, machine, versions, settings: shown, values, notes };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
  if (options.write !== undefined) writeBetween(options.write, 'side-by-side', text);
}

function tableRow({ id, what, unit, against, atLeast, atMost }: Row): string[] {
  const ours = values[id]?.zebu;
  const theirs = values[id]?.[against];
  const ratio = ours !== undefined && theirs !== undefined ? ratioOf(ours, theirs) : undefined;
  const show = (one: number[] | undefined) => range(one && spreadOf(one), figure);
  const toReach = atLeast !== undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return [
    what,
    unit,
    `${show(theirs)}${against === 'floor' ? ' (the loop)' : ''}`,
    show(ours),
    range(ratio, (value) => value.toFixed(2)),
    toReach,
    ratio === undefined ? 'not yet measured' : isReached(ratio, { atLeast, atMost }),
  ];
}

function isReached(
  { median }: Spread,
  { atLeast, atMost }: { atLeast: number | undefined; atMost: number | undefined },
): string {
  const isGood = atLeast !== undefined ? median >= atLeast : median <= (atMost ?? 0);
  return isGood ? 'reached' : '**not reached**';
}

function figure(value: number): string {
  return value >= 1000 ? wholeNumber(value) : significant(value);
}

function groupNamed(name: string): Group {
  if (!GROUPS.includes(name as Group)) throw new Error(`No such group: ${name}`);
  return name as Group;
}

function row(
  id: string,
  what: string,
  unit: string,
  reach: { atLeast?: number; atMost?: number; against?: 'floor' },
): Row {
  return { id, what, unit, against: 'apache', ...reach };
}
