import { describe, expect, test } from 'vitest';
import {
  type Done,
  MemoryDisk,
  type StorageError,
  TxnLogWriter,
  type TxnLogWriterOptions,
} from '../src/index.ts';
import { ZEROS_BYTES } from '../src/log-padding.ts';
import { RECORD_FRAME_BYTES } from '../src/log-record.ts';
import {
  appendAll,
  directoryOn,
  entry,
  logBytes,
  range,
  recoverAll,
  writeSnapshot,
} from './helpers.ts';

/** A memory disk that does one operation at each call of `step`. */
function steppedDisk(): { disk: MemoryDisk; step: () => boolean; drain: () => void } {
  const queue: (() => void)[] = [];
  const disk = new MemoryDisk({ schedule: (fn) => queue.push(fn) });
  const step = (): boolean => {
    const fn = queue.shift();
    fn?.();
    return fn !== undefined;
  };
  return {
    disk,
    step,
    drain: () => {
      while (step());
    },
  };
}

function writerOn(disk: MemoryDisk, options: Partial<TxnLogWriterOptions> = {}) {
  const directory = directoryOn(disk);
  const durable: number[] = [];
  const failures: StorageError[] = [];
  const writer = new TxnLogWriter({
    disk,
    directory: directory.logDirectory,
    lastZxid: 0,
    onDurable: (zxid) => durable.push(zxid),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  const append = (zxid: number, padding = 0) => {
    const bytes = entry(zxid, padding);
    writer.append(zxid, bytes, 0, bytes.length);
  };
  return { writer, directory, durable, failures, append };
}

test('a log is the header, the records, and zeros up to the preallocated size', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await appendAll(disk, directory, range(1, 25), { preAllocBytes: 65_536 });
  expect(disk.list(directory.logDirectory)).toEqual(['log.1']);
  const bytes = disk.readFile(`${directory.logDirectory}/log.1`);
  expect(bytes.length).toBe(16 + 65_536);
  const expected = logBytes(range(1, 25), 0);
  expect(bytes.subarray(0, expected.length).equals(expected)).toBe(true);
  expect(bytes.subarray(expected.length).every((byte) => byte === 0)).toBe(true);
});

test('the default preallocation makes a log of 67,108,880 bytes', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await appendAll(disk, directory, [1]);
  expect(disk.size(`${directory.logDirectory}/log.1`)).toBe(67_108_880);
});

test('a batch larger than the preallocation grows the file before it is written', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await appendAll(disk, directory, [1], { preAllocBytes: 65_536, padding: 200_000 });
  // A multiple of the preallocation, as FilePadding makes it.
  expect(disk.size(`${directory.logDirectory}/log.1`) % 65_536).toBe(0);
  expect(disk.size(`${directory.logDirectory}/log.1`)).toBeGreaterThan(200_000);
});

test('without preallocation the file ends after its last record', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await appendAll(disk, directory, range(1, 3), { preAllocBytes: 0 });
  expect(disk.readFile(`${directory.logDirectory}/log.1`).equals(logBytes(range(1, 3), 0))).toBe(
    true,
  );
});

test('what is appended during a write goes out in one batch the moment the write completes', () => {
  const { disk, step, drain } = steppedDisk();
  const { writer, durable, append } = writerOn(disk);
  append(1);
  writer.flush();
  for (const zxid of range(2, 50)) append(zxid);
  expect(durable).toEqual([]);
  expect(writer.appendedZxid).toBe(50);
  while (durable.length === 0) step();
  expect(durable).toEqual([1]);
  expect(writer.durableZxid).toBe(1);
  // No flush was called for the rest.
  drain();
  expect(durable).toEqual([1, 50]);
  expect(writer.pendingBytes).toBe(0);
});

test('nothing is written before flush', () => {
  const { disk, drain } = steppedDisk();
  const { directory, durable, append } = writerOn(disk);
  append(1);
  drain();
  expect(durable).toEqual([]);
  expect(disk.list(directory.logDirectory)).toEqual([]);
});

test('a log is visible under its name only with its header and size in it', () => {
  const { disk, step } = steppedDisk();
  const { writer, directory, durable, append } = writerOn(disk, { preAllocBytes: 8192 });
  append(1);
  writer.flush();
  while (durable.length === 0) {
    step();
    if (disk.list(directory.logDirectory).includes('log.1')) {
      expect(disk.size(`${directory.logDirectory}/log.1`)).toBe(16 + 8192);
    }
  }
});

