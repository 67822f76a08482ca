// Brings a server up: recovers what the disk holds, opens the log and the ports; and its handle.

import { formatZxid, type Zxid } from '@zebu/protocol';
import {
  type DataDirectory,
  type DirectoryClaim,
  type Disk,
  openDataDirectory,
  type RecoveryResult,
  TxnLogWriter,
} from '@zebu/storage';
import type { Listener } from '@zebu/transport';
import { activityOf, type ServerActivity } from './activity.ts';
import { checkServerConfig } from './config/check-config.ts';
import type { EnsembleConfig } from './config/ensemble-config.ts';
import {
  defaultServerConfig,
  type ServerConfig,
  type ServerConfigOverrides,
} from './config/server-config.ts';
import type { Database } from './database.ts';
import { claimDirectories, releaseClaims } from './directory/claim-directories.ts';
import { newDatabase, recoverDatabase } from './directory/database-recovery.ts';
import { beginEmptyHistory, EnsembleMember } from './ensemble/ensemble-member.ts';
import type { Environment } from './environment.ts';
import type { ServerFailure } from './failure.ts';
import type { Logger } from './logger.ts';
import { Member } from './member.ts';
import { ServerMetrics } from './metrics/metrics.ts';
import { nodeEnvironment } from './node-environment.ts';
import { openPorts, type PlannedClientPort, plannedPorts, tryPort } from './ports.ts';
import { DecidingRole } from './roles/deciding-role.ts';
import type { Serving } from './serving.ts';
import { reloadCertificates } from './tls/certificate-reload.ts';
import { readTls } from './tls/server-tls.ts';
import { MemoryTxnLog, type TxnLog } from './txns/txn-log.ts';

export interface StartServerOptions extends ServerConfigOverrides {
  /** Short for clientPort. 0: any free port. */
  readonly port?: number;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: the real one. */
  readonly environment?: Environment;
}

