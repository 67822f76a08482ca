// One directory by two names, where the second name is a bind mount: a volume that a container gets twice. No path and
// no link tells that the two are one.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StartServerOptions, silentLogger, startServer } from '@zebu/server';
import { expect, test } from 'vitest';
import { OP } from '../../src/differential/wire.ts';
import { body, Probe } from '../../src/probe.ts';

const whyNot = whyNoBindMounts();
const name = (text: string) => `a directory that is mounted a second time ${text}`;

for (const [text, below] of [
  ['is one data directory', ''],
  ['at its version-2 is one data directory', 'version-2'],
] as const) {
  mountTest(name(text), async (home) => {
    const dataDir = join(home, 'data');
    const dataLogDir = join(home, 'logs');
    bindMount(join(dataDir, below), join(dataLogDir, below));
    await serve({ dataDir, dataLogDir }, async (probe) => {
      expect((await probe.ask(OP.create, body.create('/a', Buffer.from('1')))).err).toBe(0);
      // Both names show the log: they are one directory.
      const logs = (folder: string) =>
        readdirSync(join(folder, 'version-2')).filter((file) => file.startsWith('log.'));
      expect(logs(dataDir)).toHaveLength(1);
      expect(logs(dataLogDir)).toEqual(logs(dataDir));
    });
    // By the other name, and by one name alone: the same data.
    for (const options of [{ dataDir: dataLogDir, dataLogDir: dataDir }, { dataDir: dataLogDir }]) {
      await serve(options, async (probe) => {
        expect((await probe.ask(OP.getData, body.read('/a'))).body.buffer()?.toString()).toBe('1');
      });
    }
  });
}

mountTest(name('has one server at a time'), async (home) => {
  const dataDir = join(home, 'data');
  const other = join(home, 'other');
  bindMount(dataDir, other);
  await serve({ dataDir }, async (probe) => {
    const before = readdirSync(join(dataDir, 'version-2'));
    await expect(start({ dataDir: other })).rejects.toMatchObject({
      code: 'DIRECTORY_IN_USE',
      message: expect.stringContaining(other),
    });
    expect(readdirSync(join(dataDir, 'version-2'))).toEqual(before);
    expect((await probe.ask(OP.create, body.create('/a', null))).err).toBe(0);
  });
});

function start(options: StartServerOptions) {
  return startServer({
    port: 0,
    clientPortAddress: '127.0.0.1',
    logger: silentLogger,
    ...options,
  });
}

async function serve(
  options: StartServerOptions,
  use: (probe: Probe) => Promise<void>,
): Promise<void> {
  const server = await start(options);
  try {
    const probe = await Probe.open(server.port);
    await use(probe);
    await probe.close();
  } finally {
    await server.close();
  }
}

/** Runs `body` with a directory of its own; afterwards nothing in it is mounted or left. */
function mountTest(title: string, run: (home: string) => Promise<void>): void {
  if (whyNot !== undefined) {
    console.log(`left out: ${title} (${whyNot})`);
    test.skip(title, () => {});
    return;
  }
  test(title, { timeout: 60_000 }, async () => {
    const home = mkdtempSync(join(tmpdir(), 'zebu-bind-'));
    try {
      await run(home);
    } finally {
      leave(home);
    }
  });
}

function bindMount(from: string, to: string): void {
  mkdirSync(from, { recursive: true });
  mkdirSync(to, { recursive: true });
  execFileSync('mount', ['--bind', from, to], { stdio: 'pipe' });
}

/** Unmounts first: removing a tree removes what is mounted in it as well. */
function leave(home: string): void {
  for (const folder of ['other', 'logs', 'logs/version-2', 'probe/b']) {
    if (!existsSync(join(home, folder))) continue;
    try {
      execFileSync('umount', [join(home, folder)], { stdio: 'pipe' });
    } catch {
      // Not a mount.
    }
  }
  rmSync(home, { recursive: true });
}

/** Why this machine has no bind mounts for this process; undefined when it has. */
function whyNoBindMounts(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has bind mounts';
  const home = mkdtempSync(join(tmpdir(), 'zebu-bind-'));
  try {
    bindMount(join(home, 'probe', 'a'), join(home, 'probe', 'b'));
    return undefined;
  } catch (error) {
    return `mount --bind: ${String((error as { stderr?: unknown }).stderr ?? error).trim()}`;
  } finally {
    leave(home);
  }
}
