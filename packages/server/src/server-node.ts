// One member: everything a running server is made of, and the way of a request through it.
//
//   socket ─► ClientConnection ─► read: answered from the tree
//                             └─► write: submit() ─► Preparation ─► ProposalWindow + TxnLog
//                                                                        │ durable
//   socket ◄─ ClientConnection ◄─ events, then reply ◄─ DataTree ◄─ applyDurable()
//
// A txn is applied, and answered, only once the log says that it is durable. Everything runs in
// turns of the event loop (turns.ts). Nothing here knows a clock, a disk or a socket but through Environment.

import { type PathId, WatchTable } from '@zebu/data-tree';
import {
  ByteReader,
  ByteWriter,
  OpCode,
  putInt32,
  TXN_HEADER_BYTES,
  type Zxid,
} from '@zebu/protocol';
import { formatSessionId, type Session, SessionTable } from '@zebu/session';
import type { DataDirectory } from '@zebu/storage';
import type { Connection, ConnectionHandler, Listener } from '@zebu/transport';
import { AuditLog, type Requester as AuditRequester } from './audit.ts';
import { AccessControl } from './auth/access-control.ts';
import type { ServerConfig } from './config/server-config.ts';
import { ClientConnection } from './connection/client-connection.ts';
import { ConnectionTable } from './connection/connection-table.ts';
import { LateEvents } from './connection/late-events.ts';
import { OutputPool } from './connection/output-pool.ts';
import { WatchEvents } from './connection/watch-events.ts';
import { WatcherRemoval } from './connection/watcher-removal.ts';
import { DirectoryUpkeep } from './directory/directory-upkeep.ts';
import type { Environment } from './environment.ts';
import type { Logger } from './logger.ts';
import { ServerMetrics } from './metrics.ts';
import { prepareCloseSession } from './ops/close-session.ts';
import { prepareCreateSession } from './ops/create-session.ts';
import { prepareDeleteContainer } from './ops/delete.ts';
import type { Operation, Prepare } from './ops/op-table.ts';
import { ContainerSweeper } from './sessions/container-sweeper.ts';
import { Expiry } from './sessions/expiry.ts';
import { joinId, type ServerState } from './snapshots/server-state.ts';
import { SnapshotSchedule } from './snapshots/snapshot-schedule.ts';
import { Snapshotter } from './snapshots/snapshotter.ts';
import { Seldom } from './turns/seldom.ts';
import { Throttle } from './turns/throttle.ts';
import { Turns } from './turns/turns.ts';
import { DigestLog } from './txns/digest-log.ts';
import { FlushSchedule } from './txns/flush-schedule.ts';
import { NOBODY_ASKS, Preparation, type Requester } from './txns/preparation.ts';
import { type Proposal, ProposalWindow } from './txns/proposal-window.ts';
import type { TxnLog } from './txns/txn-log.ts';
import { NodeFourLetterSource } from './words/four-letter-source.ts';
import { userName } from './words/process-facts.ts';

/** Applying stops for other work of the loop after this long. */
const APPLY_SLICE_MS = 4;
/** Txns applied between two looks at the clock. */
const APPLY_SLICE_TXNS = 64;
/** Warnings about soft quotas are this far apart, and those about clients that were sent away. */
const WARNING_MS = 60_000;

export interface ServerNodeOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly state: ServerState;
  /** Undefined for a server in memory. */
  readonly directory: DataDirectory | undefined;
  /** Makes the log; `onDurable` reports, `onFailure` ends this server. */
  readonly openLog: (
    lastZxid: Zxid,
    onDurable: (zxid: Zxid) => void,
    onFailure: (error: Error) => void,
  ) => TxnLog;
  /** Called once when the server cannot go on. */
  readonly onFatal: (error: Error) => void;
}

