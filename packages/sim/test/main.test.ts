// The command, as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drawPlan, formatPlan } from '../src/plan.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');

async function sim(...args: string[]) {
  const child = spawn(process.execPath, ['--conditions=@zebu/source', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes;
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

test('--help explains the options', async () => {
  const { code, stdout } = await sim('--help');
  expect(code).toBe(0);
  for (const part of ['--seeds N', '--plan FILE', '--members N', 'zab'])
    expect(stdout).toContain(part);
});

test.each([
  [['--seeds', 'x'], '--seeds must be a whole number from 1 on, not x'],
  [['--members', '4'], 'No engine runs 4 members: they run 1, 3, 5'],
  [['--engine', 'member', '--members', '3'], 'The member engine runs 1 members, not 3'],
  [['--engine', 'zab', '--members', '3'], 'draws the number of its members from the seed'],
  [['--engine', 'raft'], 'There is no engine raft'],
  [['--engine', 'zab', '--plants', 'rain'], 'There is no plant rain: the zab engine has ack-'],
  [['--plants', 'all'], 'The member engine has no plants of its own'],
  [['--plan', '/nowhere/plan.json'], 'ENOENT'],
  [['--nonsense'], 'nonsense'],
])('%j is refused with the reason, and without a stack', async (args, message) => {
  const { code, stderr } = await sim(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
});

test('seeds are run by several workers, each once, with lines of progress and a report', async () => {
  const { code, stdout, stderr } = await sim('--seeds', '6', '--from', '3', '--workers', '2');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^6 runs in [\d.]+ s \([\d.]+ a second\): none failed$/m);
  expect(stderr).toContain('6 of 6 seeds\n');
  expect(stderr).not.toContain('\x1b');
});

test('--members 3 runs whole ensembles', async () => {
  const { code, stdout } = await sim('--members', '3', '--seeds', '2');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^2 runs in .*none failed$/m);
  expect(stdout).toMatch(/ {2}write acknowledged$/m);
});

test('the zab engine is run by the same command', async () => {
  const { code, stdout } = await sim('--engine', 'zab', '--seeds', '20');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^20 runs in .*none failed$/m);
  expect(stdout).toMatch(/ {2}election$/m);
});

test('--plants says in how many seeds a defect is found, and by what', async () => {
  const some = await sim('--engine', 'zab', '--seeds', '5', '--plants', 'ack-before-durable');
  expect(some.code).toBe(0);
  expect(some.stdout).toContain('| plant | seeds, of 1 to 5 | found by |');
  expect(some.stdout).toMatch(/^\| ack-before-durable \| [1-5] \| acked is durable/m);
  const none = await sim('--engine', 'zab', '--seeds', '1', '--plants', 'keep-half-snapshot');
  expect(none.code).toBe(1);
  expect(none.stdout).toContain('| keep-half-snapshot | 0 | NOTHING |');
});

test('--complete fails where something never happened that should', async () => {
  const { code, stdout } = await sim('--engine', 'zab', '--seeds', '2', '--complete');
  expect(code).toBe(1);
  expect(stdout).toMatch(/none failed$/m);
  expect(stdout).toMatch(/^Never happened: .*zxid-rollover/m);
});

test('a plan is run from its file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'zebu-sim-'));
  try {
    const file = join(folder, 'plan.json');
    writeFileSync(file, formatPlan(drawPlan(3)));
    const { code, stdout } = await sim('--plan', file);
    expect(code).toBe(0);
    expect(stdout).toContain('1 runs in');
    writeFileSync(file, '{"format":"x"}');
    const refused = await sim('--plan', file);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('plan.json: it is for an engine undefined');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
