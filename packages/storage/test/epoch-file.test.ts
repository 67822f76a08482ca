import { makeZxid } from '@zebu/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  EpochFiles,
  isMarkedDiscarded,
  loadEpochs,
  MemoryDisk,
  markDiscarded,
  prepareEpoch,
  readEpoch,
  type StorageError,
  writeEpoch,
  writeEpochAsync,
} from '../src/index.ts';
import { EPOCH } from './helpers.ts';

let disk: MemoryDisk;
const directory = '/data';
beforeEach(() => {
  disk = new MemoryDisk();
  disk.makeDirectory(directory);
});

test('an epoch is decimal text without a newline, replaced by rename', () => {
  writeEpoch(disk, directory, 'currentEpoch', 17);
  expect(disk.readFile(`${directory}/currentEpoch`).toString()).toBe('17');
  expect(disk.list(directory)).toEqual(['currentEpoch']);
  writeEpoch(disk, directory, 'currentEpoch', 3);
  expect(readEpoch(disk, directory, 'currentEpoch')).toBe(3);
  expect(readEpoch(disk, directory, 'acceptedEpoch')).toBeUndefined();
});

test('written without blocking it is the same', async () => {
  const error = await new Promise((resolve) =>
    writeEpochAsync(disk, directory, 'acceptedEpoch', 5, resolve),
  );
  expect(error).toBeUndefined();
  expect(readEpoch(disk, directory, 'acceptedEpoch')).toBe(5);
  expect(disk.list(directory)).toEqual(['acceptedEpoch']);
});

test('a file that cannot be written is reported', async () => {
  const error = await new Promise((resolve) =>
    writeEpochAsync(disk, '/nowhere', 'acceptedEpoch', 5, resolve),
  );
  expect(error).toMatchObject({ code: 'DISK_FAILED' });
});

test.each(['', 'x', '-1', '1.5', '99999999999999999999', '3000000'])(
  'the content %j is refused',
  (content) => {
    disk.writeFile(`${directory}/currentEpoch`, Buffer.from(content));
    expect(() => readEpoch(disk, directory, 'currentEpoch')).toThrow(
      expect.objectContaining({ code: 'BAD_EPOCH_FILE' }),
    );
  },
);

test('a trailing newline, as a person writes it, is fine', () => {
  disk.writeFile(`${directory}/currentEpoch`, Buffer.from('12\n'));
  expect(readEpoch(disk, directory, 'currentEpoch')).toBe(12);
});

test('missing files are created with the epoch of the data', () => {
  expect(loadEpochs(disk, directory, 4 * EPOCH + 9)).toEqual({ currentEpoch: 4, acceptedEpoch: 4 });
  expect(disk.list(directory)).toEqual(['acceptedEpoch', 'currentEpoch']);
  expect(loadEpochs(disk, directory, 4 * EPOCH + 9)).toEqual({ currentEpoch: 4, acceptedEpoch: 4 });
});

test('no data at all (-1) is epoch 0', () => {
  expect(loadEpochs(disk, directory, -1)).toEqual({ currentEpoch: 0, acceptedEpoch: 0 });
});

test('an accepted epoch above the current one is a promise, and legal', () => {
  writeEpoch(disk, directory, 'currentEpoch', 2);
  writeEpoch(disk, directory, 'acceptedEpoch', 5);
  expect(loadEpochs(disk, directory, 2 * EPOCH)).toEqual({ currentEpoch: 2, acceptedEpoch: 5 });
});

test('an accepted epoch below the current one is refused', () => {
  writeEpoch(disk, directory, 'currentEpoch', 5);
  writeEpoch(disk, directory, 'acceptedEpoch', 4);
  expect(() => loadEpochs(disk, directory, 2 * EPOCH)).toThrow(/acceptedEpoch 4 is below/);
});

test('data of a higher epoch is refused, unless currentEpoch.tmp knows of it', () => {
  writeEpoch(disk, directory, 'currentEpoch', 2);
  writeEpoch(disk, directory, 'acceptedEpoch', 3);
  expect(() => loadEpochs(disk, directory, 3 * EPOCH + 1)).toThrow(/of epoch 3.*says 2/);
  prepareEpoch(disk, directory, 'currentEpoch', 3);
  expect(loadEpochs(disk, directory, 3 * EPOCH + 1)).toEqual({ currentEpoch: 3, acceptedEpoch: 3 });
  expect(readEpoch(disk, directory, 'currentEpoch')).toBe(3);
  expect(disk.exists(`${directory}/currentEpoch.tmp`)).toBe(false);
});

test('a stale currentEpoch.tmp is left alone', () => {
  writeEpoch(disk, directory, 'currentEpoch', 5);
  writeEpoch(disk, directory, 'acceptedEpoch', 5);
  prepareEpoch(disk, directory, 'currentEpoch', 4);
  expect(loadEpochs(disk, directory, 5 * EPOCH).currentEpoch).toBe(5);
});

test('a currentEpoch.tmp of an epoch below that of the data explains nothing', () => {
  writeEpoch(disk, directory, 'currentEpoch', 2);
  writeEpoch(disk, directory, 'acceptedEpoch', 4);
  prepareEpoch(disk, directory, 'currentEpoch', 3);
  expect(() => loadEpochs(disk, directory, 4 * EPOCH + 1)).toThrow(/of epoch 4.*says 2/);
});

