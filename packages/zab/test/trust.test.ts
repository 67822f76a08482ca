// Whose history counts: a member that never finished a sync does not, once it learns that an epoch was led.

import { makeZxid, NO_VOTE, PacketType } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { Core } from '../src/core.ts';
import type { ZabStart } from '../src/index.ts';
import { LIMITS, vote } from './support/probe.ts';
import { following, LEADER, leaderInfo, message, newLeader } from './support/roles.ts';

const z = makeZxid;
const VIRGIN = { acceptedEpoch: 0, currentEpoch: 0, lastZxid: 0, appliedZxid: 0 };

function core(start: Partial<ZabStart>): Core {
  return new Core(
    { sid: 1, voters: [1, 2, 3], observer: false, configVersion: 0, limits: LIMITS },
    { ...VIRGIN, trust: 'judge', ...start },
  );
}

const SEES = {
  nobody: undefined,
  'an empty member': vote({ zxid: 0, peerEpoch: 0 }),
  'a vote for nobody': vote({ leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE }),
  'a server that stood alone': vote({ zxid: z(0, 57), peerEpoch: 0 }),
  'an epoch without txns': vote({ zxid: 0, peerEpoch: 1 }),
  'a txn of an epoch': vote({ zxid: z(1, 1), peerEpoch: 0 }),
};

test.each<[keyof typeof SEES, Partial<ZabStart>, boolean]>([
  ['nobody', {}, true],
  ['an empty member', {}, true],
  ['a vote for nobody', {}, true],
  ['a server that stood alone', {}, true],
  ['an epoch without txns', {}, false],
  ['a txn of an epoch', {}, false],
  // Part of a sync is in its log: somebody led an epoch.
  ['nobody', { lastZxid: z(1, 1) }, false],
  ['nobody', { lastZxid: z(0, 57) }, true],
  // It has promised an epoch, or had one: what it has acked is on its disk.
  ['a txn of an epoch', { acceptedEpoch: 1 }, true],
  ['a txn of an epoch', { acceptedEpoch: 1, currentEpoch: 1 }, true],
  ['a txn of an epoch', { trust: 'vouched' }, true],
  ['nobody', { trust: 'discarded', acceptedEpoch: 4 }, false],
])('a member that sees %s, having %j: %s', (sees, start, counts) => {
  const one = core(start);
  const seen = SEES[sees];
  if (seen !== undefined) one.noteVote(seen);
  expect(one.historyCounts).toBe(counts);
});

test('commits do not fall', () => {
  const one = core({ acceptedEpoch: 1, currentEpoch: 1, lastZxid: 5, appliedZxid: 5 });
  expect(() => one.commit(4)).toThrow('Commits rise: zxid 4, committed 5');
  expect(() => one.commit(5)).not.toThrow();
});

describe('a member that does not count', () => {
  test('accepts its epoch with its history, in one batch', () => {
    const probe = following({}, VIRGIN);
    probe.receive(LEADER, leaderInfo(6), message(PacketType.SNAP, z(5, 3)));
    probe.zab.snapshotInstalled(z(5, 3));
    expect(probe.receive(LEADER, newLeader(6))).toEqual(['disk: acceptedEpoch 6, currentEpoch 6']);
    expect(probe.zab.historyCounts).toBe(false);
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
    expect(probe.zab.historyCounts).toBe(true);
  });

  test('counts again once its history is durable, though its leader is gone by then', () => {
    const start = { ...VIRGIN, acceptedEpoch: 5, trust: 'discarded' as const };
    const probe = following({}, start);
    probe.receive(LEADER, leaderInfo(6), message(PacketType.DIFF, 0), newLeader(6));
    probe.zab.linkClosed(LEADER);
    probe.take();
    expect(probe.zab.historyCounts).toBe(false);
    probe.durable();
    expect(probe.zab.historyCounts).toBe(true);
  });
});