test('roll starts a file named for the next entry, and resets the counters', () => {
  const { disk, drain } = steppedDisk();
  const { writer, directory, durable, append } = writerOn(disk);
  append(1);
  append(2);
  expect(writer.txnsSinceRoll).toBe(2);
  expect(writer.bytesSinceRoll).toBe(2 * (entry(1).length + RECORD_FRAME_BYTES));
  writer.roll();
  expect(writer.txnsSinceRoll).toBe(0);
  expect(writer.bytesSinceRoll).toBe(0);
  writer.roll();
  append(3);
  writer.roll();
  append(4);
  append(5);
  writer.flush();
  drain();
  expect(disk.list(directory.logDirectory)).toEqual(['log.1', 'log.3', 'log.4']);
  expect(durable).toEqual([2, 3, 5]);
});

test('after a file over its limit comes a new one', async () => {
  const { disk, drain } = steppedDisk();
  const { writer, directory, append } = writerOn(disk, { fileLimitBytes: 300 });
  for (const zxid of range(1, 12)) {
    append(zxid);
    writer.flush();
    drain();
  }
  const names = disk.list(directory.logDirectory);
  expect(names.length).toBeGreaterThan(2);
  expect(names[0]).toBe('log.1');
});

test('an entry larger than a batch buffer is written whole, between its neighbours', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  const { writer, append } = writerOn(disk);
  append(1);
  append(2, 900_000);
  append(3);
  append(4, 3_000_000);
  append(5);
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  expect(writer.durableZxid).toBe(5);
  expect(recoverAll(disk, directory).target.zxids).toEqual([1, 2, 3, 4, 5]);
});

