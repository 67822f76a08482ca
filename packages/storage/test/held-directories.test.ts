import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DirectoryClaim, type DiskError, NodeDisk } from '../src/index.ts';

let home: string;
let directory: string;
let moved: string;
let disk: NodeDisk;
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-held-'));
  directory = join(home, 'data');
  moved = join(home, 'moved');
  fs.mkdirSync(directory);
  disk = new NodeDisk();
});
afterEach(() => fs.rmSync(home, { recursive: true }));

function claim(on = disk): Promise<DirectoryClaim> {
  return new Promise((resolve, reject) => {
    on.claim(directory, (error, held) => (held === undefined ? reject(error) : resolve(held)));
  });
}

const release = (held: DirectoryClaim) =>
  new Promise<void>((resolve) => held.release(() => resolve()));
const later = (start: (done: (error?: DiskError) => void) => void) =>
  new Promise<DiskError | undefined>((resolve) => start(resolve));

/** Another directory gets the name. */
function replace(): void {
  fs.renameSync(directory, moved);
  fs.mkdirSync(directory);
}

describe.runIf(process.platform === 'linux')('a claimed directory that is moved away', () => {
  test('gets all that is done in it; the one that has its name now gets nothing', async () => {
    const held = await claim();
    disk.writeFile(`${directory}/old`, Buffer.from('old'));
    replace();
    disk.writeFile(`${directory}/a`, Buffer.from('a'));
    const file = disk.openWrite(`${directory}/tmp-b`, { truncate: true });
    expect(await later((done) => file.write(Buffer.from('bb'), 2, 0, done))).toBeUndefined();
    expect(await later((done) => file.close(done))).toBeUndefined();
    const rename = (done: (error?: DiskError) => void) =>
      disk.renameAsync(`${directory}/tmp-b`, `${directory}/b`, done);
    expect(await later(rename)).toBeUndefined();
    expect(await later((done) => disk.syncDirectoryAsync(directory, done))).toBeUndefined();
    expect(await later((done) => disk.unlinkAsync(`${directory}/old`, done))).toBeUndefined();
    disk.rename(`${directory}/a`, `${directory}/c`);
    disk.truncate(`${directory}/c`, 3);
    disk.syncFile(`${directory}/c`);
    disk.syncDirectory(directory);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(fs.readdirSync(moved).sort()).toEqual(['b', 'c']);
    expect(disk.list(directory)).toEqual(['b', 'c']);
    expect(disk.size(`${directory}/c`)).toBe(3);
    expect(disk.exists(`${directory}/b`)).toBe(true);
    expect(disk.readFile(`${directory}/b`).toString()).toBe('bb');
    const read = disk.openRead(`${directory}/b`);
    expect(read.size).toBe(2);
    read.close();
    disk.unlink(`${directory}/b`);
    expect(fs.readdirSync(moved)).toEqual(['c']);
    await release(held);
  });

  test('is told from the one that has its name now', async () => {
    const held = await claim();
    const before = disk.identity(directory);
    replace();
    expect(disk.identity(directory)).not.toBe(before);
    await release(held);
  });

  test('does not keep another disk from claiming the new one', async () => {
    const held = await claim();
    replace();
    const other = new NodeDisk();
    const second = await claim(other);
    other.writeFile(`${directory}/new`, Buffer.from('new'));
    disk.writeFile(`${directory}/old`, Buffer.from('old'));
    expect(fs.readdirSync(directory)).toEqual(['new']);
    expect(fs.readdirSync(moved)).toEqual(['old']);
    await release(second);
    await expect(claim()).rejects.toThrow('moved away and is still in use');
    await release(held);
    // By name again.
    disk.writeFile(`${directory}/later`, Buffer.from('later'));
    expect(fs.readdirSync(directory)).toEqual(['later', 'new']);
  });

  test('is named by its path in errors', async () => {
    const held = await claim();
    expect(() => disk.readFile(`${directory}/none`)).toThrow(
      `ENOENT: no such file or directory, open '${directory}/none'`,
    );
    const failed = await later((done) =>
      disk.renameAsync(`${directory}/none`, `${directory}/some`, done),
    );
    expect(failed?.message).toBe(
      `ENOENT: no such file or directory, rename '${directory}/none' -> '${directory}/some'`,
    );
    expect(failed?.path).toBe(`${directory}/none`);
    fs.mkdirSync(`${directory}/is-a-directory`);
    const file = disk.openWrite(`${directory}/is-a-directory`);
    const notOpened = await later((done) => file.sync(done));
    expect(notOpened?.message).toContain(`'${directory}/is-a-directory'`);
    await release(held);
  });

  test('is let go of once all that was begun in it has ended', async () => {
    const descriptors = () =>
      fs.readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === fs.realpathSync(directory))
        .length;
    const held = await claim();
    expect(descriptors()).toBe(1);
    const file = disk.openWrite(`${directory}/a`);
    const opened = later((done) => file.sync(done));
    await release(held);
    expect(await opened).toBeUndefined();
    expect(descriptors()).toBe(0);
    expect(fs.readdirSync(directory)).toEqual(['a']);
    file.close();
  });
});

function linkOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
