// The one door through which clients, expiry and the sweeper change anything.
//
//   LeaderWrites      this member decides: a standalone server, or a leader
//   ForwardedWrites   another member decides: a follower, an observer
//
// Whatever goes in becomes exactly one txn, and is answered when that is applied here.

import type { PathId } from '@zebu/data-tree';
import type { ByteReader, ByteWriter, ConnectRequest, Zxid } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { Identity } from '../auth/identity.ts';
import type { Operation } from '../ops/op-table.ts';
import type { WaitingRequest } from './waiting-requests.ts';

/** What serves a session: a connection of this member, or on a leader the learner that the client is at. */
export interface SessionOwner {
  /** The session is served by somebody else from now on. */
  sessionMoved(): void;
  /** The session was closed. */
  sessionClosed(): void;
}

/**
 * Of a session whose connection or learner is gone. What its client wrote elsewhere before, and comes only now, is
 * refused as moved: the client has gone on meanwhile, and its requests are not done out of order.
 */
export const FORMER_OWNER: SessionOwner = Object.freeze({
  sessionMoved() {},
  sessionClosed() {},
});

/** A client's connection, as far as the way of a write knows it. */
export interface Requestor extends SessionOwner {
  readonly session: Session | undefined;
  readonly identities: readonly Identity[];
  readonly remoteAddress: string;
  readonly isClosed: boolean;
  /** Answers a write that was applied; `body` is its response. */
  writeApplied(request: WaitingRequest, zxid: Zxid, error: number, body: ByteWriter): void;
  /** Answers a sync: everything committed before it is applied here. `path` is the request's body. */
  syncReleased(xid: number, path: Buffer, receivedMs: number): void;
  /** The createSession that it asked for was applied. */
  sessionCreated(session: Session): void;
  /** The session that it asked for again is its own; undefined: it is gone, or was never the client's. */
  sessionDecided(session: Session | undefined): void;
  /** Sends what is still to be sent, then closes. */
  closeAfterFlush(): void;
  /** Closes; the reason is logged. */
  abort(reason?: Error): void;
}

export interface WritePath {
  /** Requests that were taken and are not answered: what globalOutstandingLimit bounds. */
  readonly outstanding: number;
  /** Takes a write of a client with a session. The request's bytes are read now and not kept. */
  write(
    operation: Operation,
    client: Requestor,
    xid: number,
    request: ByteReader,
    receivedMs: number,
    largeBytes: number,
  ): void;
  /**
   * Takes a sync, which has its place among the client's writes; undefined where a read is in order anyway.
   * The request's bytes are read now and not kept.
   */
  readonly sync:
    | ((client: Requestor, xid: number, request: ByteReader, receivedMs: number) => void)
    | undefined;
  /** Asks for a new session. */
  createSession(client: Requestor, timeoutMs: number): void;
  /** Asks for a session that was there before, now or later: sessionDecided() has the answer. */
  reattach(client: Requestor, request: ConnectRequest, timeoutMs: number): void;
  /** Ends a session: its time is up, or nobody knows it. Only where this member decides. */
  closeSession(session: { readonly idHigh: number; readonly idLow: number }): void;
  /** Deletes a container or TTL znode that nobody uses. Only where this member decides. */
  deleteContainer(id: PathId): void;
}
