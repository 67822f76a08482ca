// What a watch delivers, for code that awaits it: a one-shot promise, or a stream that never grows
// beyond its buffer and says `resync` where it may have left something out.

import { inspect } from 'node:util';
import { atCaller, ZkError } from './errors.ts';

export type WatchEventType = 'created' | 'deleted' | 'changed' | 'children';

export interface WatchEvent {
  readonly type: WatchEventType;
  readonly path: string;
  /** The txn that fired it; undefined where the server does not say (3.8, and after a reconnect). */
  readonly zxid: number | undefined;
}

/**
 * "Read again": events before this point may be missing. It comes first in every stream, after each
 * reconnect (a watch hears nothing while the client is away), and when the buffer overflowed.
 */
export interface Resync {
  readonly type: 'resync';
  readonly reason: 'established' | 'reconnected' | 'new-session' | 'overflow';
}

export type WatchItem = WatchEvent | Resync;

/** Events of one path, or of all below it, until it is disposed, aborted, or the client closes. */
export interface WatchStream extends AsyncIterable<WatchItem>, AsyncDisposable {
  readonly path: string;
  readonly recursive: boolean;
}

/** The watch that a read left behind: fires once. */
export interface OneShot extends Disposable {
  /** Rejects with SESSION_EXPIRED or CLOSED when it can fire no more, ABORTED when disposed. */
  readonly event: Promise<WatchEvent>;
}

export const DEFAULT_STREAM_BUFFER = 1024;

export class StreamBuffer implements WatchStream {
  readonly path: string;
  readonly recursive: boolean;
  private readonly limit: number;
  private readonly dispose: () => Promise<void>;
  private items: WatchItem[];
  private end: { error: ZkError | undefined } | undefined;
  private isStopped: boolean;
  private wake: (() => void) | undefined;
  /** Undone when the stream ends: its abort listener. */
  private release: (() => void) | undefined;

  constructor(options: {
    path: string;
    recursive: boolean;
    limit: number;
    dispose: (stream: StreamBuffer) => Promise<void>;
  }) {
    this.path = options.path;
    this.recursive = options.recursive;
    this.limit = options.limit;
    this.dispose = () => options.dispose(this);
    this.items = [];
    this.end = undefined;
    this.isStopped = false;
    this.wake = undefined;
    this.release = undefined;
  }

  /** Ends at once when the signal aborts: what is buffered is dropped. `forget` takes the listener back. */
  endWith(forget: () => void): void {
    if (this.end === undefined) this.release = forget;
    else forget();
  }

  /** Ends the stream, without an error and without what is buffered. */
  stop(): void {
    this.items = [];
    this.isStopped = true;
    this.finish();
  }

  /** Takes an event, or, when full, drops all it holds for one `resync`. */
  push(item: WatchItem): void {
    if (this.end !== undefined) return;
    if (item.type === 'resync') {
      // Whoever reads again needs nothing of what came before.
      this.items = [item];
    } else if (this.items.length >= this.limit) {
      this.items = [{ type: 'resync', reason: 'overflow' }];
    } else {
      this.items.push(item);
    }
    this.wake?.();
  }

  /** What is buffered is still delivered; then the stream ends, or throws `error`. */
  finish(error?: ZkError): void {
    this.end ??= { error };
    this.release?.();
    this.release = undefined;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchItem, void, void> {
    try {
      for (;;) {
        // The array is taken whole: shifting items one by one would be quadratic.
        const items = this.items;
        this.items = [];
        for (let i = 0; i < items.length; i++) {
          yield items[i] as WatchItem;
          // An overflow, a reconnect or an abort meanwhile makes the rest worthless.
          if (this.items[0]?.type === 'resync' || this.isStopped) break;
        }
        if (this.items.length > 0) continue;
        if (this.end !== undefined) {
          if (this.end.error !== undefined) throw atCaller(this.end.error);
          return;
        }
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
    } finally {
      await this.dispose();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  [inspect.custom](): string {
    const below = this.recursive ? ' and below' : '';
    const over = this.end === undefined ? '' : ', over';
    return `WatchStream { ${this.path}${below}, ${this.items.length} buffered${over} }`;
  }
}

export class OneShotWatch implements OneShot {
  readonly event: Promise<WatchEvent>;
  private readonly dispose: (watch: OneShotWatch) => void;
  private resolve: (event: WatchEvent) => void;
  private reject: (error: ZkError) => void;
  private isOver: boolean;

  constructor(dispose: (watch: OneShotWatch) => void) {
    this.dispose = dispose;
    this.isOver = false;
    this.resolve = () => {};
    this.reject = () => {};
    this.event = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Nobody has to look at the event, so its failure must not be an unhandled rejection.
    this.event.catch(() => {});
  }

  fire(event: WatchEvent): void {
    this.isOver = true;
    this.resolve(event);
  }

  fail(error: ZkError): void {
    this.isOver = true;
    this.reject(error);
  }

  [inspect.custom](): string {
    return 'OneShot {}';
  }

  [Symbol.dispose](): void {
    if (this.isOver) return;
    this.dispose(this);
    this.fail(new ZkError('ABORTED', { outcome: 'failed', detail: 'the watch was disposed' }));
  }
}
