// Quotas: limits on the znodes and bytes below a path, and the count of what is there.
//
//   /zookeeper/quota<path>/zookeeper_limits   its existence makes <path> a quota path
//   /zookeeper/quota<path>/zookeeper_stats    what is there now, kept by every server for itself
//
// Each change counts for the nearest quota path at or above it; the root is never one. The stats are
// rewritten as part of applying a txn, not by one, so they stay out of the tree digest.
// Source: DataTree.updateQuotaStat, updateQuotaForPath, setupQuota; ZooKeeperServer.checkQuota (3.9.5).

import { Buffer } from 'node:buffer';
import { lastSlash, type PathId, type PathTable, ROOT_ID } from './path-table.ts';
import { QuotaText } from './quota-text.ts';
import { Field, type ZnodeStore } from './znode-store.ts';

const QUOTA_PREFIX = Buffer.from('/zookeeper/quota');
const LIMITS = Buffer.from('/zookeeper_limits');
const STATS = Buffer.from('/zookeeper_stats');

/** What a change would do to the quota above it. */
export const QuotaVerdict = { within: 0, overSoft: 1, overHard: 2 } as const;
export type QuotaVerdict = (typeof QuotaVerdict)[keyof typeof QuotaVerdict];

/** One quota path; it holds a use of each of the three paths. */
interface Quota {
  readonly limits: PathId;
  readonly stats: PathId;
}

export class Quotas {
  private readonly store: ZnodeStore;
  private readonly paths: PathTable;
  private readonly quotas = new Map<PathId, Quota>();

  constructor(store: ZnodeStore, paths: PathTable) {
    this.store = store;
    this.paths = paths;
  }

  /** Number of quota paths. While it is 0 no change need be counted. */
  get size(): number {
    return this.quotas.size;
  }

  /** The nearest quota path at or above `id`, or 0. */
  nearest(id: PathId): PathId {
    if (this.quotas.size === 0) return 0;
    for (let at = id; at !== ROOT_ID && at !== 0; at = this.paths.parent(at)) {
      if (this.quotas.has(at)) return at;
    }
    return 0;
  }

  /**
   * What the nearest quota above `id` says to this many more bytes and znodes. A change of 0 is not
   * checked; where a hard limit is set, the soft one is ignored. `id` need not be a znode yet, only
   * interned and linked or with an interned parent.
   */
  check(id: PathId, bytesDelta: number, countDelta: number): QuotaVerdict {
    const quota = this.quotas.get(this.nearest(id));
    if (quota === undefined || !this.store.has(quota.limits) || !this.store.has(quota.stats)) {
      return QuotaVerdict.within;
    }
    const limits = this.read(quota.limits);
    const stats = this.read(quota.stats);
    const byCount =
      countDelta === 0
        ? QuotaVerdict.within
        : judge(stats.count + countDelta, limits.countHardLimit, limits.count);
    if (byCount === QuotaVerdict.overHard) return byCount;
    const byBytes =
      bytesDelta === 0
        ? QuotaVerdict.within
        : judge(stats.bytes + bytesDelta, limits.byteHardLimit, limits.bytes);
    return byBytes === QuotaVerdict.within ? byCount : byBytes;
  }

  /** Counts a change of the znode `id` for the nearest quota. For the tree's own use. */
  count(id: PathId, bytesDelta: number, countDelta: number): void {
    const quota = this.quotas.get(this.nearest(id));
    if (quota === undefined || !this.store.has(quota.stats)) return;
    const stats = this.read(quota.stats);
    stats.set('count', stats.count + countDelta).set('bytes', stats.bytes + bytesDelta);
    this.write(quota.stats, stats);
  }

  /** Takes note of a new znode that may be a quota's own. For the tree's own use. */
  created(id: PathId): void {
    if (this.isQuotaNode(id, LIMITS)) this.add(id);
    else if (this.isQuotaNode(id, STATS)) this.recount(id);
  }

  /** Takes note of a znode that is going away. For the tree's own use. */
  deleted(id: PathId): void {
    if (!this.isQuotaNode(id, LIMITS)) return;
    const path = this.pathOf(id);
    const quota = this.quotas.get(path);
    if (quota !== undefined) {
      this.quotas.delete(path);
      this.paths.release(path);
      this.paths.release(quota.limits);
      this.paths.release(quota.stats);
    }
    this.paths.release(path);
  }

