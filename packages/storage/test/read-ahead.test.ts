// A file read ahead gives what is in it, whatever had arrived when it was asked for.

import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeDisk, type ReadableFile } from '../src/index.ts';

const MB = 1024 * 1024;
const original = { read: fs.read, readSync: fs.readSync };

type Read = (
  fd: number,
  target: Buffer,
  offset: number,
  length: number,
  position: number,
  done: (error: NodeJS.ErrnoException | null, bytes: number) => void,
) => void;

let home: string;
let path: string;
let file: ReadableFile;
/** Reads under way on the thread pool, and the descriptors they are of. */
let underWay: number[];
let bytesReadAtOnce: number;
/** Stands in for fs.read. */
let read: Read;

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-ahead-'));
  path = join(home, 'file');
  underWay = [];
  bytesReadAtOnce = 0;
  read = original.read as Read;
  const watchedRead: Read = (fd, target, offset, length, position, done) => {
    underWay.push(fd);
    read(fd, target, offset, length, position, (error, bytes) => {
      underWay.splice(underWay.indexOf(fd), 1);
      done(error, bytes);
    });
  };
  fs.read = watchedRead as typeof fs.read;
  fs.readSync = ((...parameters: [number, Buffer, number, number, number]) => {
    const got = original.readSync(...parameters);
    bytesReadAtOnce += got;
    return got;
  }) as typeof fs.readSync;
  syncBuiltinESMExports();
});
afterEach(async () => {
  while (underWay.length > 0) await setImmediate();
  Object.assign(fs, original);
  syncBuiltinESMExports();
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

test.each([0, 1, 512 * 1024, 4 * MB, 11 * MB + 12_345])('of %i bytes', async (size) => {
  const bytes = randomFillSync(Buffer.alloc(size));
  open(bytes);
  expect((await readAll(100_000)).equals(bytes)).toBe(true);
  expect((await readAll(300_000, untilArrived)).equals(bytes)).toBe(true);
  expect((await readAll(3_000_000, () => setImmediate())).equals(bytes)).toBe(true);
  file.close();
});

test('what has arrived is not read again', async () => {
  const bytes = randomFillSync(Buffer.alloc(11 * MB));
  open(bytes);
  expect((await readAll(100_000, untilArrived)).equals(bytes)).toBe(true);
  // The first read asks for all that follows.
  expect(bytesReadAtOnce).toBe(100_000);
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
    begun.push(() => (original.read as Read)(...parameters));
  };
  open(Buffer.alloc(3 * MB));
  file.read(Buffer.alloc(10), 0, 10, 0);
  const fd = underWay[0] as number;
  file.close();
  expect(underWay).toEqual(Array.from({ length: 6 }, () => fd));
  expect(() => fs.fstatSync(fd)).not.toThrow();
  for (const begin of begun) begin();
  await untilArrived();
  expect(() => fs.fstatSync(fd)).toThrow('EBADF');
});
