// A part of the tree, kept up to date in memory by one recursive watch. A lost connection may swallow events
// (ZOOKEEPER-4698), so everything is read again after each, and compared with what was there.
//
//   events of the watch ──> dirty paths ──> reads ──> znodes ──> dirty paths of each reader ──> items
//
// Both sets of dirty paths are bounded by the number of znodes: a slow server or a slow reader makes changes
// collapse into the newest, never pile up.

import { type Client, type Stat, type WatchItem, type WatchStream, ZkError } from '@zebu/client';
import { establishWatch } from '../core/follow.ts';
import { Latest } from '../core/latest.ts';
import { childPath } from '../core/owned-znode.ts';
import { untilAnswered } from '../core/persistence.ts';
import { orMissing, readNames } from '../core/read.ts';

export interface CachedZnode {
  /** Empty with `data: false`. */
  readonly data: Buffer;
  readonly stat: Stat;
}

export type CacheItem =
  /** `znode` is what there is now; of 'removed', what there was. */
  | {
      readonly type: 'added' | 'changed' | 'removed';
      readonly path: string;
      readonly znode: CachedZnode;
    }
  /** All that was there has been told of. */
  | { readonly type: 'ready' }
  /** The connection is lost: what follows is old until the next `ready`. */
  | { readonly type: 'stale' };

export interface TreeCacheOptions {
  /** How far below the root: 0 is the root alone, 1 its children too. Default: all. */
  readonly depth?: number | undefined;
  /** False reads no data, only Stats. Default true. */
  readonly data?: boolean | undefined;
  /** False leaves out a znode and all below it. Not asked about the root. */
  readonly filter?: ((path: string) => boolean) | undefined;
  /** With more znodes than this the cache ends with a CacheFullError. Default 100,000. */
  readonly maxZnodes?: number | undefined;
  /** Aborting it ends the cache, and takes the watch off the server. */
  readonly signal?: AbortSignal | undefined;
}

/** Not a snapshot of one moment: znodes are read one by one. Znodes that may not be read are left out. */
export interface TreeCache extends AsyncDisposable {
  readonly root: string;
  readonly size: number;
  get(path: string): CachedZnode | undefined;
  /** Names of the cached children, in no order; undefined if the znode is not cached. */
  children(path: string): readonly string[] | undefined;
  /** The connection is lost, or not all has been read since. */
  readonly stale: boolean;
  /** All that is cached as 'added', 'ready', and then what changes; a slow reader sees the newest only. */
  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<CacheItem>;
}

/** There is more below the root than the cache may hold. */
export class CacheFullError extends Error {
  readonly root: string;
  readonly maxZnodes: number;

  constructor(root: string, maxZnodes: number) {
    super(`More than ${maxZnodes} znodes at and below ${root}: maxZnodes of this tree cache`);
    this.name = 'CacheFullError';
    this.root = root;
    this.maxZnodes = maxZnodes;
  }
}

const DEFAULT_MAX_ZNODES = 100_000;
/** Requests on their way at a time. */
const READS_IN_FLIGHT = 128;

/** Resolves once all has been read; rejects with a CacheFullError, or with why the root cannot be read. */
export async function treeCache(
  zk: Client,
  root: string,
  options?: TreeCacheOptions,
): Promise<TreeCache> {
  return await startCache(zk, root, options);
}

/** For recipes that stand on it. */
export async function startCache(
  zk: Client,
  root: string,
  options?: TreeCacheOptions,
): Promise<RecursiveCache> {
  const stream = await establishWatch(zk, root, { recursive: true, signal: options?.signal });
  const cache = new RecursiveCache(zk, root, stream, options ?? {});
  try {
    await cache.start();
  } catch (error) {
    await cache[Symbol.asyncDispose]();
    throw error;
  }
  return cache;
}

export class RecursiveCache implements TreeCache {
  readonly root: string;
  /** A number for each batch of reads that is through; the reads of one burst of events are one batch. */
  readonly rounds: Latest<number>;
  private readonly zk: Client;
  private readonly stream: WatchStream;
  private readonly depth: number;
  private readonly withData: boolean;
  private readonly filter: (path: string) => boolean;
  private readonly maxZnodes: number;
  private readonly znodes: Map<string, CachedZnode>;
  private readonly names: Map<string, Set<string>>;
  private readonly readers: Set<Reader>;
  private readonly stopping: AbortController;
  private readonly listening: Disposable;
  private readonly dirty: Set<string>;
  /** Everything is to be read again. */
  private mustRebuild: boolean;
  private losses: number;
  /** `losses` as it was during the last rebuild; -1 before the first. */
  private freshAt: number;
  private end: { readonly error: unknown } | undefined;
  private wake: (() => void) | undefined;
  private work: Promise<unknown>;

