// Server 1 of three, with the history (5,1..3) and currentEpoch 5, while it looks for a leader.

import { ElectionState, makeZxid, NO_VOTE } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { Election } from '../src/election.ts';
import type { Notification } from '../src/index.ts';
import type { Outbox } from '../src/outbox.ts';
import { Quorum } from '../src/quorum.ts';
import { LIMITS, type Probe, vote } from './support/probe.ts';
import { elected, followerInfo, following, inSync, leaderInfo, looking } from './support/roles.ts';

const z = makeZxid;
const { LOOKING, FOLLOWING, LEADING, OBSERVING } = ElectionState;

/** A vote for server 3, with the history that server 1 has. */
const FOR_3 = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 });

function said(probe: Probe, sid: number, ...votes: readonly Notification[]): string[] {
  probe.quiet = [];
  for (const one of votes) probe.zab.notification(sid, one);
  return probe.take();
}

describe('a member that looks for a leader', () => {
  test('proposes itself to every other voter, by what is logged and by its currentEpoch', () => {
    const probe = looking({}, { acceptedEpoch: 9, appliedZxid: 0 });
    probe.quiet = [];
    expect(probe.ticks(3)).toEqual([
      'vote to 2: LOOKING 1 0x500000003 round 1 epoch 5',
      'vote to 3: LOOKING 1 0x500000003 round 1 epoch 5',
    ]);
  });

  test('repeats itself at intervals that double, up to a limit', () => {
    const probe = looking();
    probe.quiet = [];
    const times: number[] = [];
    for (let tick = 1; tick <= 60; tick++) if (probe.ticks(1).length > 0) times.push(tick);
    expect(times).toEqual([3, 9, 21, 33, 45, 57]);
  });

  test('takes over a better vote, and tells everybody', () => {
    const probe = looking();
    expect(said(probe, 2, FOR_3)).toEqual([
      'vote to 2: LOOKING 3 0x500000003 round 1 epoch 5',
      'vote to 3: LOOKING 3 0x500000003 round 1 epoch 5',
    ]);
  });

  test('leaves out a round after which there would be no other', () => {
    const probe = looking();
    expect(said(probe, 2, { ...FOR_3, electionEpoch: 2 ** 53 - 1 })).toEqual([]);
    expect(said(probe, 2, { ...FOR_3, electionEpoch: 2 ** 52 })[0]).toContain(`round ${2 ** 52} `);
    expect(said(probe, 2, { ...FOR_3, electionEpoch: 2 ** 52 + 1 })[0]).toContain(
      `round ${2 ** 52 + 1} `,
    );
  });

  test('keeps its own against a worse one', () => {
    const probe = looking();
    expect(said(probe, 2, vote({ leader: 3, zxid: z(5, 2), peerEpoch: 5 }))).toEqual([]);
    expect(said(probe, 2, vote({ leader: 3, zxid: z(5, 9), peerEpoch: 4 }))).toEqual([]);
  });

  test('is done at once when every voter has voted alike', () => {
    const probe = looking();
    said(probe, 2, FOR_3);
    expect(said(probe, 3, FOR_3)).toEqual(['now following discovery, leader 3, epoch -1']);
  });

  test('waits for a voter that may still come, and no longer than finalizeWait', () => {
    const probe = looking();
    said(probe, 3, FOR_3);
    probe.quiet = ['vote'];
    expect(probe.ticks(4)).toEqual([]);
    expect(probe.ticks(1)).toEqual(['now following discovery, leader 3, epoch -1']);
  });

  test('does not wait for a voter that cannot be reached', () => {
    const probe = looking();
    said(probe, 3, FOR_3);
    probe.zab.memberUnreachable(2);
    expect(probe.take()).toEqual(['now following discovery, leader 3, epoch -1']);
  });

  test('waits again for a voter that was out of reach and has spoken since', () => {
    const probe = looking();
    probe.zab.memberUnreachable(2);
    said(probe, 2, vote({ leader: 2, zxid: z(5, 1), peerEpoch: 5 }));
    said(probe, 3, FOR_3);
    expect(probe.zab.phase).toBe('election');
  });

  test('waits for a voter that was out of reach and has spoken while this member had a role', () => {
    const probe = inSync();
    probe.zab.memberUnreachable(2);
    probe.zab.notification(2, vote({ leader: 2, electionEpoch: 1 }));
    probe.zab.linkClosed(10);
    probe.take();
    probe.zab.drained(z(5, 3), false);
    const round2 = { leader: 3, zxid: z(5, 3), peerEpoch: 6, electionEpoch: 2 };
    expect(said(probe, 3, vote(round2)).join()).not.toContain('following');
    expect(said(probe, 2, vote(round2)).join()).toContain('now following discovery, leader 3');
  });

  test('does not decide with a minority, whoever is out of reach', () => {
    const probe = looking();
    probe.zab.memberUnreachable(2);
    probe.zab.memberUnreachable(3);
    expect(probe.ticks(20)).toEqual([]);
    expect(probe.zab.phase).toBe('election');
  });

  test('a better vote within finalizeWait begins the wait anew', () => {
    const probe = looking({ voters: [1, 2, 3, 4, 5] });
    for (const sid of [2, 3]) said(probe, sid, FOR_3);
    probe.ticks(4);
    said(probe, 4, vote({ leader: 4, zxid: z(5, 3), peerEpoch: 5 }));
    probe.ticks(4);
    expect(probe.zab.phase).toBe('election');
    for (const sid of [2, 3]) said(probe, sid, vote({ leader: 4, zxid: z(5, 3), peerEpoch: 5 }));
    probe.ticks(5);
    expect(probe.zab.leaderSid).toBe(4);
  });

  test('leads when it is the one', () => {
    const probe = looking();
    const forMe = vote({ leader: 1, zxid: z(5, 3), peerEpoch: 5 });
    said(probe, 2, forMe);
    expect(said(probe, 3, forMe)).toEqual(['now leading discovery, leader 1, epoch -1']);
  });

  test('takes over a later round: votes of the old one are gone', () => {
    const probe = looking();
    said(probe, 2, FOR_3);
    expect(
      said(probe, 3, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5, electionEpoch: 7 })),
    ).toEqual([
      'vote to 2: LOOKING 3 0x500000003 round 7 epoch 5',
      'vote to 3: LOOKING 3 0x500000003 round 7 epoch 5',
    ]);
    expect(probe.zab.phase).toBe('election');
  });

  test('proposes itself in a later round whose vote is worse', () => {
    const probe = looking();
    expect(
      said(probe, 2, vote({ leader: 2, zxid: z(5, 1), peerEpoch: 5, electionEpoch: 4 }))[0],
    ).toBe('vote to 2: LOOKING 1 0x500000003 round 4 epoch 5');
  });

  test('answers a vote of an earlier round with its own, and does not count it', () => {
    const probe = looking();
    said(probe, 2, vote({ leader: 2, zxid: z(5, 1), peerEpoch: 5, electionEpoch: 4 }));
    expect(said(probe, 3, FOR_3)).toEqual(['vote to 3: LOOKING 1 0x500000003 round 4 epoch 5']);
    expect(probe.zab.phase).toBe('election');
  });

  test.each([
    ['a candidate that is no voter', vote({ leader: 9, zxid: z(5, 9), peerEpoch: 9 })],
    ['nobody', vote({ leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE })],
    ['a member whose database is not there yet', vote({ leader: 3, zxid: -1, peerEpoch: 9 })],
    ['an observer’s state', vote({ leader: 3, zxid: z(5, 9), peerEpoch: 9, state: OBSERVING })],
  ])('%s changes nothing', (_, one) => {
    const probe = looking();
    expect(said(probe, 2, one)).toEqual([]);
    expect(said(probe, 3, one)).toEqual([]);
    expect(probe.zab.phase).toBe('election');
  });

  test('a sender that is no voter is answered, and not counted', () => {
    const probe = looking();
    const better = vote({ leader: 3, zxid: z(5, 9), peerEpoch: 5 });
    expect(said(probe, 9, better)).toEqual(['vote to 9: LOOKING 1 0x500000003 round 1 epoch 5']);
  });

  test('what seems to come from itself is not heard', () => {
    expect(said(looking(), 1, vote({ leader: 3, zxid: z(5, 9), peerEpoch: 9 }))).toEqual([]);
  });
});

