// A learner is sent what it lacks in parts, so that clients of the leader do not wait for all of it.

import { SyncMode, type SyncPlan } from '@zebu/zab';
import { expect, test } from 'vitest';
import { SyncSender, type SyncSenderOptions } from '../../src/ensemble/sync-sender.ts';
import { TxnHistory } from '../../src/ensemble/txn-history.ts';
import { CommittedLog } from '../../src/txns/committed-log.ts';
import { TxnSequence } from '../../src/txns/txn-sequence.ts';

const TXN_BYTES = 64 << 10;

/** A leader that has applied so many txns, and a learner that lacks them all. */
function begin(count: number) {
  const sequence = new TxnSequence(0);
  const committedLog = new CommittedLog(sequence.chunks, { entries: count, bytes: 1 << 30 });
  for (let zxid = 1; zxid <= count; zxid++) {
    const start = sequence.begin(TXN_BYTES);
    sequence.writer.ensure(TXN_BYTES);
    sequence.writer.offset = start + TXN_BYTES;
    committedLog.add(sequence.append(zxid, start, 0));
    sequence.shift();
  }
  const history = new TxnHistory(committedLog, sequence);
  const turns: (() => void)[] = [];
  const parts: number[][] = [];
  const said: string[] = [];
  const link = {
    sid: 2,
    backlogBytes: 0,
    onDrained: undefined as (() => void) | undefined,
    beginSync: () => {},
    sendBare: () => {},
    sendPairs: (from: TxnHistory, after: number, upTo: number) => {
      const zxids: number[] = [];
      from.forEachIn(after, upTo, ({ zxid }) => zxids.push(zxid));
      parts.push(zxids);
    },
    endSync: () => said.push('end'),
    flush: () => {},
  };
  const sender = new SyncSender({
    member: {
      turns: { readClock: () => {} },
      environment: { scheduler: { afterTurn: (task: () => void) => turns.push(task) } },
    },
    serving: { database: { committedLog } },
    history,
    link,
    plan: {
      mode: SyncMode.DIFF,
      packetZxid: count,
      after: 0,
      upTo: count,
      fromLogs: false,
    } as SyncPlan,
    onSent: () => said.push('sent'),
    onActive: () => said.push('active'),
    onFailed: (error: Error) => said.push(error.message),
  } as unknown as SyncSenderOptions);
  return { sender, link, turns, parts, said };
}

test('few txns are sent at once', () => {
  const { sender, turns, parts, said } = begin(3);
  sender.start();
  expect(parts).toEqual([[1, 2, 3]]);
  expect(said).toEqual(['end', 'sent']);
  expect(turns).toEqual([]);
});

test('many txns are sent a part each turn, every one once, and the end after the last', () => {
  const { sender, turns, parts, said } = begin(10);
  sender.start();
  expect(parts).toEqual([[1, 2, 3, 4]]);
  expect(said).toEqual([]);
  turns.shift()?.();
  expect(said).toEqual(['active']);
  turns.shift()?.();
  expect(parts).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ]);
  expect(said).toEqual(['active', 'active', 'end', 'sent']);
  expect(turns).toEqual([]);
});

test('a learner that takes no more is waited for', () => {
  const { sender, link, turns, parts } = begin(10);
  link.backlogBytes = 1;
  sender.start();
  expect(turns).toEqual([]);
  expect(parts).toHaveLength(1);
  link.onDrained?.();
  expect(parts).toHaveLength(2);
});

test('a sync that is over sends no further part', () => {
  const { sender, turns, parts, said } = begin(10);
  sender.start();
  sender.end();
  turns.shift()?.();
  expect(parts).toHaveLength(1);
  expect(said).toEqual([]);
});
