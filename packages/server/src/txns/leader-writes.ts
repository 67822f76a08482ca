// The way of a write on the member that decides: a standalone server, or a leader.
//
//   request ─► Preparation ─► TxnSequence ─► the txn log, and on a leader the learners
//                                  └─► WaitingRequests, if a client of this member asked
//
// Nothing is decided twice: a txn is in the log's hands before the next request is looked at.

import type { DataTree, PathId } from '@zebu/data-tree';
import {
  type ByteReader,
  ByteWriter,
  type ConnectRequest,
  ErrorCode,
  OpCode,
  putInt32,
  type Zxid,
} from '@zebu/protocol';
import { formatSessionId, type Session, type SessionTable } from '@zebu/session';
import type { AuditLog } from '../audit.ts';
import type { AccessControl } from '../auth/access-control.ts';
import type { Identity } from '../auth/identity.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { hasPassword } from '../connection/handshake.ts';
import { joinId } from '../database.ts';
import type { Clock } from '../environment.ts';
import type { Logger } from '../logger.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import { prepareCloseSession } from '../ops/close-session.ts';
import { prepareCreateSession } from '../ops/create-session.ts';
import { prepareDeleteContainer } from '../ops/delete.ts';
import { type Operation, operationOf, type Prepare } from '../ops/op-table.ts';
import { Seldom } from '../turns/seldom.ts';
import type { Turns } from '../turns/turns.ts';
import { NOBODY_ASKS, Preparation, type Requester } from './preparation.ts';
import type { Txn, TxnSequence } from './txn-sequence.ts';
import type { WaitingRequests } from './waiting-requests.ts';
import type { Requestor, SessionOwner, WritePath } from './write-path.ts';

/** One preparation in so many is timed: each costs two looks at the clock. */
const TIMED_PREPARATIONS = 32;
/** Warnings about soft quotas are this far apart. */
const WARNING_MS = 60_000;

export interface LeaderWritesOptions {
  readonly clock: Clock;
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly turns: Turns;
  readonly metrics: ServerMetrics;
  readonly access: AccessControl;
  readonly audit: AuditLog | undefined;
  /** Reused for every request; valid during one call. */
  readonly reader: ByteReader;
  readonly tree: DataTree;
  readonly sessions: SessionTable;
  readonly sequence: TxnSequence;
  readonly waiting: WaitingRequests;
  /** The first txn gets the zxid after this one. */
  readonly lastZxid: Zxid;
  /** False: this member stops deciding, and what comes is not taken. */
  readonly mayPropose: () => boolean;
  /** Calls back once it is sure that no other member decides by now; never if one does. */
  readonly confirm: (decides: () => void) => void;
  /** From here on the txn can become durable, be applied and be answered at any time. */
  readonly enterLog: (txn: Txn) => void;
  /** A request brought about an exception that no request should. */
  readonly noteDefect: (error: Error) => void;
}

export class LeaderWrites implements WritePath {
  readonly sync: WritePath['sync'];
  readonly preparation: Preparation;
  private readonly options: LeaderWritesOptions;
  private readonly quotaWarning: Seldom;
  private readonly sequenceWarning: Seldom;
  private readonly ttlWarning: Seldom;

  constructor(options: LeaderWritesOptions, sync?: WritePath['sync']) {
    this.options = options;
    this.sync = sync;
    this.quotaWarning = new Seldom(WARNING_MS);
    this.sequenceWarning = new Seldom(WARNING_MS);
    this.ttlWarning = new Seldom(WARNING_MS);
    this.preparation = new Preparation({
      tree: options.tree,
      access: options.access,
      config: options.config,
      sequence: options.sequence,
      lastZxid: options.lastZxid,
      onOverQuota: (path, isHard) => this.noteOverQuota(path, isHard),
      onSequenceEnd: (parent) => this.noteSequenceEnd(parent),
      onTtlRefused: () => this.noteTtlRefused(),
      onDefect: options.noteDefect,
    });
  }

  get outstanding(): number {
    return this.options.sequence.size;
  }

