// What goes to the disk and when: zeros along with a batch, syncs of a snapshot that grows, and how little is
// read to find the end of a log.

import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type DataDirectory,
  NodeDisk,
  type OpenReadOptions,
  type OpenWriteOptions,
  openDataDirectory,
  type ReadableFile,
  TxnLogWriter,
  type WritableFile,
} from '../src/index.ts';
import { ZEROS_BYTES } from '../src/log-padding.ts';
import { appendAll, entry, logBytes, range, recoverAll, writeSnapshot } from './helpers.ts';

/** The real disk, which writes down what is asked of it. */
class WatchedDisk extends NodeDisk {
  readonly durableWrites: { bytes: number; position: number; path: string }[] = [];
  syncs = 0;
  bytesRead = 0;
  readonly sequentialReads: string[] = [];

  override openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    const file = super.openWrite(path, options);
    const { writeDurable, sync } = file;
    file.writeDurable = (buffer, length, position, done) => {
      this.durableWrites.push({ bytes: length, position, path: file.path });
      writeDurable.call(file, buffer, length, position, done);
    };
    file.sync = (done) => {
      this.syncs++;
      sync.call(file, done);
    };
    return file;
  }

  override openRead(path: string, options: OpenReadOptions = {}): ReadableFile {
    if (options.sequential === true) this.sequentialReads.push(basename(path));
    const file = super.openRead(path, options);
    const { read } = file;
    file.read = (target, offset, length, position) => {
      this.bytesRead += length;
      return read.call(file, target, offset, length, position);
    };
    return file;
  }
}

let home: string;
let disk: WatchedDisk;
let directory: DataDirectory;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'zebu-traffic-'));
  disk = new WatchedDisk();
  directory = openDataDirectory({ disk, dataDir: home });
});
afterEach(() => rmSync(home, { recursive: true }));

test('the batch that reaches new blocks takes zeros along, those after it do not', async () => {
  const padding = 60_000;
  await appendAll(disk, directory, range(1, 20), { batch: 1, padding });
  // Each batch of more than 60 KB: 512 KB of zeros last for eight.
  const isPadded = disk.durableWrites.map(({ bytes }) => bytes > ZEROS_BYTES);
  expect(isPadded.filter(Boolean).length).toBeGreaterThanOrEqual(2);
  expect(isPadded[0]).toBe(true);
  let writtenTo = 16;
  for (const [i, { bytes, position }] of disk.durableWrites.entries()) {
    const next = disk.durableWrites[i + 1]?.position ?? position + bytes;
    expect(isPadded[i]).toBe(Math.min(next, position + bytes) > writtenTo);
    writtenTo = Math.max(writtenTo, position + bytes);
  }
  const bytes = disk.readFile(`${directory.logDirectory}/log.1`);
  const records = logBytes(range(1, 20), 0, padding);
  expect(bytes.subarray(0, records.length).equals(records)).toBe(true);
  expect(bytes.subarray(records.length).every((byte) => byte === 0)).toBe(true);
});

