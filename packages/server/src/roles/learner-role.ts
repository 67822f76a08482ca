// A follower or an observer: what its clients write goes to the leader, what the leader commits is applied here.

import { framePacket, getInt32, PacketType, type PeerMessage, type Zxid } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import { ForwardedWrites } from '../ensemble/forwarded-writes.ts';
import { TouchTable } from '../ensemble/touch-table.ts';
import type { Member, MemberRole } from '../member.ts';
import type { Serving } from '../serving.ts';
import type { Txn } from '../txns/txn-sequence.ts';
import type { WritePath } from '../txns/write-path.ts';

/** How a txn comes: in a sync, or as the leader proposes it, or as it tells an observer of a commit. */
export type TxnArrival = 'synced' | 'proposed' | 'informed';

/** Where a txn's header has its time. */
const TIME_OFFSET = 20;

/** What a learner's role needs of the driver of the core. */
export interface LearnerHost {
  /** (epoch,0) of the leader's epoch. */
  readonly epochZxid: Zxid;
  send(message: PeerMessage): void;
  logDurable(zxid: Zxid): void;
  /** Everything that can be applied now is. */
  applied(): void;
}

export class LearnerRole implements MemberRole {
  readonly touches: TouchTable;
  private readonly member: Member;
  private readonly host: LearnerHost;
  private parts: { readonly serving: Serving; readonly writes: ForwardedWrites } | undefined;

  constructor(member: Member, host: LearnerHost) {
    this.member = member;
    this.host = host;
    this.touches = new TouchTable();
    this.parts = undefined;
  }

  makeWrites(serving: Serving): { writes: WritePath; pending: undefined } {
    const { turns, access, audit } = this.member;
    const writes = new ForwardedWrites({
      turns,
      access,
      audit,
      serving,
      send: (message) => this.host.send(message),
    });
    this.parts = { serving, writes };
    return { writes, pending: undefined };
  }

  get epochZxid(): Zxid {
    return this.host.epochZxid;
  }

  start(): void {}

  stop(): void {}

  touch(session: Session, nowMs: number): void {
    this.touches.touch(session);
    // Nobody expires here: this is what `dump` shows of connections.
    this.parts?.serving.sessions.touch(session, nowMs);
  }

  durable(zxid: Zxid): void {
    this.host.logDurable(zxid);
  }

  applying(txn: Txn): void {
    this.parts?.writes.applying(txn.zxid);
    this.parts?.serving.database.committedLog.add(txn);
  }

  applied(): void {
    this.parts?.writes.applied();
    this.host.applied();
  }

  // ---- What the leader says -----------------------------------------------------------------

  /** Takes a txn over: its bytes are copied, with the frame of a PROPOSAL around them. */
  take(zxid: Zxid, bytes: Buffer, start: number, end: number, how: TxnArrival): void {
    const serving = this.parts?.serving;
    if (serving === undefined) return;
    const { sequence } = serving;
    const length = end - start;
    const at = sequence.begin(length);
    const { writer } = sequence;
    writer.raw(bytes, start, end);
    const { metrics, turns } = this.member;
    metrics.peerLinkTxns++;
    const ageMs = how === 'synced' ? 0 : this.ageMs(bytes, start);
    if (how === 'proposed') metrics.proposalLatency.add(Math.trunc(ageMs));
    const txn = sequence.append(zxid, at, turns.nowMs - ageMs);
    framePacket(txn.bytes, txn.start, txn.end, PacketType.PROPOSAL, zxid);
  }

  // The time in a txn's header is by the wall clock of the leader: where that is ahead, the age is taken for 0.
  private ageMs(bytes: Buffer, start: number): number {
    const high = getInt32(bytes, start + TIME_OFFSET);
    const preparedMs = high * 2 ** 32 + (getInt32(bytes, start + TIME_OFFSET + 4) >>> 0);
    return Math.max(0, this.member.environment.clock.wallMs() - preparedMs);
  }

  /** SYNC; everything up to the zxid is committed. */
  synced(committedZxid: Zxid): void {
    this.parts?.writes.synced(committedZxid);
  }

  revalidated(sessionId: bigint, isValid: boolean): void {
    this.parts?.writes.revalidated(sessionId, isValid);
  }
}
