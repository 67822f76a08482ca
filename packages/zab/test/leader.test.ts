// A leader's part, exchange by exchange. Server 3 brings the history (5,1..3) into epoch 6; servers 1 and 2 come by
// the links of their numbers.

import { ElectionState, makeZxid, PacketType } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import type { Probe } from './support/probe.ts';
import { vote } from './support/probe.ts';
import {
  ack,
  ackEpoch,
  elected,
  FACTS,
  followerInfo,
  leading,
  looking,
  message,
  observerInfo,
  offering,
} from './support/roles.ts';

const z = makeZxid;
const { PING } = PacketType;

/** Server 2 joins a leader that is established, and is in sync. */
function secondJoins(probe: Probe): void {
  probe.receive(2, ackEpoch(z(5, 3), 5));
  probe.zab.syncFacts(2, { ...FACTS, appliedZxid: probe.zab.appliedZxid });
  probe.take();
  probe.receive(2, ack(z(6, 0)));
}

function proposeUpTo(probe: Probe, counter: number): void {
  while (probe.zab.nextZxid <= z(6, counter)) probe.zab.propose(probe.zab.nextZxid);
}

describe('discovery', () => {
  test('the epoch is one above all that came, durable before it is told (ZOOKEEPER-2307)', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(1, 8))).toEqual([
      'disk: acceptedEpoch 9',
      'now leading discovery, leader 3, epoch 9',
    ]);
    expect(probe.durable()).toEqual(['to 1: LEADERINFO 9']);
  });

  test('who comes later is told the same epoch', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    probe.receive(1, followerInfo(1, 5));
    probe.zab.learnerConnected(2);
    expect(probe.receive(2, followerInfo(2, 5))).toEqual([]);
    expect(probe.durable()).toEqual(['to 1: LEADERINFO 6', 'to 2: LEADERINFO 6']);
    probe.zab.learnerConnected(9);
    expect(probe.receive(9, observerInfo(9, 5))).toEqual(['to 9: LEADERINFO 6']);
  });

  test('an observer, or a follower without a vote, raises the epoch and is not counted', () => {
    const probe = elected();
    probe.zab.learnerConnected(8);
    expect(probe.receive(8, observerInfo(8, 11))).toEqual([]);
    probe.zab.learnerConnected(9);
    expect(probe.receive(9, followerInfo(9, 12))).toEqual([]);
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(1, 5))[0]).toBe('disk: acceptedEpoch 13');
  });

  test('nobody without a vote uses up the epochs, and nobody at all the last one', () => {
    const probe = elected();
    probe.zab.learnerConnected(9);
    expect(probe.receive(9, followerInfo(9, 2 ** 21 - 2))).toEqual([]);
    probe.zab.learnerConnected(2);
    expect(probe.receive(2, followerInfo(2, 2 ** 21 - 1))).toEqual(['close 2: protocol']);
    expect(probe.reasons.join()).toContain('accepted epoch 2097151');
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(1, 5))[0]).toMatch(/^disk: acceptedEpoch \d$/);
  });

  test('currentEpoch is written once a quorum has acked the epoch, and syncs are planned', () => {
    const probe = offering();
    expect(probe.receive(1, ackEpoch(z(5, 3), 5))).toEqual([
      'disk: currentEpoch 6',
      'now leading synchronization, leader 3, epoch 6',
      'plan for 1 (server 1): 0x500000003',
    ]);
  });

  test.each([
    ['an ack of -1: it had accepted the epoch from somebody else', ackEpoch(z(5, 3), -1)],
    ['an ack without history', ackEpoch(-1, -1)],
    ['a zxid of -1 with an epoch', ackEpoch(-1, 5)],
  ])('%s is not counted', (_, message) => {
    const probe = offering();
    expect(probe.receive(1, message)).toEqual([]);
    expect(probe.receive(2, ackEpoch(z(5, 3), 5))).toContain('disk: currentEpoch 6');
  });

  test.each([
    ['by its epoch', ackEpoch(z(5, 1), 6)],
    ['by its history', ackEpoch(z(5, 4), 5)],
  ])(
    'a voter that is ahead %s is sent away, and the leader goes on with the others',
    (_, message) => {
      const probe = offering();
      expect(probe.receive(1, message)).toEqual(['close 1: learner-ahead']);
      expect(probe.receive(2, ackEpoch(z(5, 3), 5))).toContain('disk: currentEpoch 6');
    },
  );

  test('a longer history of an older epoch is not ahead', () => {
    expect(offering().receive(1, ackEpoch(z(5, 99), 4))).toContain('disk: currentEpoch 6');
  });

  test('a learner whose config is newer is refused', () => {
    const probe = elected({ configVersion: 4 });
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(1, 5, 5))).toEqual(['close 1: config-ahead']);
    probe.zab.learnerConnected(2);
    expect(probe.receive(2, followerInfo(2, 5, 4))).toContain('disk: acceptedEpoch 6');
  });

  test('a learner of the time before 3.4 is refused', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    const info = { sid: 1, protocolVersion: 1, configVersion: undefined };
    expect(probe.receive(1, { type: PacketType.FOLLOWERINFO, acceptedEpoch: 5, info })).toEqual([
      'close 1: old-protocol',
    ]);
  });

  test('a learner without a sid is given one, and has no vote', () => {
    const probe = offering();
    for (const link of [7, 8]) {
      probe.zab.learnerConnected(link);
      const info = { sid: undefined, protocolVersion: 0x10000, configVersion: undefined };
      const said = probe.receive(link, { type: PacketType.OBSERVERINFO, acceptedEpoch: 0, info });
      expect(said).toEqual([`to ${link}: LEADERINFO 6`]);
    }
  });

  test('a learner that begins with something else is sent away', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, message(PING, 0))).toEqual(['close 1: protocol']);
    probe.zab.learnerConnected(2);
    expect(probe.receive(2, ack(z(6, 0)))).toEqual(['close 2: protocol']);
  });

  test('a learner with the leader’s own sid is sent away', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(3, 5))).toEqual(['close 1: protocol']);
  });

  test('a member that comes back by a new link has given up the old one', () => {
    const probe = offering();
    probe.zab.learnerConnected(11);
    expect(probe.receive(11, followerInfo(1, 5))).toEqual([
      'close 1: replaced',
      'to 11: LEADERINFO 6',
    ]);
  });

  test('a leader without a quorum gives up after initLimit', () => {
    expect(elected().ticks(41)).toContain('leave: epoch-timeout');
    expect(offering().ticks(41)).toContain('leave: epoch-ack-timeout');
  });

  test('a leader whose voters vote for somebody else gives up after finalizeWait', () => {
    const forOther = vote({ leader: 2, zxid: z(5, 4), peerEpoch: 5 });
    const probe = elected();
    for (const sid of [1, 2]) probe.zab.notification(sid, forOther);
    expect(probe.take()).toEqual([]);
    probe.ticks(1);
    expect(probe.ticks(4)).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: not-followed');
    // A voter that could not be reached before the election ended is not waited for either.
    const probe2 = looking({ sid: 3 });
    probe2.zab.memberUnreachable(2);
    probe2.zab.notification(1, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 }));
    probe2.take();
    expect(probe2.zab.role).toBe('leading');
    probe2.zab.notification(1, forOther);
    expect(probe2.ticks(6)).toContain('leave: not-followed');
    // The same in a later round, and where the voters follow somebody else already.
    const later = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5, electionEpoch: 2 });
    const follows = { ...forOther, state: ElectionState.FOLLOWING, electionEpoch: 2 };
    for (const said of [later, follows]) {
      const another = elected();
      for (const sid of [1, 2]) another.zab.notification(sid, said);
      expect(another.ticks(6)).toContain('leave: not-followed');
    }
  });

  test('voters that were killed are not waited for until initLimit, and the ones that are left look again', () => {
    const probe = offering();
    for (const sid of [1, 2]) {
      probe.zab.linkClosed(sid);
      probe.zab.memberUnreachable(sid);
    }
    expect(probe.ticks(6)).toContain('leave: not-followed');
  });

  test('a leader waits for voters that a quorum can be made of', () => {
    const stays = (say: (probe: Probe) => void): void => {
      const probe = elected();
      say(probe);
      expect(probe.ticks(39)).not.toContain('leave: not-followed');
    };
    const forOther = vote({ leader: 2, zxid: z(5, 4), peerEpoch: 5 });
    // One voter of three is enough.
    stays(({ zab }) => zab.notification(1, forOther));
    // A voter may come back to this leader by its vote, or by its link.
    stays(({ zab }) => {
      for (const sid of [1, 2]) zab.memberUnreachable(sid);
      zab.notification(2, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 }));
    });
    stays((probe) => {
      for (const sid of [1, 2]) probe.zab.memberUnreachable(sid);
      probe.zab.learnerConnected(1);
      probe.receive(1, followerInfo(1, 5));
    });
    // One that was out of reach for less than finalizeWait was not gone.
    const probe = elected();
    for (const sid of [1, 2]) probe.zab.memberUnreachable(sid);
    probe.ticks(4);
    probe.zab.notification(2, { ...vote({ leader: 3 }), state: ElectionState.FOLLOWING });
    probe.ticks(2);
    probe.zab.memberUnreachable(2);
    expect(probe.ticks(5)).toEqual([]);
  });

  test('an established leader hears of other votes and leads on', () => {
    const probe = leading();
    for (const sid of [1, 2]) {
      probe.zab.notification(sid, vote({ leader: 2, electionEpoch: 9 }));
      probe.zab.memberUnreachable(sid);
    }
    expect(probe.ticks(7)).not.toContain('leave: not-followed');
    expect(probe.zab.phase).toBe('broadcast');
  });

  test('ZOOKEEPER-3109: a voter that looks again ends a leadership that waits too long for its epoch', () => {
    const limits = { epochWait: 10 } as never;
    const looks = vote({ state: ElectionState.LOOKING, leader: 1, electionEpoch: 2 });
    const probe = elected({ limits });
    probe.ticks(10);
    probe.zab.notification(1, looks);
    expect(probe.take()).toEqual([]);
    probe.ticks(1);
    probe.zab.notification(1, looks);
    expect(probe.take()).toContain('leave: disloyal-voter');
    // Off unless it is asked for.
    const patient = elected();
    patient.ticks(30);
    patient.zab.notification(1, looks);
    expect(patient.take()).toEqual([]);
  });
});

