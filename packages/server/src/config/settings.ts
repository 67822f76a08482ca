/**
 * The one table of everything that can be set: each key of Apache ZooKeeper 3.9's administrator guide
 * and the few of our own. zoo.cfg, flags, environment variables, Java system properties, `--help`,
 * `--print-config` and docs/LIMITS.md are all derived from it; a key that is not here is unknown.
 *
 * A row says what a key is called, which values it takes and what becomes of it: `honoured`, into the
 * field of ServerConfig that it names (or `composed` with others, by config.ts); `ignored`, because it
 * means nothing here, and why; `refused`, because leaving it out in silence would harm the user.
 */

import { nearestName } from './nearest-name.ts';

/** Which values a key takes. `unit` is for the reader; `scale` turns it into the field's own unit. */
export type ValueType =
  | {
      readonly kind: 'boolean';
      /** Apache's server does not start with another word; of most settings it takes one for false. */
      readonly isStrict?: boolean;
    }
  | { readonly kind: 'yesno' }
  | {
      readonly kind: 'integer';
      readonly min: number;
      readonly max: number;
      readonly unit?: string;
      readonly scale?: number;
      /** Below `min` the minimum is used, with a warning, as Apache does. */
      readonly raise?: boolean;
    }
  | { readonly kind: 'decimal'; readonly min: number; readonly max: number }
  | { readonly kind: 'duration'; readonly unit: 'h' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'text' }
  | { readonly kind: 'path' };

/** `ensemble`: honoured by a member of an ensemble, without effect on a server on its own. */
export type SettingStatus = 'honoured' | 'ensemble' | 'ignored' | 'refused';

export interface Setting {
  /** The name in zoo.cfg. Ends in `.N` or `.*` when it stands for a family of keys. */
  readonly key: string;
  /** Java system properties that are not `zookeeper.<key>`. */
  readonly properties: readonly string[];
  /** Shorter names, which Apache does not have. */
  readonly aliases: readonly string[];
  readonly group: SettingGroup;
  readonly type: ValueType;
  /** As it would be written; in parentheses when it follows from something else; empty for none. */
  readonly default: string;
  readonly meaning: string;
  readonly status: SettingStatus;
  /** Why it is ignored or refused. */
  readonly reason: string;
  /** The field of ServerConfig, groups with a dot; undefined when it has none of its own. */
  readonly field: string | undefined;
  /** Never printed. */
  readonly secret: boolean;
}

export const SETTING_GROUPS = [
  'Client ports',
  'Time and sessions',
  'Disk',
  'Data',
  'Limits and throttles',
  'Access',
  'TLS',
  'Logs and four-letter words',
  'Ensemble',
  'Admin server and metrics',
  'Java and its threads',
  'Tests',
] as const;

export type SettingGroup = (typeof SETTING_GROUPS)[number];

/** 2^31 - 1, the largest Java int. */
const MAX_INT = 0x7fffffff;

const boolean: ValueType = { kind: 'boolean' };
const strictBoolean: ValueType = { kind: 'boolean', isStrict: true };
const yesno: ValueType = { kind: 'yesno' };
const text: ValueType = { kind: 'text' };
const path: ValueType = { kind: 'path' };
const port: ValueType = { kind: 'integer', min: 0, max: 65535 };
const milliseconds: ValueType = { kind: 'integer', min: 0, max: MAX_INT, unit: 'ms' };

function integer(
  min: number,
  extra: { max?: number; unit?: string; scale?: number; raise?: boolean } = {},
): ValueType {
  return { kind: 'integer', min, max: MAX_INT, ...extra };
}

function choice(...choices: string[]): ValueType {
  return { kind: 'choice', choices };
}

type Row = Omit<
  Setting,
  'group' | 'status' | 'reason' | 'properties' | 'aliases' | 'secret' | 'field'
> & {
  readonly properties?: readonly string[];
  readonly aliases?: readonly string[];
  readonly secret?: boolean;
  readonly field?: string;
  readonly reason?: string;
};

function rows(group: SettingGroup, status: SettingStatus, list: readonly Row[]): Setting[] {
  return list.map((row) => ({
    properties: [],
    aliases: [],
    secret: false,
    field: undefined,
    reason: '',
    ...row,
    group,
    status,
  }));
}

// Reasons that many keys share.
const ENSEMBLE = 'only a member of an ensemble uses it, and this server is on its own';
const LINKS =
  "tunes the links between Apache's servers; those between members here have no such knob";
const NOT_YET =
  'this version does not have it: a member of an ensemble that is told to use it does not start';
const JVM = 'belongs to the Java virtual machine';
const THREADS = "tunes Java's threads; a server here is one thread";
const NETTY = "tunes Netty, Java's network library";
const NO_ADMIN = 'this version has no HTTP admin server';
const NO_EXPORT = 'this version exports its metrics by mntr only';
const NO_SASL = 'this version has no SASL login: nobody becomes a SASL user';
const STANDALONE = 'a server on its own answers without it';

// biome-ignore format: a row a line
const CLIENT_PORTS = rows('Client ports', 'honoured', [
  { key: 'clientPort', type: port, default: '', field: 'clientPort', meaning: 'Port for clients; 0 takes any free one. Without any configuration: 2181' },
  { key: 'clientPortAddress', type: text, default: '(all)', field: 'clientPortAddress', meaning: 'Address to bind, IPv4 or IPv6' },
  { key: 'secureClientPort', type: port, default: '', field: 'secureClientPort', meaning: 'Port for clients that speak TLS' },
  { key: 'secureClientPortAddress', type: text, default: '(all)', field: 'secureClientPortAddress', meaning: 'Address to bind for TLS' },
  { key: 'clientPortListenBacklog', type: integer(-1), default: '-1', field: 'clientPortListenBacklog', meaning: 'Connections that may wait to be accepted; -1 leaves it to the system' },
  { key: 'clientTcpKeepAlive', type: boolean, default: 'false', field: 'tcpKeepAlive', meaning: 'TCP keep-alive on client connections' },
  { key: 'transport', type: choice('auto', 'sockets'), default: 'auto', field: 'transport', meaning: "sockets: nothing but Node's documented sockets; auto: its stream handles, where a probe finds them as expected (of zebu)" },
  { key: 'eventThread', type: boolean, default: 'true', field: 'eventThread', meaning: 'A second thread helps to write one event to thousands of clients (of zebu)' },
]);

