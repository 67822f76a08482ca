// Three zebu servers beside three of Apache ZooKeeper, on this machine, in one run: the section "Three members" of
// docs/BENCHMARKS.md.
//
//   node --conditions=@zebu/source bench/ensembles.ts [options]
//
//   --rounds N     runs of everything, of which the medians are reported (default 5)
//   --seconds N    of each load (default 2)
//   --only NAME[,...]   some of the loads (writes1, reads16, ...), `memory`, `failover`, `diff` and `snap` (default: all
//                  but the last two)
//   --txns N       that a follower misses before it comes back by a DIFF (default 100000)
//   --znodes N     that a follower without a disk gets by a SNAP (default 1000000)
//   --dir DIR      where the data directories are made, on the disk to measure (default: a temporary one)
//   --write FILE   put the table into a Markdown file, between its ensembles markers
//
// Both ensembles have the same settings, those of ZooKeeper's sample zoo.cfg, and fsync on. They take turns, load by
// load, each round in the other order, so that what disturbs the machine disturbs both; the one that has no load only
// sends its pings. Five rounds take about five minutes.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { significant, wholeNumber } from '../apps/bench/src/columns.ts';
import { describeMachine, machineLine } from '../apps/bench/src/machine.ts';
import { PlainSession } from '../apps/bench/src/plain-session.ts';
import { processMemory, processPssBytes } from '../apps/bench/src/process-stats.ts';
import { createScratch } from '../apps/bench/src/raw-connection.ts';
import type { MeasuredTarget } from '../apps/bench/src/scenario.ts';
import { type Address, fourLetterWord } from '../apps/bench/src/server-info.ts';
import { ratioOf, spreadOf } from '../apps/bench/src/statistics.ts';
import { markdownTable, range } from '../apps/bench/src/wide-table.ts';
import { OpCode, writeSetDataRequest } from '../packages/protocol/src/index.ts';
import { BusyWatch } from './busy-watch.ts';
import { figureOf, fillTree, longestWaitDuring, writeTxns } from './catching-up.ts';
import { compileDrivers, type ZkloadFigures, zkload } from './drivers.ts';
import { freePort, type RunningServer, startServer, versionOf, whyNot } from './servers.ts';
import { writeBetween } from './write-between.ts';

type Kind = 'apache' | 'zebu';
const KINDS: readonly Kind[] = ['apache', 'zebu'];
const SIDS = [1, 2, 3];
const CONNECTIONS = 60;
const WARM_UP_SECONDS = 1;
/** Three JVMs that share the machine need this long, reads and writes each, before they have compiled what matters. */
const COMPILE_SECONDS = 8;
const POLL_MS = 10;
/** Attempts that are under way at one member, and how long one may take: a member that looks may leave some hanging. */
const MAX_ATTEMPTS = 20;
const ATTEMPT_MS = 2000;
const FAILOVER_TIMEOUT_MS = 120_000;

interface Row {
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  /** The ratio to reach, zebu's over Apache's. */
  readonly atLeast?: number;
  readonly atMost?: number;
  /** The figure of zebu to reach, whatever Apache's is. */
  readonly atMostItself?: number;
}