describe('synchronization', () => {
  test('plan, NEWLEADER, ack, UPTODATE: established by a quorum with itself', () => {
    const probe = offering();
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(1, FACTS);
    expect(probe.take()).toEqual([
      'to 1: DIFF 0x500000003 (0x500000003, 0x500000003]',
      'to 1: NEWLEADER 0x600000000',
    ]);
    // The follower is faster than the leader's own disk.
    expect(probe.receive(1, ack(z(6, 0)))).toEqual([]);
    expect(probe.durable()).toEqual([
      'to 1: UPTODATE 0xffffffffffffffff',
      'apply 0x500000003',
      'now leading broadcast, leader 3, epoch 6',
    ]);
  });

  test('an ack of another epoch’s NEWLEADER is none', () => {
    const probe = offering();
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(1, FACTS);
    probe.take();
    probe.durable();
    expect(probe.receive(1, ack(z(5, 0)))).toEqual([]);
    expect(probe.zab.phase).toBe('synchronization');
  });

  test('an observer’s ack of NEWLEADER does not establish anybody', () => {
    const probe = offering();
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5));
    probe.receive(9, ackEpoch(z(5, 3), 5));
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(9, FACTS);
    probe.take();
    probe.durable();
    expect(probe.receive(9, ack(z(6, 0)))).toEqual([]);
    expect(probe.zab.phase).toBe('synchronization');
  });

  test('a leader whose NEWLEADER is not acked in time gives up', () => {
    const probe = offering();
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.durable();
    expect(probe.ticks(41)).toContain('leave: newleader-timeout');
  });

  test('ZOOKEEPER-4394: nothing is sent between NEWLEADER and UPTODATE; all of it follows, in order', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 1));
    probe.take();
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, { ...FACTS, appliedZxid: z(6, 1), ceilingZxid: z(6, 1) });
    expect(probe.take()).toEqual([
      'to 2: DIFF 0x600000001 (0x500000003, 0x600000001]',
      'to 2: NEWLEADER 0x600000000',
    ]);
    proposeUpTo(probe, 3);
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 2));
    expect(probe.take().filter((line) => line.startsWith('to 2'))).toEqual([]);
    expect(probe.receive(2, ack(z(6, 0)))).toEqual([
      'to 2: UPTODATE 0xffffffffffffffff',
      'to 2: PROPOSAL (0x600000001, 0x600000003]',
      'to 2: COMMIT (0x600000001, 0x600000002]',
    ]);
  });

  test('ZOOKEEPER-4685: an ack of a proposal before that of NEWLEADER is kept, and counted after it', () => {
    const probe = leading();
    proposeUpTo(probe, 2);
    probe.take();
    // The leader's own disk has it; server 1 has not acked it.
    probe.durable();
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, { ...FACTS, appliedZxid: z(5, 3) });
    probe.take();
    probe.zab.receiveAck(2, z(6, 1));
    expect(probe.take()).toEqual([]);
    expect(probe.receive(2, ack(z(6, 0)))).toContain('apply 0x600000001');
  });

  test('a snapshot that needs more than the tree may hold waits for the disk', () => {
    const probe = leading();
    secondJoins(probe);
    proposeUpTo(probe, 2);
    probe.take();
    // Servers 1 and 2 decide; the leader's own disk lags.
    probe.zab.receiveAck(1, z(6, 2));
    probe.zab.receiveAck(2, z(6, 2));
    probe.take();
    expect([probe.zab.committedZxid, probe.zab.appliedZxid]).toEqual([z(6, 2), z(5, 3)]);
    probe.zab.learnerConnected(11);
    probe.receive(11, followerInfo(1, 6));
    probe.receive(11, ackEpoch(z(6, 1), -1));
    probe.zab.syncFacts(11, {
      ...FACTS,
      appliedZxid: z(5, 3),
      minCommittedZxid: -1,
      logAfterZxid: -1,
    });
    expect(probe.take()).toEqual([]);
    expect(probe.durable()).toEqual(['apply 0x600000002']);
    expect(probe.ticks(1)).toEqual(['plan for 11 (server 1): 0x600000001']);
    probe.zab.syncFacts(11, {
      ...FACTS,
      appliedZxid: z(6, 2),
      minCommittedZxid: -1,
      logAfterZxid: -1,
    });
    expect(probe.take()[0]).toBe('to 11: SNAP 0x600000002 (0x600000002, 0x600000002]');
  });

  test('a tree that was taken for a snapshot before a quorum had it is thrown away with the role', () => {
    const probe = offering();
    probe.receive(1, ackEpoch(z(5, 2), 5));
    probe.zab.syncFacts(1, { ...FACTS, minCommittedZxid: -1, logAfterZxid: -1 });
    expect(probe.take()[0]).toBe('to 1: SNAP 0x500000003 (0x500000003, 0x500000003]');
    probe.durable();
    expect(probe.ticks(60)).toContain('leave: newleader-timeout, discard the tree');
  });

  test('observers wait for their turn, followers do not', () => {
    const probe = leading();
    for (const link of [7, 8]) {
      probe.zab.learnerConnected(link);
      probe.receive(link, observerInfo(link, 5), ackEpoch(z(5, 3), 5));
      probe.zab.syncFacts(link, FACTS);
    }
    expect(probe.take()).toContain('close 8: throttled');
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, FACTS);
    expect(probe.take()[0]).toMatch(/^to 2: DIFF/);
  });
});