// biome-ignore format: a row a line
const TIME = rows('Time and sessions', 'honoured', [
  { key: 'tickTime', type: integer(1, { unit: 'ms' }), default: '3000', field: 'tickTimeMs', meaning: 'The unit of time: sessions expire at whole ticks' },
  { key: 'minSessionTimeout', type: integer(-1, { unit: 'ms' }), default: '(2 x tickTime)', field: 'minSessionTimeoutMs', meaning: 'Shortest session timeout that a client gets; -1 for the default' },
  { key: 'maxSessionTimeout', type: integer(-1, { unit: 'ms' }), default: '(20 x tickTime)', field: 'maxSessionTimeoutMs', meaning: 'Longest session timeout that a client gets; -1 for the default' },
  { key: 'nio.sessionlessCnxnTimeout', type: milliseconds, default: '10000', field: 'sessionlessCnxnTimeoutMs', meaning: 'A connection that has no session by then is closed' },
  { key: 'closeSessionTxn.enabled', type: boolean, default: 'true', field: 'closeSessionTxnEnabled', meaning: 'Write the ephemerals of a closed session into its txn' },
  { key: 'readonlymode.enabled', properties: ['readonlymode.enabled'], type: boolean, default: 'false', field: 'readOnlyModeEnabled', meaning: 'Serve reads while there is no quorum; a server on its own only answers isro by it, a member of an ensemble that has it does not start' },
]);

// biome-ignore format: a row a line
const DISK = [
  ...rows('Disk', 'honoured', [
    { key: 'dataDir', type: path, default: '', field: 'dataDir', meaning: 'Directory of the snapshots, and of the logs unless dataLogDir is set' },
    { key: 'dataLogDir', type: path, default: '(dataDir)', field: 'dataLogDir', meaning: 'Directory of the txn logs' },
    { key: 'preAllocSize', type: integer(0, { unit: 'KB', scale: 1024 }), default: '65536', field: 'preAllocSizeBytes', meaning: 'Block by which a log file is lengthened ahead of its use' },
    { key: 'snapCount', type: integer(2, { unit: 'txns', raise: true }), default: '100000', field: 'snapCount', meaning: 'Txns between two snapshots: a random number from half of this up to it' },
    { key: 'snapSizeLimitInKb', type: integer(-1, { unit: 'KB', scale: 1024 }), default: '4194304', field: 'snapSizeLimitBytes', meaning: 'Log bytes between two snapshots, as with snapCount; 0 or -1: no such limit' },
    { key: 'txnLogSizeLimitInKb', type: integer(-1, { unit: 'KB', scale: 1024 }), default: '-1', field: 'txnLogSizeLimitBytes', meaning: 'Size at which a log file is followed by a new one; 0 or -1: no such limit' },
    { key: 'autopurge.snapRetainCount', type: integer(3, { unit: 'snapshots', raise: true }), default: '3', field: 'autopurgeSnapRetainCount', meaning: 'Snapshots that a purge keeps, with the logs they need' },
    { key: 'autopurge.purgeInterval', type: { kind: 'duration', unit: 'h' }, default: '0', field: 'autopurgePurgeIntervalMs', meaning: 'Time between purges, in hours or with a unit (ms, s, m, h, d); 0: never' },
    { key: 'snapshot.compression.method', type: choice('', 'none', 'gz', 'snappy'), default: '', field: 'snapshotCompression', meaning: 'How snapshots are written; every kind is read' },
    { key: 'snapshot.trust.empty', type: boolean, default: 'false', field: 'snapshotTrustEmpty', meaning: 'Start from logs that have no snapshot before them (after an upgrade from 3.4)' },
    { key: 'serializeLastProcessedZxid.enabled', type: boolean, default: 'true', field: 'serializeLastProcessedZxid', meaning: 'Write the last applied zxid into snapshots' },
    { key: 'db.autocreate', type: boolean, default: 'true', field: 'dbAutocreate', meaning: 'Start empty in an empty directory; false: only when it holds a file named initialize' },
    { key: 'datadir.autocreate', type: boolean, default: 'true', field: 'dataDirAutocreate', meaning: 'Make the directories when they are missing' },
    { key: 'forceSync', type: yesno, default: 'yes', field: 'forceSync', meaning: 'Sync the log before a write is acknowledged; no: a crash of the machine may lose acknowledged writes' },
    { key: 'fsync.warningthresholdms', properties: ['fsync.warningthresholdms'], type: milliseconds, default: '1000', field: 'fsyncWarningThresholdMs', meaning: 'Warn when a sync takes longer' },
    { key: 'flushDelay', type: milliseconds, default: '0', field: 'flushDelayMs', meaning: 'How long a batch of writes may wait for more before it is synced' },
    { key: 'maxBatchSize', type: integer(0, { unit: 'txns' }), default: '1000', field: 'maxBatchSize', meaning: 'Txns at which a batch is synced without waiting for more; 0: no limit' },
  ]),
  ...rows('Disk', 'ignored', [
    { key: 'maxWriteQueuePollTime', type: milliseconds, default: '(flushDelay / 3)', meaning: 'Poll of the write queue while flushDelay runs', reason: THREADS },
  ]),
];

