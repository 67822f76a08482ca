import { expect, test } from 'vitest';
import {
  logFiles,
  logName,
  logsFrom,
  parseLogName,
  parseSnapshotName,
  snapshotFiles,
  snapshotName,
  temporaryName,
} from '../src/file-names.ts';

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