describe('broadcast', () => {
  test('a proposal goes out before it is on the leader’s disk, and is committed by any quorum', () => {
    const probe = leading();
    secondJoins(probe);
    proposeUpTo(probe, 1);
    expect(probe.take()).toEqual([
      'to 1: PROPOSAL (0x600000000, 0x600000001]',
      'to 2: PROPOSAL (0x600000000, 0x600000001]',
      'disk: append 0x600000001',
    ]);
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).toEqual([]);
    probe.zab.receiveAck(2, z(6, 1));
    // Committed without the leader's own disk, and not applied by it (ZOOKEEPER-4882).
    expect(probe.take()).toEqual([
      'to 1: COMMIT (0x500000003, 0x600000001]',
      'to 2: COMMIT (0x500000003, 0x600000001]',
    ]);
    expect(probe.durable()).toEqual(['apply 0x600000001']);
  });

  test('a turn is one range for each learner, however many txns it has', () => {
    const probe = leading();
    proposeUpTo(probe, 500);
    expect(probe.take()).toEqual([
      'to 1: PROPOSAL (0x600000000, 0x6000001f4]',
      'disk: append 0x6000001f4',
    ]);
    expect(probe.durable()).toEqual([]);
    probe.zab.receiveAck(1, z(6, 400));
    expect(probe.take()).toEqual(['to 1: COMMIT (0x500000003, 0x600000190]', 'apply 0x600000190']);
  });

  test('observers get INFORM for what is committed, and their acks are nothing', () => {
    const probe = leading();
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5), ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(9, FACTS);
    probe.take();
    expect(probe.receive(9, ack(z(6, 0)))).toEqual(['to 9: UPTODATE 0xffffffffffffffff']);
    proposeUpTo(probe, 1);
    expect(probe.take()).toEqual([
      'to 1: PROPOSAL (0x600000000, 0x600000001]',
      'disk: append 0x600000001',
    ]);
    probe.durable();
    probe.zab.receiveAck(9, z(6, 1));
    expect(probe.take()).toEqual([]);
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).toContain('to 9: INFORM (0x500000003, 0x600000001]');
  });

  test('acks of what is committed, of old epochs and of (epoch,0) change nothing', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    for (const zxid of [z(5, 1), z(6, 0), z(5, 0)]) probe.zab.receiveAck(1, zxid);
    expect(probe.take()).toEqual([]);
    probe.zab.receiveAck(1, z(6, 1));
    probe.take();
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).toEqual([]);
  });

  test('an ack of what was never proposed ends the link, and commits nothing', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 2));
    expect(probe.take()).toEqual(['close 1: protocol']);
    expect(probe.zab.committedZxid).toBe(z(5, 3));
  });

  test('what a voter acked by an old link is not counted once it comes by a new one', () => {
    const probe = leading();
    secondJoins(probe);
    proposeUpTo(probe, 1);
    probe.take();
    probe.zab.receiveAck(1, z(6, 1));
    probe.zab.learnerConnected(11);
    probe.receive(11, followerInfo(1, 6));
    probe.zab.receiveAck(2, z(6, 1));
    probe.take();
    expect(probe.zab.committedZxid).toBe(z(5, 3));
    probe.durable();
    expect(probe.zab.committedZxid).toBe(z(6, 1));
  });

  test('only the next zxid may be proposed, and only by an established leader', () => {
    expect(offering().zab.nextZxid).toBe(-1);
    const probe = leading();
    expect(probe.zab.nextZxid).toBe(z(6, 1));
    expect(() => probe.zab.propose(z(6, 2))).toThrow(/next zxid/);
  });

  test('ZOOKEEPER-1277: the leader steps down before the zxids of its epoch end, at a quiet moment', () => {
    const limits = { softCounter: 3, hardCounter: 6 } as never;
    const probe = leading({ limits });
    proposeUpTo(probe, 4);
    probe.take();
    expect(probe.ticks(1)).toEqual([]);
    probe.durable();
    probe.zab.receiveAck(1, z(6, 4));
    probe.take();
    expect(probe.ticks(1)).toContain('leave: zxid-rollover');
  });

  test('ZOOKEEPER-1277: and at once where there is no quiet moment', () => {
    const limits = { softCounter: 3, hardCounter: 6 } as never;
    const probe = leading({ limits });
    for (let counter = 1; counter <= 6; counter++) probe.zab.propose(z(6, counter));
    expect(probe.zab.nextZxid).toBe(-1);
    probe.take();
    expect(probe.ticks(1)).toContain('leave: zxid-rollover');
  });
});