const ROWS: readonly Row[] = [
  { id: 'writes1', what: 'writes, 1 in flight', unit: 'requests/s', atLeast: 2.5 },
  {
    id: 'writes1.cpu',
    what: 'the same: CPU of all members per write',
    unit: 'us',
    atMostItself: 66,
  },
  { id: 'writes16', what: 'writes, 16 in flight', unit: 'requests/s', atLeast: 3.5 },
  { id: 'writes16.cpu', what: 'the same: CPU of all members per write', unit: 'us' },
  { id: 'reads1', what: 'reads, 1 in flight', unit: 'requests/s', atLeast: 2 },
  { id: 'reads16', what: 'reads, 16 in flight', unit: 'requests/s', atLeast: 3 },
  { id: 'mixed1', what: 'mixed 90/10, 1 in flight', unit: 'requests/s', atLeast: 2 },
  { id: 'mixed16', what: 'mixed 90/10, 16 in flight', unit: 'requests/s', atLeast: 3 },
  { id: 'single', what: 'one connection, 1 in flight: p50 of set', unit: 'ms', atMost: 0.8 },
  {
    id: 'memory.rss',
    what: 'memory of the three after that load, resident',
    unit: 'MB',
    atMost: 0.35,
  },
  { id: 'memory.pss', what: 'the same, shared pages counted once', unit: 'MB' },
  {
    id: 'failover',
    what: 'kill -9 of the leader until the next acknowledged write',
    unit: 'ms',
    atMost: 0.5,
  },
  {
    id: 'election',
    what: 'of that, the election, from the first member that looks until all know their leader',
    unit: 'ms',
    atMostItself: 250,
  },
  {
    id: 'diff',
    what: 'a follower comes back by DIFF, from its start until it serves',
    unit: 'ms',
    atMost: 0.5,
  },
  {
    id: 'diff.wait',
    what: "the same: a leader's client's longest wait",
    unit: 'ms',
    atMostItself: 50,
  },
  { id: 'snap', what: 'a follower with a wiped disk comes back by SNAP', unit: 'ms', atMost: 0.5 },
  {
    id: 'snap.wait',
    what: "the same: a leader's client's longest wait",
    unit: 'ms',
    atMostItself: 50,
  },
];

interface Load {
  readonly name: string;
  readonly mix: string;
  readonly connections: number;
  readonly window: number;
  readonly record: (kind: Kind, figures: ZkloadFigures) => void;
}

const LOADS: readonly Load[] = [
  ...[1, 16].map((window) => ({
    ...load(`writes${window}`, 'write', window),
    record: (kind: Kind, { rate, cpuUs }: ZkloadFigures) => {
      record(`writes${window}`, kind, rate);
      record(`writes${window}.cpu`, kind, cpuUs);
    },
  })),
  ...[1, 16].map((window) => load(`reads${window}`, 'read', window)),
  ...[1, 16].map((window) => load(`mixed${window}`, '90', window)),
  {
    ...load('single', 'write', 1),
    connections: 1,
    record: (kind, { p50Ms }) => record('single', kind, p50Ms),
  },
];

/** Three members of one kind; one that was killed starts again on its own directory. */
class ThreeMembers {
  readonly kind: Kind;
  private readonly dir: string;
  private readonly lines: Readonly<Record<string, string>>;
  private readonly membersBySid: Map<number, RunningServer>;

  private constructor(kind: Kind, dir: string, lines: Readonly<Record<string, string>>) {
    this.kind = kind;
    this.dir = dir;
    this.lines = lines;
    this.membersBySid = new Map();
  }

  static async start(kind: Kind, dir: string): Promise<ThreeMembers> {
    const lines: Record<string, string> = {
      // A snapshot of 1,000,000 znodes takes Apache's members longer than ZooKeeper's sample gives them.
      initLimit: only.includes('snap') ? '60' : '10',
      syncLimit: '5',
      '4lw.commands.whitelist': 'srvr,mntr',
      // In memory, with what comes meanwhile, and so by a DIFF on both: whether a leader sends its logs or the tree else
      // depends on the sizes of its files.
      ...(only.includes('diff')
        ? { commitLogCount: String(2 * txns), snapshotSizeFactor: '1000000' }
        : {}),
    };
    for (const sid of SIDS) {
      lines[`server.${sid}`] = `127.0.0.1:${await freePort()}:${await freePort()}`;
    }
    const ensemble = new ThreeMembers(kind, dir, lines);
    await Promise.all(SIDS.map((sid) => ensemble.startMember(sid)));
    return ensemble;
  }

  /** Starts a member and waits until it serves, which takes a quorum. */
  async startMember(sid: number): Promise<void> {
    const dataDir = join(this.dir, this.kind, `member-${sid}`);
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(join(dataDir, 'myid'), `${sid}\n`);
    this.membersBySid.set(sid, await startServer(this.kind, { dataDir, config: this.lines }));
  }

