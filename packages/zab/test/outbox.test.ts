// What the core wants done, gathered until the driver takes it.

import { PacketType } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { Outbox } from '../src/outbox.ts';
import { SendKind } from '../src/output.ts';
import { vote } from './support/probe.ts';
import { message } from './support/roles.ts';

const REASON = { code: 'stopped', text: 'The member stops' } as const;
const CHANGE = {
  role: 'looking',
  phase: 'election',
  leaderSid: -1,
  epoch: -1,
  reason: REASON,
} as never;
const PLAN = { mode: 13, packetZxid: 9, after: 5, upTo: 9, fromLogs: false, row: 'equal' } as const;
const PING = message(PacketType.PING, 7);

const SAYINGS: readonly (readonly [string, (outbox: Outbox) => void])[] = [
  ['a message', (outbox) => outbox.message(1, PING)],
  ['a range', (outbox) => outbox.range(1, SendKind.PROPOSALS, 3, 4)],
  ['a sync', (outbox) => outbox.plan(1, PLAN)],
  ['a vote', (outbox) => outbox.vote(2, vote({}))],
  ['a plan request', (outbox) => outbox.planRequest({ link: 1, sid: 2, learnerZxid: 3 })],
  ['a close', (outbox) => outbox.close(1, REASON)],
  ['a commit', (outbox) => outbox.commitTo(0)],
  ['a barrier', (outbox) => outbox.barrier(7)],
  ['a change', (outbox) => outbox.change(CHANGE)],
  ['the end of a role', (outbox) => outbox.leave(REASON, true)],
  [
    'a batch',
    ({ output }) => {
      Object.assign(output, {
        batch: 1,
        truncateAfter: 2,
        appendTo: 3,
        acceptedEpoch: 4,
        currentEpoch: 5,
      });
    },
  ],
];

/** All that an output says, without the records that it keeps to use again. */
function read(outbox: Outbox) {
  const { batch, truncateAfter, appendTo, acceptedEpoch, currentEpoch, ...rest } = outbox.take();
  const { closes, leaving, sends, votes, planRequests, commitTo, change, barriers } = rest;
  const disk = { batch, truncateAfter, appendTo, acceptedEpoch, currentEpoch };
  const said = { closes, leaving, sends, votes, planRequests, commitTo, change, barriers };
  return structuredClone({ ...disk, ...said });
}

const NOTHING = {
  batch: 0,
  truncateAfter: -1,
  appendTo: -1,
  acceptedEpoch: -1,
  currentEpoch: -1,
  closes: [],
  leaving: undefined,
  sends: [],
  votes: [],
  planRequests: [],
  commitTo: -1,
  change: undefined,
  barriers: [],
};

describe('an outbox', () => {
  test('has nothing to say at first, in either of its outputs', () => {
    const outbox = new Outbox();
    expect(outbox.isEmpty).toBe(true);
    for (let turn = 0; turn < 3; turn++) expect(read(outbox)).toEqual(NOTHING);
  });

  test.each(SAYINGS)(
    'with %s is not empty until it is taken, and keeps nothing of it',
    (_, say) => {
      const outbox = new Outbox();
      say(outbox);
      expect(outbox.isEmpty).toBe(false);
      expect(read(outbox)).not.toEqual(NOTHING);
      for (let turn = 0; turn < 3; turn++) {
        expect(outbox.isEmpty).toBe(true);
        expect(read(outbox)).toEqual(NOTHING);
      }
    },
  );

  test('fills the other output while the driver carries one out', () => {
    const outbox = new Outbox();
    outbox.message(1, PING);
    const first = outbox.take();
    outbox.message(2, PING);
    expect(first.sends.map(({ link }) => link)).toEqual([1]);
    const second = outbox.take();
    expect(second).not.toBe(first);
    expect(second.sends.map(({ link }) => link)).toEqual([2]);
    outbox.take();
    expect(outbox.output).toBe(second);
  });

  test('says what each send is, in records that it uses again', () => {
    const outbox = new Outbox();
    const none = { message: undefined, plan: undefined };
    for (let turn = 0; turn < 3; turn++) {
      outbox.plan(3, PLAN);
      outbox.message(1, PING);
      outbox.range(2, SendKind.COMMITS, 3, 4);
      expect(read(outbox).sends).toEqual([
        { link: 3, kind: SendKind.SYNC, after: 5, upTo: 9, message: undefined, plan: PLAN },
        { link: 1, kind: SendKind.MESSAGE, after: -1, upTo: -1, message: PING, plan: undefined },
        { link: 2, kind: SendKind.COMMITS, after: 3, upTo: 4, ...none },
      ]);
      outbox.range(2, SendKind.COMMITS, 3, 4);
      expect(read(outbox).sends).toEqual([
        { link: 2, kind: SendKind.COMMITS, after: 3, upTo: 4, ...none },
      ]);
    }
    outbox.message(1, PING);
    const [record] = outbox.take().sends;
    outbox.take();
    outbox.range(2, SendKind.COMMITS, 3, 4);
    expect(outbox.take().sends[0]).toBe(record);
  });

  test('sends a member its newest vote, in the place of the first', () => {
    const outbox = new Outbox();
    outbox.vote(1, vote({ leader: 1 }));
    outbox.vote(2, vote({ leader: 2 }));
    outbox.vote(1, vote({ leader: 3 }));
    const { votes } = outbox.take();
    expect(votes.map(({ sid, notification }) => [sid, notification.leader])).toEqual([
      [1, 3],
      [2, 2],
    ]);
  });

  test('drops what a role wanted to say when that ends, and no more than that', () => {
    const outbox = new Outbox();
    for (const [, say] of SAYINGS.slice(0, -2)) say(outbox);
    outbox.leave(REASON, false);
    const said = read(outbox);
    expect(said.sends).toEqual([]);
    expect(said.planRequests).toEqual([]);
    expect(said.leaving).toEqual({ reason: REASON, discardTree: false });
    expect([said.votes, said.closes, said.barriers].map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(said.commitTo).toBe(0);
  });
});
