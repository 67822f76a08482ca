/**
 * Every figure that this server shows: name, unit, kind, meaning, and where it is read. `mntr` prints this table
 * (monitor.ts), and docs/METRICS.md is generated from it. A new figure is a field of ServerMetrics that its
 * owner feeds and a row here; the test that makes each figure move asks for a scenario then.
 *
 * Names and kinds are those of Apache's ServerMetrics and gauges (3.9.5). What has no meaning here is not in the
 * table: Java's thread pools and queues between threads, the response cache, Netty's buffers.
 */

import type {
  EnsembleGauges,
  LeaderGauges,
  QuotaGauges,
  ServerGauges,
  ServerMetrics,
} from './metrics.ts';
import type { PercentileSummary, Summary } from './summary.ts';

/** What the rows are read from. */
export interface MetricSource {
  readonly metrics: ServerMetrics;
  readonly gauges: ServerGauges;
  readonly quotas: readonly QuotaGauges[];
}

export type MetricUnit =
  | 'ms'
  | 'bytes'
  | 'packets'
  | 'requests'
  | 'replies'
  | 'connections'
  | 'sessions'
  | 'txns'
  | 'changes'
  | 'znodes'
  | 'watches'
  | 'clients'
  | 'servers'
  | 'elections'
  | 'syncs'
  | 'writes'
  | 'snapshots'
  | 'handshakes'
  | 'descriptors'
  | 'tokens'
  | 'errors'
  | 'probability';

interface Described {
  /** Without the `zk_` of `mntr`. For a set: what follows or precedes the key, see monitor.ts. */
  readonly name: string;
  readonly unit: MetricUnit;
  /** One sentence, for docs/METRICS.md and Prometheus' HELP. */
  readonly meaning: string;
  /** Printed by leaders, or by members of an ensemble; default: by every server. */
  readonly of?: 'ensemble' | 'leader';
}

interface NumberMetric extends Described {
  /** A counter only rises, but for `srst`; a gauge is of this moment. */
  readonly kind: 'counter' | 'gauge';
  /** Printed with a point, as Java prints a double. */
  readonly isReal: boolean;
  /** Undefined: this server has none, and prints none. */
  readonly read: (source: MetricSource) => number | undefined;
}

interface SummaryMetric extends Described {
  readonly kind: 'summary';
  readonly read: (source: MetricSource) => Summary;
}

interface PercentileMetric extends Described {
  readonly kind: 'summary with percentiles';
  readonly read: (source: MetricSource) => PercentileSummary;
}

interface NumberSetMetric extends Described {
  /** One number for each key: the first name of a path, or the sid of a member. */
  readonly kind: 'counter set' | 'gauge set';
  readonly read: (source: MetricSource) => Iterable<readonly [key: string, value: number]>;
}

interface SummarySetMetric extends Described {
  readonly kind: 'summary set';
  readonly read: (source: MetricSource) => Iterable<readonly [key: string, summary: Summary]>;
}

interface PercentileSetMetric extends Described {
  readonly kind: 'summary set with percentiles';
  readonly read: (
    source: MetricSource,
  ) => Iterable<readonly [key: string, summary: PercentileSummary]>;
}

export type Metric =
  | NumberMetric
  | SummaryMetric
  | PercentileMetric
  | NumberSetMetric
  | SummarySetMetric
  | PercentileSetMetric;

