// Cores brought to where most tests begin.

import { makeZxid, PacketType, PEER_PROTOCOL_VERSION } from '@zebu/protocol';
import type { CoreMessage, SyncFacts, ZabConfig, ZabStart } from '../../src/index.ts';
import { Probe, vote } from './probe.ts';

const z = makeZxid;

/** The link of a follower to its leader. */
export const LEADER = 10;

/** Server 1 with a history up to (5,3), which looks for a leader. */
export function looking(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = new Probe(config, {
    acceptedEpoch: 5,
    currentEpoch: 5,
    lastZxid: z(5, 3),
    appliedZxid: z(5, 1),
    ...start,
  });
  probe.take();
  return probe;
}

/** Server 1 follows server 3, whose link is up; nothing is said yet but FOLLOWERINFO. */
export function following(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = looking(config, start);
  const votes = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 });
  probe.zab.notification(2, votes);
  probe.zab.notification(3, votes);
  probe.ticks(6);
  probe.zab.leaderConnected(LEADER);
  probe.take();
  return probe;
}

/** The same, with epoch 6 accepted and acked: the sync is to come. */
export function joined(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = following(config, start);
  probe.receive(LEADER, leaderInfo(6));
  probe.durable();
  return probe;
}

/** Server 1 in sync with server 3, in epoch 6, with a history up to (5,3). */
export function inSync(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = joined(config, start);
  probe.receive(LEADER, message(PacketType.DIFF, z(5, 3)), newLeader(6));
  probe.durable();
  probe.receive(LEADER, upToDate());
  return probe;
}

/** Server 3 is elected, with the history (5,1..3); nobody has come yet. */
export function elected(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = looking({ sid: 3, ...config }, start);
  const votes = vote({ leader: 3, zxid: z(5, 3), peerEpoch: 5 });
  for (const sid of config.voters ?? [1, 2, 3]) if (sid !== 3) probe.zab.notification(sid, votes);
  probe.take();
  return probe;
}

/** Server 3 has chosen epoch 6, and its learners 1 and 2 (links 1 and 2) have been told. */
export function offering(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = elected(config, start);
  for (const link of [1, 2]) {
    probe.zab.learnerConnected(link);
    probe.receive(link, followerInfo(link, 5));
  }
  probe.durable();
  return probe;
}

/** Server 3 leads epoch 6, and server 1 (link 1) is in sync; server 2 has not acked the epoch. */
export function leading(config: Partial<ZabConfig> = {}, start: Partial<ZabStart> = {}): Probe {
  const probe = offering(config, start);
  probe.receive(1, ackEpoch(z(5, 3), 5));
  probe.zab.syncFacts(1, FACTS);
  probe.take();
  probe.durable();
  probe.receive(1, ack(z(6, 0)));
  return probe;
}

/** What the host of server 3 knows. */
export const FACTS: SyncFacts = {
  appliedZxid: z(5, 1),
  minCommittedZxid: z(5, 1),
  logAfterZxid: 0,
  floorZxid: z(5, 3),
  ceilingZxid: -1,
  forceSnapshot: false,
};

export function message(
  type: Extract<CoreMessage, { zxid: number }>['type'],
  zxid: number,
): CoreMessage {
  return { type, zxid };
}

export function followerInfo(sid: number, acceptedEpoch: number, configVersion = 0): CoreMessage {
  const info = { sid, protocolVersion: PEER_PROTOCOL_VERSION, configVersion };
  return { type: PacketType.FOLLOWERINFO, acceptedEpoch, info };
}

export function observerInfo(sid: number, acceptedEpoch: number): CoreMessage {
  const info = { sid, protocolVersion: PEER_PROTOCOL_VERSION, configVersion: 0 };
  return { type: PacketType.OBSERVERINFO, acceptedEpoch, info };
}

export function leaderInfo(epoch: number): CoreMessage {
  return { type: PacketType.LEADERINFO, epoch, protocolVersion: PEER_PROTOCOL_VERSION };
}

export function ackEpoch(lastZxid: number, currentEpoch: number): CoreMessage {
  return { type: PacketType.ACKEPOCH, lastZxid, currentEpoch };
}

export function ack(zxid: number): CoreMessage {
  return { type: PacketType.ACK, zxid };
}

export function newLeader(epoch: number): CoreMessage {
  return { type: PacketType.NEWLEADER, zxid: z(epoch, 0) };
}

export function upToDate(): CoreMessage {
  return { type: PacketType.UPTODATE, zxid: -1 };
}
