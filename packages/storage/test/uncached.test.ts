// Files written past the page cache: which writes go there, and that all others arrive as well.

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeDisk, openDataDirectory, type WritableFile } from '../src/index.ts';
import { CHUNK_BYTES, giveChunk, PAGE_BYTES, takeChunk } from '../src/page-memory.ts';
import { writeSnapshot } from './helpers.ts';
import { endStandIns, realWrite, standIn } from './support/stand-in.ts';

const { O_CREAT, O_DIRECT, O_DSYNC, O_WRONLY } = fs.constants;

let home: string;
/** Writes in their order: how their descriptors were opened. */
let writes: { isDirect: boolean; isDurable: boolean; bytes: number }[];
/** What the kernel answers to direct writes, instead of taking them. */
let refusal: string | undefined;
/** The most that the kernel takes at once. */
let most: number;

beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), 'zebu-uncached-'));
  writes = [];
  refusal = undefined;
  most = Number.MAX_SAFE_INTEGER;
  standIn({
    write: (fd, buffer, offset, length, position, done) => {
      const flags = flagsOf(fd);
      const isDirect = (flags & O_DIRECT) !== 0;
      writes.push({ isDirect, isDurable: (flags & O_DSYNC) !== 0, bytes: length });
      if (isDirect && refusal !== undefined) {
        const error = Object.assign(new Error(refusal), { code: refusal });
        process.nextTick(done, error, 0);
      } else if (length > most) {
        const other = fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY);
        const taken = fs.writeSync(other, buffer, offset, most, position);
        fs.closeSync(other);
        process.nextTick(done, null, taken);
      } else {
        realWrite(fd, buffer, offset, length, position, done);
      }
    },
  });
});
afterEach(() => {
  endStandIns();
  fs.rmSync(home, { recursive: true });
});

function flagsOf(fd: number): number {
  const info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  return Number.parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? '0', 8);
}