  write(
    operation: Operation,
    client: Requestor,
    xid: number,
    request: ByteReader,
    receivedMs: number,
    largeBytes: number,
  ): void {
    const { audit, access, sessions } = this.options;
    const session = client.session as Session;
    if (!this.options.mayPropose()) {
      client.abort(new Error('This member stops leading'));
      return;
    }
    const audited = audit?.requested(operation.type, request, {
      sessionId: session.id,
      users: access.auditUsers(client.identities),
      address: client.remoteAddress,
    });
    const isOwner = session.owner === client || operation.type === OpCode.closeSession;
    const prepare = isOwner ? (operation.prepare as Prepare) : refuseMoved;
    const txn = this.prepare(operation.type, prepare, session, xid, client.identities, request);
    const waiting = this.options.waiting.add();
    waiting.zxid = txn.zxid;
    waiting.connection = client;
    waiting.audited = audited;
    waiting.xid = xid;
    waiting.requestType = operation.type;
    waiting.receivedMs = receivedMs;
    waiting.largeBytes = largeBytes;
    this.options.enterLog(txn);
    if (operation.type === OpCode.closeSession) sessions.markClosing(session);
  }

  createSession(client: Requestor, timeoutMs: number): void {
    const { sessions, reader } = this.options;
    if (!this.options.mayPropose()) {
      client.abort();
      return;
    }
    const id = sessions.allocateId();
    const body = Buffer.allocUnsafe(4);
    putInt32(body, 0, timeoutMs);
    const requester = { idHigh: Number(id >> 32n) | 0, idLow: Number(id & 0xffffffffn) | 0 };
    const request = reader.reset(body, 0, 4);
    const txn = this.prepare(OpCode.createSession, prepareCreateSession, requester, 0, [], request);
    const waiting = this.options.waiting.add();
    waiting.zxid = txn.zxid;
    waiting.connection = client;
    waiting.audited = undefined;
    waiting.xid = 0;
    waiting.requestType = OpCode.createSession;
    waiting.receivedMs = this.options.turns.nowMs;
    waiting.largeBytes = 0;
    this.options.enterLog(txn);
  }

  reattach(client: Requestor, request: ConnectRequest, timeoutMs: number): void {
    const { sessions, turns } = this.options;
    const session = sessions.get(request.sessionId);
    if (session === undefined || session.closing || !hasPassword(request)) {
      client.sessionDecided(undefined);
      return;
    }
    // Heard of now, whatever the others say: it does not end while they are asked.
    sessions.touch(session, turns.nowMs);
    this.options.confirm(() => {
      if (client.isClosed) return;
      if (session.closing) {
        client.sessionDecided(undefined);
        return;
      }
      // Only a client that knows the password takes the session from its owner (decision 030).
      const { owner } = session;
      if (owner !== undefined && owner !== client) (owner as SessionOwner).sessionMoved();
      session.timeoutMs = timeoutMs;
      sessions.touch(session, turns.nowMs);
      client.sessionDecided(session);
    });
  }

  /**
   * Takes the request of a learner's client, or one that the learner itself makes: it becomes exactly one txn.
   * The request's bytes are read now and not kept.
   */
  forwarded(
    owner: SessionOwner,
    type: number,
    sessionId: bigint,
    cxid: number,
    identities: readonly Identity[],
    request: ByteReader,
  ): void {
    const { sessions, turns } = this.options;
    if (!this.options.mayPropose()) return;
    const requester = {
      idHigh: Number(BigInt.asIntN(32, sessionId >> 32n)),
      idLow: Number(BigInt.asIntN(32, sessionId)),
    };
    const session = sessions.get(sessionId);
    let prepare: Prepare;
    if (type === OpCode.createSession) {
      prepare = prepareCreateSession;
      // Its client may write as soon as a quorum has the txn, which may be before it is applied here.
      const timeoutMs = request.remaining >= 4 ? request.bytes.readInt32BE(request.offset) : 0;
      const tracked = sessions.track(sessionId, timeoutMs, turns.nowMs);
      tracked.owner = owner;
    } else if (type === OpCode.closeSession) {
      prepare = prepareCloseSession;
      if (session !== undefined) sessions.markClosing(session);
    } else {
      const refusal = this.refusalOf(session, owner);
      const operation = operationOf(type);
      prepare =
        refusal !== 0 ? () => refusal : (operation?.prepare ?? (() => ErrorCode.UNIMPLEMENTED));
    }
    this.options.enterLog(this.prepare(type, prepare, requester, cxid, identities, request));
  }

