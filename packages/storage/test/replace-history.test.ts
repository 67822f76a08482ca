import { beforeEach, expect, test } from 'vitest';
import {
  adoptSnapshot,
  type DataDirectory,
  discardHistory,
  EpochFiles,
  loadEpochs,
  MemoryDisk,
  SnapshotWriter,
  type StorageError,
} from '../src/index.ts';
import {
  appendAll,
  directoryOn,
  EPOCH,
  logBytes,
  range,
  recoverAll,
  treeBytes,
  writeLog,
  writeSnapshot,
} from './helpers.ts';

let disk: MemoryDisk;
let directory: DataDirectory;
let epochs: EpochFiles;
beforeEach(async () => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  await appendAll(disk, directory, range(1, 20), { preAllocBytes: 16_384 });
  await writeSnapshot(disk, directory, { zxid: 15, names: ['', '/own'] });
  epochs = new EpochFiles(disk, directory.snapshotDirectory, loadEpochs(disk, names(), 0));
});
const names = () => directory.snapshotDirectory;

function spoolOf(zxid: number): SnapshotWriter {
  const spool = new SnapshotWriter({ disk, directory: directory.snapshotDirectory, zxid });
  const tree = treeBytes(['', '/leader']);
  spool.write(tree, 0, tree.length);
  spool.seal();
  return spool;
}

const adopt = (spool: SnapshotWriter) =>
  new Promise<StorageError | undefined>((done) =>
    adoptSnapshot({ disk, directory, spool, epochs, done }),
  );
const discard = () =>
  new Promise<StorageError | undefined>((done) => discardHistory({ disk, directory, done }));
const accept = (epoch: number) => new Promise<void>((done) => epochs.accept(epoch, () => done()));

// Above, among and below what is there, and of the same name.
test.each([25, 17, 15, 8, 0])(
  'a snapshot at %i is all that is left, and the log goes on from it',
  async (zxid) => {
    expect(await adopt(spoolOf(zxid))).toBeUndefined();
    const name = `snapshot.${zxid.toString(16)}`;
    expect(disk.list(names())).toEqual(['acceptedEpoch', 'currentEpoch', name]);
    const { target, ...result } = recoverAll(disk, directory);
    expect(result).toMatchObject({ zxid, entries: 0, warnings: [] });
    expect(target.names).toEqual(['', '/leader']);
    await appendAll(disk, directory, [zxid + 1, zxid + 2], {
      lastZxid: zxid,
      preAllocBytes: 16_384,
    });
    expect(recoverAll(disk, directory)).toMatchObject({ zxid: zxid + 2, entries: 2 });
  },
);

test('one of a higher epoch leaves word for a start before currentEpoch is raised', async () => {
  await accept(3);
  expect(await adopt(spoolOf(3 * EPOCH))).toBeUndefined();
  const { zxid } = recoverAll(disk, directory);
  expect(epochs.currentEpoch).toBe(0);
  expect(loadEpochs(disk, names(), zxid)).toEqual({ acceptedEpoch: 3, currentEpoch: 3 });
});

test('a spool that failed changes nothing', async () => {
  const before = disk.list(names());
  const spool = spoolOf(25);
  const { openWrite } = disk;
  spool.failure = undefined;
  disk.syncDirectoryAsync = (_path, done) =>
    queueMicrotask(() => done(Object.assign(new Error('EIO'), { code: 'EIO' })));
  expect(await adopt(spool)).toMatchObject({ code: 'DISK_FAILED' });
  disk.openWrite = openWrite;
  expect(disk.list(names())).toEqual(before);
});

test('a discarded history leaves an empty database, and the epochs', async () => {
  await accept(4);
  expect(await discard()).toBeUndefined();
  expect(disk.list(names())).toEqual(['acceptedEpoch', 'currentEpoch']);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 0, needsSnapshot: true });
  expect(loadEpochs(disk, names(), 0)).toEqual({ acceptedEpoch: 4, currentEpoch: 0 });
});

/** What a process leaves that dies once the file is durable. */
async function beginAdoption(): Promise<void> {
  const { renameAsync } = disk;
  disk.renameAsync = (from, to, done) => {
    if (to.endsWith('/snapshot.19')) return;
    renameAsync.call(disk, from, to, done);
  };
  void adopt(spoolOf(25));
  for (let i = 0; i < 1000; i += 1) await Promise.resolve();
  disk.renameAsync = renameAsync;
  expect(disk.list(names())).toContain('pending-replacement');
}

test('a start carries on what was begun', async () => {
  await beginAdoption();
  const { target, ...result } = recoverAll(disk, directory);
  expect(result).toMatchObject({ zxid: 25, entries: 0 });
  expect(result.warnings).toEqual([expect.stringContaining('Finished the replacement')]);
  expect(target.names).toEqual(['', '/leader']);
  expect(disk.list(names())).toEqual(['acceptedEpoch', 'currentEpoch', 'snapshot.19']);
});

test('what another server wrote since is not thrown away', async () => {
  await beginAdoption();
  writeLog(disk, directory, 21, logBytes(range(21, 30)));
  const { target, ...result } = recoverAll(disk, directory);
  expect(result).toMatchObject({ zxid: 30, snapshotZxid: 15 });
  expect(result.warnings).toEqual([expect.stringContaining('log.15 was written since')]);
  expect(target.names).toEqual(['', '/own']);
  expect(disk.list(names())).not.toContain('pending-replacement');
  expect(disk.list(names())).not.toContain('tmp-snapshot.19');
});

test('reading without repair leaves it alone', async () => {
  await beginAdoption();
  const before = disk.list(names());
  expect(recoverAll(disk, directory, { repair: false })).toMatchObject({ zxid: 20 });
  expect(disk.list(names())).toEqual(before);
});

test('garbage in its place is refused by name', async () => {
  disk.writeFile(`${names()}/pending-replacement`, Buffer.from('{"logs":3}'));
  expect(() => recoverAll(disk, directory)).toThrow(/Not the record of a replaced history/);
});