// biome-ignore format: a row a line
const DATA = [
  ...rows('Data', 'honoured', [
    { key: 'extendedTypesEnabled', type: boolean, default: 'false', field: 'extendedTypesEnabled', meaning: 'Allow TTL znodes' },
    { key: 'emulate353TTLNodes', type: boolean, default: 'false', field: 'emulate353TtlNodes', meaning: 'Encode TTLs as 3.5.3 did' },
    { key: 'enforceQuota', type: boolean, default: 'false', field: 'enforceQuota', meaning: 'Refuse writes beyond a hard quota, and warn beyond a soft one' },
    { key: 'digest.enabled', type: boolean, default: 'true', field: 'digestEnabled', meaning: 'Keep a digest of the tree, in logs and snapshots too' },
    { key: 'znode.container.checkIntervalMs', properties: ['znode.container.checkIntervalMs'], type: milliseconds, default: '60000', field: 'containers.checkIntervalMs', meaning: 'Time between two searches for containers and TTL znodes to remove; 0: never' },
    { key: 'znode.container.maxPerMinute', properties: ['znode.container.maxPerMinute'], type: integer(1), default: '10000', field: 'containers.maxPerMinute', meaning: 'How many of them are removed a minute, at most' },
    { key: 'znode.container.maxNeverUsedIntervalMs', properties: ['znode.container.maxNeverUsedIntervalMs'], type: milliseconds, default: '0', field: 'containers.maxNeverUsedIntervalMs', meaning: 'A container that never had a child is removed after this; 0: never' },
  ]),
  ...rows('Data', 'ignored', [
    { key: 'maxResponseCacheSize', type: integer(-1), default: '400', meaning: 'Cached getData replies', reason: 'a reply is copied from the tree, so there is nothing to cache' },
    { key: 'maxGetChildrenResponseCacheSize', type: integer(-1), default: '400', meaning: 'Cached getChildren2 replies', reason: 'a reply is copied from the tree, so there is nothing to cache' },
    { key: 'watchManagerName', type: text, default: 'org.apache.zookeeper.server.watch.WatchManager', meaning: 'Java class of the watch table', reason: 'there is one watch table, which knows every kind of watch' },
    { key: 'watcherCleanThreadsNum', type: integer(1), default: '2', meaning: 'Threads of WatchManagerOptimized', reason: THREADS },
    { key: 'watcherCleanThreshold', type: integer(1), default: '1000', meaning: 'Dead watchers that start a cleaning', reason: 'watches go with their connection' },
    { key: 'watcherCleanIntervalInSeconds', type: integer(1, { unit: 's' }), default: '600', meaning: 'Time between cleanings', reason: 'watches go with their connection' },
    { key: 'maxInProcessingDeadWatchers', type: integer(-1), default: '-1', meaning: 'Dead watchers that are being cleaned', reason: 'watches go with their connection' },
    { key: 'bitHashCacheSize', type: integer(0), default: '10', meaning: 'Cache of WatchManagerOptimized', reason: JVM },
    { key: 'pathStats.enabled', type: boolean, default: 'false', meaning: 'Log the paths most asked for', reason: 'this version keeps no statistics of paths' },
    { key: 'pathStats.*', type: text, default: '', meaning: 'Slots, depth and rate of those statistics', reason: 'this version keeps no statistics of paths' },
  ]),
];

// biome-ignore format: a row a line
const LIMITS = [
  ...rows('Limits and throttles', 'honoured', [
    { key: 'jute.maxbuffer', properties: ['jute.maxbuffer'], type: integer(1, { unit: 'bytes' }), default: '1048575', field: 'juteMaxBufferBytes', meaning: 'Longest request; a longer one closes its connection' },
    { key: 'jute.maxbuffer.extrasize', properties: ['zookeeper.jute.maxbuffer.extrasize'], type: integer(0, { unit: 'bytes' }), default: '(jute.maxbuffer)', field: 'juteMaxBufferExtraBytes', meaning: 'What a record read from disk may be longer than that' },
    { key: 'maxCnxns', type: integer(0, { unit: 'connections' }), default: '0', field: 'maxCnxns', meaning: 'Connections in all; 0: no limit' },
    { key: 'maxClientCnxns', type: integer(-1, { unit: 'connections' }), default: '60', field: 'maxClientCnxns', meaning: 'Connections per client address; 0: no limit, which is also the default without a file' },
    { key: 'globalOutstandingLimit', type: integer(1, { unit: 'requests' }), default: '1000', field: 'globalOutstandingLimit', meaning: 'Outstanding requests at which connections are no longer read' },
    { key: 'request_throttle_max_requests', type: integer(0, { unit: 'requests' }), default: '0', field: 'requestThrottle.maxRequests', meaning: 'Outstanding requests at which others wait; 0: off' },
    { key: 'request_throttle_stall_time', type: milliseconds, default: '100', field: 'requestThrottle.stallTimeMs', meaning: 'Without effect: they go on as soon as there is room' },
    { key: 'request_throttle_drop_stale', type: boolean, default: 'true', field: 'requestThrottle.dropStale', meaning: 'Drop requests that became stale meanwhile' },
    { key: 'request_stale_latency_check', type: boolean, default: 'false', field: 'requestThrottle.staleLatencyCheck', meaning: 'Stale: older than the session timeout' },
    { key: 'request_stale_connection_check', type: boolean, default: 'true', field: 'requestThrottle.staleConnectionCheck', meaning: 'Without effect: a request whose connection is closed is always dropped' },
    { key: 'request_throttler.shutdownTimeout', type: milliseconds, default: '10000', field: 'shutdownTimeoutMs', meaning: 'How long a stop waits for outstanding requests' },
    { key: 'throttled_op_wait_time', type: milliseconds, default: '0', field: 'throttledOpWaitTimeMs', meaning: 'A request that waited longer is answered ThrottledOp; 0: off' },
    { key: 'largeRequestThreshold', type: integer(-1, { unit: 'bytes' }), default: '-1', field: 'largeRequestThresholdBytes', meaning: 'Requests above this size are large; 0 or -1: off' },
    { key: 'largeRequestMaxBytes', type: integer(1, { unit: 'bytes' }), default: '104857600', field: 'largeRequestMaxBytes', meaning: 'Sum of the outstanding large requests; one beyond it closes its connection' },
    { key: 'connection_throttle_tokens', type: integer(0), default: '0', field: 'connectionThrottle.tokens', meaning: 'Size of the bucket of tokens that connects use up; 0: off' },
    { key: 'connection_throttle_fill_time', type: integer(1, { unit: 'ms' }), default: '1', field: 'connectionThrottle.fillTimeMs', meaning: 'Time between two fillings' },
    { key: 'connection_throttle_fill_count', type: integer(0), default: '1', field: 'connectionThrottle.fillCount', meaning: 'Tokens that a filling adds' },
    { key: 'connection_throttle_freeze_time', type: integer(-1, { unit: 'ms' }), default: '-1', field: 'connectionThrottle.freezeTimeMs', meaning: 'Time between two changes of the drop probability; -1: it stays 0' },
    { key: 'connection_throttle_drop_increase', type: { kind: 'decimal', min: 0, max: 1 }, default: '0.02', field: 'connectionThrottle.dropIncrease', meaning: 'Step by which it rises' },
    { key: 'connection_throttle_drop_decrease', type: { kind: 'decimal', min: 0, max: 1 }, default: '0.002', field: 'connectionThrottle.dropDecrease', meaning: 'Step by which it falls' },
    { key: 'connection_throttle_decrease_ratio', type: { kind: 'decimal', min: 0, max: 1 }, default: '0', field: 'connectionThrottle.decreaseRatio', meaning: 'Share of free tokens at which it falls' },
    { key: 'connection_throttle_weight_enabled', type: boolean, default: 'false', field: 'connectionThrottle.weightEnabled', meaning: 'Price connects by the kind of session' },
    { key: 'connection_throttle_global_session_weight', type: integer(1), default: '3', field: 'connectionThrottle.globalSessionWeight', meaning: 'Tokens of a new session' },
    { key: 'connection_throttle_renew_session_weight', type: integer(1), default: '2', field: 'connectionThrottle.renewSessionWeight', meaning: 'Tokens of a session that returns' },
    { key: 'connection_throttle_local_session_weight', type: integer(1), default: '1', field: 'connectionThrottle.localSessionWeight', meaning: 'Tokens of a local session' },
  ]),
  ...rows('Limits and throttles', 'ignored', [
    { key: 'netty.advancedFlowControl.enabled', type: boolean, default: 'false', meaning: 'Netty reads on demand', reason: NETTY },
    { key: 'netty.server.outstandingHandshake.limit', type: integer(-1), default: '-1', meaning: 'TLS handshakes at a time', reason: NETTY },
    { key: 'netty.server.earlyDropSecureConnectionHandshakes', type: boolean, default: 'false', meaning: 'Drop TLS handshakes while not serving', reason: NETTY },
  ]),
];

