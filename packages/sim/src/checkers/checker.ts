// What every checker is told, and may ask. A checker looks after one property, and throws a Violation
// when it does not hold; it never changes anything.

import type { WatcherEvent } from '@zebu/protocol';
import type { Serving } from '@zebu/server/internal';
import type { Disk } from '@zebu/storage';
import type { HistoryEntry, Oracle } from '../oracle.ts';
import type { Conversation, SimClient } from '../sim-client.ts';
import type { SimConnection } from '../sim-network.ts';
import type { Answer, Ask } from '../wire.ts';

export interface CheckerContext {
  readonly oracle: Oracle;
  /** Virtual ms. */
  nowMs(): number;
  /** Width of a session's expiry bucket, and how long the server was kept from working, ms. */
  readonly tickMs: number;
  stalledMs(): number;
}

/** What stands after a start. */
export interface Recovered {
  readonly serving: Serving;
  /** The disk of the server, to read. */
  readonly disk: Disk;
  readonly dataDir: string;
  readonly dataLogDir: string | undefined;
  /** The highest zxid that the tree has. */
  readonly zxid: number;
}

export interface Checker {
  readonly name: string;
  /** The server handed a txn to its disk. */
  issued?(entry: HistoryEntry): void;
  /** Before what a crash took away is cut off from the oracle's entries. */
  recovered?(state: Recovered): void;
  /** After it was. */
  serving?(state: Recovered): void;
  established?(conversation: Conversation): void;
  refused?(client: SimClient, sessionId: bigint): void;
  sent?(conversation: Conversation, ask: Ask): void;
  answered?(conversation: Conversation, ask: Ask, answer: Answer): void;
  event?(conversation: Conversation, event: WatcherEvent, zxid: number): void;
  ended?(conversation: Conversation, unanswered: readonly Ask[]): void;
  /** The server is about to send these bytes. */
  serverWrites?(end: SimConnection, bytes: Buffer): void;
  /** The server is about to be handed bytes. */
  serverHears?(end: SimConnection): void;
  /** The server decided that a session has expired. */
  expired?(sessionId: bigint): void;
  /**
   * Every 100 ms while the server serves, and, `thorough`, after each fault and at the end. Only a thorough
   * look may walk the whole tree.
   */
  look?(serving: Serving, thorough: boolean): void;
}

export type MakeChecker = (context: CheckerContext) => Checker;