  /** Finds every quota and counts what is below it: after a snapshot was loaded. */
  rebuild(): void {
    const root = this.paths.find(QUOTA_PREFIX, 0, QUOTA_PREFIX.length);
    if (!this.store.has(root)) return;
    const found: PathId[] = [];
    forEachBelow(this.store, root, (id) => {
      if (this.isQuotaNode(id, LIMITS)) found.push(id);
    });
    for (const limits of found) {
      const quota = this.add(limits);
      if (this.store.has(quota.stats)) this.recount(quota.stats);
    }
  }

  /** The quota paths with limits and stats as text, for metrics. */
  *entries(): IterableIterator<{ path: string; limits: QuotaText; stats: QuotaText }> {
    for (const [path, quota] of this.quotas) {
      yield {
        path: this.paths.pathString(path),
        limits: this.store.has(quota.limits) ? this.read(quota.limits) : new QuotaText(),
        stats: this.store.has(quota.stats) ? this.read(quota.stats) : new QuotaText(),
      };
    }
  }

  /** Whether `id` is /zookeeper/quota<path><ending>, with a path that is not empty. */
  private isQuotaNode(id: PathId, ending: Buffer): boolean {
    const { paths } = this;
    const length = paths.length(id);
    if (length <= QUOTA_PREFIX.length + ending.length + 1) return false;
    const bytes = paths.bufferOf(id);
    const at = paths.offsetOf(id);
    const end = at + length;
    return (
      bytes.compare(ending, 0, ending.length, end - ending.length, end) === 0 &&
      bytes.compare(QUOTA_PREFIX, 0, QUOTA_PREFIX.length, at, at + QUOTA_PREFIX.length) === 0 &&
      bytes[at + QUOTA_PREFIX.length] === SLASH
    );
  }

  /** Interns the path that the quota node `id` is about, with a use. */
  private pathOf(id: PathId): PathId {
    const bytes = this.paths.bufferOf(id);
    const at = this.paths.offsetOf(id);
    const end = lastSlash(bytes, at, at + this.paths.length(id));
    return this.paths.intern(bytes, at + QUOTA_PREFIX.length, end);
  }

  private add(limits: PathId): Quota {
    const path = this.pathOf(limits);
    const known = this.quotas.get(path);
    if (known !== undefined) {
      this.paths.release(path);
      return known;
    }
    this.paths.retain(limits);
    const prefix = this.paths.bufferOf(limits);
    const at = this.paths.offsetOf(limits);
    const length = this.paths.length(limits) - LIMITS.length;
    const statsPath = Buffer.concat([prefix.subarray(at, at + length), STATS]);
    const quota = { limits, stats: this.paths.intern(statsPath, 0, statsPath.length) };
    this.quotas.set(path, quota);
    return quota;
  }

  /** Rewrites the stats znode by walking all that its path holds. */
  private recount(stats: PathId): void {
    const path = this.pathOf(stats);
    let count = 0;
    let bytes = 0;
    if (this.store.has(path)) {
      count = 1;
      bytes = this.store.dataLength(path);
      forEachBelow(this.store, path, (id) => {
        count++;
        bytes += this.store.dataLength(id);
      });
    }
    this.write(stats, new QuotaText().set('count', count).set('bytes', bytes));
    this.paths.release(path);
  }

  private read(id: PathId): QuotaText {
    const text = Buffer.allocUnsafe(this.store.dataLength(id));
    this.store.copyData(id, text, 0);
    return QuotaText.parse(text.toString('utf8'));
  }

  private write(id: PathId, text: QuotaText): void {
    const bytes = Buffer.from(text.toString());
    this.store.setData(id, bytes, 0, bytes.length);
  }
}

const SLASH = 0x2f;

/** Limits of -1 are unset; the hard one, where set, replaces the soft one. */
function judge(value: number, hard: number, soft: number): QuotaVerdict {
  if (hard > -1) return value > hard ? QuotaVerdict.overHard : QuotaVerdict.within;
  return soft > -1 && value > soft ? QuotaVerdict.overSoft : QuotaVerdict.within;
}

/** Visits every znode below `top`, parents first, without recursion. */
export function forEachBelow(store: ZnodeStore, top: PathId, visit: (id: PathId) => void): void {
  const slab = store.slab;
  let id = slab.get(top, Field.FIRST_CHILD);
  const up: PathId[] = [];
  while (id !== 0) {
    visit(id);
    const child = slab.get(id, Field.FIRST_CHILD);
    const next = slab.get(id, Field.NEXT_SIBLING);
    if (child !== 0) {
      if (next !== 0) up.push(next);
      id = child;
    } else {
      id = next !== 0 ? next : (up.pop() ?? 0);
    }
  }
}
