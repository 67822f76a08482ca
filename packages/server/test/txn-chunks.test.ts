// The memory of txns: filled again once nobody uses it, and never before.

import { expect, test } from 'vitest';
import { TxnChunks } from '../src/txns/txn-chunks.ts';

const LONG = 1_000_000;

function addEntry(chunks: TxnChunks, length: number, fill: number) {
  const start = chunks.begin(length);
  const bytes = Buffer.alloc(length, fill);
  chunks.writer.raw(bytes, 0, length);
  const chunk = chunks.end();
  return { chunk, isWhole: () => chunk.bytes.subarray(start, start + length).equals(bytes) };
}

test('a long entry after a long entry that nobody uses any more lies in the same memory', () => {
  const chunks = new TxnChunks();
  const first = addEntry(chunks, LONG, 1);
  chunks.release(first.chunk);
  const short = addEntry(chunks, 100, 2);
  const second = addEntry(chunks, LONG, 3);
  expect(second.chunk.bytes === first.chunk.bytes).toBe(true);
  expect(second.isWhole()).toBe(true);
  expect(short.isWhole()).toBe(true);
});

test('a long entry that is still used is not written over, whatever comes after it', () => {
  const chunks = new TxnChunks();
  const kept = [1, 2, 3].map((fill) => addEntry(chunks, LONG, fill));
  chunks.release((kept[1] as (typeof kept)[0]).chunk);
  const later = [4, 5, 6].map((fill) => addEntry(chunks, LONG, fill));
  for (const entry of [kept[0], kept[2], ...later]) expect(entry?.isWhole()).toBe(true);
});

test('an entry that outgrew its chunk is kept apart from the next one', () => {
  const chunks = new TxnChunks();
  const start = chunks.begin(100);
  const bytes = Buffer.alloc(3_000_000, 1);
  chunks.writer.raw(bytes, 0, bytes.length);
  const chunk = chunks.end();
  const next = addEntry(chunks, 100, 2);
  expect(chunk.bytes.subarray(start, start + bytes.length).equals(bytes)).toBe(true);
  chunks.release(chunk);
  expect(next.isWhole()).toBe(true);
});
