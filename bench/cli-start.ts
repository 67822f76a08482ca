// From the start of the command to the first byte of its answer: `zebu get` and Apache's zkCli, in turns, against one
// server that is already there.
//
//   node_modules/.bin/node bench/cli-start.ts --server 127.0.0.1:2181 --rounds 15
//
// Prints the medians and their ratio; ends with 1 where zebu takes more than a quarter of zkCli's time.

import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: '127.0.0.1:2181' },
    rounds: { type: 'string', default: '15' },
  },
});
const { server } = values;
const rounds = Number(values.rounds);
const DATA = 'first-answer-of-the-command-line';
const PATH = '/zebu-cli-start';
const LARGEST_RATIO = 0.25;

const root = join(import.meta.dirname, '..');
const jars = join(root, '.tools', 'interop', 'zookeeper-3.9.5', 'lib', '*');
const logback = join(root, 'packages', 'conformance', 'foreign', 'logback.xml');

/** The options of zkCli.sh's own java line that decide about its start, and a quiet log. */
const commands = {
  zebu: [join(root, 'apps', 'cli', 'bin', 'zebu'), '--server', server, 'get', PATH],
  zkCli: [
    ...['java', '-Dzebu.log=OFF', `-Dlogback.configurationFile=${logback}`, '-cp', jars],
    ...['org.apache.zookeeper.ZooKeeperMain', '-server', server, 'get', PATH],
  ],
} as const;

function timeOf([program, ...args]: readonly [string, ...string[]]): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  let ms: number | undefined;
  child.stdout.on('data', (chunk) => {
    said += chunk;
    if (said.includes(DATA)) ms ??= performance.now() - startedAt;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      if (ms === undefined) reject(new Error(`${program} did not answer:\n${said}`));
      else resolve(ms);
    });
  });
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

const prepare = (...words: string[]) =>
  execFileSync(commands.zebu[0], ['--server', server, ...words]);
prepare('create', PATH, DATA);
try {
  const times = { zebu: [] as number[], zkCli: [] as number[] };
  // One of each that is not counted: disks and caches are warm for both.
  for (let round = 0; round <= rounds; round++) {
    for (const name of ['zkCli', 'zebu'] as const) {
      const ms = await timeOf(commands[name] as unknown as [string, ...string[]]);
      if (round > 0) times[name].push(ms);
    }
  }
  const ratio = median(times.zebu) / median(times.zkCli);
  for (const [name, all] of Object.entries(times)) {
    const [least, most] = [Math.min(...all), Math.max(...all)];
    console.log(
      `${name}: median ${median(all).toFixed(0)} ms of ${all.length} (${least.toFixed(0)} to ${most.toFixed(0)})`,
    );
  }
  console.log(`zebu takes ${ratio.toFixed(2)} of zkCli's time`);
  if (ratio > LARGEST_RATIO) process.exitCode = 1;
} finally {
  prepare('delete', PATH);
}
