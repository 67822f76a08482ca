import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  MemoryDisk,
  NodeDisk,
  openDataDirectory,
  type RecoverOptions,
  StorageError,
} from '../src/index.ts';
import {
  directoryOn,
  logBytes,
  type NamesTarget,
  range,
  recoverAll,
  writeLog,
  writeSnapshot,
} from './helpers.ts';

// A database of snapshot.0, log.1 with txns 1 to 7 and log.8 with txns 8 to 14.

let disk: MemoryDisk;
let directory: DataDirectory;
beforeEach(async () => {
  disk = new MemoryDisk();
  directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  writeLog(disk, directory, 1, logBytes(range(1, 7)));
  writeLog(disk, directory, 8, logBytes(range(8, 14)));
});

const file = (name: string) => `${directory.logDirectory}/${name}`;
const errorOf = (options: Partial<RecoverOptions<NamesTarget>> = {}): StorageError => {
  try {
    recoverAll(disk, directory, options);
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return error as StorageError;
  }
  throw new Error('It starts');
};
const files = () =>
  ['/data', '/data/version-2'].flatMap((path) => disk.list(path).map((name) => `${path}/${name}`));

const SUFFIXES = ['.gz', '.bak', '.old', '.1', '~', '-20261130', ' (1)', '-copy', '.tmp', '\n'];