// biome-ignore format: a row a line
const ACCESS = [
  ...rows('Access', 'honoured', [
    { key: 'skipACL', type: yesno, default: 'no', field: 'skipAcl', meaning: 'Check no ACL at all' },
    { key: 'DigestAuthenticationProvider.enabled', type: boolean, default: 'true', field: 'digestAuthEnabled', meaning: 'Scheme digest' },
    { key: 'DigestAuthenticationProvider.superDigest', aliases: ['superDigest'], type: text, default: '', field: 'superDigest', secret: true, meaning: 'user:hash of the super user' },
    { key: 'DigestAuthenticationProvider.digestAlg', aliases: ['digestAlg'], type: text, default: 'SHA1', field: 'digestAlg', meaning: 'Hash of scheme digest: SHA1, SHA-256, SHA-512, SHA3-256 and so on' },
    { key: 'X509AuthenticationProvider.superUser', type: text, default: '', field: 'x509SuperUser', meaning: 'Distinguished name of the TLS client that is super user' },
    { key: 'authProvider.N', type: text, default: '', meaning: "Another scheme, by Apache's class name or as x509, sasl, ensemble; an unknown class is logged and left out" },
    { key: 'superUser', type: text, default: '', meaning: 'SASL user that is super user; superUser.N for more' },
    { key: 'superUser.N', type: text, default: '', meaning: 'Another one' },
    { key: 'letAnySaslUserDoX', type: text, default: '', field: 'letAnySaslUserDoX', meaning: 'An ACL entry with this id is for every SASL user' },
    { key: 'allowSaslFailedClients', type: boolean, default: 'false', field: 'allowSaslFailedClients', meaning: 'Keep connections whose SASL login failed' },
    { key: 'ssl.authProvider', type: text, default: 'x509', meaning: 'Scheme of TLS clients' },
    { key: 'ensembleAuthName', type: text, default: '', meaning: 'Names that scheme ensemble accepts, separated by commas' },
    { key: 'enforce.auth.enabled', type: boolean, default: 'false', meaning: 'Serve only connections that have an identity of enforce.auth.schemes' },
    { key: 'enforce.auth.schemes', type: text, default: '', meaning: 'Those schemes, separated by commas' },
    { key: 'sessionRequireClientSASLAuth', type: boolean, default: 'false', meaning: 'The same with scheme sasl' },
  ]),
  ...rows('Access', 'ignored', [
    { key: 'enableEagerACLCheck', type: boolean, default: 'false', meaning: 'Check ACLs before a request is forwarded', reason: 'a request is checked by the leader, which decides it' },
    { key: 'IPAuthenticationProvider.usexforwardedfor', type: boolean, default: 'false', meaning: 'Client address of the admin server', reason: NO_ADMIN },
    { key: 'SASLAuthenticationProvider.superPassword', type: text, default: '', secret: true, meaning: 'Password of SASL user super', reason: NO_SASL },
    { key: 'sasl.serverconfig', type: text, default: 'Server', meaning: 'JAAS section of the server', reason: NO_SASL },
    { key: 'kerberos.removeHostFromPrincipal', type: boolean, default: 'false', meaning: 'Short Kerberos names', reason: NO_SASL },
    { key: 'kerberos.removeRealmFromPrincipal', type: boolean, default: 'false', meaning: 'Short Kerberos names', reason: NO_SASL },
    { key: 'kerberos.canonicalizeHostNames', type: boolean, default: 'false', meaning: 'Kerberos host names', reason: NO_SASL },
    { key: 'kerberos.minReLoginTimeMs', type: milliseconds, default: '60000', meaning: 'Kerberos ticket renewal', reason: NO_SASL },
    { key: 'security.auth_to_local', type: text, default: 'DEFAULT', meaning: 'Rules from Kerberos names to users', reason: NO_SASL },
    { key: 'requireKerberosConfig', type: boolean, default: 'false', meaning: 'Stop without a krb5.conf', reason: NO_SASL },
    { key: 'server.realm', type: text, default: '', meaning: 'Kerberos realm', reason: NO_SASL },
    { key: 'kinit', type: text, default: '/usr/bin/kinit', meaning: 'Path of kinit', reason: NO_SASL },
    { key: 'java.security.auth.login.config', properties: ['java.security.auth.login.config'], type: path, default: '', meaning: 'JAAS file', reason: NO_SASL },
    { key: 'jaasLoginRenew', type: integer(0), default: '3600000', meaning: 'JAAS ticket renewal', reason: NO_SASL },
  ]),
];

