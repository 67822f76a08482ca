/**
 * What the server counts about itself, and how it is called outside. Counters are plain number fields
 * that their owners add to; a summary is five numbers, and with percentiles a fixed reservoir. Nothing
 * is computed until somebody asks (`mntr`). Names and meanings are those of Apache's ServerMetrics, as
 * far as they exist here; what only an ensemble or Java's threads have is left out.
 *
 * Time goes in as whole milliseconds, as in Apache.
 */

/** Count, sum, least and greatest of the values it was given. */
export class Summary {
  count = 0;
  sum = 0;
  min = Number.MAX_SAFE_INTEGER;
  max = Number.MIN_SAFE_INTEGER;

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** With four decimals; 0 before the first value. */
  get average(): number {
    return this.count === 0 ? 0 : Math.round((this.sum / this.count) * 10_000) / 10_000;
  }

  /** 0 before the first value, as `greatest`. */
  get least(): number {
    return this.count === 0 ? 0 : this.min;
  }

  get greatest(): number {
    return this.count === 0 ? 0 : this.max;
  }

  reset(): void {
    this.count = 0;
    this.sum = 0;
    this.min = Number.MAX_SAFE_INTEGER;
    this.max = Number.MIN_SAFE_INTEGER;
  }
}

const RESERVOIR_SIZE = 4096;

/**
 * A summary that also knows percentiles, from a uniform sample of 4,096 values (Vitter's algorithm R,
 * as Apache's AvgMinMaxPercentileCounter). Allocates once, at the first value.
 */
export class PercentileSummary extends Summary {
  #reservoir: Float64Array | undefined;
  // xorshift32: which value is replaced need not be unpredictable, and must not cost.
  #random = 0x9e3779b9 | 0;

  override add(value: number): void {
    super.add(value);
    this.#reservoir ??= new Float64Array(RESERVOIR_SIZE);
    if (this.count <= RESERVOIR_SIZE) {
      this.#reservoir[this.count - 1] = value;
      return;
    }
    let random = this.#random;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    this.#random = random;
    const index = (random >>> 0) % this.count;
    if (index < RESERVOIR_SIZE) this.#reservoir[index] = value;
  }

  /** Rounded values at `quantiles` (0 to 1), which must rise; all 0 before the first value. */
  percentiles(quantiles: readonly number[]): number[] {
    const size = Math.min(this.count, RESERVOIR_SIZE);
    const sorted = (this.#reservoir ?? new Float64Array(0)).slice(0, size).sort();
    return quantiles.map((quantile) => Math.round(valueAt(sorted, quantile)));
  }
}

// com.codahale.metrics.UniformSnapshot.getValue.
function valueAt(sorted: Float64Array, quantile: number): number {
  if (sorted.length === 0) return 0;
  const position = quantile * (sorted.length + 1);
  const index = Math.floor(position);
  if (index < 1) return sorted[0] as number;
  if (index >= sorted.length) return sorted[sorted.length - 1] as number;
  const lower = sorted[index - 1] as number;
  return lower + (position - index) * ((sorted[index] as number) - lower);
}

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
  /** Not reset by `srst`, as the next two. */
  authFailed = 0;
  nonMtlsRemoteConnections = 0;
  nonMtlsLocalConnections = 0;

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
  tlsHandshakesExceeded = 0;
  ensembleAuthSuccess = 0;
  ensembleAuthFail = 0;
  ensembleAuthSkip = 0;

  // Requests.
  commits = 0;
  proposals = 0;
  preparedRequests = 0;
  syncedRequests = 0;
  outstandingChangesQueued = 0;
  outstandingChangesRemoved = 0;
  largeRequestsRejected = 0;
  throttledOps = 0;
  throttleWaits = 0;
  staleRequests = 0;
  staleRequestsDropped = 0;
  staleReplies = 0;

  // Trouble.
  digestMismatches = 0;
  snapshotErrors = 0;
  unrecoverableErrors = 0;
  /** Writes refused for a quota, by the first name of their path. */
  readonly quotaExceeded = new Map<string, number>();