  constructor(zk: Client, root: string, stream: WatchStream, options: TreeCacheOptions) {
    this.zk = zk;
    this.root = root;
    this.rounds = new Latest();
    this.stream = stream;
    this.depth = options.depth ?? Number.POSITIVE_INFINITY;
    this.withData = options.data ?? true;
    this.filter = options.filter ?? (() => true);
    this.maxZnodes = options.maxZnodes ?? DEFAULT_MAX_ZNODES;
    this.znodes = new Map();
    this.names = new Map();
    this.readers = new Set();
    this.stopping = new AbortController();
    this.dirty = new Set();
    this.mustRebuild = false;
    this.losses = 0;
    this.freshAt = -1;
    this.end = undefined;
    this.wake = undefined;
    this.work = Promise.resolve();
    this.listening = zk.on('state', ({ status }) => {
      if (status === 'connected') return;
      this.losses++;
      this.wakeReaders();
    });
  }

  async start(): Promise<void> {
    const hearing = this.hear();
    this.work = hearing;
    await this.rebuild();
    this.work = Promise.all([hearing, this.readOn()]);
  }

  get size(): number {
    return this.znodes.size;
  }

  get stale(): boolean {
    return (
      this.end !== undefined || this.zk.state.status !== 'connected' || this.freshAt !== this.losses
    );
  }

  get(path: string): CachedZnode | undefined {
    return this.znodes.get(path);
  }

  children(path: string): readonly string[] | undefined {
    return this.znodes.has(path) ? [...(this.names.get(path) ?? [])] : undefined;
  }

