// A queue: items are put in once, and handed out until one consumer acknowledges them. Plain items are kazoo's
// LockingQueue's, and its consumers and ours share them.

import { type Client, type OneShot, ZkError } from '@zebu/client';
import { inAnySession, throwUnlessExpired } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { awaitEvent } from '../core/one-shot.ts';
import {
  type OpOptions,
  type RecipeOptions,
  type RecipeSettings,
  recipeSettings,
} from '../core/options.ts';
import { childPath } from '../core/owned-znode.ts';
import { untilAnswered } from '../core/persistence.ts';
import { orMissing, readNames } from '../core/read.ts';
import type { Codec } from '../typed/codec.ts';
import { Consumer, TAKEN } from './consumer.ts';
import type { QueueItem } from './item.ts';
import { ENTRIES, itemPrefix, parseItemName, SPECIAL } from './names.ts';
import { PRODUCERS, Producer } from './producer.ts';

export type { QueueItem } from './item.ts';

export interface PutOptions extends OpOptions {
  /** 0 to 999; lower ones are handed out first. Default 100. */
  readonly priority?: number | undefined;
  /** Not handed out before, by the consumers' clocks. */
  readonly notBefore?: Date | undefined;
  /** To remove() it by. Need not be unique. */
  readonly id?: string | undefined;
}

export interface ConsumeOptions {
  /** Items that are claimed ahead of the one that was handed out. Default 0. */
  readonly prefetch?: number | undefined;
  /** Aborting it ends the loop without an error; what was claimed and not handed out is released. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Told of an item that the codec refuses. It stays in the queue, and is claimed until this loop ends, so that it does
   * not come again and again.
   */
  readonly onBadItem?: ((path: string, error: unknown) => void) | undefined;
}

export interface QueueOptions extends RecipeOptions {
  /**
   * put() waits while there are so many items. Each producer looks by itself, so there may be some more: as many as there
   * are producers.
   */
  readonly maxSize?: number | undefined;
}

export interface Queue<T> extends AsyncDisposable {
  readonly path: string;
  /**
   * Resolves with the item's path once it is in. Put once, whatever happens to the connection; rejects with outcome
   * 'unknown' only if the session ended, or the caller's limit was reached, before that could be asked.
   */
  put(value: T, options?: PutOptions): Promise<string>;
  /** Items one by one, until the loop is left. An item that is not acknowledged is handed out again. */
  consume(options?: ConsumeOptions): AsyncIterable<QueueItem<T>>;
  /** Deletes the items with this id that no consumer has; how many. */
  remove(id: string, options?: OpOptions): Promise<number>;
  /** Items that are there, handed out or not. */
  size(options?: OpOptions): Promise<number>;
  /** Takes away what put() needs. Loops of consume() go on. */
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_PRIORITY = 100;
const MOST_PRIORITY = 999;

export function queue<T>(
  zk: Client,
  path: string,
  codec: Codec<T>,
  options?: QueueOptions,
): Queue<T> {
  const recipe = recipeSettings('queue', options, ['maxSize']);
  return new ZnodeQueue(zk, path, codec, recipe, options?.maxSize);
}

class ZnodeQueue<T> implements Queue<T> {
  readonly path: string;
  private readonly zk: Client;
  private readonly codec: Codec<T>;
  private readonly recipe: RecipeSettings;
  private readonly maxSize: number | undefined;
  private readonly producer: Producer;

  constructor(
    zk: Client,
    path: string,
    codec: Codec<T>,
    recipe: RecipeSettings,
    maxSize: number | undefined,
  ) {
    this.path = path;
    this.zk = zk;
    this.codec = codec;
    this.recipe = recipe;
    this.maxSize = maxSize;
    this.producer = new Producer(zk, path, recipe.acl, (signal) => this.makeDirectories(signal));
  }

  async put(value: T, options: PutOptions = {}): Promise<string> {
    const { zk, path, maxSize } = this;
    const { priority = DEFAULT_PRIORITY, notBefore, id } = options;
    if (!Number.isInteger(priority) || priority < 0 || priority > MOST_PRIORITY) {
      throw new TypeError(`A priority is an integer in 0..${MOST_PRIORITY}, not ${priority}`);
    }
    const dueMs = notBefore?.getTime() ?? 0;
    if (!Number.isInteger(dueMs) || dueMs < 0) {
      throw new TypeError(`notBefore is no valid date after 1970: ${String(notBefore)}`);
    }
    if (id === '') throw new TypeError('An id is not empty');
    const { directory, prefix } = itemPrefix({ priority, dueMs, id });
    const data = this.codec.encode(value);
    using limit = new CallLimit(zk, 'put', path, options);
    limit.throwIfOver();
    if (maxSize !== undefined) await this.awaitRoom(maxSize, limit);
    const item = { path: childPath(childPath(path, directory), prefix), data };
    return await this.producer.put(item, limit);
  }