// biome-ignore format: a row a line
const TLS = [
  ...rows('TLS', 'honoured', [
    { key: 'ssl.keyStore.location', type: path, default: '', meaning: "The server's key and certificates, PEM, PKCS12 or JKS" },
    { key: 'ssl.keyStore.password', type: text, default: '', secret: true, meaning: 'Its password' },
    { key: 'ssl.keyStore.passwordPath', type: path, default: '', meaning: 'File that holds its password' },
    { key: 'ssl.keyStore.type', type: choice('', 'JKS', 'PEM', 'PKCS12', 'BCFKS'), default: '(seen from its bytes)', meaning: 'Its kind; BCFKS cannot be read' },
    { key: 'ssl.trustStore.location', type: path, default: '', meaning: 'Certificates that sign those of clients, PEM, PKCS12 or JKS' },
    { key: 'ssl.trustStore.password', type: text, default: '', secret: true, meaning: 'Its password' },
    { key: 'ssl.trustStore.passwordPath', type: path, default: '', meaning: 'File that holds its password' },
    { key: 'ssl.trustStore.type', type: choice('', 'JKS', 'PEM', 'PKCS12', 'BCFKS'), default: '(seen from its bytes)', meaning: 'Its kind; BCFKS cannot be read' },
    { key: 'ssl.clientAuth', type: choice('need', 'want', 'none'), default: 'need', meaning: 'Whether clients must, may or need not show a certificate; one that is shown must be trusted' },
    { key: 'ssl.protocol', type: choice('TLS', 'TLSv1.2', 'TLSv1.3'), default: 'TLS', meaning: 'TLS version; TLS is both' },
    { key: 'ssl.enabledProtocols', type: text, default: '(ssl.protocol)', meaning: 'TLS versions, separated by commas; no other one is spoken' },
    { key: 'client.certReload', type: boolean, default: 'false', meaning: 'Open stores that changed again, for new connections' },
    { key: 'ssl.ciphersuites', type: text, default: "(Node's list)", meaning: 'Cipher suites by their Java names, separated by commas' },
  ]),
  ...rows('TLS', 'refused', [
    { key: 'ssl.crl', type: boolean, default: 'false', meaning: 'Check that client certificates are not revoked', reason: 'this version cannot check revocation, and would let revoked clients in' },
    { key: 'ssl.ocsp', type: boolean, default: 'false', meaning: 'Check that client certificates are not revoked', reason: 'this version cannot check revocation, and would let revoked clients in' },
    { key: 'ssl.clientHostnameVerification', type: boolean, default: 'false', meaning: 'Check the host names of clients', reason: 'this version does not check them, and would let in clients from elsewhere' },
  ]),
  ...rows('TLS', 'ignored', [
    { key: 'ssl.hostnameVerification', type: boolean, default: 'true', meaning: 'Check the host name of servers', reason: 'for the side that connects' },
    { key: 'ssl.allowReverseDnsLookup', type: boolean, default: 'false', meaning: 'Host names by reverse look-up', reason: 'for the side that connects' },
    { key: 'ssl.context.supplier.class', type: text, default: '', meaning: 'Java class that makes TLS contexts', reason: JVM },
    { key: 'ssl.sslProvider', type: text, default: 'JDK', meaning: 'TLS library', reason: "TLS is Node's OpenSSL" },
    { key: 'ssl.handshakeDetectionTimeoutMillis', type: milliseconds, default: '5000', meaning: 'Wait for the first bytes of a unified port', reason: 'a port takes either plain connections or TLS' },
    { key: 'client.portUnification', type: boolean, default: 'false', meaning: 'Plain and TLS on one port', reason: 'a port takes either plain connections or TLS' },
    { key: 'fips-mode', type: boolean, default: 'true', meaning: 'Java security providers of FIPS-140', reason: "Node's OpenSSL decides; set ssl.enabledProtocols and ssl.ciphersuites" },
    { key: 'ssl.quorum.*', type: text, default: '', meaning: 'The same keys for the links between servers', reason: NOT_YET },
  ]),
];

// biome-ignore format: a row a line
const LOGS = [
  ...rows('Logs and four-letter words', 'honoured', [
    { key: '4lw.commands.whitelist', type: text, default: 'srvr', meaning: 'Words that are answered, separated by commas; * for all. srvr always is' },
    { key: 'audit.enable', type: boolean, default: 'false', field: 'auditEnabled', meaning: 'Log every change with its user' },
    { key: 'logLevel', type: choice('debug', 'info', 'warn', 'error', 'silent'), default: 'info', meaning: 'What is logged (of zebu, not of Apache)' },
    { key: 'logFormat', type: choice('auto', 'pretty', 'json'), default: 'auto', meaning: 'pretty: for readers; json: a line each; auto: pretty on a terminal (of zebu)' },
  ]),
  ...rows('Logs and four-letter words', 'ignored', [
    { key: 'audit.impl.class', type: text, default: 'org.apache.zookeeper.audit.Slf4jAuditLogger', meaning: 'Java class that writes the audit log', reason: JVM },
    { key: 'leader.ackLoggingFrequency', type: integer(1), default: '1000', meaning: 'Which acknowledgements are logged', reason: LINKS },
    { key: 'messageTracker.Enabled', type: boolean, default: 'false', meaning: 'Keep the last packets between servers', reason: LINKS },
    { key: 'messageTracker.BufferSize', type: integer(0), default: '10', meaning: 'How many', reason: LINKS },
    { key: 'log.*', type: text, default: '', meaning: "Directory and file of Java's log", reason: 'logs go to standard output' },
    { key: 'root.logger', type: text, default: '', meaning: "Java's logger", reason: 'see logLevel' },
    { key: 'console.threshold', type: text, default: '', meaning: "Java's logger", reason: 'see logLevel' },
  ]),
];

