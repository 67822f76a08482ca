// One znode as a value of the program: read once, then kept up to date. For configuration that many processes follow.

import { type Client, type Stat, ZkError, type Znode } from '@zebu/client';
import { isFollowed } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { Follower } from '../core/follow.ts';
import { type OpOptions, type RecipeOptions, recipeSettings } from '../core/options.ts';
import { isPassing, pause } from '../core/persistence.ts';
import { readZnode } from '../core/read.ts';
import type { Codec } from '../typed/codec.ts';

/** What was read: a value with its Stat, neither where there is no znode, or why there is no value. */
export interface ValueReading<T> {
  readonly value: T | undefined;
  readonly stat: Stat | undefined;
  /** The codec refused the bytes, or the server the read. The next change brings the next reading. */
  readonly error: Error | undefined;
}

export interface SharedValue<T> extends AsyncDisposable {
  readonly path: string;
  /** The last value that could be decoded; undefined where there is no znode. */
  readonly current: T | undefined;
  /** Of `current`. */
  readonly stat: Stat | undefined;
  /** The connection is lost, or what changed meanwhile has not been read yet. */
  readonly stale: boolean;
  /** The reading now, then each later one; a slow reader sees the newest only. Ends with the value, or an abort. */
  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<ValueReading<T>>;
  /**
   * Reads, changes, and writes if nobody else did meanwhile; else again. Creates the znode, and missing parents, if there
   * is none. Throws CONNECTION_LOSS with outcome 'unknown' where nothing shows whether our write is among those made
   * while the connection was lost.
   */
  update(change: (value: T | undefined) => T, options?: OpOptions): Promise<Stat>;
}

export interface WatchValueOptions extends Pick<RecipeOptions, 'acl'> {
  /** Aborting it ends the value, and takes the watch off the server. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves once the znode, or its absence, has been read. Bytes that the codec refuses are no reason to reject. */
export async function watchValue<T>(
  zk: Client,
  path: string,
  codec: Codec<T>,
  options?: WatchValueOptions,
): Promise<SharedValue<T>> {
  const { acl } = recipeSettings('watchValue', options, ['signal']);
  const value = new FollowedValue(zk, path, codec, acl);
  await value.start(options?.signal);
  return value;
}

class FollowedValue<T> implements SharedValue<T> {
  readonly path: string;
  current: T | undefined;
  stat: Stat | undefined;
  private readonly zk: Client;
  private readonly codec: Codec<T>;
  private readonly acl: RecipeOptions['acl'];
  private follower: Follower<ValueReading<T>> | undefined;

  constructor(zk: Client, path: string, codec: Codec<T>, acl: RecipeOptions['acl']) {
    this.path = path;
    this.current = undefined;
    this.stat = undefined;
    this.zk = zk;
    this.codec = codec;
    this.acl = acl;
    this.follower = undefined;
  }

  async start(signal: AbortSignal | undefined): Promise<void> {
    this.follower = await Follower.start(
      this.zk,
      this.path,
      {
        read: async (reading) => this.take(await readZnode(this.zk, this.path, reading)),
        failed: (error) => ({ value: undefined, stat: undefined, error: error as Error }),
        isSame: isSameReading,
      },
      signal,
    );
  }

  get stale(): boolean {
    return this.follower?.isStale ?? true;
  }

  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<ValueReading<T>> {
    // start() ran before anybody had this value.
    return (this.follower as Follower<ValueReading<T>>).readings.read(options?.signal);
  }

  async update(change: (value: T | undefined) => T, options?: OpOptions): Promise<Stat> {
    const { zk, path, codec, acl } = this;
    using limit = new CallLimit(zk, 'update', path, options);
    const { signal } = limit;
    for (;;) {
      limit.throwIfOver();
      const before = await limit.race(readZnode(zk, path, signal));
      const data = codec.encode(change(before && codec.decode(before.data)));
      try {
        if (before !== undefined) {
          const { version } = before.stat;
          return await zk.set(path, data, { version, signal, timeoutMs: 0 });
        }
        const { stat } = await zk.create(path, data, {
          acl,
          parents: 'persistent',
          signal,
          timeoutMs: 0,
        });
        return stat;
      } catch (error) {
        if (signal.aborted || !ZkError.is(error)) throw error;
        if (ZkError.is(error, 'BAD_VERSION', 'NO_NODE', 'NODE_EXISTS')) continue;
        if (error.outcome === 'unknown') {
          const after = await limit.race(readZnode(zk, path, signal, 'synced'));
          if (!isSurelyUndone({ before, after, data })) throw error;
        } else if (isFollowed(zk, error)) continue;
        else if (!isPassing(error)) throw error;
        else if (error.code !== 'CONNECTION_LOSS') await pause(zk, BUSY_PAUSE_MS, signal);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower?.[Symbol.asyncDispose]();
  }

  private take(znode: Znode | undefined): ValueReading<T> {
    if (znode === undefined) {
      this.current = undefined;
      this.stat = undefined;
      return { value: undefined, stat: undefined, error: undefined };
    }
    const { stat } = znode;
    try {
      const value = this.codec.decode(znode.data);
      this.current = value;
      this.stat = stat;
      return { value, stat, error: undefined };
    } catch (error) {
      return { value: undefined, stat, error: error as Error };
    }
  }
}

const BUSY_PAUSE_MS = 100;

/** The version alone would not do: a znode that was deleted and created again may have the same (CURATOR-391). */
function isSameReading<T>(a: ValueReading<T>, b: ValueReading<T>): boolean {
  if (a.stat === undefined || b.stat === undefined) return a.stat === b.stat && a.error === b.error;
  return a.stat.mzxid === b.stat.mzxid && a.stat.czxid === b.stat.czxid;
}

/**
 * Whether a write of `data` over `before`, whose reply was lost, cannot be what `after` shows. One that is equal may be
 * somebody else's, as two that count from 5 both write 6.
 */
function isSurelyUndone({
  before,
  after,
  data,
}: {
  before: Znode | undefined;
  after: Znode | undefined;
  data: Uint8Array;
}): boolean {
  if (before === undefined) {
    return after === undefined || (after.stat.version === 0 && !after.data.equals(data));
  }
  if (after?.stat.czxid !== before.stat.czxid) return false;
  const { version } = after.stat;
  if (version === before.stat.version) return true;
  return version === ((before.stat.version + 1) | 0) && !after.data.equals(data);
}
