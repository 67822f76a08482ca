import type { Done } from '@zebu/storage';
import { type DiskHarness, diskCases } from '@zebu/storage/compliance';
import { describe, expect, test } from 'vitest';
import { Prng } from '../src/prng.ts';
import { SimScheduler } from '../src/scheduler.ts';
import { SimDisk, SimulatedCrash } from '../src/sim-disk.ts';

function makeDisk(seed = 1): { disk: SimDisk; time: SimScheduler } {
  const time = new SimScheduler();
  const prng = new Prng(seed);
  const disk = new SimDisk({
    schedule: (delayMs, fn) => time.schedule(delayMs, fn),
    random: () => prng.next(),
  });
  disk.makeDirectory('/data');
  return { disk, time };
}

function harness(): DiskHarness {
  const { disk, time } = makeDisk();
  return {
    disk,
    directory: '/data',
    until: async (condition) => {
      while (!condition() && time.step());
      if (!condition()) throw new Error('The condition does not come to hold');
    },
  };
}

describe('as a disk', () => {
  for (const diskCase of diskCases) test(diskCase.name, () => diskCase.run(harness()));
});

function finish(time: SimScheduler, start: (done: Done) => void): string | undefined {
  let result: string | undefined | null = null;
  start((error) => {
    result = error?.code;
  });
  while (result === null && time.step());
  if (result === null) throw new Error('Never done');
  return result;
}

const SEEDS = Array.from({ length: 300 }, (_, i) => i);

test('what was synced survives every crash, what was not survives in parts', () => {
  const outcomes = new Set<string>();
  for (const seed of SEEDS) {
    const { disk, time } = makeDisk();
    const file = disk.openWrite('/data/file', { truncate: true });
    finish(time, (done) => file.write(Buffer.alloc(2000, 1), 2000, 0, done));
    finish(time, (done) => file.sync(done));
    finish(time, (done) => disk.syncDirectoryAsync('/data', done));
    finish(time, (done) => file.write(Buffer.alloc(2000, 2), 2000, 1500, done));
    disk.crash({ seed });
    const bytes = disk.readFile('/data/file');
    expect(bytes.length).toBeGreaterThanOrEqual(2000);
    expect(bytes.subarray(0, 1500).every((byte) => byte === 1)).toBe(true);
    expect(bytes.every((byte) => byte <= 2)).toBe(true);
    outcomes.add(bytes.toString('hex'));
  }
  expect(outcomes.size).toBeGreaterThan(20);
});

test('a durable write survives without a sync, and its neighbours need not', () => {
  let lost = 0;
  for (const seed of SEEDS) {
    const { disk, time } = makeDisk();
    disk.writeFile('/data/file', Buffer.alloc(0));
    disk.syncDirectory('/data');
    const file = disk.openWrite('/data/file');
    finish(time, (done) => file.write(Buffer.alloc(512, 1), 512, 0, done));
    finish(time, (done) => file.writeDurable(Buffer.alloc(512, 2), 512, 1024, done));
    disk.crash({ seed });
    const bytes = disk.readFile('/data/file');
    expect(bytes.subarray(1024, 1536).every((byte) => byte === 2)).toBe(true);
    if (bytes[0] === 0) lost += 1;
  }
  expect(lost).toBeGreaterThan(50);
  expect(lost).toBeLessThan(SEEDS.length);
});

test('one seed is one outcome', () => {
  const outcome = (seed: number): string => {
    const { disk, time } = makeDisk();
    const file = disk.openWrite('/data/file');
    finish(time, (done) => file.write(Buffer.alloc(5000, 1), 5000, 0, done));
    disk.syncDirectory('/data');
    disk.crash({ seed });
    return disk.readFile('/data/file').toString('hex');
  };
  for (const seed of SEEDS.slice(0, 20)) expect(outcome(seed)).toBe(outcome(seed));
});

test('names are lost or kept until their directory is synced, a rename never by half', () => {
  const outcomes = new Set<string>();
  for (const seed of SEEDS) {
    const { disk } = makeDisk();
    disk.writeFile('/data/old', Buffer.from('old'));
    disk.writeFile('/data/gone', Buffer.from('gone'));
    disk.syncDirectory('/data');
    disk.unlink('/data/gone');
    disk.writeFile('/data/tmp', Buffer.from('new'));
    disk.rename('/data/tmp', '/data/old');
    disk.crash({ seed });
    const names = disk.list('/data');
    expect(names).toContain('old');
    const content = disk.readFile('/data/old').toString();
    expect(content === 'new' && names.includes('tmp')).toBe(false);
    outcomes.add(`${names.join()} ${content}`);
  }
  expect([...outcomes].sort()).toEqual(['gone,old old', 'old new', 'old old', 'old,tmp old']);
});