test('an epoch that was prepared, and of which no txn is there, is not claimed', () => {
  writeEpoch(disk, directory, 'currentEpoch', 2);
  writeEpoch(disk, directory, 'acceptedEpoch', 2);
  prepareEpoch(disk, directory, 'currentEpoch', 4);
  expect(loadEpochs(disk, directory, 3 * EPOCH + 1)).toEqual({ currentEpoch: 3, acceptedEpoch: 3 });
  expect(disk.list(directory)).toEqual(['acceptedEpoch', 'currentEpoch']);
});

test('a history that is gone is noted until currentEpoch is written next', async () => {
  const files = new EpochFiles(disk, directory, loadEpochs(disk, directory, 2 * EPOCH));
  expect(isMarkedDiscarded(disk, directory)).toBe(false);
  markDiscarded(disk, directory);
  await new Promise((resolve) => files.accept(3, resolve));
  await new Promise((resolve) => files.prepare(3, resolve));
  expect(isMarkedDiscarded(disk, directory)).toBe(true);
  expect(await new Promise((resolve) => files.establish(3, resolve))).toBe(undefined);
  expect(isMarkedDiscarded(disk, directory)).toBe(false);
  expect(readEpoch(disk, directory, 'currentEpoch')).toBe(3);
});

describe('EpochFiles', () => {
  let files: EpochFiles;
  beforeEach(() => {
    files = new EpochFiles(disk, directory, loadEpochs(disk, directory, 2 * EPOCH));
  });
  const run = (call: (done: (error?: StorageError) => void) => void) =>
    new Promise<StorageError | undefined>((resolve) => call(resolve));

  test('a value changes once its file is durable, and not before (ZOOKEEPER-2307)', async () => {
    const accepted = run((done) => files.accept(5, done));
    expect(files.acceptedEpoch).toBe(2);
    expect(await accepted).toBeUndefined();
    expect(files.acceptedEpoch).toBe(5);
    expect(readEpoch(disk, directory, 'acceptedEpoch')).toBe(5);
    await run((done) => files.establish(5, done));
    expect([files.currentEpoch, readEpoch(disk, directory, 'currentEpoch')]).toEqual([5, 5]);
  });

  test('no epoch falls, and none is established that was not accepted', async () => {
    await run((done) => files.accept(5, done));
    await run((done) => files.establish(4, done));
    const calls: ((done: () => void) => void)[] = [
      (done) => files.accept(4, done),
      (done) => files.establish(3, done),
      (done) => files.establish(6, done),
    ];
    for (const call of calls) expect(() => call(() => {})).toThrow(RangeError);
    expect([files.acceptedEpoch, files.currentEpoch]).toEqual([5, 4]);
  });

  test('data of a prepared epoch makes it the accepted one too: a member without history accepts none before', async () => {
    await run((done) => files.prepare(7, done));
    expect(loadEpochs(disk, directory, makeZxid(7, 3))).toEqual({
      currentEpoch: 7,
      acceptedEpoch: 7,
    });
    expect(readEpoch(disk, directory, 'acceptedEpoch')).toBe(7);
  });

  test('an epoch is prepared by its own name only, or when it is current', async () => {
    await run((done) => files.accept(7, done));
    await run((done) => files.prepare(5, done));
    expect([2, 4, 5, 6].map((epoch) => files.isPrepared(epoch))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    await run((done) => files.prepare(6, done));
    expect([5, 6].map((epoch) => files.isPrepared(epoch))).toEqual([false, true]);
    await run((done) => files.establish(7, done));
    expect([5, 6, 7, 8].map((epoch) => files.isPrepared(epoch))).toEqual([true, true, true, false]);
  });

  test('what was prepared becomes current by its renaming', async () => {
    await run((done) => files.accept(3, done));
    await run((done) => files.prepare(3, done));
    expect(loadEpochs(disk, directory, 2 * EPOCH).currentEpoch).toBe(2);
    await run((done) => files.establish(3, done));
    expect(disk.list(directory)).toEqual(['acceptedEpoch', 'currentEpoch']);
    expect(readEpoch(disk, directory, 'currentEpoch')).toBe(3);
  });

  test('calls wait for each other, and after a failure all of them fail', async () => {
    await run((done) => files.accept(3, done));
    const order: string[] = [];
    const first = run((done) => files.prepare(3, done)).then(() => order.push('prepared'));
    const second = run((done) => files.establish(3, done)).then(() => order.push('established'));
    await Promise.all([first, second]);
    expect(order).toEqual(['prepared', 'established']);
    disk.renameAsync = (_from, _to, done) =>
      queueMicrotask(() => done(Object.assign(new Error('EIO'), { code: 'EIO' })));
    const failed = run((done) => files.accept(4, done));
    const later = run((done) => files.establish(3, done));
    expect(await failed).toMatchObject({ code: 'DISK_FAILED' });
    expect(await later).toMatchObject({ code: 'DISK_FAILED' });
    expect(files.acceptedEpoch).toBe(3);
  });
});