  /** ZooKeeperServer.checkSession: the error of a write whose session is gone, or served elsewhere; 0: none. */
  private refusalOf(session: Session | undefined, owner: SessionOwner): number {
    if (session === undefined || session.closing) return ErrorCode.SESSIONEXPIRED;
    session.owner ??= owner;
    return session.owner === owner ? 0 : ErrorCode.SESSIONMOVED;
  }

  closeSession(session: Requester): void {
    if (!this.options.mayPropose()) return;
    const request = this.options.reader.reset(NO_BYTES, 0, 0);
    const { closeSession } = OpCode;
    this.options.enterLog(this.prepare(closeSession, prepareCloseSession, session, 0, [], request));
  }

  /** The session's time is up. */
  expire(session: Session): void {
    this.options.metrics.staleSessionsExpired++;
    this.options.logger.info('Session expired', {
      session: formatSessionId(session.id),
      timeoutMs: session.timeoutMs,
    });
    this.closeSession(session);
  }

  /**
   * Ephemerals whose session no snapshot or log knows: their sessions are closed now, as a txn
   * (ZooKeeperServer.loadData, killSession).
   */
  closeOrphans(): void {
    const { tree, sessions } = this.options;
    const orphans: Requester[] = [];
    tree.ephemerals.forEachSession((high, low) => {
      if (sessions.get(joinId(high, low)) === undefined) {
        orphans.push({ idHigh: high, idLow: low });
      }
    });
    for (const orphan of orphans) this.closeSession(orphan);
  }

  deleteContainer(id: PathId): void {
    if (!this.options.mayPropose()) return;
    const { turns, tree, reader } = this.options;
    turns.readClock();
    const path = new ByteWriter(256);
    path.string(tree.paths.pathString(id));
    const request = reader.reset(path.bytes, 0, path.offset);
    const { deleteContainer } = OpCode;
    this.options.enterLog(
      this.prepare(deleteContainer, prepareDeleteContainer, NOBODY_ASKS, 0, [], request),
    );
  }

  private prepare(
    type: number,
    prepare: Prepare,
    requester: Requester,
    cxid: number,
    identities: readonly Identity[],
    request: ByteReader,
  ): Txn {
    const { turns, metrics, clock } = this.options;
    const { pending } = this.preparation;
    const changesBefore = pending.size;
    const isTimed =
      type === OpCode.closeSession || metrics.preparedRequests % TIMED_PREPARATIONS === 0;
    const beganMs = isTimed ? clock.monotonicMs() : 0;
    metrics.preparedRequests++;
    const txn = this.preparation.prepare(
      type,
      prepare,
      requester,
      cxid,
      identities,
      request,
      turns.wallMs,
      turns.nowMs,
    );
    metrics.proposals++;
    metrics.outstandingChangesQueued += pending.size - changesBefore;
    if (isTimed) this.notePreparation(type, clock.monotonicMs() - beganMs);
    return txn;
  }

  private notePreparation(type: number, durationMs: number): void {
    const { metrics } = this.options;
    const ms = Math.trunc(durationMs);
    metrics.prepareTime.add(ms);
    if (type === OpCode.closeSession) metrics.closeSessionPrepareTime.add(ms);
  }

  // Old clients only show the number of the error, Unimplemented.
  private noteTtlRefused(): void {
    const { turns, logger } = this.options;
    if (!this.ttlWarning.passes(turns.nowMs)) return;
    logger.warn('A client asked for a TTL znode: set extendedTypesEnabled=true to allow them');
  }

  private noteSequenceEnd(parent: string): void {
    const { turns, logger } = this.options;
    if (!this.sequenceWarning.passes(turns.nowMs)) return;
    logger.warn(
      'A sequence counter is at its end: sequential creates there fail with NodeExists from now on; use another parent',
      { parent, counter: 0x7fffffff },
    );
  }

  /** Hard limits are counted, soft ones are written to the log: at most once in a while. */
  private noteOverQuota(path: string, isHard: boolean): void {
    const { metrics, turns, logger } = this.options;
    if (isHard) metrics.addQuotaExceeded(path.split('/')[1] ?? '');
    else if (this.quotaWarning.passes(turns.nowMs)) logger.warn('Over a soft quota', { path });
  }
}

const NO_BYTES = Buffer.alloc(0);

/** The session's client is connected to another member now. */
const refuseMoved: Prepare = () => ErrorCode.SESSIONMOVED;
