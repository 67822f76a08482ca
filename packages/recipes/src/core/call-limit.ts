// How long a caller wants to wait: until a signal aborts, or a time is over. One signal for both, and the error that
// the caller is to see.

import { type Client, type OpOptions, ZkError } from '@zebu/client';

export class CallLimit implements Disposable {
  /** Aborts when the caller waits no longer. */
  readonly signal: AbortSignal;
  private readonly zk: Client;
  private readonly op: string;
  private readonly path: string;
  private readonly timeout: AbortController;
  private readonly timer: unknown;

  constructor(zk: Client, op: string, path: string, options: OpOptions | undefined) {
    this.zk = zk;
    this.op = op;
    this.path = path;
    this.timeout = new AbortController();
    const { signal, timeoutMs = 0 } = options ?? {};
    // A signal of its own, because Node warns at the eleventh listener on one that many calls share.
    this.signal = AbortSignal.any(
      signal === undefined ? [this.timeout.signal] : [signal, this.timeout.signal],
    );
    this.timer =
      timeoutMs > 0
        ? zk.environment.setTimer(() => this.timeout.abort(timeoutMs), timeoutMs)
        : undefined;
  }

  /** ABORTED or TIMEOUT, once the limit is reached. */
  get error(): ZkError {
    const { op, path } = this;
    if (this.timeout.signal.aborted) {
      const detail = `not within ${this.timeout.signal.reason} ms`;
      return new ZkError('TIMEOUT', { op, path, outcome: 'failed', detail });
    }
    return new ZkError('ABORTED', { op, path, outcome: 'failed', cause: this.signal.reason });
  }

  throwIfOver(): void {
    if (this.signal.aborted) throw this.error;
  }

  /** As the promise, unless the limit is reached first. The promise is not cancelled by that. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const over = (): void => reject(this.error);
      if (this.signal.aborted) {
        over();
        promise.catch(() => {});
        return;
      }
      this.signal.addEventListener('abort', over, { once: true });
      promise.then(resolve, reject).finally(() => this.signal.removeEventListener('abort', over));
    });
  }

  [Symbol.dispose](): void {
    if (this.timer !== undefined) this.zk.environment.clearTimer(this.timer);
  }
}