// biome-ignore format: a row a line
const ENSEMBLE_KEYS = [
  ...rows('Ensemble', 'honoured', [
    { key: 'server.N', type: text, default: '', meaning: 'A member, host:port:port[:role][;[address:]clientPort]. One line is this server on its own; with more this server is the member that its file myid names' },
    { key: 'dynamicConfigFile', type: path, default: '', meaning: 'File that holds the server.N lines' },
    { key: 'standaloneEnabled', type: strictBoolean, default: 'true', meaning: 'With one server.N line, run on its own' },
    { key: 'reconfigEnabled', type: strictBoolean, default: 'false', field: 'reconfigEnabled', meaning: 'Answer reconfig; on its own a server answers Unimplemented then' },
  ]),
  ...rows('Ensemble', 'ensemble', [
    { key: 'peerType', type: choice('participant', 'observer'), default: 'participant', meaning: 'Role of this member', reason: ENSEMBLE },
    { key: 'electionAlg', type: integer(3, { max: 3 }), default: '3', meaning: 'Election algorithm', reason: ENSEMBLE },
    { key: 'initLimit', type: integer(0, { unit: 'ticks' }), default: '', meaning: 'Time to connect and sync', reason: ENSEMBLE },
    { key: 'syncLimit', type: integer(0, { unit: 'ticks' }), default: '', meaning: 'Time a member may lag', reason: ENSEMBLE },
    { key: 'connectToLearnerMasterLimit', type: integer(0, { unit: 'ticks' }), default: '(initLimit)', meaning: 'Time to connect to the leader', reason: ENSEMBLE },
    { key: 'leader.maxTimeToWaitForEpoch', type: integer(-1, { unit: 'ms' }), default: '-1', meaning: 'Time for a new epoch', reason: ENSEMBLE },
    { key: 'leaderServes', type: yesno, default: 'yes', meaning: 'The leader takes clients', reason: ENSEMBLE },
    { key: 'cnxTimeout', type: milliseconds, default: '5000', meaning: 'Time to connect in elections', reason: ENSEMBLE },
    { key: 'quorumListenOnAllIPs', type: strictBoolean, default: 'false', meaning: 'Bind all addresses', reason: ENSEMBLE },
    { key: 'observer.election.DelayMs', type: milliseconds, default: '200', meaning: 'Pause of an observer', reason: ENSEMBLE },
    { key: 'leaderConnectDelayDuringRetryMs', type: milliseconds, default: '100', meaning: 'Pause between tries', reason: ENSEMBLE },
    { key: 'tcpKeepAlive', type: boolean, default: 'false', meaning: 'Keep-alive between servers', reason: ENSEMBLE },
    { key: 'fastleader.minNotificationInterval', type: milliseconds, default: '200', meaning: 'Election back-off', reason: ENSEMBLE },
    { key: 'fastleader.maxNotificationInterval', type: milliseconds, default: '60000', meaning: 'Election back-off', reason: ENSEMBLE },
    { key: 'commitLogCount', type: integer(0, { unit: 'txns' }), default: '500', meaning: 'Txns kept for learners', reason: ENSEMBLE },
    { key: 'snapshotSizeFactor', type: { kind: 'decimal', min: -1, max: 1e9 }, default: '0.33', meaning: 'When learners get the log and not a snapshot', reason: ENSEMBLE },
    { key: 'leader.maxConcurrentSnapSyncs', type: integer(0), default: '10', meaning: 'Learners that get a snapshot at a time', reason: ENSEMBLE },
    { key: 'leader.maxConcurrentDiffSyncs', type: integer(0), default: '100', meaning: 'Learners that get the log at a time', reason: ENSEMBLE },
    { key: 'forceSnapshotSync', type: boolean, default: 'false', meaning: 'Learners always get a snapshot', reason: ENSEMBLE },
  ]),
  ...rows('Ensemble', 'ignored', [
    { key: 'group.N', type: text, default: '', meaning: 'Hierarchical quorums', reason: NOT_YET },
    { key: 'weight.N', type: text, default: '1', meaning: 'Hierarchical quorums', reason: NOT_YET },
    { key: 'oraclePath', type: path, default: '', meaning: 'File that decides between two members', reason: NOT_YET },
    { key: 'quorumCnxnTimeoutMs', type: integer(-1, { unit: 'ms' }), default: '-1', meaning: 'Election socket timeout', reason: LINKS },
    { key: 'localSessionsEnabled', type: strictBoolean, default: 'false', meaning: 'Sessions known to one server only', reason: STANDALONE },
    { key: 'localSessionsUpgradingEnabled', type: strictBoolean, default: 'false', meaning: 'Make them global when needed', reason: STANDALONE },
    { key: 'electionPortBindRetry', type: integer(0), default: '3', meaning: 'Tries to bind the election port', reason: LINKS },
    { key: 'observer.reconnectDelayMs', type: milliseconds, default: '0', meaning: 'Pause of an observer', reason: LINKS },
    { key: 'observer.syncEnabled', type: boolean, default: 'true', meaning: 'Observers write to disk', reason: 'an observer here always writes to its disk' },
    { key: 'syncEnabled', type: strictBoolean, default: 'true', meaning: 'Observers write to disk', reason: 'an observer here always writes to its disk' },
    { key: 'observerMasterPort', type: port, default: '0', meaning: 'Port for observers', reason: NOT_YET },
    { key: 'observerMaster.sizeLimit', type: integer(0, { unit: 'bytes' }), default: '33554432', meaning: 'Proposals kept for observers', reason: NOT_YET },
    { key: 'multiAddress.enabled', type: strictBoolean, default: 'false', meaning: 'Several addresses per member', reason: NOT_YET },
    { key: 'multiAddress.reachabilityCheckTimeoutMs', type: milliseconds, default: '1000', meaning: 'Time of a reachability check', reason: NOT_YET },
    { key: 'multiAddress.reachabilityCheckEnabled', type: strictBoolean, default: 'true', meaning: 'Check reachability', reason: NOT_YET },
    { key: 'learner.closeSocketAsync', properties: ['learner.closeSocketAsync'], type: boolean, default: 'false', meaning: 'Closing of sockets', reason: LINKS },
    { key: 'leader.closeSocketAsync', properties: ['leader.closeSocketAsync'], type: boolean, default: 'false', meaning: 'Closing of sockets', reason: LINKS },
    { key: 'learner.asyncSending', properties: ['learner.asyncSending'], type: boolean, default: 'false', meaning: 'Sending of packets', reason: LINKS },
    { key: 'leader.nodelay', properties: ['leader.nodelay'], type: boolean, default: 'true', meaning: 'TCP_NODELAY between servers', reason: LINKS },
    { key: 'follower.nodelay', properties: ['follower.nodelay'], type: boolean, default: 'true', meaning: 'TCP_NODELAY between servers', reason: LINKS },
    { key: 'forward_learner_requests_to_commit_processor_disabled', type: boolean, default: 'false', meaning: "Java's request pipeline", reason: LINKS },
    { key: 'follower.skipLearnerRequestToNextProcessor', type: boolean, default: 'false', meaning: "Java's request pipeline", reason: LINKS },
    { key: 'sslQuorum', type: strictBoolean, default: 'false', meaning: 'TLS between servers', reason: NOT_YET },
    { key: 'portUnification', type: strictBoolean, default: 'false', meaning: 'Plain and TLS between servers', reason: NOT_YET },
    { key: 'sslQuorumReloadCertFiles', type: strictBoolean, default: 'false', meaning: 'Read changed certificates', reason: NOT_YET },
    { key: 'quorum.auth.enableSasl', type: strictBoolean, default: 'false', meaning: 'SASL between servers', reason: NOT_YET },
    { key: 'quorum.auth.serverRequireSasl', type: strictBoolean, default: 'false', meaning: 'SASL between servers', reason: NOT_YET },
    { key: 'quorum.auth.learnerRequireSasl', type: strictBoolean, default: 'false', meaning: 'SASL between servers', reason: NOT_YET },
    { key: 'quorum.auth.server.saslLoginContext', type: text, default: 'QuorumServer', meaning: 'JAAS section', reason: NOT_YET },
    { key: 'quorum.auth.learner.saslLoginContext', type: text, default: 'QuorumLearner', meaning: 'JAAS section', reason: NOT_YET },
    { key: 'quorum.auth.kerberos.servicePrincipal', type: text, default: 'zkquorum/localhost', meaning: 'Kerberos name of servers', reason: NOT_YET },
    { key: 'quorum.cnxn.threads.size', type: integer(1), default: '20', meaning: 'Threads that connect', reason: LINKS },
  ]),
];

