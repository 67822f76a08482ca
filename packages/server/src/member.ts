// One member of an ensemble, or a server that is alone: what lasts as long as its process. The ports, the
// connections, the turns of the loop, the metrics and the words are here; what is served, and by which role,
// comes and goes (serving.ts, roles).
//
//   socket ─► ClientConnection ─► read: answered from the tree of the Serving
//                             └─► write: its WritePath
//
// Nothing here knows a clock, a disk or a socket but through Environment.

import { ByteReader, type Zxid } from '@zebu/protocol';
import { type DataDirectory, Pins } from '@zebu/storage';
import type { Connection, ConnectionHandler, Listener } from '@zebu/transport';
import { AuditLog } from './audit.ts';
import { AccessControl } from './auth/access-control.ts';
import { maxEntryBytes, type ServerConfig } from './config/server-config.ts';
import { ClientConnection } from './connection/client-connection.ts';
import type {
  ConnectionServices,
  ServedState,
  WordAsker,
} from './connection/connection-services.ts';
import { ConnectionTable } from './connection/connection-table.ts';
import { LateEvents } from './connection/late-events.ts';
import { OutputPool } from './connection/output-pool.ts';
import type { Database } from './database.ts';
import { DirectoryUpkeep } from './directory/directory-upkeep.ts';
import type { Environment } from './environment.ts';
import { type FailureCode, ServerFailure } from './failure.ts';
import type { Logger } from './logger.ts';
import { type EnsembleGauges, ServerMetrics } from './metrics/metrics.ts';
import { Serving, type ServingRole, type ServingServices } from './serving.ts';
import { ConnectionsWithoutSession } from './sessions/connections-without-session.ts';
import { Snapshotter } from './snapshots/snapshotter.ts';
import { Seldom } from './turns/seldom.ts';
import { Throttle } from './turns/throttle.ts';
import { Turns } from './turns/turns.ts';
import type { TxnLog } from './txns/txn-log.ts';
import type { EnsembleFacts, FourLetterWord } from './words/four-letter.ts';
import { answerWord, type WordServices } from './words/four-letter-door.ts';
import { MemberFourLetterSource } from './words/four-letter-source.ts';
import { userName } from './words/process-facts.ts';

/** Warnings about clients that were turned away are this far apart. */
const WARNING_MS = 60_000;

export interface MemberOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  /** Undefined for a server in memory. */
  readonly directory: DataDirectory | undefined;
  /** Makes the log; `onDurable` reports, `onFailure` ends this server. */
  readonly openLog: (
    lastZxid: Zxid,
    onDurable: (zxid: Zxid) => void,
    onFailure: (error: Error) => void,
  ) => TxnLog;
  /** Where the start has counted already; default: all 0. */
  readonly metrics?: ServerMetrics;
  /** Called once when the server cannot go on. */
  readonly onFatal: (error: ServerFailure) => void;
}

/** A role that a member can have: what is served, and how it begins and ends. */
export interface MemberRole extends ServingRole {
  /** Clients are served from now on. */
  start(): void;
  stop(): void;
}

/** A member's part in an ensemble, as far as the rest of the server knows it. */
export interface EnsemblePart {
  /** `leader`, `follower` or `observer`; undefined while it has no role. */
  readonly mode: string | undefined;
  readonly facts: EnsembleFacts;
  gauges(): EnsembleGauges;
  /** The server failed: nothing more is said to anybody. */
  abandon(): void;
}

export class Member implements ConnectionServices, ServingServices, WordServices {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory | undefined;
  readonly access: AccessControl;
  readonly audit: AuditLog | undefined;
  readonly connections: ConnectionTable<ClientConnection>;
  readonly throttle: Throttle;
  readonly metrics: ServerMetrics;
  readonly fourLetterSource: MemberFourLetterSource;
  /** Ports that were bound; -1 for none. */
  plainPort: number;
  securePort: number;
  readonly outputs: OutputPool;
  /** Reused for every request; valid during one call. */
  readonly reader: ByteReader;
  readonly turns: Turns;
  readonly lateEvents: LateEvents;
  readonly startedMs: number;
  readonly openLog: MemberOptions['openLog'];
  /** What is being read of the directory: purge leaves it alone. */
  readonly pins: Pins;
  /** Why this server stopped by itself; undefined while it did not. */
  failure: ServerFailure | undefined;
  /** What this member has a part in now, open for clients or not yet. */
  serving: Serving | undefined;
  /** What was applied when the last role ended; before the first one, what was recovered. */
  lastZxid: Zxid;
  /** Undefined for a server on its own. */
  ensemble: EnsemblePart | undefined;
  private role: MemberRole | undefined;
  private readonly onFatal: (error: ServerFailure) => void;
  private readonly listeners: Listener[];
  private readonly withoutSession: ConnectionsWithoutSession;
  private readonly upkeep: DirectoryUpkeep | undefined;
  private readonly refusedWarning: Seldom;
  private refused: number;
  private state: 'running' | 'stopping' | 'failed';