test('entries longer than a batch buffer take turns in two long ones', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  const buffers = new Set<Buffer>();
  const openWrite = disk.openWrite.bind(disk);
  disk.openWrite = (path, options) => {
    const file = openWrite(path, options);
    const writeDurable = file.writeDurable.bind(file);
    file.writeDurable = (buffer, length, position, done) => {
      if (length > 900_000) buffers.add(buffer);
      writeDurable(buffer, length, position, done);
    };
    return file;
  };
  const { writer, append } = writerOn(disk);
  for (const zxid of range(1, 12)) {
    append(zxid, 1_000_000);
    writer.flush();
    // Two wait for each other, then the disk does both.
    if (zxid % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  expect(buffers.size).toBeLessThanOrEqual(3);
  expect(recoverAll(disk, directory).target.zxids).toEqual(range(1, 12));
});

test('many batches under way keep their order', async () => {
  const disk = new MemoryDisk();
  const directory = directoryOn(disk);
  await writeSnapshot(disk, directory, { zxid: 0 });
  const { writer, durable, append } = writerOn(disk);
  for (const zxid of range(1, 3000)) {
    append(zxid, 1000);
    if (zxid % 700 === 0) writer.roll();
  }
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  expect(durable).toEqual([...durable].sort((a, b) => a - b));
  expect(durable.at(-1)).toBe(3000);
  expect(recoverAll(disk, directory).target.zxids).toEqual(range(1, 3000));
});

describe('a roll that was prepared', () => {
  test('uses the file that was made ahead, and takes four steps of the disk less', () => {
    const stepsOfRoll = (isPrepared: boolean): number => {
      const { disk, step, drain } = steppedDisk();
      const { writer, directory, durable, append } = writerOn(disk);
      append(1);
      writer.flush();
      drain();
      if (isPrepared) writer.prepareRoll(0.5);
      if (isPrepared) writer.prepareRoll(0.5);
      drain();
      const spare = disk.list(directory.logDirectory).filter((name) => name.startsWith('tmp-'));
      expect(spare).toEqual(isPrepared ? ['tmp-log.next-2'] : []);
      writer.roll();
      append(2);
      writer.flush();
      let steps = 0;
      while (durable.length < 2 && step()) steps += 1;
      expect(durable).toEqual([1, 2]);
      drain();
      expect(disk.list(directory.logDirectory)).toEqual(['log.1', 'log.2']);
      const written = disk.readFile(`${directory.logDirectory}/log.2`);
      expect(written.length).toBe(67_108_880);
      const expected = logBytes([2], 0);
      expect(written.subarray(0, expected.length)).toEqual(expected);
      return steps;
    };
    // Opening, header, size, sync.
    expect(stepsOfRoll(false) - stepsOfRoll(true)).toBe(4);
  });

  test('waits for a file that is still being made', () => {
    const { disk, drain } = steppedDisk();
    const { writer, directory, durable, append } = writerOn(disk);
    writer.prepareRoll(0.5);
    append(1);
    writer.flush();
    drain();
    expect(durable).toEqual([1]);
    expect(disk.list(directory.logDirectory)).toEqual(['log.1']);
  });

  test('is made without the file whose zeros could not be written', () => {
    const { disk, drain } = steppedDisk();
    const openWrite = disk.openWrite.bind(disk);
    disk.openWrite = (path, options) => {
      const file = openWrite(path, options);
      if (!path.endsWith('tmp-log.next-2')) return file;
      return { ...file, writeDurable: (_bytes, _length, _at, done) => done(new Error('EIO')) };
    };
    const { writer, directory, durable, failures, append } = writerOn(disk);
    append(1);
    writer.flush();
    drain();
    writer.prepareRoll(0.5);
    append(2, ZEROS_BYTES);
    writer.flush();
    drain();
    writer.roll();
    append(3);
    writer.flush();
    drain();
    expect(failures).toEqual([]);
    expect(durable).toEqual([1, 2, 3]);
    expect(disk.list(directory.logDirectory)).toEqual(['log.1', 'log.3']);
  });

  test('leaves no file behind when it never comes', () => {
    const { disk, drain } = steppedDisk();
    const { writer, directory, append } = writerOn(disk);
    append(1);
    writer.flush();
    writer.prepareRoll(0.5);
    let isClosed = false;
    writer.close(() => {
      isClosed = true;
    });
    drain();
    expect(isClosed).toBe(true);
    expect(disk.list(directory.logDirectory)).toEqual(['log.1']);
  });
});

describe('the first batch of a file', () => {
  /** Renames and writes at once; `finishSync` ends the sync of the directory. */
  function firstBatch() {
    const { disk, drain } = steppedDisk();
    const syncs: Done[] = [];
    disk.syncDirectoryAsync = (_path, done) => syncs.push(done);
    const on = writerOn(disk);
    on.append(1);
    on.writer.flush();
    drain();
    const finishSync = (error?: Error) => (syncs.shift() as Done)(error);
    return { ...on, disk, drain, finishSync };
  }

  test('counts when its bytes and the name of the file are durable, not before', () => {
    const { disk, durable, drain, append, writer, directory, finishSync } = firstBatch();
    const expected = logBytes([1], 0);
    const bytes = disk.readFile(`${directory.logDirectory}/log.1`);
    expect(bytes.subarray(0, expected.length)).toEqual(expected);
    append(2);
    writer.flush();
    drain();
    expect(durable).toEqual([]);
    finishSync();
    drain();
    expect(durable).toEqual([1, 2]);
  });

  test('does not count when the name is durable and its bytes are not', () => {
    const { disk, step, drain } = steppedDisk();
    let isSynced = false;
    disk.syncDirectoryAsync = (_path, done) => {
      isSynced = true;
      done();
    };
    const { writer, durable, append } = writerOn(disk);
    append(1);
    writer.flush();
    while (!isSynced) step();
    expect(durable).toEqual([]);
    drain();
    expect(durable).toEqual([1]);
  });

  test.each([
    ['the sync of the directory, then the write', [0, 1]],
    ['the write, then the sync of the directory', [1, 0]],
  ])('stops the log once when a half of it fails: %s', (_, order) => {
    for (const failing of [[0], [1], [0, 1]]) {
      const { disk, drain } = steppedDisk();
      const halves: Done[] = [];
      disk.syncDirectoryAsync = (_path, done) => {
        halves[0] = done;
      };
      const openWrite = disk.openWrite.bind(disk);
      disk.openWrite = (path, options) => ({
        ...openWrite(path, options),
        writeDurable: (_bytes, _length, _at, done) => {
          halves[1] = done;
        },
      });
      const { writer, durable, failures, append } = writerOn(disk);
      append(1);
      writer.flush();
      drain();
      append(2);
      writer.flush();
      for (const half of order) {
        (halves[half] as Done)(failing.includes(half) ? new Error('EIO: broken') : undefined);
        drain();
      }
      expect(durable).toEqual([]);
      const half = order.find((one) => failing.includes(one));
      const action = half === 0 ? 'sync the directory of' : 'write and sync';
      expect(failures.map(({ message }) => message)).toEqual([
        expect.stringContaining(`Cannot ${action} the txn log`),
      ]);
    }
  });
});

describe('a log that is abandoned', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'writes, names and removes nothing more: after %d steps of a roll',
    (steps) => {
      const { disk, step, drain } = steppedDisk();
      const { writer, directory, durable, failures, append } = writerOn(disk);
      append(1);
      writer.flush();
      drain();
      writer.prepareRoll(0.5);
      writer.roll();
      append(2);
      writer.flush();
      for (let i = 0; i < steps; i += 1) step();
      writer.abandon();
      const before = disk.list(directory.logDirectory);
      const durableBefore = [...durable];
      append3();
      drain();
      const after = disk.list(directory.logDirectory);
      // The kernel does what it was asked for: a rename under way, a file being opened.
      expect(after.length - before.length).toBeLessThanOrEqual(1);
      expect(durable).toEqual(durableBefore);
      expect(failures).toEqual([]);

      function append3(): void {
        expect(() => append(3)).toThrow(expect.objectContaining({ code: 'WRITER_CLOSED' }));
        writer.flush();
      }
    },
  );

  test.each([0, 1, 2, 3])('names no file that was still being made: after %d steps', (steps) => {
    const { disk, step, drain } = steppedDisk();
    const { writer, directory, append } = writerOn(disk);
    append(1);
    writer.flush();
    for (let i = 0; i < steps; i += 1) step();
    writer.abandon();
    drain();
    expect(disk.list(directory.logDirectory)).toEqual(['tmp-log.next-1']);
  });

  test('leaves the file that was made ahead to the next start', () => {
    const { disk, drain } = steppedDisk();
    const { writer, directory, append } = writerOn(disk);
    append(1);
    writer.flush();
    writer.prepareRoll(0.5);
    drain();
    writer.abandon();
    drain();
    expect(disk.list(directory.logDirectory)).toEqual(['log.1', 'tmp-log.next-2']);
  });
});

