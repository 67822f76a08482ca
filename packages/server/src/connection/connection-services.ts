// What a connection knows of the member that it belongs to, for the whole of its life, and of what is served
// there. Member and Serving are the implementations.

import type { DataTree, WatchTable } from '@zebu/data-tree';
import type { ByteReader } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { Connection } from '@zebu/transport';
import type { AccessControl } from '../auth/access-control.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import type { NamespaceTraffic } from '../metrics/namespace-traffic.ts';
import type { ConnectionWithoutSession } from '../sessions/connections-without-session.ts';
import type { Throttle } from '../turns/throttle.ts';
import type { Turns } from '../turns/turns.ts';
import type { WritePath } from '../txns/write-path.ts';
import type { FourLetterWord } from '../words/four-letter.ts';
import type { LateEvents } from './late-events.ts';
import type { OutputPool } from './output-pool.ts';
import type { WatchEvents } from './watch-events.ts';

export interface ConnectionServices {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly turns: Turns;
  readonly metrics: ServerMetrics;
  readonly throttle: Throttle;
  readonly outputs: OutputPool;
  readonly lateEvents: LateEvents;
  readonly access: AccessControl;
  /** Reused for every request; valid during one call. */
  readonly reader: ByteReader;
  /** What clients get now; undefined while this member has no part in an ensemble that serves. */
  readonly openServing: ServedState | undefined;
  /** Answers a four-letter word, and closes. `bytes` are the word and what came with it. */
  answerWord(asker: WordAsker, word: FourLetterWord, bytes: Buffer): void;
  /** A request brought about an exception that no request should. */
  noteDefect(error: Error): void;
  /** The connection's session is decided. */
  sessionEstablished(connection: ServedConnection): void;
  /** The connection takes no more requests. */
  connectionEnding(connection: ServedConnection): void;
}

/** A connection, as far as it is known outside of its own room. */
export interface ServedConnection extends ConnectionWithoutSession {
  readonly slot: number;
  readonly remoteAddress: string;
  /** Takes requests again, if nothing stops it. */
  resume(): void;
}

/** A connection that asked a four-letter word. */
export interface WordAsker {
  readonly transport: Connection;
  readonly isClosed: boolean;
  /** The transport is gone, closed by either side. */
  closed(reason?: Error): void;
  /** Closes, after what was sent. */
  abort(): void;
}

/** One life of serving: a connection belongs to the one in which it got its session. */
export interface ServedState {
  readonly tree: DataTree;
  readonly watches: WatchTable;
  readonly events: WatchEvents;
  readonly writes: WritePath;
  readonly traffic: NamespaceTraffic;
  /** False: no request is taken any more. */
  readonly isOpen: boolean;
  /** A sign of life of a session. */
  touch(session: Session): void;
  /** Whether a client that has seen this zxid may be served: this member knows as much. */
  hasSeen(zxid: bigint): boolean;
  /** Lets a stopped connection go on once this batch is applied. */
  resumeAfterBatch(connection: ServedConnection): void;
}