describe('members that are settled', () => {
  const settled = (fields: Partial<Notification>): Notification =>
    vote({ leader: 3, zxid: z(5, 1), electionEpoch: 8, peerEpoch: 6, state: FOLLOWING, ...fields });

  test('ZOOKEEPER-1732, 1818: one that comes late follows what a quorum and the leader itself say, of whatever round', () => {
    const probe = looking();
    expect(said(probe, 2, settled({}))).toEqual([]);
    expect(said(probe, 3, settled({ state: LEADING, zxid: z(4, 9), electionEpoch: 5 }))).toEqual([
      'now following discovery, leader 3, epoch -1',
    ]);
  });

  test('a quorum is not enough while the leader itself does not say so', () => {
    const probe = looking({ voters: [1, 2, 3, 4, 5] });
    for (const sid of [2, 4, 5]) said(probe, sid, settled({}));
    expect(probe.zab.phase).toBe('election');
    expect(said(probe, 3, settled({ state: FOLLOWING }))).toEqual([]);
    said(probe, 3, settled({ state: LEADING }));
    expect(probe.zab.leaderSid).toBe(3);
  });

  test('what a member said while it was settled does not count once it looks again', () => {
    const probe = looking();
    const settled = { leader: 3, zxid: z(5, 3), peerEpoch: 5, electionEpoch: 7 };
    said(probe, 3, vote({ ...settled, state: LEADING }));
    said(probe, 3, vote({ leader: 2, electionEpoch: 1, zxid: z(5, 3), peerEpoch: 5 }));
    expect(said(probe, 2, vote({ ...settled, state: FOLLOWING }))).toEqual([]);
  });

  test('ZOOKEEPER-1805: votes of different epochs are not alike', () => {
    const probe = looking();
    said(probe, 2, settled({ peerEpoch: 5 }));
    said(probe, 3, settled({ state: LEADING, peerEpoch: 6 }));
    expect(probe.zab.phase).toBe('election');
  });

  test('a member does not lead for votes of a round that is not its own', () => {
    const probe = looking();
    for (const sid of [2, 3]) said(probe, sid, settled({ leader: 1 }));
    expect(probe.zab.phase).toBe('election');
  });

  test('a follower’s vote of this round counts with those of members that look', () => {
    const probe = looking();
    said(probe, 2, vote({ ...FOR_3, state: FOLLOWING }));
    said(probe, 3, vote({ ...FOR_3, state: LEADING }));
    expect(probe.zab.leaderSid).toBe(3);
  });

  test('one that is settled answers those that look, with the vote that settled it', () => {
    const probe = inSync();
    expect(said(probe, 2, vote({ leader: 2 }))).toEqual([
      'vote to 2: FOLLOWING 3 0x500000003 round 1 epoch 6',
    ]);
    // Before the epoch is established the vote has the epoch of the candidate.
    expect(said(following(), 2, vote({ leader: 2 }))).toEqual([
      'vote to 2: FOLLOWING 3 0x500000003 round 1 epoch 5',
    ]);
  });

  test('one that is settled does not answer others that are', () => {
    expect(said(inSync(), 2, settled({}))).toEqual([]);
  });

  test('one that is settled answers members without a vote, whatever they do', () => {
    const probe = inSync();
    expect(said(probe, 9, vote({ state: OBSERVING }))).toEqual([
      'vote to 9: FOLLOWING 3 0x500000003 round 1 epoch 6',
    ]);
  });
});

