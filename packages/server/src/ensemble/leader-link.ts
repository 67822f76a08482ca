// A learner's side of the link to its leader.
//
//   leader ─► PeerStreamDecoder ─► DIFF, TRUNC, SNAP    ─► core, then the host prepares its database: nothing is
//                                                          read on before that
//                              ├─► PROPOSAL, INFORM     ─► core; the txn's bytes to the TxnSequence
//                              ├─► COMMIT, NEWLEADER ... ─► core
//                              └─► SYNC, REVALIDATE      ─► ForwardedWrites
//
// Source: Learner, Follower, Observer (3.9.5).

import {
  getInt32,
  PacketType,
  type PeerMessage,
  PeerStreamDecoder,
  type PeerStreamSink,
  packetTypeName,
  type QuorumPacketView,
  readPeerMessage,
  TXN_HEADER_BYTES,
  type Zxid,
} from '@zebu/protocol';
import type { PeerLink, PeerLinkHandler } from '@zebu/transport';
import type { CoreMessage } from '@zebu/zab';
import { PacketSender } from './packet-sender.ts';
import type { TxnHistory } from './txn-history.ts';

/** What a learner's link needs of the driver. */
export interface LeaderLinkOwner {
  begin(): void;
  end(): void;
  readonly limits: { readonly maxDataBytes: number; readonly maxAuthinfoBytes: number };
  linkUp(link: LeaderLink): void;
  linkActive(link: LeaderLink): void;
  linkClosed(link: LeaderLink, reason: Error | undefined): void;
  received(link: LeaderLink, message: CoreMessage): void;
  /** A sync begins. False: the database is not ready; read on with LeaderLink.resume(). */
  syncBegins(link: LeaderLink, mode: number, zxid: Zxid): boolean;
  /** Bytes of a SNAP's stream; returns the offset after the last one used, and whether the stream is over. */
  snapshotBytes(
    link: LeaderLink,
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean };
  /** A txn, whose entry is bytes[start, end); valid during the call. */
  proposed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void;
  informed(link: LeaderLink, zxid: Zxid, bytes: Buffer, start: number, end: number): void;
  committed(link: LeaderLink, zxid: Zxid): void;
  synced(): void;
  /** The leader stops: what it has not committed by now, it has not proposed. A PING with data, of a zebu leader only. */
  goodbye(): void;
  revalidated(sessionId: bigint, isValid: boolean): void;
}

export class LeaderLink implements PeerLinkHandler, PeerStreamSink {
  readonly number: number;
  private readonly owner: LeaderLinkOwner;
  private readonly decoder: PeerStreamDecoder;
  private readonly sender: PacketSender;
  private isStopped: boolean;
  /** The raw part of a SNAP has ended, and its database is not ready. */
  private isRawDone: boolean;
  /** What came while nothing is read. */
  private readonly held: Buffer[];
  /** Called in place of linkClosed() until the leader has answered. */
  onDialFailed: (() => void) | undefined;

  constructor(number: number, owner: LeaderLinkOwner) {
    this.number = number;
    this.owner = owner;
    this.decoder = new PeerStreamDecoder(owner.limits);
    this.sender = new PacketSender();
    this.isStopped = false;
    this.isRawDone = false;
    this.held = [];
    this.onDialFailed = undefined;
  }

  attach(link: PeerLink): void {
    this.sender.link = link;
  }

  get writes(): number {
    return this.sender.writes;
  }

  // ---- What comes in ------------------------------------------------------------------------

  connected(): void {
    this.owner.begin();
    this.owner.linkUp(this);
    this.owner.end();
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.owner.begin();
    this.owner.linkActive(this);
    // A paused connection may bring one more read.
    if (this.isStopped) this.held.push(Buffer.from(bytes.subarray(start, end)));
    else this.push(bytes, start, end);
    this.owner.end();
  }

  drained(): void {}

  closed(reason?: Error): void {
    this.owner.begin();
    const { onDialFailed } = this;
    this.onDialFailed = undefined;
    if (onDialFailed !== undefined) onDialFailed();
    else this.owner.linkClosed(this, reason);
    this.owner.end();
  }

