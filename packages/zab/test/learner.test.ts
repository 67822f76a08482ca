// A follower's and an observer's part, exchange by exchange. Server 1 has the history (5,1..3); server 3 leads.

import { makeZxid, PacketType } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import type { Probe } from './support/probe.ts';
import {
  following,
  inSync,
  joined,
  LEADER,
  leaderInfo,
  message,
  newLeader,
  upToDate,
} from './support/roles.ts';

const z = makeZxid;
const { DIFF, TRUNC, SNAP, PING } = PacketType;

describe('discovery', () => {
  test('a follower tells its accepted epoch, and acks a higher one once that is durable (ZOOKEEPER-2307)', () => {
    const probe = following();
    expect(probe.receive(LEADER, leaderInfo(6))).toEqual([
      'disk: acceptedEpoch 6',
      'now following discovery, leader 3, epoch 6',
    ]);
    expect(probe.zab.acceptedEpoch).toBe(5);
    expect(probe.durable()).toEqual([
      'to 10: ACKEPOCH 0x500000003 5',
      'now following synchronization, leader 3, epoch 6',
    ]);
    expect(probe.zab.acceptedEpoch).toBe(6);
  });

  test('an epoch that was accepted before is not acked again: two leaders may offer it', () => {
    const probe = following({}, { acceptedEpoch: 6 });
    expect(probe.receive(LEADER, leaderInfo(6))).toEqual([
      'to 10: ACKEPOCH 0x500000003 -1',
      'now following synchronization, leader 3, epoch 6',
    ]);
  });

  test('a leader of an older epoch is left', () => {
    const probe = following({}, { acceptedEpoch: 7 });
    expect(probe.receive(LEADER, leaderInfo(6))).toEqual([
      'close 10: role-over',
      'leave: leader-epoch-too-old',
      'now looking draining, leader -1, epoch -1',
    ]);
  });

  test('ZOOKEEPER-2845: the last logged zxid is voted for and acked, not the applied one', () => {
    const probe = following({}, { appliedZxid: 0 });
    probe.receive(LEADER, leaderInfo(6));
    expect(probe.durable()[0]).toBe('to 10: ACKEPOCH 0x500000003 5');
  });

  test('a member without a history, where an epoch was led, acks nothing and promises nothing', () => {
    const probe = following({}, { acceptedEpoch: 0, currentEpoch: 0, lastZxid: 0, appliedZxid: 0 });
    expect(probe.receive(LEADER, leaderInfo(6))).toEqual([
      'to 10: ACKEPOCH 0xffffffffffffffff -1',
      'now following synchronization, leader 3, epoch 6',
    ]);
  });

  test('the operator may vouch for an empty history', () => {
    const start = { acceptedEpoch: 0, currentEpoch: 0, lastZxid: 0, appliedZxid: 0 };
    const probe = following({}, { ...start, trust: 'vouched' });
    probe.receive(LEADER, leaderInfo(6));
    expect(probe.durable()[0]).toBe('to 10: ACKEPOCH 0x0 0');
  });

  test('the leader says anything else first: it is left', () => {
    expect(following().receive(LEADER, newLeader(6))).toContain('leave: protocol');
    expect(following().receive(LEADER, message(DIFF, z(5, 3)))).toContain('leave: protocol');
  });

  test('an unexpected first packet of the sync ends the role, not the process', () => {
    expect(joined().receive(LEADER, newLeader(6))).toContain('leave: protocol');
  });
});

