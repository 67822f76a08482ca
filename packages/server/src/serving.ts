// One life of serving: built for one database and one role, and thrown away with either. Its clients are
// disconnected then; they find it, or another member, again.
//
//   WritePath ─► TxnSequence ─► TxnLog ─► durable ──┐
//                                  a quorum has it ─┴─► DataTree ─► events, then the reply, then parked reads
//
// A txn is applied once it is both durable here and committed. On a standalone server it is committed when it
// is durable; elsewhere the leader says so.

import { type DataTree, type PendingChanges, WatchTable } from '@zebu/data-tree';
import {
  ByteWriter,
  formatZxid,
  getInt32,
  OpCode,
  TXN_HEADER_BYTES,
  type Zxid,
} from '@zebu/protocol';
import { type Session, SessionTable } from '@zebu/session';
import type { DataDirectory } from '@zebu/storage';
import type { AuditLog } from './audit.ts';
import type { ServerConfig } from './config/server-config.ts';
import type { ServedConnection, ServedState } from './connection/connection-services.ts';
import type { ConnectionTable } from './connection/connection-table.ts';
import { WatchEvents, type Watcher } from './connection/watch-events.ts';
import { WatcherRemoval } from './connection/watcher-removal.ts';
import type { Database } from './database.ts';
import type { Environment } from './environment.ts';
import type { FailureCode } from './failure.ts';
import type { ServerMetrics } from './metrics/metrics.ts';
import { NamespaceTraffic } from './metrics/namespace-traffic.ts';
import { SnapshotSchedule } from './snapshots/snapshot-schedule.ts';
import { Snapshotter } from './snapshots/snapshotter.ts';
import type { Throttle } from './turns/throttle.ts';
import type { Turns } from './turns/turns.ts';
import { DigestLog } from './txns/digest-log.ts';
import { FlushSchedule } from './txns/flush-schedule.ts';
import type { TxnLog } from './txns/txn-log.ts';
import { type Txn, TxnSequence } from './txns/txn-sequence.ts';
import { type WaitingRequest, WaitingRequests } from './txns/waiting-requests.ts';
import type { Requestor, SessionOwner, WritePath } from './txns/write-path.ts';

/** Applying stops for other work of the loop after this long. */
const APPLY_SLICE_MS = 4;
/** Txns applied between two looks at the clock. */
const APPLY_SLICE_TXNS = 64;
/** Where the type of a txn stands in its header. */
const TYPE_OFFSET = 28;

/** What a life of serving takes from the member. */
export interface ServingServices {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly turns: Turns;
  readonly metrics: ServerMetrics;
  readonly throttle: Throttle;
  readonly audit: AuditLog | undefined;
  readonly connections: ConnectionTable<ServedConnection & Watcher>;
  /** Undefined for a server in memory. */
  readonly directory: DataDirectory | undefined;
  /** Makes the log; `onDurable` reports, `onFailure` ends this server. */
  openLog(
    lastZxid: Zxid,
    onDurable: (zxid: Zxid) => void,
    onFailure: (error: Error) => void,
  ): TxnLog;
  /** This server cannot go on. */
  fail(code: FailureCode, error: Error): void;
}

/** What differs between a standalone server, a leader and a learner. */
export interface ServingRole {
  /** The way of a write. Called once, when everything else stands. */
  makeWrites(serving: Serving): { writes: WritePath; pending: PendingChanges | undefined };
  /** (epoch,0) of the epoch of this role; undefined for a server on its own. */
  readonly epochZxid?: Zxid;
  /** A sign of life of a client of this member. */
  touch(session: Session, nowMs: number): void;
  /** This member's disk holds everything up to the zxid. */
  durable(zxid: Zxid): void;
  /** The txn is about to be applied; its bytes are valid during the call, or as long as its chunk is used. */
  applying?(txn: Txn): void;
  /** Everything that can be applied now is. */
  applied?(): void;
}