  member(sid: number): RunningServer {
    const member = this.membersBySid.get(sid);
    if (member === undefined) throw new Error(`Member ${sid} of ${this.kind}'s does not run`);
    return member;
  }

  /** Takes away all that a member that does not run has on its disk. */
  wipe(sid: number): void {
    rmSync(join(this.dir, this.kind, `member-${sid}`), { recursive: true });
  }

  get members(): RunningServer[] {
    return [...this.membersBySid.values()];
  }

  get target(): MeasuredTarget {
    return {
      label: this.kind,
      addresses: this.members.map(({ address }) => address),
      pids: this.members.map(({ pid }) => pid),
      scratch: createScratch(),
    };
  }

  async leader(): Promise<number> {
    for (const [sid, { address }] of this.membersBySid) {
      if (/^Mode: leader/m.test(await fourLetterWord(address, 'srvr').catch(() => ''))) return sid;
    }
    throw new Error(`No member of ${this.kind}'s leads`);
  }

  async kill(sid: number): Promise<void> {
    const member = this.membersBySid.get(sid);
    this.membersBySid.delete(sid);
    await member?.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}

const DEFAULT_NAMES = [...LOADS.map(({ name }) => name), 'memory', 'failover'];
const NAMES = [...DEFAULT_NAMES, 'diff', 'snap'];

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: DEFAULT_NAMES.join(',') },
    txns: { type: 'string', default: '100000' },
    znodes: { type: 'string', default: '1000000' },
    dir: { type: 'string', default: tmpdir() },
    write: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);
const txns = Number(options.txns);
const znodes = Number(options.znodes);
const only = options.only.split(',');
for (const name of only) if (!NAMES.includes(name)) throw new Error(`No such load: ${name}`);
if (only.includes('diff') && only.includes('snap')) {
  // Apache's leader would keep all of the million znodes in the log that it keeps for the DIFF.
  throw new Error('diff and snap are measured each by itself');
}
for (const kind of KINDS) {
  const missing = whyNot(kind);
  if (missing !== undefined) throw new Error(missing);
}

mkdirSync(options.dir, { recursive: true });
const dir = mkdtempSync(join(options.dir, 'zebu-ensembles-'));
// A server that is left behind is stopped by `startServer`'s own exit handler.
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

/** row id -> kind -> one value for each round */
const values: Record<string, Record<Kind, number[]>> = {};
const busy = new BusyWatch();
const drivers = compileDrivers(dir);
const startedAt = new Date();
const [loadBefore = 0] = loadavg();
const ensembles: ThreeMembers[] = [];
for (const kind of KINDS) ensembles.push(await ThreeMembers.start(kind, dir));
const versions: string[] = [];
for (const { kind, members } of ensembles) {
  versions.push(`${kind} ${await versionOf(members[0] as RunningServer)}`);
}

await warmUp();
for (let round = 0; round < rounds; round++) {
  for (const load of LOADS.filter(({ name }) => only.includes(name))) {
    for (const ensemble of inTurn(round)) await runLoad(ensemble, load);
  }
}
if (only.includes('memory')) for (const ensemble of ensembles) weigh(ensemble);
if (only.includes('failover')) {
  for (let round = 0; round < rounds; round++) {
    for (const ensemble of inTurn(round)) await failover(ensemble);
  }
}
if (only.includes('diff')) {
  for (let round = 0; round < rounds; round++) {
    for (const ensemble of inTurn(round)) await comeBack(ensemble, 'diff');
  }
}
if (only.includes('snap')) {
  for (const { target } of ensembles) {
    process.stderr.write(`${target.label}: making ${znodes} znodes\n`);
    await fillTree(target.addresses, znodes);
  }
  for (let round = 0; round < rounds; round++) {
    for (const ensemble of inTurn(round)) await comeBack(ensemble, 'snap');
  }
}
for (const ensemble of ensembles) await ensemble.stop();
report();

function inTurn(round: number): ThreeMembers[] {
  return round % 2 === 0 ? ensembles : ensembles.toReversed();
}