describe('members without a vote', () => {
  test('an observer votes for nobody, and follows what the voters have', () => {
    const probe = looking({ sid: 4, observer: true });
    probe.quiet = [];
    expect(probe.ticks(3)).toEqual(
      [1, 2, 3].map(
        (sid) => `vote to ${sid}: LOOKING ${NO_VOTE} 0xffffffffffffffff round 1 epoch ${NO_VOTE}`,
      ),
    );
    for (const sid of [2, 3])
      said(probe, sid, vote({ ...FOR_3, state: sid === 3 ? LEADING : FOLLOWING }));
    expect([probe.zab.role, probe.zab.leaderSid]).toEqual(['observing', 3]);
  });

  test('an observer does not answer voters: two that look would answer each other for ever', () => {
    const probe = looking({ sid: 4, observer: true });
    expect(said(probe, 2, vote({ leader: 2, electionEpoch: 0 }))).toEqual([]);
  });

  test('a participant that the config does not name follows without a vote', () => {
    const probe = looking({ sid: 7 });
    for (const sid of [1, 2, 3]) said(probe, sid, FOR_3);
    expect([probe.zab.role, probe.zab.leaderSid]).toEqual(['following', 3]);
  });

  test('a member that discarded its history votes for others only', () => {
    const probe = looking({}, { currentEpoch: 0, lastZxid: 0, appliedZxid: 0, trust: 'discarded' });
    probe.quiet = [];
    expect(probe.ticks(3)[0]).toBe(
      `vote to 2: LOOKING ${NO_VOTE} 0xffffffffffffffff round 1 epoch ${NO_VOTE}`,
    );
    expect(said(probe, 2, FOR_3)).toContain('vote to 3: LOOKING 3 0x500000003 round 1 epoch 5');
  });
});