  async *changes(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<CacheItem, void, void> {
    const reader = new Reader(this.znodes);
    this.readers.add(reader);
    try {
      for (;;) {
        if (options?.signal?.aborted === true) return;
        const item = reader.next(!this.stale);
        if (item !== undefined) yield item;
        else if (this.end !== undefined) {
          if (this.end.error !== undefined) throw this.end.error;
          return;
        } else await reader.change(options?.signal);
      }
    } finally {
      this.readers.delete(reader);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.finish();
    await this.stream[Symbol.asyncDispose]();
    await this.work;
  }

  // --- What is to be read ----------------------------------------------------------------------

  private async hear(): Promise<void> {
    let isFirst = true;
    try {
      for await (const item of this.stream) {
        // start() reads everything after this one.
        const isKnown = isFirst && item.type === 'resync' && item.reason === 'established';
        isFirst = false;
        if (!isKnown) this.note(item);
      }
      this.finish();
    } catch (error) {
      this.finish(error);
    }
  }

  private note(item: WatchItem): void {
    if (item.type === 'resync') {
      this.mustRebuild = true;
      this.dirty.clear();
    } else {
      if (!this.isWanted(item.path) || this.isKnown(item.path, item.zxid)) return;
      this.dirty.add(item.path);
      if (this.dirty.size > this.maxZnodes) {
        this.mustRebuild = true;
        this.dirty.clear();
      }
    }
    this.wake?.();
  }

  /** Whether the read of the znode as it is cached was later than the event. */
  private isKnown(path: string, zxid: number | undefined): boolean {
    const stat = this.znodes.get(path)?.stat;
    return stat !== undefined && zxid !== undefined && stat.mzxid >= zxid;
  }

  private isWanted(path: string): boolean {
    if (path === this.root) return true;
    const below = this.root === '/' ? path : path.slice(this.root.length);
    let levels = 0;
    for (let at = below.indexOf('/', 1); ; at = below.indexOf('/', at + 1)) {
      levels++;
      if (levels > this.depth) return false;
      const part = at < 0 ? path : path.slice(0, path.length - below.length + at);
      if (!this.filter(part)) return false;
      if (at < 0) return true;
    }
  }

  private async readOn(): Promise<void> {
    for (;;) {
      while (this.dirty.size === 0 && !this.mustRebuild && this.end === undefined) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (this.end !== undefined) return;
      try {
        if (this.mustRebuild) await this.rebuild();
        else await this.refresh();
      } catch (error) {
        // An answer that no next read would change: the root's ACL, too many znodes.
        this.finish(error);
      }
    }
  }

  private async refresh(): Promise<void> {
    const paths = [...this.dirty];
    this.dirty.clear();
    await forEachAtATime(paths, READS_IN_FLIGHT, async (path) => {
      this.store(path, await this.read(path));
    });
    this.nextRound();
  }

  /** Reads everything, level by level. */
  private async rebuild(): Promise<void> {
    this.mustRebuild = false;
    const { losses } = this;
    const found = new Set<string>();
    let level = [this.root];
    for (let depth = 0; level.length > 0; depth++) {
      const next: string[] = [];
      await forEachAtATime(level, READS_IN_FLIGHT, async (path) => {
        const [znode, names] = await Promise.all([
          this.read(path),
          depth < this.depth ? this.readChildren(path) : [],
        ]);
        this.store(path, znode);
        if (znode === undefined) return;
        found.add(path);
        for (const name of names) {
          const child = childPath(path, name);
          if (this.filter(child)) next.push(child);
        }
      });
      // The next connection's watch makes the next rebuild.
      if (this.mustRebuild || this.end !== undefined) return;
      level = next;
    }
    for (const path of this.znodes.keys()) {
      // An event of what was created meanwhile waits among the dirty ones.
      if (!found.has(path) && !this.dirty.has(path)) this.store(path, undefined);
    }
    if (losses === this.losses) this.freshAt = losses;
    this.nextRound();
    this.wakeReaders();
  }

  private nextRound(): void {
    this.rounds.set((this.rounds.current ?? 0) + 1);
  }

  private async read(path: string): Promise<CachedZnode | undefined> {
    const { zk, withData } = this;
    const { signal } = this.stopping;
    const options = { signal, timeoutMs: 0 };
    try {
      return await orMissing(
        untilAnswered(
          zk,
          async () => {
            if (withData) return await zk.get(path, options);
            const stat = await zk.exists(path, options);
            return stat && { data: NO_DATA, stat };
          },
          signal,
        ),
      );
    } catch (error) {
      if (path !== this.root && ZkError.is(error, 'NO_AUTH')) return undefined;
      throw error;
    }
  }

  private async readChildren(path: string): Promise<readonly string[]> {
    try {
      return (await readNames(this.zk, path, this.stopping.signal)) ?? [];
    } catch (error) {
      if (path !== this.root && ZkError.is(error, 'NO_AUTH')) return [];
      throw error;
    }
  }

  private finish(error?: unknown): void {
    if (this.end !== undefined) return;
    const isClosed = ZkError.is(error, 'CLOSED', 'ABORTED');
    this.end = { error: isClosed ? undefined : error };
    this.listening[Symbol.dispose]();
    this.stopping.abort();
    this.rounds.finish(this.end.error);
    this.wake?.();
    this.wakeReaders();
    // Already when it ends by itself: the server need not send what nobody hears.
    void this.stream[Symbol.asyncDispose]();
  }

  // --- What is cached --------------------------------------------------------------------------

  private store(path: string, znode: CachedZnode | undefined): void {
    if (this.end !== undefined) return;
    if (znode === undefined) {
      this.remove(path);
      return;
    }
    const before = this.znodes.get(path);
    if (before !== undefined) {
      // A read that was overtaken by a later one. Zxids start over only with a server that lost its data; a new
      // czxid tells, as a version would not (CURATOR-391).
      const { czxid, mzxid } = before.stat;
      if (czxid === znode.stat.czxid && mzxid === znode.stat.mzxid) return;
    } else {
      if (this.znodes.size >= this.maxZnodes) throw new CacheFullError(this.root, this.maxZnodes);
      this.nameIn(path);
    }
    this.znodes.set(path, znode);
    this.changed(path);
  }

  private remove(path: string): void {
    if (!this.znodes.delete(path)) return;
    for (const name of this.names.get(path) ?? []) this.remove(childPath(path, name));
    this.names.delete(path);
    if (path !== this.root) this.names.get(parentOf(path))?.delete(nameOf(path));
    this.changed(path);
  }

  private nameIn(path: string): void {
    if (path === this.root) return;
    const parent = parentOf(path);
    const names = this.names.get(parent);
    if (names === undefined) this.names.set(parent, new Set([nameOf(path)]));
    else names.add(nameOf(path));
  }

  private changed(path: string): void {
    for (const reader of this.readers) reader.changed(path);
  }

  private wakeReaders(): void {
    for (const reader of this.readers) reader.wake();
  }
}

/** What one reader of the changes has been told, and what it has not. */
class Reader {
  private readonly znodes: ReadonlyMap<string, CachedZnode>;
  private readonly told: Map<string, CachedZnode>;
  private readonly dirty: Set<string>;
  private isToldReady: boolean | undefined;
  private onChange: (() => void) | undefined;

  constructor(znodes: ReadonlyMap<string, CachedZnode>) {
    this.znodes = znodes;
    this.told = new Map();
    this.dirty = new Set(znodes.keys());
    this.isToldReady = undefined;
    this.onChange = undefined;
  }

  changed(path: string): void {
    this.dirty.add(path);
    this.wake();
  }

  wake(): void {
    this.onChange?.();
  }

  next(isReady: boolean): CacheItem | undefined {
    if (!isReady && this.isToldReady === true) {
      this.isToldReady = false;
      return { type: 'stale' };
    }
    for (const path of this.dirty) {
      const told = this.told.get(path);
      const znode = this.znodes.get(path);
      if (told !== undefined && told.stat.czxid !== znode?.stat.czxid) {
        // One that was deleted and created again is told of as both: it may have another owner.
        if (znode === undefined) this.dirty.delete(path);
        this.told.delete(path);
        return { type: 'removed', path, znode: told };
      }
      this.dirty.delete(path);
      if (znode === undefined || znode === told) continue;
      this.told.set(path, znode);
      return { type: told === undefined ? 'added' : 'changed', path, znode };
    }
    if (isReady && this.isToldReady !== true) {
      this.isToldReady = true;
      return { type: 'ready' };
    }
    return undefined;
  }

  change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.onChange = undefined;
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.onChange = done;
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

const NO_DATA = Buffer.alloc(0);

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 1));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Calls `each` for all items, at most `limit` at a time. Rejects with the first failure. */
async function forEachAtATime<T>(
  items: readonly T[],
  limit: number,
  each: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await each(items[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
