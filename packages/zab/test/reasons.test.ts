// What is said when a link is closed or a role ends: a sentence with the numbers in it, for whoever reads the log.

import { ElectionState, makeZxid, PacketType } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { type Probe, vote } from './support/probe.ts';
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
const { DIFF, TRUNC, SNAP, PING } = PacketType;

function ticksWithPings(probe: Probe, count: number, ...links: readonly number[]): void {
  for (let i = 0; i < count; i++) {
    for (const link of links) probe.zab.receive(link, message(PING, 0));
    probe.ticks(1);
  }
}

function dial(probe: Probe, link: number): Probe {
  probe.zab.learnerConnected(link);
  return probe;
}

const CASES: readonly [text: string, run: () => Probe][] = [
  [
    'Server 1 does not lead',
    () => {
      const probe = dial(inSync(), 1);
      probe.take();
      return probe;
    },
  ],
  [
    'This member does not follow any more',
    () => {
      const probe = looking();
      probe.zab.leaderConnected(4);
      probe.take();
      return probe;
    },
  ],
  [
    'There is a link to the leader already',
    () => {
      const probe = inSync();
      probe.zab.leaderConnected(11);
      probe.take();
      return probe;
    },
  ],
  [
    'This member leaves its leader',
    () => {
      const probe = inSync();
      probe.zab.stop();
      probe.take();
      return probe;
    },
  ],
  [
    'The member stops',
    () => {
      const probe = looking();
      probe.zab.stop();
      probe.take();
      return probe;
    },
  ],
  [
    'Server 3 cannot be reached',
    () => {
      const probe = looking();
      for (const sid of [2, 3]) {
        probe.zab.notification(sid, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 }));
      }
      probe.zab.leaderUnreachable();
      probe.take();
      return probe;
    },
  ],
  [
    'No link to server 3 after 31 ticks',
    () => {
      const probe = looking();
      for (const sid of [2, 3]) {
        probe.zab.notification(sid, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 }));
      }
      probe.ticks(31);
      return probe;
    },
  ],
  [
    'The link to server 3 ended',
    () => {
      const probe = inSync();
      probe.zab.linkClosed(LEADER);
      probe.take();
      return probe;
    },
  ],
  [
    'Server 3 was silent for 21 ticks',
    () => {
      const probe = inSync();
      probe.ticks(21);
      return probe;
    },
  ],
  [
    'Server 3 leads epoch 6, this member has accepted 7',
    () => {
      const probe = following({}, { acceptedEpoch: 7 });
      probe.receive(LEADER, leaderInfo(6));
      return probe;
    },
  ],
  [
    'Told to cut the log to 0x500000009, it ends at 0x500000003',
    () => {
      const probe = joined();
      probe.receive(LEADER, message(TRUNC, z(5, 9)));
      return probe;
    },
  ],
  [
    'NEWLEADER has zxid 0x700000000 in epoch 6',
    () => {
      const probe = joined();
      probe.receive(LEADER, message(DIFF, z(5, 3)), newLeader(7));
      return probe;
    },
  ],
  [
    'Packet type 10 came while this member waited for sync',
    () => {
      const probe = joined();
      probe.receive(LEADER, newLeader(6));
      return probe;
    },
  ],
  [
    'Packet type 10 came while this member waited for snapshot',
    () => {
      const probe = joined();
      probe.receive(LEADER, message(SNAP, z(5, 9)), newLeader(6), newLeader(6));
      return probe;
    },
  ],
  [
    'A txn came while this member waited for sync',
    () => {
      const probe = joined();
      probe.zab.receiveProposal(LEADER, z(5, 4));
      probe.take();
      return probe;
    },
  ],
  [
    'Txn 0x600000005 came after 0x500000003 in epoch 6',
    () => {
      const probe = inSync();
      probe.zab.receiveProposal(LEADER, z(6, 5));
      probe.take();
      return probe;
    },
  ],
  [
    'COMMIT of 0x600000002, the oldest proposal is 0x600000001',
    () => {
      const probe = inSync();
      probe.zab.receiveProposal(LEADER, z(6, 1));
      probe.zab.receiveCommit(LEADER, z(6, 2));
      probe.take();
      return probe;
    },
  ],
  [
    'INFORM of 0x600000002, the oldest proposal is 0x600000001',
    () => {
      const probe = inSync();
      probe.zab.receiveProposal(LEADER, z(6, 1));
      probe.zab.receiveInform(LEADER, z(6, 2));
      probe.take();
      return probe;
    },
  ],
  [
    'An observer was sent the proposal 0x600000001',
    () => {
      const probe = inSync({ sid: 4, observer: true });
      probe.zab.receiveProposal(LEADER, z(6, 1));
      probe.take();
      return probe;
    },
  ],
  [
    'Server 3 does not lead any more',
    () => {
      const probe = leading();
      probe.zab.stop();
      probe.take();
      return probe;
    },
  ],
  [
    'A learner speaks version 0x1 of the peer protocol, of before 3.4',
    () => {
      const probe = dial(elected(), 1);
      const info = { sid: 1, protocolVersion: 1, configVersion: undefined };
      probe.receive(1, { type: PacketType.FOLLOWERINFO, acceptedEpoch: 5, info });
      return probe;
    },
  ],
  [
    "The learner's config has version 0x15, ours 0x14",
    () => {
      const probe = dial(elected({ configVersion: 20 }), 1);
      probe.receive(1, followerInfo(1, 5, 21));
      return probe;
    },
  ],
  [
    'A learner has our own sid 3',
    () => {
      const probe = dial(elected(), 1);
      probe.receive(1, followerInfo(3, 5));
      return probe;
    },
  ],
  [
    'Packet type 18 of learner -1 is not expected at step 0',
    () => {
      const probe = dial(elected(), 1);
      probe.receive(1, ackEpoch(z(5, 3), 5));
      return probe;
    },
  ],
  [
    'Packet type 18 of learner 1 is not expected at step 3',
    () => {
      const probe = offering();
      probe.receive(1, ackEpoch(z(5, 3), -1), ackEpoch(z(5, 3), -1));
      return probe;
    },
  ],
  [
    'Packet type 3 of learner 1 is not expected at step 2',
    () => {
      const probe = offering();
      probe.receive(1, ack(z(6, 0)));
      return probe;
    },
  ],
  [
    'Server 1 came back by link 11',
    () => {
      const probe = dial(offering(), 11);
      probe.receive(11, followerInfo(1, 5));
      return probe;
    },
  ],
  [
    'Server 1 is ahead: currentEpoch 5, zxid 0x500000004',
    () => {
      const probe = offering();
      probe.receive(1, ackEpoch(z(5, 4), 5));
      return probe;
    },
  ],
  [
    'Observer 8 waits: too many syncs at once',
    () => {
      const probe = leading();
      for (const link of [7, 8]) {
        dial(probe, link).receive(link, observerInfo(link, 5), ackEpoch(z(5, 3), 5));
        probe.zab.syncFacts(link, FACTS);
      }
      probe.take();
      return probe;
    },
  ],
  [
    'Server 1 acks 0x600000001, the last proposal is 0x600000000',
    () => {
      const probe = leading();
      probe.zab.receiveAck(1, z(6, 1));
      probe.take();
      return probe;
    },
  ],
  [
    'Server 1 was silent for 21 ticks',
    () => {
      const probe = leading();
      probe.ticks(21);
      return probe;
    },
  ],
  [
    'Server 1 has not acked 0x600000001 for 21 ticks',
    () => {
      const probe = leading();
      probe.zab.propose(z(6, 1));
      probe.take();
      probe.durable();
      ticksWithPings(probe, 21, 1);
      return probe;
    },
  ],
  [
    'The disk has not finished a write for 21 ticks',
    () => {
      const probe = leading();
      probe.zab.propose(z(6, 1));
      probe.take();
      ticksWithPings(probe, 21, 1);
      return probe;
    },
  ],
  [
    'Only servers 3 came after 41 ticks',
    () => {
      const probe = elected();
      probe.ticks(41);
      return probe;
    },
  ],
  [
    'Only servers 3 acked epoch 6 after 41 ticks',
    () => {
      const probe = offering();
      probe.ticks(41);
      return probe;
    },
  ],
  [
    'Only servers 3 are in sync after 41 ticks',
    () => {
      const probe = offering();
      probe.receive(1, ackEpoch(z(5, 3), 5));
      probe.durable();
      probe.ticks(41);
      return probe;
    },
  ],
  [
    'Only servers 3 are in time',
    () => {
      const probe = leading();
      for (const link of [1, 2]) probe.zab.linkClosed(link);
      probe.ticks(8);
      return probe;
    },
  ],
  [
    'Server 1 looks for a leader again, 11 ticks after it voted',
    () => {
      const probe = elected({ limits: { epochWait: 10 } as never });
      probe.ticks(11);
      probe.zab.notification(1, vote({ state: ElectionState.LOOKING, electionEpoch: 2 }));
      probe.take();
      return probe;
    },
  ],
  [
    'Servers 1,2 vote for others or are out of reach for 5 ticks; 3 are no quorum',
    () => {
      const probe = elected();
      for (const sid of [1, 2]) probe.zab.memberUnreachable(sid);
      probe.ticks(6);
      return probe;
    },
  ],
  [
    'Server 3 was elected in round 1, and votes for server 2 in round 4',
    () => {
      const probe = looking();
      const forThree = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 });
      for (const sid of [2, 3]) probe.zab.notification(sid, forThree);
      probe.zab.notification(3, vote({ leader: 2, electionEpoch: 4 }));
      probe.take();
      return probe;
    },
  ],
  [
    'Server 2 has accepted epoch 9, ours is 6',
    () => {
      const probe = dial(leading({ limits: { init: 0 } as never }), 12);
      probe.receive(12, followerInfo(2, 9));
      return probe;
    },
  ],
  [
    'The zxids of epoch 6 come to an end, at 0x2',
    () => {
      const probe = leading({ limits: { softCounter: 1, hardCounter: 2 } as never });
      for (const counter of [1, 2]) probe.zab.propose(z(6, counter));
      probe.take();
      probe.ticks(1);
      return probe;
    },
  ],
];

