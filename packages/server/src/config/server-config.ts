/**
 * Everything that can be set about a server, as one frozen object of plain values. `config.ts` makes
 * it from files, flags and the environment; an embedder gives some fields and `defaultServerConfig`
 * fills in the rest. What a field is called in zoo.cfg, its range and its meaning stand in
 * `settings.ts`; nothing here reads a file, the environment or the clock.
 */

import type { EnsembleConfig } from './ensemble-config.ts';

/** How snapshots are written. Snapshots of every kind are read. */
export type SnapshotCompression = 'none' | 'gz' | 'snappy';

/** The authentication providers that this server has. */
export type AuthProviderName = 'digest' | 'ip' | 'x509' | 'sasl' | 'ensemble';

/** How unused container and TTL znodes are found and removed. */
export interface ContainerConfig {
  /** Time between two searches; 0 switches them off. */
  readonly checkIntervalMs: number;
  /** How many are removed a minute at most. */
  readonly maxPerMinute: number;
  /** A container that never had a child is removed after this; 0: never. */
  readonly maxNeverUsedIntervalMs: number;
}

/** Until a connection has an identity of one of the schemes, only `auth` and `sasl` are served. */
export interface EnforceAuthConfig {
  readonly enabled: boolean;
  readonly schemes: readonly string[];
}

/** A bucket of tokens that connect requests use up, with probabilistic dropping (Apache's BlueThrottle). */
export interface ConnectionThrottleConfig {
  /** Size of the bucket; 0 switches it off. */
  readonly tokens: number;
  readonly fillTimeMs: number;
  readonly fillCount: number;
  /** Time between two changes of the drop probability; -1: it never changes. */
  readonly freezeTimeMs: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  readonly decreaseRatio: number;
  readonly weightEnabled: boolean;
  readonly globalSessionWeight: number;
  readonly renewSessionWeight: number;
  readonly localSessionWeight: number;
}

/** How requests wait before they are taken up, when too many are outstanding. */
export interface RequestThrottleConfig {
  /** Number of outstanding requests at which others start to wait; 0 switches it off. */
  readonly maxRequests: number;
  readonly stallTimeMs: number;
  /** Drop a request that became stale while it waited. */
  readonly dropStale: boolean;
  /** A request is stale when it waited longer than its session's timeout. */
  readonly staleLatencyCheck: boolean;
  /** A request is stale when its connection is gone. */
  readonly staleConnectionCheck: boolean;
}

/** A key or trust store: PEM, PKCS12 or JKS, as its bytes say. */
export interface TlsStore {
  readonly path: string;
  readonly password: string | undefined;
}

/** TLS on the secure client port. */
export interface TlsConfig {
  readonly keyStore: TlsStore;
  /** undefined only when clients are not asked for a certificate. */
  readonly trustStore: TlsStore | undefined;
  /** Java names: TLSv1.2, TLSv1.3. No other version is spoken. */
  readonly enabledProtocols: readonly string[];
  /** OpenSSL names joined by colons; undefined: Node's own list. */
  readonly ciphers: string | undefined;
  /**
   * need: a client must show a certificate that is trusted; want: it may show none, but no other one; none: it
   * is not asked.
   */
  readonly clientAuth: 'need' | 'want' | 'none';
  /** Stores that change are opened again, for the connections that come then. Default false. */
  readonly certReload?: boolean;
}

/** A fully known configuration. Frozen, and every array in it too. */
export interface ServerConfig {
  // Where clients come in.
  /** 0: any free port. -1: no plain port. */
  readonly clientPort: number;
  /** Address to bind; undefined: all of them. Without the brackets of IPv6. */
  readonly clientPortAddress: string | undefined;
  /** 0: any free port. -1: no TLS port, which there also is not without `tls`. */
  readonly secureClientPort: number;
  readonly secureClientPortAddress: string | undefined;
  /** undefined: the secure port stays shut. */
  readonly tls: TlsConfig | undefined;
  /** -1: the system's choice. */
  readonly clientPortListenBacklog: number;
  readonly tcpKeepAlive: boolean;
  /** sockets: nothing but what Node documents. auto: its stream handles, where a probe finds them as expected. */
  readonly transport: 'auto' | 'sockets';
  /** A second thread helps to write one event to thousands of clients. */
  readonly eventThread: boolean;
  /** Connections in all; 0: no limit. */
  readonly maxCnxns: number;
  /** Connections per client address; 0: no limit. */
  readonly maxClientCnxns: number;
  /** A connection that has no session by then is closed. */
  readonly sessionlessCnxnTimeoutMs: number;
  /** Words that are answered, every known one when the setting is `*`. */
  readonly fourLetterWhitelist: readonly string[];

  // Time and sessions.
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;

