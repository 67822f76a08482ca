/**
 * What one server counts about itself. A counter is a plain number field that its owner adds to, a distribution a
 * Summary. metric-table.ts says under which name, unit and meaning each is shown.
 *
 * Times go in as whole milliseconds, as in Apache.
 */

import { PercentileSummary, Summary, SummarySet } from './summary.ts';

/** Every counter and summary of one server. */
export class ServerMetrics {
  // What `srvr` shows. A four-letter word counts as a packet received, its answer as one sent.
  packetsReceived = 0;
  packetsSent = 0;
  readonly requestLatency = new Summary();
  /** -1 before the first reply. */
  lastResponseBytes = -1;
  minResponseBytes = -1;
  maxResponseBytes = -1;
  /** Of the txns that were proposed in this leadership; -1 before the first. */
  lastProposalBytes = -1;
  minProposalBytes = -1;
  maxProposalBytes = -1;
  /** Not reset by `srst`, as the next two. */
  authFailed = 0;
  plainRemoteConnections = 0;
  plainLocalConnections = 0;

  // Connections and sessions.
  bytesReceived = 0;
  responseBytes = 0;
  watchBytes = 0;
  connectionRequests = 0;
  connectionsRejected = 0;
  connectionsDropped = 0;
  connectionRevalidations = 0;
  sessionlessConnectionsExpired = 0;
  staleSessionsExpired = 0;
  connectionsClosedWhileNotServing = 0;
  unsuccessfulHandshakes = 0;
  ensembleAuthSuccess = 0;
  ensembleAuthFail = 0;
  ensembleAuthSkip = 0;
  readonly connectionTokenDeficit = new Summary();

  // Requests.
  largeRequestsRejected = 0;
  throttledOps = 0;
  throttleWaits = 0;
  staleRequests = 0;
  staleRequestsDropped = 0;
  staleReplies = 0;
  readonly readLatency = new PercentileSummary();
  readonly updateLatency = new PercentileSummary();
  readonly throttleQueueTime = new PercentileSummary();
  /** Requests that wait for writes of their own connection. */
  readonly parkedRequests = new Summary();
  readonly requestsRunAfterWrite = new Summary();
  readonly parkedTime = new PercentileSummary();

  // Txns, in the order of their way through the server.
  preparedRequests = 0;
  readonly prepareTime = new Summary();
  readonly closeSessionPrepareTime = new PercentileSummary();
  outstandingChangesQueued = 0;
  outstandingChangesRemoved = 0;
  proposals = 0;
  syncedRequests = 0;
  readonly logBatchTxns = new Summary();
  readonly logQueueTime = new PercentileSummary();
  readonly logWriteTime = new PercentileSummary();
  readonly logQueueAndWriteTime = new PercentileSummary();
  readonly syncTime = new Summary();
  commits = 0;
  readonly commitPassTxns = new Summary();
  readonly commitPassTime = new Summary();
  readonly propagationLatency = new PercentileSummary();
  digestMismatches = 0;

  // A member's part in its ensemble.
  elections = 0;
  readonly electionTime = new Summary();
  readonly followerSyncTime = new Summary();
  readonly observerSyncTime = new Summary();
  readonly unavailableTime = new Summary();
  readonly leaderUnavailableTime = new Summary();
  leadershipsForgotten = 0;
  diffSyncs = 0;
  snapshotSyncs = 0;
  readonly diffSyncsInFlight = new Summary();
  readonly snapshotSyncsInFlight = new Summary();
  proposalsReceived = 0;
  commitsReceived = 0;
  revalidations = 0;
  readonly proposalLatency = new PercentileSummary();
  readonly commitPropagationLatency = new PercentileSummary();
  readonly quorumAckLatency = new PercentileSummary();
  /** By the sid of the learner. */
  readonly ackLatency = new SummarySet(() => new PercentileSummary());
  /** Not reset by `srst`: it is read beside the writes of the links. */
  peerLinkTxns = 0;

  // Traffic by the first name of the path.
  readonly readPerNamespace = new SummarySet(() => new Summary());
  readonly writePerNamespace = new SummarySet(() => new Summary());
  /** Writes refused for a quota. */
  readonly quotaExceeded = new Map<string, number>();

  // Watches.
  readonly createdWatches = new Summary();
  readonly deletedWatches = new Summary();
  readonly changedWatches = new Summary();
  readonly childrenWatches = new Summary();
  deadWatchersQueued = 0;
  deadWatchersCleared = 0;
  readonly deadWatchersTime = new PercentileSummary();