test.each(CASES)('%s', (text, run) => {
  expect(run().reasons).toContain(text);
});

/** The reason of each change of role or phase. */
function changesOf(probe: Probe): string[] {
  const texts: string[] = [];
  const { zab } = probe;
  const take = zab.takeOutput.bind(zab);
  zab.takeOutput = () => {
    const output = take();
    const { change } = output;
    if (change !== undefined) texts.push(`${change.phase}: ${change.reason.text}`);
    return output;
  };
  return texts;
}

test('a leader says of each phase why it is in it', () => {
  const probe = elected();
  const texts = changesOf(probe);
  probe.zab.learnerConnected(1);
  probe.receive(1, followerInfo(1, 5));
  probe.durable();
  probe.receive(1, ackEpoch(z(5, 3), 5));
  probe.durable();
  probe.zab.syncFacts(1, FACTS);
  probe.receive(1, ack(z(6, 0)));
  expect(texts).toEqual([
    'discovery: Epoch 6 is above what servers 3,1 accepted',
    'synchronization: Servers 3,1 acked epoch 6',
    'broadcast: Servers 3,1 are in sync',
  ]);
});

test('a learner says of each phase why it is in it', () => {
  const probe = following();
  const texts = changesOf(probe);
  probe.receive(LEADER, leaderInfo(6));
  probe.durable();
  probe.receive(LEADER, message(PacketType.DIFF, z(5, 3)), newLeader(6));
  probe.durable();
  probe.receive(LEADER, upToDate());
  expect(texts).toEqual([
    'discovery: Server 3 leads epoch 6',
    'synchronization: Server 3 leads epoch 6',
    'broadcast: Server 3 says that this member is up to date',
  ]);
});

test('an election says who voted', () => {
  const probe = looking();
  const said: string[] = [];
  for (const sid of [2, 3]) {
    probe.zab.notification(sid, vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 }));
  }
  while (probe.zab.hasOutput) {
    const { change } = probe.zab.takeOutput();
    if (change !== undefined) said.push(change.reason.text);
  }
  expect(said).toEqual(['Servers 1,2,3 voted for server 3 in round 1']);
});
