// One session: who it is, when it ends, which connection serves it.

/**
 * A client's session. The id is kept whole for look-ups and in halves for encoding, so that no
 * bigint is touched while requests are served.
 */
export class Session {
  /** Unsigned 64 bits. */
  readonly id: bigint;
  /** The id's halves as int32. */
  readonly idHigh: number;
  readonly idLow: number;
  /** Negotiated by the connection that serves it now, ms. */
  timeoutMs: number;
  /** What its createSession says, ms: the one that snapshots hold, so that they agree with the log. */
  loggedTimeoutMs: number;
  /** Who serves this session, or served it last: the server's own. Undefined: nobody yet, since it was created or loaded. */
  owner: object | undefined;
  /** Set once its end was decided: no further request of it is taken. */
  closing: boolean;
  /** Whether its createSession is applied: snapshots hold no other sessions. */
  isCreated: boolean;

  // Links of the expiry bucket this session is in; see expiry-buckets.ts.
  bucket: number;
  previous: Session | undefined;
  next: Session | undefined;

  constructor(id: bigint, timeoutMs: number) {
    this.id = BigInt.asUintN(64, id);
    this.idHigh = Number(this.id >> 32n) | 0;
    this.idLow = Number(this.id & 0xffffffffn) | 0;
    this.timeoutMs = timeoutMs;
    this.loggedTimeoutMs = timeoutMs;
    this.owner = undefined;
    this.closing = false;
    this.isCreated = true;
    this.bucket = NO_BUCKET;
    this.previous = undefined;
    this.next = undefined;
  }
}

/** Not in any bucket. */
export const NO_BUCKET = -1;
