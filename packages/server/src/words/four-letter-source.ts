// What the four-letter words see of a running server.
//
// Whatever may be long is walked as the answer is pulled, a piece a turn, and may change in between:
// an answer shows each watch that was there all the while, and perhaps those that came or went.

import type { QuotaText } from '@zebu/data-tree';
import type { ServerConfig } from '../config/server-config.ts';
import { ClientConnection } from '../connection/client-connection.ts';
import type { Member } from '../member.ts';
import type { QuotaGauges, ServerGauges, ServerMetrics } from '../metrics/metrics.ts';
import type { Serving } from '../serving.ts';
import type {
  ConnectionExpiryFacts,
  ConnectionFacts,
  EnsembleFacts,
  ExpiryFacts,
  FourLetterSource,
  PathSessions,
  SessionPaths,
  SessionTimeout,
} from './four-letter.ts';
import { DEFAULT_TRACE_MASK } from './four-letter.ts';
import { fileDescriptors, processEnvironment } from './process-facts.ts';

const READ_BIT = 1;
const WRITE_BIT = 4;

export class MemberFourLetterSource implements FourLetterSource {
  readonly isReadOnly = false;
  traceMask: bigint = DEFAULT_TRACE_MASK;
  private readonly member: Member;

  constructor(member: Member) {
    this.member = member;
  }

  /** What is served. No word that needs it is answered while nothing is. */
  private get serving(): Serving {
    return this.member.serving as Serving;
  }

  get mode(): string {
    const { ensemble } = this.member;
    return ensemble === undefined ? 'standalone' : (ensemble.mode ?? 'looking');
  }

  get ensemble(): EnsembleFacts | undefined {
    return this.member.ensemble?.facts;
  }

  get isServing(): boolean {
    return this.member.isServing;
  }

  /** A leader's is (epoch,0) until its first txn, a learner's that of its tree: as on Apache's servers. */
  get lastZxid(): number {
    const { tree, epochZxid } = this.serving;
    const { lastProcessedZxid } = tree;
    return this.mode === 'leader' ? Math.max(lastProcessedZxid, epochZxid) : lastProcessedZxid;
  }

  get clientPort(): number {
    return this.member.plainPort;
  }

  get secureClientPort(): number {
    return this.member.securePort;
  }

  get config(): ServerConfig {
    return this.member.config;
  }

  get metrics(): ServerMetrics {
    return this.member.metrics;
  }

  gauges(): ServerGauges {
    const { connections, throttle, turns, startedMs } = this.member;
    const { tree, watches, sessions } = this.serving;
    const files = fileDescriptors();
    return {
      aliveConnections: connections.size,
      outstandingRequests: this.member.outstanding,
      uptimeMs: Math.floor(turns.nowMs - startedMs),
      znodeCount: tree.znodeCount,
      watchCount: watches.size,
      ephemeralsCount: tree.ephemeralsCount,
      approximateDataSize: tree.approximateDataSize,
      sessions: sessions.size,
      openFileDescriptors: files.open,
      maxFileDescriptors: files.max,
      connectionDropProbability: throttle.connectionDropChance,
      outstandingTlsHandshakes: this.member.tlsHandshakes,
      ensemble: this.member.ensemble?.gauges(),
    };
  }

  *quotas(): IterableIterator<QuotaGauges> {
    for (const { path, limits, stats } of this.serving.tree.quotas.entries()) {
      yield {
        namespace: path.split('/')[1] ?? '',
        countLimit: limitOf(limits, 'countHardLimit', 'count'),
        bytesLimit: limitOf(limits, 'byteHardLimit', 'bytes'),
        countUsage: stats.count,
        bytesUsage: stats.bytes,
      };
    }
  }

  *connections(): IterableIterator<ConnectionFacts> {
    for (const connection of this.member.connections) yield factsOf(connection);
  }

  *sessions(): IterableIterator<ExpiryFacts> {
    for (const { deadlineMs, sessions } of this.serving.sessions.expiries()) {
      const expiresWallMs = this.wallMsOf(deadlineMs);
      for (const { idHigh, idLow } of sessions) {
        yield { sessionHigh: idHigh, sessionLow: idLow, expiresWallMs };
      }
    }
  }

  learnerSessions(): Iterable<SessionTimeout> | undefined {
    const { ensemble } = this.member;
    if (ensemble === undefined || ensemble.mode === 'leader') return undefined;
    return this.sessionTimeouts();
  }

  private *sessionTimeouts(): IterableIterator<SessionTimeout> {
    for (const { idHigh, idLow, timeoutMs } of this.serving.sessions.values()) {
      yield { sessionHigh: idHigh, sessionLow: idLow, timeoutMs };
    }
  }

