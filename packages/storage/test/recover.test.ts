import { beforeEach, describe, expect, test } from 'vitest';
import { FILE_HEADER_BYTES } from '../src/file-header.ts';
import {
  type DataDirectory,
  MemoryDisk,
  openDataDirectory,
  openTxnFeed,
  Pins,
  type RecoverOptions,
  recover,
  StorageError,
  type TxnFeedOutcome,
  truncateHistory,
} from '../src/index.ts';
import {
  appendAll,
  directoryOn,
  drain,
  logBytes,
  NamesTarget,
  range,
  recoverAll,
  writeLog,
  writeSnapshot,
} from './helpers.ts';

let disk: MemoryDisk;
let directory: DataDirectory;
beforeEach(() => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
});

const snapshotPath = (name: string) => `${directory.snapshotDirectory}/${name}`;
const codeOf = (options: Partial<RecoverOptions<NamesTarget>> = {}): string => {
  try {
    recoverAll(disk, directory, options);
    return 'none';
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return (error as StorageError).code;
  }
};

test('an empty directory is an empty database that wants its first snapshot', () => {
  const result = recoverAll(disk, directory);
  expect(result).toMatchObject({ zxid: 0, needsSnapshot: true, entries: 0, warnings: [] });
});

test('without autocreate an empty directory is -1, unless the initialize file says otherwise', () => {
  expect(recoverAll(disk, directory, { autocreateDatabase: false })).toMatchObject({
    zxid: -1,
    needsSnapshot: false,
  });
  disk.writeFile('/data/initialize', Buffer.alloc(0));
  expect(recoverAll(disk, directory, { autocreateDatabase: false })).toMatchObject({
    zxid: 0,
    needsSnapshot: true,
  });
  expect(disk.exists('/data/initialize')).toBe(false);
});

test('the initialize file is taken also when there is data', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  disk.writeFile('/data/initialize', Buffer.alloc(0));
  recoverAll(disk, directory);
  expect(disk.exists('/data/initialize')).toBe(false);
});

describe('what is cut off a torn log', () => {
  const cutPath = (name: string) => `${directory.logDirectory}/${name}`;
  const whole = logBytes(range(1, 9), 5_000, 700);
  const torn = Buffer.from(whole).fill(0, 2_560, 3_072);
  const size = (whole.length - 5_000 - FILE_HEADER_BYTES) / 9;
  const offset = FILE_HEADER_BYTES + 3 * size;
  const cut = Buffer.concat([
    whole.subarray(0, FILE_HEADER_BYTES),
    torn.subarray(offset, whole.length - 5_000),
  ]);
  const files = () => disk.list(directory.logDirectory).filter((name) => name.startsWith('cut-'));

  beforeEach(() => writeSnapshot(disk, directory, { zxid: 0 }));

  test('is kept in a file of its own if it holds whole txns, and a warning names it', () => {
    writeLog(disk, directory, 1, torn);
    const { zxid, warnings } = recoverAll(disk, directory);
    expect(zxid).toBe(3);
    expect(disk.size(cutPath('log.1'))).toBe(offset);
    expect(files()).toEqual([`cut-log.1-${offset}`]);
    expect(disk.readFile(cutPath(`cut-log.1-${offset}`))).toEqual(cut);
    expect(warnings.join('\n')).toMatch(/5 whole txns .* kept in .*cut-log\.1-/);
    expect(recoverAll(disk, directory)).toMatchObject({ zxid: 3, warnings: [] });
  });

  test('is kept once however often recovery is broken off, and again if it is another', () => {
    writeLog(disk, directory, 1, torn);
    recoverAll(disk, directory);
    writeLog(disk, directory, 1, torn);
    recoverAll(disk, directory);
    expect(files()).toHaveLength(1);
    const other = Buffer.from(torn).fill(0, 4_096, 4_608);
    writeLog(disk, directory, 1, other);
    recoverAll(disk, directory);
    expect(files()).toEqual([`cut-log.1-${offset}`, `cut-log.1-${offset}-2`]);
  });

  test('is not kept without a whole txn in it, and stays where it is without repair', () => {
    writeLog(disk, directory, 1, torn);
    const { warnings } = recoverAll(disk, directory, { repair: false });
    expect(warnings.join('\n')).toContain('nothing is cut');
    expect(disk.size(cutPath('log.1'))).toBe(torn.length);
    writeLog(disk, directory, 1, Buffer.from(whole).fill(0, offset + 100));
    recoverAll(disk, directory);
    expect(files()).toEqual([]);
  });
});

