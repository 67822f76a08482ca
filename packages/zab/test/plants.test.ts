// Each planted defect undoes the rule that it is named for: without this the simulator would look for nothing.

import { makeZxid, PacketType } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { PLANTS, type Plant, planSync } from '../src/index.ts';
import {
  ack,
  ackEpoch,
  elected,
  FACTS,
  followerInfo,
  following,
  inSync,
  joined,
  LEADER,
  leaderInfo,
  leading,
  looking,
  message,
  newLeader,
  observerInfo,
  offering,
  upToDate,
} from './support/roles.ts';

const z = makeZxid;
const { DIFF, SNAP } = PacketType;
const VIRGIN = { acceptedEpoch: 0, currentEpoch: 0, lastZxid: 0, appliedZxid: 0 };

/** For each plant, something that holds with it and does not without it. */
const EFFECTS: Record<Plant, (plant: Plant | undefined) => boolean> = {
  'ack-before-durable': (plant) => {
    const probe = inSync({ plant });
    probe.zab.receiveProposal(LEADER, z(6, 1));
    return probe.take().includes('to 10: ACK (0x500000003, 0x600000001]');
  },
  'apply-before-durable': (plant) => {
    const probe = inSync({ plant });
    probe.zab.receiveProposal(LEADER, z(6, 1));
    probe.zab.receiveCommit(LEADER, z(6, 1));
    return probe.zab.appliedZxid === z(6, 1);
  },
  'barrier-without-quorum': (plant) => {
    const probe = leading({ plant });
    probe.zab.readBarrier(7);
    return probe.take().includes('barrier 7');
  },
  'commit-before-sync': (plant) => {
    const probe = joined({ plant });
    probe.zab.receive(LEADER, message(DIFF, z(5, 4)));
    probe.zab.receiveProposal(LEADER, z(5, 4));
    probe.zab.receiveCommit(LEADER, z(5, 4));
    return probe.zab.committedZxid === z(5, 4);
  },
  'commit-by-minority': (plant) => {
    const probe = leading({ plant });
    probe.zab.propose(z(6, 1));
    probe.take();
    probe.zab.receiveAck(1, z(6, 1));
    return probe.zab.committedZxid === z(6, 1);
  },
  'count-minus-one': (plant) => {
    const probe = following({ plant }, { acceptedEpoch: 6 });
    const isAcked = probe.receive(LEADER, leaderInfo(6)).includes('to 10: ACKEPOCH 0x500000003 5');
    const isCounted = offering({ plant }).receive(1, ackEpoch(z(5, 3), -1)).length > 0;
    expect(isCounted).toBe(isAcked);
    return isCounted;
  },
  'count-observers': (plant) => {
    const probe = elected({ plant });
    probe.zab.learnerConnected(9);
    return probe.receive(9, observerInfo(9, 5)).includes('disk: acceptedEpoch 6');
  },
  'count-wiped': (plant) =>
    following({ plant }, VIRGIN).receive(LEADER, leaderInfo(6)).includes('disk: acceptedEpoch 6'),
  'epoch-ack-before-durable': (plant) =>
    following({ plant }).receive(LEADER, leaderInfo(6))[0] === 'to 10: ACKEPOCH 0x500000003 5',
  'epoch-before-durable': (plant) => {
    const probe = elected({ plant });
    probe.zab.learnerConnected(1);
    return probe.receive(1, followerInfo(1, 5))[0] === 'to 1: LEADERINFO 6';
  },
  'epoch-before-history': (plant) => {
    const probe = joined({ plant });
    probe.receive(LEADER, message(DIFF, z(5, 3)), newLeader(6));
    return probe.zab.currentEpoch === 6;
  },
  'establish-without-acks': (plant) => {
    const probe = offering({ plant });
    probe.receive(1, ackEpoch(z(5, 3), 5));
    return probe.durable().includes('apply 0x500000003');
  },
  'forward-from-ack': (plant) => {
    const probe = leading({ plant });
    probe.receive(2, ackEpoch(z(5, 3), 5));
    probe.zab.syncFacts(2, { ...FACTS, appliedZxid: z(5, 3) });
    probe.zab.propose(z(6, 1));
    probe.take();
    probe.durable();
    probe.zab.receiveAck(1, z(6, 1));
    const said = probe.receive(2, ack(z(6, 0)));
    const isProposed = said.includes('to 2: PROPOSAL (0x600000000, 0x600000001]');
    expect(said.includes('to 2: COMMIT (0x500000003, 0x600000001]')).toBe(isProposed);
    return !isProposed;
  },
  'keep-half-snapshot': (plant) => {
    const probe = joined({ plant });
    probe.receive(LEADER, message(SNAP, z(5, 9)));
    probe.zab.linkClosed(LEADER);
    return !probe.take().includes('leave: leader-lost, discard the tree');
  },
  'keep-leading-below-epoch': (plant) => {
    const probe = leading({ plant, limits: { init: 0 } as never });
    probe.zab.learnerConnected(12);
    return !probe.receive(12, followerInfo(2, 9)).includes('leave: higher-epoch-seen');
  },
  'lead-by-applied': (plant) => elected({ plant }).zab.horizonZxid === z(5, 1),
  'lead-without-quorum': (plant) => {
    const probe = leading({ plant });
    for (const link of [1, 2]) probe.zab.linkClosed(link);
    return !probe.ticks(20).includes('leave: quorum-lost');
  },
  'newleader-ack-before-history': (plant) =>
    joined({ plant })
      .receive(LEADER, message(DIFF, z(5, 3)), newLeader(6))
      .includes('to 10: ACK 0x600000000'),
  'no-drain': (plant) => {
    const probe = inSync({ plant });
    probe.zab.linkClosed(LEADER);
    return probe.zab.phase === 'election';
  },
  'skip-trunc': (plant) => {
    const question = {
      learnerZxid: z(6, 9),
      horizonZxid: z(6, 5),
      leaderEpoch: 7,
      tentativeZxid: -1,
    };
    const plan = planSync(question, FACTS, plant);
    return plan?.mode === DIFF && plan.row === 'ahead-trunc' && !plan.fromLogs;
  },
  'vote-by-applied': (plant) => {
    const probe = looking({ plant });
    probe.quiet = [];
    const votes = probe.ticks(3)[0] === 'vote to 2: LOOKING 1 0x500000001 round 1 epoch 5';
    const learner = following({ plant });
    learner.receive(LEADER, leaderInfo(6));
    expect(learner.durable()[0] === 'to 10: ACKEPOCH 0x500000001 5').toBe(votes);
    return votes;
  },
  'vote-by-zxid-epoch': (plant) => {
    const probe = looking({ plant }, { acceptedEpoch: 7, currentEpoch: 7 });
    probe.quiet = [];
    return probe.ticks(3)[0] === 'vote to 2: LOOKING 1 0x500000003 round 1 epoch 5';
  },
  'zxid-wraps': (plant) => {
    const probe = leading({ plant, limits: { softCounter: 1, hardCounter: 2 } as never });
    for (const counter of [1, 2]) probe.zab.propose(z(6, counter));
    probe.take();
    return !probe.ticks(1).includes('leave: zxid-rollover');
  },
};

test.each(PLANTS)('%s', (plant) => {
  expect(EFFECTS[plant](plant)).toBe(true);
  expect(EFFECTS[plant](undefined)).toBe(false);
});

test('a follower that is planted with nothing serves', () => {
  const probe = joined();
  probe.receive(LEADER, message(DIFF, z(5, 3)), newLeader(6));
  probe.durable();
  expect(probe.receive(LEADER, upToDate())).toContain('now following broadcast, leader 3, epoch 6');
});