export class Serving implements ServedState {
  readonly services: ServingServices;
  readonly database: Database;
  readonly tree: DataTree;
  readonly sessions: SessionTable;
  readonly watches: WatchTable;
  readonly traffic: NamespaceTraffic;
  readonly events: WatchEvents;
  readonly sequence: TxnSequence;
  readonly waiting: WaitingRequests;
  readonly writes: WritePath;
  readonly digestLog: DigestLog;
  readonly snapshotter: Snapshotter | undefined;
  private readonly role: ServingRole;
  private readonly log: TxnLog;
  private readonly pending: PendingChanges | undefined;
  private readonly watcherRemoval: WatcherRemoval;
  private readonly flushSchedule: FlushSchedule;
  private readonly snapshotSchedule: SnapshotSchedule | undefined;
  private readonly reply: ByteWriter;
  /** Those of the tree that are counted in the metrics. */
  private digestMismatches: number;
  private readonly toResume: ServedConnection[];
  private isApplyScheduled: boolean;
  /** While the last requests are answered: called after each batch. */
  private onApplied: (() => void) | undefined;
  private state: 'preparing' | 'open' | 'closing' | 'ending' | 'ended';

  constructor(services: ServingServices, database: Database, role: ServingRole) {
    const { environment, config, turns, directory, connections, metrics } = services;
    this.services = services;
    this.database = database;
    this.role = role;
    this.tree = database.tree;
    this.sessions = new SessionTable({
      serverId: config.serverId,
      tickMs: config.tickTimeMs,
      wallNowMs: environment.clock.wallMs(),
      nowMs: turns.nowMs,
    });
    for (const [id, timeoutMs] of database.sessions) this.sessions.add(id, timeoutMs, turns.nowMs);
    this.watches = new WatchTable(this.tree.paths);
    this.traffic = new NamespaceTraffic(this.tree.paths, metrics);
    this.events = new WatchEvents({
      tree: this.tree,
      watches: this.watches,
      connections,
      metrics,
      traffic: this.traffic,
    });
    this.digestMismatches = this.tree.digestMismatches;
    metrics.digestMismatches += this.digestMismatches;
    const lastZxid = this.tree.lastProcessedZxid;
    this.sequence = new TxnSequence(lastZxid, database.chunks);
    this.waiting = new WaitingRequests();
    this.digestLog = new DigestLog();
    this.reply = new ByteWriter(4096);
    this.toResume = [];
    this.isApplyScheduled = false;
    this.onApplied = undefined;
    this.state = 'preparing';
    this.watcherRemoval = new WatcherRemoval(
      environment,
      turns,
      this.watches,
      connections,
      metrics,
    );
    this.log = services.openLog(
      lastZxid,
      (zxid) => this.durable(zxid),
      (error) => services.fail('txn log', error),
    );
    this.flushSchedule = new FlushSchedule(environment.scheduler, config, this.log);
    this.snapshotter =
      directory === undefined
        ? undefined
        : new Snapshotter({
            environment,
            config,
            directory,
            tree: this.tree,
            sessions: this.sessions,
            metrics,
          });
    this.snapshotSchedule =
      this.snapshotter === undefined
        ? undefined
        : new SnapshotSchedule(environment, config, this.log, this.snapshotter);
    const { writes, pending } = role.makeWrites(this);
    this.writes = writes;
    this.pending = pending;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Requests taken and not answered, of this member's clients. */
  get outstanding(): number {
    return this.writes.outstanding;
  }

  touch(session: Session): void {
    this.role.touch(session, this.services.turns.nowMs);
  }

  /** (epoch,0), which stands for all txns of the epochs before; 0 on a server on its own. */
  get epochZxid(): Zxid {
    return this.role.epochZxid ?? 0;
  }

  /** A leader of Apache's answers reads with (epoch,0) until the first txn of its epoch: a client may have seen that. */
  hasSeen(zxid: bigint): boolean {
    return zxid <= BigInt(Math.max(this.tree.lastProcessedZxid, this.epochZxid));
  }

  resumeAfterBatch(connection: ServedConnection): void {
    this.toResume.push(connection);
  }

  /** A connection that was served here takes no more requests. */
  connectionEnding(connection: ServedConnection): void {
    this.watcherRemoval.left(connection.slot);
  }

  // ---- Life ---------------------------------------------------------------------------------

  /** Clients are served from now on. */
  open(): void {
    this.state = 'open';
    // However long the start took: every session has its whole timeout to come back.
    const { nowMs } = this.services.turns;
    for (const session of this.sessions.values()) this.sessions.touch(session, nowMs);
  }

  /** Takes no more requests of clients; what was taken is answered. `onApplied` is called after each batch, and at the end. */
  closeForClients(onApplied: () => void): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.onApplied = onApplied;
  }

