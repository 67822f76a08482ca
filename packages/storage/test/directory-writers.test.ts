import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DirectoryClaim, type DiskError, NodeDisk } from '../src/index.ts';
import { canRunAsOther, runAsOther } from './support/other-user.ts';

let home: string;
let directory: string;
let children: ChildProcess[];
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-writers-'));
  directory = join(home, 'data');
  fs.mkdirSync(directory);
  children = [];
});
afterEach(async () => {
  for (const child of children) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  fs.rmSync(home, { recursive: true });
});

/** A process that has a file open, and nothing else to do with it. */
function opens(name: string, flags: string, options: { uid?: number } = {}): ChildProcess {
  const fd = fs.openSync(join(directory, name), flags);
  const child = spawn('sleep', ['600'], { stdio: ['ignore', fd, 'ignore'], ...options });
  children.push(child);
  fs.closeSync(fd);
  return child;
}

function claim(path = directory): Promise<DirectoryClaim | DiskError> {
  return new Promise((resolve) => {
    new NodeDisk().claim(path, (error, held) => resolve(error ?? (held as DirectoryClaim)));
  });
}

async function claimed(path = directory): Promise<DirectoryClaim> {
  const held = await claim(path);
  if (held instanceof Error) throw held;
  await new Promise<void>((resolve) => held.release(() => resolve()));
  return held;
}

describe.runIf(process.platform === 'linux')('a directory that another process writes to', () => {
  test('is not claimed, by whatever path, until that process ends', async () => {
    const child = opens('log.5', 'a');
    const link = join(home, 'link');
    fs.symlinkSync(directory, link);
    for (const path of [directory, link]) {
      const refused = (await claim(path)) as DiskError;
      expect(refused.code).toBe('EBUSY');
      expect(refused.holder).toBe(
        `process ${child.pid} (sleep) has ${path}/log.5 open for writing`,
      );
    }
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    children = [];
    await claimed();
  });

  test('is told from one that it reads, and from files of the same name elsewhere', async () => {
    fs.writeFileSync(join(directory, 'log.5'), 'x');
    opens('log.5', 'r');
    fs.mkdirSync(join(home, 'elsewhere'));
    opens('../elsewhere/log.5', 'a');
    await claimed();
  });

  test.runIf(process.getuid?.() === 0 && canRunAsOther())(
    'is warned of when that process cannot be looked into',
    async () => {
      const owner = 4321;
      fs.writeFileSync(join(directory, 'log.5'), 'x');
      fs.chownSync(join(directory, 'log.5'), owner, owner);
      for (const path of [home, directory]) fs.chmodSync(path, 0o777);
      const child = opens('log.5', 'a', { uid: owner });
      const unseen = runAsOther(`
        const disk = new storage.NodeDisk();
        return await new Promise((resolve) => {
          disk.claim(${JSON.stringify(directory)}, (error, held) => resolve(error ? String(error) : held.unseen));
        });`);
      expect(unseen).toEqual([`process ${child.pid} (sleep)`]);
    },
  );
});
