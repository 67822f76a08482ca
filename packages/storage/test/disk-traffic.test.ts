// What goes to the disk and when: zeros along with a batch, syncs of a snapshot that grows, and how little is
// read to find the end of a log.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type DataDirectory,
  NodeDisk,
  type OpenWriteOptions,
  openDataDirectory,
  type ReadableFile,
  type WritableFile,
} from '../src/index.ts';
import { ZEROS_BYTES } from '../src/segment.ts';
import { appendAll, logBytes, range, recoverAll, writeSnapshot } from './helpers.ts';

/** The real disk, which writes down what is asked of it. */
class WatchedDisk extends NodeDisk {
  readonly durableWrites: { bytes: number; position: number }[] = [];
  syncs = 0;
  bytesRead = 0;

  override openWrite(path: string, options: OpenWriteOptions = {}): WritableFile {
    const file = super.openWrite(path, options);
    const { writeDurable, sync } = file;
    file.writeDurable = (buffer, length, position, done) => {
      this.durableWrites.push({ bytes: length, position });
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

test('a snapshot is synced while it grows', async () => {
  const names = Array.from({ length: 60_000 }, (_, i) => `/${'n'.repeat(150)}${i}`);
  disk.syncs = 0;
  const { fileBytes } = await writeSnapshot(disk, directory, { zxid: 5, names });
  expect(fileBytes).toBeGreaterThan(9 << 20);
  expect(disk.syncs).toBe(Math.floor(fileBytes / (512 << 10)) + 1);
});
