// What members say to each other on the quorum port, held against what is on their disks at that moment.
//
//   acked is durable    ACK of a txn, ACK of NEWLEADER and ACKEPOCH speak of what the member's disk has
//   epoch after history currentEpoch is written after the history that a leader brings into that epoch
//   one promise         a member promises an epoch to one life of one leader only
//
// The packets are read off the wire: whatever makes a member say too much, it is seen here.

import {
  counterOf,
  epochOf,
  formatZxid,
  getInt32,
  PacketType,
  PeerStreamDecoder,
  type QuorumPacketView,
  type Zxid,
} from '@zebu/protocol';
import type { SimConnection } from '../sim-network.ts';
import type { SimProcess } from '../sim-process.ts';
import { demand } from '../violation.ts';
import { QUORUM_PORT } from './hosts.ts';
import type { MemberDisk } from './member-disk.ts';

const LIMITS = { maxDataBytes: 1 << 22, maxAuthinfoBytes: 1 << 20 };

export interface Speaker {
  readonly sid: number;
  readonly process: SimProcess;
  readonly disk: MemberDisk;
}

export class Promises {
  private readonly speakerOf: (process: SimProcess) => Speaker | undefined;
  private readonly onPacket: (type: number) => void;
  private readonly decoders: WeakMap<SimConnection, PeerStreamDecoder>;
  /** By the dialling end of a link: the epoch that its leader offered, and who that was. */
  private readonly offers: WeakMap<SimConnection, { epoch: number; leader: SimProcess }>;
  /** Links from a leader of which nothing more is read. */
  private readonly done: WeakSet<SimConnection>;
  private readonly promised: Map<string, SimProcess>;
  /** By epoch: how far the history goes that its leader brings into it. */
  private readonly histories: Map<number, Zxid>;

  constructor(
    speakerOf: (process: SimProcess) => Speaker | undefined,
    onPacket: (type: number) => void,
  ) {
    this.speakerOf = speakerOf;
    this.onPacket = onPacket;
    this.decoders = new WeakMap();
    this.offers = new WeakMap();
    this.done = new WeakSet();
    this.promised = new Map();
    this.histories = new Map();
  }

  /** A leader that has a quorum's promises brings its learners up to date with this history. */
  leads(epoch: number, historyZxid: Zxid): void {
    this.histories.set(epoch, historyZxid);
  }

  /** A member's currentEpoch is durable: so must be the history that it stands for (ZOOKEEPER-4643). */
  raises(disk: MemberDisk, epoch: number): void {
    const historyZxid = this.histories.get(epoch) ?? 0;
    demand(
      counterOf(historyZxid) === 0 || disk.has(historyZxid),
      'epoch after history',
      () =>
        `server ${disk.sid} has currentEpoch ${epoch} and a log up to ${disk.describe()}, the history is ${formatZxid(historyZxid)}`,
    );
  }

  /** What one end of a connection sends. */
  written(end: SimConnection, bytes: Buffer, start: number, stop: number): void {
    const isLearner = end.remotePort === QUORUM_PORT;
    if (!isLearner && (end.localPort !== QUORUM_PORT || this.done.has(end))) return;
    const speaker = this.speakerOf(end.process);
    if (speaker === undefined) return;
    let decoder = this.decoders.get(end);
    if (decoder === undefined) {
      decoder = new PeerStreamDecoder(LIMITS);
      this.decoders.set(end, decoder);
    }
    decoder.push(bytes, start, stop, {
      packet: (packet) => {
        if (isLearner) return this.learnerSays(speaker, end, packet);
        this.leaderSays(speaker, end, packet);
        // A leader's first packet is the one that counts; a snapshot may follow, which is no packet.
        this.done.add(end);
        return false;
      },
      raw: (_bytes, _start, to) => to,
    });
  }

  private leaderSays(speaker: Speaker, end: SimConnection, packet: QuorumPacketView): void {
    if (packet.type !== PacketType.LEADERINFO || end.peer === undefined) return;
    const epoch = epochOf(packet.zxid);
    this.offers.set(end.peer, { epoch, leader: end.process });
    this.expectEpoch(speaker, 'acceptedEpoch', epoch, 'LEADERINFO');
  }

  private learnerSays(speaker: Speaker, end: SimConnection, packet: QuorumPacketView): boolean {
    const { type, zxid } = packet;
    if (type === PacketType.ACKEPOCH) {
      this.onPacket(type);
      this.promises(speaker, end, packet);
    } else if (type === PacketType.ACK) {
      this.onPacket(type);
      if (counterOf(zxid) === 0) this.acksHistory(speaker, epochOf(zxid));
      else this.expectTxn(speaker, zxid, 'ACK');
    }
    return true;
  }

  private promises(speaker: Speaker, end: SimConnection, packet: QuorumPacketView): void {
    const { sid } = speaker;
    const offer = this.offers.get(end);
    if (offer === undefined) return;
    const { epoch, leader } = offer;
    if (packet.zxid > 0) this.expectTxn(speaker, packet.zxid, 'ACKEPOCH');
    // -1: the member has promised the epoch before, or has no history that counts.
    if (getInt32(packet.bytes, packet.dataStart) === -1) return;
    this.expectEpoch(speaker, 'acceptedEpoch', epoch, 'ACKEPOCH');
    const key = `${sid} ${epoch}`;
    const first = this.promised.get(key) ?? leader;
    this.promised.set(key, first);
    demand(
      first === leader,
      'one promise',
      () => `server ${sid} promises epoch ${epoch} to ${first.name} and ${leader.name}`,
    );
  }

  /** The ack of NEWLEADER: the whole history of the leader, and the epoch over it. */
  private acksHistory(speaker: Speaker, epoch: number): void {
    this.expectEpoch(speaker, 'currentEpoch', epoch, 'the ack of NEWLEADER');
    const historyZxid = this.histories.get(epoch) ?? 0;
    if (counterOf(historyZxid) > 0) this.expectTxn(speaker, historyZxid, 'the ack of NEWLEADER');
  }

  private expectEpoch(
    { sid, disk }: Speaker,
    file: 'acceptedEpoch' | 'currentEpoch',
    epoch: number,
    what: string,
  ): void {
    demand(
      disk[file] >= epoch,
      'acked is durable',
      () => `server ${sid} sends ${what} of epoch ${epoch}, its ${file} is ${disk[file]} on disk`,
    );
  }

  private expectTxn({ sid, disk }: Speaker, zxid: Zxid, what: string): void {
    demand(
      disk.has(zxid),
      'acked is durable',
      () => `server ${sid} sends ${what} ${formatZxid(zxid)}, its disk ends at ${disk.describe()}`,
    );
  }
}