/** A running server. */
export interface ZebuServer {
  /** The client port that was bound; -1 without one. */
  readonly port: number;
  readonly address: string;
  /** The TLS port that was bound; -1 without one. */
  readonly securePort: number;
  /** `127.0.0.1:2181`, for a client. */
  readonly connectString: string;
  readonly lastZxid: Zxid;
  /** Znodes, the root counted once. */
  readonly znodeCount: number;
  /** Resolves when the server stopped because of a failure; never if it did not. */
  readonly failed: Promise<ServerFailure>;
  /** What it is doing now, for a report. */
  activity(): ServerActivity;
  /**
   * Answers what is outstanding, makes it durable and stops. The reason goes to the log. A second
   * call waits for the first.
   */
  close(reason?: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server with the settings given and Apache's defaults for the rest; without `dataDir` it
 * keeps everything in memory. Resolves once it serves. Rejects with ConfigError for a setting that is
 * not allowed, with StorageError for data that must not be served, and with TransportError for a port
 * that cannot be bound.
 */
export async function startServer(options: StartServerOptions = {}): Promise<ZebuServer> {
  const { port, logger, environment: given, ...overrides } = options;
  const config = defaultServerConfig(
    port === undefined ? overrides : { ...overrides, clientPort: port },
  );
  checkServerConfig(config);
  const environment = given ?? nodeEnvironment(logger, config);
  const ports = plannedPorts(config, readTls(environment.disk, config));
  for (const planned of ports) await tryPort(planned, environment.network);
  const directory = openDirectory(environment.disk, config);
  const claims = directory === undefined ? [] : await claimDirectories(environment.disk, directory);
  const unseen = new Set(claims.flatMap((claim) => claim.unseen ?? []));
  if (unseen.size > 0) {
    environment.logger.warn(
      'The data belong to another user, whose processes cannot be looked into: is a server still using them?',
      { processes: [...unseen].slice(0, 10) },
    );
  }
  try {
    return await startOn(directory, claims, environment, config, ports);
  } catch (error) {
    await releaseClaims(claims);
    throw error;
  }
}

/** Starts a server on a directory that is claimed for it; without one in memory. */
async function startOn(
  directory: DataDirectory | undefined,
  claims: readonly DirectoryClaim[],
  environment: Environment,
  config: ServerConfig,
  ports: readonly PlannedClientPort[],
): Promise<RunningServer> {
  const startedMs = environment.clock.monotonicMs();
  const metrics = new ServerMetrics();
  const recovered = await recoverState(directory, environment, config, metrics);
  let reportFailure: (error: ServerFailure) => void = () => {};
  const failed = new Promise<ServerFailure>((resolve) => {
    reportFailure = resolve;
  });
  const member = new Member({
    environment,
    config,
    directory,
    openLog: (lastZxid, onDurable, onFailure) =>
      openLog({ environment, config, directory, lastZxid, onDurable, onFailure, metrics }),
    metrics,
    onFatal: (error) => reportFailure(error),
  });
  const parts: StartParts = { member, claims, ports, failed, startedMs };
  return config.ensemble === undefined || directory === undefined
    ? startStandalone(parts, recovered)
    : startMember(parts, recovered, config.ensemble, directory);
}

interface StartParts {
  readonly member: Member;
  readonly claims: readonly DirectoryClaim[];
  readonly ports: readonly PlannedClientPort[];
  readonly failed: Promise<ServerFailure>;
  readonly startedMs: number;
}

/** A member of an ensemble: its ports are open, and it looks for the others. Clients are served once it has a role. */
async function startMember(
  { member, claims, ports, failed, startedMs }: StartParts,
  recovered: Recovered,
  ensemble: EnsembleConfig,
  directory: DataDirectory,
): Promise<RunningServer> {
  const { environment, config } = member;
  const { database } = recovered;
  member.lastZxid = database.tree.lastProcessedZxid;
  // An empty history begins with a snapshot, since a log without one before it stops the next start.
  if (recovered.snapshot === 'before serving') {
    await new Promise<void>((resolve, reject) => {
      beginEmptyHistory(member, directory, database, (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  }
  const part = new EnsembleMember({
    member,
    ensemble,
    directory,
    database,
    isVouched: recovered.isVouched,
  });
  member.ensemble = part;
  await part.listen();
  const listeners = await openPorts(ports, (port) => member.listen(port)).catch(async (error) => {
    await part.closePorts();
    throw error;
  });
  member.start();
  part.start();
  const endReloading = reloadCertificates(environment, config, listeners.secure);
  const server = new RunningServer(member, listeners, claims, failed, endReloading, part);
  environment.logger.info('Member of an ensemble', {
    sid: ensemble.sid,
    members: ensemble.members.map(({ sid }) => sid).join(','),
    port: server.port,
    dataDir: config.dataDir,
    zxid: formatZxid(database.tree.lastProcessedZxid),
    ms: Math.round(environment.clock.monotonicMs() - startedMs),
  });
  return server;
}

async function startStandalone(
  { member, claims, ports, failed, startedMs }: StartParts,
  recovered: Recovered,
): Promise<RunningServer> {
  const { environment, config } = member;
  const serving = member.beginServing(recovered.database, new DecidingRole(member));
  if (recovered.snapshot === 'before serving') await takeFirstSnapshot(serving);
  const listeners = await openPorts(ports, (port) => member.listen(port));
  member.start();
  member.startServing();
  if (recovered.snapshot === 'while serving') serving.snapshotter?.start();
  const endReloading = reloadCertificates(environment, config, listeners.secure);
  const server = new RunningServer(member, listeners, claims, failed, endReloading);
  environment.logger.info('Serving', {
    port: server.port,
    ...(server.securePort >= 0 ? { securePort: server.securePort } : {}),
    dataDir: config.dataDir ?? '(memory)',
    zxid: formatZxid(serving.tree.lastProcessedZxid),
    // As srvr and mntr count: the root twice, like Apache.
    znodes: serving.tree.znodeCount,
    sessions: serving.sessions.size,
    ms: Math.round(environment.clock.monotonicMs() - startedMs),
  });
  return server;
}

export class RunningServer implements ZebuServer {
  readonly failed: Promise<ServerFailure>;
  readonly member: Member;
  /** Undefined for a server on its own. */
  readonly ensemble: EnsembleMember | undefined;
  private readonly plain: Listener | undefined;
  private readonly secure: Listener | undefined;
  private readonly claims: readonly DirectoryClaim[];
  private readonly endReloading: () => void;
  private closing: Promise<void> | undefined;

  constructor(
    member: Member,
    listeners: { plain: Listener | undefined; secure: Listener | undefined },
    claims: readonly DirectoryClaim[],
    failed: Promise<ServerFailure>,
    endReloading: () => void,
    ensemble?: EnsembleMember,
  ) {
    this.member = member;
    this.endReloading = endReloading;
    this.ensemble = ensemble;
    this.plain = listeners.plain;
    this.secure = listeners.secure;
    this.claims = claims;
    this.failed = failed;
    this.closing = undefined;
  }

  get port(): number {
    return this.plain?.port ?? -1;
  }

  get securePort(): number {
    return this.secure?.port ?? -1;
  }

  get address(): string {
    return (this.plain ?? this.secure)?.address ?? '';
  }

  get connectString(): string {
    const { address } = this;
    const host =
      address === '' || address === '::' || address === '0.0.0.0' ? '127.0.0.1' : address;
    return host.includes(':') ? `[${host}]:${this.port}` : `${host}:${this.port}`;
  }

  get lastZxid(): Zxid {
    return this.member.serving?.tree.lastProcessedZxid ?? this.member.lastZxid;
  }

  get znodeCount(): number {
    return (this.member.serving?.tree.znodeCount ?? 1) - 1;
  }

  activity(): ServerActivity {
    const { fourLetterSource, connections, outstanding } = this.member;
    return activityOf({
      mode: fourLetterSource.mode,
      lastZxid: this.lastZxid,
      connectionCount: connections.size,
      outstandingRequests: outstanding,
      connections: fourLetterSource.connections(),
    });
  }

  close(reason = 'asked to'): Promise<void> {
    // Not at once: the caller may be a logger in the middle of a message.
    this.closing ??= Promise.resolve().then(() => this.stop(reason));
    return this.closing;
  }

  /** Ends at once, as kill -9 does: nothing more is written or said, what the disk has stays. */
  async kill(): Promise<void> {
    this.closing ??= Promise.resolve();
    this.member.kill();
    await this.ensemble?.closePorts();
    await this.member.closeListeners();
    await releaseClaims(this.claims);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close('disposed');
  }

  private async stop(reason: string): Promise<void> {
    const { environment } = this.member;
    environment.logger.info('Stopping', { reason });
    this.endReloading();
    // Kept where this rejects: what is outstanding may still be written.
    const { ensemble } = this;
    if (ensemble !== undefined) {
      // Commits come in only as long as it has its role.
      await this.member.dismissClients();
      await this.leave(ensemble);
    }
    await this.member.stop();
    await ensemble?.closePorts();
    await releaseClaims(this.claims);
    environment.logger.info('Stopped', { reason, zxid: formatZxid(this.lastZxid) });
  }

  /** Rejects when the log is not closed within the time that a stop may take, as on a server on its own. */
  private leave(ensemble: EnsembleMember): Promise<void> {
    const { environment, config } = this.member;
    const { shutdownTimeoutMs } = config;
    return new Promise((resolve, reject) => {
      const cancel = environment.scheduler.after(shutdownTimeoutMs, () => {
        reject(new Error(`The txn log was not closed within ${shutdownTimeoutMs} ms`));
      });
      ensemble.stop(() => {
        cancel();
        resolve();
      });
    });
  }
}

interface Recovered {
  readonly database: Database;
  /** The operator vouches for an empty history. */
  readonly isVouched: boolean;
  readonly snapshot: NeededSnapshot;
}

type NeededSnapshot = 'none' | 'before serving' | 'while serving';

function openDirectory(disk: Disk, config: ServerConfig): DataDirectory | undefined {
  if (config.dataDir === undefined) return undefined;
  return openDataDirectory({
    disk,
    dataDir: config.dataDir,
    dataLogDir: config.dataLogDir,
    autocreate: config.dataDirAutocreate,
  });
}

async function recoverState(
  directory: DataDirectory | undefined,
  environment: Environment,
  config: ServerConfig,
  metrics: ServerMetrics,
): Promise<Recovered> {
  if (directory === undefined) {
    return { database: newDatabase(config, environment), isVouched: false, snapshot: 'none' };
  }
  const isMarked = environment.disk.exists(`${directory.dataLogDir}/initialize`);
  const result = await new Promise<RecoveryResult<Database>>((resolve, reject) => {
    recoverDatabase({ environment, config, directory, metrics }, (error, recovered) => {
      if (recovered === undefined) reject(error);
      else resolve(recovered);
    });
  });
  // A long log is not replayed twice, however often the server restarts before its next snapshot.
  const isLong = result.entries > config.snapCount / 2;
  const isFirst = result.needsSnapshot || result.trustedEmptySnapshot;
  const snapshot = isFirst ? 'before serving' : isLong ? 'while serving' : 'none';
  return { database: result.target, isVouched: isMarked, snapshot };
}

function openLog(options: {
  environment: Environment;
  config: ServerConfig;
  directory: DataDirectory | undefined;
  lastZxid: Zxid;
  onDurable: (zxid: Zxid) => void;
  onFailure: (error: Error) => void;
  metrics: ServerMetrics;
}): TxnLog {
  const { environment, config, directory, lastZxid, onDurable, onFailure, metrics } = options;
  if (directory === undefined) return new MemoryTxnLog(lastZxid, onDurable);
  return new TxnLogWriter({
    disk: environment.disk,
    directory: directory.logDirectory,
    lastZxid,
    preAllocBytes: config.preAllocSizeBytes,
    fileLimitBytes: Math.max(0, config.txnLogSizeLimitBytes),
    fsync: config.forceSync,
    onDurable,
    onFailure,
    onBatch: (txns, queuedMs, writeMs) => metrics.loggedBatch(txns, queuedMs, writeMs),
    slowSyncMs: config.fsyncWarningThresholdMs,
    onSlowSync: (durationMs, bytes, file) =>
      environment.logger.warn('Slow write to the txn log', {
        ms: Math.round(durationMs),
        bytes,
        file,
        thresholdMs: config.fsyncWarningThresholdMs,
      }),
    now: () => environment.clock.monotonicMs(),
  });
}

/**
 * Before anybody is served: a log without any snapshot stops the next start, so a crash between the
 * first acknowledged txn and the first snapshot would make that txn unreachable.
 */
function takeFirstSnapshot(serving: Serving): Promise<void> {
  return new Promise((resolve, reject) => {
    serving.snapshotter?.start((error) => (error === undefined ? resolve() : reject(error)));
  });
}
