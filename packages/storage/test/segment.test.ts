import { expect, test } from 'vitest';
import {
  follows,
  logFiles,
  logName,
  logsFrom,
  paddedSize,
  parseLogName,
  parseSnapshotName,
  snapshotFiles,
  snapshotName,
  temporaryName,
} from '../src/segment.ts';
import { EPOCH } from './helpers.ts';

const MIB = 1024 * 1024;

test('names are lower-case hex without padding, and are read back', () => {
  expect(logName(0x5_0000_0abc)).toBe('log.500000abc');
  expect(parseLogName('log.500000abc')?.zxid).toBe(0x5_0000_0abc);
  expect(snapshotName(0)).toBe('snapshot.0');
  expect(snapshotName(255, 'gz')).toBe('snapshot.ff.gz');
  expect(parseSnapshotName('snapshot.ff.snappy')).toEqual({
    name: 'snapshot.ff.snappy',
    zxid: 255,
    compression: 'snappy',
  });
});

test('other files are no logs and no snapshots', () => {
  for (const name of [
    'log.',
    'log.xyz',
    'log.1.tmp',
    'log.1.gz',
    'log.-1',
    'xlog.1',
    'currentEpoch',
    temporaryName('log.1'),
  ]) {
    expect(parseLogName(name), name).toBeUndefined();
  }
  for (const name of [
    'snapshot.1.tmp',
    'snapshot.1.gz.tmp',
    'snapshot.1.lz4',
    'snapshot.',
    temporaryName('snapshot.1'),
  ]) {
    expect(parseSnapshotName(name), name).toBeUndefined();
  }
});

test('a zxid too large to be exact is refused, not misread', () => {
  expect(() => parseLogName('log.7fffffffffffffff')).toThrow(/epoch/);
});

test('files are sorted by zxid, not by name', () => {
  const names = ['log.100', 'snapshot.2', 'log.ff', 'log.9', 'snapshot.10'];
  expect(logFiles(names).map((file) => file.name)).toEqual(['log.9', 'log.ff', 'log.100']);
  expect(snapshotFiles(names).map((file) => file.name)).toEqual(['snapshot.2', 'snapshot.10']);
});

test('a replay needs the newest log before its start and all after it', () => {
  const logs = logFiles(['log.1', 'log.5', 'log.9']);
  const from = (zxid: number) => logsFrom(logs, zxid).map((file) => file.zxid);
  expect(from(1)).toEqual([1, 5, 9]);
  expect(from(4)).toEqual([1, 5, 9]);
  expect(from(5)).toEqual([1, 5, 9]);
  expect(from(6)).toEqual([5, 9]);
  expect(from(100)).toEqual([9]);
  expect(logsFrom([], 1)).toEqual([]);
});

// disk.md 2.1, by hand from FilePadding.calculateFileSizeWithPadding.
test.each([
  ['a fresh log', 16, 16, 64 * MIB, 16 + 64 * MIB],
  ['room enough', 1000, 64 * MIB, 64 * MIB, 64 * MIB],
  ['4097 bytes left', 64 * MIB - 4097, 64 * MIB, 64 * MIB, 64 * MIB],
  ['4096 bytes left', 64 * MIB - 4096, 64 * MIB, 64 * MIB, 128 * MIB],
  ['outgrown in one batch', 200 * MIB + 5, 100 * MIB, 64 * MIB, 256 * MIB],
  ['switched off', 5000, 16, 0, 16],
  ['switched off', 5000, 16, -1, 16],
])('preallocation: %s', (_, position, size, preAlloc, expected) => {
  expect(paddedSize(position, size, preAlloc)).toBe(expected);
});

test.each([
  [5, 4, true],
  [6, 4, false],
  [4, 4, false],
  [3, 4, false],
  [EPOCH + 1, 4, true],
  [EPOCH + 2, 4, false],
  [3 * EPOCH + 1, EPOCH + 700, true],
  [3 * EPOCH + 1, 3 * EPOCH, true],
  [3 * EPOCH, EPOCH + 700, false],
])('0x%x directly follows 0x%x: %s', (next, previous, expected) => {
  expect(follows(next, previous)).toBe(expected);
});