  // Disk.
  /** undefined: in memory, nothing is written. */
  readonly dataDir: string | undefined;
  /** undefined: the same as dataDir. */
  readonly dataLogDir: string | undefined;
  readonly preAllocSizeBytes: number;
  /** Txns between two snapshots, at most; each time a random number from half of it up. */
  readonly snapCount: number;
  /** Log bytes between two snapshots, as with snapCount; 0 or less: no such limit. */
  readonly snapSizeLimitBytes: number;
  /** A log file that grew to this is followed by a new one; 0 or less: no such limit. */
  readonly txnLogSizeLimitBytes: number;
  readonly autopurgeSnapRetainCount: number;
  /** 0: never. */
  readonly autopurgePurgeIntervalMs: number;
  readonly snapshotCompression: SnapshotCompression;
  /** Start with logs that have no snapshot before them. */
  readonly snapshotTrustEmpty: boolean;
  readonly dbAutocreate: boolean;
  readonly dataDirAutocreate: boolean;
  /** Write the last applied zxid after the tree in a snapshot. */
  readonly serializeLastProcessedZxid: boolean;
  /** False: acknowledged writes may be lost with the machine. */
  readonly forceSync: boolean;
  readonly fsyncWarningThresholdMs: number;
  /** How long a batch may wait for more writes; 0: not at all. */
  readonly flushDelayMs: number;
  readonly maxBatchSize: number;

  // Data.
  readonly extendedTypesEnabled: boolean;
  readonly emulate353TtlNodes: boolean;
  readonly enforceQuota: boolean;
  readonly digestEnabled: boolean;
  readonly closeSessionTxnEnabled: boolean;
  readonly containers: ContainerConfig;

  // Ensemble.
  /** Undefined: a server on its own. */
  readonly ensemble: EnsembleConfig | undefined;
  /** Txns kept in memory for learners that were away for a moment; 500 at least. */
  readonly commitLogCount: number;

  // Limits.
  readonly juteMaxBufferBytes: number;
  readonly juteMaxBufferExtraBytes: number;
  readonly globalOutstandingLimit: number;
  readonly requestThrottle: RequestThrottleConfig;
  /** A request that waited longer is answered THROTTLEDOP; 0: none is. */
  readonly throttledOpWaitTimeMs: number;
  /** Sum of the sizes of outstanding large requests. */
  readonly largeRequestMaxBytes: number;
  /** Requests from this size up are large; 0 or less: none is. */
  readonly largeRequestThresholdBytes: number;
  readonly connectionThrottle: ConnectionThrottleConfig;
  readonly shutdownTimeoutMs: number;

  // Who may do what.
  readonly skipAcl: boolean;
  /** `user:hash` of the super user of scheme digest. */
  readonly superDigest: string | undefined;
  readonly digestAuthEnabled: boolean;
  /** A Java name: SHA1, SHA-256, SHA3-256, ... */
  readonly digestAlg: string;
  /** All providers that are on, digest and ip among them unless switched off. */
  readonly authProviders: readonly AuthProviderName[];
  /** SASL ids that are super users. */
  readonly superUsers: readonly string[];
  /** Distinguished name of the x509 super user. */
  readonly x509SuperUser: string | undefined;
  readonly letAnySaslUserDoX: string | undefined;
  readonly allowSaslFailedClients: boolean;
  readonly ensembleAuthNames: readonly string[];
  readonly enforceAuth: EnforceAuthConfig;

  // Itself.
  /** The highest byte of session ids. Without a myid file 1, as an Apache server on its own has. */
  readonly serverId: number;
  readonly readOnlyModeEnabled: boolean;
  readonly reconfigEnabled: boolean;
  readonly auditEnabled: boolean;
}

/** Fields that an embedder may give; the groups in part. */
export type ServerConfigOverrides = {
  readonly [Key in keyof ServerConfig]?: ServerConfig[Key] extends
    | ContainerConfig
    | EnforceAuthConfig
    | ConnectionThrottleConfig
    | RequestThrottleConfig
    ? Partial<ServerConfig[Key]>
    : ServerConfig[Key] | undefined;
};

const DEFAULT_TICK_TIME_MS = 3000;
/** What these are in ticks where they are not given. */
export const SESSION_TIMEOUT_TICKS = { minSessionTimeoutMs: 2, maxSessionTimeoutMs: 20 } as const;
const DEFAULT_JUTE_MAX_BUFFER_BYTES = 0xfffff;

/**
 * A configuration with Apache's defaults where `overrides` leaves a field out, with three differences
 * that suit a server without a file: it is in memory, on port 2181, and takes any number of
 * connections per address. Frozen.
 */
