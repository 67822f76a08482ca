// The way of a write on a learner: to the leader as a REQUEST, and back as a txn that this member applies.
//
//   request ─► WaitingRequests, REQUEST ─► leader ─► PROPOSAL ... COMMIT ─► applied here ─► reply
//   sync    ─► FIFO, REQUEST            ─► leader ─► SYNC ─► released once all that came before it is applied
//   session ─► REVALIDATE               ─► leader ─► valid or not
//
// The leader answers every REQUEST with exactly one txn, in the order of the requests of this learner.
// Source: FollowerRequestProcessor, LearnerZooKeeperServer, Learner.validateSession (3.9.5).

import {
  type ByteReader,
  type ConnectRequest,
  OpCode,
  PacketType,
  type PeerMessage,
  putInt32,
  type Zxid,
} from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { AuditLog } from '../audit.ts';
import type { AccessControl } from '../auth/access-control.ts';
import { hasPassword } from '../connection/handshake.ts';
import type { Operation } from '../ops/op-table.ts';
import type { Serving } from '../serving.ts';
import type { Turns } from '../turns/turns.ts';
import type { WaitingRequest } from '../txns/waiting-requests.ts';
import type { Requestor, SessionOwner, WritePath } from '../txns/write-path.ts';

export interface ForwardedWritesOptions {
  readonly turns: Turns;
  readonly access: AccessControl;
  readonly audit: AuditLog | undefined;
  readonly serving: Serving;
  /** To the leader, at the end of the turn. */
  readonly send: (message: PeerMessage) => void;
}

/** A sync that waits for the leader's SYNC, then for everything committed before it. */
interface WaitingSync {
  readonly client: Requestor;
  readonly xid: number;
  readonly path: Buffer;
  readonly receivedMs: number;
  /** Released once this is applied; -1 until SYNC came. */
  afterZxid: Zxid;
}

/** A client that asks for a session that the leader must confirm. */
interface WaitingReattach {
  readonly client: Requestor;
  readonly timeoutMs: number;
  /** Decided once this is applied: the session's createSession may be on its way; -1 until REVALIDATE came. */
  afterZxid: Zxid;
}

export class ForwardedWrites implements WritePath {
  private readonly options: ForwardedWritesOptions;
  private readonly syncs: WaitingSync[];
  private readonly reattaches: Map<bigint, WaitingReattach[]>;
  /** Of those: confirmed, but for sessions that are not known here yet. */
  private readonly confirmed: { sessionId: bigint; waiting: WaitingReattach }[];

  constructor(options: ForwardedWritesOptions) {
    this.options = options;
    this.syncs = [];
    this.reattaches = new Map();
    this.confirmed = [];
  }

  get outstanding(): number {
    return this.options.serving.waiting.size + this.syncs.length;
  }

  write(
    operation: Operation,
    client: Requestor,
    xid: number,
    request: ByteReader,
    receivedMs: number,
    largeBytes: number,
  ): void {
    const { audit, access } = this.options;
    const session = client.session as Session;
    const waiting = this.wait(client, session, xid, operation.type, receivedMs);
    waiting.largeBytes = largeBytes;
    waiting.audited = audit?.requested(operation.type, request, {
      sessionId: session.id,
      users: access.auditUsers(client.identities),
      address: client.remoteAddress,
    });
    this.options.send({
      type: PacketType.REQUEST,
      sessionId: session.id,
      cxid: xid,
      opType: operation.type,
      body: request.bytes.subarray(request.offset, request.end),
      identities: client.identities,
    });
    // Nothing more is taken from a client that said goodbye.
    if (operation.type === OpCode.closeSession) session.closing = true;
  }

  readonly sync = (
    client: Requestor,
    xid: number,
    request: ByteReader,
    receivedMs: number,
  ): void => {
    const start = request.offset;
    request.skipBuffer();
    const path = Buffer.from(request.bytes.subarray(start, request.offset));
    this.syncs.push({ client, xid, path, receivedMs, afterZxid: -1 });
    this.options.send({
      type: PacketType.REQUEST,
      sessionId: (client.session as Session).id,
      cxid: xid,
      opType: OpCode.sync,
      body: path,
      identities: client.identities,
    });
  };

  createSession(client: Requestor, timeoutMs: number): void {
    const { serving, turns } = this.options;
    const sessionId = serving.sessions.allocateId();
    const halves = {
      idHigh: Number(sessionId >> 32n) | 0,
      idLow: Number(sessionId & 0xffffffffn) | 0,
    };
    this.wait(client, halves, 0, OpCode.createSession, turns.nowMs);
    const body = Buffer.allocUnsafe(4);
    putInt32(body, 0, timeoutMs);
    this.options.send({
      type: PacketType.REQUEST,
      sessionId,
      cxid: 0,
      opType: OpCode.createSession,
      body,
      identities: null,
    });
  }