  // The server itself.
  snapshotErrors = 0;
  unrecoverableErrors = 0;
  readonly snapshotTime = new Summary();
  readonly databaseLoadTime = new Summary();
  readonly startupSnapshotLoadTime = new Summary();
  readonly startupTxnsLoadTime = new Summary();
  readonly startupTxnsLoaded = new Summary();
  /** How late the half-tick timer came. */
  readonly pauseTime = new PercentileSummary();

  /** Notes that a request was answered, and how long it took. */
  answered(latencyMs: number): void {
    this.requestLatency.add(latencyMs);
  }

  /** Notes the size of one reply frame, in bytes without its length. */
  responded(bytes: number): void {
    this.lastResponseBytes = bytes;
    if (this.minResponseBytes < 0 || bytes < this.minResponseBytes) this.minResponseBytes = bytes;
    if (bytes > this.maxResponseBytes) this.maxResponseBytes = bytes;
  }

  /** Notes one durable write of the txn log; times in ms. `queuedMs`: how long its oldest txn had waited for it. */
  loggedBatch(txns: number, queuedMs: number, writeMs: number): void {
    const [queued, write] = [Math.trunc(queuedMs), Math.trunc(writeMs)];
    this.logBatchTxns.add(txns);
    this.syncTime.add(write);
    this.logQueueTime.add(queued);
    this.logWriteTime.add(write);
    this.logQueueAndWriteTime.add(Math.trunc(queuedMs + writeMs));
  }

  /** Notes that a leader proposed a txn whose entry has so many bytes. */
  proposedBytes(bytes: number): void {
    this.lastProposalBytes = bytes;
    if (this.minProposalBytes < 0 || bytes < this.minProposalBytes) this.minProposalBytes = bytes;
    if (bytes > this.maxProposalBytes) this.maxProposalBytes = bytes;
  }

  /** The sizes are those of one leadership (Leader.proposalStats). */
  resetProposalBytes(): void {
    this.lastProposalBytes = -1;
    this.minProposalBytes = -1;
    this.maxProposalBytes = -1;
  }

  addQuotaExceeded(namespace: string): void {
    this.quotaExceeded.set(namespace, (this.quotaExceeded.get(namespace) ?? 0) + 1);
  }

  /** What `srst` sets back: everything but KEPT. */
  reset(): void {
    const fresh = new ServerMetrics();
    for (const name of Object.keys(this) as (keyof ServerMetrics)[]) {
      const value = this[name];
      if (value instanceof Summary || value instanceof SummarySet) value.reset();
      else if (value instanceof Map) value.clear();
      else if (!KEPT.has(name)) Object.assign(this, { [name]: fresh[name] });
    }
  }
}

// Counts that Apache's ServerStats keeps apart from those that `srst` resets.
const KEPT: ReadonlySet<keyof ServerMetrics> = new Set([
  'authFailed',
  'plainRemoteConnections',
  'plainLocalConnections',
  'peerLinkTxns',
]);

/** What is not counted but looked up when somebody asks. */
export interface ServerGauges {
  readonly aliveConnections: number;
  readonly outstandingRequests: number;
  readonly uptimeMs: number;
  /** As Apache counts: the root twice. */
  readonly znodeCount: number;
  readonly watchCount: number;
  readonly ephemeralsCount: number;
  readonly approximateDataSize: number;
  readonly sessions: number;
  readonly openFileDescriptors: number;
  readonly maxFileDescriptors: number;
  readonly connectionDropProbability: number;
  readonly outstandingTlsHandshakes: number;
  /** Undefined for a server on its own. */
  readonly ensemble: EnsembleGauges | undefined;
}

/** Of a member of an ensemble. */
export interface EnsembleGauges {
  /** As Apache prints it: `leading - broadcast`. */
  readonly peerState: string;
  /** The leader that an observer has; undefined for the other members. */
  readonly observerMasterSid: number | undefined;
  /** Members that vote. */
  readonly quorumSize: number;
  /** Socket writes on links to leader and learners since this member started. */
  readonly linkWrites: number;
  /** Undefined while this member does not lead. */
  readonly leader: LeaderGauges | undefined;
}

export interface LeaderGauges {
  readonly learners: number;
  /** Followers in sync, those without a vote among them. */
  readonly syncedFollowers: number;
  readonly syncedNonVotingFollowers: number;
  readonly syncedObservers: number;
  /** Syncs that wait for a quorum, or for the txns before them. */
  readonly pendingSyncs: number;
  readonly uptimeMs: number;
}

/**
 * Limits and use of one quota, under the first name of its path. The limit is the hard one where there
 * is one, else the soft one; -1: none.
 */
export interface QuotaGauges {
  readonly namespace: string;
  readonly countLimit: number;
  readonly bytesLimit: number;
  readonly countUsage: number;
  readonly bytesUsage: number;
}
