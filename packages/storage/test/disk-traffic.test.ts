// What goes to the disk and when: zeros along with a batch, syncs of a snapshot that grows, and how little is
// read to find the end of a log.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type DataDirectory,
  NodeDisk,
  type OpenWriteOptions,
  openDataDirectory,
  type ReadableFile,
  TxnLogWriter,
  type WritableFile,
} from '../src/index.ts';
import { ZEROS_BYTES } from '../src/segment.ts';
import { appendAll, entry, logBytes, range, recoverAll, writeSnapshot } from './helpers.ts';

/** The real disk, which writes down what is asked of it. */
class WatchedDisk extends NodeDisk {
  readonly durableWrites: { bytes: number; position: number; path: string }[] = [];
  syncs = 0;
  bytesRead = 0;

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

  override openRead(path: string): ReadableFile {
    const file = super.openRead(path);
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

test('the batch that reaches new blocks takes zeros along, those behind it do not', async () => {
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
  const zeroed = () => disk.durableWrites.filter(({ path }) => path.endsWith('tmp-log.next-2'));

  await appendUpTo(txns / 2);
  expect(zeroed()).toEqual([]);
  writer.prepareRoll(0.5);
  await appendUpTo((txns * 3) / 4);
  const halfWay = zeroed().length;
  await appendUpTo(txns);
  const pieces = zeroed();
  // A piece may lag behind the batch it belongs to.
  const wanted = (txns * padding) / ZEROS_BYTES;
  expect(pieces.length).toBeGreaterThanOrEqual(Math.floor(wanted) - 2);
  expect(pieces.length).toBeLessThanOrEqual(wanted + 1);
  expect(halfWay).toBeGreaterThanOrEqual(Math.floor(wanted / 2) - 2);
  expect(halfWay).toBeLessThanOrEqual(wanted / 2 + 1);
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

test('the end of a log is found in a file that was zeroed ahead without reading the holes behind', async () => {
  const zeroed = 5 << 20;
  await appendAll(disk, directory, range(1, 3));
  const path = `${directory.logDirectory}/log.1`;
  const { length } = logBytes(range(1, 3), 0);
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(zeroed), 0, zeroed, length);
  closeSync(fd);
  disk.bytesRead = 0;
  const { target } = recoverAll(disk, directory, { trustEmptySnapshot: true });
  expect(target.zxids).toEqual(range(1, 3));
  expect(disk.bytesRead).toBeGreaterThan(zeroed);
  expect(disk.bytesRead).toBeLessThan(zeroed + (8 << 20));
});

test('a snapshot is synced while it grows', async () => {
  const names = Array.from({ length: 60_000 }, (_, i) => `/${'n'.repeat(150)}${i}`);
  disk.syncs = 0;
  const { fileBytes } = await writeSnapshot(disk, directory, { zxid: 5, names });
  expect(fileBytes).toBeGreaterThan(9 << 20);
  expect(disk.syncs).toBe(Math.floor(fileBytes / (512 << 10)) + 1);
});