  /**
   * Takes no more requests; `done` when all that was taken is on disk and applied, or with the reason why
   * that failed. On a standalone server all of it is answered then.
   */
  drain(done: (error?: Error) => void): void {
    this.state = 'ending';
    this.flushSchedule.stop();
    this.log.close((error) => {
      if (this.state !== 'ending') return;
      if (error === undefined) this.applyAll();
      done(error);
    });
  }

  /**
   * After drain(): applies also what is in the log and not committed, so that the tree is what the disk holds.
   * Nobody is answered any more. What never reached the log is dropped.
   */
  fastForward(): void {
    this.sequence.commit(this.sequence.durableZxid);
    this.applyAll();
    this.sequence.drop();
    // The tree outlives this role: a leader may propose in the very turn in which it finds that it has no quorum.
    this.pending?.clear();
  }

  /** Everything is drained, or given up: nothing is applied or answered any more. */
  end(): void {
    this.state = 'ended';
    this.flushSchedule.stop();
    this.database.keepSessions(this.sessions);
    this.onApplied?.();
  }

  /** Ends at once, with the log: the disk can no longer be trusted. */
  abandon(): void {
    this.state = 'ended';
    this.flushSchedule.stop();
    this.log.abandon();
    this.onApplied?.();
  }

  /** The newest txn that is durable here. */
  get durableZxid(): Zxid {
    return this.sequence.durableZxid;
  }

  /** The file that txns go to, if another file, or none, has its name now. */
  lostFile(): string | undefined {
    return this.log.lostFile();
  }

  // ---- The way of a txn ---------------------------------------------------------------------

  /** The txn is in the log's hands. */
  readonly enterLog = (txn: Txn): void => {
    this.services.metrics.syncedRequests++;
    this.sequence.nextUnlogged(txn.zxid);
    this.log.append(txn.zxid, txn.bytes, txn.start, txn.end);
    this.flushSchedule.appended();
    this.snapshotSchedule?.appended(txn.zxid);
  };

  /** Hands every txn up to the zxid to the log, as one batch: for members of an ensemble. */
  writeLog(upTo: Zxid): void {
    for (;;) {
      const txn = this.sequence.nextUnlogged(upTo);
      if (txn === undefined) break;
      this.services.metrics.syncedRequests++;
      this.log.append(txn.zxid, txn.bytes, txn.start, txn.end);
      this.flushSchedule.appendedToBatch();
      this.snapshotSchedule?.appended(txn.zxid);
    }
    this.flushSchedule.batchEnds();
  }

  private durable(zxid: Zxid): void {
    this.sequence.durable(zxid);
    this.snapshotSchedule?.durable(zxid);
    this.role.durable(zxid);
    this.applyReady();
  }

  /** A quorum holds everything up to the zxid. */
  commit(zxid: Zxid): void {
    this.sequence.commit(zxid);
  }

  /** Applies what is durable and committed, and what follows from it. */
  applyReady(): void {
    if (this.isApplyScheduled || this.state === 'ended') return;
    const { turns } = this.services;
    turns.readClock();
    this.applyPass(turns.nowMs + APPLY_SLICE_MS);
  }

  private readonly continueApplying = (): void => {
    this.isApplyScheduled = false;
    if (this.state === 'ended') return;
    const { turns } = this.services;
    turns.readClock();
    this.applyPass(turns.deadlineFor(APPLY_SLICE_MS));
  };

  /** Applies and answers what is ready, up to `untilMs`. */
  private applyPass(untilMs: number): void {
    const { turns, metrics, environment } = this.services;
    const startedMs = turns.nowMs;
    const appliedBefore = metrics.commits;
    this.applyUntil(untilMs);
    this.afterBatch();
    if (metrics.commits === appliedBefore) return;
    metrics.commitPassTxns.add(metrics.commits - appliedBefore);
    metrics.commitPassTime.add(Math.trunc(environment.clock.monotonicMs() - startedMs));
  }

  private applyAll(): void {
    this.services.turns.readClock();
    this.applyUntil(Number.POSITIVE_INFINITY);
  }

  /** Replies go out, then those go on that waited for the batch. */
  private afterBatch(): void {
    const { turns, throttle } = this.services;
    this.role.applied?.();
    turns.flush();
    if (!throttle.isFull(this.outstanding)) throttle.release();
    const { toResume } = this;
    for (let i = 0; i < toResume.length; i++) (toResume[i] as ServedConnection).resume();
    toResume.length = 0;
    turns.flush();
    this.onApplied?.();
  }

