// No txn of an epoch reaches the log before the disk knows of that epoch, however many epochs come at once.

import { EpochFiles, loadEpochs, MemoryDisk } from '@zebu/storage';
import { beforeEach, expect, test } from 'vitest';
import { EpochStore } from '../../src/ensemble/epoch-store.ts';

const directory = '/data/version-2';
let disk: MemoryDisk;
let files: EpochFiles;
let store: EpochStore;
let failures: Error[];
beforeEach(() => {
  disk = new MemoryDisk();
  disk.makeDirectory(directory);
  files = new EpochFiles(disk, directory, loadEpochs(disk, directory, 0));
  failures = [];
  store = new EpochStore(files, (error) => failures.push(error));
});

/** What `currentEpoch.tmp` says. */
const prepared = (): string =>
  disk.exists(`${directory}/currentEpoch.tmp`)
    ? disk.readFile(`${directory}/currentEpoch.tmp`).toString()
    : 'none';

const idle = () => new Promise((resolve) => setImmediate(resolve));

test('writes of several epochs at once wait each for its own', async () => {
  const seen: string[] = [];
  for (const epoch of [0, 2, 2, 3, 3, 5]) {
    store.prepare(epoch, () => seen.push(`${epoch} with ${prepared()}`));
  }
  expect(seen).toEqual(['0 with none']);
  while (seen.length < 6 && failures.length === 0) await idle();
  expect(seen).toEqual(['0 with none', '2 with 2', '2 with 2', '3 with 3', '3 with 3', '5 with 5']);
});

test('an epoch that something else prepared is not taken for the one of before', async () => {
  const seen: string[] = [];
  store.prepare(5, () => seen.push(`5 with ${prepared()}`));
  while (seen.length < 1) await idle();
  // A snapshot of a history that ends earlier.
  await new Promise((resolve) => files.prepare(4, resolve));
  store.prepare(5, () => seen.push(`5 with ${prepared()}`));
  while (seen.length < 2) await idle();
  expect(seen).toEqual(['5 with 5', '5 with 5']);
});

test('what a write asks for comes after those that wait', async () => {
  const seen: number[] = [];
  store.prepare(0, () => {
    store.prepare(0, () => seen.push(2));
    seen.push(1);
  });
  store.prepare(0, () => seen.push(3));
  expect(seen).toEqual([1, 2, 3]);
});

test('nothing is written once an epoch could not be prepared', async () => {
  disk.renameAsync = (_from, _to, done) =>
    queueMicrotask(() => done(Object.assign(new Error('no room'), { code: 'ENOSPC' })));
  const seen: number[] = [];
  for (const epoch of [1, 1, 2]) store.prepare(epoch, () => seen.push(epoch));
  while (failures.length === 0) await idle();
  expect([seen, failures.length]).toEqual([[], 1]);
});
