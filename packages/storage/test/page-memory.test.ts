import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NodeDisk } from '../src/index.ts';
import { allocatePages, mayBeAtPage, PAGE_BYTES } from '../src/page-memory.ts';

const SIZE = 8 * PAGE_BYTES;

/** What Node before 26.12 has, and what it has from then on: a view somewhere in a larger buffer. */
const before = (bytes: number) => Buffer.alloc(bytes);
const since = (bytes: number, _alignment?: number) => Buffer.alloc(bytes + 4080).subarray(4080);

describe.each([
  ['this runtime', Buffer.allocUnsafeSlow],
  ['a Node without aligned buffers', before],
  ['a Node with them', Object.defineProperty(since, 'length', { value: 2 })],
])('page memory of %s', (_, allocate) => {
  test('has its size, and knows where its pages begin', () => {
    const memory = allocatePages(SIZE, allocate);
    expect(memory.length).toBe(SIZE);
    for (let page = 0; page < 8; page++) {
      const chunk = memory.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      expect(mayBeAtPage(chunk, 0)).toBe(true);
      for (const offset of [1, 16, 512, PAGE_BYTES - 16]) {
        expect(mayBeAtPage(chunk, offset)).toBe(false);
      }
    }
  });
});

test('memory of this runtime is taken by direct writes, or the page cache takes it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'zebu-pages-'));
  try {
    const memory = allocatePages(SIZE).fill('x');
    const file = new NodeDisk().openWrite(join(directory, 'file'), { uncached: true });
    await new Promise<void>((resolve, reject) => {
      file.write(memory, SIZE, 0, (error) => (error === undefined ? resolve() : reject(error)));
    });
    await new Promise<void>((resolve) => file.close(() => resolve()));
    expect(new NodeDisk().readFile(join(directory, 'file')).equals(memory)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('memory that begins where Node likes is no page memory', () => {
  const bytes = Buffer.alloc(3 * PAGE_BYTES).subarray(16);
  expect(mayBeAtPage(bytes, 0)).toBe(false);
});
