import { beforeEach, expect, test } from 'vitest';
import {
  type DataDirectory,
  discardHistoryExcept,
  MemoryDisk,
  truncateHistory,
} from '../src/index.ts';
import {
  appendAll,
  directoryOn,
  logBytes,
  range,
  recoverAll,
  writeLog,
  writeSnapshot,
} from './helpers.ts';

let disk: MemoryDisk;
let directory: DataDirectory;
beforeEach(async () => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  for (let first = 1; first < 30; first += 10) {
    await appendAll(disk, directory, range(first, first + 9), { lastZxid: first - 1 });
  }
});

test('every zxid of the history can be cut to, and the log goes on from there', async () => {
  for (let zxid = 29; zxid >= 0; zxid -= 1) {
    truncateHistory(disk, directory, zxid);
    expect(recoverAll(disk, directory)).toMatchObject({ zxid, warnings: [] });
  }
  await appendAll(disk, directory, range(1, 5));
  expect(recoverAll(disk, directory).zxid).toBe(5);
});

test('snapshots above the cut go too, so that nothing comes back (ZOOKEEPER-4837)', async () => {
  await writeSnapshot(disk, directory, { zxid: 18 });
  await writeSnapshot(disk, directory, { zxid: 25 });
  truncateHistory(disk, directory, 20);
  expect(disk.list(directory.snapshotDirectory)).toEqual([
    'log.1',
    'log.b',
    'snapshot.0',
    'snapshot.12',
  ]);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 20, snapshotZxid: 18 });
});

test('a zxid that is not in the history is refused, and nothing is changed', () => {
  const before = disk.list(directory.logDirectory);
  const size = disk.size(`${directory.logDirectory}/log.15`);
  expect(() => truncateHistory(disk, directory, 31)).toThrow(
    expect.objectContaining({ code: 'CANNOT_TRUNCATE', zxid: 31 }),
  );
  expect(disk.list(directory.logDirectory)).toEqual(before);
  expect(disk.size(`${directory.logDirectory}/log.15`)).toBe(size);
});

test('a cut below every snapshot is refused', async () => {
  disk.unlink(`${directory.snapshotDirectory}/snapshot.0`);
  await writeSnapshot(disk, directory, { zxid: 18 });
  expect(() => truncateHistory(disk, directory, 12)).toThrow(/no snapshot is old enough/);
});

test('the zxid of a snapshot can be cut to without a log that holds it', async () => {
  for (const name of ['log.1', 'log.b', 'log.15']) disk.unlink(`${directory.logDirectory}/${name}`);
  await writeSnapshot(disk, directory, { zxid: 40 });
  writeLog(disk, directory, 41, logBytes(range(41, 50)));
  truncateHistory(disk, directory, 40);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 40 });
});

test('after a leader sent its snapshot nothing else is left to replay', async () => {
  await writeSnapshot(disk, directory, { zxid: 25 });
  const error = await new Promise((resolve) => discardHistoryExcept(disk, directory, 25, resolve));
  expect(error).toBeUndefined();
  expect(disk.list(directory.snapshotDirectory)).toEqual(['snapshot.19']);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 25, entries: 0 });
});
