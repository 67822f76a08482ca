// All sessions of a server: created and closed by txns, touched by requests, swept by the tick.

import { ExpiryBuckets } from './expiry-buckets.ts';
import { Session } from './session.ts';
import { firstSessionId, nextSessionId } from './session-id.ts';

export interface SessionTableOptions {
  readonly serverId: number;
  /** Width of an expiry bucket, ms. */
  readonly tickMs: number;
  /** Wall clock, ms: only for the first id. */
  readonly wallNowMs: number;
  /** Monotonic clock, ms. */
  readonly nowMs: number;
}

export class SessionTable {
  private readonly sessions: Map<bigint, Session>;
  private readonly buckets: ExpiryBuckets;
  private nextId: bigint;

  constructor(options: SessionTableOptions) {
    this.sessions = new Map();
    this.buckets = new ExpiryBuckets(options.tickMs, options.nowMs);
    this.nextId = firstSessionId(options.serverId, options.wallNowMs);
  }

  get size(): number {
    return this.sessions.size;
  }

  /** An id that no session has. The session exists once its createSession txn is applied. */
  allocateId(): bigint {
    let id = this.nextId;
    while (this.sessions.has(id)) id = nextSessionId(id);
    this.nextId = nextSessionId(id);
    return id;
  }

  /** The session, made known when it was not; a repeated createSession only sets the timeout. */
  add(id: bigint, timeoutMs: number, nowMs: number): Session {
    const key = BigInt.asUintN(64, id);
    let session = this.sessions.get(key);
    if (session === undefined) {
      session = new Session(key, timeoutMs);
      this.sessions.set(key, session);
    }
    session.timeoutMs = timeoutMs;
    session.loggedTimeoutMs = timeoutMs;
    session.isCreated = true;
    this.buckets.touch(session, nowMs);
    return session;
  }

  /**
   * A session whose createSession was proposed and is not applied yet; add() makes it one like any other. A
   * leader needs it at once: the client may write as soon as a quorum has that txn. Until then snapshots do not
   * have it (see Session.isCreated).
   */
  track(id: bigint, timeoutMs: number, nowMs: number): Session {
    const known = this.get(id);
    if (known !== undefined) return known;
    const session = this.add(id, timeoutMs, nowMs);
    session.isCreated = false;
    return session;
  }

  get(id: bigint): Session | undefined {
    return this.sessions.get(BigInt.asUintN(64, id));
  }

  remove(session: Session): void {
    this.buckets.remove(session);
    this.sessions.delete(session.id);
  }

  /** A sign of life. Ignored once the session is closing. */
  touch(session: Session, nowMs: number): void {
    if (!session.closing) this.buckets.touch(session, nowMs);
  }

  /** Decides the end of a session: it leaves its bucket and takes no further request. */
  markClosing(session: Session): void {
    session.closing = true;
    this.buckets.remove(session);
  }

  /** A session whose time is up, marked closing; undefined when there is none. */
  takeExpired(nowMs: number): Session | undefined {
    const session = this.buckets.takeExpired(nowMs);
    if (session !== undefined) session.closing = true;
    return session;
  }

  values(): IterableIterator<Session> {
    return this.sessions.values();
  }

  /** See ExpiryBuckets.entries. */
  expiries(): Generator<{ deadlineMs: number; sessions: Session[] }> {
    return this.buckets.entries();
  }
}
