import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const app = join(import.meta.dirname, '..');
const launcher = join(app, 'bin', 'zebu-server');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zebu-launcher-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A program of the shell. */
function program(path: string, body: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/**
 * A Node that tells its version by this command, refuses flags as Node does, and says with which ones it
 * ran for anything else.
 */
function nodeTelling(version: string, refused = 'none', path = join(folder, 'node')): string {
  return program(
    path,
    `for flag; do case $flag in ${refused}) echo "bad option: $flag" >&2; exit 9 ;; esac; done
case "$*" in *--version) ${version} ;; *) for flag; do case $flag in --*) printf '%s ' "$flag" ;; *) break ;; esac; done; echo ran ;; esac`,
  );
}

function launch(node: string, env: NodeJS.ProcessEnv = {}, command = launcher) {
  return spawnSync(command, ['start'], {
    encoding: 'utf8',
    env: { ...process.env, ZEBU_NODE: node, NODE_OPTIONS: '', ...env },
  });
}

const FLAGS = '--max-semi-space-size=4 --single-threaded-gc --disable-sigusr1';

describe('the Node that ZEBU_NODE names', () => {
  test.each(['echo v22.17.9', 'echo v18.20.0'])('is refused when it says %s', (version) => {
    const node = nodeTelling(version);
    const { status, stderr } = launch(node);
    expect(stderr).toBe(
      `zebu-server: needs Node.js 22.18 or newer, and ${node} is ${version.slice('echo '.length)}\n`,
    );
    expect(status).toBe(1);
  });

  test.each(['exit 3', 'echo mush', 'true'])('is refused when it does %s', (version) => {
    const { status, stderr } = launch(nodeTelling(version));
    expect(stderr).toContain('does not tell its version');
    expect(status).toBe(1);
  });

  test.each(['echo v22.18.0', 'echo v26.0.1'])('is taken when it says %s', (version) => {
    const { status, stdout, stderr } = launch(nodeTelling(version));
    expect([stdout, stderr]).toEqual([`${FLAGS} ran\n`, '']);
    expect(status).toBe(0);
  });
});

describe('flags', () => {
  test('that this Node does not know are left out, one by one, and told', () => {
    const { status, stdout, stderr } = launch(nodeTelling('echo v30.1.0', '--single-*'));
    expect(stdout).toBe('--max-semi-space-size=4 --disable-sigusr1 ran\n');
    expect(stderr).toBe(
      'zebu-server: goes on without --single-threaded-gc, which Node v30.1.0 does not know\n',
    );
    expect(status).toBe(0);
  });

  test('of the user come after ours, and theirs in NODE_OPTIONS count', () => {
    const node = nodeTelling('echo v26.0.1');
    expect(launch(node, { NODE_FLAGS: '--a --b' }).stdout).toBe(`${FLAGS} --a --b ran\n`);
    expect(launch(node, { NODE_OPTIONS: '--max-semi-space-size=16' }).stdout).toBe(
      '--single-threaded-gc --disable-sigusr1 ran\n',
    );
  });
});

describe('in the repository', () => {
  /** The launcher in a workspace that has this Node installed, and `system` on PATH. */
  function launchInWorkspace(installed: string, system: string) {
    const workspace = join(folder, 'workspace');
    mkdirSync(join(workspace, 'apps', 'server'), { recursive: true });
    writeFileSync(join(workspace, 'pnpm-workspace.yaml'), '');
    for (const part of ['bin', 'dist']) {
      cpSync(join(app, part), join(workspace, 'apps', 'server', part), { recursive: true });
    }
    program(join(workspace, 'node_modules', '.bin', 'node'), installed);
    nodeTelling(system, 'none', join(folder, 'system', 'node'));
    const PATH = `${join(folder, 'system')}${delimiter}/usr/bin${delimiter}/bin`;
    return launch('', { PATH }, join(workspace, 'apps', 'server', 'bin', 'zebu-server'));
  }

  test('the Node of the install is taken', () => {
    const body = 'case "$*" in *--version) echo v26.9.9 ;; *) echo installed ;; esac';
    expect(launchInWorkspace(body, 'echo v22.18.0').stdout).toBe('installed\n');
  });

  // What the shell says of a program whose loader is missing, as glibc's is on Alpine.
  test('but not one that cannot run here', () => {
    const { stdout, status } = launchInWorkspace('exit 127', 'echo v22.18.0');
    expect(stdout).toBe(`${FLAGS} ran\n`);
    expect(status).toBe(0);
  });
});