test('the newest snapshot and the txns after it are the state', async () => {
  await writeSnapshot(disk, directory, { zxid: 0, names: ['', '/old'] });
  await appendAll(disk, directory, range(1, 20));
  await writeSnapshot(disk, directory, { zxid: 12, names: ['', '/new'] });
  const result = recoverAll(disk, directory);
  expect(result.target.names).toEqual(['', '/new']);
  expect(result.target.zxids).toEqual(range(13, 20));
  expect(result).toMatchObject({ zxid: 20, snapshotZxid: 12, entries: 8, repeatedEntries: 0 });
  expect(result.snapshotFile).toBe(snapshotPath('snapshot.c'));
});

test('a snapshot with no log after it stands alone', async () => {
  await writeSnapshot(disk, directory, { zxid: 77 });
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 77, snapshotZxid: 77, entries: 0 });
});

test('recovery yields progress between slices', async () => {
  await writeSnapshot(disk, directory, {
    zxid: 0,
    names: Array.from({ length: 6 }, (_, i) => `/${i}`.padEnd(900_000)),
  });
  await appendAll(disk, directory, range(1, 9000), { batch: 500 });
  const stages = [...recover({ disk, directory, createTarget: () => new NamesTarget() })];
  const ofSnapshot = stages.filter(({ stage }) => stage === 'snapshot');
  expect(ofSnapshot).toHaveLength(6);
  // The last says that it is loaded.
  expect(ofSnapshot.at(-1)?.bytesRead).toBe(ofSnapshot.at(-1)?.totalBytes);
  expect(stages.filter(({ stage }) => stage === 'log').map(({ entries }) => entries)).toEqual([
    2000, 4000, 6000, 8000,
  ]);
});

describe('a broken snapshot', () => {
  beforeEach(async () => {
    await writeSnapshot(disk, directory, { zxid: 0, names: ['', '/old'] });
    await appendAll(disk, directory, range(1, 20));
    await writeSnapshot(disk, directory, { zxid: 12, names: ['', '/new', '/x'] });
  });

  test.each([
    ['cut', (bytes: Buffer) => bytes.subarray(0, bytes.length - 9)],
    ['empty', () => Buffer.alloc(0)],
    ['damaged inside', (bytes: Buffer) => Buffer.from(bytes).fill(0x78, 30, 32)],
    ['of another kind', (bytes: Buffer) => Buffer.from(bytes).fill(0, 0, 4)],
  ])('that is %s is skipped for the one before it, with fresh state', (_, damage) => {
    disk.writeFile(snapshotPath('snapshot.c'), damage(disk.readFile(snapshotPath('snapshot.c'))));
    const result = recoverAll(disk, directory);
    expect(result.target.names).toEqual(['', '/old']);
    expect(result.target.zxids).toEqual(range(1, 20));
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toContain('snapshot.c');
  });

  test('whose txns the logs do not hold stops the start', () => {
    disk.truncate(snapshotPath('snapshot.c'), 50);
    disk.unlink(`${directory.logDirectory}/log.1`);
    expect(codeOf()).toBe('HISTORY_CUT');
  });

  test.each([
    [11, 'HISTORY_CUT'],
    [12, 'none'],
    [13, 'none'],
  ])('named 12 with logs that end at %i: %s', (last, outcome) => {
    disk.truncate(snapshotPath('snapshot.c'), 50);
    writeLog(disk, directory, 1, logBytes(range(1, last)));
    expect(codeOf()).toBe(outcome);
  });

  test('stops the start when all are broken', () => {
    for (const name of ['snapshot.0', 'snapshot.c']) {
      const bytes = disk.readFile(snapshotPath(name));
      bytes[30] = (bytes[30] as number) ^ 1;
      disk.writeFile(snapshotPath(name), bytes);
    }
    expect(codeOf()).toBe('NO_VALID_SNAPSHOT');
  });

  test('stops the start when all are cut and there are logs', () => {
    for (const name of ['snapshot.0', 'snapshot.c']) disk.truncate(snapshotPath(name), 50);
    expect(codeOf()).toBe('NO_SNAPSHOT_FOR_LOGS');
  });
});

