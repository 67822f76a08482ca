// Reads a part of the tree again whenever a watch says that it may have changed. The watch is set before the first read, so
// no change is missed; events that come during a read make one more read, however many they are.

import { type Client, type WatchStream, ZkError } from '@zebu/client';
import { Latest } from './latest.ts';
import { isPassing } from './persistence.ts';

/** Sets a watch; in the next session if this one ends meanwhile. */
export async function establishWatch(
  zk: Client,
  path: string,
  options: { readonly recursive?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<WatchStream> {
  for (;;) {
    const wasOver = zk.session.signal.aborted;
    try {
      return await zk.watch(path, { ...options, timeoutMs: 0 });
    } catch (error) {
      // The end of a session may be the client's end too. If so, the next call fails the same way at once.
      const mayFollow = ZkError.is(error, 'SESSION_EXPIRED') && !wasOver;
      if (!mayFollow && !isPassing(error)) throw error;
    }
  }
}

export interface FollowerOptions<S> {
  /** Reads once; gives up when the signal aborts. Throws what is to be told to the readers. */
  readonly read: (signal: AbortSignal) => Promise<S>;
  /** What comes of an error that is no reason to stop; the next event or connection reads again. */
  readonly failed: (error: unknown) => S;
  /** Readers are not told of a reading that is the same as the one before. */
  readonly isSame: (a: S, b: S) => boolean;
}

export class Follower<S> implements AsyncDisposable {
  readonly readings: Latest<S>;
  private readonly zk: Client;
  private readonly stream: WatchStream;
  private readonly options: FollowerOptions<S>;
  private readonly stopping: AbortController;
  private readonly listening: Disposable;
  /** How often the connection was lost. */
  private losses: number;
  /** `losses` as it was during the last reading; -1 before the first, and where the connection was lost meanwhile. */
  private freshAt: number;
  private isDirty: boolean;
  private isOver: boolean;
  private wake: (() => void) | undefined;
  private work: Promise<void>;

  private constructor(zk: Client, stream: WatchStream, options: FollowerOptions<S>) {
    this.readings = new Latest();
    this.zk = zk;
    this.stream = stream;
    this.options = options;
    this.stopping = new AbortController();
    this.losses = 0;
    this.freshAt = -1;
    this.isDirty = false;
    this.isOver = false;
    this.wake = undefined;
    this.work = Promise.resolve();
    this.listening = zk.on('state', ({ status }) => {
      if (status !== 'connected') this.losses++;
    });
  }

  /** Resolves with the first reading; rejects if it fails. Aborting `signal` ends it, then and later. */
  static async start<S>(
    zk: Client,
    path: string,
    options: FollowerOptions<S>,
    signal?: AbortSignal,
  ): Promise<Follower<S>> {
    const stream = await establishWatch(zk, path, { signal });
    const follower = new Follower(zk, stream, options);
    try {
      await follower.readOnce(
        signal === undefined
          ? follower.stopping.signal
          : AbortSignal.any([signal, follower.stopping.signal]),
      );
    } catch (error) {
      await follower[Symbol.asyncDispose]();
      throw error;
    }
    follower.work = Promise.all([follower.hear(), follower.readOn()]).then(() => {});
    return follower;
  }

  /** Whether the tree may have changed without our knowing. */
  get isStale(): boolean {
    return this.isOver || this.zk.state.status !== 'connected' || this.freshAt !== this.losses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    this.stopping.abort();
    await this.stream[Symbol.asyncDispose]();
    await this.work;
  }

  private async hear(): Promise<void> {
    let isFirst = true;
    try {
      for await (const item of this.stream) {
        // start() has read after this one.
        if (isFirst && item.type === 'resync' && item.reason === 'established') {
          isFirst = false;
          continue;
        }
        isFirst = false;
        this.isDirty = true;
        this.wake?.();
      }
      this.end();
    } catch (error) {
      this.end(error);
    }
  }

  private async readOn(): Promise<void> {
    for (;;) {
      while (!this.isDirty && !this.isOver) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (this.isOver) return;
      this.isDirty = false;
      try {
        await this.readOnce(this.stopping.signal);
      } catch (error) {
        // After the end there is nobody to tell.
        if (!this.isOver && !ZkError.is(error, 'CLOSED')) this.publish(this.options.failed(error));
      }
    }
  }

  private async readOnce(signal: AbortSignal): Promise<void> {
    const { losses } = this;
    const reading = await this.options.read(signal);
    if (losses === this.losses) this.freshAt = losses;
    this.publish(reading);
  }

  private publish(reading: S): void {
    const { current } = this.readings;
    if (current !== undefined && this.options.isSame(current, reading)) return;
    this.readings.set(reading);
  }

  private end(error?: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.listening[Symbol.dispose]();
    this.readings.finish(error);
    this.wake?.();
  }
}