test('a zxid that is not above the last one is refused, and the log goes on', () => {
  const { disk, drain } = steppedDisk();
  const { writer, durable, append } = writerOn(disk, { lastZxid: 9 });
  for (const zxid of [9, 8, 0]) {
    expect(() => append(zxid)).toThrow(expect.objectContaining({ code: 'ZXID_NOT_INCREASING' }));
  }
  append(10);
  writer.flush();
  drain();
  expect(durable).toEqual([10]);
});

test('after close nothing can be appended', async () => {
  const { writer, append } = writerOn(new MemoryDisk());
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  expect(() => append(1)).toThrow(expect.objectContaining({ code: 'WRITER_CLOSED' }));
});

test('a failure is told once with its file and errno, and nothing is reported durable after it', () => {
  const { disk, drain } = steppedDisk();
  const { writer, directory, durable, failures, append } = writerOn(disk);
  append(1);
  writer.flush();
  drain();
  // The next file cannot be made.
  const broken = new Error('EIO: broken') as NodeJS.ErrnoException;
  broken.code = 'EIO';
  disk.renameAsync = (_from, _to, done) => queueMicrotask(() => done(broken));
  writer.roll();
  append(2);
  append(3);
  writer.flush();
  drain();
  return Promise.resolve().then(() => {
    drain();
    expect(durable).toEqual([1]);
    expect(failures).toHaveLength(1);
    expect(failures[0]?.message).toContain('EIO');
    expect(failures[0]?.message).toContain(`${directory.logDirectory}/log.2`);
    expect(() => append(4)).toThrow(expect.objectContaining({ code: 'WRITER_CLOSED' }));
    let closedWith: StorageError | undefined;
    writer.close((error) => {
      closedWith = error;
    });
    drain();
    expect(closedWith).toBe(failures[0]);
    expect(writer.durableZxid).toBe(1);
  });
});

test('a slow write is told with its time', () => {
  const { disk, drain } = steppedDisk();
  let now = 0;
  const slow: number[] = [];
  const { writer, append } = writerOn(disk, {
    slowSyncMs: 100,
    now: () => {
      now += 60;
      return now;
    },
    onSlowSync: (durationMs) => slow.push(durationMs),
  });
  append(1);
  writer.flush();
  drain();
  expect(slow).toEqual([]);
  now = 1000;
  append(2);
  writer.flush();
  now += 500;
  drain();
  expect(slow).toEqual([560]);
  expect(writer.syncCount).toBe(2);
  expect(writer.syncMsMax).toBe(560);
});
