// Something that is held: a lock, a term of leadership. It is held for as long as its ephemeral znode is there and
// its session lives; nobody else is granted it before the znode is gone. What it cannot know is how much time passes
// between a fact on the server and its own next line of code. Therefore:
//
//   signal   aborts as soon as this process has a reason to believe that it no longer holds
//   guard()  lets the server decide: a multi that is refused unless the znode is there
//   token    grows with every grant, for resources outside ZooKeeper that can refuse an older one

import {
  type Client,
  type OneShot,
  type Op,
  type OpOptions,
  type Results,
  type Session,
  SessionExpiredError,
  type State,
  ZkError,
} from '@zebu/client';
import { guardedMulti } from './guarded-multi.ts';
import { deleteOwnedZnode, isStillOwned, type OwnedZnode } from './owned-znode.ts';
import { isPassing, untilAnswered } from './persistence.ts';

export interface Held extends AsyncDisposable {
  /** The znode that stands for it; the first of `paths`. */
  readonly path: string;
  /** All znodes that stand for it: of several locks, or several permits. */
  readonly paths: readonly string[];
  /** The fencing token: the zxid that created the znode. Each grant of the same thing has a larger one. */
  readonly token: number;
  /** The session that it ends with. */
  readonly session: Session;
  /** Aborts when it is lost, with a ZkError LOCK_LOST whose cause says why. Not when it is released. */
  readonly signal: AbortSignal;
  /**
   * Carries out the operations, all or none, only if it is still held: the server checks the znode in the same multi.
   * Rejects with LOCK_LOST if not; a MultiError counts the operations as given.
   */
  guard<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>>;
  /**
   * Called when somebody asks for it with revoke(); nothing but the holder can make it go. Once it was asked for,
   * a new listener is called too.
   */
  onRevoke(listener: () => void): Disposable;
  /**
   * Looks at the clock: if the session must be over by now, the signal aborts. For code that has run long, or was
   * stopped, without giving timers a turn; guard() does it itself.
   */
  look(): void;
  /**
   * Gives it up. Resolves when the server has deleted the znode or the session is over: across lost connections too.
   * May be called any number of times.
   */
  release(): Promise<void>;
}

/** What asks the holder of a znode to give it up, as its data. Source: Curator's LockInternals.REVOKE_MESSAGE. */
export const REVOKE = Buffer.from('__REVOKE__');

/** Of `Session.safeUntil`, under the policy 'lease': for the time between our clock and our next line of code. */
const LEASE_MARGIN = 0.1;

export class HeldZnode implements Held {
  readonly znode: OwnedZnode;
  private readonly zk: Client;
  private readonly policy: 'strict' | 'lease';
  private readonly controller: AbortController;
  private readonly listening: Disposable;
  /** Undefined until its znode is read. */
  private watch: OneShot | undefined;
  private leaseTimer: unknown;
  private releasing: Promise<void> | undefined;
  /** Its znode is gone, or nobody's concern any more: a watch that comes now is not wanted. */
  private isOver: boolean;
  private readonly revokeListeners: Set<() => void>;
  private isRevoked: boolean;

  /**
   * `watch` is of a read of the znode that showed that it is ours, made while there was a connection that has not
   * been lost since. Without one, something else has shown that; the znode is read now.
   */
  constructor(
    zk: Client,
    znode: OwnedZnode,
    { watch, policy }: { watch: OneShot | undefined; policy: 'strict' | 'lease' },
  ) {
    this.zk = zk;
    this.znode = znode;
    this.policy = policy;
    this.controller = new AbortController();
    this.leaseTimer = undefined;
    this.releasing = undefined;
    this.isOver = false;
    this.revokeListeners = new Set();
    this.isRevoked = false;
    this.listening = zk.on('state', (state) => this.stateChanged(state));
    this.watch = watch;
    if (watch === undefined) void this.read();
    else this.follow(watch);
    this.armLease();
  }

  get path(): string {
    return this.znode.path;
  }

  get paths(): readonly string[] {
    return [this.path];
  }

  get token(): number {
    return this.znode.czxid;
  }