describe('time', () => {
  test('learners are pinged with the last proposal', () => {
    const probe = leading();
    proposeUpTo(probe, 2);
    probe.take();
    expect(probe.ticks(4)).toContain('to 1: PING 0x600000002');
  });

  test('a silent learner is dropped after syncLimit, and without a quorum the leadership ends', () => {
    const probe = leading();
    probe.zab.linkClosed(2);
    const said = probe.ticks(30);
    expect(said).toContain('close 1: learner-silent');
    expect(said).toContain('leave: quorum-lost');
  });

  test('a learner that answers pings and acks nothing is dropped after syncLimit', () => {
    const probe = leading();
    secondJoins(probe);
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    const said: string[] = [];
    for (let i = 0; i < 25; i++) {
      for (const link of [1, 2]) probe.zab.receive(link, message(PING, 0));
      if (i === 3) probe.zab.receiveAck(2, z(6, 1));
      said.push(...probe.ticks(1));
    }
    expect(said).toContain('close 1: ack-late');
    expect(said).not.toContain('close 2: ack-late');
  });

  test('a learner is not late that lost nothing: an epoch without proposals needs no acks', () => {
    const probe = leading();
    probe.zab.linkClosed(2);
    for (let i = 0; i < 60; i++) {
      probe.zab.receive(1, message(PING, 0));
      expect(probe.ticks(1).filter((line) => !line.includes('PING'))).toEqual([]);
    }
  });

  test('a leader whose disk stalls steps down', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    const said: string[] = [];
    for (let i = 0; i < 21; i++) {
      probe.zab.receive(1, message(PING, 0));
      said.push(...probe.ticks(1));
    }
    expect(said).toContain('leave: disk-stalled');
  });

  test('a learner in sync for longer than syncLimit is not dropped before initLimit', () => {
    const probe = leading();
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, FACTS);
    probe.take();
    probe.zab.syncSent(2);
    const said: string[] = [];
    for (let i = 0; i < 39; i++) {
      probe.zab.receive(1, message(PING, 0));
      said.push(...probe.ticks(1));
    }
    expect(said.filter((line) => line.startsWith('close'))).toEqual([]);
    expect(said).toContain('to 2: PING 0x600000000');
    for (let i = 0; i < 3; i++) {
      probe.zab.receive(1, message(PING, 0));
      said.push(...probe.ticks(1));
    }
    expect(said).toContain('close 2: learner-silent');
  });

  test('a voter that has accepted a higher epoch makes the leader begin a higher one, once', () => {
    const probe = leading();
    const said: string[] = [];
    for (let i = 0; i < 50; i++) {
      probe.zab.receive(1, message(PING, 0));
      if (i % 5 === 0) {
        probe.zab.learnerConnected(100 + i);
        said.push(...probe.receive(100 + i, followerInfo(2, 9)));
        probe.zab.linkClosed(100 + i);
      }
      said.push(...probe.ticks(1));
    }
    expect(said).toContain('leave: higher-epoch-seen');
    probe.zab.drained(z(5, 3), false);
    probe.take();
    const votes = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 6, electionEpoch: 2 });
    for (const sid of [1, 2]) probe.zab.notification(sid, votes);
    probe.take();
    probe.zab.learnerConnected(500);
    expect(probe.receive(500, followerInfo(1, 6))).toContain('disk: acceptedEpoch 10');
  });
});