test('a batch as long as the zeros takes none along', async () => {
  const padding = 600_000;
  await appendAll(disk, directory, range(1, 3), { batch: 1, padding });
  expect(disk.durableWrites.map(({ bytes }) => bytes < 601_000)).toEqual([true, true, true]);
  const bytes = disk.readFile(`${directory.logDirectory}/log.1`);
  const records = logBytes(range(1, 3), 0, padding);
  expect(bytes.subarray(0, records.length).equals(records)).toBe(true);
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Never came true: ${condition}`);
    await setTimeout(1);
  }
}

test('the file of the next roll is zeroed ahead, evenly, as far as this one is long', async () => {
  const padding = 60_000;
  const txns = 100;
  let durable = 0;
  let afterBatch = () => {};
  const writer = new TxnLogWriter({
    disk,
    directory: directory.logDirectory,
    lastZxid: 0,
    onDurable: (zxid) => {
      durable = zxid;
      afterBatch();
    },
    onFailure: (error) => {
      throw error;
    },
  });
  const appendUpTo = (last: number) =>
    new Promise<void>((resolve) => {
      afterBatch = () => {
        if (durable === last) {
          resolve();
          return;
        }
        const bytes = entry(durable + 1, padding);
        writer.append(durable + 1, bytes, 0, bytes.length);
        writer.flush();
      };
      afterBatch();
    });
  const zeroed = () => disk.durableWrites.filter(({ path }) => path.includes('/tmp-log.next-2'));

  await appendUpTo(txns / 2);
  expect(zeroed()).toEqual([]);
  writer.prepareRoll(0.5);
  const wanted = (txns * padding) / ZEROS_BYTES;
  await appendUpTo((txns * 3) / 4);
  // A piece may lag behind the batch it belongs to.
  await until(() => zeroed().length >= Math.floor(wanted / 2));
  expect(zeroed().length).toBeLessThanOrEqual(wanted / 2 + 1);
  await appendUpTo(txns);
  await until(() => zeroed().length >= Math.floor(wanted));
  const pieces = zeroed();
  expect(pieces.length).toBeLessThanOrEqual(wanted + 1);
  expect(pieces.map(({ position }) => position)).toEqual(
    pieces.map((_, i) => 16 + i * ZEROS_BYTES),
  );

  disk.durableWrites.length = 0;
  writer.roll();
  await appendUpTo(2 * txns);
  const zerosEnd = 16 + pieces.length * ZEROS_BYTES;
  for (const { bytes, position } of disk.durableWrites) {
    if (position + bytes < zerosEnd) expect(bytes).toBeLessThan(ZEROS_BYTES);
  }
  await new Promise<void>((resolve) => writer.close(() => resolve()));
  const { target } = recoverAll(disk, directory, { trustEmptySnapshot: true });
  expect(target.zxids).toEqual(range(1, 2 * txns));
});

test('zeros never make the file longer than its preallocation', async () => {
  await appendAll(disk, directory, range(1, 25), { preAllocBytes: 65_536 });
  for (const { bytes, position } of disk.durableWrites) {
    expect(position + bytes).toBeLessThanOrEqual(16 + 65_536);
  }
  expect(disk.size(`${directory.logDirectory}/log.1`)).toBe(16 + 65_536);
});

test.each([
  ['a few records', 3, 0],
  ['more than the zeros', 12, 60_000],
])('the end of a log is found without reading its preallocation: %s', async (_, count, padding) => {
  await appendAll(disk, directory, range(1, count), { padding });
  disk.bytesRead = 0;
  const { target } = recoverAll(disk, directory, { trustEmptySnapshot: true });
  expect(target.zxids).toEqual(range(1, count));
  // The file has 64 MiB.
  expect(disk.bytesRead).toBeLessThan(8 << 20);
});

describe('a log that was zeroed ahead', () => {
  const MIB = 1 << 20;

  /** Writes into the newest log, from the end of its `records` on: zeros, room on the disk and all. */
  function writeBehind(records: number, offset: number, bytes: Buffer, log = 1): void {
    const fd = openSync(`${directory.logDirectory}/log.${log}`, 'r+');
    const end = logBytes(range(1, records), 0).length;
    writeSync(fd, bytes, 0, bytes.length, end + offset);
    closeSync(fd);
  }

  const recovered = () => recoverAll(disk, directory, { trustEmptySnapshot: true });

  test('is read to its last byte after a crash', async () => {
    await appendAll(disk, directory, range(1, 3));
    writeBehind(3, 0, Buffer.alloc(5 * MIB));
    disk.bytesRead = 0;
    expect(recovered().target.zxids).toEqual(range(1, 3));
    expect(disk.bytesRead).toBeGreaterThan(60 * MIB);
  });

  test('does not hide records after a hole, however long', async () => {
    await appendAll(disk, directory, range(1, 3));
    const record = logBytes([9], 0).subarray(16);
    writeBehind(3, 10 * MIB, Buffer.concat([record, Buffer.alloc(MIB)]));
    expect(recovered().warnings.join('\n')).toContain('1 whole txns of that write are cut off');
  });

  test('is not read on where the next one goes on with the next zxid', async () => {
    await appendAll(disk, directory, range(1, 3));
    writeBehind(3, 0, Buffer.alloc(5 * MIB));
    await appendAll(disk, directory, range(4, 5), { lastZxid: 3 });
    disk.bytesRead = 0;
    expect(recovered().target.zxids).toEqual(range(1, 5));
    expect(disk.bytesRead).toBeLessThan(8 * MIB);
  });

  test('has holes after its records again once the server has stopped', async () => {
    const writer = new TxnLogWriter({
      disk,
      directory: directory.logDirectory,
      lastZxid: 0,
      onDurable: () => {},
      onFailure: (error) => {
        throw error;
      },
    });
    const append = (zxid: number, padding: number) => {
      const bytes = entry(zxid, padding);
      writer.append(zxid, bytes, 0, bytes.length);
      writer.flush();
    };
    const close = () => new Promise<void>((resolve) => writer.close(() => resolve()));
    append(1, 0);
    writer.prepareRoll(0.99);
    // The file of the next roll is made, then zeroed as far as 100 times these.
    await until(() => existsSync(`${directory.logDirectory}/log.1`));
    append(2, 100_000);
    await until(() => zeroedBytes() >= 5 * MIB);
    writer.roll();
    append(3, 0);
    await close();
    const { blocks, size } = statSync(`${directory.logDirectory}/log.3`);
    expect(blocks * 512).toBeLessThan(MIB);
    expect(size).toBe(67_108_880);
    disk.bytesRead = 0;
    expect(recovered().target.zxids).toEqual(range(1, 3));
    expect(disk.bytesRead).toBeLessThan(8 * MIB);
  });

  test('is zeroed as far as was asked for while it was being made', async () => {
    let goOn: (() => void) | undefined;
    const slow = disk.openWrite.bind(disk);
    disk.openWrite = (path, options) => {
      const file = slow(path, options);
      if (!path.includes('/tmp-log.next-2')) return file;
      const { sync } = file;
      file.sync = (done) =>
        sync.call(file, (error) => {
          goOn = () => done(error);
        });
      return file;
    };
    let durableZxid = 0;
    const writer = new TxnLogWriter({
      disk,
      directory: directory.logDirectory,
      lastZxid: 0,
      onDurable: (zxid) => {
        durableZxid = zxid;
      },
      onFailure: (error) => {
        throw error;
      },
    });
    const append = async (zxid: number, padding: number) => {
      const bytes = entry(zxid, padding);
      writer.append(zxid, bytes, 0, bytes.length);
      writer.flush();
      await until(() => durableZxid === zxid);
    };
    await append(1, 0);
    writer.prepareRoll(0.99);
    await append(2, 100_000);
    await until(() => goOn !== undefined);
    expect(zeroedBytes()).toBe(0);
    goOn?.();
    await until(() => zeroedBytes() >= 5 * MIB);
    await new Promise<void>((resolve) => writer.close(() => resolve()));
  });

  const zeroedBytes = () =>
    disk.durableWrites
      .filter(({ path }) => path.includes('/tmp-log.next-2'))
      .reduce((sum, { bytes }) => sum + bytes, 0);
});

test.each([
  ['', ['snapshot.5']],
  ['gz', []],
] as const)('whether a snapshot is read ahead: compression "%s"', async (compression, expected) => {
  await writeSnapshot(disk, directory, { zxid: 5, compression });
  recoverAll(disk, directory);
  expect(disk.sequentialReads).toEqual(expected);
});

test('a snapshot is synced while it grows', async () => {
  const names = Array.from({ length: 60_000 }, (_, i) => `/${'n'.repeat(150)}${i}`);
  disk.syncs = 0;
  const { fileBytes } = await writeSnapshot(disk, directory, { zxid: 5, names });
  expect(fileBytes).toBeGreaterThan(9 << 20);
  expect(disk.syncs).toBe(Math.floor(fileBytes / (512 << 10)) + 1);
});
