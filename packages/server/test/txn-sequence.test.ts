// The ring of txns and the chunks that their entries lie in, against a plain array; and the two watermarks.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TxnSequence } from '../src/txns/txn-sequence.ts';

const CHUNK_BYTES = 1 << 20;

/** Writes an entry that can be told from every other. */
function push(sequence: TxnSequence, zxid: number, bytes: number): void {
  const start = sequence.begin(bytes);
  sequence.writer.ensure(bytes);
  sequence.writer.bytes.fill(zxid & 0xff, start, start + bytes);
  sequence.writer.offset = start + bytes;
  sequence.append(zxid, start, 0);
}

function isWhole(sequence: TxnSequence, zxid: number, bytes: number): boolean {
  const first = sequence.first();
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
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const sequence = new TxnSequence(0);
      const plain: { zxid: number; bytes: number }[] = [];
      let zxid = 0;
      const shift = (): void => {
        const oldest = plain.shift();
        if (oldest === undefined) return;
        if (!isWhole(sequence, oldest.zxid, oldest.bytes)) expect.fail(`Entry ${oldest.zxid}`);
        sequence.shift();
      };
      for (const one of steps) {
        if ('push' in one) {
          for (let i = 0; i < one.times; i++) {
            plain.push({ zxid: ++zxid, bytes: one.push });
            push(sequence, zxid, one.push);
          }
        } else for (let i = 0; i < one.shift; i++) shift();
        expect(sequence.size).toBe(plain.length);
      }
      while (plain.length > 0) shift();
      expect(sequence.first()).toBe(undefined);
    }),
    { numRuns: 60 },
  );
});

test('the ring grows while it is full, wherever its beginning is', () => {
  const sequence = new TxnSequence(0);
  let zxid = 0;
  for (let i = 0; i < 700; i++) push(sequence, ++zxid, 10);
  for (let i = 0; i < 700; i++) sequence.shift();
  for (let i = 0; i < 5000; i++) push(sequence, ++zxid, 10);
  expect(sequence.size).toBe(5000);
  for (let at = 701; at <= 5700; at++) {
    if (!isWhole(sequence, at, 10)) expect.fail(`Entry ${at}`);
    sequence.shift();
  }
});

test('chunks are reused once all entries in them are gone: a steady stream makes no new ones', () => {
  const sequence = new TxnSequence(0);
  const chunks = new Set<Buffer>();
  for (let zxid = 1; zxid <= 20_000; zxid++) {
    push(sequence, zxid, 4000);
    chunks.add(sequence.writer.bytes);
    if (sequence.size > 300) sequence.shift();
  }
  expect(chunks.size).toBeLessThanOrEqual(5);
});

test('an entry larger than a chunk has a buffer of its own, which is not kept', () => {
  const sequence = new TxnSequence(0);
  push(sequence, 1, 10);
  push(sequence, 2, 3 * CHUNK_BYTES);
  const large = sequence.writer.bytes;
  push(sequence, 3, CHUNK_BYTES);
  push(sequence, 4, 10);
  for (const [zxid, bytes] of [
    [1, 10],
    [2, 3 * CHUNK_BYTES],
    [3, CHUNK_BYTES],
    [4, 10],
  ] as const) {
    expect(isWhole(sequence, zxid, bytes)).toBe(true);
    sequence.shift();
  }
  push(sequence, 5, 10);
  expect(sequence.writer.bytes).not.toBe(large);
  expect(sequence.writer.bytes).toHaveLength(CHUNK_BYTES);
});

test('a txn that is gone holds its bytes no longer', () => {
  const sequence = new TxnSequence(0);
  push(sequence, 1, 10);
  const txn = sequence.first();
  sequence.shift();
  expect(txn?.bytes).toHaveLength(0);
});

test('bytes that somebody else uses are not written again', () => {
  const sequence = new TxnSequence(0);
  push(sequence, 1, 100);
  const txn = sequence.first();
  const { chunk, start, end } = txn as NonNullable<typeof txn>;
  chunk.users++;
  sequence.shift();
  push(sequence, 2, 100);
  expect(chunk.bytes.subarray(start, end)).toEqual(Buffer.alloc(100, 1));
  sequence.shift();
  sequence.chunks.release(chunk);
  push(sequence, 3, 100);
  expect(chunk.bytes.subarray(start, end)).toEqual(Buffer.alloc(100, 3));
});

test('a chunk that is released more often than it was used is noticed', () => {
  const sequence = new TxnSequence(0);
  push(sequence, 1, 10);
  const { chunk } = sequence.first() as NonNullable<ReturnType<TxnSequence['first']>>;
  sequence.shift();
  expect(() => sequence.chunks.release(chunk)).toThrow('released more often');
});

test('there is room for a packet frame around every entry', () => {
  const sequence = new TxnSequence(0);
  for (let zxid = 1; zxid <= 3; zxid++) push(sequence, zxid, 50);
  const spans: [number, number][] = [];
  sequence.forEachIn(0, 3, ({ start, end }) => spans.push([start, end]));
  expect(spans).toEqual([
    [16, 66],
    [86, 136],
    [156, 206],
  ]);
});

describe('only what is durable here and committed is next', () => {
  const cases = [
    { durable: 0, committed: 3, next: undefined },
    { durable: 3, committed: 0, next: undefined },
    { durable: 1, committed: 3, next: 1 },
    { durable: 3, committed: 1, next: 1 },
  ];
  test.each(cases)('durable $durable, committed $committed', ({ durable, committed, next }) => {
    const sequence = new TxnSequence(0);
    for (let zxid = 1; zxid <= 3; zxid++) push(sequence, zxid, 10);
    sequence.durable(durable);
    sequence.commit(committed);
    expect(sequence.next()?.zxid).toBe(next);
    if (next === undefined) return;
    sequence.shift();
    expect(sequence.appliedZxid).toBe(next);
    expect(sequence.next()).toBe(undefined);
  });

  test('neither watermark passes what was appended, and neither falls', () => {
    const sequence = new TxnSequence(0);
    push(sequence, 5, 10);
    expect(() => sequence.durable(6)).toThrow('durable beyond');
    expect(() => sequence.commit(6)).toThrow('committed beyond');
    sequence.commit(5);
    sequence.commit(4);
    expect(sequence.committedZxid).toBe(5);
    expect(() => push(sequence, 5, 10)).toThrow('must rise');
  });
});