  /** Applies in order; what is left at `untilMs` comes in a later turn. */
  private applyUntil(untilMs: number): void {
    const { turns, environment } = this.services;
    let count = 0;
    for (;;) {
      const txn = this.sequence.next();
      if (txn === undefined) return;
      try {
        this.apply(txn);
      } catch (error) {
        // Half a txn may be in the tree: nothing may be served from it.
        this.services.fail('apply', error as Error);
        return;
      }
      this.sequence.shift();
      if (++count % APPLY_SLICE_TXNS !== 0) continue;
      // Handing replies over takes longer than applying: it counts.
      if (turns.isCrowded) turns.flush();
      if (environment.clock.monotonicMs() > untilMs) {
        this.isApplyScheduled = true;
        environment.scheduler.afterTurn(this.continueApplying);
        return;
      }
    }
  }

  private apply(txn: Txn): void {
    const { tree, reply, pending } = this;
    const { metrics, throttle, audit } = this.services;
    const { zxid, bytes, start, end } = txn;
    this.role.applying?.(txn);
    const request = this.waiting.answeredBy(txn);
    const client = request?.connection;
    this.events.zxid = zxid;
    reply.reset();
    const wantsReply = client !== undefined && !client.isClosed;
    const outcome = tree.apply(
      bytes,
      start,
      end,
      this.events,
      wantsReply ? reply : undefined,
      pending,
    );
    const error = txn.error || outcome;
    if (pending !== undefined) {
      const changesBefore = pending.size;
      pending.applied(zxid);
      metrics.outstandingChangesRemoved += changesBefore - pending.size;
    }
    metrics.commits++;
    metrics.propagationLatency.add(Math.trunc(this.services.turns.nowMs - txn.preparedMs));
    if (tree.digestMismatches !== this.digestMismatches) this.noteDigestMismatch(zxid);
    if (this.digestLog.wants(zxid)) this.digestLog.add(zxid, tree.digest);
    if (request !== undefined && request.largeBytes > 0) throttle.finishLarge(request.largeBytes);
    const type = getInt32(bytes, start + TYPE_OFFSET);
    if (audit !== undefined) tellAudit(audit, request, type, error, txn);
    if (type === OpCode.createSession) this.applyCreateSession(txn, client);
    else if (type === OpCode.closeSession) this.applyCloseSession(txn, request);
    else if (request !== undefined) client?.writeApplied(request, zxid, error, reply);
    if (request !== undefined) this.waiting.shift();
  }

  /** The txn led to a tree that its preparation had not expected. It stays applied, as in Apache. */
  private noteDigestMismatch(zxid: Zxid): void {
    const { metrics, environment } = this.services;
    metrics.digestMismatches += this.tree.digestMismatches - this.digestMismatches;
    this.digestMismatches = this.tree.digestMismatches;
    environment.logger.error('The digest of a txn does not match the tree it led to', {
      zxid: formatZxid(zxid),
      mismatches: this.digestMismatches,
    });
  }

  private applyCreateSession(txn: Txn, client: Requestor | undefined): void {
    const { bytes, start } = txn;
    const id = bytes.readBigUInt64BE(start);
    const timeoutMs = bytes.readInt32BE(start + TXN_HEADER_BYTES);
    const session = this.sessions.add(id, timeoutMs, this.services.turns.nowMs);
    client?.sessionCreated(session);
  }

  private applyCloseSession(txn: Txn, request: WaitingRequest | undefined): void {
    const session = this.sessions.get(txn.bytes.readBigUInt64BE(txn.start));
    const owner = session?.owner as SessionOwner | undefined;
    if (session !== undefined) this.sessions.remove(session);
    const client = request?.connection;
    if (request !== undefined && client !== undefined) {
      this.reply.reset();
      client.writeApplied(request, txn.zxid, 0, this.reply);
      client.closeAfterFlush();
    }
    if (owner !== undefined && owner !== client) owner.sessionClosed();
  }
}

function tellAudit(
  audit: AuditLog,
  request: WaitingRequest | undefined,
  type: number,
  error: number,
  { bytes, start, end }: Txn,
): void {
  if (request?.audited !== undefined) audit.applied(request.audited, error, bytes, start, end);
  else if (type === OpCode.closeSession) audit.sessionClosed(bytes, start, end);
}
