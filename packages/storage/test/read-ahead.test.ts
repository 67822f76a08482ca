// A file read ahead gives what is in it, whatever had arrived when it was asked for.

import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeDisk, type ReadableFile } from '../src/index.ts';
import { CHUNK_BYTES } from '../src/page-memory.ts';
import {
  endStandIns,
  type PositionedCall,
  realRead,
  realReadSync,
  standIn,
} from './support/stand-in.ts';

const MB = 1024 * 1024;

let home: string;
let path: string;
let file: ReadableFile;
/** Reads under way on the thread pool, and the descriptors they are of. */
let underWay: number[];
let bytesReadAtOnce: number;
/** Stands in for fs.read. */
let read: PositionedCall;

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-ahead-'));
  path = join(home, 'file');
  underWay = [];
  bytesReadAtOnce = 0;
  read = realRead;
  standIn({
    read: (fd, target, offset, length, position, done) => {
      underWay.push(fd);
      read(fd, target, offset, length, position, (error, bytes) => {
        underWay.splice(underWay.indexOf(fd), 1);
        done(error, bytes);
      });
    },
    readSync: (...parameters) => {
      const got = realReadSync(...parameters);
      bytesReadAtOnce += got;
      return got;
    },
  });
});
afterEach(async () => {
  await untilArrived();
  endStandIns();
  fs.rmSync(home, { recursive: true });
});

function open(bytes: Buffer): void {
  fs.writeFileSync(path, bytes);
  file = new NodeDisk().openRead(path, { sequential: true });
}

/** All of the file, `step` bytes at a time; `pause` is called before each. */
async function readAll(step: number, pause: () => Promise<void> = async () => {}): Promise<Buffer> {
  const target = Buffer.alloc(file.size + step);
  for (let position = 0; ; ) {
    await pause();
    const got = file.read(target, position, step, position);
    position += got;
    if (got < step) return target.subarray(0, position);
  }
}

async function untilArrived(): Promise<void> {
  while (underWay.length > 0) await setImmediate();
}

const SIZES = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 4 * MB, 11 * MB + 12_345];

describe.each(SIZES)('a file of %i bytes', (size) => {
  test.each([
    ['nothing arrives in time', async () => {}],
    ['all has arrived', untilArrived],
    ['some has arrived', () => setImmediate()],
    ['some is under way for long', delayed],
  ])('%s', async (_, pause) => {
    const bytes = randomFillSync(Buffer.alloc(size));
    for (const step of [100_000, CHUNK_BYTES, 3_000_000]) {
      open(bytes);
      expect((await readAll(step, pause)).equals(bytes)).toBe(true);
      file.close();
    }
  });
});

/** Every third read comes late, the others come short. */
async function delayed(): Promise<void> {
  let n = 0;
  read = (fd, target, offset, length, position, done) => {
    const isLate = n++ % 3 === 0;
    const begin = (): void => {
      realRead(fd, target, offset, isLate ? length : length - 5000, position, done);
    };
    if (isLate) setTimeout(begin, 5);
    else begin();
  };
  await setImmediate();
}

test('what has arrived is not read again', async () => {
  const bytes = randomFillSync(Buffer.alloc(11 * MB));
  open(bytes);
  expect((await readAll(100_000, untilArrived)).equals(bytes)).toBe(true);
  // The first read asks for all that follows.
  expect(bytesReadAtOnce).toBe(100_000);
  file.close();
});

test('a reader who only waits for the disk does so alone from then on', async () => {
  const late: (() => void)[] = [];
  read = (...parameters) => late.push(() => realRead(...parameters));
  const bytes = randomFillSync(Buffer.alloc(30 * MB));
  open(bytes);
  let reads = 0;
  const arriveLate = async (): Promise<void> => {
    // More often than he may come too early; then all that he asked for is there.
    if (++reads !== 50) return;
    for (const begin of late.splice(0)) begin();
    await untilArrived();
  };
  expect((await readAll(CHUNK_BYTES, arriveLate)).equals(bytes)).toBe(true);
  expect(bytesReadAtOnce).toBe(bytes.length);
  const askedSince = late.length;
  for (const begin of late) begin();
  expect(askedSince).toBe(0);
  file.close();
});

test('what cannot be read ahead is read when it is asked for', async () => {
  read = (_fd, _target, _offset, _length, _position, done) => {
    const error = Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    process.nextTick(done, error, 0);
  };
  const bytes = randomFillSync(Buffer.alloc(3 * MB));
  open(bytes);
  expect((await readAll(100_000, untilArrived)).equals(bytes)).toBe(true);
  expect(bytesReadAtOnce).toBe(bytes.length);
  file.close();
});

test('a descriptor that is being read is closed later', async () => {
  const begun: (() => void)[] = [];
  read = (...parameters) => {
    begun.push(() => realRead(...parameters));
  };
  open(Buffer.alloc(3 * MB));
  file.read(Buffer.alloc(10), 0, 10, 0);
  const fd = underWay[0] as number;
  file.close();
  expect(underWay).toEqual(Array.from({ length: 12 }, () => fd));
  expect(() => fs.fstatSync(fd)).not.toThrow();
  for (const begin of begun) begin();
  await untilArrived();
  expect(() => fs.fstatSync(fd)).toThrow('EBADF');
});