async function warmUp(): Promise<void> {
  for (const ensemble of ensembles) {
    for (const mix of ['read', 'write']) {
      const shape = { connections: CONNECTIONS, window: 16, seconds: COMPILE_SECONDS };
      await zkload(drivers, ensemble, { mix, ...shape, warmUpSeconds: 0 });
    }
  }
}

async function runLoad(ensemble: ThreeMembers, load: Load): Promise<void> {
  const { mix, connections, window } = load;
  const shape = { mix, connections, window, seconds, warmUpSeconds: WARM_UP_SECONDS };
  load.record(ensemble.kind, await busy.during(ensemble, () => zkload(drivers, ensemble, shape)));
}

function weigh({ kind, members }: ThreeMembers): void {
  const sum = (bytesOf: (pid: number) => number | undefined): number | undefined =>
    members.reduce<number | undefined>((total, { pid }) => {
      const bytes = bytesOf(pid);
      return total === undefined || bytes === undefined ? undefined : total + bytes;
    }, 0);
  const rss = sum((pid) => processMemory(pid)?.rssBytes);
  const pss = sum(processPssBytes);
  if (rss !== undefined) record('memory.rss', kind, rss / 2 ** 20);
  if (pss !== undefined) record('memory.pss', kind, pss / 2 ** 20);
}

/** Kills the leader, asks the others for a session and a set until one is acknowledged, and starts the killed one again. */
async function failover(ensemble: ThreeMembers): Promise<void> {
  const leader = await ensemble.leader();
  const others = SIDS.filter((sid) => sid !== leader).map((sid) => ensemble.member(sid));
  const electedBefore = await Promise.all(others.map(electionsOf));
  const before = performance.now();
  await ensemble.kill(leader);
  const writtenAt = await firstWrite(ensemble.target.addresses);
  record('failover', ensemble.kind, writtenAt - before);
  await ensemble.startMember(leader);
  const elected = await Promise.all(others.map(electionsOf));
  const took = elected.map(({ count, sumMs }, n) => {
    const { count: countBefore, sumMs: sumBefore } = electedBefore[n] as Elections;
    return count === countBefore + 1 ? sumMs - sumBefore : undefined;
  });
  // A vote that was split makes a second election, or a member looks twice: that is no single election's time.
  if (took.every((ms) => ms !== undefined)) {
    record('election', ensemble.kind, Math.max(...took));
  }
}

interface Elections {
  readonly count: number;
  readonly sumMs: number;
}

/** The elections of a member: each from the moment at which it began to look until it knew its leader. */
async function electionsOf({ address }: RunningServer): Promise<Elections> {
  return {
    count: await figureOf(address, 'cnt_election_time'),
    sumMs: await figureOf(address, 'sum_election_time'),
  };
}

/** How a leader has brought its learners up to date. */
async function syncsOf(address: Address): Promise<{ diff: number; snap: number }> {
  return {
    diff: await figureOf(address, 'diff_count'),
    snap: await figureOf(address, 'snap_count'),
  };
}

/** Kills a follower, lets it miss txns or its disk, starts it again, and measures until it serves. */
async function comeBack(ensemble: ThreeMembers, how: 'diff' | 'snap'): Promise<void> {
  const follower = ((await ensemble.leader()) % SIDS.length) + 1;
  await ensemble.kill(follower);
  if (how === 'diff') await writeTxns(ensemble.target.addresses, txns);
  else ensemble.wipe(follower);
  // Another one may lead since, on a busy machine.
  const { address } = ensemble.member(await ensemble.leader());
  const syncsBefore = await syncsOf(address);
  let tookMs = 0;
  const waitMs = await longestWaitDuring(address, async () => {
    const before = performance.now();
    await ensemble.startMember(follower);
    tookMs = performance.now() - before;
  });
  const syncs = await syncsOf(address);
  if (syncs[how] <= syncsBefore[how]) {
    const seen = `${JSON.stringify(syncsBefore)} before, ${JSON.stringify(syncs)} after`;
    throw new Error(`${ensemble.kind} did not bring its follower back by ${how}: ${seen}`);
  }
  record(how, ensemble.kind, tookMs);
  record(`${how}.wait`, ensemble.kind, waitMs);
}