describe('synchronization', () => {
  test('DIFF: what comes is logged at once, acked with its epoch as one batch, applied after UPTODATE', () => {
    const probe = joined();
    probe.receive(LEADER, message(DIFF, z(5, 5)));
    for (const counter of [4, 5]) {
      probe.zab.receiveProposal(LEADER, z(5, counter));
      probe.zab.receiveCommit(LEADER, z(5, counter));
    }
    expect(probe.take()).toEqual(['disk: append 0x500000005']);
    expect(probe.receive(LEADER, newLeader(6))).toEqual(['disk: currentEpoch 6']);
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
    expect(probe.receive(LEADER, upToDate())).toEqual([
      'to 10: ACK 0x600000000',
      'apply 0x500000005',
      'now following broadcast, leader 3, epoch 6',
    ]);
  });

  test('ZOOKEEPER-3023, 3911, 4643, 4646, 4785: one batch holds history and epoch, and NEWLEADER is acked after it', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(DIFF, z(5, 4)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveCommit(LEADER, z(5, 4));
    expect(probe.receive(LEADER, newLeader(6))).toEqual([
      'disk: append 0x500000004, currentEpoch 6',
    ]);
    expect(probe.zab.currentEpoch).toBe(5);
    expect(probe.ticks(5)).toEqual([]);
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
    expect(probe.zab.currentEpoch).toBe(6);
  });

  test('ZOOKEEPER-4394: proposals before NEWLEADER may be committed after it, and in order', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(DIFF, z(5, 3)));
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.zab.receiveProposal(LEADER, z(6, 2));
    probe.receive(LEADER, newLeader(6));
    probe.durable();
    probe.zab.receiveCommit(LEADER, z(6, 1));
    expect(probe.take()).toEqual([]);
    expect(probe.receive(LEADER, upToDate())).toEqual([
      'to 10: ACK 0x600000000',
      // Neither was committed at NEWLEADER: both are acked, one by one.
      'to 10: ACK (0x500000003, 0x600000002]',
      'apply 0x600000001',
      'now following broadcast, leader 3, epoch 6',
    ]);
    probe.zab.receiveCommit(LEADER, z(6, 2));
    expect(probe.take()).toEqual(['apply 0x600000002']);
  });

  test('ZOOKEEPER-4685: no proposal is acked before NEWLEADER', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(DIFF, z(5, 3)));
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.take();
    expect(probe.durable()).toEqual([]);
    probe.receive(LEADER, newLeader(6));
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
  });

  test('TRUNC: the log is cut before anything is appended, in one batch with what follows', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(TRUNC, z(5, 2)));
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.zab.receiveCommit(LEADER, z(6, 1));
    expect(probe.receive(LEADER, newLeader(6))).toEqual([
      'disk: truncate 0x500000002, append 0x600000001, currentEpoch 6',
    ]);
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
    expect(probe.receive(LEADER, upToDate())).toContain('apply 0x600000001');
  });

  test('TRUNC to where the log ends writes nothing', () => {
    const probe = joined();
    expect(probe.receive(LEADER, message(TRUNC, z(5, 3)), newLeader(6))).toEqual([
      'disk: currentEpoch 6',
    ]);
  });

  test('TRUNC beyond the log is refused', () => {
    expect(joined().receive(LEADER, message(TRUNC, z(5, 4)))).toContain('leave: protocol');
  });

  test('ZOOKEEPER-5094: a truncation that fails throws the tree away, and a discarded history does not count', () => {
    const probe = joined();
    probe.receive(LEADER, message(TRUNC, z(5, 2)));
    probe.zab.syncFailed('no such zxid in the log');
    expect(probe.take()).toEqual([
      'close 10: role-over',
      'leave: sync-failed, discard the tree',
      'now looking draining, leader -1, epoch -1',
    ]);
    expect(probe.zab.historyCounts).toBe(true);
    probe.quiet = [];
    probe.zab.drained(0, true);
    expect(probe.zab.historyCounts).toBe(false);
    expect(probe.take()).toContain(
      'vote to 2: LOOKING -9223372036854776000 0xffffffffffffffff round 2 epoch -9223372036854776000',
    );
  });

  test('ZOOKEEPER-3104: a snapshot is durable before anything after it is logged, and all of it before the ack', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(SNAP, z(5, 7)));
    probe.zab.receiveProposal(LEADER, z(5, 8));
    probe.zab.receiveCommit(LEADER, z(5, 8));
    expect(probe.receive(LEADER, newLeader(6))).toEqual([]);
    probe.zab.snapshotInstalled(z(5, 7));
    expect(probe.take()).toEqual(['disk: append 0x500000008, currentEpoch 6']);
    expect(probe.durable()).toEqual(['to 10: ACK 0x600000000']);
    expect(probe.receive(LEADER, upToDate())).toContain('apply 0x500000008');
  });

  test('a snapshot without anything after it', () => {
    const probe = joined();
    probe.receive(LEADER, message(SNAP, z(5, 7)));
    probe.zab.snapshotInstalled(z(5, 7));
    expect(probe.take()).toEqual([]);
    expect(probe.receive(LEADER, newLeader(6))).toEqual(['disk: currentEpoch 6']);
    probe.durable();
    expect(probe.receive(LEADER, upToDate())).toEqual([
      'to 10: ACK 0x600000000',
      'now following broadcast, leader 3, epoch 6',
    ]);
    expect(probe.zab.durableZxid).toBe(z(5, 7));
  });

  test('txns that a fuzzy snapshot holds already are neither logged nor taken for a mistake', () => {
    const probe = joined();
    probe.receive(LEADER, message(SNAP, z(5, 7)));
    probe.zab.snapshotInstalled(z(5, 7));
    for (const counter of [6, 7, 8]) probe.zab.receiveProposal(LEADER, z(5, counter));
    for (const counter of [6, 7, 8]) probe.zab.receiveCommit(LEADER, z(5, counter));
    expect(probe.take()).toEqual(['disk: append 0x500000008']);
  });

  test('ZOOKEEPER-3642: half a snapshot is no tree', () => {
    const probe = joined();
    probe.receive(LEADER, message(SNAP, z(5, 7)));
    probe.zab.linkClosed(LEADER);
    expect(probe.take()).toEqual([
      'leave: leader-lost, discard the tree',
      'now looking draining, leader -1, epoch -1',
    ]);
    probe.zab.drained(z(5, 3), false);
    expect(probe.zab.durableZxid).toBe(z(5, 3));
  });

  test('a snapshot that replaces the history when the role is over is what the member votes with', () => {
    const probe = joined();
    probe.receive(LEADER, message(SNAP, z(5, 2)));
    expect(() => probe.zab.historyReplaced(z(5, 2))).toThrow(/only at the end of a role/);
    probe.zab.linkClosed(LEADER);
    probe.take();
    probe.zab.historyReplaced(z(5, 2));
    expect(probe.zab.appliedZxid).toBe(z(5, 2));
    expect(probe.zab.committedZxid).toBe(z(5, 2));
    probe.quiet = [];
    probe.zab.drained(z(5, 2), false);
    expect(probe.take()).toContain('vote to 2: LOOKING 1 0x500000002 round 2 epoch 5');
  });

  test('ZOOKEEPER-4837: nothing that the leader calls committed in a sync is applied before UPTODATE', () => {
    const probe = joined();
    probe.zab.receive(LEADER, message(DIFF, z(5, 4)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveCommit(LEADER, z(5, 4));
    probe.take();
    probe.durable();
    probe.zab.linkClosed(LEADER);
    expect(probe.take()).toEqual([
      'leave: leader-lost',
      'now looking draining, leader -1, epoch -1',
    ]);
    expect(probe.zab.appliedZxid).toBe(z(5, 1));
  });

  test.each([
    ['a hole', [z(5, 5)]],
    ['a repetition', [z(5, 3)]],
    ['an older epoch', [z(4, 9)]],
    ['a hole within the sync', [z(5, 4), z(5, 6)]],
    ['an epoch of the future', [z(7, 1)]],
  ])('ZOOKEEPER-4925: %s ends the sync', (_, zxids) => {
    const probe = joined();
    probe.receive(LEADER, message(DIFF, z(5, 9)));
    for (const zxid of zxids) probe.zab.receiveProposal(LEADER, zxid);
    expect(probe.take()).toContain('leave: protocol');
  });

  test('a COMMIT of another proposal than the oldest ends the sync', () => {
    const probe = joined();
    probe.receive(LEADER, message(DIFF, z(5, 5)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveProposal(LEADER, z(5, 5));
    probe.zab.receiveCommit(LEADER, z(5, 5));
    expect(probe.take()).toContain('leave: protocol');
  });

  test('NEWLEADER of another epoch is refused', () => {
    const probe = joined();
    probe.receive(LEADER, message(DIFF, z(5, 3)));
    expect(probe.receive(LEADER, newLeader(7))).toContain('leave: protocol');
  });

  test('a PING is not answered before UPTODATE, and after it is', () => {
    const probe = joined();
    expect(probe.receive(LEADER, message(DIFF, z(5, 3)), message(PING, z(6, 0)))).toEqual([]);
    probe.receive(LEADER, newLeader(6));
    probe.durable();
    expect(probe.receive(LEADER, message(PING, z(6, 0)))).toEqual([]);
    probe.receive(LEADER, upToDate());
    expect(probe.receive(LEADER, message(PING, z(6, 4)))).toEqual(['to 10: PING 0x600000004']);
  });
});

describe('broadcast', () => {
  test('a proposal is acked once it is durable, and applied once it is committed', () => {
    const probe = inSync();
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.zab.receiveProposal(LEADER, z(6, 2));
    expect(probe.take()).toEqual(['disk: append 0x600000002']);
    expect(probe.durable()).toEqual(['to 10: ACK (0x500000003, 0x600000002]']);
    probe.zab.receiveCommit(LEADER, z(6, 1));
    expect(probe.take()).toEqual(['apply 0x600000001']);
  });

  test('ZOOKEEPER-4882: what a quorum has is applied here only once it is durable here', () => {
    const probe = inSync();
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.zab.receiveCommit(LEADER, z(6, 1));
    expect(probe.take()).toEqual(['disk: append 0x600000001']);
    expect(probe.durable()).toEqual(['to 10: ACK (0x500000003, 0x600000001]', 'apply 0x600000001']);
  });

  test.each([
    ['a hole', [z(6, 2)]],
    ['a repetition', [z(6, 1), z(6, 1)]],
    ['an older epoch', [z(5, 4), z(5, 5)]],
    ['another epoch', [z(7, 1)]],
  ])('%s in the proposals ends the role', (_, zxids) => {
    const probe = inSync();
    for (const zxid of zxids) probe.zab.receiveProposal(LEADER, zxid);
    expect(probe.take()).toContain('leave: protocol');
  });

  test('a COMMIT without its proposal ends the role', () => {
    const probe = inSync();
    probe.zab.receiveCommit(LEADER, z(6, 1));
    expect(probe.take()).toContain('leave: protocol');
  });

  test('what comes by another link is not heard', () => {
    const probe = inSync();
    probe.zab.receiveProposal(77, z(6, 9));
    probe.zab.receiveCommit(77, z(6, 9));
    probe.zab.receive(77, newLeader(9));
    probe.zab.linkClosed(77);
    expect(probe.take()).toEqual([]);
  });

  test('a silent leader is left after syncLimit; a sign of life puts it off', () => {
    const probe = inSync();
    expect(probe.ticks(20)).toEqual([]);
    probe.zab.linkActive(LEADER);
    expect(probe.ticks(20)).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: leader-silent');
  });

  test('ZOOKEEPER-4541, 4712: after the role nothing is appended, acked or voted for until the log is at rest', () => {
    const probe = inSync();
    probe.quiet = [];
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.take();
    probe.zab.receiveProposal(LEADER, z(6, 2));
    probe.zab.linkClosed(LEADER);
    expect(probe.take()).toEqual([
      'leave: leader-lost',
      'now looking draining, leader -1, epoch -1',
    ]);
    expect(probe.zab.appendedZxid).toBe(z(6, 1));
    expect(probe.ticks(100)).toEqual([]);
    expect(probe.durable()).toEqual([]);
    probe.zab.drained(z(6, 1), false);
    expect(probe.take()).toEqual([
      'now looking election, leader -1, epoch -1',
      'vote to 2: LOOKING 1 0x600000001 round 2 epoch 6',
      'vote to 3: LOOKING 1 0x600000001 round 2 epoch 6',
    ]);
  });

  test('a member that is drained too early, or elsewhere, is an error of its host', () => {
    const probe = inSync();
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.take();
    probe.zab.linkClosed(LEADER);
    probe.take();
    expect(() => probe.zab.drained(z(6, 1), false)).toThrow(/Every batch is reported/);
    probe.durable();
    expect(() => probe.zab.drained(z(6, 2), false)).toThrow(/The log ends where it was reported/);
  });
});

describe('a packet at the wrong time', () => {
  const syncing = (): Probe => {
    const probe = joined();
    probe.receive(LEADER, message(DIFF, z(5, 3)));
    return probe;
  };
  const steps: Record<string, () => Probe> = {
    leaderinfo: following,
    sync: joined,
    syncing,
    broadcast: inSync,
  };
  const packets = {
    LEADERINFO: leaderInfo(6),
    DIFF: message(DIFF, z(5, 3)),
    TRUNC: message(TRUNC, z(5, 3)),
    SNAP: message(SNAP, z(5, 3)),
    NEWLEADER: newLeader(6),
    UPTODATE: upToDate(),
    ACK: message(PacketType.ACK, z(6, 0)),
    PING: message(PING, z(6, 0)),
  };

  test.each<[string, (keyof typeof packets)[]]>([
    ['leaderinfo', ['DIFF', 'TRUNC', 'SNAP', 'NEWLEADER', 'UPTODATE', 'ACK']],
    ['sync', ['LEADERINFO', 'NEWLEADER', 'UPTODATE', 'ACK']],
    ['syncing', ['LEADERINFO', 'DIFF', 'TRUNC', 'SNAP', 'UPTODATE']],
    ['broadcast', ['LEADERINFO', 'DIFF', 'TRUNC', 'SNAP', 'NEWLEADER', 'UPTODATE']],
  ])('at step %s: %j end the role, and nothing else does', (step, refused) => {
    const found = Object.entries(packets)
      .filter(([, packet]) => steps[step]?.().receive(LEADER, packet).includes('leave: protocol'))
      .map(([name]) => name);
    expect(found).toEqual(refused);
  });

  test.each([
    ['before LEADERINFO', following],
    ['before the sync', joined],
  ])('a txn %s ends the role', (_, at) => {
    for (const give of ['receiveProposal', 'receiveCommit', 'receiveInform'] as const) {
      const probe = at();
      probe.zab[give](LEADER, z(5, 4));
      expect(probe.take()).toContain('leave: protocol');
      expect(probe.zab.appendedZxid).toBe(z(5, 3));
    }
  });

  test('a second NEWLEADER while a snapshot is loaded ends the role', () => {
    const probe = joined();
    const said = probe.receive(LEADER, message(SNAP, z(5, 9)), newLeader(6), newLeader(6));
    expect(said).toContain('leave: protocol, discard the tree');
  });
});

describe('an observer', () => {
  const OBSERVER = { sid: 4, observer: true };

  test('takes INFORM for proposal and commit, and acks nothing', () => {
    const probe = inSync(OBSERVER);
    expect(probe.zab.role).toBe('observing');
    probe.zab.receiveInform(LEADER, z(6, 1));
    expect(probe.take()).toEqual(['disk: append 0x600000001']);
    expect(probe.durable()).toEqual(['apply 0x600000001']);
  });

  test('takes INFORM during its sync, too', () => {
    const probe = joined(OBSERVER);
    probe.zab.receive(LEADER, message(DIFF, z(5, 3)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveCommit(LEADER, z(5, 4));
    probe.zab.receiveInform(LEADER, z(5, 5));
    probe.receive(LEADER, newLeader(6));
    probe.durable();
    expect(probe.receive(LEADER, upToDate())).toContain('apply 0x500000005');
  });

  test('ends with an INFORM that leaves proposals behind', () => {
    const probe = joined(OBSERVER);
    probe.zab.receive(LEADER, message(DIFF, z(5, 3)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveInform(LEADER, z(5, 5));
    expect(probe.take()).toContain('leave: protocol');
  });

  test('waits for a random while before it looks for a leader again', () => {
    const probe = inSync(OBSERVER);
    probe.zab.linkClosed(LEADER);
    probe.take();
    probe.zab.drained(z(5, 3), false);
    probe.quiet = [];
    expect(probe.take()).toEqual(['now looking election, leader -1, epoch -1']);
    expect(probe.ticks(2)).toEqual([]);
    expect(probe.ticks(1)).toHaveLength(3);
  });

  test('is sent no proposals', () => {
    const probe = inSync(OBSERVER);
    probe.zab.receiveProposal(LEADER, z(6, 1));
    expect(probe.take()).toContain('leave: protocol');
  });

  test('a follower is sent no INFORM', () => {
    const probe = inSync();
    probe.zab.receiveInform(LEADER, z(6, 1));
    expect(probe.take()).toContain('leave: protocol');
  });
});
