/**
 * The four-letter words: what may be asked, and each answer in Apache 3.9.5's layout, which tools
 * parse. Knows the server through `FourLetterSource` only, changes nothing but what a word resets, and
 * writes nowhere: an answer is a sequence of pieces that the caller sends.
 *
 * Most answers are one piece. Those that grow with the server (connections, sessions, watches) come in
 * pieces of about 32 KB, so that the caller can take one per turn of the loop and none while its
 * connection reads slowly; what they walk may change between two pieces.
 */

import { javaSocketAddress } from '../auth/ip-address.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { QuotaGauges, ServerGauges, ServerMetrics } from '../metrics/metrics.ts';
import { javaDouble, monitorValues } from '../metrics/monitor.ts';
import { FULL_VERSION } from '../version.ts';

/** Every word that is known. */
export const FOUR_LETTER_WORDS = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'gtmk',
  'hash',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'stmk',
  'wchc',
  'wchp',
  'wchs',
] as const;

export type FourLetterWord = (typeof FOUR_LETTER_WORDS)[number];

/** `stmk` is followed by this many bytes, a big-endian trace mask. */
export const TRACE_MASK_BYTES = 8;

/** CLIENT_REQUEST + SERVER_PACKET + SESSION + WARNING, Apache's default. */
export const DEFAULT_TRACE_MASK = 306n;

// What telnet sends when it closes: no word, and no length either.
const TELNET_CLOSE = 0xfff4fffd | 0;

const wordsByCode: ReadonlyMap<number, FourLetterWord> = new Map(
  FOUR_LETTER_WORDS.map((word) => [Buffer.from(word, 'ascii').readInt32BE(), word] as const),
);

/**
 * The word whose four bytes, read as a big-endian int, a connection begins with; `telnet close` for
 * the farewell of telnet, which is closed without an answer; undefined when they are a frame's length.
 */
export function fourLetterWord(firstInt: number): FourLetterWord | 'telnet close' | undefined {
  return firstInt === TELNET_CLOSE ? 'telnet close' : wordsByCode.get(firstInt);
}

/** One connection, for `cons` and `stat`. */
export interface ConnectionFacts {
  /** As the socket says; printed as Java would. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** java.nio's bits: 1 while it is read, plus 4 while bytes wait to be written; 0 for one that asks a word. */
  readonly interestOps: number;
  readonly outstanding: number;
  readonly received: number;
  readonly sent: number;
  /** Halves of the session id; both 0 before there is a session. */
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly lastOp: string;
  readonly establishedWallMs: number;
  readonly sessionTimeoutMs: number;
  /** Negative: none yet. */
  readonly lastCxid: number;
  /** Negative: none yet. */
  readonly lastZxid: number;
  readonly lastResponseMs: number;
  readonly lastLatencyMs: number;
  readonly minLatencyMs: number;
  readonly averageLatencyMs: number;
  readonly maxLatencyMs: number;
}

/** A session that another server expires. */
export interface SessionTimeout {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly timeoutMs: number;
}

/** What `conf` shows of a member of an ensemble. */
export interface EnsembleFacts {
  readonly initLimitTicks: number;
  readonly syncLimitTicks: number;
  readonly electionPorts: readonly number[];
  readonly quorumPorts: readonly number[];
  readonly isObserver: boolean;
  /** The members and the version, as Apache prints them. */
  readonly configText: string;
}

/** A session, or a connection with its session's id, and when it expires if it is not heard of. */
export interface ExpiryFacts {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  /** Wall clock, at the end of the tick in which it expires: what expires together has the same number. */
  readonly expiresWallMs: number;
}

