// Container and TTL znodes, and which of them may go.
//
// Both kinds are kept in lists through their records. The sweep looks at a few of them at a time, so
// that a million TTL znodes cost no pause, and its cursors survive the deletions it brings about.
// Source: org.apache.zookeeper.server.ContainerManager.getCandidates (3.9.5).

import { append, unlink } from './linked-list.ts';
import { ttlOfOwner } from './owner-kind.ts';
import type { PathId } from './path-table.ts';
import { Field, ZnodeKind, type ZnodeStore } from './znode-store.ts';

export class Containers {
  containerCount = 0;
  ttlCount = 0;
  private readonly store: ZnodeStore;
  private firstContainer: PathId = 0;
  private firstTtl: PathId = 0;
  /** The znode the sweep looks at next, 0 between sweeps. */
  private cursor: PathId = 0;
  private sweepingTtls = false;

  constructor(store: ZnodeStore) {
    this.store = store;
  }

  /** Starts a sweep over all that exist now, from the oldest on; gives an unfinished one up. */
  startSweep(): void {
    this.cursor = this.firstContainer;
    this.sweepingTtls = false;
    if (this.cursor === 0) this.turnToTtls();
  }

  /**
   * Looks at up to `limit` znodes and calls `found` for those that should be deleted; the preparation of
   * the deletion checks again. Returns false when the sweep has seen everything.
   * `maxNeverUsedMs` is how long a container may wait for its first child; 0: forever.
   */
  sweep(
    nowMs: number,
    maxNeverUsedMs: number,
    limit: number,
    found: (id: PathId) => void,
  ): boolean {
    for (let looked = 0; looked < limit && this.cursor !== 0; looked++) {
      const id = this.cursor;
      this.advance(id);
      if (this.isExpendable(id, nowMs, maxNeverUsedMs)) found(id);
    }
    return this.cursor !== 0;
  }

  /** A container that had children and has none, or a TTL znode that outlived its ttl. */
  isExpendable(id: PathId, nowMs: number, maxNeverUsedMs: number): boolean {
    const { store } = this;
    if (store.numChildren(id) !== 0) return false;
    const idleMs = nowMs - store.int64(id, Field.MTIME);
    if (store.kind(id) === ZnodeKind.container) {
      if (store.slab.get(id, Field.CVERSION) > 0) return true;
      return maxNeverUsedMs !== 0 && idleMs > maxNeverUsedMs;
    }
    const ttlMs = ttlOfOwner(
      store.slab.get(id, Field.OWNER_HIGH),
      store.slab.get(id, Field.OWNER_LOW),
    );
    return ttlMs !== 0 && idleMs > ttlMs;
  }

  /** Enters a container or TTL znode. For the tree's own use. */
  add(id: PathId, kind: ZnodeKind): void {
    if (kind === ZnodeKind.container) {
      this.containerCount++;
      this.firstContainer = append(this.store.slab, this.firstContainer, id, Field.OWNED_NEXT);
    } else {
      this.ttlCount++;
      this.firstTtl = append(this.store.slab, this.firstTtl, id, Field.OWNED_NEXT);
    }
  }

  /** Removes a znode that is going away. For the tree's own use. */
  remove(id: PathId, kind: ZnodeKind): void {
    if (this.cursor === id) this.advance(id);
    if (kind === ZnodeKind.container) {
      this.containerCount--;
      this.firstContainer = unlink(this.store.slab, this.firstContainer, id, Field.OWNED_NEXT);
    } else {
      this.ttlCount--;
      this.firstTtl = unlink(this.store.slab, this.firstTtl, id, Field.OWNED_NEXT);
    }
  }

  private advance(id: PathId): void {
    this.cursor = this.store.slab.get(id, Field.OWNED_NEXT);
    if (this.cursor === 0 && !this.sweepingTtls) this.turnToTtls();
  }

  private turnToTtls(): void {
    this.sweepingTtls = true;
    this.cursor = this.firstTtl;
  }
}