  constructor(options: MemberOptions) {
    const { environment, config, directory } = options;
    this.environment = environment;
    this.config = config;
    this.directory = directory;
    this.openLog = options.openLog;
    this.pins = new Pins();
    this.onFatal = options.onFatal;
    this.turns = new Turns(environment.clock, environment.scheduler);
    this.lateEvents = new LateEvents(this.turns, environment.scheduler, environment.network);
    this.startedMs = this.turns.nowMs;
    this.metrics = options.metrics ?? new ServerMetrics();
    this.access = new AccessControl(config, this.metrics);
    this.audit = config.auditEnabled ? auditTo(environment.logger) : undefined;
    this.connections = new ConnectionTable();
    this.throttle = new Throttle({
      config,
      random: environment.random,
      nowMs: () => this.turns.nowMs,
    });
    this.fourLetterSource = new MemberFourLetterSource(this);
    this.plainPort = -1;
    this.securePort = -1;
    this.outputs = new OutputPool();
    this.reader = new ByteReader();
    this.reader.maxLength = maxEntryBytes(config);
    this.failure = undefined;
    this.serving = undefined;
    this.lastZxid = 0;
    this.ensemble = undefined;
    this.role = undefined;
    this.listeners = [];
    this.withoutSession = new ConnectionsWithoutSession(
      environment.scheduler,
      config,
      this.turns,
      this.metrics,
    );
    this.upkeep =
      directory &&
      new DirectoryUpkeep({
        environment,
        config,
        directory,
        pins: this.pins,
        history: () => (this.serving?.isOpen === true ? this.serving : undefined),
        onDirectoryGone: (error) => this.fail('directory', error),
        onFileGone: (error) => this.fail('directory', error, directory),
      });
    this.refusedWarning = new Seldom(WARNING_MS);
    this.refused = 0;
    this.state = 'running';
  }

  /** Whether clients are served. */
  get isServing(): boolean {
    return this.openServing !== undefined;
  }

  get openServing(): ServedState | undefined {
    return this.state === 'running' && this.serving?.isOpen === true ? this.serving : undefined;
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    let count = 0;
    for (const connection of this.connections) count += connection.outstanding;
    return count;
  }