export interface ConnectionExpiryFacts extends ExpiryFacts {
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** The paths of one session, or the sessions of one path. */
export interface SessionPaths {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly paths: Iterable<string>;
}

export interface PathSessions {
  readonly path: string;
  readonly sessions: Iterable<{ readonly sessionHigh: number; readonly sessionLow: number }>;
}

export interface DirectorySizes {
  readonly dataBytes: number;
  readonly logBytes: number;
}

/**
 * What the words ask of a server. Every iterable is walked piece by piece and must survive changes
 * meanwhile; it need not be a picture of one moment.
 */
export interface FourLetterSource {
  /** False until it serves and after it began to stop: then only ruok, isro, envi, gtmk and stmk are answered. */
  readonly isServing: boolean;
  readonly isReadOnly: boolean;
  /** `standalone`, `leader`, `follower` or `observer`. */
  readonly mode: string;
  /** Undefined for a server on its own. */
  readonly ensemble: EnsembleFacts | undefined;
  readonly lastZxid: number;
  /** The port that was bound, which a configured 0 does not say; -1 for none. */
  readonly clientPort: number;
  readonly secureClientPort: number;
  readonly config: ServerConfig;
  readonly metrics: ServerMetrics;
  /** See DEFAULT_TRACE_MASK; kept for `stmk` and `gtmk`, and without effect. */
  traceMask: bigint;
  gauges(): ServerGauges;
  quotas(): Iterable<QuotaGauges>;
  connections(): Iterable<ConnectionFacts>;
  sessions(): Iterable<ExpiryFacts>;
  /** All sessions, in no order, where the leader expires them: on a learner. Undefined on any other server. */
  learnerSessions(): Iterable<SessionTimeout> | undefined;
  connectionExpiries(): Iterable<ConnectionExpiryFacts>;
  ephemerals(): Iterable<SessionPaths>;
  /** Sessions that hold ephemerals. */
  ephemeralSessionCount(): number;
  /** Of the data table alone, as Apache shows it: watchers, paths, and pairs of them. */
  watchSummary(): { readonly watchers: number; readonly paths: number; readonly watches: number };
  watchesBySession(): Iterable<SessionPaths>;
  watchesByPath(): Iterable<PathSessions>;
  /** The digests kept, oldest first: at most 1,024, one in 128 txns. */
  digestLog(): Iterable<{ readonly zxid: number; readonly digest: bigint }>;
  /** key and value of `envi`, see process-facts.ts. */
  environment(): Iterable<readonly [key: string, value: string]>;
  /** For `crst`: sets back the numbers of every connection. `srst` resets `metrics`. */
  resetConnectionStats(): void;
}

/** Whether `fourLetterAnswer` must be given the sizes of the directories for this word. */
export function needsDirectorySizes(word: FourLetterWord): boolean {
  return word === 'conf' || word === 'dirs';
}

/** True for a word that the configuration lets clients ask. */
export function isWhitelisted(word: FourLetterWord, config: ServerConfig): boolean {
  return config.fourLetterWhitelist.includes(word);
}

/** What comes with some words. */
export interface FourLetterArguments {
  /** For `conf` and `dirs`. */
  readonly directorySizes?: DirectorySizes;
  /** For `stmk`: the eight bytes that followed, as a signed number. */
  readonly traceMask?: bigint;
}

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests';
const PIECE_CHARACTERS = 32 * 1024;
const LINES_PER_TURN = 1024;

/**
 * The answer to one word, whitelist included. A piece may be empty: then there is nothing to send, but
 * a turn's worth of work was done. After the last piece the connection is to be closed.
 */
export function fourLetterAnswer(
  word: FourLetterWord,
  source: FourLetterSource,
  given: FourLetterArguments = {},
): Iterable<string> {
  if (!isWhitelisted(word, source.config)) {
    return [`${word} is not executed because it is not in the whitelist.\n`];
  }
  return inPieces(answerTo(word, source, given));
}

function answerTo(
  word: FourLetterWord,
  source: FourLetterSource,
  { directorySizes, traceMask }: FourLetterArguments,
): Iterable<string> {
  switch (word) {
    case 'ruok':
      return ['imok'];
    case 'envi':
      return environmentAnswer(source);
    case 'gtmk':
      return [`${source.traceMask}`];
    case 'stmk':
      source.traceMask = traceMask ?? source.traceMask;
      return [`${source.traceMask}`];
    case 'isro':
      return [source.isServing ? (source.isReadOnly ? 'ro' : 'rw') : 'null'];
    case 'hash':
      return source.isServing ? hashAnswer(source) : [NOT_SERVING];
  }
  if (!source.isServing) return [`${NOT_SERVING}\n`];
  const sizes = directorySizes ?? { dataBytes: 0, logBytes: 0 };
  switch (word) {
    case 'conf':
      return configurationAnswer(source, sizes);
    case 'cons':
      return connectionsAnswer(source);
    case 'crst':
      source.resetConnectionStats();
      return ['Connection stats reset.\n'];
    case 'dirs':
      return [`datadir_size: ${sizes.dataBytes}\nlogdir_size: ${sizes.logBytes}\n`];
    case 'dump':
      return dumpAnswer(source);
    case 'mntr':
      return monitorAnswer(source);
    case 'srst':
      source.metrics.reset();
      return ['Server stats reset.\n'];
    case 'srvr':
      return serverAnswer(source, false);
    case 'stat':
      return serverAnswer(source, true);
    case 'wchc':
      return watchesBySessionAnswer(source);
    case 'wchp':
      return watchesByPathAnswer(source);
    case 'wchs':
      return watchSummaryAnswer(source);
  }
}

// Joins what an answer yields line by line; an empty line counts as work.
function* inPieces(lines: Iterable<string>): Generator<string> {
  let piece = '';
  let count = 0;
  for (const line of lines) {
    piece += line;
    count++;
    if (piece.length >= PIECE_CHARACTERS || count >= LINES_PER_TURN) {
      yield piece;
      piece = '';
      count = 0;
    }
  }
  if (piece !== '') yield piece;
}

// ZooKeeperServer.dumpConf. Directories as Apache prints them, with the folder that holds the files.
function* configurationAnswer(
  { config, clientPort, secureClientPort, ensemble }: FourLetterSource,
  sizes: DirectorySizes,
): Generator<string> {
  const { dataDir, dataLogDir } = config;
  const logDir = dataLogDir ?? dataDir;
  yield `clientPort=${clientPort}\n`;
  yield `secureClientPort=${secureClientPort}\n`;
  yield `dataDir=${dataDir === undefined ? '' : `${dataDir}/version-2`}\n`;
  yield `dataDirSize=${sizes.dataBytes}\n`;
  yield `dataLogDir=${logDir === undefined ? '' : `${logDir}/version-2`}\n`;
  yield `dataLogSize=${sizes.logBytes}\n`;
  yield `tickTime=${config.tickTimeMs}\n`;
  yield `maxClientCnxns=${config.maxClientCnxns}\n`;
  yield `minSessionTimeout=${config.minSessionTimeoutMs}\n`;
  yield `maxSessionTimeout=${config.maxSessionTimeoutMs}\n`;
  yield `clientPortListenBacklog=${config.clientPortListenBacklog}\n`;
  // A server on its own is number 0, whatever its myid says.
  yield `serverId=${ensemble === undefined ? 0 : config.serverId}\n`;
  if (ensemble !== undefined) yield* ensembleLines(ensemble);
}

// QuorumZooKeeperServer.dumpConf. There is no line break at the end.
function* ensembleLines(ensemble: EnsembleFacts): Generator<string> {
  yield `initLimit=${ensemble.initLimitTicks}\n`;
  yield `syncLimit=${ensemble.syncLimitTicks}\n`;
  // FastLeaderElection; there is no other.
  yield 'electionAlg=3\n';
  yield `electionPort=${ensemble.electionPorts.join('|')}\n`;
  yield `quorumPort=${ensemble.quorumPorts.join('|')}\n`;
  yield `peerType=${ensemble.isObserver ? 1 : 0}\n`;
  yield `membership: \n${ensemble.configText}`;
}

function* connectionsAnswer(source: FourLetterSource): Generator<string> {
  for (const connection of source.connections()) yield `${connectionLine(connection, false)}\n`;
  yield '\n';
}

// ServerCnxn.dumpConnectionInfo.
function connectionLine(facts: ConnectionFacts, isBrief: boolean): string {
  const address = javaSocketAddress(facts.remoteAddress, facts.remotePort);
  let line =
    ` ${address}[${facts.interestOps.toString(16)}](queued=${facts.outstanding}` +
    `,recved=${facts.received},sent=${facts.sent}`;
  if (!isBrief && (facts.sessionHigh !== 0 || facts.sessionLow !== 0)) {
    line +=
      `,sid=${sessionText(facts)},lop=${facts.lastOp},est=${facts.establishedWallMs}` +
      `,to=${facts.sessionTimeoutMs}`;
    if (facts.lastCxid >= 0) line += `,lcxid=0x${facts.lastCxid.toString(16)}`;
    line +=
      `,lzxid=0x${zxidText(facts.lastZxid)},lresp=${Math.trunc(facts.lastResponseMs)}` +
      `,llat=${facts.lastLatencyMs},minlat=${facts.minLatencyMs}` +
      `,avglat=${Math.trunc(facts.averageLatencyMs)},maxlat=${facts.maxLatencyMs}`;
  }
  return `${line})`;
}

function* serverAnswer(source: FourLetterSource, withClients: boolean): Generator<string> {
  const { metrics } = source;
  const { requestLatency } = metrics;
  const gauges = source.gauges();
  yield `Zookeeper version: ${FULL_VERSION}\n`;
  if (source.isReadOnly) yield 'READ-ONLY mode; serving only read-only clients\n';
  if (withClients) {
    yield 'Clients:\n';
    for (const connection of source.connections()) yield `${connectionLine(connection, true)}\n`;
    yield '\n';
  }
  const average = javaDouble(requestLatency.average);
  yield `Latency min/avg/max: ${requestLatency.least}/${average}/${requestLatency.greatest}\n`;
  yield `Received: ${metrics.packetsReceived}\n`;
  yield `Sent: ${metrics.packetsSent}\n`;
  yield `Connections: ${gauges.aliveConnections}\n`;
  yield `Outstanding: ${gauges.outstandingRequests}\n`;
  yield `Zxid: 0x${zxidText(source.lastZxid)}\n`;
  yield `Mode: ${source.mode}\n`;
  yield `Node count: ${gauges.znodeCount}\n`;
  if (gauges.ensemble?.leader === undefined) return;
  const { lastProposalBytes, minProposalBytes, maxProposalBytes } = metrics;
  yield `Proposal sizes last/min/max: ${lastProposalBytes}/${minProposalBytes}/${maxProposalBytes}\n`;
}

function* dumpAnswer(source: FourLetterSource): Generator<string> {
  yield 'SessionTracker dump:\n';
  const learnerSessions = source.learnerSessions();
  if (learnerSessions !== undefined) yield* learnerSessionDump(learnerSessions);
  else {
    yield* expiryDump('Session', source.sessions(), ({ sessionHigh, sessionLow }) =>
      sessionText({ sessionHigh, sessionLow }),
    );
  }
  yield 'ephemeral nodes dump:\n';
  yield `Sessions with Ephemerals (${source.ephemeralSessionCount()}):\n`;
  for (const { paths, ...session } of source.ephemerals()) {
    yield `${sessionText(session)}:\n`;
    for (const path of paths) yield `\t${path}\n`;
  }
  yield 'Connections dump:\n';
  yield* expiryDump('Connections', source.connectionExpiries(), (connection) => {
    const address = javaSocketAddress(connection.remoteAddress, connection.remotePort);
    return `ip: ${address} sessionId: ${sessionText(connection)}`;
  });
}

// LearnerSessionTracker.dumpSessions: by id, as Java orders longs.
function* learnerSessionDump(sessions: Iterable<SessionTimeout>): Generator<string> {
  const known: SessionTimeout[] = [];
  for (const session of sessions) {
    known.push(session);
    yield '';
  }
  known.sort(
    (a, b) =>
      (a.sessionHigh | 0) - (b.sessionHigh | 0) || (a.sessionLow >>> 0) - (b.sessionLow >>> 0),
  );
  yield `Global Sessions(${known.length}):\n`;
  for (const session of known) yield `${sessionText(session)}\t${session.timeoutMs}ms\n`;
}

// ExpiryQueue.dump: how many sets and members, then each set with its time. The numbers come first, so
// the members are gathered before a line is out.
function* expiryDump<T extends ExpiryFacts>(
  title: string,
  members: Iterable<T>,
  describe: (member: T) => string,
): Generator<string> {
  const sets = new Map<number, string[]>();
  let count = 0;
  for (const member of members) {
    count++;
    yield '';
    const set = sets.get(member.expiresWallMs);
    if (set === undefined) sets.set(member.expiresWallMs, [describe(member)]);
    else set.push(describe(member));
  }
  yield `${title} Sets (${sets.size})/(${count}):\n`;
  for (const [expiresWallMs, lines] of [...sets].sort(([a], [b]) => a - b)) {
    yield `${lines.length} expire at ${javaDate(expiresWallMs)}:\n`;
    for (const line of lines) yield `\t${line}\n`;
  }
}

function* environmentAnswer(source: FourLetterSource): Generator<string> {
  yield 'Environment:\n';
  for (const [key, value] of source.environment()) yield `${key}=${value}\n`;
}

function* monitorAnswer(source: FourLetterSource): Generator<string> {
  yield `zk_version\t${FULL_VERSION}\n`;
  yield `zk_server_state\t${source.mode}\n`;
  const { metrics } = source;
  const [gauges, quotas] = [source.gauges(), [...source.quotas()]];
  if (gauges.ensemble !== undefined) {
    const { peerState, observerMasterSid } = gauges.ensemble;
    yield `zk_peer_state\t${peerState}\n`;
    if (observerMasterSid !== undefined) yield `zk_observer_master_id\t${observerMasterSid}\n`;
  }
  for (const [name, value] of monitorValues({ metrics, gauges, quotas })) {
    yield `zk_${name}\t${value}\n`;
  }
}

function* watchSummaryAnswer(source: FourLetterSource): Generator<string> {
  const { watchers, paths, watches } = source.watchSummary();
  yield `${watchers} connections watching ${paths} paths\nTotal watches:${watches}\n`;
}

function* watchesBySessionAnswer(source: FourLetterSource): Generator<string> {
  for (const { paths, ...session } of source.watchesBySession()) {
    yield `${sessionText(session)}\n`;
    for (const path of paths) yield `\t${path}\n`;
  }
  yield '\n';
}

function* watchesByPathAnswer(source: FourLetterSource): Generator<string> {
  for (const { path, sessions } of source.watchesByPath()) {
    yield `${path}\n`;
    for (const session of sessions) yield `\t${sessionText(session)}\n`;
  }
  yield '\n';
}

function* hashAnswer(source: FourLetterSource): Generator<string> {
  for (const { zxid, digest } of source.digestLog()) yield `${zxid.toString(16)}: ${digest}\n`;
}

// Java's Long.toHexString of the two halves.
function sessionText({
  sessionHigh,
  sessionLow,
}: {
  readonly sessionHigh: number;
  readonly sessionLow: number;
}): string {
  const high = (sessionHigh >>> 0).toString(16);
  const low = (sessionLow >>> 0).toString(16);
  return high === '0' ? `0x${low}` : `0x${high}${low.padStart(8, '0')}`;
}

function zxidText(zxid: number): string {
  return zxid < 0 ? 'ffffffffffffffff' : zxid.toString(16);
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** A time as Java's Date.toString writes it, in this machine's zone: `Tue Nov 24 15:38:30 UTC 2026`. */
export function javaDate(wallMs: number): string {
  const date = new Date(wallMs);
  const zone = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value;
  const two = (number: number) => `${number}`.padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const day = `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${two(date.getDate())}`;
  return `${day} ${time} ${zone ?? 'UTC'} ${date.getFullYear()}`;
}