describe('learners that dial early', () => {
  test('are served once the member leads', () => {
    const probe = looking();
    probe.zab.learnerConnected(1);
    probe.zab.learnerConnected(2);
    expect(probe.receive(2, followerInfo(2, 5))).toEqual([]);
    const forMe = vote({ leader: 1, zxid: z(5, 3), peerEpoch: 5 });
    for (const sid of [2, 3]) probe.zab.notification(sid, forMe);
    expect(probe.take()).toEqual([
      'disk: acceptedEpoch 6',
      'now leading discovery, leader 1, epoch 6',
    ]);
    expect(probe.durable()).toEqual(['to 2: LEADERINFO 6']);
    expect(probe.receive(1, followerInfo(3, 5))).toEqual(['to 1: LEADERINFO 6']);
  });

  test('are sent away when somebody else leads', () => {
    const probe = looking();
    probe.zab.learnerConnected(1);
    for (const sid of [2, 3]) probe.zab.notification(sid, FOR_3);
    expect(probe.take()).toContain('close 1: not-leading');
    probe.zab.learnerConnected(2);
    expect(probe.take()).toEqual(['close 2: not-leading']);
  });

  test('one that gave up is forgotten', () => {
    const probe = looking();
    probe.zab.learnerConnected(1);
    probe.zab.linkClosed(1);
    for (const sid of [2, 3]) probe.zab.notification(sid, FOR_3);
    expect(probe.take()).not.toContain('close 1: not-leading');
  });
});

describe('the way to the leader', () => {
  const elect = (): Probe => {
    const probe = looking();
    for (const sid of [2, 3]) probe.zab.notification(sid, FOR_3);
    probe.take();
    return probe;
  };

  test('a leader that cannot be reached is given up', () => {
    const probe = elect();
    probe.zab.leaderUnreachable();
    expect(probe.take()).toContain('leave: leader-unreachable');
  });

  test('a link that does not come up in time is waited for no longer', () => {
    const probe = elect();
    expect(probe.ticks(30)).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: leader-unreachable');
  });

  test('a leader that says nothing is left after initLimit', () => {
    const probe = elect();
    probe.zab.leaderConnected(10);
    probe.take();
    expect(probe.ticks(40)).toEqual([]);
    expect(probe.ticks(1)).toContain('leave: leader-silent');
  });

  test.each([
    ['votes again', { electionEpoch: 2 }],
    ['votes for somebody else', { leader: 2 }],
  ])('a leader that %s is left at once, before and after its link is up', (_, fields) => {
    for (const isLinked of [false, true]) {
      const probe = elect();
      if (isLinked) probe.zab.leaderConnected(10);
      probe.take();
      probe.quiet = [];
      probe.zab.notification(3, { ...FOR_3, ...fields });
      const lines = probe.take();
      expect(lines).toContain('leave: leader-looks');
      // It is not told that this member follows it.
      expect(lines.filter((line) => line.startsWith('vote'))).toEqual([]);
    }
  });

  test.each([
    ['its vote again', 3, FOR_3],
    ['a vote that was on its way', 3, { ...FOR_3, electionEpoch: 0, leader: 2 }],
    ['that it leads', 3, { ...FOR_3, state: LEADING }],
    ['another member’s vote', 2, { ...FOR_3, electionEpoch: 2 }],
  ])('a leader is not left for %s', (_, sid, said) => {
    const probe = elect();
    probe.zab.notification(sid, said);
    expect(probe.take()).toEqual([]);
  });

  test('a leader that has answered is left by its link alone', () => {
    const probe = elect();
    probe.zab.leaderConnected(10);
    probe.receive(10, leaderInfo(6));
    probe.zab.notification(3, { ...FOR_3, electionEpoch: 2 });
    expect(probe.take()).toEqual([]);
  });

  test('a second link, and one that comes too late, are closed', () => {
    const probe = elect();
    probe.zab.leaderConnected(10);
    probe.take();
    probe.zab.leaderConnected(11);
    expect(probe.take()).toEqual(['close 11: replaced']);
    probe.zab.linkClosed(10);
    probe.take();
    probe.zab.leaderConnected(12);
    expect(probe.take()).toEqual(['close 12: role-over']);
  });

  test('being told late that it cannot be reached changes nothing', () => {
    const probe = elect();
    probe.zab.leaderConnected(10);
    probe.take();
    probe.zab.leaderUnreachable();
    expect(probe.take()).toEqual([]);
  });
});

