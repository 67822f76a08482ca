// The ring of proposals and the chunks that their entries lie in, against a plain array.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProposalWindow } from '../src/txns/proposal-window.ts';

const CHUNK_BYTES = 1 << 20;

/** Writes an entry that can be told from every other. */
function push(window: ProposalWindow, zxid: number, bytes: number): void {
  const start = window.begin(bytes);
  window.writer.ensure(bytes);
  window.writer.bytes.fill(zxid & 0xff, start, start + bytes);
  window.writer.offset = start + bytes;
  window.push(zxid, start);
}

function isWhole(window: ProposalWindow, zxid: number, bytes: number): boolean {
  const first = window.first();
  if (first?.zxid !== zxid || first.end - first.start !== bytes) return false;
  const entry = first.bytes.subarray(first.start, first.end);
  return entry.equals(Buffer.alloc(bytes, zxid & 0xff));
}

test('whatever is pushed comes out in order, with its bytes as they were written', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ push: fc.nat(2000), times: fc.integer({ min: 1, max: 60 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ push: fc.integer({ min: 1, max: 1_500_000 }), times: fc.constant(1) }),
    },
    { weight: 5, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 80 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const window = new ProposalWindow();
      const plain: { zxid: number; bytes: number }[] = [];
      let zxid = 0;
      const shift = (): void => {
        const oldest = plain.shift();
        if (oldest === undefined) return;
        if (!isWhole(window, oldest.zxid, oldest.bytes)) expect.fail(`Entry ${oldest.zxid}`);
        window.shift();
      };
      for (const one of steps) {
        if ('push' in one) {
          for (let i = 0; i < one.times; i++) {
            plain.push({ zxid: ++zxid, bytes: one.push });
            push(window, zxid, one.push);
          }
        } else for (let i = 0; i < one.shift; i++) shift();
        expect(window.size).toBe(plain.length);
      }
      while (plain.length > 0) shift();
      expect(window.first()).toBe(undefined);
    }),
    { numRuns: 60 },
  );
});

test('the ring grows while it is full, wherever its beginning is', () => {
  const window = new ProposalWindow();
  let zxid = 0;
  for (let i = 0; i < 700; i++) push(window, ++zxid, 10);
  for (let i = 0; i < 700; i++) window.shift();
  for (let i = 0; i < 5000; i++) push(window, ++zxid, 10);
  expect(window.size).toBe(5000);
  for (let at = 701; at <= 5700; at++) {
    if (!isWhole(window, at, 10)) expect.fail(`Entry ${at}`);
    window.shift();
  }
});

test('chunks are reused once all entries in them are gone: a steady stream makes no new ones', () => {
  const window = new ProposalWindow();
  const chunks = new Set<Buffer>();
  for (let zxid = 1; zxid <= 20_000; zxid++) {
    push(window, zxid, 4000);
    chunks.add(window.writer.bytes);
    if (window.size > 300) window.shift();
  }
  expect(chunks.size).toBeLessThanOrEqual(5);
});

test('an entry larger than a chunk has a buffer of its own, which is not kept', () => {
  const window = new ProposalWindow();
  push(window, 1, 10);
  push(window, 2, 3 * CHUNK_BYTES);
  const large = window.writer.bytes;
  push(window, 3, CHUNK_BYTES);
  push(window, 4, 10);
  for (const [zxid, bytes] of [
    [1, 10],
    [2, 3 * CHUNK_BYTES],
    [3, CHUNK_BYTES],
    [4, 10],
  ] as const) {
    expect(isWhole(window, zxid, bytes)).toBe(true);
    window.shift();
  }
  push(window, 5, 10);
  expect(window.writer.bytes).not.toBe(large);
  expect(window.writer.bytes).toHaveLength(CHUNK_BYTES);
});

test('a proposal that is gone holds neither its bytes nor its connection', () => {
  const window = new ProposalWindow();
  push(window, 1, 10);
  const proposal = window.first();
  window.shift();
  expect(proposal).toMatchObject({ connection: undefined, audited: undefined });
  expect(proposal?.bytes).toHaveLength(0);
});