export function defaultServerConfig(overrides: ServerConfigOverrides = {}): ServerConfig {
  const tickTimeMs = overrides.tickTimeMs ?? DEFAULT_TICK_TIME_MS;
  const juteMaxBufferBytes = overrides.juteMaxBufferBytes ?? DEFAULT_JUTE_MAX_BUFFER_BYTES;
  const readOnlyModeEnabled = overrides.readOnlyModeEnabled ?? false;
  const { containers, enforceAuth, connectionThrottle, requestThrottle, ...plain } = overrides;
  const config: ServerConfig = {
    clientPort: 2181,
    clientPortAddress: undefined,
    secureClientPort: -1,
    secureClientPortAddress: undefined,
    tls: undefined,
    clientPortListenBacklog: -1,
    tcpKeepAlive: false,
    transport: 'auto',
    eventThread: true,
    maxCnxns: 0,
    maxClientCnxns: 0,
    sessionlessCnxnTimeoutMs: 10_000,
    fourLetterWhitelist: readOnlyModeEnabled ? ['srvr', 'isro'] : ['srvr'],

    tickTimeMs,
    minSessionTimeoutMs: tickTimeMs * SESSION_TIMEOUT_TICKS.minSessionTimeoutMs,
    maxSessionTimeoutMs: tickTimeMs * SESSION_TIMEOUT_TICKS.maxSessionTimeoutMs,

    dataDir: undefined,
    dataLogDir: undefined,
    preAllocSizeBytes: 65536 * 1024,
    snapCount: 100_000,
    snapSizeLimitBytes: 4_194_304 * 1024,
    txnLogSizeLimitBytes: -1,
    autopurgeSnapRetainCount: 3,
    autopurgePurgeIntervalMs: 0,
    snapshotCompression: 'none',
    snapshotTrustEmpty: false,
    dbAutocreate: true,
    dataDirAutocreate: true,
    serializeLastProcessedZxid: true,
    forceSync: true,
    fsyncWarningThresholdMs: 1000,
    flushDelayMs: 0,
    maxBatchSize: 1000,

    extendedTypesEnabled: false,
    emulate353TtlNodes: false,
    enforceQuota: false,
    digestEnabled: true,
    closeSessionTxnEnabled: true,

    juteMaxBufferBytes,
    juteMaxBufferExtraBytes: juteMaxBufferBytes,
    ensemble: undefined,
    commitLogCount: 500,
    globalOutstandingLimit: 1000,
    throttledOpWaitTimeMs: 0,
    largeRequestMaxBytes: 100 * 1024 * 1024,
    largeRequestThresholdBytes: -1,
    shutdownTimeoutMs: 10_000,

    skipAcl: false,
    superDigest: undefined,
    digestAuthEnabled: true,
    digestAlg: 'SHA1',
    authProviders: ['digest', 'ip'],
    superUsers: [],
    x509SuperUser: undefined,
    letAnySaslUserDoX: undefined,
    allowSaslFailedClients: false,
    ensembleAuthNames: [],

    serverId: 1,
    readOnlyModeEnabled,
    reconfigEnabled: false,
    auditEnabled: false,

    ...withoutUndefined(plain),

    containers: group(
      { checkIntervalMs: 60_000, maxPerMinute: 10_000, maxNeverUsedIntervalMs: 0 },
      containers,
    ),
    enforceAuth: group({ enabled: false, schemes: [] }, enforceAuth),
    connectionThrottle: group(
      {
        tokens: 0,
        fillTimeMs: 1,
        fillCount: 1,
        freezeTimeMs: -1,
        dropIncrease: 0.02,
        dropDecrease: 0.002,
        decreaseRatio: 0,
        weightEnabled: false,
        globalSessionWeight: 3,
        renewSessionWeight: 2,
        localSessionWeight: 1,
      },
      connectionThrottle,
    ),
    requestThrottle: group(
      {
        maxRequests: 0,
        stallTimeMs: 100,
        dropStale: true,
        staleLatencyCheck: false,
        staleConnectionCheck: true,
      },
      requestThrottle,
    ),
  };
  return deepFreeze(config);
}

/** How often a server looks at what time brings. */
export function halfTickMs({ tickTimeMs }: ServerConfig): number {
  return Math.max(50, Math.floor(tickTimeMs / 2));
}

/** What is no object stays what it is: checkServerConfig() refuses it. */
function group<T extends object>(defaults: T, given: Partial<T> | undefined): T {
  if (given === undefined) return defaults;
  if (typeof given !== 'object' || given === null) return given;
  return { ...defaults, ...withoutUndefined(given) };
}

// A field given as undefined is a field left out: callers pass options of their own through.
function withoutUndefined<T extends object>(
  fields: T | undefined,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value !== undefined) kept[key] = value;
  }
  return kept as { [K in keyof T]: Exclude<T[K], undefined> };
}

function deepFreeze<T extends object>(value: T): T {
  for (const field of Object.values(value)) {
    if (typeof field === 'object' && field !== null) deepFreeze(field);
  }
  return Object.freeze(value);
}

/** Bytes of the longest txn: what is prepared, logged, read back and taken from a leader. */
export function maxEntryBytes({
  juteMaxBufferBytes,
  juteMaxBufferExtraBytes,
}: Pick<ServerConfig, 'juteMaxBufferBytes' | 'juteMaxBufferExtraBytes'>): number {
  return juteMaxBufferBytes + juteMaxBufferExtraBytes;
}
