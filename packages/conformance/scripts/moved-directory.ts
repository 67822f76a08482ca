// What is lost when the data directory of a server under load is moved away, or another one takes its place.
//
//   node --conditions=@zebu/source packages/conformance/scripts/moved-directory.ts [--rounds 5] [CHECKOUT ...]
//
// Each checkout must be built; without one it is this one. Clients create znodes, one request in flight each. In the
// middle the directory is attacked. When the server has ended, it is started again on the directory that was moved,
// and every create that it acknowledged is looked for there. Another server's directory must be as it was put there.

import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OP } from '../src/differential/wire.ts';
import { body, Probe } from '../src/probe.ts';
import { type ServerProcess, startServerProcess } from '../src/server-process.ts';

const CLIENTS = 16;
/** How long the server may go on after the attack before it is killed, in ms; its half tick is 1,000. */
const PATIENCE_MS = 20_000;

/** Each attack, and which directory takes the place of the one that is moved away. */
const ATTACKS: Record<string, 'empty' | 'other' | undefined> = {
  'moved away': undefined,
  'moved away, an empty one in its place': 'empty',
  "moved away, another server's in its place": 'other',
};

interface Paths {
  readonly live: string;
  readonly moved: string;
  readonly empty: string;
  /** Another server's directory, with some thousands of txns. */
  readonly other: string;
}

interface Outcome {
  readonly acknowledged: number;
  readonly afterAttack: number;
  readonly lost: number;
  /** From the attack to the end of the process, ms. */
  readonly endedMs: number;
  /** Files that were made, changed or removed in the directory that took the place. */
  readonly touched: readonly string[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});
const checkouts = positionals.length > 0 ? positionals : [join(import.meta.dirname, '../../..')];

const home = mkdtempSync(join(tmpdir(), 'zebu-moved-'));

async function main(): Promise<void> {
  try {
    const other = join(home, 'other');
    await fill(checkouts[0] as string, other);
    for (const checkout of checkouts) {
      console.log(`\n${resolve(checkout)}\n`);
      console.log(
        '| attack | rounds | acknowledged | of them after it | lost | ended after, ms | files touched in its place |',
      );
      console.log('| --- | --- | --- | --- | --- | --- | --- |');
      for (const name of Object.keys(ATTACKS)) {
        const outcomes: Outcome[] = [];
        for (let round = 0; round < Number(values.rounds); round++) {
          outcomes.push(await attack(checkout, name, other, round));
        }
        const sum = (of: (outcome: Outcome) => number) =>
          outcomes.reduce((total, outcome) => total + of(outcome), 0);
        const ended = outcomes.map(({ endedMs }) => Math.round(endedMs)).sort((a, b) => a - b);
        const touched = outcomes.flatMap((outcome) => outcome.touched);
        console.log(
          `| ${name} | ${outcomes.length} | ${sum((one) => one.acknowledged)} | ${sum((one) => one.afterAttack)} | ` +
            `${sum((one) => one.lost)} | ${ended[0]} to ${ended.at(-1)} | ${touched.length === 0 ? 'none' : touched.join(', ')} |`,
        );
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function start(checkout: string, dataDir: string): Promise<ServerProcess> {
  const command = join(resolve(checkout), 'apps/server/bin/zebu-server');
  // A snapshot and a new log every 500 to 1,000 txns: the attack meets the making of files. Small log
  // files: copies of them must not keep the disk busy.
  return startServerProcess(
    'zebu',
    { dataDir, config: { tickTime: '2000', snapCount: '1000', preAllocSize: '1024' } },
    (file) => ({
      command,
      args: [file],
    }),
  );
}

/** Makes a directory that a server has worked in for a while, with some thousands of txns. */
async function fill(checkout: string, dataDir: string): Promise<void> {
  const server = await start(checkout, dataDir);
  const load = new Load(server.port);
  await load.until(() => load.acknowledged.size >= 3000);
  await server.stop();
  await load.ended();
}

async function attack(
  checkout: string,
  name: string,
  other: string,
  round: number,
): Promise<Outcome> {
  const folder = join(home, `round-${round}`);
  const paths: Paths = {
    live: join(folder, 'data'),
    moved: join(folder, 'moved'),
    empty: join(folder, 'empty'),
    other: join(folder, 'other'),
  };
  mkdirSync(join(paths.empty, 'version-2'), { recursive: true });
  cpSync(other, paths.other, { recursive: true });
  const place = ATTACKS[name];
  const placed = place === undefined ? new Map<string, string>() : hashes(paths[place]);
  const server = await start(checkout, paths.live);
  const load = new Load(server.port);
  // Each round at another point between two snapshots.
  await load.until(() => load.acknowledged.size >= 1500 + round * 333);
  const before = load.acknowledged.size;
  const attackedAt = performance.now();
  renameSync(paths.live, paths.moved);
  if (place !== undefined) renameSync(paths[place], paths.live);
  const end = await Promise.race([server.exited, delay(PATIENCE_MS, undefined, { ref: false })]);
  const endedMs = performance.now() - attackedAt;
  if (end === undefined) await server.stop('SIGKILL');
  await load.ended();
  const touched = differences(placed, hashes(paths.live));
  const again = await start(checkout, paths.moved);
  const probe = await Probe.open(again.port);
  const found = await Promise.all(
    [...load.acknowledged].map(
      async (path) => (await probe.ask(OP.exists, body.read(path))).err === 0,
    ),
  );
  await probe.close();
  await again.stop();
  rmSync(folder, { recursive: true });
  return {
    acknowledged: load.acknowledged.size,
    afterAttack: load.acknowledged.size - before,
    lost: found.filter((isThere) => !isThere).length,
    endedMs: end === undefined ? Number.POSITIVE_INFINITY : endedMs,
    touched,
  };
}

/** Clients that create znodes until their server is gone. */
class Load {
  readonly acknowledged = new Set<string>();
  private readonly clients: Promise<void>[];

  constructor(port: number) {
    this.clients = Array.from({ length: CLIENTS }, (_, client) => this.run(port, client));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await delay(5);
  }

  async ended(): Promise<void> {
    await Promise.all(this.clients);
  }

  private async run(port: number, client: number): Promise<void> {
    try {
      const probe = await Probe.open(port);
      for (let n = 0; ; n++) {
        const path = `/c${client}-${n}`;
        const { err } = await probe.ask(OP.create, body.create(path, Buffer.alloc(100)));
        if (err === 0) this.acknowledged.add(path);
      }
    } catch {
      // The server has ended: what had no answer may be there or not.
    }
  }
}

/** Name and content of every file in a directory; of one that is not there, nothing. */
function hashes(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  try {
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      found.set(
        relative(directory, path),
        createHash('sha1').update(readFileSync(path)).digest('hex'),
      );
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return found;
}

function differences(before: Map<string, string>, after: Map<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((path) => before.get(path) !== after.get(path));
}

await main();
