// Something that is held: a lock, a term of leadership. It is held for as long as its ephemeral znode is there and
// its session lives; nobody else is granted it before the znode is gone. What it cannot know is how much time passes
// between a fact on the server and its own next line of code. Therefore:
//
//   signal   aborts as soon as this process has a reason to believe that it no longer holds
//   guard()  lets the server decide: a multi that is refused unless the znode is there
//   token    grows with every grant, for resources outside ZooKeeper that can refuse an older one

import {
  type Client,
  MultiError,
  type OneShot,
  type Op,
  type OpOptions,
  type Results,
  type Session,
  SessionExpiredError,
  type State,
  ZkError,
} from '@zebu/client';
import { deleteOwnedZnode, isStillOwned, type OwnedZnode } from './owned-znode.ts';
import { isPassing, untilAnswered } from './persistence.ts';

export interface Held extends AsyncDisposable {
  /** The znode that stands for it. */
  readonly path: string;
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
   * Gives it up. Resolves when the server has deleted the znode or the session is over: across lost connections too.
   * May be called any number of times.
   */
  release(): Promise<void>;
}

/** Of `Session.safeUntil`, under the policy 'lease': for the time between our clock and our next line of code. */
const LEASE_MARGIN = 0.1;

export class HeldZnode implements Held {
  readonly znode: OwnedZnode;
  private readonly zk: Client;
  private readonly policy: 'strict' | 'lease';
  private readonly controller: AbortController;
  private readonly listening: Disposable;
  private watch: OneShot;
  private leaseTimer: unknown;
  private releasing: Promise<void> | undefined;
  private dataListener: ((data: Buffer) => void) | undefined;

  /**
   * `watch` is of a read of the znode that showed that it is ours, made while there was a connection that has not
   * been lost since.
   */
  constructor(
    zk: Client,
    znode: OwnedZnode,
    { watch, policy }: { watch: OneShot; policy: 'strict' | 'lease' },
  ) {
    this.zk = zk;
    this.znode = znode;
    this.policy = policy;
    this.controller = new AbortController();
    this.leaseTimer = undefined;
    this.releasing = undefined;
    this.dataListener = undefined;
    this.listening = zk.on('state', (state) => this.stateChanged(state));
    this.watch = watch;
    this.follow(watch);
  }

  get path(): string {
    return this.znode.path;
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
    const { zk, znode } = this;
    // A process that was stopped for long may get here before any timer or socket of its does.
    if (zk.environment.now() >= this.session.safeUntil) this.lose(this.expiredError());
    if (this.signal.aborted || this.isReleased) throw this.lostError('guard', 'not-sent');
    try {
      const results: readonly unknown[] = await zk.multi(
        [{ op: 'check', path: znode.path }, ...ops],
        options,
      );
      return results.slice(1) as unknown as Results<T>;
    } catch (error) {
      throw this.guardError(error);
    }
  }

  release(): Promise<void> {
    this.releasing ??= this.releaseOnce();
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Told of the znode's data whenever somebody has changed it. */
  onData(listener: (data: Buffer) => void): void {
    this.dataListener = listener;
  }

  private async releaseOnce(): Promise<void> {
    this.stopListening();
    try {
      await deleteOwnedZnode(this.zk, this.znode);
    } finally {
      // It has fired with the delete, unless that was refused.
      this.watch[Symbol.dispose]();
    }
  }

  /** The first reason counts. */
  private lose(cause: unknown): void {
    if (this.signal.aborted || this.isReleased) return;
    this.stopListening();
    const { path } = this;
    this.controller.abort(new ZkError('LOCK_LOST', { path, outcome: 'failed', cause }));
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
    } else {
      this.armLease();
    }
  }

  /** Asks the server again after a reconnect; the session lives, but the znode may be gone. */
  private async verify(): Promise<void> {
    let isOurs: boolean;
    try {
      isOurs = await isStillOwned(this.zk, this.znode);
    } catch (error) {
      // Lost again: the next connection asks again. The lease goes on meanwhile.
      if (!isPassing(error)) this.lose(error);
      return;
    }
    if (isOurs) this.clearLease();
    else this.lose(this.deletedError());
  }

  private armLease(): void {
    if (this.leaseTimer !== undefined) return;
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
        else void this.readAgain();
      },
      // It can fire no more: the session is over, or the watch was disposed by release().
      () => {
        if (this.session.signal.aborted) this.lose(this.session.signal.reason);
      },
    );
  }

  private async readAgain(): Promise<void> {
    const { path } = this;
    try {
      const { data, watch } = await untilAnswered(this.zk, () =>
        this.zk.get(path, { watch: true, timeoutMs: 0 }),
      );
      this.watch = watch;
      if (this.isReleased) {
        watch[Symbol.dispose]();
        return;
      }
      this.follow(watch);
      this.dataListener?.(data);
    } catch (error) {
      this.lose(ZkError.is(error, 'NO_NODE') ? this.deletedError() : error);
    }
  }

  // --- Errors --------------------------------------------------------------------------------

  private guardError(error: unknown): unknown {
    if (error instanceof MultiError) {
      if (error.index === 0) {
        this.lose(error.opErrors[0]);
        return this.lostError('guard', 'failed');
      }
      // The check in front is ours, not the caller's.
      const { outcome, op, zxid } = error;
      return new MultiError(error.index - 1, error.opErrors.slice(1), { outcome, op, zxid });
    }
    if (ZkError.is(error, 'SESSION_EXPIRED')) {
      this.lose(error);
      return this.lostError('guard', error.outcome);
    }
    return error;
  }

  private lostError(op: string, outcome: 'failed' | 'not-sent' | 'unknown'): ZkError {
    const { path, signal } = this;
    return signal.aborted
      ? new ZkError('LOCK_LOST', { op, path, outcome, cause: (signal.reason as ZkError).cause })
      : new ZkError('LOCK_LOST', { op, path, outcome, detail: 'it was released' });
  }

  private deletedError(): ZkError {
    return new ZkError('NO_NODE', { path: this.path, outcome: 'failed' });
  }

  private expiredError(): SessionExpiredError {
    return new SessionExpiredError('local', { path: this.path, outcome: 'failed' });
  }
}