// biome-ignore format: a row a line
const ADMIN = rows('Admin server and metrics', 'ignored', [
  { key: 'admin.enableServer', type: boolean, default: 'true', meaning: 'HTTP admin server', reason: NO_ADMIN },
  { key: 'admin.*', type: text, default: '', meaning: 'Its address, port and commands', reason: NO_ADMIN },
  { key: 'metricsProvider.className', type: text, default: 'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider', meaning: 'Java class of the metrics provider', reason: NO_EXPORT },
  { key: 'metricsProvider.*', type: text, default: '', meaning: 'Its ports and certificates', reason: NO_EXPORT },
]);

// biome-ignore format: a row a line
const JAVA = rows('Java and its threads', 'ignored', [
  { key: 'serverCnxnFactory', type: text, default: 'org.apache.zookeeper.server.NIOServerCnxnFactory', meaning: 'Java class of the network layer', reason: "the network is Node's" },
  { key: 'nio.numSelectorThreads', type: integer(0), default: '', meaning: 'Threads', reason: THREADS },
  { key: 'nio.numWorkerThreads', type: integer(0), default: '', meaning: 'Threads', reason: THREADS },
  { key: 'nio.directBufferBytes', type: integer(0, { unit: 'bytes' }), default: '65536', meaning: 'Buffers', reason: JVM },
  { key: 'nio.shutdownTimeout', type: milliseconds, default: '5000', meaning: 'Wait for threads', reason: THREADS },
  { key: 'commitProcessor.numWorkerThreads', type: integer(0), default: '', meaning: 'Threads', reason: THREADS },
  { key: 'commitProcessor.maxReadBatchSize', type: integer(-1), default: '-1', meaning: 'Reads between commits', reason: THREADS },
  { key: 'commitProcessor.maxCommitBatchSize', type: integer(0), default: '1', meaning: 'Commits between reads', reason: THREADS },
  { key: 'commitProcessor.shutdownTimeout', type: milliseconds, default: '5000', meaning: 'Wait for threads', reason: THREADS },
  { key: 'intBufferStartingSizeBytes', type: integer(0, { unit: 'bytes' }), default: '1024', meaning: 'Buffers', reason: JVM },
  { key: 'jvm.pause.monitor', type: strictBoolean, default: 'false', meaning: 'Watch for pauses', reason: JVM },
  { key: 'jvm.pause.*', type: text, default: '', meaning: 'Thresholds of that', reason: JVM },
  { key: 'jmx.*', type: text, default: '', meaning: 'Java management', reason: JVM },
]);

// biome-ignore format: a row a line
const TESTS = [
  ...rows('Tests', 'refused', [
    { key: 'testingonly.initialZxid', type: text, default: '', meaning: 'First zxid of an empty server', reason: "only Apache's own tests use it, and it breaks the order of the log" },
  ]),
  ...rows('Tests', 'ignored', [
    { key: 'test.allowDiscontinuousProposals', type: boolean, default: 'false', meaning: 'Gaps in the log', reason: "only Apache's own tests use it" },
    { key: 'controllerPort', type: port, default: '', meaning: "Port of Apache's fault injector", reason: "only Apache's own tests use it" },
  ]),
];

/** Every setting, in the order of the help. */
export const SETTINGS: readonly Setting[] = Object.freeze([
  ...CLIENT_PORTS,
  ...TIME,
  ...DISK,
  ...DATA,
  ...LIMITS,
  ...ACCESS,
  ...TLS,
  ...LOGS,
  ...ENSEMBLE_KEYS,
  ...ADMIN,
  ...JAVA,
  ...TESTS,
]);

// Keys and aliases that stand for themselves, and families by what comes before the `N` or `*`.
const exactKeys = new Map(
  SETTINGS.filter((setting) => !isFamily(setting)).flatMap((setting) =>
    [setting.key, ...setting.aliases].map((name) => [name, setting] as const),
  ),
);
const families = SETTINGS.filter(isFamily);
const byLooseName = new Map([...exactKeys].map(([name, setting]) => [looseName(name), setting]));
const byProperty = new Map(
  SETTINGS.flatMap((setting) => setting.properties.map((name) => [name, setting] as const)),
);
if (byLooseName.size !== exactKeys.size) throw new Error('Two settings differ in punctuation only');

function isFamily(setting: Setting): boolean {
  return setting.key.endsWith('.N') || setting.key.endsWith('.*');
}

/** A setting and the key by which it was meant, which in a family is one of many. */
export interface FoundSetting {
  readonly setting: Setting;
  readonly key: string;
}

/** The setting of a zoo.cfg key, spelt exactly. */
export function findByKey(key: string): FoundSetting | undefined {
  const exact = exactKeys.get(key);
  if (exact !== undefined) return { setting: exact, key: exact.key };
  for (const setting of families) {
    const prefix = setting.key.slice(0, -1);
    if (!key.startsWith(prefix)) continue;
    // Apache takes any suffix after authProvider and superUser, and a number after server.
    if (setting.key === 'server.N' && !/^-?\d+$/.test(key.slice(prefix.length))) continue;
    return { setting, key };
  }
  return undefined;
}

/** The setting of a Java system property, the name after -D. */
export function findByProperty(name: string): FoundSetting | undefined {
  const setting = byProperty.get(name);
  if (setting !== undefined) return { setting, key: setting.key };
  return name.startsWith('zookeeper.') ? findByKey(name.slice('zookeeper.'.length)) : undefined;
}

/**
 * The setting of a flag or an environment variable, in whatever case and punctuation: `client-port`,
 * `clientPort`, `CLIENT_PORT`, `server-1`.
 */
