// Which request a txn answers: by zxid where this member decides, by session and cxid on a learner.

import { putInt32 } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { Txn } from '../src/txns/txn-sequence.ts';
import { type WaitingRequest, WaitingRequests } from '../src/txns/waiting-requests.ts';

function txn(zxid: number, session: readonly [number, number], cxid: number): Txn {
  const made = new Txn();
  made.zxid = zxid;
  made.bytes = Buffer.alloc(32);
  made.end = 32;
  putInt32(made.bytes, 0, session[0]);
  putInt32(made.bytes, 4, session[1]);
  putInt32(made.bytes, 8, cxid);
  return made;
}

function add(waiting: WaitingRequests, fields: Partial<WaitingRequest>): WaitingRequest {
  return Object.assign(waiting.add(), { zxid: 0, afterZxid: 0, ...fields });
}

test('where this member decides a txn answers the request that was given its zxid, and no other', () => {
  const waiting = new WaitingRequests();
  const request = add(waiting, { zxid: 7, sessionHigh: 1, sessionLow: 2, xid: 3 });
  expect(waiting.answeredBy(txn(6, [1, 2], 3))).toBe(undefined);
  expect(waiting.answeredBy(txn(7, [0, 0], 0))).toBe(request);
});

test.each([
  { what: 'another session', from: txn(9, [1, 3], 5) },
  { what: 'the other half of the id', from: txn(9, [2, 2], 5) },
  { what: 'another cxid', from: txn(9, [1, 2], 6) },
  { what: 'a zxid from before the session came here', from: txn(8, [1, 2], 5) },
])('on a learner a txn of $what answers nobody here', ({ from }) => {
  const waiting = new WaitingRequests();
  const request = add(waiting, { afterZxid: 8, sessionHigh: 1, sessionLow: 2, xid: 5 });
  expect(waiting.answeredBy(from)).toBe(undefined);
  expect(waiting.answeredBy(txn(9, [1, 2], 5))).toBe(request);
});

test('requests come out in the order in which they were taken, however many', () => {
  const waiting = new WaitingRequests();
  for (let zxid = 1; zxid <= 500; zxid++) add(waiting, { zxid });
  for (let zxid = 1; zxid <= 500; zxid++) {
    expect(waiting.answeredBy(txn(zxid, [0, 0], 0))?.zxid).toBe(zxid);
    waiting.shift();
  }
  for (let zxid = 501; zxid <= 5000; zxid++) add(waiting, { zxid });
  expect(waiting.size).toBe(4500);
  for (let zxid = 501; zxid <= 5000; zxid++) {
    if (waiting.answeredBy(txn(zxid, [0, 0], 0))?.zxid !== zxid) expect.fail(`Request ${zxid}`);
    waiting.shift();
  }
  expect(() => waiting.shift()).toThrow('no request');
});

test('an answered request holds neither its connection nor what the audit log noted', () => {
  const waiting = new WaitingRequests();
  const request = add(waiting, { zxid: 1, connection: {} as WaitingRequest['connection'] });
  waiting.shift();
  expect(request).toMatchObject({ connection: undefined, audited: undefined });
});