describe('a txn log by another name', () => {
  test.each(SUFFIXES)('that is the newest one stops the start, with %j after it', (suffix) => {
    disk.rename(file('log.8'), file(`log.8${suffix}`));
    const before = files();
    const error = errorOf();
    expect(error).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 14 });
    expect(error.message).toContain(`${file(`log.8${suffix}`)} holds txns 0x8 to 0xe`);
    expect(error.message).toContain('the data end at 0x7');
    expect(error.message).toContain(file('log.8'));
    expect(files()).toEqual(before);
  });

  test.each(SUFFIXES)('that is the only one stops the start, with %j after it', (suffix) => {
    disk.rename(file('log.1'), file(`log.1${suffix}`));
    disk.unlink(file('log.8'));
    expect(errorOf().message).toContain('holds txns 0x1 to 0x7');
  });

  test('that is a copy of what was read is named in a warning', () => {
    disk.writeFile(file('log.8.bak'), logBytes(range(8, 14)));
    const { zxid, warnings } = recoverAll(disk, directory);
    expect(zxid).toBe(14);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${file('log.8.bak')} holds txns 0x8 to 0xe`);
  });

  test('that goes on where its namesake ends stops the start, and both are named', () => {
    writeLog(disk, directory, 8, logBytes(range(8, 9)));
    disk.writeFile(file('log.8.bak'), logBytes(range(8, 14)));
    const error = errorOf();
    expect(error.code).toBe('FILE_LEFT_OUT');
    expect(error.remedy).toContain(`this file or ${file('log.8')}`);
  });

  test('whose name claims less than it holds is judged by what it holds', () => {
    disk.rename(file('log.8'), file('log.2-wrong'));
    expect(errorOf()).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 14 });
  });

  test('without log.<hex> in its name is told by its first bytes', () => {
    disk.rename(file('log.8'), file('backup of the log'));
    expect(errorOf()).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 14 });
  });

  test('that is missing in the middle is named by the error about the gap', () => {
    disk.rename(file('log.1'), file('log.1.old'));
    const error = errorOf();
    expect(error.code).toBe('GAP_IN_LOG');
    expect(error.remedy).toContain(file('log.1.old'));
  });

  test('with a torn end is judged by the txns before it', () => {
    disk.unlink(file('log.8'));
    const torn = logBytes(range(8, 10), 0);
    disk.writeFile(file('log.8~'), torn.subarray(0, torn.length - 5));
    expect(errorOf()).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 9 });
  });

  test('without txns is named in a warning', () => {
    disk.writeFile(file('log.f.bak'), logBytes([]));
    disk.writeFile(file('log.10.bak'), Buffer.alloc(0));
    const { warnings } = recoverAll(disk, directory);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toContain('holds no txns');
  });
});

describe('a compressed txn log', () => {
  test('is looked into', () => {
    disk.unlink(file('log.8'));
    disk.writeFile(file('log.8.gz'), gzipSync(logBytes(range(8, 14))));
    const error = errorOf();
    expect(error.message).toContain('holds txns 0x8 to 0xe once it is decompressed');
    expect(error.remedy).toContain('decompress it to');
  });

  test('of what was read is named in a warning', () => {
    disk.writeFile(file('log.8.gz'), gzipSync(logBytes(range(8, 14))));
    expect(recoverAll(disk, directory).warnings.join()).toContain(file('log.8.gz'));
  });

  test('that is damaged stops the start unless a log follows it', () => {
    const bytes = gzipSync(logBytes(range(8, 14)));
    disk.unlink(file('log.8'));
    disk.writeFile(file('log.8.gz'), bytes.subarray(0, 60));
    expect(errorOf().message).toContain('cannot be read');
    disk.rename(file('log.8.gz'), file('log.1.gz'));
    expect(recoverAll(disk, directory).warnings.join()).toContain(file('log.1.gz'));
  });

  test('that nobody here can read is judged by its name, or by where it stands', async () => {
    const unreadable = Buffer.from('fd377a585a0000', 'hex');
    disk.writeFile(file('log.f.xz'), unreadable);
    expect(errorOf().message).toContain('cannot be read');
    disk.rename(file('log.f.xz'), file('log.8.xz'));
    expect(recoverAll(disk, directory).warnings.join()).toContain(file('log.8.xz'));
    // Nothing says where it ends.
    disk.unlink(file('log.1'));
    disk.unlink(file('log.8'));
    await writeSnapshot(disk, directory, { zxid: 10 });
    expect(errorOf().code).toBe('FILE_LEFT_OUT');
  });
});

describe('a snapshot by another name', () => {
  test.each(['.bak', '~', ' (1)'])('beyond the logs stops the start, with %j', async (suffix) => {
    await writeSnapshot(disk, directory, { zxid: 20 });
    disk.rename(file('snapshot.14'), file(`snapshot.14${suffix}`));
    const error = errorOf();
    expect(error).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 20 });
    expect(error.remedy).toContain(file('snapshot.14'));
  });

  test('is judged by its end too', async () => {
    await writeSnapshot(disk, directory, { zxid: 20 });
    disk.rename(file('snapshot.14'), file('snapshot.3-copy'));
    expect(errorOf().zxid).toBe(20);
    disk.rename(file('snapshot.3-copy'), file('state'));
    expect(errorOf().zxid).toBe(20);
  });

  test('within what was recovered is named in a warning', async () => {
    await writeSnapshot(disk, directory, { zxid: 9 });
    disk.rename(file('snapshot.9'), file('snapshot.9.old'));
    expect(recoverAll(disk, directory).warnings.join()).toContain(file('snapshot.9.old'));
  });

  test('that is missing is named by the error about it', () => {
    disk.rename(file('snapshot.0'), file('snapshot.0.bak'));
    const error = errorOf();
    expect(error.code).toBe('NO_SNAPSHOT_FOR_LOGS');
    expect(error.remedy).toContain(file('snapshot.0.bak'));
  });

  test('that an interrupted sync left is named in a warning', async () => {
    await writeSnapshot(disk, directory, { zxid: 20 });
    disk.rename(file('snapshot.14'), file('snapshot.14.tmp'));
    expect(recoverAll(disk, directory).warnings.join()).toContain(file('snapshot.14.tmp'));
  });

  test('that is compressed has its right name', async () => {
    await writeSnapshot(disk, directory, { zxid: 14, compression: 'gz' });
    await writeSnapshot(disk, directory, { zxid: 13, compression: 'snappy' });
    expect(recoverAll(disk, directory)).toMatchObject({ snapshotZxid: 14, warnings: [] });
  });
});

describe('logs and snapshots that lie flat in dataDir', () => {
  test('stop the start of an otherwise empty server', () => {
    for (const name of disk.list('/data/version-2')) disk.rename(file(name), `/data/${name}`);
    const error = errorOf();
    expect(error).toMatchObject({ code: 'FILE_LEFT_OUT', zxid: 14 });
    expect(error.message).toContain('/data/log.8');
    expect(error.message).toContain('/data/log.1');
    expect(error.remedy).toContain('/data/version-2/log.8');
  });

  test('stop it also when databases may not be made, and keep the marker', () => {
    for (const name of ['log.1', 'log.8']) disk.unlink(file(name));
    disk.rename(file('snapshot.0'), '/data/snapshot.0');
    expect(errorOf({ autocreateDatabase: false }).code).toBe('FILE_LEFT_OUT');
    writeLog(disk, directory, 1, logBytes(range(1, 2)));
    disk.rename(file('log.1'), '/data/log.1');
    disk.writeFile('/data/initialize', Buffer.alloc(0));
    expect(errorOf({ autocreateDatabase: false }).code).toBe('FILE_LEFT_OUT');
    expect(disk.exists('/data/initialize')).toBe(true);
  });

  test('are found in dataLogDir too', async () => {
    directory = openDataDirectory({ disk, dataDir: '/snapshots', dataLogDir: '/logs' });
    await writeSnapshot(disk, directory, { zxid: 0 });
    disk.writeFile('/logs/log.1', logBytes(range(1, 2)));
    expect(errorOf().message).toContain('/logs/log.1');
  });

  test('are named in warnings if version-2 holds as much', () => {
    disk.writeFile('/data/log.1', logBytes(range(1, 7)));
    expect(recoverAll(disk, directory).warnings.join()).toContain('/data/log.1');
  });
});

test('notes and checksums beside the logs are named in warnings, other files are not', () => {
  disk.writeFile(file('log.20.sha256'), Buffer.from('5f1c  log.20\n'));
  disk.writeFile(file('snapshot.20.txt'), Buffer.from('copied on Tuesday\n'));
  for (const name of ['notes.txt', 'log.old', 'myid', 'currentEpoch', 'cut-log.1-20']) {
    disk.writeFile(file(name), Buffer.from('1'));
  }
  const { warnings } = recoverAll(disk, directory);
  expect(warnings.map((line) => line.split(' ')[0])).toEqual([
    file('log.20.sha256'),
    file('snapshot.20.txt'),
  ]);
});

test('a directory in the place of a log is refused by name, one in that of a snapshot is skipped', () => {
  disk.makeDirectory(file('snapshot.5000'));
  expect(recoverAll(disk, directory).warnings).toEqual([
    `Skipped snapshot ${file('snapshot.5000')}: it is a directory`,
  ]);
  disk.makeDirectory(file('log.5000.d'));
  disk.makeDirectory(file('tmp-log.5000'));
  expect(recoverAll(disk, directory).warnings.join()).toContain(file('log.5000.d'));
  disk.makeDirectory(file('log.5000'));
  expect(errorOf()).toMatchObject({ code: 'NOT_A_FILE', file: file('log.5000') });
});

test('links to directories and to nothing, on a real disk, are told from files', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'zebu-left-out-'));
  try {
    const real = new NodeDisk();
    const there = openDataDirectory({ disk: real, dataDir });
    await writeSnapshot(real, there, { zxid: 0 });
    mkdirSync(join(dataDir, 'elsewhere'));
    symlinkSync(join(dataDir, 'elsewhere'), join(there.logDirectory, 'snapshot.9'));
    symlinkSync(join(dataDir, 'nowhere'), join(there.logDirectory, 'snapshot.a'));
    symlinkSync(join(dataDir, 'nowhere'), join(there.logDirectory, 'log.9.bak'));
    const { warnings } = recoverAll(real, there);
    expect(warnings).toHaveLength(3);
    expect(warnings.join()).toMatch(/snapshot\.a: it is a link to nothing/);
    expect(warnings.join()).toMatch(/snapshot\.9: it is a directory/);
    symlinkSync(join(dataDir, 'nowhere'), join(there.logDirectory, 'log.9'));
    expect(() => recoverAll(real, there)).toThrow(/link to nothing .*log\.9/);
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
