// An item that a consumer has: nobody else gets it while the consumer's ephemeral znode `taken/<name>` is there.

import { type Client, ZkError } from '@zebu/client';
import type { HeldZnode } from '../core/held.ts';
import { isPassing, untilAnswered } from '../core/persistence.ts';

export interface QueueItem<T> extends AsyncDisposable {
  readonly value: T;
  /** The znode that holds it, until it is acknowledged. */
  readonly path: string;
  /** Undefined if it was put without one. */
  readonly id: string | undefined;
  readonly priority: number;
  /** Aborts when it is lost to another consumer, or may be, with a ZkError LOCK_LOST. Not when it is acknowledged. */
  readonly signal: AbortSignal;
  /**
   * It is done: deletes it, in one multi with our claim. Resolves when that is certain; rejects with LOCK_LOST if it was
   * lost before, and then another consumer gets it, or has done it.
   */
  ack(): Promise<void>;
  /** Gives it back, to be handed out again. Disposing does the same, unless it was acknowledged. */
  release(): Promise<void>;
}

export class ClaimedItem<T> implements QueueItem<T> {
  readonly value: T;
  readonly path: string;
  readonly id: string | undefined;
  readonly priority: number;
  private readonly zk: Client;
  private readonly held: HeldZnode;
  private readonly controller: AbortController;
  private acking: Promise<void> | undefined;
  private releasing: Promise<void> | undefined;

  constructor(
    zk: Client,
    held: HeldZnode,
    item: {
      readonly value: T;
      readonly path: string;
      readonly id: string | undefined;
      readonly priority: number;
    },
  ) {
    this.value = item.value;
    this.path = item.path;
    this.id = item.id;
    this.priority = item.priority;
    this.zk = zk;
    this.held = held;
    this.controller = new AbortController();
    this.acking = undefined;
    this.releasing = undefined;
    held.signal.addEventListener('abort', () => {
      // Our own delete of the claim is no loss.
      if (this.acking === undefined && this.releasing === undefined) {
        this.controller.abort(held.signal.reason);
      }
    });
    if (held.signal.aborted) this.controller.abort(held.signal.reason);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  ack(): Promise<void> {
    this.acking ??= this.ackOnce();
    return this.acking;
  }

  release(): Promise<void> {
    // After an acknowledgement that failed there may still be something to give back.
    this.releasing ??=
      this.acking === undefined
        ? this.held.release()
        : this.acking.catch(() => this.held.release());
    return this.releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  private async ackOnce(): Promise<void> {
    const { held, path } = this;
    try {
      await held.guard(
        [
          { op: 'delete', path: held.path },
          { op: 'delete', path },
        ],
        { timeoutMs: 0 },
      );
      held.forget();
    } catch (error) {
      const isUnknown = ZkError.is(error) && error.outcome === 'unknown';
      if (isUnknown || isPassing(error)) await this.settle(error as ZkError);
      else this.failed(error);
    }
  }

  /** Carries the acknowledgement through after a lost connection. */
  private async settle(error: ZkError): Promise<void> {
    const { zk, held, path } = this;
    const { session } = held;
    const options = { consistency: 'synced', timeoutMs: 0 } as const;
    for (;;) {
      let isClaimed: boolean;
      let isThere: boolean;
      try {
        const claim = await untilAnswered(zk, () => zk.exists(held.path, options));
        isClaimed = claim?.czxid === held.token && !session.signal.aborted;
        isThere = (await untilAnswered(zk, () => zk.exists(path, options))) !== undefined;
      } catch {
        // The client is closed.
        this.failed(error);
        return;
      }
      if (!isClaimed) {
        if (isThere) this.failed(this.lost(error, 'failed'));
        // While the session lives nobody else could have taken it; else another may have done it meanwhile.
        else if (session.signal.aborted) this.failed(this.lost(error, 'unknown'));
        else held.forget();
        return;
      }
      try {
        await zk.multi(
          [
            { op: 'delete', path: held.path },
            { op: 'delete', path },
          ],
          { timeoutMs: 0 },
        );
        held.forget();
        return;
      } catch (cause) {
        if (ZkError.is(cause, 'CLOSED')) this.failed(cause);
      }
    }
  }

  private lost(cause: ZkError, outcome: 'failed' | 'unknown'): ZkError {
    return new ZkError('LOCK_LOST', { op: 'ack', path: this.path, outcome, cause });
  }

  private failed(error: unknown): never {
    this.controller.abort(error);
    // The claim, if it is there, is given up: the item goes to another.
    void this.held.release().catch(() => {});
    throw error;
  }
}
