import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { MemoryDisk, NodeDisk, openDataDirectory, readMyId } from '../src/index.ts';

let disk: MemoryDisk;
beforeEach(() => {
  disk = new MemoryDisk();
});

const wrong = (pattern: RegExp) =>
  expect.objectContaining({
    code: 'BAD_DATA_DIRECTORY',
    message: expect.stringMatching(pattern),
  });

test('the directories are made, one or two', () => {
  expect(openDataDirectory({ disk, dataDir: '/d' })).toEqual({
    dataDir: '/d',
    dataLogDir: '/d',
    snapshotDirectory: '/d/version-2',
    logDirectory: '/d/version-2',
  });
  openDataDirectory({ disk, dataDir: '/d', dataLogDir: '/l' });
  expect(disk.list('/l')).toEqual(['version-2']);
});

test.each<[string, RegExp]>([
  ['EACCES', /Give the user that runs the server the right to write there/],
  ['ENOTDIR', /A file is in the way. Set dataDir/],
  ['EROFS', /read-only. Set dataDir/],
  ['EIO', /\. Set dataDir \(or dataLogDir\) to another directory/],
])('a directory that cannot be made for %s has the remedy for that', (code, remedy) => {
  disk.makeDirectory = () => {
    throw Object.assign(new Error(`${code}: failed`), { code });
  };
  expect(() => openDataDirectory({ disk, dataDir: '/d' })).toThrow(wrong(remedy));
});

test('without autocreate a missing directory is refused', () => {
  expect(() => openDataDirectory({ disk, dataDir: '/d', autocreate: false })).toThrow(
    wrong(/autocreate is false.*\/d\/version-2/),
  );
  disk.makeDirectory('/d/version-2');
  openDataDirectory({ disk, dataDir: '/d', autocreate: false });
});

test("the other kind's files are refused when the directories differ", () => {
  disk.makeDirectory('/d/version-2');
  disk.makeDirectory('/l/version-2');
  disk.writeFile('/d/version-2/log.1', Buffer.alloc(0));
  expect(() => openDataDirectory({ disk, dataDir: '/d', dataLogDir: '/l' })).toThrow(
    wrong(/snapshots holds a txn log .*\/d\/version-2\/log\.1/),
  );
  openDataDirectory({ disk, dataDir: '/d' });
  disk.unlink('/d/version-2/log.1');
  disk.writeFile('/l/version-2/snapshot.1', Buffer.alloc(0));
  expect(() => openDataDirectory({ disk, dataDir: '/d', dataLogDir: '/l' })).toThrow(
    wrong(/txn logs holds a snapshot .*\/l\/version-2\/snapshot\.1/),
  );
});

test.each([
  ['3', 3],
  ['3\n', 3],
  ['255\r\nignored', 255],
])('myid %j is %i', (content, id) => {
  disk.makeDirectory('/d');
  disk.writeFile('/d/myid', Buffer.from(content));
  expect(readMyId(disk, '/d')).toBe(id);
});

test.each(['', ' 3', '3 ', 'three', '3.5', '0x3'])('myid %j is refused', (content) => {
  disk.makeDirectory('/d');
  disk.writeFile('/d/myid', Buffer.from(content));
  expect(() => readMyId(disk, '/d')).toThrow(expect.objectContaining({ code: 'BAD_MYID' }));
});

test('a missing myid is undefined', () => {
  disk.makeDirectory('/d');
  expect(readMyId(disk, '/d')).toBeUndefined();
});

test.runIf(process.platform !== 'win32').each<[string, (home: string) => void]>([
  ['dataLogDir is a link to dataDir', (home) => symlinkSync(join(home, 'd'), join(home, 'l'))],
  [
    'version-2 is a link',
    (home) => {
      mkdirSync(join(home, 'd', 'version-2'));
      mkdirSync(join(home, 'l'));
      symlinkSync(join(home, 'd', 'version-2'), join(home, 'l', 'version-2'));
    },
  ],
])('one directory by two names is one directory: %s', (_, link) => {
  const home = mkdtempSync(join(tmpdir(), 'zebu-two-names-'));
  try {
    mkdirSync(join(home, 'd'));
    link(home);
    const real = new NodeDisk();
    const open = () =>
      openDataDirectory({ disk: real, dataDir: join(home, 'd'), dataLogDir: join(home, 'l') });
    expect(open().logDirectory).toBe(join(home, 'd', 'version-2'));
    real.writeFile(join(home, 'd', 'version-2', 'log.1'), Buffer.alloc(0));
    real.writeFile(join(home, 'l', 'version-2', 'snapshot.0'), Buffer.alloc(0));
    expect(open().logDirectory).toBe(open().snapshotDirectory);
  } finally {
    rmSync(home, { recursive: true });
  }
});