  /** The database is ready: reads on. */
  resume(): void {
    this.isStopped = false;
    if (this.isRawDone) {
      this.isRawDone = false;
      this.decoder.leaveRaw();
    }
    this.push(NO_BYTES, 0, 0);
    while (!this.isStopped) {
      const held = this.held.shift();
      if (held === undefined) break;
      this.push(held, 0, held.length);
    }
    if (!this.isStopped) this.sender.link?.resume();
  }

  private push(bytes: Buffer, start: number, end: number): void {
    try {
      this.decoder.push(bytes, start, end, this);
    } catch (error) {
      this.close(error as Error);
    }
  }

  packet(packet: QuorumPacketView): boolean {
    const { owner } = this;
    const { type, zxid, bytes, dataStart, dataEnd } = packet;
    switch (type) {
      case PacketType.PROPOSAL:
        this.checkEntry(packet);
        owner.proposed(this, zxid, bytes, dataStart, dataEnd);
        return true;
      case PacketType.INFORM:
        this.checkEntry(packet);
        owner.informed(this, zxid, bytes, dataStart, dataEnd);
        return true;
      case PacketType.COMMIT:
        owner.committed(this, zxid);
        return true;
      case PacketType.SYNC:
        owner.synced();
        return true;
      case PacketType.PING:
        if (dataEnd > dataStart) owner.goodbye();
        owner.received(this, { type, zxid });
        return true;
      case PacketType.DIFF:
      case PacketType.TRUNC:
      case PacketType.SNAP: {
        owner.received(this, { type, zxid });
        if (type === PacketType.SNAP) this.decoder.enterRaw();
        if (owner.syncBegins(this, type, zxid)) return true;
        this.isStopped = true;
        this.sender.link?.pause();
        return false;
      }
      case PacketType.COMMITANDACTIVATE:
      case PacketType.INFORMANDACTIVATE:
        throw new Error(`${packetTypeName(type)}: this version takes no part in a reconfig`);
      default:
        break;
    }
    const message = readPeerMessage(packet);
    if (message === undefined) return true;
    if (message.type === PacketType.REVALIDATE) {
      if ('valid' in message) owner.revalidated(message.sessionId, message.valid);
    } else owner.received(this, message as CoreMessage);
    return true;
  }

  raw(bytes: Buffer, start: number, end: number): number {
    const { used, isDone } = this.owner.snapshotBytes(this, bytes, start, end);
    // The decoder leaves the raw part in resume(): what follows is for the new database.
    this.isRawDone = isDone;
    return used;
  }

  /** Nothing is read before resume(). */
  stop(): void {
    this.isStopped = true;
    this.sender.link?.pause();
  }

  /** The entry must be one, and of this zxid: it goes into the log as it is. */
  private checkEntry({ zxid, bytes, dataStart, dataEnd, type }: QuorumPacketView): void {
    const length = dataEnd - dataStart;
    if (length <= TXN_HEADER_BYTES) {
      throw new Error(`${packetTypeName(type)} 0x${zxid.toString(16)} has ${length} bytes of txn`);
    }
    const inside =
      getInt32(bytes, dataStart + 12) * 2 ** 32 + (getInt32(bytes, dataStart + 16) >>> 0);
    if (inside === zxid) return;
    throw new Error(
      `${packetTypeName(type)} 0x${zxid.toString(16)} holds the txn 0x${inside.toString(16)}`,
    );
  }

  // ---- What goes out ------------------------------------------------------------------------

  sendMessage(message: PeerMessage): void {
    this.sender.message(message);
  }

  /** ACK of each txn in (after, upTo]. */
  sendAcks(history: TxnHistory, after: Zxid, upTo: Zxid): void {
    history.forEachIn(after, upTo, ({ zxid }) => this.sender.bare(PacketType.ACK, zxid));
  }

  flush(): void {
    this.sender.flush();
  }

  close(reason?: Error): void {
    this.sender.close(reason);
  }
}

const NO_BYTES = Buffer.alloc(0);