  get session(): Session {
    return this.znode.session;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get isReleased(): boolean {
    return this.releasing !== undefined;
  }

  async guard<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>> {
    this.look();
    const { path, signal } = this;
    if (signal.aborted) {
      throw lockLost('guard', path, 'not-sent', (signal.reason as ZkError).cause);
    }
    if (this.isReleased) throw lockLost('guard', path, 'not-sent', undefined);
    return await guardedMulti(
      this.zk,
      this.paths.map((path) => ({ path })),
      ops,
      options,
      (cause, outcome) => {
        this.lose(cause);
        return lockLost('guard', path, outcome, cause);
      },
    );
  }

  look(): void {
    if (this.zk.environment.now() >= this.session.safeUntil) this.lose(this.expiredError());
  }

  /** Nothing speaks against it at this moment: not the znode, the connection, the session, nor its clock. */
  get isCertain(): boolean {
    const { state, environment } = this.zk;
    return (
      !this.signal.aborted &&
      state.status === 'connected' &&
      !state.readOnly &&
      environment.now() < this.session.safeUntil
    );
  }

  onRevoke(listener: () => void): Disposable {
    const entry = (): void => listener();
    this.revokeListeners.add(entry);
    if (this.isRevoked) queueMicrotask(entry);
    return { [Symbol.dispose]: () => this.revokeListeners.delete(entry) };
  }

  release(): Promise<void> {
    this.releasing ??= this.releaseOnce();
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** The caller has deleted the znode itself, in a txn with something else. */
  forget(): void {
    if (this.releasing !== undefined) return;
    this.releasing = Promise.resolve();
    this.stopListening();
    this.unwatch();
  }

  private async releaseOnce(): Promise<void> {
    this.stopListening();
    try {
      await deleteOwnedZnode(this.zk, this.znode);
    } finally {
      // It has fired with the delete, unless that was refused.
      this.unwatch();
    }
  }

  private unwatch(): void {
    this.isOver = true;
    this.watch?.[Symbol.dispose]();
  }

  /** The first reason counts. */
  private lose(cause: unknown): void {
    if (this.signal.aborted || this.isReleased) return;
    this.stopListening();
    const { path } = this;
    this.controller.abort(lockLost(undefined, path, 'failed', cause));
  }

  private stopListening(): void {
    this.listening[Symbol.dispose]();
    this.clearLease();
  }

  // --- The connection ------------------------------------------------------------------------

  private stateChanged(state: State): void {
    if (this.session.signal.aborted) {
      this.lose(this.session.signal.reason);
    } else if (state.status === 'connected' && !state.readOnly) {
      void this.verify();
    } else if (this.policy === 'strict') {
      this.lose(new ZkError('CONNECTION_LOSS', { path: this.path, outcome: 'failed' }));
    }
  }

  /** Asks the server again after a reconnect; the session lives, but the znode may be gone. */
  private async verify(): Promise<void> {
    let isOurs: boolean;
    try {
      isOurs = await isStillOwned(this.zk, this.znode);
    } catch (error) {
      // Lost again: the next connection asks again.
      if (!isPassing(error)) this.lose(error);
      return;
    }
    if (!isOurs) this.lose(this.deletedError());
  }

  /**
   * Ends it, at the latest, when the session may be over. With a connection, too: its last answer may be older than its
   * reading, and the server be out of reach since.
   */
  private armLease(): void {
    const { environment } = this.zk;
    const leftMs = this.leaseUntil - environment.now();
    this.leaseTimer = environment.setTimer(
      () => {
        this.leaseTimer = undefined;
        if (environment.now() < this.leaseUntil) this.armLease();
        else this.lose(this.expiredError());
      },
      Math.max(leftMs, 0),
    );
  }

  private get leaseUntil(): number {
    const { safeUntil, timeoutMs } = this.session;
    return safeUntil - timeoutMs * LEASE_MARGIN;
  }

  private clearLease(): void {
    if (this.leaseTimer === undefined) return;
    this.zk.environment.clearTimer(this.leaseTimer);
    this.leaseTimer = undefined;
  }

  // --- The znode -----------------------------------------------------------------------------

  private follow(watch: OneShot): void {
    watch.event.then(
      (event) => {
        if (this.signal.aborted || this.isReleased) return;
        if (event.type === 'deleted') this.lose(this.deletedError());
        else void this.read();
      },
      // It can fire no more: the session is over, or the watch was disposed by release().
      () => {
        if (this.session.signal.aborted) this.lose(this.session.signal.reason);
      },
    );
  }

  private async read(): Promise<void> {
    const { path } = this;
    try {
      const { data, stat, watch } = await untilAnswered(this.zk, () =>
        this.zk.get(path, { watch: true, timeoutMs: 0 }),
      );
      this.watch = watch;
      if (this.isOver) watch[Symbol.dispose]();
      if (this.isReleased) return;
      this.follow(watch);
      if (stat.czxid !== this.znode.czxid) this.lose(this.deletedError());
      else if (REVOKE.equals(data)) this.revoked();
    } catch (error) {
      this.lose(ZkError.is(error, 'NO_NODE') ? this.deletedError() : error);
    }
  }

  private revoked(): void {
    if (this.isRevoked) return;
    this.isRevoked = true;
    for (const listener of this.revokeListeners) queueMicrotask(listener);
  }

  // --- Errors --------------------------------------------------------------------------------

  private deletedError(): ZkError {
    return new ZkError('NO_NODE', { path: this.path, outcome: 'failed' });
  }

  private expiredError(): SessionExpiredError {
    return new SessionExpiredError('local', { path: this.path, outcome: 'failed' });
  }
}

/** LOCK_LOST; without a cause because it was released. */
export function lockLost(
  op: string | undefined,
  path: string,
  outcome: ZkError['outcome'],
  cause: unknown,
): ZkError {
  // The error itself names the znode; the cause does too where it is about the same one.
  const detail =
    cause === undefined ? 'it was released' : (cause as Error).message.replace(` (${path})`, '');
  return new ZkError('LOCK_LOST', { op, path, outcome, detail, cause });
}
