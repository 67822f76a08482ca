// How far a walk reads ahead.

import type { Client, Stat } from '@zebu/client';
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
