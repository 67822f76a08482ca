// A lease: held for a time that is said beforehand, whatever becomes of the connection, the session and the process. For
// what should stay with one of several for an hour, a restart included. Each permit is a persistent znode that says whose
// it is and for how long, and is never deleted, so that its version is a fence. Whether its time is over is asked of the
// ensemble's leader alone: the time of the last write to it against the time of a write that is made now. No clock of a
// client is compared with another one.

import {
  type Client,
  type Op,
  type OpOptions,
  type Results,
  type Stat,
  ZkError,
} from '@zebu/client';
import { inAnySession } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { guardedMulti } from '../core/guarded-multi.ts';
import { lockLost } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { childPath, znodeId } from '../core/owned-znode.ts';
import { readZnode } from '../core/read.ts';

export interface LeaseOptions extends OpOptions, Pick<RecipeOptions, 'acl'> {
  /** How long it is held for, from the server's answer or the last renew(). 100 to 2^31 - 1. */
  readonly ttlMs: number;
  /** Who holds it. Whoever comes with the same one takes it over, and renews it: a process after its restart. */
  readonly id: string;
  /** How many may hold at a time. All that share a path must say the same. Default 1. */
  readonly permits?: number | undefined;
}

export interface Lease extends AsyncDisposable {
  /** The znode that stands for it. */
  readonly path: string;
  readonly id: string;
  /** The fencing token: the zxid of the grant. Each grant has a larger one; renew() keeps it. */
  readonly token: number;
  /** How long it is still held by our clock, less a tenth of `ttlMs`; 0 when it is over. */
  readonly remainingMs: number;
  /**
   * Aborts with a ZkError LOCK_LOST when the time is over by our clock, less a tenth, or when renew() or guard() finds it with
   * somebody else. Not by a lost connection or session, nor when it is released or the client is closed.
   */
  readonly signal: AbortSignal;
  /** Holds it for another `ttlMs` from now. Rejects with LOCK_LOST if it is over, or somebody else's. */
  renew(options?: OpOptions): Promise<void>;
  /** As Held.guard(): the operations, all or none, only if nobody else was granted the lease. */
  guard<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>>;
  /** Lets others have it now. Without it, it stays until its time is over. */
  release(): Promise<void>;
}

/** The shortest `ttlMs`. Below, the way to the server and back is most of it. */
const MIN_TTL_MS = 100;
/** The longest: timers have no longer ones. */
const MAX_TTL_MS = 2 ** 31 - 1;
/** Of `ttlMs`: for the time to our next line of code, and for the clocks of two leaders that differ. */
const MARGIN = 0.1;

/**
 * A lease if there is a free one, or one of the same id; undefined if others have them all. Waits only for the
 * connection.
 */