/** In the order in which they are printed. Names are unique. */
// biome-ignore format: a row a metric
export const METRICS: readonly Metric[] = [
  // Gauges, and what ServerStats keeps.
  real('avg_latency', 'ms', 'Mean time from the arrival of a request to its reply', ({ metrics }) => metrics.requestLatency.average),
  gauge('min_latency', 'ms', 'Least time from the arrival of a request to its reply', ({ metrics }) => metrics.requestLatency.least),
  gauge('max_latency', 'ms', 'Greatest time from the arrival of a request to its reply', ({ metrics }) => metrics.requestLatency.greatest),
  counter('packets_received', 'packets', 'Requests received, handshakes and four-letter words included', (m) => m.packetsReceived),
  counter('packets_sent', 'packets', 'Replies, watch events and answers to four-letter words sent', (m) => m.packetsSent),
  gauge('num_alive_connections', 'connections', 'Open client connections', ({ gauges }) => gauges.aliveConnections),
  gauge('outstanding_requests', 'requests', 'Requests taken and not yet answered', ({ gauges }) => gauges.outstandingRequests),
  gauge('uptime', 'ms', 'Time since the server started', ({ gauges }) => gauges.uptimeMs),
  gauge('znode_count', 'znodes', 'Znodes in the tree; the root counts twice, as in Apache', ({ gauges }) => gauges.znodeCount),
  gauge('watch_count', 'watches', 'Watches set; a persistent one counts twice, once in the data and once in the child table', ({ gauges }) => gauges.watchCount),
  gauge('ephemerals_count', 'znodes', 'Ephemeral znodes', ({ gauges }) => gauges.ephemeralsCount),
  gauge('approximate_data_size', 'bytes', 'Paths and data of all znodes', ({ gauges }) => gauges.approximateDataSize),
  gauge('global_sessions', 'sessions', 'Sessions that are alive', ({ gauges }) => gauges.sessions),
  gauge('open_file_descriptor_count', 'descriptors', 'File descriptors that this process has open', ({ gauges }) => gauges.openFileDescriptors),
  gauge('max_file_descriptor_count', 'descriptors', 'File descriptors that this process may have open', ({ gauges }) => gauges.maxFileDescriptors),
  real('connection_drop_probability', 'probability', 'Chance that the connection throttle drops the next connect request', ({ gauges }) => gauges.connectionDropProbability),
  gauge('last_client_response_size', 'bytes', 'Size of the last reply; -1 before the first', ({ metrics }) => metrics.lastResponseBytes),
  gauge('max_client_response_size', 'bytes', 'Size of the largest reply; -1 before the first', ({ metrics }) => metrics.maxResponseBytes),
  gauge('min_client_response_size', 'bytes', 'Size of the smallest reply; -1 before the first', ({ metrics }) => metrics.minResponseBytes),
  gauge('outstanding_tls_handshake', 'handshakes', 'TLS handshakes under way', ({ gauges }) => gauges.outstandingTlsHandshakes),
  counter('auth_failed_count', 'errors', 'addAuth requests that proved nothing, and connections whose certificate is not accepted; srst keeps it', (m) => m.authFailed),
  counter('non_mtls_remote_conn_count', 'connections', 'Connections without TLS accepted from other hosts; srst keeps it', (m) => m.plainRemoteConnections),
  counter('non_mtls_local_conn_count', 'connections', 'Connections without TLS accepted from this host; srst keeps it', (m) => m.plainLocalConnections),

  // Members of an ensemble.
  ensembleGauge('quorum_size', 'servers', 'Members of the ensemble that vote', (e) => e.quorumSize),
  leaderGauge('learners', 'servers', 'Learners that are connected, in sync or not', (l) => l.learners),
  leaderGauge('synced_followers', 'servers', 'Followers in sync, those without a vote among them', (l) => l.syncedFollowers),
  leaderGauge('synced_non_voting_followers', 'servers', 'Followers in sync that have no vote', (l) => l.syncedNonVotingFollowers),
  leaderGauge('synced_observers', 'servers', 'Observers in sync', (l) => l.syncedObservers),
  leaderGauge('pending_syncs', 'requests', 'Requests sync that wait for a quorum, or for the txns before them', (l) => l.pendingSyncs),
  leaderGauge('leader_uptime', 'ms', 'Time since this leader was established', (l) => l.uptimeMs),
  leaderGauge('last_proposal_size', 'bytes', 'Size of the last txn proposed; -1 before the first', (_, m) => m.lastProposalBytes),
  leaderGauge('max_proposal_size', 'bytes', 'Size of the largest txn proposed by this leader; -1 before the first', (_, m) => m.maxProposalBytes),
  leaderGauge('min_proposal_size', 'bytes', 'Size of the smallest txn proposed by this leader; -1 before the first', (_, m) => m.minProposalBytes),
  ofEnsemble(counter('looking_count', 'elections', 'Times that this member began to look for a leader', (m) => m.elections)),
  ofEnsemble(summary('election_time', 'ms', 'Time from the beginning of an election until this member knew its leader', (m) => m.electionTime)),
  ofEnsemble(summary('follower_sync_time', 'ms', 'Time that this member took to be brought up to date, as a follower', (m) => m.followerSyncTime)),
  ofEnsemble(summary('observer_sync_time', 'ms', 'Time that this member took to be brought up to date, as an observer', (m) => m.observerSyncTime)),
  ofEnsemble(summary('unavailable_time', 'ms', 'Time from the start, or from the end of a role, until this member served again', (m) => m.unavailableTime)),
  ofEnsemble(summary('leader_unavailable_time', 'ms', 'The same, where this member served as the leader then', (m) => m.leaderUnavailableTime)),
  ofEnsemble(counter('quit_leading_due_to_disloyal_voter', 'elections', 'Times that this member did not lead after all, because a voter that had elected it looked for a leader again', (m) => m.leadershipsForgotten)),
  ofEnsemble(counter('diff_count', 'syncs', 'Learners that this leader brought up to date by txns', (m) => m.diffSyncs)),
  ofEnsemble(counter('snap_count', 'syncs', 'Learners that this leader brought up to date by a snapshot', (m) => m.snapshotSyncs)),
  ofEnsemble(summary('inflight_diff_count', 'syncs', 'Syncs by txns under way, whenever one began or ended', (m) => m.diffSyncsInFlight)),
  ofEnsemble(summary('inflight_snap_count', 'syncs', 'Syncs by a snapshot under way, whenever one began or ended', (m) => m.snapshotSyncsInFlight)),
  ofEnsemble(counter('revalidate_count', 'sessions', 'Sessions that learners asked this leader about, because their clients came to them', (m) => m.revalidations)),
  ofEnsemble(counter('learner_proposal_received_count', 'txns', 'Proposals that the leader sent to this follower, those of its sync not counted', (m) => m.proposalsReceived)),
  ofEnsemble(counter('learner_commit_received_count', 'txns', 'Commits that the leader sent to this learner, those of its sync not counted', (m) => m.commitsReceived)),
  ofEnsemble(percentiles('proposal_latency', 'ms', "Time from the leader's preparation of a txn until this follower has it; by the clocks of both machines", (m) => m.proposalLatency)),
  ofEnsemble(percentiles('commit_propagation_latency', 'ms', "Time from the leader's preparation of a txn until this learner knows that it is committed; by the clocks of both machines", (m) => m.commitPropagationLatency)),
  ofEnsemble(percentiles('quorum_ack_latency', 'ms', 'Time from the preparation of a txn until a quorum has it, on the leader', (m) => m.quorumAckLatency)),
  {
    name: 'ack_latency',
    unit: 'ms',
    kind: 'summary set with percentiles',
    meaning: 'Time from the sending of a proposal to a follower until its ack; the key is its sid. One proposal at a time is watched for each follower',
    of: 'ensemble',
    read: ({ metrics }) => metrics.ackLatency.entries(),
  },
  ofEnsemble(counter('peer_link_txns', 'txns', 'Txns that this member proposed, or took from its leader; srst keeps it. zebu only', (m) => m.peerLinkTxns)),
  {
    name: 'peer_link_writes',
    unit: 'writes',
    kind: 'counter',
    meaning: 'Socket writes on the links to leader and learners; srst keeps it. Those of all members by the peer_link_txns of the leader are the link writes for each txn. zebu only',
    of: 'ensemble',
    isReal: false,
    read: ({ gauges }) => gauges.ensemble?.linkWrites,
  },

  // Quotas.
  quota('quota_count_limit_per_namespace', 'znodes', 'Limit on the number of znodes, the hard one where there is one; -1 for none', (q) => q.countLimit),
  quota('quota_bytes_limit_per_namespace', 'bytes', 'Limit on the bytes of data, the hard one where there is one; -1 for none', (q) => q.bytesLimit),
  quota('quota_count_usage_per_namespace', 'znodes', 'Znodes under a quota', (q) => q.countUsage),
  quota('quota_bytes_usage_per_namespace', 'bytes', 'Bytes of data under a quota', (q) => q.bytesUsage),
  {
    name: 'quota_exceeded_error_per_namespace',
    unit: 'errors',
    kind: 'counter set',
    meaning: 'Writes refused because of a hard quota',
    read: ({ metrics }) => metrics.quotaExceeded,
  },

  // Connections and sessions.
  counter('bytes_received_count', 'bytes', 'Bytes received from clients', (m) => m.bytesReceived),
  counter('response_bytes', 'bytes', 'Bytes of replies, without the length before each', (m) => m.responseBytes),
  counter('watch_bytes', 'bytes', 'Bytes of watch events', (m) => m.watchBytes),
  counter('connection_request_count', 'requests', 'Connect requests received', (m) => m.connectionRequests),
  counter('connection_rejected', 'connections', 'Connections refused: by maxCnxns, maxClientCnxns, the connection throttle, or for want of file descriptors', (m) => m.connectionsRejected),
  counter('connection_drop_count', 'connections', 'Connections that ended from outside, with no closeSession and not by this server', (m) => m.connectionsDropped),
  counter('connection_revalidate_count', 'sessions', 'Sessions that came back on a new connection', (m) => m.connectionRevalidations),
  counter('sessionless_connections_expired', 'connections', 'Connections closed because no session was asked for in time', (m) => m.sessionlessConnectionsExpired),
  counter('stale_sessions_expired', 'sessions', 'Sessions that expired', (m) => m.staleSessionsExpired),
  counter('cnxn_closed_without_zk_server_running', 'connections', 'Connections closed at once because the server was stopping', (m) => m.connectionsClosedWhileNotServing),
  counter('unsuccessful_handshake', 'handshakes', 'TLS handshakes that failed', (m) => m.unsuccessfulHandshakes),
  counter('ensemble_auth_success', 'requests', 'Scheme ensemble: names that were right', (m) => m.ensembleAuthSuccess),
  counter('ensemble_auth_fail', 'requests', 'Scheme ensemble: names that were wrong', (m) => m.ensembleAuthFail),
  counter('ensemble_auth_skip', 'requests', 'Scheme ensemble: names that were not judged', (m) => m.ensembleAuthSkip),
  summary('connection_token_deficit', 'tokens', 'Tokens missing in the bucket of the connection throttle, at each connect request let through', (m) => m.connectionTokenDeficit),

  // Requests.
  percentiles('readlatency', 'ms', 'Time from the arrival of a read to its reply', (m) => m.readLatency),
  percentiles('updatelatency', 'ms', 'Time from the arrival of a write to its reply', (m) => m.updateLatency),
  counter('large_requests_rejected', 'requests', 'Large requests refused by largeRequestMaxBytes', (m) => m.largeRequestsRejected),
  counter('throttled_ops', 'requests', 'Requests answered THROTTLEDOP', (m) => m.throttledOps),
  counter('request_throttle_wait_count', 'requests', 'Times that a connection had to wait because too many txns were outstanding', (m) => m.throttleWaits),
  percentiles('request_throttle_queue_time_ms', 'ms', 'How long the throttle held up a request; requests that it did not hold up are not counted', (m) => m.throttleQueueTime),
  counter('stale_requests', 'requests', 'Requests carried out although the throttle held them up for longer than their session lives', (m) => m.staleRequests),
  counter('stale_requests_dropped', 'requests', 'Requests dropped, with their connection, because the throttle held them up for longer than their session lives', (m) => m.staleRequestsDropped),
  counter('stale_replies', 'replies', 'Replies to writes whose connection was gone', (m) => m.staleReplies),
  summary('requests_in_session_queue', 'requests', "Requests that waited for their connection's writes, whenever one more had to", (m) => m.parkedRequests),
  summary('reads_after_write_in_session_queue', 'requests', 'Requests that waited for a write and ran right after it', (m) => m.requestsRunAfterWrite),
  percentiles('read_commitproc_time_ms', 'ms', "How long a request waited for its connection's writes", (m) => m.parkedTime),

  // Txns, in the order of their way through the server.
  counter('prep_processor_request_queued', 'requests', 'Writes given to preparation', (m) => m.preparedRequests),
  summary('prep_process_time', 'ms', 'Time to prepare a write; one in 32 is timed', (m) => m.prepareTime),
  percentiles('close_session_prep_time', 'ms', 'Time to prepare the end of a session', (m) => m.closeSessionPrepareTime),
  counter('outstanding_changes_queued', 'changes', 'Changes of znodes that were prepared', (m) => m.outstandingChangesQueued),
  counter('outstanding_changes_removed', 'changes', 'Changes of znodes that were prepared and are applied', (m) => m.outstandingChangesRemoved),
  counter('proposal_count', 'txns', 'Txns proposed', (m) => m.proposals),
  counter('sync_processor_request_queued', 'txns', 'Txns given to the log', (m) => m.syncedRequests),
  summary('sync_processor_batch_size', 'txns', 'Txns in one durable write of the log', (m) => m.logBatchTxns),
  percentiles('sync_processor_queue_time_ms', 'ms', 'How long the oldest txn of a batch waited before its durable write began', (m) => m.logQueueTime),
  percentiles('sync_processor_queue_flush_time_ms', 'ms', 'Duration of one durable write of the log', (m) => m.logWriteTime),
  percentiles('sync_processor_queue_and_flush_time_ms', 'ms', 'The two above together: from the log until durable, for the oldest txn of a batch', (m) => m.logQueueAndWriteTime),
  summary('fsynctime', 'ms', 'Duration of one durable write of the log; writing and syncing are one here', (m) => m.syncTime),
  counter('commit_count', 'txns', 'Txns applied', (m) => m.commits),
  summary('write_commit_proc_issued', 'txns', 'Txns applied in one pass', (m) => m.commitPassTxns),
  summary('commit_process_time', 'ms', 'Duration of one pass that applies and answers txns', (m) => m.commitPassTime),
  percentiles('propagation_latency', 'ms', "Time from the preparation of a txn until it is applied; on a learner by the leader's clock and its own, and from its arrival while the learner is brought up to date", (m) => m.propagationLatency),
  counter('digest_mismatches_count', 'txns', 'Txns whose digest does not match the tree they led to', (m) => m.digestMismatches),

  // Traffic by the first name of the path.
  summarySet('read_per_namespace', 'bytes', 'Bytes that one read takes from the tree: path, data or names of children, and 68 for the Stat', (m) => m.readPerNamespace.entries()),
  summarySet('write_per_namespace', 'bytes', 'Bytes that one create, set of data or delete writes: path and data', (m) => m.writePerNamespace.entries()),

  // Watches.
  summary('node_created_watch_count', 'watches', 'Clients told of one creation', (m) => m.createdWatches),
  summary('node_deleted_watch_count', 'watches', 'Clients told of one deletion', (m) => m.deletedWatches),
  summary('node_changed_watch_count', 'watches', 'Clients told of one change of data', (m) => m.changedWatches),
  summary('node_children_watch_count', 'watches', 'Clients told of one change of children', (m) => m.childrenWatches),
  counter('dead_watchers_queued', 'clients', 'Connections that ended, whose watches are to be taken away', (m) => m.deadWatchersQueued),
  counter('dead_watchers_cleared', 'clients', 'Connections whose watches were taken away', (m) => m.deadWatchersCleared),
  percentiles('dead_watchers_cleaner_latency', 'ms', 'Duration of one pass that takes watches away', (m) => m.deadWatchersTime),

  // The server itself.
  counter('snapshot_error_count', 'snapshots', 'Snapshots that failed', (m) => m.snapshotErrors),
  counter('unrecoverable_error_count', 'errors', 'Requests that met a defect of this server, and failures that stopped it', (m) => m.unrecoverableErrors),
  summary('snapshottime', 'ms', 'Duration of a snapshot, while requests are served', (m) => m.snapshotTime),
  summary('dbinittime', 'ms', 'Time to load snapshot and log at the start', (m) => m.databaseLoadTime),
  summary('startup_snap_load_time', 'ms', 'Time to load the snapshot at the start', (m) => m.startupSnapshotLoadTime),
  summary('startup_txns_load_time', 'ms', 'Time to replay the log at the start', (m) => m.startupTxnsLoadTime),
  summary('startup_txns_loaded', 'txns', 'Txns replayed at the start', (m) => m.startupTxnsLoaded),
  percentiles('jvm_pause_time_ms', 'ms', "How late the server's half-tick timer came: time that the process stood still or was busy at one thing", (m) => m.pauseTime),
];

