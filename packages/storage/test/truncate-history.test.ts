import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  MemoryDisk,
  type TruncateResult,
  truncateHistory,
} from '../src/index.ts';
import {
  appendAll,
  directoryOn,
  drain,
  EPOCH,
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
    await appendAll(disk, directory, range(first, first + 9), {
      lastZxid: first - 1,
      preAllocBytes: 16_384,
    });
  }
});

const truncate = (zxid: number): TruncateResult =>
  drain(truncateHistory({ disk, directory, zxid }));
const names = () => disk.list(directory.snapshotDirectory);
const pathOf = (name: string) => `${directory.logDirectory}/${name}`;

test('every zxid of the history can be cut to, and the log goes on from there', async () => {
  for (let zxid = 30; zxid >= 0; zxid -= 1) {
    expect(truncate(zxid).outcome).toBe('truncated');
    expect(recoverAll(disk, directory)).toMatchObject({ zxid, warnings: [] });
  }
  await appendAll(disk, directory, range(1, 5));
  expect(recoverAll(disk, directory).zxid).toBe(5);
});

test('the cut is exactly after the record', () => {
  truncate(14);
  expect(disk.readFile(pathOf('log.b'))).toEqual(logBytes(range(11, 14), 0));
});

test('snapshots above the cut go too, so that nothing comes back (ZOOKEEPER-4837)', async () => {
  await writeSnapshot(disk, directory, { zxid: 18 });
  await writeSnapshot(disk, directory, { zxid: 25 });
  expect(truncate(20)).toEqual({
    outcome: 'truncated',
    removed: [pathOf('snapshot.19'), pathOf('log.15')],
  });
  expect(names()).toEqual(['log.1', 'log.b', 'snapshot.0', 'snapshot.12']);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 20, snapshotZxid: 18 });
});

test('so does a fuzzy one that holds more than its name says', async () => {
  await writeSnapshot(disk, directory, { zxid: 12, reachZxid: 20 });
  await writeSnapshot(disk, directory, { zxid: 18, reachZxid: 21 });
  truncate(20);
  expect(names()).toEqual(['log.1', 'log.b', 'snapshot.0', 'snapshot.c']);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 20, snapshotZxid: 12 });
});

test.each(['', 'gz', 'snappy'] as const)(
  'the reach of a snapshot is read at every compression (%s), with and without its sections',
  async (compression) => {
    const options = { zxid: 18, reachZxid: 24, compression };
    for (const digest of [true, false]) {
      for (const lastZxid of [true, false]) {
        const { name, path } = await writeSnapshot(disk, directory, {
          ...options,
          digest,
          lastZxid,
        });
        truncate(24);
        expect(names()).toContain(name);
        truncate(23);
        // Without either section nothing tells of more than its name does.
        expect(names().includes(name)).toBe(!digest && !lastZxid);
        if (disk.exists(path)) disk.unlink(path);
        await appendAll(disk, directory, [24], { lastZxid: 23, preAllocBytes: 16_384 });
      }
    }
  },
);

test('snapshots go before logs, the newest first, each durably before the next', async () => {
  await writeSnapshot(disk, directory, { zxid: 18 });
  await writeSnapshot(disk, directory, { zxid: 25 });
  const done: string[] = [];
  for (const call of ['unlink', 'truncate', 'syncDirectory'] as const) {
    const plain = disk[call];
    disk[call] = (path: string, size?: number) => {
      done.push(`${call} ${path.split('/').at(-1)}`);
      plain.call(disk, path, size as number);
    };
  }
  truncate(8);
  expect(done).toEqual([
    'unlink snapshot.19',
    'unlink snapshot.12',
    'syncDirectory version-2',
    'unlink log.15',
    'unlink log.b',
    'syncDirectory version-2',
    'truncate log.1',
  ]);
});

test('a broken snapshot is no base, and goes', async () => {
  const { path } = await writeSnapshot(disk, directory, { zxid: 18 });
  const bytes = disk.readFile(path);
  bytes[20] = (bytes[20] as number) ^ 1;
  disk.writeFile(path, bytes);
  truncate(20);
  expect(names()).toEqual(['log.1', 'log.b', 'snapshot.0']);
});

test('a zxid above the history, or in a hole of it, is an answer, and nothing is changed', () => {
  writeLog(disk, directory, 2 * EPOCH + 1, logBytes(range(2 * EPOCH + 1, 2 * EPOCH + 5)));
  const before = names().map((name) => [name, disk.readFile(pathOf(name)).toString('latin1')]);
  for (const zxid of [31, EPOCH, EPOCH + 1, 2 * EPOCH, 2 * EPOCH + 6]) {
    expect(truncate(zxid)).toMatchObject({
      outcome: 'notInHistory',
      reason: expect.stringContaining(`0x${zxid.toString(16)}: the logs end at`),
    });
  }
  expect(names().map((name) => [name, disk.readFile(pathOf(name)).toString('latin1')])).toEqual(
    before,
  );
  expect(truncate(2 * EPOCH + 3).outcome).toBe('truncated');
});

test('so is one below every snapshot, and one after a gap', async () => {
  disk.unlink(pathOf('snapshot.0'));
  expect(truncate(12)).toMatchObject({ reason: expect.stringMatching(/no snapshot is whole/) });
  await writeSnapshot(disk, directory, { zxid: 18 });
  expect(truncate(12)).toMatchObject({ reason: expect.stringMatching(/no snapshot is whole/) });
  await writeSnapshot(disk, directory, { zxid: 8 });
  disk.unlink(pathOf('snapshot.12'));
  disk.unlink(pathOf('log.b'));
  expect(truncate(25)).toMatchObject({
    outcome: 'notInHistory',
    reason: 'Cannot truncate to 0x19: 0x15 comes after 0xa',
  });
});

test('the zxid of a snapshot can be cut to without a log that holds it', async () => {
  for (const name of ['log.1', 'log.b', 'log.15']) disk.unlink(pathOf(name));
  await writeSnapshot(disk, directory, { zxid: 40 });
  writeLog(disk, directory, 41, logBytes(range(41, 50)));
  expect(truncate(40).outcome).toBe('truncated');
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 40 });
});

test('logs that repeat each other are all cut', async () => {
  // As a follower of Apache's leaves them that was stopped between append and flush (ZOOKEEPER-4712).
  writeLog(disk, directory, 28, logBytes(range(28, 34)));
  truncate(29);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 29, warnings: [] });
});

describe('damage', () => {
  test('before the zxid is an error', () => {
    const bytes = disk.readFile(pathOf('log.b'));
    bytes[60] = (bytes[60] as number) ^ 1;
    disk.writeFile(pathOf('log.b'), bytes);
    expect(() => truncate(15)).toThrow(expect.objectContaining({ code: 'BAD_CHECKSUM' }));
  });

  test('above it goes with what is cut', () => {
    const bytes = disk.readFile(pathOf('log.15'));
    bytes[60] = (bytes[60] as number) ^ 1;
    disk.writeFile(pathOf('log.15'), bytes);
    expect(truncate(15).outcome).toBe('truncated');
  });
});