  readonly readLatency = new PercentileSummary();
  readonly updateLatency = new PercentileSummary();
  readonly throttleQueueTime = new PercentileSummary();
  /** How long a turn of the event loop took that took long. */
  readonly pauseTime = new PercentileSummary();
  readonly syncTime = new Summary();
  readonly snapshotTime = new Summary();
  readonly databaseLoadTime = new Summary();
  readonly startupSnapshotLoadTime = new Summary();
  readonly startupTxnsLoadTime = new Summary();
  readonly startupTxnsLoaded = new Summary();
  readonly connectionTokenDeficit = new Summary();
  readonly prepareTime = new Summary();
  readonly batchSize = new Summary();
  readonly syncQueueAndFlushTime = new PercentileSummary();
  readonly requestsInSessionQueue = new Summary();
  readonly createdWatches = new Summary();
  readonly deletedWatches = new Summary();
  readonly changedWatches = new Summary();
  readonly childrenWatches = new Summary();

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

  addQuotaExceeded(namespace: string): void {
    this.quotaExceeded.set(namespace, (this.quotaExceeded.get(namespace) ?? 0) + 1);
  }

  /** What `srst` sets back: packets, latencies, sizes, every counter and summary. */
  reset(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.requestLatency.reset();
    this.lastResponseBytes = -1;
    this.minResponseBytes = -1;
    this.maxResponseBytes = -1;
    for (const [, field] of COUNTERS) this[field] = 0;
    for (const [, field] of SUMMARIES) this[field].reset();
    for (const [, field] of PERCENTILE_SUMMARIES) this[field].reset();
    this.quotaExceeded.clear();
  }
}

type FieldsOf<T> = {
  [Key in keyof ServerMetrics]: ServerMetrics[Key] extends T ? Key : never;
}[keyof ServerMetrics];

const COUNTERS: readonly (readonly [name: string, field: FieldsOf<number>])[] = [
  ['bytes_received_count', 'bytesReceived'],
  ['response_bytes', 'responseBytes'],
  ['watch_bytes', 'watchBytes'],
  ['connection_request_count', 'connectionRequests'],
  ['connection_rejected', 'connectionsRejected'],
  ['connection_drop_count', 'connectionsDropped'],
  ['connection_revalidate_count', 'connectionRevalidations'],
  ['sessionless_connections_expired', 'sessionlessConnectionsExpired'],
  ['stale_sessions_expired', 'staleSessionsExpired'],
  ['cnxn_closed_without_zk_server_running', 'connectionsClosedWhileNotServing'],
  ['unsuccessful_handshake', 'unsuccessfulHandshakes'],
  ['tls_handshake_exceeded', 'tlsHandshakesExceeded'],
  ['ensemble_auth_success', 'ensembleAuthSuccess'],
  ['ensemble_auth_fail', 'ensembleAuthFail'],
  ['ensemble_auth_skip', 'ensembleAuthSkip'],
  ['commit_count', 'commits'],
  ['proposal_count', 'proposals'],
  ['prep_processor_request_queued', 'preparedRequests'],
  ['sync_processor_request_queued', 'syncedRequests'],
  ['outstanding_changes_queued', 'outstandingChangesQueued'],
  ['outstanding_changes_removed', 'outstandingChangesRemoved'],
  ['large_requests_rejected', 'largeRequestsRejected'],
  ['throttled_ops', 'throttledOps'],
  ['request_throttle_wait_count', 'throttleWaits'],
  ['stale_requests', 'staleRequests'],
  ['stale_requests_dropped', 'staleRequestsDropped'],
  ['stale_replies', 'staleReplies'],
  ['digest_mismatches_count', 'digestMismatches'],
  ['snapshot_error_count', 'snapshotErrors'],
  ['unrecoverable_error_count', 'unrecoverableErrors'],
];

const SUMMARIES: readonly (readonly [name: string, field: FieldsOf<Summary>])[] = [
  ['fsynctime', 'syncTime'],
  ['snapshottime', 'snapshotTime'],
  ['dbinittime', 'databaseLoadTime'],
  ['startup_snap_load_time', 'startupSnapshotLoadTime'],
  ['startup_txns_load_time', 'startupTxnsLoadTime'],
  ['startup_txns_loaded', 'startupTxnsLoaded'],
  ['connection_token_deficit', 'connectionTokenDeficit'],
  ['prep_process_time', 'prepareTime'],
  ['sync_processor_batch_size', 'batchSize'],
  ['requests_in_session_queue', 'requestsInSessionQueue'],
  ['node_created_watch_count', 'createdWatches'],
  ['node_deleted_watch_count', 'deletedWatches'],
  ['node_changed_watch_count', 'changedWatches'],
  ['node_children_watch_count', 'childrenWatches'],
];

