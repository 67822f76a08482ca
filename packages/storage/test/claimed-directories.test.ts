import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryName } from '../src/file-names.ts';
import { type DirectoryClaim, type DiskError, NodeDisk } from '../src/index.ts';

let home: string;
let directory: string;
let moved: string;
let disk: NodeDisk;
const claims: DirectoryClaim[] = [];
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-claimed-'));
  directory = join(home, 'data');
  moved = join(home, 'moved');
  fs.mkdirSync(directory);
  disk = new NodeDisk();
});
afterEach(async () => {
  await Promise.all(claims.splice(0).map(release));
  fs.rmSync(home, { recursive: true });
});

function claim(on = disk): Promise<DirectoryClaim> {
  return new Promise((resolve, reject) => {
    on.claim(directory, (error, held) => {
      if (held === undefined) reject(error);
      else resolve(claims[claims.push(held) - 1] as DirectoryClaim);
    });
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

/** Releases the newest claim now. */
async function releaseLast(): Promise<void> {
  await release(claims.pop() as DirectoryClaim);
}

describe.runIf(process.platform !== 'win32')('a claimed directory that is moved away', () => {
  test('lets nothing be done to the one that has its name now', async () => {
    await claim();
    disk.writeFile(`${directory}/old`, Buffer.from('old'));
    replace();
    fs.writeFileSync(`${directory}/theirs`, 'theirs');
    const stale = expect.objectContaining({ code: 'ESTALE' });
    const path = `${directory}/theirs`;
    expect(() => disk.writeFile(`${directory}/a`, Buffer.from('a'))).toThrow(stale);
    expect(() => disk.writeFile(path, Buffer.from('a'))).toThrow(stale);
    expect(() => disk.rename(path, `${directory}/b`)).toThrow(stale);
    expect(() => disk.unlink(path)).toThrow(stale);
    expect(() => disk.truncate(path, 0)).toThrow(stale);
    const file = disk.openWrite(path, { truncate: true });
    expect(await later((done) => file.write(Buffer.from('bb'), 2, 0, done))).toEqual(stale);
    expect(await later((done) => file.close(done))).toBeUndefined();
    const rename = (done: (error?: DiskError) => void) =>
      disk.renameAsync(path, `${directory}/b`, done);
    expect(await later(rename)).toEqual(stale);
    const gone = await later((done) => disk.unlinkAsync(path, done));
    expect(gone).toEqual(stale);
    expect(gone?.message).toBe(
      `ESTALE: ${directory} was moved away or replaced, unlink '${directory}/theirs'`,
    );
    expect(fs.readdirSync(directory)).toEqual(['theirs']);
    expect(fs.readFileSync(path, 'utf8')).toBe('theirs');
    expect(fs.readdirSync(moved)).toEqual(['old']);
  });

  test('lets nothing be done either where nothing has its name now', async () => {
    await claim();
    fs.renameSync(directory, moved);
    expect(() => disk.writeFile(`${directory}/a`, Buffer.from('a'))).toThrow(/ESTALE/);
  });

  test('takes what is written to its open files along', async () => {
    await claim();
    const file = disk.openWrite(`${directory}/open`);
    expect(await later((done) => file.write(Buffer.from('one '), 4, 0, done))).toBeUndefined();
    replace();
    expect(await later((done) => file.writeDurable(Buffer.from('two'), 3, 4, done))).toBe(
      undefined,
    );
    await later((done) => file.close(done));
    expect(fs.readFileSync(join(moved, 'open'), 'utf8')).toBe('one two');
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test('is told from the one that has its name now', async () => {
    await claim();
    const before = disk.identity(directory);
    replace();
    expect(disk.identity(directory)).not.toBe(before);
  });

  test('is told from one that is made after it was removed', async () => {
    await claim();
    for (let i = 0; i < 20; i++) {
      fs.rmdirSync(directory);
      fs.mkdirSync(directory);
      expect(() => disk.writeFile(`${directory}/a`, Buffer.from('a'))).toThrow(/ESTALE/);
    }
  });

  test('does not keep another disk from claiming the new one', async () => {
    await claim();
    replace();
    const other = new NodeDisk();
    await claim(other);
    other.writeFile(`${directory}/new`, Buffer.from('new'));
    expect(() => disk.writeFile(`${directory}/old`, Buffer.from('old'))).toThrow(/ESTALE/);
    await releaseLast();
    await expect(claim()).rejects.toThrow('moved away and is still in use');
    await releaseLast();
    await claim();
    disk.writeFile(`${directory}/later`, Buffer.from('later'));
    expect(fs.readdirSync(directory)).toEqual(['later', 'new']);
  });

  test('is claimed until the last claim of it is released', async () => {
    const descriptors = () =>
      fs.readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === fs.realpathSync(directory));
    await claim();
    if (process.platform === 'linux') expect(descriptors()).toHaveLength(1);
    await releaseLast();
    if (process.platform === 'linux') expect(descriptors()).toHaveLength(0);
    replace();
    disk.writeFile(`${directory}/a`, Buffer.from('a'));
    expect(fs.readdirSync(directory)).toEqual(['a']);
  });
});

test('files that are being made have names of their directory alone', () => {
  const other = join(home, 'other');
  fs.mkdirSync(other);
  const names = [directory, other].map((path) => temporaryName('log.next-1', disk.identity(path)));
  expect(names[0]).toMatch(/^tmp-log\.next-1-of-\d+-\d+$/);
  expect(names[0]).not.toBe(names[1]);
});

test('every error names its file', () => {
  const folder = join(directory, 'folder');
  fs.mkdirSync(folder);
  for (const act of [
    () => disk.readFile(folder),
    () => disk.openRead(folder).read(Buffer.alloc(4), 0, 4, 0),
    () => disk.truncate(folder, 3),
    () => disk.writeFile(folder, Buffer.alloc(3)),
    () => disk.list(join(directory, 'nowhere')),
    () => disk.size(join(directory, 'nowhere')),
  ]) {
    expect(act).toThrow(directory);
  }
});

function linkOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
