// A leader's side of the link to one learner: what it says is told to the core or to the leader's role, what the
// core has for it is written as packets.
//
//   learner ─► PeerStreamDecoder ─► ACK, infos        ─► core
//                               └─► REQUEST, PING, REVALIDATE ─► LeaderRole
//   core ─► sendMessage, sendRange, sendSync ─► [after a sync that is still being sent] ─► PeerLink
//
// Source: LearnerHandler (3.9.5).

import {
  counterOf,
  framePacket,
  PACKET_HEAD_BYTES,
  PACKET_TAIL_BYTES,
  PacketType,
  type PeerMessage,
  PeerStreamDecoder,
  type PeerStreamSink,
  putInt32,
  type QuorumPacketView,
  readPeerMessage,
  type Zxid,
} from '@zebu/protocol';
import {
  GATHER_BYTES,
  type PeerLink,
  type PeerLinkHandler,
  type SliceOwner,
} from '@zebu/transport';
import type { CoreMessage } from '@zebu/zab';
import type { CommittedTxn } from '../txns/committed-log.ts';
import type { TxnChunk } from '../txns/txn-chunks.ts';
import type { SessionOwner } from '../txns/write-path.ts';
import { BARE_BYTES, NOBODY, PacketSender } from './packet-sender.ts';
import type { TxnHistory } from './txn-history.ts';

/** What a leader's link needs of the driver. */
export interface LearnerLinkOwner {
  /** A callback of the loop begins. */
  begin(): void;
  /** It ends: what it brought is dealt with soon. */
  end(): void;
  readonly limits: { readonly maxDataBytes: number; readonly maxAuthinfoBytes: number };
  linkActive(link: LearnerLink): void;
  linkClosed(link: LearnerLink, reason: Error | undefined): void;
  /** A message for the core. */
  received(link: LearnerLink, message: CoreMessage): void;
  acked(link: LearnerLink, zxid: Zxid): void;
  /** REQUEST, REVALIDATE, and the touched sessions of a PING. The packet is valid during the call. */
  requested(link: LearnerLink, packet: QuorumPacketView): void;
  revalidate(link: LearnerLink, sessionId: bigint, timeoutMs: number): void;
  touched(link: LearnerLink, touched: Uint8Array): void;
  /** Gives a chunk's bytes back that a packet was sent from. */
  releaseChunk(chunk: TxnChunk): void;
}

export class LearnerLink implements PeerLinkHandler, PeerStreamSink, SessionOwner {
  /** What the core knows this link by. */
  readonly number: number;
  /** -1 until the learner has said it. */
  sid: number;
  isObserver: boolean;
  /** It was told that it is up to date. */
  isSynced: boolean;
  /** It is closed, and nothing more goes to the learner. */
  isGone: boolean;
  /** Monotonic ms of the last answer to a PING. */
  pongMs: number;
  /** The last proposal that it acked; 0 for none. */
  lastAckedZxid: Zxid;
  /** The proposal whose ack is timed; 0 for none. */
  private timedZxid: Zxid;
  private timedMs: number;
  private readonly owner: LearnerLinkOwner;
  private readonly decoder: PeerStreamDecoder;
  private readonly sender: PacketSender;
  /** A sync is being sent over several turns; what comes after it waits here, in order. */
  private waiting: (() => void)[] | undefined;
  /** The last ack of a proposal in the bytes at hand; 0 for none. */
  private ackedZxid: Zxid;

  constructor(number: number, owner: LearnerLinkOwner) {
    this.number = number;
    this.sid = -1;
    this.isObserver = false;
    this.isSynced = false;
    this.isGone = false;
    this.pongMs = Number.NEGATIVE_INFINITY;
    this.lastAckedZxid = 0;
    this.timedZxid = 0;
    this.timedMs = 0;
    this.owner = owner;
    this.decoder = new PeerStreamDecoder(owner.limits);
    this.sender = new PacketSender();
    this.waiting = undefined;
    this.ackedZxid = 0;
  }

  attach(link: PeerLink): void {
    this.sender.link = link;
  }