describe('the end', () => {
  test('a member that stops drains, and neither votes nor answers any more', () => {
    const probe = inSync();
    probe.zab.stop();
    probe.zab.stop();
    expect(probe.take()).toEqual([
      'close 10: role-over',
      'leave: stopped',
      'now looking draining, leader -1, epoch -1',
    ]);
    probe.zab.drained(z(5, 3), false);
    expect(probe.take()).toEqual(['now looking stopped, leader -1, epoch -1']);
    expect(said(probe, 2, FOR_3, vote({ leader: 2 }))).toEqual([]);
    expect(probe.ticks(50)).toEqual([]);
  });

  test('one that is asked to stop while it drains does not vote first', () => {
    const probe = inSync();
    probe.zab.linkClosed(10);
    probe.take();
    probe.zab.stop();
    probe.zab.drained(z(5, 3), false);
    expect(probe.take()).toEqual(['now looking stopped, leader -1, epoch -1']);
  });
});

test.each([
  ['currentEpoch above acceptedEpoch', { acceptedEpoch: 4, currentEpoch: 5 }, /currentEpoch/],
  ['a tree that holds more than the log', { appliedZxid: z(5, 4) }, /The tree holds/],
  [
    'a txn of an epoch that was not accepted',
    { acceptedEpoch: 4, currentEpoch: 4 },
    /accepted epoch/,
  ],
])('a member does not start with %s', (_, start, message) => {
  expect(() => looking({}, start)).toThrow(message);
});

test('ZOOKEEPER-3769: no notification, however odd, ends an election or a role', () => {
  const numbers = [NO_VOTE, -(2 ** 53) + 1, -1, 0, 1, 2, 3, 9, z(5, 3), z(9, 1), 2 ** 53 - 1];
  for (const make of [looking, following, inSync, elected]) {
    const probe = make();
    for (const leader of numbers) {
      for (const zxid of numbers) {
        for (const electionEpoch of numbers) {
          for (const peerEpoch of [-1, 0, 5, 2 ** 53 - 1]) {
            const state = LOOKING + ((leader + zxid + electionEpoch) & 3);
            const odd = { state, leader, zxid, electionEpoch, peerEpoch, version: 0 };
            probe.zab.notification(2, odd as Notification);
            probe.take();
          }
        }
      }
    }
    expect(probe.zab.phase).not.toBe('stopped');
  }
});

test('an observer that is a voter, and a voter that is named twice, are refused', () => {
  expect(() => looking({ observer: true })).toThrow(/An observer has no vote/);
  expect(() => looking({ voters: [1, 2, 2] })).toThrow(/named once/);
});

test('states of notifications are the wire’s', () => {
  expect([LOOKING, FOLLOWING, LEADING, OBSERVING]).toEqual([0, 1, 2, 3]);
});