export class ServerNode {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory | undefined;
  readonly tree: ServerState['tree'];
  readonly sessions: SessionTable;
  readonly watches: WatchTable;
  readonly access: AccessControl;
  private readonly audit: AuditLog | undefined;
  readonly connections: ConnectionTable;
  readonly events: WatchEvents;
  readonly throttle: Throttle;
  readonly window: ProposalWindow;
  readonly metrics: ServerMetrics;
  readonly digestLog: DigestLog;
  readonly fourLetterSource: NodeFourLetterSource;
  /** Ports that were bound; -1 for none. */
  plainPort: number;
  securePort: number;
  readonly outputs: OutputPool;
  readonly snapshotter: Snapshotter | undefined;
  /** Reused for every request; valid during one call. */
  readonly reader: ByteReader;
  readonly turns: Turns;
  readonly lateEvents: LateEvents;
  readonly startedMs: number;
  private readonly preparation: Preparation;
  private readonly sweeper: ContainerSweeper;
  private readonly log: TxnLog;
  private readonly onFatal: (error: Error) => void;
  private readonly reply: ByteWriter;
  private readonly toResume: ClientConnection[];
  private readonly listeners: Listener[];
  private readonly expiry: Expiry;
  private readonly watcherRemoval: WatcherRemoval;
  private readonly flushSchedule: FlushSchedule;
  private readonly upkeep: DirectoryUpkeep | undefined;
  private durableZxid: Zxid;
  private applyPending: boolean;
  private readonly quotaWarning: Seldom;
  private readonly refusedWarning: Seldom;
  private refused: number;
  private readonly snapshotSchedule: SnapshotSchedule | undefined;
  private state: 'serving' | 'stopping' | 'failed';

