// How far a walk reads ahead, and how it goes on beside what may not be read.

import { type Client, type Stat, ZkError } from '@zebu/client';
import { expect, test } from 'vitest';
import { walk } from '../src/walk.ts';

const NAMES = Array.from({ length: 500 }, (_, index) => `z-${index}`);
const zk = { children: async () => ({ names: NAMES }) } as unknown as Client;

/** The most bytes that were read, or asked for, and not yielded yet; without the first, which is read by itself. */
async function mostAhead(bytes: number): Promise<{ znodes: number; bytes: number }> {
  let asked = 0;
  let yielded = 0;
  let most = 0;
  const read = async (path: string) => {
    asked += 1;
    most = Math.max(most, asked - yielded);
    // As from a server: later than the next ones are asked for.
    await new Promise((resolve) => setImmediate(resolve));
    const stat = { numChildren: path === '/' ? NAMES.length : 0 } as Stat;
    return { stat, value: undefined, bytes };
  };
  for await (const _ of walk(zk, '/', { read, signal: new AbortController().signal })) yielded += 1;
  expect(yielded).toBe(NAMES.length + 1);
  return { znodes: most, bytes: most * bytes };
}

test('large znodes are read a few at a time, small ones many', async () => {
  const megabyte = 1024 * 1024;
  expect((await mostAhead(megabyte)).bytes).toBeLessThan(20 * megabyte);
  expect((await mostAhead(100)).znodes).toBeGreaterThan(60);
});

/** A tree in which some may not be read, of others the children not listed. */
async function walked(closed: readonly string[], unlisted: readonly string[]): Promise<string[]> {
  const noAuth = (op: string, path: string) =>
    new ZkError('NO_AUTH', { op, path, outcome: 'failed', errno: -102 });
  const tree: Record<string, string[]> = { '/': ['a', 'b', 'c'], '/a': ['x'], '/b': ['y'] };
  const client = {
    children: async (path: string) => {
      if (unlisted.includes(path)) throw noAuth('children', path);
      return { names: tree[path] };
    },
  } as unknown as Client;
  const read = async (path: string) => {
    if (closed.includes(path)) throw noAuth('get', path);
    const stat = { numChildren: tree[path]?.length ?? 0 } as Stat;
    return { stat, value: undefined, bytes: 4 * 1024 * 1024 };
  };
  const seen: string[] = [];
  const refused = (path: string) => seen.push(`? ${path}`);
  const { signal } = new AbortController();
  for await (const { path } of walk(client, '/', { read, refused, signal })) seen.push(path);
  return seen;
}

test('what may not be read is told in its place, with all below it passed over', async () => {
  expect(await walked(['/a', '/c'], [])).toEqual(['/', '? /a', '/b', '/b/y', '? /c']);
});

test('a znode whose children may not be listed is yielded, then told', async () => {
  expect(await walked([], ['/a', '/b'])).toEqual(['/', '/a', '? /a', '/b', '? /b', '/c']);
});

test('the root must be read and listed', async () => {
  await expect(walked(['/'], [])).rejects.toMatchObject({ code: 'NO_AUTH' });
  await expect(walked([], ['/'])).rejects.toMatchObject({ code: 'NO_AUTH' });
});