  consume(options: ConsumeOptions = {}): AsyncIterable<QueueItem<T>> {
    const { prefetch = 0, signal, onBadItem = () => {} } = options;
    if (!Number.isInteger(prefetch) || prefetch < 0) {
      throw new TypeError(`prefetch is an integer from 0, not ${prefetch}`);
    }
    const { zk, path, codec, recipe } = this;
    const consumer = new Consumer({
      zk,
      path,
      codec,
      recipe,
      prefetch,
      onBadItem,
      makeDirectories: (given) => this.makeDirectories(given),
    });
    return consumer.items(signal);
  }

  async remove(id: string, options?: OpOptions): Promise<number> {
    const { zk, path } = this;
    using limit = new CallLimit(zk, 'remove', path, options);
    const { signal } = limit;
    const directory = childPath(path, SPECIAL);
    const names = (await limit.race(readNames(zk, directory, signal))) ?? [];
    let removed = 0;
    for (const name of names) {
      if (parseItemName(SPECIAL, name)?.id !== id) continue;
      if (await limit.race(this.removeOne(childPath(directory, name), name))) removed++;
    }
    return removed;
  }

  async size(options?: OpOptions): Promise<number> {
    using limit = new CallLimit(this.zk, 'size', this.path, options);
    limit.throwIfOver();
    return await limit.race(this.count(limit.signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.producer.dispose();
  }

  private async count(signal: AbortSignal): Promise<number> {
    const { zk, path } = this;
    const counts = await Promise.all(
      [ENTRIES, SPECIAL].map(async (name) => {
        const directory = childPath(path, name);
        const options = { signal, timeoutMs: 0 };
        const stat = await untilAnswered(zk, () => zk.exists(directory, options), signal);
        return stat?.numChildren ?? 0;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  private async awaitRoom(maxSize: number, limit: CallLimit): Promise<void> {
    const { zk, path } = this;
    const { signal } = limit;
    for (;;) {
      limit.throwIfOver();
      if ((await limit.race(this.count(signal))) < maxSize) return;
      try {
        // Any of the two may become smaller; the watch of the other one is taken back.
        const watches: OneShot[] = [];
        using _ = {
          [Symbol.dispose]: () => {
            for (const watch of watches) watch[Symbol.dispose]();
          },
        };
        for (const name of [ENTRIES, SPECIAL]) {
          const directory = childPath(path, name);
          const found = await orMissing(
            untilAnswered(
              zk,
              () => zk.children(directory, { watch: true, signal, timeoutMs: 0 }),
              signal,
            ),
          );
          if (found !== undefined) watches.push(found.watch);
        }
        // It may have become smaller before the watches were set.
        if ((await limit.race(this.count(signal))) < maxSize) return;
        await Promise.race(watches.map((watch) => awaitEvent(watch, limit)));
      } catch (error) {
        if (signal.aborted) throw limit.error;
        throwUnlessExpired(zk, error);
      }
    }
  }

  /** In one multi with a claim, so that no consumer has it. Twice is once: a name is never used again. */
  private async removeOne(path: string, name: string): Promise<boolean> {
    const { zk, recipe } = this;
    const claim = childPath(childPath(this.path, TAKEN), name);
    for (;;) {
      try {
        await inAnySession(zk, () =>
          zk.multi(
            [
              { op: 'create', path: claim, options: { mode: 'ephemeral', acl: recipe.acl } },
              { op: 'delete', path },
              { op: 'delete', path: claim },
            ],
            { timeoutMs: 0 },
          ),
        );
        return true;
      } catch (error) {
        if (!ZkError.is(error, 'MULTI_FAILED')) throw error;
        // A consumer has it.
        if (ZkError.is(error.cause, 'NODE_EXISTS')) return false;
        if (!ZkError.is(error.cause, 'NO_NODE')) throw error.cause;
        const taken = childPath(this.path, TAKEN);
        if ((await untilAnswered(zk, () => zk.exists(taken))) === undefined) {
          await this.makeDirectories(undefined);
        } else return false;
      }
    }
  }

  /** They stay: kazoo takes their being there for granted once it has made them. */
  private async makeDirectories(signal: AbortSignal | undefined): Promise<void> {
    const { zk, path, recipe } = this;
    for (const name of [ENTRIES, SPECIAL, TAKEN, PRODUCERS]) {
      const directory = childPath(path, name);
      const options = { acl: recipe.acl, parents: 'persistent', signal, timeoutMs: 0 } as const;
      try {
        await inAnySession(zk, () => zk.create(directory, undefined, options), signal);
      } catch (error) {
        if (!ZkError.is(error, 'NODE_EXISTS')) throw error;
      }
    }
  }
}