  constructor(options: ServerNodeOptions) {
    const { environment, config, state, directory } = options;
    this.environment = environment;
    this.config = config;
    this.directory = directory;
    this.tree = state.tree;
    this.turns = new Turns(environment.clock, environment.scheduler);
    this.lateEvents = new LateEvents(this.turns, environment.scheduler, environment.network);
    this.startedMs = this.turns.nowMs;
    this.sessions = new SessionTable({
      serverId: config.serverId,
      tickMs: config.tickTimeMs,
      wallNowMs: environment.clock.wallMs(),
      nowMs: this.turns.nowMs,
    });
    for (const [id, timeoutMs] of state.sessions)
      this.sessions.add(id, timeoutMs, this.turns.nowMs);
    this.watches = new WatchTable(this.tree.paths);
    this.metrics = new ServerMetrics();
    this.access = new AccessControl(config, this.metrics);
    this.audit = config.auditEnabled ? auditTo(environment.logger) : undefined;
    this.connections = new ConnectionTable();
    this.events = new WatchEvents(this.tree, this.watches, this.connections);
    this.throttle = new Throttle({
      config,
      random: environment.random,
      nowMs: () => this.turns.nowMs,
    });
    this.window = new ProposalWindow();
    this.digestLog = new DigestLog();
    this.fourLetterSource = new NodeFourLetterSource(this);
    this.plainPort = -1;
    this.securePort = -1;
    this.outputs = new OutputPool();
    this.reader = new ByteReader();
    this.reader.maxLength = config.juteMaxBufferBytes + config.juteMaxBufferExtraBytes;
    this.preparation = new Preparation({
      tree: this.tree,
      access: this.access,
      config,
      window: this.window,
      onOverQuota: (path, isHard) => this.noteOverQuota(path, isHard),
      onDefect: (error) => this.noteDefect(error),
    });
    this.reply = new ByteWriter(4096);
    this.toResume = [];
    this.listeners = [];
    this.expiry = new Expiry({
      scheduler: environment.scheduler,
      config,
      turns: this.turns,
      sessions: this.sessions,
      onExpired: (session) => this.closeExpired(session),
      onGivenUp: () => {
        this.metrics.sessionlessConnectionsExpired++;
      },
    });
    this.watcherRemoval = new WatcherRemoval(
      environment,
      this.turns,
      this.watches,
      this.connections,
    );
    this.upkeep =
      directory && new DirectoryUpkeep(environment, config, directory, (error) => this.fail(error));
    this.durableZxid = this.tree.lastProcessedZxid;
    this.applyPending = false;
    this.quotaWarning = new Seldom(WARNING_MS);
    this.refusedWarning = new Seldom(WARNING_MS);
    this.refused = 0;
    this.state = 'serving';
    this.onFatal = options.onFatal;
    this.log = options.openLog(
      this.tree.lastProcessedZxid,
      (zxid) => this.durable(zxid),
      (error) => this.fail(error),
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
          });
    this.sweeper = new ContainerSweeper({
      environment,
      config: config.containers,
      tree: this.tree,
      deleteContainer: (id) => this.deleteContainer(id),
    });
    this.snapshotSchedule =
      this.snapshotter === undefined
        ? undefined
        : new SnapshotSchedule(environment, config, this.log, this.snapshotter);
  }

  get isServing(): boolean {
    return this.state === 'serving';
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    let count = 0;
    for (const connection of this.connections) count += connection.outstanding;
    return count;
  }

  /** Bytes of the files in the data directories, for the words `conf` and `dirs`. */
  directorySizes(): { dataBytes: number; logBytes: number } {
    const { directory } = this;
    if (directory === undefined) return { dataBytes: 0, logBytes: 0 };
    const { disk } = this.environment;
    // All files of each, as Apache sums them: where the two are one, so are the numbers.
    const sizeOf = (path: string): number =>
      disk.list(path).reduce((bytes, name) => bytes + disk.size(`${path}/${name}`), 0);
    return {
      dataBytes: sizeOf(directory.snapshotDirectory),
      logBytes: sizeOf(directory.logDirectory),
    };
  }

  // ---- Life ---------------------------------------------------------------------------------

  /** Begins to expire, sweep and purge. Listeners are added by listen(). */
  start(): void {
    // However long the start took: every session has its whole timeout to come back.
    this.turns.look();
    for (const session of this.sessions.values()) this.sessions.touch(session, this.turns.nowMs);
    // First of all that a tick brings: nobody expires into a log that is no longer there.
    this.upkeep?.start();
    this.expiry.start();
    this.sweeper.start();
    this.dropOrphans();
    this.audit?.serverStarted();
  }

  async listen(options: Parameters<Environment['network']['listen']>[0]): Promise<Listener> {
    const { network } = this.environment;
    const onRefused = () => this.noteRefused();
    const listener = await network.listen({ ...options, onRefused }, (connection) =>
      this.accept(connection),
    );
    this.listeners.push(listener);
    if (options.tls === undefined) this.plainPort = listener.port;
    else this.securePort = listener.port;
    return listener;
  }

  /** Closes in order: no new clients, every txn in the works on disk, applied and answered, then all. */
  async stop(): Promise<void> {
    if (this.state !== 'serving') return;
    this.state = 'stopping';
    this.audit?.serverStopped();
    const snapshotEnds = this.stopSchedules();
    for (const listener of this.listeners) listener.stopAccepting();
    await this.closeLog();
    this.turns.look();
    this.applyDurable(Number.POSITIVE_INFINITY);
    for (const connection of this.connections) connection.finish();
    this.turns.flush();
    await Promise.all(this.listeners.map((listener) => listener.close()));
    await snapshotEnds;
  }

  /** Nothing more is begun. Resolves when the snapshot that was being written is closed. */
  private stopSchedules(): Promise<void> | undefined {
    this.expiry.stop();
    this.sweeper.stop();
    this.upkeep?.stop();
    this.flushSchedule.stop();
    return this.snapshotter?.stop();
  }

  /** Rejects when what is in the works is not on disk within the time that a stop may take. */
  private closeLog(): Promise<void> {
    const { shutdownTimeoutMs } = this.config;
    return new Promise<void>((resolve, reject) => {
      const stopTimer = this.environment.scheduler.every(shutdownTimeoutMs, () => {
        stopTimer();
        reject(new Error(`The txn log was not closed within ${shutdownTimeoutMs} ms`));
      });
      this.log.close((error) => {
        stopTimer();
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  /** The disk can no longer be trusted: nothing more is answered. */
  private fail(error: Error): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.stopSchedules();
    for (const listener of this.listeners) listener.stopAccepting();
    for (const connection of this.connections) connection.transport.destroy();
    this.environment.logger.error('The txn log failed; this server stops', {
      reason: error.message,
    });
    // What it holds open is given back.
    this.log.abandon();
    this.onFatal(error);
  }

  // ---- Connections --------------------------------------------------------------------------

  private accept(transport: Connection): ConnectionHandler {
    this.turns.look();
    const { maxCnxns, maxClientCnxns } = this.config;
    const address = transport.remoteAddress;
    const isTooMany =
      (maxCnxns > 0 && this.connections.size >= maxCnxns) ||
      (maxClientCnxns > 0 && this.connections.countOf(address) >= maxClientCnxns);
    const identities = this.access.initialIdentities(transport);
    if (this.state !== 'serving' || isTooMany || identities === undefined) {
      if (isTooMany) {
        this.environment.logger.warn('Too many connections', {
          client: address,
          connections: this.connections.size,
          ofThisAddress: this.connections.countOf(address),
          maxCnxns,
          maxClientCnxns,
        });
      }
      transport.destroy();
      return REFUSED;
    }
    const connection = this.connections.add(
      address,
      (slot) => new ClientConnection(this, transport, slot, identities),
    );
    this.expiry.connected(connection);
    return connection;
  }

  /** The connection's session is decided. */
  sessionEstablished(connection: ClientConnection): void {
    this.expiry.settled(connection);
  }

  /** The connection takes no more requests. */
  connectionEnding(connection: ClientConnection): void {
    this.expiry.settled(connection);
    this.connections.remove(connection);
    this.watcherRemoval.left(connection.slot);
  }

  /** Lets a stopped connection go on once this batch is applied. */
  resumeAfterBatch(connection: ClientConnection): void {
    this.toResume.push(connection);
  }

  // ---- Writes -------------------------------------------------------------------------------

  /** Takes a write of a connection. It is answered when it is durable and applied. */
  submit(
    operation: Operation,
    connection: ClientConnection,
    xid: number,
    request: ByteReader,
    receivedMs: number,
    largeBytes: number,
  ): void {
    const session = connection.session as Session;
    const audited = this.audit?.requested(operation.type, request, requesterOf(connection));
    const proposal = this.propose(
      operation.type,
      operation.prepare as Prepare,
      session,
      xid,
      connection.identities,
      request,
    );
    proposal.connection = connection;
    proposal.audited = audited;
    proposal.xid = xid;
    proposal.receivedMs = receivedMs;
    proposal.largeBytes = largeBytes;
    this.enterLog(proposal);
    if (operation.type === OpCode.closeSession) this.sessions.markClosing(session);
  }

  createSession(connection: ClientConnection, timeoutMs: number): void {
    const id = this.sessions.allocateId();
    const body = Buffer.allocUnsafe(4);
    putInt32(body, 0, timeoutMs);
    const proposal = this.propose(
      OpCode.createSession,
      prepareCreateSession,
      { idHigh: Number(id >> 32n) | 0, idLow: Number(id & 0xffffffffn) | 0 },
      0,
      [],
      this.reader.reset(body, 0, 4),
    );
    proposal.connection = connection;
    this.enterLog(proposal);
  }

  private closeExpired(session: Session): void {
    this.metrics.staleSessionsExpired++;
    this.environment.logger.info('Session expired', {
      session: formatSessionId(session.id),
      timeoutMs: session.timeoutMs,
    });
    this.closeSession(session);
  }

  /** Ends a session for the server itself: its time is up, or nobody knows it. */
  private closeSession(session: Requester): void {
    const request = this.reader.reset(EMPTY, 0, 0);
    this.enterLog(this.propose(OpCode.closeSession, prepareCloseSession, session, 0, [], request));
  }

  /**
   * Ephemerals whose session no snapshot or log knows: their sessions are closed now, as a txn
   * (ZooKeeperServer.loadData, killSession).
   */
  private dropOrphans(): void {
    const orphans: Requester[] = [];
    this.tree.ephemerals.forEachSession((high, low) => {
      if (this.sessions.get(joinId(high, low)) === undefined)
        orphans.push({ idHigh: high, idLow: low });
    });
    for (const orphan of orphans) this.closeSession(orphan);
  }

  private deleteContainer(id: PathId): void {
    if (this.state !== 'serving') return;
    this.turns.look();
    const path = new ByteWriter(256);
    path.string(this.tree.paths.pathString(id));
    const proposal = this.propose(
      OpCode.deleteContainer,
      prepareDeleteContainer,
      NOBODY_ASKS,
      0,
      [],
      this.reader.reset(path.bytes, 0, path.offset),
    );
    this.enterLog(proposal);
  }

  /** Prepares a txn that nobody waits for yet. The caller fills in who does, then enterLog(). */
  private propose(
    type: number,
    prepare: Prepare,
    requester: Requester,
    cxid: number,
    identities: ClientConnection['identities'],
    request: ByteReader,
  ): Proposal {
    const proposal = this.preparation.prepare(
      type,
      prepare,
      requester,
      cxid,
      identities,
      request,
      this.turns.wallMs,
    );
    proposal.requestType = type;
    proposal.connection = undefined;
    proposal.audited = undefined;
    proposal.xid = cxid;
    proposal.receivedMs = this.turns.nowMs;
    proposal.largeBytes = 0;
    this.metrics.proposals++;
    return proposal;
  }

  /** From here on the txn can become durable, be applied and be answered at any time. */
  private enterLog(proposal: Proposal): void {
    this.log.append(proposal.zxid, proposal.bytes, proposal.start, proposal.end);
    this.flushSchedule.appended();
    this.snapshotSchedule?.appended(proposal.zxid);
  }

  /** An exception that no request should bring about: it is answered as one that does not decode. */
  noteDefect(error: Error): void {
    this.metrics.unrecoverableErrors++;
    this.environment.logger.error('A request met a defect of this server', {
      reason: error.message,
      stack: error.stack,
    });
  }

  /** A client was sent away for want of descriptors; it may try again at once. */
  private noteRefused(): void {
    this.refused++;
    this.turns.look();
    if (!this.refusedWarning.passes(this.turns.nowMs)) return;
    this.environment.logger.warn('Too few file descriptors are left for one more client', {
      connections: this.connections.size,
      refusedSoFar: this.refused,
      remedy: 'raise ulimit -n',
    });
  }

  /** Hard limits are counted, soft ones are written to the log: at most once in a while. */
  private noteOverQuota(path: string, isHard: boolean): void {
    if (isHard) {
      this.metrics.addQuotaExceeded(path.split('/')[1] ?? '');
      return;
    }
    if (!this.quotaWarning.passes(this.turns.nowMs)) return;
    this.environment.logger.warn('Over a soft quota', { path });
  }

  // ---- Applying -----------------------------------------------------------------------------

  private durable(zxid: Zxid): void {
    this.durableZxid = zxid;
    this.snapshotSchedule?.durable(zxid);
    if (this.applyPending) return;
    this.turns.look();
    this.applyDurable(this.turns.nowMs + APPLY_SLICE_MS);
    this.afterBatch();
  }

  private readonly goOnApplying = (): void => {
    this.applyPending = false;
    if (this.state === 'failed') return;
    this.turns.look();
    this.applyDurable(this.turns.share(APPLY_SLICE_MS));
    this.afterBatch();
  };

  /** Replies go out, then those go on who waited for the batch. */
  private afterBatch(): void {
    this.turns.flush();
    if (!this.throttle.isFull(this.window.size)) this.throttle.release();
    const { toResume } = this;
    for (let i = 0; i < toResume.length; i++) (toResume[i] as ClientConnection).resume();
    toResume.length = 0;
    this.turns.flush();
  }

  /** Applies what is durable, in order; what is left at `untilMs` comes in a later turn. */
  private applyDurable(untilMs: number): void {
    let count = 0;
    for (;;) {
      const proposal = this.window.first();
      if (proposal === undefined || proposal.zxid > this.durableZxid) return;
      this.apply(proposal);
      this.window.shift();
      if (++count % APPLY_SLICE_TXNS !== 0) continue;
      // Handing replies over takes longer than applying: it counts.
      if (this.turns.isCrowded) this.turns.flush();
      if (this.environment.clock.monotonicMs() > untilMs) {
        this.applyPending = true;
        this.environment.scheduler.afterTurn(this.goOnApplying);
        return;
      }
    }
  }

  private apply(proposal: Proposal): void {
    const { tree, reply } = this;
    const { pending } = this.preparation;
    const { connection, zxid } = proposal;
    this.events.zxid = zxid;
    reply.reset();
    const wantsReply = connection !== undefined && !connection.isClosed;
    const error = tree.apply(
      proposal.bytes,
      proposal.start,
      proposal.end,
      this.events,
      wantsReply ? reply : undefined,
      pending,
    );
    pending.applied(zxid);
    this.metrics.commits++;
    if (this.digestLog.wants(zxid)) this.digestLog.add(zxid, tree.digest);
    if (proposal.largeBytes > 0) this.throttle.finishLarge(proposal.largeBytes);
    if (this.audit !== undefined) this.tellAudit(this.audit, proposal, proposal.error || error);
    switch (proposal.requestType) {
      case OpCode.createSession:
        this.applyCreateSession(proposal);
        return;
      case OpCode.closeSession:
        this.applyCloseSession(proposal);
        return;
      default:
        connection?.writeApplied(proposal, zxid, proposal.error || error, reply);
    }
  }

  private tellAudit(audit: AuditLog, proposal: Proposal, error: number): void {
    const { audited, bytes, start, end } = proposal;
    if (audited !== undefined) audit.applied(audited, error, bytes, start, end);
    else if (proposal.requestType === OpCode.closeSession) audit.sessionClosed(bytes, start, end);
  }

  private applyCreateSession(proposal: Proposal): void {
    const { bytes, start } = proposal;
    const id = bytes.readBigUInt64BE(start);
    const timeoutMs = bytes.readInt32BE(start + TXN_HEADER_BYTES);
    const session = this.sessions.add(id, timeoutMs, this.turns.nowMs);
    proposal.connection?.sessionCreated(session);
  }

  private applyCloseSession(proposal: Proposal): void {
    const session = this.sessions.get(proposal.bytes.readBigUInt64BE(proposal.start));
    const owner = session?.owner as ClientConnection | undefined;
    if (session !== undefined) this.sessions.remove(session);
    const { connection } = proposal;
    if (connection !== undefined) {
      this.reply.reset();
      connection.writeApplied(proposal, proposal.zxid, 0, this.reply);
      connection.finish();
    }
    if (owner !== undefined && owner !== connection) owner.finish();
  }
}

const EMPTY = Buffer.alloc(0);

/** Whom nothing is said to: the connection is being destroyed. */
const REFUSED: ConnectionHandler = Object.freeze({ data() {}, drained() {}, closed() {} });

function auditTo(logger: Logger): AuditLog {
  return new AuditLog({
    sink: (line, isFailure) => (isFailure ? logger.error(line) : logger.info(line)),
    serverUser: userName(),
  });
}

function requesterOf({ node, session, identities, authContext }: ClientConnection): AuditRequester {
  return {
    sessionId: session?.id ?? 0n,
    users: node.access.auditUsers(identities),
    address: authContext.remoteAddress,
  };
}