function gauge(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (source: MetricSource) => number,
): Metric {
  return { name, unit, kind: 'gauge', meaning, isReal: false, read };
}

function ensembleGauge(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (ensemble: EnsembleGauges) => number,
): Metric {
  const readSource = ({ gauges: { ensemble } }: MetricSource): number | undefined =>
    ensemble && read(ensemble);
  return { name, unit, kind: 'gauge', meaning, of: 'ensemble', isReal: false, read: readSource };
}

function leaderGauge(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (leader: LeaderGauges, metrics: ServerMetrics) => number,
): Metric {
  const readSource = ({ gauges, metrics }: MetricSource): number | undefined =>
    gauges.ensemble?.leader && read(gauges.ensemble.leader, metrics);
  return { name, unit, kind: 'gauge', meaning, of: 'leader', isReal: false, read: readSource };
}

function real(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (source: MetricSource) => number,
): Metric {
  return { name, unit, kind: 'gauge', meaning, isReal: true, read };
}

function counter(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (metrics: ServerMetrics) => number,
): Metric {
  const readSource = ({ metrics }: MetricSource): number => read(metrics);
  return { name, unit, kind: 'counter', meaning, isReal: false, read: readSource };
}

function summary(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (metrics: ServerMetrics) => Summary,
): Metric {
  return { name, unit, kind: 'summary', meaning, read: ({ metrics }) => read(metrics) };
}

function percentiles(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (metrics: ServerMetrics) => PercentileSummary,
): Metric {
  const readSource = ({ metrics }: MetricSource): PercentileSummary => read(metrics);
  return { name, unit, kind: 'summary with percentiles', meaning, read: readSource };
}

function ofEnsemble(metric: Metric): Metric {
  return { ...metric, of: 'ensemble' };
}

function summarySet(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (metrics: ServerMetrics) => Iterable<readonly [key: string, summary: Summary]>,
): Metric {
  return { name, unit, kind: 'summary set', meaning, read: ({ metrics }) => read(metrics) };
}

function quota(
  name: string,
  unit: MetricUnit,
  meaning: string,
  read: (quota: QuotaGauges) => number,
): Metric {
  const readSource = ({ quotas }: MetricSource): [string, number][] =>
    quotas.map((one) => [one.namespace, read(one)]);
  return { name, unit, kind: 'gauge set', meaning, read: readSource };
}