function hasDirectWrites(): boolean {
  if (process.platform !== 'linux') return false;
  const directory = fs.mkdtempSync(join(tmpdir(), 'zebu-uncached-'));
  try {
    const fd = fs.openSync(join(directory, 'file'), O_WRONLY | O_CREAT | O_DIRECT);
    const chunk = takeChunk();
    fs.writeSync(fd, chunk, 0, chunk.length, 0);
    giveChunk(chunk);
    fs.closeSync(fd);
    return true;
  } catch {
    return false;
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

function write(file: WritableFile, buffer: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(buffer, buffer.length, position, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

function openDescriptors(path: string): number {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link === path).length;
}

function pages(byte: number): Buffer {
  return takeChunk().fill(byte);
}

describe.skipIf(!hasDirectWrites())('where the system has O_DIRECT', () => {
  test('whole pages go past the page cache, all else goes through it', async () => {
    const path = join(home, 'file');
    const file = new NodeDisk().openWrite(path, { truncate: true, uncached: true });
    await write(file, pages(1), 0);
    await write(file, pages(2).subarray(0, 100), CHUNK_BYTES);
    await write(file, pages(3), CHUNK_BYTES + 100);
    await write(file, pages(4), 2 * CHUNK_BYTES);
    expect(writes.map(({ isDirect }) => isDirect)).toEqual([true, false, false, true]);
    await new Promise<void>((resolve) => file.sync(() => file.close(() => resolve())));
    const expected = Buffer.concat([
      Buffer.alloc(CHUNK_BYTES, 1),
      Buffer.alloc(100, 2),
      Buffer.alloc(CHUNK_BYTES - 100, 3),
      Buffer.alloc(CHUNK_BYTES, 4),
    ]);
    expect(fs.readFileSync(path).equals(expected)).toBe(true);
    expect(openDescriptors(path)).toBe(0);
  });

  test.each(['EINVAL', 'ENOTSUP'])(
    '%s: from then on all goes through the page cache',
    async (code) => {
      refusal = code;
      const path = join(home, 'file');
      const file = new NodeDisk().openWrite(path, { uncached: true });
      await write(file, pages(1), 0);
      await write(file, pages(2), CHUNK_BYTES);
      expect(writes.map(({ isDirect }) => isDirect)).toEqual([true, false, false]);
      await new Promise<void>((resolve) => file.close(() => resolve()));
      const expected = Buffer.concat([Buffer.alloc(CHUNK_BYTES, 1), Buffer.alloc(CHUNK_BYTES, 2)]);
      expect(fs.readFileSync(path).equals(expected)).toBe(true);
      expect(openDescriptors(path)).toBe(0);
    },
  );

  test('what is written through is durable by either way', async () => {
    const options = { uncached: true, writeThrough: true };
    const file = new NodeDisk().openWrite(join(home, 'file'), options);
    for (const [position, buffer] of [pages(1), Buffer.alloc(10, 2)].entries()) {
      await new Promise<void>((resolve) => {
        file.writeDurable(buffer, buffer.length, position * CHUNK_BYTES, () => resolve());
      });
    }
    expect(writes.map(({ isDirect }) => isDirect)).toEqual([true, false]);
    expect(writes.every(({ isDurable }) => isDurable)).toBe(true);
    await new Promise<void>((resolve) => file.close(() => resolve()));
  });

  test.each([
    [PAGE_BYTES, true],
    [100_000, false],
  ])(
    'what is left of a write of which the kernel took %i bytes follows',
    async (taken, isDirect) => {
      const path = join(home, 'file');
      const file = new NodeDisk().openWrite(path, { uncached: true });
      const chunk = takeChunk();
      for (let at = 0; at < chunk.length; at++) chunk[at] = (at * at) >> 7;
      most = taken;
      await write(file, chunk, 0);
      expect(writes.length).toBe(Math.ceil(CHUNK_BYTES / taken));
      expect(writes.map((one) => one.isDirect)).toEqual(writes.map((_, i) => i === 0 || isDirect));
      await new Promise<void>((resolve) => file.close(() => resolve()));
      expect(fs.readFileSync(path).equals(chunk)).toBe(true);
    },
  );

  test('another failure of a direct write is one of the file', async () => {
    refusal = 'ENOSPC';
    const file = new NodeDisk().openWrite(join(home, 'file'), { uncached: true });
    await expect(write(file, pages(1), 0)).rejects.toThrow('ENOSPC');
    await expect(write(file, Buffer.alloc(1), 0)).rejects.toThrow('ENOSPC');
    await new Promise<void>((resolve) => file.close(() => resolve()));
  });

  test('a snapshot is written there but for its end, a compressed one is not', async () => {
    const disk = new NodeDisk();
    const directory = openDataDirectory({ disk, dataDir: home });
    const names = Array.from({ length: 100_000 }, (_, i) => `/znode-${i}`);
    const { fileBytes } = await writeSnapshot(disk, directory, { zxid: 5, names });
    const direct = writes.filter(({ isDirect }) => isDirect);
    expect(writes.length).toBeGreaterThan(4);
    expect(direct.length).toBe(writes.length - 1);
    expect(direct.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
      fileBytes - (writes.at(-1)?.bytes ?? 0),
    );
    writes = [];
    await writeSnapshot(disk, directory, { zxid: 6, names, compression: 'gz' });
    expect(writes.some(({ isDirect }) => isDirect)).toBe(false);
  });
});

test('chunks do not overlap, and come back to the next taker', () => {
  // More than are made at once.
  const chunks = Array.from({ length: 40 }, () => takeChunk());
  for (const [i, chunk] of chunks.entries()) chunk.fill(i);
  for (const [i, chunk] of chunks.entries()) {
    expect(chunk.length).toBe(CHUNK_BYTES);
    expect(chunk.every((byte) => byte === i)).toBe(true);
  }
  for (const chunk of chunks) giveChunk(chunk);
  expect(chunks).toContain(takeChunk());
});