test('a voter that was ahead once does not end the leadership when another one is, much later', () => {
  const probe = leading();
  const comesAhead = (link: number): string[] => {
    probe.zab.learnerConnected(link);
    const said = probe.receive(link, followerInfo(2, 9));
    probe.zab.linkClosed(link);
    return said;
  };
  comesAhead(100);
  for (let i = 0; i < 50; i++) {
    probe.zab.receive(1, message(PING, 0));
    probe.ticks(1);
  }
  expect(comesAhead(101)).not.toContain('leave: higher-epoch-seen');
  expect(probe.zab.phase).toBe('broadcast');
});

describe('who is heard', () => {
  test('bytes on a link keep its learner, and those of an unknown link say nothing', () => {
    const probe = leading();
    const said: string[] = [];
    for (let tick = 0; tick < 30; tick++) {
      probe.zab.linkActive(1);
      probe.zab.linkActive(99);
      said.push(...probe.ticks(1));
    }
    expect(said.filter((line) => !line.includes('PING'))).toEqual([]);
  });

  test('an ack that the host hands in by itself keeps its learner, one of an unknown link says nothing', () => {
    const probe = leading();
    const said: string[] = [];
    for (let tick = 0; tick < 30; tick++) {
      probe.zab.receiveAck(1, z(6, 0));
      probe.zab.receiveAck(99, z(6, 0));
      said.push(...probe.ticks(1));
    }
    expect(said.filter((line) => !line.includes('PING'))).toEqual([]);
  });

  test('a voter that answers pings and never gets in sync is no part of the quorum for ever', () => {
    const probe = leading();
    probe.zab.linkClosed(1);
    const said: string[] = [];
    let ticks = 0;
    for (; ticks < 100 && !said.includes('leave: quorum-lost'); ticks++) {
      said.push(...probe.receive(2, message(PING, 0)), ...probe.ticks(1));
    }
    expect(said).toContain('leave: quorum-lost');
    expect(said).toContain('close 2: role-over');
    expect(ticks).toBeGreaterThan(20);
  });

  test('after one proposal is acked the next one is watched: an ack that stays out ends the link', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.ticks(5);
    proposeUpTo(probe, 2);
    probe.take();
    probe.durable();
    probe.receive(1, ack(z(6, 1)));
    const said: string[] = [];
    for (let tick = 0; tick < 30; tick++) {
      said.push(...probe.receive(1, message(PING, 0)), ...probe.ticks(1));
    }
    expect(said).toContain('close 1: ack-late');
    expect(probe.reasons.join()).toContain('0x600000002');
  });
});

describe('a barrier', () => {
  test('ZOOKEEPER-1675: is answered once a quorum answered something that was sent after it', () => {
    const probe = leading();
    probe.zab.readBarrier(7);
    expect(probe.take()).toEqual(['to 1: PING 0x600000000']);
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual(['barrier 7']);
  });

  test('an answer to what was sent before it does not count', () => {
    const probe = leading();
    probe.ticks(4);
    probe.zab.readBarrier(7);
    probe.take();
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual([]);
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual(['barrier 7']);
  });

  test('one round serves all that came in a turn', () => {
    const probe = leading();
    for (const token of [1, 2, 3]) probe.zab.readBarrier(token);
    expect(probe.take()).toEqual(['to 1: PING 0x600000000']);
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual([
      'barrier 1',
      'barrier 2',
      'barrier 3',
    ]);
  });

  test('one that comes while a round is under way needs another', () => {
    const probe = leading();
    probe.zab.readBarrier(1);
    probe.take();
    probe.zab.readBarrier(2);
    probe.take();
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual(['barrier 1']);
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual(['barrier 2']);
  });

  test('waits for what was proposed before it', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.zab.readBarrier(7);
    probe.take();
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual([]);
    probe.durable();
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).toContain('barrier 7');
  });

  test('an ack of a later proposal is an answer, one of an earlier proposal is not', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.zab.readBarrier(7);
    probe.take();
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).not.toContain('barrier 7');
    proposeUpTo(probe, 2);
    probe.take();
    probe.zab.receiveAck(1, z(6, 2));
    expect(probe.take()).toContain('barrier 7');
  });

  test('an observer’s answer is none', () => {
    const probe = leading();
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5), ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(9, FACTS);
    probe.take();
    probe.receive(9, ack(z(6, 0)));
    probe.zab.readBarrier(7);
    probe.take();
    expect(probe.receive(9, message(PING, z(6, 0)))).toEqual([]);
  });

  test('a leader that lost its quorum answers none', () => {
    const probe = leading();
    probe.zab.readBarrier(7);
    probe.zab.linkClosed(1);
    expect(probe.ticks(20).filter((line) => line.startsWith('barrier'))).toEqual([]);
  });

  test('a single server answers at once', () => {
    const probe = elected({ voters: [3] });
    while (probe.durable().length > 0);
    expect(probe.zab.phase).toBe('broadcast');
    probe.zab.readBarrier(7);
    expect(probe.take()).toEqual(['barrier 7']);
  });
});

