// Bounded, whatever comes: what may not grow and what may not wait, judged against a zebu server in a
// process of its own, whose event loop and memory bench/loop-monitor.mjs watches.
//
//   node --conditions=@zebu/source bench/bounded.ts [options]
//
//   --only NAME[,...]   idle, pipeline, unread, million, steady (default: all but steady)
//   --quick             a tenth of everything: to see that it works, not to judge by
//   --minutes N         how long `steady` loads (default 60)
//   --json FILE         the results
//   --write FILE        put the table into a Markdown file, between its bounded markers
//
// Exit code 1 when a bound is broken. Limits are those of the first performance goals. The pauses are
// meant for a machine that does nothing else: another process on the core shows as a pause too.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ClosedLoop, type RequestSource } from '../apps/bench/src/closed-loop.ts';
import { significant, wholeNumber } from '../apps/bench/src/columns.ts';
import { StormScenario } from '../apps/bench/src/connect-storm.ts';
import { Crowd } from '../apps/bench/src/crowd.ts';
import { DataSet } from '../apps/bench/src/data-set.ts';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { PlainSession } from '../apps/bench/src/plain-session.ts';
import { processMemory } from '../apps/bench/src/process-stats.ts';
import { openConnections, type RawConnection } from '../apps/bench/src/raw-connection.ts';
import { Requests } from '../apps/bench/src/requests.ts';
import { LoadScenario } from '../apps/bench/src/scenario.ts';
import { FanOutScenario } from '../apps/bench/src/watch-fan-out.ts';
import { markdownTable } from '../apps/bench/src/wide-table.ts';
import { createWorkload, type Workload } from '../apps/bench/src/workloads.ts';
import { type RunningServer, startServer } from './servers.ts';
import { writeBetween } from './write-between.ts';

interface Finding {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  /** CPU time of the longest stretch, for pauses. */
  readonly busyMs: number | undefined;
}