test('a first snapshot that was cut by a crash, with nothing else, is an empty database', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  disk.truncate(snapshotPath('snapshot.0'), 20);
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 0, needsSnapshot: true });
});

test('logs without a snapshot are refused, or trusted if asked for', async () => {
  await appendAll(disk, directory, range(5, 9), { lastZxid: 4 });
  expect(codeOf()).toBe('NO_SNAPSHOT_FOR_LOGS');
  const result = recoverAll(disk, directory, { trustEmptySnapshot: true });
  expect(result).toMatchObject({ zxid: 9, entries: 5, trustedEmptySnapshot: true });
});

test('temporary and stray files are no data; our own temporaries are removed', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  for (const name of ['snapshot.9.tmp', 'currentEpoch.tmp', 'notes.txt', 'log.old', 'log.1.bak']) {
    disk.writeFile(snapshotPath(name), Buffer.from('junk'));
  }
  disk.writeFile(snapshotPath('tmp-log.5'), Buffer.from('junk'));
  disk.writeFile(snapshotPath('tmp-snapshot.5'), Buffer.from('junk'));
  expect(recoverAll(disk, directory).zxid).toBe(0);
  expect(disk.list(directory.snapshotDirectory).sort()).toEqual(
    [
      'currentEpoch.tmp',
      'log.1.bak',
      'log.old',
      'notes.txt',
      'snapshot.0',
      'snapshot.9.tmp',
    ].sort(),
  );
});

test('a torn tail is cut off, warned of, and the log goes on after it', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  const whole = logBytes(range(1, 4), 0);
  const path = writeLog(
    disk,
    directory,
    1,
    Buffer.concat([whole.subarray(0, whole.length - 7), Buffer.alloc(500)]),
  );
  const first = recoverAll(disk, directory);
  expect(first.zxid).toBe(3);
  expect(first.warnings).toHaveLength(1);
  expect(first.warnings[0]).toContain(path);
  expect(disk.size(path)).toBe(logBytes(range(1, 3), 0).length);
  await appendAll(disk, directory, range(4, 6), { lastZxid: 3 });
  expect(recoverAll(disk, directory)).toMatchObject({ zxid: 6, warnings: [] });
});

test('reading without repair changes nothing', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  const path = writeLog(disk, directory, 1, logBytes(range(1, 4), 0).subarray(0, -7));
  writeLog(disk, directory, 9, Buffer.alloc(0));
  disk.writeFile('/data/initialize', Buffer.alloc(0));
  const before = disk.size(path);
  expect(recoverAll(disk, directory, { repair: false }).zxid).toBe(3);
  expect(disk.size(path)).toBe(before);
  expect(disk.list(directory.logDirectory)).toContain('log.9');
  expect(disk.exists('/data/initialize')).toBe(true);
});

test('an empty newest log is deleted, one of a header only is kept', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  await appendAll(disk, directory, range(1, 3));
  writeLog(disk, directory, 4, Buffer.alloc(0));
  expect(recoverAll(disk, directory).zxid).toBe(3);
  expect(disk.list(directory.logDirectory)).not.toContain('log.4');
  writeLog(disk, directory, 4, logBytes([], 0));
  expect(recoverAll(disk, directory).zxid).toBe(3);
  expect(disk.list(directory.logDirectory)).toContain('log.4');
});