  reattach(client: Requestor, request: ConnectRequest, timeoutMs: number): void {
    const sessionId = BigInt.asUintN(64, request.sessionId);
    if (!hasPassword(request)) {
      client.sessionDecided(undefined);
      return;
    }
    // What its former connection here has not been read of must not be forwarded after this: the client may have gone on
    // elsewhere by the time the leader hears of it.
    const owner = this.options.serving.sessions.get(sessionId)?.owner as SessionOwner | undefined;
    if (owner !== undefined && owner !== client) owner.sessionMoved();
    const waiting: WaitingReattach = { client, timeoutMs, afterZxid: -1 };
    const others = this.reattaches.get(sessionId);
    if (others === undefined) this.reattaches.set(sessionId, [waiting]);
    else others.push(waiting);
    this.options.send({ type: PacketType.REVALIDATE, sessionId, timeoutMs });
  }

  closeSession(): void {
    throw new Error('A learner closes no session of its own accord');
  }

  deleteContainer(): void {
    throw new Error('A learner deletes nothing of its own accord');
  }

  private wait(
    client: Requestor,
    session: { readonly idHigh: number; readonly idLow: number },
    xid: number,
    requestType: number,
    receivedMs: number,
  ): WaitingRequest {
    const { waiting, sequence } = this.options.serving;
    const request = waiting.add();
    request.zxid = 0;
    request.afterZxid = sequence.appendedZxid;
    request.sessionHigh = session.idHigh;
    request.sessionLow = session.idLow;
    request.connection = client;
    request.audited = undefined;
    request.xid = xid;
    request.requestType = requestType;
    request.receivedMs = receivedMs;
    request.largeBytes = 0;
    return request;
  }

  // ---- What the leader says -----------------------------------------------------------------

  /** SYNC: the oldest sync comes after everything that is committed by now, durable here or not. */
  synced(committedZxid: Zxid): void {
    const sync = this.syncs.find(({ afterZxid }) => afterZxid < 0);
    if (sync !== undefined) sync.afterZxid = committedZxid;
  }

  /** The answer to REVALIDATE; a learner's questions about one session are answered in order. */
  revalidated(sessionId: bigint, isValid: boolean): void {
    const id = BigInt.asUintN(64, sessionId);
    const others = this.reattaches.get(id);
    const waiting = others?.shift();
    if (others?.length === 0) this.reattaches.delete(id);
    if (waiting === undefined) return;
    const session = this.options.serving.sessions.get(id);
    if (!isValid) waiting.client.sessionDecided(undefined);
    else if (session !== undefined) this.adopt(session, waiting);
    else {
      // Its createSession was proposed before the leader answered, so it has come here already.
      waiting.afterZxid = this.options.serving.sequence.appendedZxid;
      this.confirmed.push({ sessionId: id, waiting });
    }
  }

  /** Everything that can be applied now is. */
  applied(): void {
    const { appliedZxid } = this.options.serving.sequence;
    for (let at = this.confirmed.length - 1; at >= 0; at--) {
      const { sessionId, waiting } = this.confirmed[at] as (typeof this.confirmed)[number];
      const session = this.options.serving.sessions.get(sessionId);
      if (session === undefined && waiting.afterZxid > appliedZxid) continue;
      this.confirmed.splice(at, 1);
      if (session === undefined) waiting.client.sessionDecided(undefined);
      else this.adopt(session, waiting);
    }
    this.releaseSyncs(appliedZxid);
  }

  /** A txn is about to be applied: syncs that come before it are answered first. */
  applying(zxid: Zxid): void {
    if (this.syncs.length > 0) this.releaseSyncs(zxid - 1);
  }

  private releaseSyncs(appliedZxid: Zxid): void {
    for (;;) {
      const sync = this.syncs[0];
      if (sync === undefined || sync.afterZxid < 0 || sync.afterZxid > appliedZxid) return;
      this.syncs.shift();
      sync.client.syncReleased(sync.xid, sync.path, sync.receivedMs);
    }
  }

  private adopt(session: Session, { client, timeoutMs }: WaitingReattach): void {
    if (client.isClosed) return;
    const owner = session.owner as SessionOwner | undefined;
    if (owner !== undefined && owner !== client) owner.sessionMoved();
    session.timeoutMs = timeoutMs;
    session.closing = false;
    client.sessionDecided(session);
  }
}