export function findByLooseName(name: string): FoundSetting | undefined {
  const found = findByKey(name);
  if (found !== undefined) return found;
  const loose = looseName(name);
  const exact = byLooseName.get(loose);
  if (exact !== undefined) return { setting: exact, key: exact.key };
  const dashed = name.toLowerCase().replaceAll(/[_.]/g, '-');
  for (const setting of families) {
    const prefix = setting.key.slice(0, -1);
    const isNumbered = setting.key.endsWith('.N');
    const start = isNumbered ? looseName(prefix) : flagName(prefix);
    const whole = isNumbered ? loose : dashed;
    const suffix = whole.slice(start.length);
    const isMember = whole.startsWith(start) && (isNumbered ? /^\d+$/.test(suffix) : suffix !== '');
    if (isMember) return { setting, key: prefix + suffix };
  }
  return undefined;
}

/** What other servers call these settings, in loose spelling. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  port: 'clientPort',
  listen: 'clientPort',
  host: 'clientPortAddress',
  address: 'clientPortAddress',
  bind: 'clientPortAddress',
  bindaddress: 'clientPortAddress',
  secureport: 'secureClientPort',
  sslport: 'secureClientPort',
  tlsport: 'secureClientPort',
  data: 'dataDir',
  dir: 'dataDir',
  datadirectory: 'dataDir',
  datapath: 'dataDir',
  logdir: 'dataLogDir',
  datalogdirectory: 'dataLogDir',
  tick: 'tickTime',
  maxconnections: 'maxCnxns',
  whitelist: '4lw.commands.whitelist',
  '4lw': '4lw.commands.whitelist',
  keystore: 'ssl.keyStore.location',
  truststore: 'ssl.trustStore.location',
  verbose: 'logLevel',
};

/**
 * The known name that a misspelt one most likely means, in whatever case and punctuation: a key, an
 * alias, or one of `others`. Undefined when none is near.
 */
export function similarName(name: string, others: readonly string[] = []): string | undefined {
  const loose = looseName(name.replace(/^zookeeper\./, ''));
  const otherName = OTHER_NAMES[loose];
  if (otherName !== undefined) return otherName;
  const known = new Map([...exactKeys.keys(), ...others].map((one) => [looseName(one), one]));
  const nearest = nearestName(loose, known.keys());
  return nearest === undefined ? undefined : known.get(nearest);
}

function looseName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** The flag of a key: `clientPort` is `client-port`, `autopurge.purgeInterval` is `autopurge-purge-interval`. */
export function flagName(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replaceAll(/[._]/g, '-')
    .toLowerCase();
}

/** The environment variable of a key: `ZEBU_CLIENT_PORT`. */
export function environmentName(key: string): string {
  return `ZEBU_${flagName(key).replaceAll('-', '_').toUpperCase()}`;
}

/** What a type allows, in words. */
export function allowedValues(type: ValueType): string {
  switch (type.kind) {
    case 'boolean':
      return 'true or false';
    case 'yesno':
      return 'yes or no';
    case 'integer': {
      const unit = type.unit === undefined ? '' : ` (${type.unit})`;
      if (type.min === type.max) return `${type.min}${unit}`;
      return type.max === MAX_INT
        ? `a whole number from ${type.min} up${unit}`
        : `a whole number from ${type.min} to ${type.max}${unit}`;
    }
    case 'decimal':
      return `a number from ${type.min} to ${type.max}`;
    case 'duration':
      return 'hours as a whole number, or a number with ms, s, m, h or d';
    case 'choice':
      return type.choices.map((c) => (c === '' ? '(empty)' : c)).join(', ');
    case 'path':
      return 'a path';
    case 'text':
      return 'text';
  }
}

/** A value as its field holds it. */
export type SettingValue = boolean | number | string;

/**
 * Reads one value of a type; undefined when it is not allowed. `raised` says that a value below the
 * minimum was lifted to it.
 */
export function parseValue(
  type: ValueType,
  written: string,
): { value: SettingValue; raised: boolean } | undefined {
  const plain = (value: SettingValue | undefined) =>
    value === undefined ? undefined : { value, raised: false };
  switch (type.kind) {
    case 'boolean':
      return plain({ true: true, false: false }[written.toLowerCase()]);
    case 'yesno':
      return plain({ yes: true, no: false }[written.toLowerCase()]);
    case 'integer':
      return parseInteger(type, written);
    case 'decimal': {
      const number = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(written) ? Number(written) : NaN;
      return plain(number >= type.min && number <= type.max ? number : undefined);
    }
    case 'duration':
      return plain(parseDuration(written));
    case 'choice':
      return plain(type.choices.find((c) => c.toLowerCase() === written.toLowerCase()));
    case 'text':
      return plain(written);
    case 'path':
      return plain(written === '' ? undefined : written);
  }
}

/**
 * The value that Apache's server uses for a spelling that is not allowed. It compares its properties with one word
 * and takes every other word for the opposite. Undefined where it refuses to start.
 */
export function valueInApache({ type, default: byDefault }: Setting): SettingValue | undefined {
  switch (type.kind) {
    case 'yesno':
      return byDefault === 'yes';
    case 'boolean':
      return type.isStrict === true ? undefined : false;
    case 'choice':
      // StreamMode.fromString; the other choices are looked up by name, which throws.
      return type.choices.includes('gz') ? '' : undefined;
    default:
      return undefined;
  }
}

function parseInteger(
  type: ValueType & { kind: 'integer' },
  written: string,
): { value: number; raised: boolean } | undefined {
  // Java's Integer.decode, which system properties go through, also takes hexadecimal.
  if (!/^[-+]?(\d+|0x[0-9a-f]+)$/i.test(written)) return undefined;
  const number = written.startsWith('-')
    ? -Number(written.slice(1))
    : Number(written.replace('+', ''));
  if (number > type.max) return undefined;
  const raised = number < type.min && type.raise === true;
  if (number < type.min && !raised) return undefined;
  const value = raised ? type.min : number;
  return { value: value < 0 ? value : value * (type.scale ?? 1), raised };
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

// 3.10 takes a unit; a bare number is hours, as ever.
function parseDuration(written: string): number | undefined {
  const match = /^(\d+)\s*(ms|s|m|h|d)?$/.exec(written);
  if (match === null) return undefined;
  return Number(match[1]) * (DURATION_MS[match[2] ?? 'h'] as number);
}