/** When a write was acknowledged. Each member is asked every 10 ms, whatever has become of the last attempt. */
async function firstWrite(addresses: readonly Address[]): Promise<number> {
  const deadline = performance.now() + FAILOVER_TIMEOUT_MS;
  const done = new AbortController();
  let writtenAt: number | undefined;
  const attempt = async (address: Address) => {
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(ATTEMPT_MS)]);
    const session = await PlainSession.open(address, signal);
    const { error } = await session.ask(OpCode.setData, (writer) =>
      writeSetDataRequest(writer, { path: '/zkload/k0', data: Buffer.alloc(128), version: -1 }),
    );
    if (error === 0) {
      writtenAt ??= performance.now();
      done.abort();
    }
    await session.close();
  };
  const ask = async (address: Address) => {
    let pending = 0;
    while (!done.signal.aborted && performance.now() < deadline) {
      if (pending < MAX_ATTEMPTS) {
        pending += 1;
        // A refused connection is what an ensemble without a leader answers.
        const ended = () => {
          pending -= 1;
        };
        void attempt(address).then(ended, ended);
      }
      await delay(POLL_MS);
    }
  };
  await Promise.all(addresses.map(ask));
  if (writtenAt === undefined) {
    throw new Error(`No write was acknowledged in ${FAILOVER_TIMEOUT_MS} ms`);
  }
  return writtenAt;
}

function load(name: string, mix: string, window: number): Load {
  return {
    name,
    mix,
    connections: CONNECTIONS,
    window,
    record: (kind, { rate }) => record(name, kind, rate),
  };
}

function record(id: string, kind: Kind, value: number): void {
  values[id] ??= { apache: [], zebu: [] };
  values[id][kind].push(value);
  process.stderr.write(`${id} ${kind}: ${figure(value)}\n`);
}

function report(): void {
  const command = ['node --conditions=@zebu/source bench/ensembles.ts', ...process.argv.slice(2)];
  const text = [
    '```sh',
    command.join(' '),
    '```',
    '',
    `Run on ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC: ${machineLine(describeMachine())}; ${versions.join('; ')}.`,
    `${CONNECTIONS} connections over all members, values of 128 bytes, loads of ${seconds} s, medians of ${rounds} rounds (smallest-largest); ratios are zebu's over Apache's, round by round.`,
    `While an ensemble had a load, others used ${busy.text()} cores of the machine.`,
    `The machine's load average was ${loadBefore.toFixed(1)} before and ${(loadavg()[0] ?? 0).toFixed(1)} after.`,
    '',
    markdownTable([
      ['what', 'unit', 'Apache', 'zebu', 'ratio', 'to reach', ''],
      ...ROWS.filter(({ id }) => values[id] !== undefined).map(tableRow),
    ]),
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (options.write !== undefined) writeBetween(options.write, 'ensembles', text);
}

function tableRow({ id, what, unit, atLeast, atMost, atMostItself }: Row): string[] {
  const { apache, zebu } = values[id] as Record<Kind, number[]>;
  const ratio = ratioOf(zebu, apache);
  if (ratio === undefined) throw new Error(`Nothing was measured of ${what}`);
  const aims: [string, boolean][] = [];
  if (atLeast !== undefined) aims.push([`at least ${atLeast}`, ratio.median >= atLeast]);
  if (atMost !== undefined) aims.push([`at most ${atMost}`, ratio.median <= atMost]);
  if (atMostItself !== undefined) {
    aims.push([`at most ${atMostItself} ${unit}`, spreadOf(zebu).median <= atMostItself]);
  }
  const [[toReach, isReached] = ['', undefined]] = aims;
  return [
    what,
    unit,
    range(spreadOf(apache), figure),
    range(spreadOf(zebu), figure),
    range(ratio, (value) => value.toFixed(2)),
    toReach,
    isReached === undefined ? '' : isReached ? 'reached' : '**not reached**',
  ];
}

function figure(value: number): string {
  return value >= 1000 ? wholeNumber(value) : significant(value);
}
