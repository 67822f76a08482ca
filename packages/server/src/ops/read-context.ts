// What an operation that reads, or answers by itself, knows of the connection that asked. ClientConnection
// is the one implementation; operations know no more of it than this.

import type { DataTree, WatchTable } from '@zebu/data-tree';
import type { ByteReader, ByteWriter, Zxid } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { AccessControl } from '../auth/access-control.ts';
import type { AuthContext } from '../auth/auth-provider.ts';
import type { Identity } from '../auth/identity.ts';
import type { Slices } from '../connection/long-reply.ts';
import type { Logger } from '../logger.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import type { NamespaceTraffic } from '../metrics/namespace-traffic.ts';

export interface ReadContext {
  readonly tree: DataTree;
  readonly watches: WatchTable;
  /** Where a read counts what it answers. */
  readonly traffic: NamespaceTraffic;
  readonly access: AccessControl;
  /** What the watch table knows the connection by. */
  readonly slot: number;
  readonly session: Session | undefined;
  readonly identities: readonly Identity[];
  readonly output: SlicedOutput;
  /** Whether the client has one of the permission bits on a znode with this ACL. */
  isAllowed(aclId: number, perms: number): boolean;
  /** Sends an event about what the client missed while it was away; it carries zxid -1. */
  sendMissedEvent(type: number, path: string): void;
}

export interface SlicedOutput {
  /** Whether a reply may be written over several turns; one at a time for each connection. */
  readonly mayReplyInSlices: boolean;
  /** The reply written so far is followed by the slices, over several turns, and those by `end`. */
  replyInSlices(slices: Slices, end: Buffer): void;
}

/** For operations that answer by themselves. */
export interface RunContext {
  readonly access: AccessControl;
  readonly authContext: AuthContext;
  identities: readonly Identity[];
  readonly metrics: ServerMetrics;
  readonly logger: Logger;
  replyError(xid: number, zxid: Zxid, error: number): void;
  reply(xid: number, zxid: Zxid, body: Buffer): void;
  /** Sends what is still to be sent, then closes. */
  closeAfterFlush(): void;
}

/** Reads the request body, writes the response body, returns an error code (0: fine). */
export type Read = (context: ReadContext, request: ByteReader, reply: ByteWriter) => number;

/** Reads the request body and answers by itself. */
export type Run = (context: RunContext, xid: number, request: ByteReader) => void;
