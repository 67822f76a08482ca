import { expect, test } from 'vitest';
import { logFiles, MemoryDisk, planPurge, purge, snapshotFiles } from '../src/index.ts';
import { appendAll, directoryOn, range, recoverAll, writeSnapshot } from './helpers.ts';

const hexNames = (prefix: string, zxids: number[]) =>
  zxids.map((zxid) => `${prefix}.${zxid.toString(16)}`);

// disk.md section 8: X is the third newest valid snapshot, or the oldest.
test.each<[string, number[], number[], number[], number[], number[]]>([
  ['fewer snapshots than to keep', [1, 5], [1, 3, 6], [], [], []],
  [
    'logs before X go, but the newest at or below X stays',
    [1, 5, 8, 9],
    [1, 4, 6, 9],
    [],
    [1],
    [1],
  ],
  ['a log that starts at X may hold X + 1', [1, 5, 8, 9], [1, 5, 6], [], [1], [1]],
  ['a log that starts above X is kept', [1, 5, 8, 9], [1, 6], [], [1], []],
  ['invalid snapshots do not count', [1, 5, 8, 9], [1, 4], [8], [], []],
  ['nothing valid: nothing goes', [1, 5, 8, 9], [1, 4], [1, 5, 8, 9], [], []],
  ['no logs', [1, 2, 3, 4, 5], [], [], [1, 2], []],
])('%s', (_, snapshots, logs, invalid, goneSnapshots, goneLogs) => {
  const plan = planPurge(
    snapshotFiles(hexNames('snapshot', snapshots)),
    logFiles(hexNames('log', logs)),
    3,
    ({ zxid }) => !invalid.includes(zxid),
  );
  expect(plan.snapshots).toEqual(hexNames('snapshot', goneSnapshots));
  expect(plan.logs).toEqual(hexNames('log', goneLogs));
});

test('fewer than three are never kept', () => {
  const plan = planPurge(snapshotFiles(hexNames('snapshot', [1, 2, 3, 4])), [], 1, () => true);
  expect(plan.snapshots).toEqual(['snapshot.1']);
});

test('after a purge every kept snapshot can still be recovered from', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  for (let first = 1; first < 100; first += 10) {
    await appendAll(disk, directory, range(first, first + 9), { lastZxid: first - 1 });
    await writeSnapshot(disk, directory, { zxid: first + 4 });
  }
  const deleted = await new Promise<readonly string[]>((resolve, reject) => {
    purge(disk, directory, 3, (error, paths) => (error ? reject(error) : resolve(paths)));
  });
  expect(deleted.length).toBe(8 + 7);
  const kept = snapshotFiles(disk.list(directory.snapshotDirectory));
  expect(kept.map(({ zxid }) => zxid)).toEqual([75, 85, 95]);
  for (const { name } of kept.reverse()) {
    expect(recoverAll(disk, directory).zxid).toBe(100);
    disk.unlink(`${directory.snapshotDirectory}/${name}`);
  }
});