  get address(): string {
    return `${this.host}:${(this.sender.link as PeerLink).connection.remotePort}`;
  }

  get host(): string {
    return (this.sender.link as PeerLink).connection.remoteAddress;
  }

  get backlogBytes(): number {
    return this.sender.link?.backlogBytes ?? 0;
  }

  get writes(): number {
    return this.sender.writes;
  }

  /** Proposals up to this one are sent: its ack is timed, unless that of another one is. */
  timeAck(zxid: Zxid, nowMs: number): void {
    if (this.timedZxid !== 0) return;
    this.timedZxid = zxid;
    this.timedMs = nowMs;
  }

  /** How long the ack took that was timed, if this one answers it; -1 otherwise. */
  ackTookMs(zxid: Zxid, nowMs: number): number {
    if (this.timedZxid === 0 || zxid < this.timedZxid) return -1;
    this.timedZxid = 0;
    return nowMs - this.timedMs;
  }

  // ---- What comes in ------------------------------------------------------------------------

  data(bytes: Buffer, start: number, end: number): void {
    const { owner } = this;
    owner.begin();
    owner.linkActive(this);
    try {
      this.decoder.push(bytes, start, end, this);
    } catch (error) {
      this.close(error as Error);
    }
    this.tellAcks();
    owner.end();
  }

  drained(): void {
    this.owner.begin();
    this.onDrained?.();
    this.owner.end();
  }

  closed(reason?: Error): void {
    this.owner.begin();
    this.isGone = true;
    this.waiting = undefined;
    this.owner.linkClosed(this, reason);
    this.owner.end();
  }

  /** Set by a bulk sender that waits for the link to take what it was given. */
  onDrained: (() => void) | undefined = undefined;

  packet(packet: QuorumPacketView): boolean {
    const { owner } = this;
    if (packet.type === PacketType.ACK) {
      // Of the proposals in these bytes the last ack is enough; that of NEWLEADER is one of its own.
      if (counterOf(packet.zxid) !== 0) this.ackedZxid = packet.zxid;
      else {
        this.tellAcks();
        owner.acked(this, packet.zxid);
      }
      return true;
    }
    if (packet.type === PacketType.REQUEST) {
      owner.requested(this, packet);
      return true;
    }
    const message = readPeerMessage(packet);
    switch (message?.type) {
      case undefined:
        return true;
      case PacketType.PING:
        if (message.touched !== null) owner.touched(this, message.touched);
        owner.received(this, { type: message.type, zxid: message.zxid });
        return true;
      case PacketType.REVALIDATE:
        if ('timeoutMs' in message) owner.revalidate(this, message.sessionId, message.timeoutMs);
        return true;
      case PacketType.FOLLOWERINFO:
      case PacketType.OBSERVERINFO:
        this.sid = message.info.sid ?? -1;
        this.isObserver = message.type === PacketType.OBSERVERINFO;
        owner.received(this, message);
        return true;
      default:
        owner.received(this, message as CoreMessage);
        return true;
    }
  }

  /** A learner sends no raw bytes. */
  raw(_bytes: Buffer, _start: number, end: number): number {
    return end;
  }

  private tellAcks(): void {
    if (this.ackedZxid === 0) return;
    const zxid = this.ackedZxid;
    this.ackedZxid = 0;
    this.owner.acked(this, zxid);
  }

  // ---- What goes out ------------------------------------------------------------------------

  sendMessage(message: PeerMessage): void {
    this.inOrder(() => this.sender.message(message));
  }

  /** PROPOSAL of each txn in (after, upTo]. */
  sendProposals(history: TxnHistory, after: Zxid, upTo: Zxid): void {
    this.inOrder(() => history.forEachIn(after, upTo, (txn) => this.sendTxn(txn)));
  }

  /** INFORM of each. */
  sendInforms(history: TxnHistory, after: Zxid, upTo: Zxid): void {
    this.inOrder(() => history.forEachIn(after, upTo, (txn) => this.sendInform(txn)));
  }

  /** COMMIT of each. */
  sendCommits(history: TxnHistory, after: Zxid, upTo: Zxid): void {
    this.inOrder(() =>
      history.forEachIn(after, upTo, ({ zxid }) => this.sendBare(PacketType.COMMIT, zxid)),
    );
  }