const PERCENTILE_SUMMARIES: readonly (readonly [
  name: string,
  field: FieldsOf<PercentileSummary>,
])[] = [
  ['readlatency', 'readLatency'],
  ['updatelatency', 'updateLatency'],
  ['request_throttle_queue_time_ms', 'throttleQueueTime'],
  ['sync_processor_queue_and_flush_time_ms', 'syncQueueAndFlushTime'],
  ['jvm_pause_time_ms', 'pauseTime'],
];

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

/** Everything under Apache's names: gauges, quotas, counters, summaries. Numbers as `mntr` prints them. */
export function* monitorValues(
  metrics: ServerMetrics,
  gauges: ServerGauges,
  quotas: Iterable<QuotaGauges>,
): Generator<readonly [name: string, value: string]> {
  yield ['avg_latency', javaDouble(metrics.requestLatency.average)];
  yield ['min_latency', `${metrics.requestLatency.least}`];
  yield ['max_latency', `${metrics.requestLatency.greatest}`];
  yield ['packets_received', `${metrics.packetsReceived}`];
  yield ['packets_sent', `${metrics.packetsSent}`];
  yield ['num_alive_connections', `${gauges.aliveConnections}`];
  yield ['outstanding_requests', `${gauges.outstandingRequests}`];
  yield ['uptime', `${gauges.uptimeMs}`];
  yield ['znode_count', `${gauges.znodeCount}`];
  yield ['watch_count', `${gauges.watchCount}`];
  yield ['ephemerals_count', `${gauges.ephemeralsCount}`];
  yield ['approximate_data_size', `${gauges.approximateDataSize}`];
  yield ['global_sessions', `${gauges.sessions}`];
  yield ['local_sessions', '0'];
  yield ['open_file_descriptor_count', `${gauges.openFileDescriptors}`];
  yield ['max_file_descriptor_count', `${gauges.maxFileDescriptors}`];
  yield ['connection_drop_probability', javaDouble(gauges.connectionDropProbability)];
  yield ['last_client_response_size', `${metrics.lastResponseBytes}`];
  yield ['max_client_response_size', `${metrics.maxResponseBytes}`];
  yield ['min_client_response_size', `${metrics.minResponseBytes}`];
  yield ['outstanding_tls_handshake', `${gauges.outstandingTlsHandshakes}`];
  yield ['auth_failed_count', `${metrics.authFailed}`];
  yield ['non_mtls_remote_conn_count', `${metrics.nonMtlsRemoteConnections}`];
  yield ['non_mtls_local_conn_count', `${metrics.nonMtlsLocalConnections}`];
  for (const quota of quotas) {
    yield [`${quota.namespace}_quota_count_limit_per_namespace`, `${quota.countLimit}`];
    yield [`${quota.namespace}_quota_bytes_limit_per_namespace`, `${quota.bytesLimit}`];
    yield [`${quota.namespace}_quota_count_usage_per_namespace`, `${quota.countUsage}`];
    yield [`${quota.namespace}_quota_bytes_usage_per_namespace`, `${quota.bytesUsage}`];
  }
  for (const [name, field] of COUNTERS) yield [name, `${metrics[field]}`];
  for (const [namespace, count] of metrics.quotaExceeded) {
    yield [`${namespace}_quota_exceeded_error_per_namespace`, `${count}`];
  }
  for (const [name, field] of SUMMARIES) yield* summaryValues(name, metrics[field]);
  for (const [name, field] of PERCENTILE_SUMMARIES) {
    const summary = metrics[field];
    yield* summaryValues(name, summary);
    const [p50, p95, p99, p999] = summary.percentiles([0.5, 0.95, 0.99, 0.999]);
    yield [`p50_${name}`, `${p50}`];
    yield [`p95_${name}`, `${p95}`];
    yield [`p99_${name}`, `${p99}`];
    yield [`p999_${name}`, `${p999}`];
  }
}

function* summaryValues(
  name: string,
  summary: Summary,
): Generator<readonly [name: string, value: string]> {
  yield [`avg_${name}`, javaDouble(summary.average)];
  yield [`min_${name}`, `${summary.least}`];
  yield [`max_${name}`, `${summary.greatest}`];
  yield [`cnt_${name}`, `${summary.count}`];
  yield [`sum_${name}`, `${summary.sum}`];
}

/** A number as Java's Double.toString writes it: `0.0`, `1.25`, `1.0E-4`, `1.2E7`. */
export function javaDouble(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
  }
  const text = `${value}`;
  return text.includes('.') ? text : `${text}.0`;
}