  /** TLS handshakes under way. */
  get tlsHandshakes(): number {
    return this.listeners.reduce((sum, listener) => sum + listener.tlsHandshakes, 0);
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

  /** Begins what lasts as long as the process. Listeners are added by listen(). */
  start(): void {
    this.turns.readClock();
    // First of all that a tick brings: nobody expires into a log that is no longer there.
    this.upkeep?.start();
    this.withoutSession.start();
    this.audit?.serverStarted();
  }

  async listen(options: Parameters<Environment['network']['listen']>[0]): Promise<Listener> {
    const { network } = this.environment;
    const onRefused = () => this.noteRefused();
    const onTlsFailure = (reason: string) => this.noteTlsFailure(reason);
    const listener = await network.listen({ ...options, onRefused, onTlsFailure }, (connection) =>
      this.accept(connection),
    );
    this.listeners.push(listener);
    if (options.tls === undefined) this.plainPort = listener.port;
    else this.securePort = listener.port;
    return listener;
  }

  /** Takes up a role with this database. Clients are not served before openServing(). */
  beginServing(database: Database, role: MemberRole): Serving {
    this.turns.readClock();
    this.role = role;
    this.serving = new Serving(this, database, role);
    return this.serving;
  }

  /** Serves clients from now on. */
  startServing(): void {
    this.turns.readClock();
    this.serving?.open();
    this.upkeep?.rememberFiles();
    this.role?.start();
  }

  /** The role begins, without clients: a leader that does not serve. */
  startRole(): void {
    this.turns.readClock();
    this.role?.start();
  }

  /** The role is over: its clients are sent away at once. endServing() follows when nothing more comes to the log. */
  leaveServing(): void {
    const { serving, role } = this;
    this.role = undefined;
    role?.stop();
    if (serving === undefined) return;
    this.turns.readClock();
    serving.closeForClients(() => {});
    for (const connection of this.connections) {
      if (connection.serving === serving) connection.abort();
    }
    this.turns.flush();
  }

  /**
   * After leaveServing(): what the log has is made durable and applied, and the database is what the disk holds when
   * `done` is called.
   */
  endServing(done: () => void): void {
    const { serving } = this;
    if (serving === undefined) {
      done();
      return;
    }
    let waits = 2;
    const rested = (): void => {
      if (--waits > 0) return;
      serving.fastForward();
      serving.end();
      this.lastZxid = serving.tree.lastProcessedZxid;
      if (this.serving === serving) this.serving = undefined;
      done();
    };
    serving.drain((error) => {
      if (error === undefined) rested();
      else this.fail('txn log', error);
    });
    // A snapshot that is being written would be of a history that may be cut next.
    if (serving.snapshotter === undefined) rested();
    else serving.snapshotter.stop(rested);
  }

  /**
   * Sends the clients away in order, while the role goes on: nothing more is taken of them, what was taken is
   * answered as its txns are committed. What is not within the time that a stop may take stays unanswered.
   */
  dismissClients(): Promise<void> {
    const { serving } = this;
    for (const listener of this.listeners) listener.stopAccepting();
    if (serving?.isOpen !== true) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const { scheduler, logger } = this.environment;
      const { shutdownTimeoutMs } = this.config;
      let isOver = false;
      const dismissed = (): void => {
        if (isOver) return;
        isOver = true;
        cancel();
        // The clients of a server that failed are cut off already.
        if (this.state === 'running') this.sayGoodbye();
        resolve();
      };
      const cancel = scheduler.after(shutdownTimeoutMs, () => {
        logger.warn('Requests stay unanswered', { count: this.outstanding, shutdownTimeoutMs });
        dismissed();
      });
      const look = (): void => {
        const isOverByItself = this.state !== 'running' || this.serving !== serving;
        if (isOverByItself || this.outstanding === 0) dismissed();
      };
      serving.closeForClients(look);
      look();
    });
  }

  /** Ends all connections; a client whose requests are all answered is told that nothing else was carried out. */
  private sayGoodbye(): void {
    for (const connection of this.connections) {
      if (connection.outstanding === 0) connection.dismiss();
      else connection.closeAfterFlush();
    }
    this.turns.flush();
  }

  /**
   * The leader of this member stops in order: `zxid` is the last txn that it proposed, and requests that are not among
   * those up to there were never taken. Sends the clients away once they have their answers.
   */
  dismissClientsAfter(zxid: Zxid): void {
    const { serving } = this;
    if (serving?.isOpen !== true) return;
    const look = (): void => {
      if (serving.sequence.appliedZxid < zxid) return;
      for (const connection of this.connections) {
        if (connection.serving === serving) connection.dismiss();
      }
      this.turns.flush();
    };
    serving.closeForClients(look);
    look();
  }

  /** Closes in order: no new clients, every txn in flight on disk, applied and answered, then all. */
  async stop(): Promise<void> {
    if (this.state !== 'running') return;
    this.state = 'stopping';
    this.audit?.serverStopped();
    const snapshotEnds = new Promise<void>((resolve) => this.stopSchedules(resolve));
    for (const listener of this.listeners) listener.stopAccepting();
    await this.drainServing();
    this.sayGoodbye();
    await this.closeListeners();
    await snapshotEnds;
  }

  /** Nothing more is begun; `done` when the snapshot that was being written is closed. */
  private stopSchedules(done: () => void): void {
    this.withoutSession.stop();
    this.upkeep?.stop();
    this.role?.stop();
    const snapshotter = this.serving?.snapshotter;
    if (snapshotter === undefined) done();
    else snapshotter.stop(done);
  }

  /** Rejects when what is in flight is not on disk within the time that a stop may take. */
  private drainServing(): Promise<void> {
    const { serving } = this;
    const { shutdownTimeoutMs } = this.config;
    if (serving === undefined) return Promise.resolve();
    return new Promise<void>((resolve, reject) => {
      const cancel = this.environment.scheduler.after(shutdownTimeoutMs, () => {
        reject(new Error(`The txn log was not closed within ${shutdownTimeoutMs} ms`));
      });
      serving.drain((error) => {
        cancel();
        serving.end();
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  /**
   * This server cannot go on: nothing more is answered. Where logs were deleted, a snapshot in `saveTo` keeps
   * what only memory holds.
   */
  fail(code: FailureCode, error: Error, saveTo?: DataDirectory): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.metrics.unrecoverableErrors++;
    const failure = new ServerFailure(code, error);
    this.failure = failure;
    for (const listener of this.listeners) listener.stopAccepting();
    for (const connection of this.connections) connection.transport.destroy();
    this.environment.logger.error(`${failure.heading}; this server stops`, {
      reason: error.message,
      ...(code === 'apply' ? { stack: error.stack } : {}),
    });
    // What it holds open is given back.
    this.serving?.abandon();
    this.ensemble?.abandon();
    if (saveTo === undefined) {
      // At once: a snapshot in progress may never end on a disk that failed.
      this.stopSchedules(() => {});
      this.onFatal(failure);
    } else {
      this.stopSchedules(() => this.saveState(saveTo, () => this.onFatal(failure)));
    }
  }

  /** Ends at once, as kill -9 does: nothing more is written or said. */
  kill(): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    for (const listener of this.listeners) listener.stopAccepting();
    for (const connection of this.connections) connection.transport.destroy();
    this.serving?.abandon();
    this.ensemble?.abandon();
    this.stopSchedules(() => {});
  }

  async closeListeners(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  /** Calls `done` when the snapshot is on disk, or its failure in the log. */
  private saveState(directory: DataDirectory, done: () => void): void {
    const { environment, config, metrics, serving } = this;
    if (serving === undefined) {
      done();
      return;
    }
    const { tree, sessions } = serving;
    const options = { environment, config, directory, tree, sessions, metrics };
    new Snapshotter(options).start(done);
  }

  // ---- Connections --------------------------------------------------------------------------

  private accept(transport: Connection): ConnectionHandler {
    this.turns.readClock();
    const { maxCnxns, maxClientCnxns } = this.config;
    const address = transport.remoteAddress;
    const isTooMany =
      (maxCnxns > 0 && this.connections.size >= maxCnxns) ||
      (maxClientCnxns > 0 && this.connections.countOf(address) >= maxClientCnxns);
    const identities = this.access.initialIdentities(transport);
    if (this.state !== 'running' || isTooMany || identities === undefined) {
      if (this.state !== 'running') this.metrics.connectionsClosedWhileNotServing++;
      if (identities === undefined) this.metrics.authFailed++;
      if (isTooMany) {
        this.metrics.connectionsRejected++;
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
    this.withoutSession.connected(connection);
    if (!transport.secure) this.countPlain(address);
    return connection;
  }

  private countPlain(address: string): void {
    if (isLoopback(address)) this.metrics.plainLocalConnections++;
    else this.metrics.plainRemoteConnections++;
  }

  sessionEstablished(connection: ClientConnection): void {
    this.withoutSession.settled(connection);
  }

  connectionEnding(connection: ClientConnection): void {
    this.withoutSession.settled(connection);
    this.connections.remove(connection);
    const serving = connection.serving as Serving | undefined;
    if (serving === undefined) this.connections.releaseSlot(connection.slot);
    else serving.connectionEnding(connection);
  }

  answerWord(asker: WordAsker, word: FourLetterWord, bytes: Buffer): void {
    answerWord(this, asker, word, bytes);
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
    this.metrics.connectionsRejected++;
    this.turns.readClock();
    if (!this.refusedWarning.passes(this.turns.nowMs)) return;
    this.environment.logger.warn('Too few file descriptors are left for one more client', {
      connections: this.connections.size,
      refusedSoFar: this.refused,
      remedy: 'raise ulimit -n',
    });
  }

  private noteTlsFailure(reason: string): void {
    this.metrics.unsuccessfulHandshakes++;
    const { logger } = this.environment;
    if (logger.debugEnabled) logger.debug('A TLS handshake failed', { reason });
  }
}

/** Nothing is said to it: the connection is being destroyed. */
const REFUSED: ConnectionHandler = Object.freeze({ data() {}, drained() {}, closed() {} });

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

function auditTo(logger: Logger): AuditLog {
  return new AuditLog({
    sink: (line, isFailure) => (isFailure ? logger.error(line) : logger.info(line)),
    serverUser: userName(),
  });
}
