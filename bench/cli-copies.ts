// `zebu export`, `import` and `diff` of a large subtree, between two servers of one kind that are processes of their
// own: once undisturbed, then each killed with SIGKILL at a random moment and run again. For zebu and for Apache.
//
//   node packages/conformance/setup.mjs apache
//   node_modules/.bin/node --conditions=@zebu/source bench/cli-copies.ts --znodes 100000 --kills 3
//
// Prints seconds and the largest resident set of each command; ends with 1 where one is above 150 MB, where
// what was resumed is not what was read undisturbed, or where diff finds anything.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect, type Op } from '../packages/client/src/index.ts';
import { startApache } from '../packages/conformance/src/apache.ts';
import { startZebu } from '../packages/conformance/src/zebu.ts';

const { values } = parseArgs({
  options: {
    znodes: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '3' },
    only: { type: 'string', default: 'zebu,apache' },
  },
});
const znodes = Number(values.znodes);
const kills = Number(values.kills);
const LARGEST_MB = 150;
const KINDS = { zebu: startZebu, apache: startApache } as const;
const command = join(import.meta.dirname, '..', 'apps', 'cli', 'bin', 'zebu');

interface Run {
  readonly code: number | null;
  readonly seconds: number;
  readonly megabytes: number;
  readonly said: string;
}

/** Runs the command, and kills it once it has come so far. */
async function zebu(
  words: readonly string[],
  isFar?: () => boolean | Promise<boolean>,
): Promise<Run> {
  const startedAt = performance.now();
  const child = spawn(command, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ZEBU_NODE: process.execPath },
  });
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk) => {
      said += chunk;
    });
  }
  let peakKb = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peakKb = Math.max(peakKb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, 10);
  let hasEnded = false;
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve)).finally(() => {
    hasEnded = true;
  });
  if (isFar !== undefined) {
    while (!hasEnded && !(await isFar())) await delay(5);
    child.kill('SIGKILL');
  }
  const code = await ended;
  clearInterval(look);
  const seconds = (performance.now() - startedAt) / 1000;
  return { code, seconds, megabytes: peakKb / 1024, said };
}

let isWrong = false;

function check(holds: boolean, what: string): void {
  if (holds) return;
  console.log(`WRONG: ${what}`);
  isWrong = true;
}

function tell(
  what: string,
  { code, seconds, megabytes, said }: Run,
  wanted: number | null = 0,
): void {
  const ended = code === null ? 'killed' : `exit code ${code}`;
  const last = said.trimEnd().split('\n').at(-1);
  console.log(`${what}: ${seconds.toFixed(1)} s, ${megabytes.toFixed(0)} MB, ${ended}: ${last}`);
  check(code === wanted, `${what} ended with ${ended}`);
  check(megabytes < LARGEST_MB, `${what} took ${megabytes.toFixed(0)} MB`);
}

/** Half of them in one directory, the others in directories of a hundred. */
function* tree(): Iterable<Op> {
  yield { op: 'create', path: '/app' };
  yield { op: 'create', path: '/app/wide' };
  for (let i = 2; i < znodes; i++) {
    const data = `data of ${i}, `.repeat(8);
    const branch = `/app/b-${Math.floor(i / 200)}`;
    if (i % 200 === 3) yield { op: 'create', path: branch, data };
    else if (i % 2 === 1 && i % 200 > 3) yield { op: 'create', path: `${branch}/z-${i}`, data };
    else yield { op: 'create', path: `/app/wide/z-${i}`, data };
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

async function judge(kind: keyof typeof KINDS, folder: string): Promise<void> {
  const config = { maxClientCnxns: '0' };
  await using here = await KINDS[kind]({ config, heapMb: 1000 });
  await using there = await KINDS[kind]({ config, heapMb: 1000 });
  const from = ['--server', `127.0.0.1:${here.port}`];
  const to = ['--server', `127.0.0.1:${there.port}`];
  {
    await using zk = await connect(`127.0.0.1:${here.port}`);
    for await (const _ of zk.bulk(tree()));
    console.log(`${kind}: ${(await zk.descendantsCount('/app')) + 1} znodes`);
  }
  const whole = join(folder, `${kind}.jsonl`);
  tell(`${kind}: export`, await zebu([...from, 'export', '/app', '--file', whole]));
  tell(`${kind}: import`, await zebu([...to, 'import', '/whole', '--file', whole]));
  await using zk = await connect(`127.0.0.1:${there.port}`);
  for (let round = 1; round <= kills; round++) {
    const part = join(folder, `${kind}-${round}.jsonl`);
    const words = [...from, 'export', '/app', '--file', part];
    const wanted = sizeOf(whole) * Math.random();
    tell(`${kind}: export`, await zebu(words, () => sizeOf(part) > wanted), null);
    console.log(`${kind}: ${sizeOf(part)} of ${sizeOf(whole)} bytes are written`);
    tell(`${kind}: export --resume`, await zebu([...words, '--resume']));
    check(readFileSync(part).equals(readFileSync(whole)), `${part} is another than ${whole}`);
    const again = [...to, 'import', `/copy-${round}`, '--file', part];
    const least = znodes * Math.random();
    const created = (): Promise<number> => zk.descendantsCount(`/copy-${round}`).catch(() => 0);
    tell(`${kind}: import`, await zebu(again, async () => (await created()) > least), null);
    console.log(`${kind}: ${await created()} of ${znodes} znodes are created`);
    tell(`${kind}: import again`, await zebu(again));
    const other = `@127.0.0.1:${there.port}:/copy-${round}`;
    tell(`${kind}: diff`, await zebu([...from, 'diff', '/app', other]));
    rmSync(part);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'zebu-cli-copies-'));
try {
  for (const kind of ['zebu', 'apache'] as const) {
    if (values.only.split(',').includes(kind)) await judge(kind, folder);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (isWrong) process.exitCode = 1;
