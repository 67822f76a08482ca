// What a leader does beyond deciding: its txns go to the learners, their requests become txns, and nothing is
// committed before a quorum has it.

import {
  ByteReader,
  framePacket,
  OpCode,
  PacketType,
  type PeerMessage,
  type QuorumPacketView,
  RequestDataOffset,
  readTouched,
  type Zxid,
} from '@zebu/protocol';
import type { SessionTable } from '@zebu/session';
import { joinId } from '../database.ts';
import type { LearnerLink } from '../ensemble/learner-link.ts';
import type { Member } from '../member.ts';
import type { Serving } from '../serving.ts';
import type { Txn } from '../txns/txn-sequence.ts';
import {
  FORMER_OWNER,
  type Requestor,
  type SessionOwner,
  type WritePath,
} from '../txns/write-path.ts';
import { DecidingRole } from './deciding-role.ts';

/** What a leader's role needs of the driver of the core. */
export interface LeaderHost {
  /** (epoch,0): the first txn gets the zxid after it. */
  readonly firstZxid: Zxid;
  /** The zxid of the next txn; -1 while nothing may be proposed. */
  readonly nextZxid: Zxid;
  proposed(zxid: Zxid): void;
  /** Everything that can be applied now is. */
  applied(): void;
  logDurable(zxid: Zxid): void;
  /** Calls `released` once a quorum has answered something sent after this, and all proposed before is applied. */
  readBarrier(released: () => void): void;
  /** To a learner, at the end of the turn. */
  send(link: LearnerLink, message: PeerMessage): void;
  /** Whether every learner in sync has answered since this process stood still the last time. */
  readonly hasHeardAllSincePause: boolean;
}

export class LeaderRole extends DecidingRole {
  private readonly host: LeaderHost;
  private readonly reader: ByteReader;
  private isLeaving: boolean;

  constructor(member: Member, host: LeaderHost) {
    super(member);
    this.host = host;
    this.reader = new ByteReader();
    this.reader.maxLength = member.reader.maxLength;
    this.isLeaving = false;
  }

  /** Nothing that learners forward is taken any more: what was proposed can all be committed. */
  takeNoMore(): void {
    this.isLeaving = true;
  }

  get epochZxid(): Zxid {
    return this.host.firstZxid;
  }

  override durable(zxid: Zxid): void {
    this.host.logDurable(zxid);
  }

  applying(txn: Txn): void {
    this.parts?.serving.database.committedLog.add(txn);
  }

  applied(): void {
    this.host.applied();
  }

  protected override firstZxidAfter(): Zxid {
    return this.host.firstZxid;
  }

  protected override enterLog(_serving: Serving, txn: Txn): void {
    framePacket(txn.bytes, txn.start, txn.end, PacketType.PROPOSAL, txn.zxid);
    const { metrics } = this.member;
    metrics.proposedBytes(txn.end - txn.start);
    metrics.peerLinkTxns++;
    this.host.proposed(txn.zxid);
  }

  protected override mayPropose(): boolean {
    return this.host.nextZxid >= 0;
  }

  protected override mayExpire(): boolean {
    return this.host.hasHeardAllSincePause;
  }

  /** A quorum follows this leader still: not one that was replaced while it stood still, or was cut off (decision 084). */
  protected override confirm(decides: () => void): void {
    this.host.readBarrier(decides);
  }

  protected override sync(): WritePath['sync'] {
    return (client: Requestor, xid, request, receivedMs) => {
      const start = request.offset;
      request.skipBuffer();
      const path = Buffer.from(request.bytes.subarray(start, request.offset));
      // What is asked of a role that is over is never released.
      this.host.readBarrier(() => client.syncReleased(xid, path, receivedMs));
    };
  }

  // ---- What learners ask for ----------------------------------------------------------------

  /** A REQUEST: long session, int cxid, int type, body; the identities of the client. */
  requested(link: LearnerLink, packet: QuorumPacketView): void {
    const { parts, reader } = this;
    if (parts === undefined || this.isLeaving) return;
    // Out of zxids, or about to step down, for good: a sync must not be answered after a write that was not taken.
    if (!this.mayPropose()) return;
    reader.reset(packet.bytes, packet.dataStart, packet.dataEnd);
    const sessionId = BigInt.asUintN(64, reader.bigint64());
    const cxid = reader.int32();
    const type = reader.int32();
    reader.reset(packet.bytes, packet.dataStart + RequestDataOffset.body, packet.dataEnd);
    if (type === OpCode.sync) {
      this.host.readBarrier(() => this.host.send(link, { type: PacketType.SYNC, zxid: 0 }));
      return;
    }
    parts.writes.forwarded(link, type, sessionId, cxid, packet.authinfo() ?? [], reader);
  }

  /** Whether the session is alive; the learner that asks serves it from now on. */
  revalidate(link: LearnerLink, sessionId: bigint, timeoutMs: number): void {
    const { parts } = this;
    if (parts === undefined) return;
    const { metrics, turns } = this.member;
    metrics.revalidations++;
    const { sessions } = parts.serving;
    const session = sessions.get(sessionId);
    if (session !== undefined) sessions.touch(session, turns.nowMs);
    this.confirm(() => {
      if (link.isGone) return;
      const valid = session !== undefined && !session.closing;
      if (valid) {
        const owner = session.owner as SessionOwner | undefined;
        if (owner !== undefined && owner !== link) owner.sessionMoved();
        session.owner = link;
        session.timeoutMs = timeoutMs;
        sessions.touch(session, turns.nowMs);
      }
      this.host.send(link, { type: PacketType.REVALIDATE, sessionId, valid });
    });
  }

  /**
   * This process stood still. Learners may have left meanwhile, and nobody tells what they had heard of: every session
   * has its whole timeout again, as under a new leader.
   */
  stoodStill(): void {
    const sessions = this.parts?.serving.sessions;
    const { nowMs } = this.member.turns;
    for (const session of sessions?.values() ?? []) sessions?.touch(session, nowMs);
  }

  /** The sessions that a learner has heard of since the last PING. */
  touched(touched: Uint8Array): void {
    const sessions = this.parts?.serving.sessions;
    if (sessions !== undefined) touchAll(sessions, touched, this.member.turns.nowMs);
  }

  /** The learner is gone: its clients will be somebody else's. */
  learnerLeft(link: LearnerLink): void {
    const { parts } = this;
    if (parts === undefined) return;
    for (const session of parts.serving.sessions.values()) {
      if (session.owner === link) session.owner = FORMER_OWNER;
    }
  }
}

function touchAll(sessions: SessionTable, touched: Uint8Array, nowMs: number): void {
  readTouched(touched, (high, low, timeoutMs) => {
    const session = sessions.get(joinId(high, low));
    if (session === undefined) return;
    session.timeoutMs = timeoutMs;
    sessions.touch(session, nowMs);
  });
}
