import { makeZxid } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  MemoryDisk,
  type StorageError,
  TxnLogLives,
  type TxnLogWriter,
} from '../src/index.ts';
import { directoryOn, entry, range, recoverAll, writeSnapshot } from './helpers.ts';

let queue: (() => void)[];
let disk: MemoryDisk;
let directory: DataDirectory;
let log: TxnLogLives;
let told: string[];

function step(): boolean {
  const fn = queue.shift();
  fn?.();
  return fn !== undefined;
}

function settle(): void {
  while (step());
}

function append(writer: TxnLogWriter, ...zxids: number[]): void {
  for (const zxid of zxids) {
    const bytes = entry(zxid);
    writer.append(zxid, bytes, 0, bytes.length);
  }
}

beforeEach(async () => {
  queue = [];
  told = [];
  let schedule = queueMicrotask;
  disk = new MemoryDisk({ schedule: (fn) => schedule(fn) });
  directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  schedule = (fn) => queue.push(fn);
  log = new TxnLogLives({
    disk,
    directory: directory.logDirectory,
    preAllocBytes: 65_536,
    onDurable: (zxid, life) => told.push(`durable ${zxid} of life ${life}`),
    onFailure: (error, life) => told.push(`${error.code} of life ${life}`),
  });
});

describe('which zxids may follow', () => {
  const at = makeZxid;
  test.each<[string, number, number, string]>([
    ['the next', at(2, 7), at(2, 8), 'ok'],
    ['the first txn of the next epoch', at(2, 7), at(3, 1), 'ok'],
    ['the first txn of an epoch far above', at(2, 7), at(9, 1), 'ok'],
    ['the first txn after an epoch without any', at(2, 0), at(2, 1), 'ok'],
    ['the first txn of a log without history', -1, at(0, 1), 'ok'],
    ['the first txn of a log without history, of any epoch', -1, at(4, 1), 'ok'],
    ['the same again', at(2, 7), at(2, 7), 'ZXID_NOT_INCREASING'],
    ['one before', at(2, 7), at(2, 6), 'ZXID_NOT_INCREASING'],
    ['one of a lower epoch', at(2, 7), at(1, 8), 'ZXID_NOT_INCREASING'],
    ['one too far', at(2, 7), at(2, 9), 'ZXID_GAP'],
    ['the second txn of the next epoch', at(2, 7), at(3, 2), 'ZXID_GAP'],
    ['the marker of an epoch, which is no txn', at(2, 7), at(3, 0), 'ZXID_GAP'],
    ['a counter that wraps (ZOOKEEPER-1277)', at(2, 2 ** 32 - 1), at(3, 0), 'ZXID_GAP'],
    ['zero', -1, 0, 'ZXID_GAP'],
  ])('%s', (_, last, next, outcome) => {
    const writer = log.open(last);
    let code = 'ok';
    try {
      append(writer, next);
    } catch (error) {
      ({ code } = error as StorageError);
    }
    expect(code).toBe(outcome);
    expect(writer.appendedZxid).toBe(outcome === 'ok' ? next : last);
  });
});

test('a drain writes what was appended, tells it of its life, and accepts nothing after it', () => {
  const writer = log.open(0);
  append(writer, 1, 2);
  writer.flush();
  append(writer, 3);
  log.drain((error) => told.push(`drained ${error?.code ?? 'whole'}`));
  expect(() => append(writer, 4)).toThrow(expect.objectContaining({ code: 'WRITER_CLOSED' }));
  expect(told).toEqual([]);
  settle();
  expect(told).toEqual(['durable 2 of life 1', 'durable 3 of life 1', 'drained whole']);
  expect(log.writer).toBeUndefined();
  expect(recoverAll(disk, directory).zxid).toBe(3);
});

test('the next life goes on in a new file, in the same process, and says that it is another', () => {
  append(log.open(0), 1, 2);
  log.drain(() => append(log.open(2), 3));
  settle();
  expect(log.life).toBe(2);
  log.writer?.flush();
  settle();
  expect(told).toEqual(['durable 2 of life 1', 'durable 3 of life 2']);
  expect(disk.list(directory.logDirectory)).toEqual(['log.1', 'log.3', 'snapshot.0']);
  expect(recoverAll(disk, directory).target.zxids).toEqual(range(1, 3));
});

test('an empty life is drained too, and calls back later, without a microtask', () => {
  log.drain(() => told.push('none'));
  expect(told).toEqual([]);
  settle();
  log.open(0);
  log.drain(() => told.push('empty'));
  log.drain(() => told.push('asked again'));
  expect(told).toEqual(['none']);
  settle();
  expect(told).toEqual(['none', 'empty', 'asked again']);
});

test('a life is not begun while another is open or drains', () => {
  log.open(0);
  expect(() => log.open(0)).toThrow('Life 1 of the txn log is not drained');
  log.drain(() => {});
  expect(() => log.open(0)).toThrow('Life 1 of the txn log is not drained');
  settle();
  log.open(0);
});

test('a drain after a failure says so, and there is no life after that', () => {
  const writer = log.open(0);
  append(writer, 1);
  writer.flush();
  const { renameAsync } = disk;
  disk.renameAsync = (_from, _to, done) =>
    queue.push(() => done(Object.assign(new Error('EIO'), { code: 'EIO' })));
  append(writer, 2);
  log.drain((error) => told.push(`drained ${error?.code}`));
  settle();
  disk.renameAsync = renameAsync;
  expect(told).toEqual(['DISK_FAILED of life 1', 'drained DISK_FAILED']);
  expect(() => log.open(0)).toThrow(/Life 1 of the txn log failed.*Restart the process/);
});

test('no life uses a temporary name that one before it used', () => {
  const names: string[] = [];
  const { openWrite } = disk;
  disk.openWrite = (path, options) => {
    names.push(path);
    return openWrite.call(disk, path, options);
  };
  for (let life = 1; life <= 3; life += 1) {
    const writer = log.open(2 * life - 2);
    append(writer, 2 * life - 1);
    writer.flush();
    writer.prepareRoll(0.5);
    append(writer, 2 * life);
    log.drain(() => {});
    settle();
  }
  expect(names.length).toBe(6);
  expect(new Set(names).size).toBe(6);
});
