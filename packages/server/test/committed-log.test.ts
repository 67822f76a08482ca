// The last txns that were applied: no hole, bounded, and held for learners that are being synced.

import { makeZxid } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { CommittedLog } from '../src/txns/committed-log.ts';
import { TxnSequence } from '../src/txns/txn-sequence.ts';

function begin(limits = { entries: 5, bytes: 1 << 20 }) {
  const sequence = new TxnSequence(0);
  const log = new CommittedLog(sequence.chunks, limits);
  const add = (zxid: number, bytes = 10): void => {
    const start = sequence.begin(bytes);
    sequence.writer.ensure(bytes);
    sequence.writer.bytes.fill(zxid & 0xff, start, start + bytes);
    sequence.writer.offset = start + bytes;
    const txn = sequence.append(zxid, start, 0);
    log.add(txn);
    sequence.shift();
  };
  const zxids = (after = 0, upTo = Number.MAX_SAFE_INTEGER): number[] => {
    const found: number[] = [];
    log.forEachIn(after, upTo, ({ zxid }) => found.push(zxid));
    return found;
  };
  return { log, add, zxids };
}

test('the oldest go when there are more than the limit', () => {
  const { log, add, zxids } = begin();
  for (let zxid = 1; zxid <= 8; zxid++) add(zxid);
  expect(zxids()).toEqual([4, 5, 6, 7, 8]);
  expect([log.minZxid, log.maxZxid, log.size]).toEqual([4, 8, 5]);
});

test('a txn that does not follow begins the log anew: it never has a hole (ZOOKEEPER-4925)', () => {
  const { add, zxids } = begin();
  for (const zxid of [1, 2, 3]) add(zxid);
  add(5);
  expect(zxids()).toEqual([5]);
});

test('a new epoch follows with its first txn, and with no other', () => {
  const { add, zxids } = begin();
  add(1);
  add(makeZxid(1, 1));
  expect(zxids()).toEqual([1, makeZxid(1, 1)]);
  add(makeZxid(2, 2));
  expect(zxids()).toEqual([makeZxid(2, 2)]);
});

test('ranges and neighbours are found by zxid', () => {
  const { log, add, zxids } = begin();
  for (let zxid = 3; zxid <= 6; zxid++) add(zxid);
  expect(zxids(3, 5)).toEqual([4, 5]);
  expect(zxids(0, 3)).toEqual([3]);
  expect([log.floor(2), log.floor(4), log.floor(99)]).toEqual([-1, 4, 6]);
  expect([log.ceiling(2), log.ceiling(4), log.ceiling(6)]).toEqual([3, 5, -1]);
});

test('what a learner in sync needs stays until it is let go', () => {
  const { log, add, zxids } = begin();
  for (let zxid = 1; zxid <= 5; zxid++) add(zxid);
  const hold = { afterZxid: 2, overflowed: () => expect.fail('overflowed') };
  log.hold(hold);
  for (let zxid = 6; zxid <= 20; zxid++) add(zxid);
  expect(zxids()[0]).toBe(3);
  expect(log.size).toBe(18);
  log.release(hold);
  expect(zxids()).toEqual([16, 17, 18, 19, 20]);
});

test('bytes are bounded, too, but the last txn stays', () => {
  const { add, zxids } = begin({ entries: 100, bytes: 1000 });
  for (let zxid = 1; zxid <= 5; zxid++) add(zxid, 300);
  expect(zxids()).toEqual([3, 4, 5]);
  add(6, 5000);
  expect(zxids()).toEqual([6]);
});

test('bytes of entries are not written over while the log has them', () => {
  const { log, add } = begin({ entries: 50, bytes: 1 << 30 });
  for (let zxid = 1; zxid <= 5000; zxid++) add(zxid, 2000);
  log.forEachIn(0, Number.MAX_SAFE_INTEGER, ({ zxid, chunk, start, end }) => {
    if (!chunk.bytes.subarray(start, end).equals(Buffer.alloc(2000, zxid & 0xff))) {
      expect.fail(`entry ${zxid}`);
    }
  });
});

test('a run of so many bytes reaches as far as they do, and one txn at least', () => {
  const { log, add } = begin({ entries: 10, bytes: 1 << 20 });
  for (let zxid = 1; zxid <= 6; zxid++) add(zxid, 10);
  expect(log.reach(0, 30)).toBe(3);
  expect(log.reach(2, 25)).toBe(5);
  expect(log.reach(2, 1)).toBe(3);
  expect(log.reach(4, 1000)).toBe(6);
  expect(log.reach(6, 1000)).toBe(-1);
});