describe('edges of an election', () => {
  test('a vote like those of the quorum does not make the wait longer', () => {
    const probe = looking({ voters: [1, 2, 3, 4, 5] });
    for (const sid of [2, 3]) said(probe, sid, FOR_3);
    probe.ticks(3);
    said(probe, 4, FOR_3);
    probe.ticks(1);
    expect(probe.zab.phase).toBe('election');
    probe.ticks(1);
    expect(probe.zab.leaderSid).toBe(3);
  });

  test('a leader of this round is followed with the votes of members that look', () => {
    const probe = looking();
    said(probe, 2, FOR_3);
    said(probe, 3, { ...FOR_3, state: LEADING });
    expect(probe.zab.leaderSid).toBe(3);
  });

  test('a leader of this round is followed with members that settled in another one', () => {
    const probe = looking();
    said(probe, 2, vote({ ...FOR_3, electionEpoch: 8, peerEpoch: 6, state: FOLLOWING }));
    said(probe, 3, vote({ ...FOR_3, peerEpoch: 6, state: LEADING }));
    expect(probe.zab.leaderSid).toBe(3);
  });

  test('a settled member of an earlier round is not told the newer one', () => {
    const probe = looking();
    said(probe, 2, vote({ leader: 2, zxid: z(5, 1), peerEpoch: 5, electionEpoch: 4 }));
    expect(said(probe, 3, { ...FOR_3, electionEpoch: 2, state: FOLLOWING })).toEqual([]);
  });

  test('what settled members said before a role does not count after it', () => {
    const probe = looking();
    const settled = vote({ ...FOR_3, electionEpoch: 8, peerEpoch: 6, state: FOLLOWING });
    said(probe, 2, settled);
    said(probe, 3, { ...settled, state: LEADING });
    expect(probe.zab.leaderSid).toBe(3);
    probe.zab.leaderUnreachable();
    probe.take();
    probe.zab.drained(z(5, 3), false);
    said(probe, 3, { ...settled, state: LEADING });
    expect(probe.zab.phase).toBe('election');
  });

  test('a member that may not lead does not elect nobody, even alone', () => {
    const probe = looking({ voters: [1] }, { trust: 'discarded' });
    expect(probe.ticks(20)).toEqual([]);
    expect(probe.zab.phase).toBe('election');
  });

  test('beyond the last free round a step of 2^32 is taken, a longer one is not', () => {
    const probe = looking();
    const at = (electionEpoch: number): string[] => said(probe, 2, { ...FOR_3, electionEpoch });
    at(2 ** 52);
    expect(at(2 ** 52 + 2 ** 32)[0]).toContain(`round ${2 ** 52 + 2 ** 32} `);
    expect(at(2 ** 52 + 2 ** 33 + 1)).toEqual([]);
  });
});

/** An election by itself: member `sid` of voters 1 to 3, in round 1, with the history of `FOR_3`. */
function election(sid: number): Election {
  const outbox = { vote: () => {} } as unknown as Outbox;
  const voters = [1, 2, 3];
  const config = { sid, voters, observer: sid > 3, configVersion: 0, limits: LIMITS };
  const one = new Election(config, new Quorum(voters), outbox);
  const candidate = sid > 3 ? NO_VOTE : sid;
  one.start({ leader: candidate, zxid: z(5, 3), peerEpoch: 5 }, 0);
  return one;
}

describe('an election', () => {
  const FOR_1 = { ...FOR_3, leader: 1, electionEpoch: 1 };

  test('settled members name this one, in this round: it leads, and in another round it does not', () => {
    const now = election(1);
    now.receive(2, { ...FOR_1, state: FOLLOWING }, 0);
    expect(now.elected?.leader).toBe(1);
    const earlier = election(1);
    for (const sid of [2, 3])
      earlier.receive(sid, { ...FOR_1, electionEpoch: 8, state: FOLLOWING }, 0);
    expect(earlier.elected).toBe(undefined);
  });

  test('votes for a history that this member has lost do not make it lead', () => {
    const better = { ...FOR_1, peerEpoch: 6 };
    const longer = { ...FOR_1, zxid: z(5, 4) };
    for (const lost of [better, longer]) {
      for (const state of [LOOKING, FOLLOWING]) {
        const one = election(1);
        for (const sid of [2, 3]) one.receive(sid, { ...lost, state }, 0);
        expect([one.elected, one.answer().peerEpoch]).toEqual([undefined, 5]);
      }
    }
    const same = election(1);
    for (const sid of [2, 3]) same.receive(sid, { ...FOR_1, state: LOOKING }, 0);
    expect(same.elected?.leader).toBe(1);
  });

  test('what is elected stays, whoever is found out of reach afterwards', () => {
    const one = election(1);
    one.receive(3, { ...FOR_3, electionEpoch: 1 }, 0);
    one.receive(2, { ...FOR_3, electionEpoch: 1 }, 0);
    const { elected: before } = one;
    expect(before?.leader).toBe(3);
    one.memberUnreachable(2, 0, true);
    expect(one.elected).toBe(before);
  });

  test('nobody is elected by whoever is out of reach while this member has a role', () => {
    const one = election(1);
    one.receive(3, { ...FOR_3, electionEpoch: 1 }, 0);
    one.memberUnreachable(2, 0, false);
    expect(one.elected).toBe(undefined);
    one.memberUnreachable(2, 0, true);
    expect(one.elected?.leader).toBe(3);
  });

  test('an observer is not among those that have elected', () => {
    const one = election(4);
    for (const sid of [1, 2, 3]) one.receive(sid, { ...FOR_3, electionEpoch: 1 }, 0);
    expect(one.elected).toMatchObject({ leader: 3, by: [1, 2, 3] });
  });
});