test('an entry that cannot be applied stops the start and names its place', async () => {
  await writeSnapshot(disk, directory, { zxid: 0 });
  await appendAll(disk, directory, range(1, 3));
  class Refusing extends NamesTarget {
    override applyEntry(_b: Buffer, _s: number, _e: number, zxid: number): void {
      if (zxid === 2) throw new Error('unsupported txn');
    }
  }
  try {
    recoverAll(disk, directory, { createTarget: () => new Refusing() });
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({
      code: 'BAD_ENTRY',
      zxid: 2,
      file: expect.stringContaining('log.1'),
    });
  }
});

test('logs and snapshots may live apart', async () => {
  directory = openDataDirectory({ disk, dataDir: '/snapshots', dataLogDir: '/logs' });
  await writeSnapshot(disk, directory, { zxid: 0 });
  await appendAll(disk, directory, range(1, 3));
  expect(disk.list('/logs/version-2')).toEqual(['log.1']);
  expect(disk.list('/snapshots/version-2')).toEqual(['snapshot.0']);
  expect(recoverAll(disk, directory).zxid).toBe(3);
});

describe('with a bound on what is applied', () => {
  class Holding extends NamesTarget {
    held: number[] = [];
    bytes: Buffer[] = [];
    holdEntry(bytes: Buffer, start: number, end: number, zxid: number): void {
      this.held.push(zxid);
      this.bytes.push(Buffer.from(bytes.subarray(start, end)));
    }
  }
  const recoverTo = (applyUpToZxid: number) =>
    drain(recover({ disk, directory, createTarget: () => new Holding(), applyUpToZxid }));

  beforeEach(async () => {
    await writeSnapshot(disk, directory, { zxid: 0 });
    await appendAll(disk, directory, range(1, 20), { preAllocBytes: 16_384 });
    await writeSnapshot(disk, directory, { zxid: 12 });
    await appendAll(disk, directory, range(21, 30), { lastZxid: 20, preAllocBytes: 16_384 });
  });

  test.each([-1, 0, 11, 12, 13, 20, 25, 29, 30, 99])('%i', (bound) => {
    const { target, ...result } = recoverTo(bound);
    const applied = Math.min(30, Math.max(12, bound));
    expect(result).toMatchObject({ zxid: 30, snapshotZxid: 12, appliedZxid: applied, entries: 18 });
    expect(target.zxids).toEqual(range(13, applied));
    expect(target.held).toEqual(range(applied + 1, 30));
  });

  test('what is held back can be cut off without a trace in the state, or read again', async () => {
    const { target, appliedZxid, zxid } = recoverTo(17);
    const feed = openTxnFeed({
      disk,
      directory,
      fromZxid: appliedZxid,
      toZxid: zxid,
      pins: new Pins(),
    });
    const fed: Buffer[] = [];
    for (;;) {
      const outcome = await new Promise<TxnFeedOutcome>((resolve) => feed.next(resolve));
      if (outcome.kind !== 'txns') break;
      for (let i = 0; i < outcome.count; i += 1) {
        fed.push(Buffer.from(outcome.bytes.subarray(outcome.starts[i], outcome.ends[i])));
      }
    }
    feed.close();
    expect(fed).toEqual(target.bytes);
    drain(truncateHistory({ disk, directory, zxid: appliedZxid }));
    const again = recoverTo(99);
    expect(again).toMatchObject({ zxid: 17, appliedZxid: 17 });
    expect(again.target.zxids).toEqual(target.zxids);
  });

  test('a target that does not hold them is not asked', () => {
    expect(recoverAll(disk, directory, { applyUpToZxid: 15 })).toMatchObject({
      zxid: 30,
      appliedZxid: 15,
    });
  });
});