  /** PROPOSAL and COMMIT of each, in pairs: a sync. */
  sendPairs(history: TxnHistory, after: Zxid, upTo: Zxid): void {
    history.forEachIn(after, upTo, (txn) => {
      this.sendTxn(txn);
      this.sendBare(PacketType.COMMIT, txn.zxid);
    });
  }

  /** PROPOSAL and COMMIT of a txn whose entry is bytes[start, end), without a frame: from a log on disk. */
  sendLoggedPair(zxid: Zxid, bytes: Buffer, start: number, end: number): void {
    const { link } = this.sender;
    if (link === undefined) return;
    const length = end - start + BARE_BYTES;
    const isLong = length > GATHER_BYTES;
    const at = isLong ? 0 : link.reserve(length);
    const target = isLong ? Buffer.allocUnsafeSlow(length) : link.gather;
    bytes.copy(target, at + PACKET_HEAD_BYTES, start, end);
    const entryAt = at + PACKET_HEAD_BYTES;
    framePacket(target, entryAt, entryAt + (end - start), PacketType.PROPOSAL, zxid);
    if (isLong) link.send(target, 0, length, NOBODY);
    this.sendBare(PacketType.COMMIT, zxid);
  }

  /** Bytes of a sync, as they are, which are copied. False: wait for onDrained before more. */
  sendRaw(bytes: Buffer, start: number, end: number): boolean {
    const { link } = this.sender;
    if (link === undefined) return true;
    for (let at = start; at < end; at += GATHER_BYTES) {
      link.send(bytes, at, Math.min(end, at + GATHER_BYTES), NOBODY);
    }
    link.flush();
    return link.backlogBytes === 0;
  }

  sendBare(type: number, zxid: Zxid): void {
    this.sender.bare(type, zxid);
  }

  /** What is sent from now on waits until endSync(). */
  beginSync(): void {
    this.waiting = [];
  }

  endSync(): void {
    const { waiting } = this;
    this.waiting = undefined;
    for (const send of waiting ?? []) send();
  }

  flush(): void {
    this.sender.flush();
  }

  close(reason?: Error): void {
    this.waiting = undefined;
    this.sender.close(reason);
  }

  /** A leader's role has no client at the learner to tell. */
  sessionMoved(): void {}

  sessionClosed(): void {}

  private inOrder(send: () => void): void {
    if (this.waiting === undefined) send();
    else this.waiting.push(send);
  }

  /** The entry stands in the frame of a PROPOSAL in its chunk. */
  private sendTxn({ chunk, start, end }: CommittedTxn): void {
    const { link } = this.sender;
    if (link === undefined) return;
    const from = start - PACKET_HEAD_BYTES;
    const to = end + PACKET_TAIL_BYTES;
    if (to - from <= GATHER_BYTES) {
      link.send(chunk.bytes, from, to, NOBODY);
      return;
    }
    chunk.users++;
    if (link.send(chunk.bytes, from, to, this.chunkOwner(chunk))) this.owner.releaseChunk(chunk);
  }

  private sendInform({ chunk, start, end }: CommittedTxn): void {
    const { link } = this.sender;
    if (link === undefined) return;
    const from = start - PACKET_HEAD_BYTES;
    const length = end - start + BARE_BYTES;
    if (length > GATHER_BYTES) {
      // The frame in the chunk is a PROPOSAL's, which others may be sending.
      const copy = Buffer.from(chunk.bytes.subarray(from, end + PACKET_TAIL_BYTES));
      putInt32(copy, 0, PacketType.INFORM);
      link.send(copy, 0, length, NOBODY);
      return;
    }
    const at = link.reserve(length);
    chunk.bytes.copy(link.gather, at, from, end + PACKET_TAIL_BYTES);
    putInt32(link.gather, at, PacketType.INFORM);
  }

  private chunkOwner(chunk: TxnChunk): SliceOwner {
    return { sliceReleased: () => this.owner.releaseChunk(chunk) };
  }
}

/** For bytes that nobody writes again. */