  *connectionExpiries(): IterableIterator<ConnectionExpiryFacts> {
    for (const { deadlineMs, sessions } of this.serving.sessions.expiries()) {
      const expiresWallMs = this.wallMsOf(deadlineMs);
      for (const { idHigh, idLow, owner } of sessions) {
        // On a leader it may be the link to a learner.
        if (!(owner instanceof ClientConnection)) continue;
        const { remoteAddress, remotePort } = owner.transport;
        yield { remoteAddress, remotePort, sessionHigh: idHigh, sessionLow: idLow, expiresWallMs };
      }
    }
    const { connections, config } = this.member;
    for (const { session, transport, acceptedMs } of connections) {
      if (session !== undefined) continue;
      const { remoteAddress, remotePort } = transport;
      const expiresWallMs = this.wallMsOf(acceptedMs + config.sessionlessCnxnTimeoutMs);
      yield { remoteAddress, remotePort, sessionHigh: 0, sessionLow: 0, expiresWallMs };
    }
  }

  *ephemerals(): IterableIterator<SessionPaths> {
    const { ephemerals } = this.serving.tree;
    const owners: { sessionHigh: number; sessionLow: number }[] = [];
    ephemerals.forEachSession((sessionHigh, sessionLow) => {
      owners.push({ sessionHigh, sessionLow });
    });
    for (const owner of owners) {
      yield { ...owner, paths: this.ephemeralPaths(owner.sessionHigh, owner.sessionLow) };
    }
  }

  ephemeralSessionCount(): number {
    return this.serving.tree.ephemerals.sessionCount;
  }

  watchSummary(): { watchers: number; paths: number; watches: number } {
    return this.serving.watches.summary;
  }

  *watchesBySession(): IterableIterator<SessionPaths> {
    const { watches } = this.serving;
    const { connections } = this.member;
    for (let at = watches.watcherAfter(-1); at >= 0; at = watches.watcherAfter(at)) {
      const session = connections.bySlot(at)?.session;
      if (session === undefined) continue;
      yield { sessionHigh: session.idHigh, sessionLow: session.idLow, paths: this.pathsOf(at) };
    }
  }

  *watchesByPath(): IterableIterator<PathSessions> {
    const { watches, tree } = this.serving;
    const { connections } = this.member;
    for (let at = watches.watchedPathAfter(0); at !== 0; at = watches.watchedPathAfter(at)) {
      const sessions: { sessionHigh: number; sessionLow: number }[] = [];
      watches.forEachWatcherOf(at, (watcher) => {
        const session = connections.bySlot(watcher)?.session;
        if (session === undefined) return;
        sessions.push({ sessionHigh: session.idHigh, sessionLow: session.idLow });
      });
      // Clients that left may be all that is still there for a moment.
      if (sessions.length > 0) yield { path: tree.paths.pathString(at), sessions };
    }
  }

  digestLog(): Serving['digestLog'] {
    return this.serving.digestLog;
  }

  environment(): Iterable<readonly [key: string, value: string]> {
    return processEnvironment();
  }

  resetConnectionStats(): void {
    for (const connection of this.member.connections) connection.stats.reset();
  }

  private *pathsOf(watcher: number): IterableIterator<string> {
    const { watches, tree } = this.serving;
    for (const path of watches.watchedPathsOf(watcher)) yield tree.paths.pathString(path);
  }

  private ephemeralPaths(high: number, low: number): string[] {
    const { ephemerals, paths } = this.serving.tree;
    const found: string[] = [];
    for (let id = ephemerals.first(high, low); id !== 0; id = ephemerals.next(id)) {
      found.push(paths.pathString(id));
    }
    return found;
  }

  private wallMsOf(monotonicMs: number): number {
    const { clock } = this.member.environment;
    return Math.round(clock.wallMs() + monotonicMs - clock.monotonicMs());
  }
}

function factsOf(connection: ClientConnection): ConnectionFacts {
  const { transport, session, stats } = connection;
  return {
    remoteAddress: transport.remoteAddress,
    remotePort: transport.remotePort,
    interestOps: connection.isAsking ? 0 : READ_BIT | (transport.queuedBytes > 0 ? WRITE_BIT : 0),
    outstanding: connection.outstanding,
    received: stats.received,
    sent: stats.sent,
    sessionHigh: session?.idHigh ?? 0,
    sessionLow: session?.idLow ?? 0,
    lastOp: stats.lastOp,
    establishedWallMs: connection.establishedWallMs,
    sessionTimeoutMs: session?.timeoutMs ?? 0,
    lastCxid: stats.lastCxid,
    lastZxid: stats.lastZxid,
    lastResponseMs: stats.lastResponseMs,
    lastLatencyMs: stats.lastLatencyMs,
    minLatencyMs: stats.minLatencyMs,
    averageLatencyMs: stats.averageLatencyMs,
    maxLatencyMs: stats.maxLatencyMs,
  };
}

function limitOf(
  limits: QuotaText,
  hard: 'countHardLimit' | 'byteHardLimit',
  soft: 'count' | 'bytes',
): number {
  const hardLimit = limits[hard];
  return hardLimit > -1 ? hardLimit : limits[soft];
}