describe('edges of discovery', () => {
  test('an observer with the sid of a voter is no voter', () => {
    const probe = elected();
    probe.zab.learnerConnected(7);
    expect(probe.receive(7, observerInfo(2, 5))).toEqual([]);
    probe.zab.learnerConnected(1);
    probe.receive(1, followerInfo(1, 5));
    expect(probe.durable()).toEqual(['to 7: LEADERINFO 6', 'to 1: LEADERINFO 6']);
    expect(probe.receive(7, ackEpoch(z(5, 3), 5))).toEqual([]);
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.durable();
    probe.zab.syncFacts(7, FACTS);
    probe.take();
    expect(probe.receive(7, ack(z(6, 0)))).toEqual([]);
    expect(probe.zab.phase).toBe('synchronization');
  });

  test('learners without a sid get different ones', () => {
    const probe = leading();
    const info = { sid: undefined, protocolVersion: 0x10000, configVersion: undefined };
    const hello = { type: PacketType.OBSERVERINFO, acceptedEpoch: 0, info } as const;
    for (const link of [7, 8]) {
      probe.zab.learnerConnected(link);
      const said = probe.receive(link, hello, ackEpoch(z(5, 3), 5));
      expect(said.at(-1)).toBe(`plan for ${link} (server ${6 - link}): 0x500000003`);
    }
  });

  test('one without a sid does not replace a link on which nobody has said who it is', () => {
    const probe = offering();
    probe.zab.learnerConnected(7);
    probe.zab.learnerConnected(8);
    const info = { sid: undefined, protocolVersion: 0x10000, configVersion: undefined };
    expect(probe.receive(8, { type: PacketType.OBSERVERINFO, acceptedEpoch: 0, info })).toEqual([
      'to 8: LEADERINFO 6',
    ]);
  });

  test('one without a vote raises the epoch by 1024 at most, a voter by more', () => {
    for (const [raise, epoch] of [
      [1024, 1030],
      [1025, 6],
    ] as const) {
      const probe = elected();
      probe.zab.learnerConnected(9);
      probe.receive(9, observerInfo(9, 5 + raise));
      probe.zab.learnerConnected(1);
      expect(probe.receive(1, followerInfo(1, 5))[0]).toBe(`disk: acceptedEpoch ${epoch}`);
    }
    for (const sid of [1, 2]) {
      const probe = elected();
      probe.zab.learnerConnected(sid);
      expect(probe.receive(sid, followerInfo(sid, 5000))[0]).toBe('disk: acceptedEpoch 5001');
    }
  });

  test('an earlier write that is done says nothing of the epoch', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    probe.receive(1, followerInfo(1, 5));
    probe.zab.durable(0);
    expect(probe.take()).toEqual([]);
    expect(probe.durable()).toEqual(['to 1: LEADERINFO 6']);
  });

  test('a member whose own history does not count is not made a leader by votes of before', () => {
    expect(elected({}, { trust: 'discarded' }).zab.role).toBe('looking');
  });

  test('a link that was closed is forgotten', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    expect(probe.receive(1, followerInfo(3, 5))).toEqual(['close 1: protocol']);
    const said = probe.ticks(60);
    expect(said).toContain('leave: epoch-timeout');
    expect(said.filter((line) => line.startsWith('close'))).toEqual([]);
  });

  test('how long a leader waited counts from the step that it is in', () => {
    const probe = elected();
    probe.ticks(3);
    for (const sid of [1, 2]) {
      probe.zab.learnerConnected(sid);
      probe.receive(sid, followerInfo(sid, 5));
    }
    probe.durable();
    expect(probe.ticks(40).filter((line) => line.startsWith('leave'))).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: epoch-ack-timeout');
    expect(probe.reasons.join()).toContain('after 41 ticks');
  });

  test('ZOOKEEPER-3109: counts from the election on, at once where the wait is 0, and only until the epoch', () => {
    const looks = vote({ state: ElectionState.LOOKING, leader: 1, electionEpoch: 2 });
    const electedAt7 = (epochWait: number): Probe => {
      const probe = looking({ sid: 3, limits: { epochWait } as never });
      probe.ticks(7);
      const votes = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 });
      for (const sid of [1, 2]) probe.zab.notification(sid, votes);
      probe.take();
      expect(probe.zab.role).toBe('leading');
      return probe;
    };
    const probe = electedAt7(10);
    probe.ticks(10);
    probe.zab.notification(1, looks);
    expect(probe.take()).toEqual([]);
    const impatient = electedAt7(0);
    impatient.ticks(1);
    impatient.zab.notification(1, looks);
    expect(impatient.take()).toContain('leave: disloyal-voter');
    const later = offering({ limits: { epochWait: 10 } as never });
    later.ticks(11);
    later.zab.notification(1, looks);
    expect(later.take()).toEqual([]);
  });
});