const MB = 2 ** 20;
const PAUSE_LIMIT_MS = 20;
const WAIT_LIMIT_MS = 50;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'idle,pipeline,unread,million' },
    quick: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '60' },
    json: { type: 'string' },
    write: { type: 'string' },
  },
});
const scale = options.quick ? 10 : 1;
const tests: Readonly<Record<string, (server: RunningServer, dataDir: string) => Promise<void>>> = {
  idle,
  pipeline,
  unread,
  million,
  steady,
};
const startedAt = new Date();
const findings: Finding[] = [];
const requests = new Requests();
const dir = mkdtempSync(join(tmpdir(), 'zebu-bounded-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

for (const name of options.only.split(',')) {
  const test = tests[name];
  if (test === undefined) throw new Error(`No such test: ${name}`);
  const dataDir = join(dir, name);
  const server = await startServer('zebu', { dataDir, isMonitored: true });
  try {
    await server.loop();
    await test(server, dataDir);
  } finally {
    await server.stop();
  }
}
report();

/** Sessions that do nothing must cost next to nothing. */
async function idle(server: RunningServer): Promise<void> {
  const count = 10_000 / scale;
  // The first connections pay for what all share.
  const first = await openConnections([server.address], 100, server.target);
  await delay(2000);
  const before = rss(server);
  const sessions = await openConnections([server.address], count, server.target);
  await delay(5000);
  find(`memory of each of ${count} idle sessions`, (rss(server) - before) / count, 'bytes', 8192);
  await closeAll([...first, ...sessions]);
}

/** A client that asks 100,000 questions at once gets all answers, in order; others hardly notice. */
async function pipeline(server: RunningServer): Promise<void> {
  const { scratch } = server.target;
  const count = 100_000 / scale;
  const gets = await getWorkload('/pipeline').prepare(server.target);
  const modest = await startModest(server, gets);
  const connections = await openConnections([server.address], 1, { scratch });
  let asked = 0;
  const source: RequestSource = {
    kinds: gets.kinds,
    next: (writer, xid) => (asked++ < count ? gets.next(writer, xid) : -1),
  };
  // The loop throws unless every answer has the xid that is due.
  const loop = new ClosedLoop({ connections, window: count, source, scratch });
  loop.start();
  await loop.finished();
  find(`answers missing of ${wholeNumber(count)} gets sent at once`, count - loop.answered, '', 0);
  find('another client, meanwhile: longest get', await modest.stop(), 'ms', WAIT_LIMIT_MS);
  await findPause(server, 'pause of the event loop, meanwhile');
  await closeAll(connections);
}

/** A client that asks for much and reads nothing costs little, and delays nobody. */
async function unread(server: RunningServer): Promise<void> {
  const count = 1500 / scale;
  const large = new DataSet({ base: '/unread', keys: 1, size: 900_000 });
  await large.create(server.target);
  const modest = await startModest(server, await getWorkload('/read').prepare(server.target));
  const [connection] = (await openConnections([server.address], 1, server.target)) as [
    RawConnection,
  ];
  const before = rss(server);
  let answered = 0;
  let bytes = 0;
  connection.pause();
  connection.sink = {
    readStart() {},
    readEnd() {},
    closed(reason) {
      throw reason;
    },
    reply(_xid, error, bodyBytes) {
      answered += error === 0 ? 1 : 0;
      bytes += bodyBytes;
    },
  };
  for (let index = 0; index < count; index++) requests.get(connection, large.path(0));
  let most = 0;
  for (let tenth = 0; tenth < 50; tenth++) {
    await delay(100);
    most = Math.max(most, rss(server) - before);
  }
  find(`memory for ${count} unread replies of 900 KB`, most / MB, 'MB', 64);
  find('another client, meanwhile: longest get', await modest.stop(), 'ms', WAIT_LIMIT_MS);
  connection.resume();
  for (let second = 0; second < 60 && answered < count; second++) await delay(1000);
  find('replies missing once the client reads', count - answered, '', 0);
  find('bytes of them missing', count * 900_072 - bytes, '', 0);
  await findPause(server, 'pause of the event loop, meanwhile');
  await closeAll([connection]);
}

/** A million of everything, and what can befall it, without the event loop pausing. */
async function million(server: RunningServer, dataDir: string): Promise<void> {
  const { target, address } = server;
  const pause = async (what: string) => {
    await findPause(server, `pause: ${what}`);
  };
  const keys = 1_000_000 / scale;
  const load = new LoadScenario(
    createWorkload('70', { path: '/million', keys, size: 100, children: 1, operations: 1 }),
    { connections: 64, window: 1, seconds: options.quick ? 5 : 30, warmUpSeconds: 0 },
  );
  await load.prepare(target);
  await pause(`creating ${wholeNumber(keys)} znodes of 100 bytes`);

  const children = 500_000 / scale;
  const wide = new DataSet({ base: '/wide', keys: children, size: 0, perFolder: children });
  await wide.create(target);
  await pause(`creating ${wholeNumber(children)} children of one parent`);
  const session = await PlainSession.open(address);
  const names = await session.children(wide.folder(0));
  find('children missing in their list', children - (names?.length ?? 0), '', 0);
  await session.close();
  await pause(`one getChildren of ${wholeNumber(children)}`);

  const snapshots = snapshotsIn(dataDir);
  const { rate, latency } = await load.run(target);
  process.stderr.write(
    `  ${wholeNumber(rate)} requests/s, longest get ${latency.get?.maxMs.toFixed(1)} ms, longest set ${latency.set?.maxMs.toFixed(1)} ms\n`,
  );
  await pause(`70/30 load with ${snapshotsIn(dataDir) - snapshots} snapshots`);

  const clients = 1000 / scale;
  const znodes = new DataSet({ base: '/million/keys', keys, size: 100 });
  let watchers = await watchAll(server, znodes, clients);
  await pause(`arming ${wholeNumber(keys)} watches of ${clients} sessions`);
  await load.run(target);
  await pause('70/30 load that fires them');

  for (const connection of watchers.connections) connection.destroy();
  watchers.stop();
  watchers = await watchAll(server, znodes, clients);
  await pause('restart of all clients, with their watches');

  const silent = wholeNumber(10_000 / scale);
  await expire(server, 10_000 / scale, pause);
  await pause(`expiry of their ${silent} sessions with an ephemeral each, at once`);
  watchers.stop();
  await closeAll(watchers.connections);
  await pause(`${clients} sessions closed`);
}

/** Every znode watched by one of `clients` sessions, armed as after a reconnect. */
async function watchAll(server: RunningServer, znodes: DataSet, clients: number) {
  const connections = await openConnections([server.address], clients, server.target);
  const share = znodes.keys / clients;
  const crowd = new Crowd(connections);
  await crowd.expect('reply', () => {
    for (const [index, connection] of connections.entries()) {
      const paths = Array.from({ length: share }, (_, key) => znodes.path(index * share + key));
      requests.setWatches(connection, Number.MAX_SAFE_INTEGER, paths);
    }
  });
  const timer = setInterval(() => {
    for (const connection of connections) requests.ping(connection);
  }, 10_000);
  return { connections, stop: () => clearInterval(timer) };
}

/** Sessions with an ephemeral each whose clients all fall silent; resolves when the server noticed. */
async function expire(
  server: RunningServer,
  count: number,
  pause: (what: string) => Promise<void>,
): Promise<void> {
  const znodes = new DataSet({ base: '/expire', keys: 1, size: 0 });
  await znodes.create(server.target);
  const options = { ...server.target, timeoutMs: 15_000 };
  const connections = await openConnections([server.address], count, options);
  await pause(`${wholeNumber(count)} sessions opened`);
  const crowd = new Crowd(connections);
  await crowd.expect('reply', () => {
    for (const [index, connection] of connections.entries()) {
      requests.create(connection, `${znodes.folder(0)}/e${index}`, new Uint8Array(0), true);
    }
  });
  await pause('each of them creates an ephemeral, at once');
  await crowd.expect('reply', () => {
    for (const connection of connections) requests.get(connection, znodes.path(0), true);
  });
  await pause('each of them watches one znode');
  const [setter] = (await openConnections([server.address], 1, server.target)) as [RawConnection];
  await crowd.expect('event', () => requests.set(setter, znodes.path(0), new Uint8Array(8)));
  await pause('one change that tells all of them');
  await setter.close();
  for (const connection of connections) connection.destroy();
  await delay(1000);
  await pause('all their clients vanish at once');
  const session = await PlainSession.open(server.address);
  let left = count;
  for (let second = 0; second < 60 && left > 1; second++) {
    await delay(1000);
    left = (await session.children(znodes.folder(0)))?.length ?? 0;
  }
  await session.close();
  find('ephemerals left of expired sessions', left - 1, '', 0);
}

/** Memory after an hour of everything is what it was after a minute. */
async function steady(server: RunningServer): Promise<void> {
  const minutes = Number(options.minutes);
  const shared = { path: '/steady', keys: 10_000, size: 128, children: 1000, operations: 10 };
  const shape = { connections: 64, window: 4, seconds: 8, warmUpSeconds: 0 };
  // As many znodes in each round: how fast they are made must not show as memory.
  const creates = atMost(100_000, createWorkload('create', shared));
  const others = ['70', 'children', 'multi'].map((name) => createWorkload(name, shared));
  const loads = [creates, ...others].map((workload) => new LoadScenario(workload, shape));
  const storm = new StormScenario({ connections: 64, seconds: 8, warmUpSeconds: 0 });
  const fanOut = new FanOutScenario({
    path: '/steady',
    watchers: 500,
    size: 128,
    changes: 20,
    isPersistent: false,
  });
  const startMs = performance.now();
  const samples: number[] = [];
  while (performance.now() - startMs < minutes * 60_000) {
    for (const scenario of [...loads, storm, fanOut]) {
      await scenario.prepare(server.target);
      await scenario.run(server.target);
      await scenario.cleanUp(server.target);
    }
    samples.push(rss(server));
    const text = `${((performance.now() - startMs) / 60_000).toFixed(1)} min: ${(rss(server) / MB).toFixed(0)} MB`;
    process.stderr.write(`  ${text}\n`);
  }
  const growth = (samples.at(-1) as number) / (samples[0] as number);
  find(`memory after ${minutes} minutes over that after the first`, growth, 'times', 1.1);
}

/** The workload, ended after this many requests. */
function atMost(count: number, workload: Workload): Workload {
  return {
    name: workload.name,
    summary: workload.summary,
    prepare: async (target, onProgress) => {
      const source = await workload.prepare(target, onProgress);
      let left = count;
      const next: RequestSource['next'] = (writer, xid) =>
        left-- > 0 ? source.next(writer, xid) : -1;
      return { kinds: source.kinds, next };
    },
    cleanUp: (target, onProgress) => workload.cleanUp(target, onProgress),
  };
}

/** Starts a client that does one get after the other; `stop` tells its longest wait. */
async function startModest(server: RunningServer, source: RequestSource) {
  const { scratch } = server.target;
  const connections = await openConnections([server.address], 1, { scratch });
  const loop = new ClosedLoop({ connections, window: 1, source, scratch });
  loop.start();
  await delay(500);
  loop.startMeasuring();
  return {
    async stop(): Promise<number> {
      loop.stopMeasuring();
      await loop.stop();
      await closeAll(connections);
      return loop.latencies[0]?.maxMs ?? 0;
    },
  };
}

function getWorkload(path: string): Workload {
  return createWorkload('get', { path, keys: 1, size: 128, children: 1, operations: 1 });
}

async function closeAll(connections: readonly RawConnection[]): Promise<void> {
  await Promise.all(connections.map((connection) => connection.close()));
}

function snapshotsIn(dataDir: string): number {
  const names = readdirSync(join(dataDir, 'version-2'));
  return names.filter((name) => name.startsWith('snapshot.')).length;
}

function rss({ pid }: RunningServer): number {
  return processMemory(pid)?.rssBytes ?? 0;
}

/**
 * Judges the wall-clock pause. The CPU time beside it tells whether the server was at work or was kept
 * from the core by others.
 */
async function findPause(server: RunningServer, what: string): Promise<void> {
  const { longestPauseMs, longestBusyMs, longestGcMs } = await server.loop();
  find(what, longestPauseMs, 'ms', PAUSE_LIMIT_MS, longestBusyMs);
  process.stderr.write(
    `  at most ${longestBusyMs.toFixed(1)} ms of CPU at a stretch; longest garbage collection ${longestGcMs.toFixed(1)} ms\n`,
  );
}

function find(what: string, value: number, unit: string, limit: number, busyMs?: number): void {
  findings.push({ what, value, unit, limit, busyMs });
  const verdict = value <= limit ? 'ok' : 'BROKEN';
  process.stderr.write(`${verdict}: ${what}: ${number(value)} ${unit} (limit ${limit})\n`);
}

function number(value: number): string {
  if (Number.isInteger(value) || value >= 1000) return wholeNumber(value);
  return significant(value);
}

function report(): void {
  const table = [
    ['what', 'measured', 'of it CPU', 'at most', ''],
    ...findings.map(({ what, value, unit, limit, busyMs }) => [
      what,
      `${number(value)} ${unit}`.trim(),
      busyMs === undefined ? '' : `${significant(busyMs)} ms`,
      `${number(limit)} ${unit}`.trim(),
      value <= limit ? 'kept' : '**broken**',
    ]),
  ];
  const command = ['node --conditions=@zebu/source bench/bounded.ts', ...process.argv.slice(2)];
  const text = [
    '```sh',
    command.join(' '),
    '```',
    '',
    `Run on ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC: ${machineLine(describeMachine())}.`,
    '',
    markdownTable(table),
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (options.write !== undefined) writeBetween(options.write, 'bounded', text);
  if (options.json !== undefined) {
    const all = { machine: describeMachine(), scale, findings };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
  if (findings.some(({ value, limit }) => value > limit)) process.exitCode = 1;
}
