import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const launcher = join(import.meta.dirname, '..', 'bin', 'zebu-server');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-launcher-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A Node that tells this version, and says `ran` for anything else. */
function nodeTelling(version: string): string {
  const node = join(folder, 'node');
  writeFileSync(node, `#!/bin/sh\n[ "$1" = --version ] && ${version} || echo ran\n`);
  chmodSync(node, 0o755);
  return node;
}

function launch(node: string) {
  return spawnSync(launcher, ['--version'], {
    encoding: 'utf8',
    env: { ...process.env, ZEBU_NODE: node },
  });
}

test.each(['echo v22.17.9', 'echo v18.20.0'])('a Node that says %s is refused', (version) => {
  const node = nodeTelling(version);
  const { status, stderr } = launch(node);
  expect(stderr).toBe(
    `zebu-server: needs Node.js 22.18 or newer, and ${node} is ${version.slice('echo '.length)}\n`,
  );
  expect(status).toBe(1);
});

test('so is what is no Node', () => {
  const { status, stderr } = launch(nodeTelling('exit 3'));
  expect(stderr).toContain('does not tell its version');
  expect(status).toBe(1);
});

test.each(['echo v22.18.0', 'echo v26.0.1'])('one that says %s is taken', (version) => {
  const { status, stdout } = launch(nodeTelling(version));
  expect(stdout).toBe('ran\n');
  expect(status).toBe(0);
});