describe('a learner that has accepted another epoch', () => {
  /** It comes every `every` ticks; the ones of `heard` answer. Ends with the last line about a role that ends. */
  function keepsComing(
    probe: Probe,
    info: ReturnType<typeof followerInfo>,
    ticks: number,
    every = 5,
    heard = [1, 2],
  ): string[] {
    const said: string[] = [];
    for (let tick = 0; tick <= ticks; tick++) {
      for (const link of heard) probe.zab.receive(link, message(PING, 0));
      if (tick % every === 0) {
        probe.zab.learnerConnected(100 + tick);
        said.push(...probe.receive(100 + tick, info));
        probe.zab.linkClosed(100 + tick);
      }
      if (tick < ticks) said.push(...probe.ticks(1));
    }
    return said.filter((line) => line.startsWith('leave'));
  }

  test('is no reason to leave where it is not higher, or where the learner has no vote', () => {
    expect(keepsComing(leading(), followerInfo(2, 6), 60, 5, [1])).toEqual([]);
    expect(keepsComing(leading(), observerInfo(9, 9), 60, 5, [1])).toEqual([]);
  });

  test('is one for any voter, and counts on while it is away for initLimit at most', () => {
    const probe = leading();
    secondJoins(probe);
    probe.zab.linkClosed(1);
    expect(keepsComing(probe, followerInfo(1, 9), 50, 5, [2])).toEqual([
      'leave: higher-epoch-seen',
    ]);
    const rarely = keepsComing(leading(), followerInfo(2, 9), 40, 40, [1]);
    expect(rarely).toEqual(['leave: higher-epoch-seen']);
    expect(keepsComing(leading(), followerInfo(2, 9), 41, 41, [1])).toEqual([]);
  });

  test('is none before the leader is established', () => {
    const probe = elected();
    probe.zab.learnerConnected(1);
    probe.receive(1, followerInfo(1, 5));
    expect(keepsComing(probe, followerInfo(2, 9), 15, 5, [])).toEqual([]);
    probe.durable();
    expect(keepsComing(probe, followerInfo(2, 9), 35, 5, [1])).toEqual([]);
  });
});

describe('edges of synchronization', () => {
  const SNAPSHOT = { ...FACTS, minCommittedZxid: -1, logAfterZxid: -1 };

  test('facts that nobody asked for, and news of an unknown link, say nothing', () => {
    const probe = leading();
    for (const link of [1, 2, 99]) probe.zab.syncFacts(link, FACTS);
    probe.zab.syncSent(99);
    expect(probe.take()).toEqual([]);
  });

  test('a plan is asked for once', () => {
    const probe = leading();
    expect(probe.receive(2, ackEpoch(z(5, 3), 5))).toHaveLength(1);
    expect(probe.ticks(1)).toEqual([]);
  });

  test('an established leader sends no snapshot of more than the tree holds', () => {
    const probe = leading();
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, { ...FACTS, forceSnapshot: true });
    expect(probe.take()).toEqual([]);
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5), ackEpoch(1, 0));
    probe.zab.syncFacts(9, { ...FACTS, appliedZxid: 0, forceSnapshot: true });
    expect(probe.take()).toEqual([]);
  });

  test('the tree is thrown away only if a snapshot held what is not committed', () => {
    const leaveAfter = (learnerZxid: number, facts: typeof FACTS): string | undefined => {
      const probe = offering();
      probe.receive(1, ackEpoch(learnerZxid, 5));
      if (learnerZxid === -1) probe.receive(2, ackEpoch(z(5, 3), 5));
      probe.zab.syncFacts(1, facts);
      expect(probe.take()[0]).toMatch(/^to 1: (DIFF|SNAP)/);
      probe.durable();
      return probe.ticks(60).find((line) => line.startsWith('leave'));
    };
    expect(leaveAfter(z(5, 3), FACTS)).toBe('leave: newleader-timeout');
    expect(leaveAfter(-1, SNAPSHOT)).toBe('leave: newleader-timeout');
    // Nor once a quorum has it.
    const probe = offering();
    probe.receive(1, ackEpoch(z(5, 2), 5));
    probe.zab.syncFacts(1, SNAPSHOT);
    expect(probe.take()[0]).toBe('to 1: SNAP 0x500000003 (0x500000003, 0x500000003]');
    probe.durable();
    probe.receive(1, ack(z(6, 0)));
    expect(probe.zab.phase).toBe('broadcast');
    expect(probe.ticks(60).find((line) => line.startsWith('leave'))).toBe('leave: quorum-lost');
  });

  test('snapshots wait for snapshots, and diffs for diffs', () => {
    const probe = leading();
    const joins = (link: number, facts: typeof FACTS): string | undefined => {
      probe.zab.learnerConnected(link);
      probe.receive(link, observerInfo(link, 5), ackEpoch(z(5, 2), 5));
      probe.zab.syncFacts(link, { ...facts, appliedZxid: z(5, 3), floorZxid: z(5, 2) });
      return probe.take()[0]?.slice(0, 10);
    };
    expect(joins(7, SNAPSHOT)).toBe('to 7: SNAP');
    expect(joins(8, SNAPSHOT)).toBe('close 8: t');
    expect(joins(9, FACTS)).toBe('to 9: DIFF');
  });

  test('ZOOKEEPER-4685: for the first of the voters too', () => {
    const probe = offering();
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, FACTS);
    probe.take();
    probe.durable();
    probe.receive(2, ack(z(6, 0)));
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(1, { ...FACTS, appliedZxid: z(5, 3) });
    probe.take();
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.receive(1, ack(z(6, 0)))).toContain('apply 0x600000001');
  });

  test('an older ack takes nothing back', () => {
    const probe = leading();
    secondJoins(probe);
    proposeUpTo(probe, 2);
    probe.take();
    for (const counter of [2, 1]) probe.zab.receiveAck(1, z(6, counter));
    probe.zab.receiveAck(2, z(6, 2));
    expect(probe.take()).toContain('to 1: COMMIT (0x500000003, 0x600000002]');
  });

  test('ZOOKEEPER-1277: at the soft limit itself', () => {
    const probe = leading({ limits: { softCounter: 3, hardCounter: 6 } as never });
    proposeUpTo(probe, 3);
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 3));
    probe.take();
    expect(probe.ticks(1)).toContain('leave: zxid-rollover');
  });
});