test('sectors of one write may survive without those before them', () => {
  let holes = 0;
  for (const seed of SEEDS) {
    const { disk, time } = makeDisk();
    const file = disk.openWrite('/data/file');
    finish(time, (done) => file.resize(100_000, done));
    finish(time, (done) => file.sync(done));
    disk.syncDirectory('/data');
    finish(time, (done) => file.write(Buffer.alloc(5120, 1), 5120, 0, done));
    disk.crash({ seed });
    const bytes = disk.readFile('/data/file').subarray(0, 5120);
    if (bytes.indexOf(0) >= 0 && bytes.lastIndexOf(1) > bytes.indexOf(0)) holes += 1;
  }
  expect(holes).toBeGreaterThan(20);
});

test('a write under way may survive in part', () => {
  const lengths = new Set<number>();
  for (const seed of SEEDS) {
    const { disk, time } = makeDisk();
    disk.writeFile('/data/file', Buffer.alloc(0));
    disk.syncDirectory('/data');
    const file = disk.openWrite('/data/file');
    let told = false;
    file.writeDurable(Buffer.alloc(3000, 1), 3000, 0, () => {
      told = true;
    });
    time.step();
    disk.crash({ seed });
    while (time.step());
    expect(told).toBe(false);
    lengths.add(disk.readFile('/data/file').filter((byte) => byte === 1).length);
  }
  expect(lengths.has(0)).toBe(true);
  expect(lengths.has(3000)).toBe(true);
  expect(lengths.size).toBeGreaterThan(10);
});

test('after a failed sync the bytes are read but never written, whatever later syncs say', () => {
  const { disk, time } = makeDisk();
  disk.writeFile('/data/file', Buffer.from('old'));
  disk.syncDirectory('/data');
  const file = disk.openWrite('/data/file');
  finish(time, (done) => file.write(Buffer.from('new'), 3, 0, done));
  disk.injectFault({ operation: 'sync', path: 'file' });
  expect(finish(time, (done) => file.sync(done))).toBe('EIO');
  expect(disk.readFile('/data/file').toString()).toBe('new');
  disk.syncFile('/data/file');
  disk.crash({ seed: 1 });
  expect(disk.readFile('/data/file').toString()).toBe('old');
});

test('a full disk takes a part of the write and says ENOSPC; deleting makes room', () => {
  const { disk, time } = makeDisk();
  disk.writeFile('/data/big', Buffer.alloc(4096));
  disk.freeBytes = 1024;
  const file = disk.openWrite('/data/file');
  expect(finish(time, (done) => file.write(Buffer.alloc(4096, 1), 4096, 0, done))).toBe('ENOSPC');
  expect(disk.size('/data/file')).toBe(1024);
  disk.unlink('/data/big');
  const again = disk.openWrite('/data/other');
  expect(finish(time, (done) => again.write(Buffer.alloc(4096, 1), 4096, 0, done))).toBe(undefined);
});

test('at the event asked for the disk goes down, and nothing completes after it', () => {
  const { disk, time } = makeDisk();
  let told = 0;
  const file = disk.openWrite('/data/file');
  for (let i = 0; i < 5; i += 1)
    file.write(Buffer.alloc(10), 10, i * 10, () => {
      told += 1;
    });
  disk.crashAtEvent(7);
  while (time.step());
  // open: events 1 and 2; three events of the writes followed, of which the last started.
  expect(disk.down).toBe(true);
  expect(told).toBe(2);
  expect(() => disk.list('/data')).toThrow(SimulatedCrash);
  disk.crash({ seed: 1 });
  expect(disk.list('/data').length).toBeLessThan(2);
});

test('bit rot changes one bit of what is durable', () => {
  const { disk } = makeDisk();
  disk.writeFile('/data/file', Buffer.alloc(3000, 1));
  disk.syncDirectory('/data');
  const at = disk.rot('/data/file', { seed: 3 }) as number;
  disk.crash({ seed: 1 });
  const bytes = disk.readFile('/data/file');
  expect(bytes[at]).not.toBe(1);
  bytes[at] = 1;
  expect(bytes.equals(Buffer.alloc(3000, 1))).toBe(true);
});

test('a buffer that changes while it is written is noticed', () => {
  const { disk, time } = makeDisk();
  const file = disk.openWrite('/data/file');
  const buffer = Buffer.alloc(10);
  file.write(buffer, 10, 0, () => {});
  buffer[3] = 1;
  expect(() => time.run(10)).toThrow(/changed while/);
});