export async function tryLease(
  zk: Client,
  path: string,
  options: LeaseOptions,
): Promise<Lease | undefined> {
  const { acl } = recipeSettings('tryLease', options, [
    'ttlMs',
    'id',
    'permits',
    'signal',
    'timeoutMs',
  ]);
  const { ttlMs, id, permits = 1 } = options;
  if (!(Number.isInteger(ttlMs) && ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) {
    throw new TypeError(`tryLease(): ttlMs must be ${MIN_TTL_MS} to ${MAX_TTL_MS}, not ${ttlMs}`);
  }
  if (typeof id !== 'string' || id === '') {
    throw new TypeError(`tryLease(): id must be a string that is not empty, not ${String(id)}`);
  }
  if (!(Number.isInteger(permits) && permits > 0)) {
    throw new TypeError(`tryLease(): permits must be a positive integer, not ${permits}`);
  }
  using limit = new CallLimit(zk, 'tryLease', path, options);
  const term = { id, ttlMs, grant: znodeId(() => zk.environment.random()) };
  try {
    for (;;) {
      limit.throwIfOver();
      const seats = await readSeats(zk, path, permits, limit.signal);
      const seat =
        seats.find((one) => one.term?.id === id) ??
        seats.find((one) => one.term === undefined) ??
        (await overdue(zk, path, seats, limit.signal));
      if (seat === undefined) return undefined;
      const askedAt = zk.environment.now();
      const stat = await occupy(zk, seat, term, acl, limit.signal);
      if (stat !== undefined) return new SeatLease(zk, seat.path, term, stat, askedAt);
      // Somebody was faster, or our own write was made twice: what there is now is read.
    }
  } catch (error) {
    throw limit.signal.aborted ? limit.error : error;
  }
}

/** What a permit's znode says; no bytes once it was released. */
interface LeaseTerm {
  readonly id: string;
  readonly ttlMs: number;
  /** Another one for each grant. */
  readonly grant: string;
}

interface Seat {
  readonly path: string;
  /** Undefined: there is none. */
  readonly stat: Stat | undefined;
  /** Undefined: free. */
  readonly term: LeaseTerm | undefined;
}

async function readSeats(
  zk: Client,
  path: string,
  permits: number,
  signal: AbortSignal,
): Promise<Seat[]> {
  const paths = Array.from({ length: permits }, (_, i) => childPath(path, String(i)));
  return await Promise.all(
    paths.map(async (seat) => {
      const found = await readZnode(zk, seat, signal, 'synced');
      return { path: seat, stat: found?.stat, term: found && decodeTerm(seat, found.data) };
    }),
  );
}

/** One whose time is over by the leader's clock. */
async function overdue(
  zk: Client,
  path: string,
  seats: readonly Seat[],
  signal: AbortSignal,
): Promise<Seat | undefined> {
  try {
    // Written by the leader, as the leases' znodes were.
    const options = { signal, timeoutMs: 0 };
    const { mtime: now } = await inAnySession(zk, () => zk.set(path, '', options), signal);
    return seats.find(({ stat, term }) => now >= (stat?.mtime ?? 0) + (term?.ttlMs ?? 0));
  } catch (error) {
    if (!ZkError.is(error, 'NO_NODE')) throw error;
    // Everything was deleted by hand: so is this one, and the caller reads again.
    return seats[0];
  }
}

/** Undefined if it is not as it was read any more. */
async function occupy(
  zk: Client,
  seat: Seat,
  term: LeaseTerm,
  acl: RecipeOptions['acl'],
  signal: AbortSignal,
): Promise<Stat | undefined> {
  const { path, stat } = seat;
  const data = JSON.stringify(term);
  const limits = { signal, timeoutMs: 0 };
  try {
    if (stat !== undefined) {
      const options = { version: stat.version, ...limits };
      return await inAnySession(zk, () => zk.set(path, data, options), signal);
    }
    const options = { acl, parents: 'persistent', ...limits } as const;
    return (await inAnySession(zk, () => zk.create(path, data, options), signal)).stat;
  } catch (error) {
    if (ZkError.is(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) return undefined;
    throw error;
  }
}

function decodeTerm(path: string, data: Buffer): LeaseTerm | undefined {
  if (data.length === 0) return undefined;
  try {
    const { id, ttlMs, grant } = JSON.parse(data.toString('utf8'));
    if (typeof id === 'string' && Number.isInteger(ttlMs) && typeof grant === 'string') {
      return { id, ttlMs, grant };
    }
  } catch {
    // As good as other bytes that are no lease.
  }
  throw new TypeError(`${path} holds no lease: ${JSON.stringify(data.toString('utf8', 0, 80))}`);
}

class SeatLease implements Lease {
  readonly path: string;
  readonly token: number;
  private readonly zk: Client;
  private readonly term: LeaseTerm;
  private readonly controller: AbortController;
  private readonly listening: Disposable;
  /** Of its znode, since our last write. */
  private version: number;
  /** By our clock. */
  private heldUntil: number;
  private timer: unknown;
  /** The last renew(); guards wait for it, as it changes the version. */
  private renewing: Promise<void>;
  private releasing: Promise<void> | undefined;

  constructor(zk: Client, path: string, term: LeaseTerm, stat: Stat, askedAt: number) {
    this.zk = zk;
    this.path = path;
    this.term = term;
    this.token = stat.mzxid;
    this.version = stat.version;
    this.controller = new AbortController();
    this.renewing = Promise.resolve();
    this.releasing = undefined;
    this.timer = undefined;
    this.heldUntil = this.untilFrom(askedAt);
    this.arm();
    this.listening = zk.on('state', ({ status }) => {
      // A timer would keep the process of a closed client alive.
      if (status === 'closed' || status === 'expired' || status === 'auth-failed') this.disarm();
    });
  }

  get id(): string {
    return this.term.id;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get remainingMs(): number {
    if (this.signal.aborted || this.releasing !== undefined) return 0;
    return Math.max(0, this.heldUntil - this.zk.environment.now());
  }

  async renew(options?: OpOptions): Promise<void> {
    using limit = new CallLimit(this.zk, 'renew', this.path, options);
    const renewing = this.renewing.then(() => this.renewOnce());
    // It goes on when its caller has gone: whether it is made must be known.
    this.renewing = renewing.catch(() => {});
    await limit.race(renewing);
  }

  async guard<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>> {
    await this.renewing;
    this.throwIfOver('guard');
    const { zk, path, version } = this;
    return await guardedMulti(zk, [{ path, version }], ops, options, (cause, outcome) => {
      // The end of a session is not the end of a lease.
      if (ZkError.is(cause, 'SESSION_EXPIRED')) return cause;
      this.lose(cause);
      return lockLost('guard', path, outcome, cause);
    });
  }

  release(): Promise<void> {
    this.releasing ??= this.releaseOnce();
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  private async renewOnce(): Promise<void> {
    this.throwIfOver('renew');
    const askedAt = this.zk.environment.now();
    let stat: Stat | undefined;
    try {
      stat = await this.write(JSON.stringify(this.term), this.signal);
    } catch (error) {
      this.throwIfOver('renew', 'unknown');
      throw error;
    }
    if (stat === undefined)
      this.lose(new ZkError('BAD_VERSION', { path: this.path, outcome: 'failed' }));
    this.throwIfOver('renew', 'failed');
    this.heldUntil = this.untilFrom(askedAt);
    this.disarm();
    this.arm();
  }

  private async releaseOnce(): Promise<void> {
    this.disarm();
    this.listening[Symbol.dispose]();
    await this.renewing;
    await this.write('', undefined);
  }

  /** Writes the znode, unless somebody else has it, or it was released; then undefined. */
  private async write(data: string, signal: AbortSignal | undefined): Promise<Stat | undefined> {
    const { zk, path, term } = this;
    for (;;) {
      try {
        const options = { version: this.version, signal, timeoutMs: 0 };
        const stat = await inAnySession(zk, () => zk.set(path, data, options), signal);
        this.version = stat.version;
        return stat;
      } catch (error) {
        if (!ZkError.is(error, 'BAD_VERSION', 'NO_NODE')) throw error;
      }
      // Another one's, or our own renewal whose answer was lost.
      const found = await readZnode(zk, path, signal, 'synced');
      if (found === undefined || decodeTerm(path, found.data)?.grant !== term.grant)
        return undefined;
      this.version = found.stat.version;
    }
  }

  private throwIfOver(op: string, outcome: ZkError['outcome'] = 'not-sent'): void {
    const { path, signal } = this;
    if (this.releasing !== undefined) throw lockLost(op, path, outcome, undefined);
    // Without waiting for a timer's turn.
    if (this.zk.environment.now() >= this.heldUntil) this.lose(this.overError());
    if (signal.aborted) throw lockLost(op, path, outcome, (signal.reason as ZkError).cause);
  }

  private untilFrom(askedAt: number): number {
    return askedAt + this.term.ttlMs * (1 - MARGIN);
  }

  private arm(): void {
    const { environment } = this.zk;
    const leftMs = Math.max(0, this.heldUntil - environment.now());
    this.timer = environment.setTimer(() => {
      this.timer = undefined;
      if (environment.now() < this.heldUntil) this.arm();
      else this.lose(this.overError());
    }, leftMs);
  }

  private disarm(): void {
    if (this.timer === undefined) return;
    this.zk.environment.clearTimer(this.timer);
    this.timer = undefined;
  }

  private lose(cause: unknown): void {
    if (this.signal.aborted || this.releasing !== undefined) return;
    this.disarm();
    this.listening[Symbol.dispose]();
    this.controller.abort(lockLost(undefined, this.path, 'failed', cause));
  }

  private overError(): ZkError {
    const { path, term } = this;
    const detail = `it was held for ${term.ttlMs} ms`;
    return new ZkError('TIMEOUT', { path, outcome: 'failed', detail });
  }
}