describe('edges of time', () => {
  /** Lines other than pings, of that many ticks; the learners of `heard` answer each of them. */
  function quietTicks(probe: Probe, count: number, ...heard: number[]): string[] {
    const said: string[] = [];
    for (let tick = 0; tick < count; tick++) {
      for (const link of heard) probe.zab.receive(link, message(PING, 0));
      said.push(...probe.ticks(1).filter((line) => !line.includes('PING')));
    }
    return said;
  }

  test('the quorum is looked at every quorumCheck ticks, and not between', () => {
    const probe = leading();
    for (const link of [1, 2]) probe.zab.linkClosed(link);
    expect(quietTicks(probe, 7)).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: quorum-lost');
    const later = leading();
    quietTicks(later, 8, 1);
    for (const link of [1, 2]) later.zab.linkClosed(link);
    expect(quietTicks(later, 7)).toEqual([]);
    expect(later.ticks(1)).toContain('leave: quorum-lost');
  });

  test('a voter is waited for up to the last tick of initLimit and syncLimit, an observer is nobody', () => {
    const probe = leading({ limits: { init: 36 } as never });
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5));
    probe.zab.linkClosed(1);
    expect(quietTicks(probe, 63, 2, 9)).toEqual([]);
    expect(quietTicks(probe, 1, 2, 9)).toContain('leave: quorum-lost');
    expect(probe.reasons).toContain('Only servers 3 are in time');
  });

  test('pings are apart by `ping` ticks, and only for those that are in sync or have got their sync', () => {
    const probe = leading();
    const pings = probe.ticks(8).filter((line) => line.includes('PING'));
    expect(pings).toEqual(['to 1: PING 0x600000000', 'to 1: PING 0x600000000']);
    // In sync, while the leader's disk is not ready.
    const waiting = offering();
    waiting.receive(1, ackEpoch(z(5, 3), 5));
    waiting.zab.syncFacts(1, FACTS);
    waiting.take();
    waiting.receive(1, ack(z(6, 0)));
    expect(waiting.ticks(4)).toEqual(['to 1: PING 0x600000000']);
  });

  test('a link that says nothing is closed after initLimit, not with it', () => {
    const probe = leading();
    probe.zab.learnerConnected(7);
    expect(quietTicks(probe, 40, 1, 2)).toEqual([]);
    expect(quietTicks(probe, 1, 1, 2)).toEqual(['close 7: learner-silent']);
  });

  test('acks that stay out end the link although proposals go on', () => {
    const probe = leading();
    const said: string[] = [];
    for (let counter = 1; counter <= 30; counter++) {
      if (probe.zab.nextZxid > 0) probe.zab.propose(probe.zab.nextZxid);
      said.push(...probe.take(), ...probe.durable(), ...quietTicks(probe, 1, 1));
    }
    expect(said).toContain('close 1: ack-late');
  });

  test('the wait for an ack begins with the proposal, also after an earlier one was acked', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.take();
    probe.durable();
    probe.receive(1, ack(z(6, 1)));
    quietTicks(probe, 3, 1);
    proposeUpTo(probe, 2);
    probe.take();
    probe.durable();
    expect(quietTicks(probe, 20, 1)).toEqual([]);
    expect(quietTicks(probe, 1, 1)).toContain('close 1: ack-late');
  });

  test('a disk that stalls is told with its ticks', () => {
    const probe = leading();
    quietTicks(probe, 5, 1);
    proposeUpTo(probe, 1);
    probe.take();
    expect(quietTicks(probe, 21, 1)).toContain('leave: disk-stalled');
    expect(probe.reasons.join()).toContain('for 21 ticks');
  });
});

describe('edges of barriers', () => {
  test('two in a round with a proposal between them: an ack of that one is no answer', () => {
    const probe = leading();
    probe.zab.readBarrier(1);
    proposeUpTo(probe, 1);
    probe.zab.readBarrier(2);
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take().filter((line) => line.startsWith('barrier'))).toEqual([]);
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual(['barrier 1', 'barrier 2']);
  });

  test('before the leader is established it is none', () => {
    const probe = offering();
    probe.zab.readBarrier(7);
    probe.receive(1, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(1, FACTS);
    probe.take();
    const said = [...probe.durable(), ...probe.receive(1, ack(z(6, 0)))];
    expect(probe.zab.phase).toBe('broadcast');
    expect(said.filter((line) => /PING|barrier/.test(line))).toEqual([]);
  });

  test('a pong that nobody asked for answers none', () => {
    const probe = leading();
    probe.receive(1, message(PING, 0));
    probe.zab.readBarrier(7);
    expect(probe.take()).toEqual(['to 1: PING 0x600000000']);
  });

  test('observers are not asked', () => {
    const probe = leading();
    probe.zab.learnerConnected(9);
    probe.receive(9, observerInfo(9, 5), ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(9, FACTS);
    probe.take();
    probe.receive(9, ack(z(6, 0)));
    probe.zab.readBarrier(7);
    expect(probe.take()).toEqual(['to 1: PING 0x600000000']);
  });

  test('the leader’s own disk may be the last to have what it waits for', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.zab.readBarrier(7);
    probe.take();
    probe.receive(1, message(PING, z(6, 0)));
    probe.zab.receiveAck(1, z(6, 1));
    expect(probe.take()).toEqual([]);
    expect(probe.durable()).toContain('barrier 7');
  });

  test('a voter that gets in sync may be the last to have what it waits for', () => {
    const probe = leading();
    proposeUpTo(probe, 1);
    probe.zab.readBarrier(7);
    probe.take();
    probe.durable();
    expect(probe.receive(1, message(PING, z(6, 0)))).toEqual([]);
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, { ...FACTS, appliedZxid: z(5, 3) });
    probe.take();
    probe.zab.receiveAck(2, z(6, 1));
    expect(probe.take()).toEqual([]);
    expect(probe.receive(2, ack(z(6, 0)))).toContain('barrier 7');
  });
});
