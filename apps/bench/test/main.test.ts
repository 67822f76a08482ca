// The command as a process: what it prints where, what it leaves behind, and its exit codes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../src/report.ts';
import { floor } from './floor.ts';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');
const QUICK = '--seconds 0.1 --warm-up 0 --keys 20 --connections 3 --rounds 1'.split(' ');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-bench-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** `onError` sees what is written to stderr, as it comes. */
async function bench(args: readonly string[], onError: (text: string) => void = () => {}) {
  const child = spawn(process.execPath, ['--conditions=@zebu/source', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes;
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes;
    onError(stderr);
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

describe('--json', () => {
  it('is tried before anything is measured', async () => {
    const file = join(folder, 'missing', 'set.json');
    // No server listens there: the file is what is found first.
    const { code, stderr } = await bench(['get', '--server', '127.0.0.1:1', '--json', file]);
    expect(stderr).toContain(`--json ${file} cannot be written: ENOENT`);
    expect(code).toBe(2);
  });

  it('leaves no empty file, and no old one emptied, when nothing could be measured', async () => {
    const [fresh, old] = [join(folder, 'fresh.json'), join(folder, 'old.json')];
    writeFileSync(old, '{}');
    for (const file of [fresh, old]) {
      const { code } = await bench(['get', '--server', '127.0.0.1:1', '--json', file, ...QUICK]);
      expect(code).toBe(1);
    }
    expect(existsSync(fresh)).toBe(false);
    expect(readFileSync(old, 'utf8')).toBe('{}');
  });
});

it('says in a pipe what it is doing, as it goes, and keeps stdout for the report', async () => {
  await using server = await floor();
  const { code, stdout, stderr } = await bench([
    'get',
    '--server',
    `127.0.0.1:${server.port}`,
    ...QUICK,
  ]);
  expect(code).toBe(0);
  expect(stderr).toContain(`get 3x1 on 127.0.0.1:${server.port}, round 1/1\n`);
  expect(stderr).toContain(`get 3x16 on 127.0.0.1:${server.port}, round 1/1\n`);
  expect(stdout).toMatch(/^get 3x16 +[\d,]+ /m);
  expect(stdout).not.toContain('round 1/1');
});

it('prints and writes the rows before a server died, and exits 1', async () => {
  await using server = await floor();
  const file = join(folder, 'get.json');
  let isKilled = false;
  const args = ['get', '--server', `127.0.0.1:${server.port}`, '--json', file, ...QUICK];
  const { code, stdout, stderr } = await bench(args, (said) => {
    if (said.includes('get 3x16') && !isKilled) {
      isKilled = true;
      process.kill(server.target.pids[0] as number, 'SIGKILL');
    }
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^get 3x1 +[\d,]+ /m);
  expect(stdout).toContain('incomplete: the run ended early');
  expect(stderr).toContain('rows above: 1');
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  expect(report.rows).toHaveLength(1);
  expect(report.failure).toBeDefined();
});
