// Which watcher gets which event: the watches of all connections of one server.
//
// Two tables, as in Apache's DataTree, each a WatchIndex. A watcher is a small integer that the server
// chose for a connection.
//
//   mode        set by                      table        fires on
//   data        getData, exists             data         created, deleted, data changed; once
//   child       getChildren                 child        children changed, deleted; once
//   persistent  addWatch 0                  data, child  all of the above, again and again
//   recursive   addWatch 1                  data         created, deleted, data changed, here and below
//
// An event looks the path up in one table, a deletion in both; if there is any recursive watch, also each
// ancestor in the data table. However many modes match, a watcher
// is told once per event. A recursive watcher is never told that children changed, but what else it
// watches the same path for still fires (WatchManager.triggerWatch, 3.9.5).

import { EventType, WatcherType } from '@zebu/protocol';
import type { PathId, PathTable } from './path-table.ts';
import { RecordSlab } from './record-slab.ts';
import { ModeBit, WatchIndex } from './watch-index.ts';

/** What `add` is told: one bit per kind of watch. */
export const WatchMode = { data: 1, child: 2, persistent: 4, recursive: 8 } as const;

export class WatchTable {
  private readonly paths: PathTable;
  private readonly data: WatchIndex;
  private readonly child: WatchIndex;
  /** The last event each watcher was told of, by watcher. */
  private readonly told = new RecordSlab(1);
  private event = 0;
  /** Watchers told of it so far. */
  private toldCount = 0;
  private isFiring = false;
  private watcherBound = 0;

  constructor(paths: PathTable) {
    this.paths = paths;
    this.data = new WatchIndex(paths);
    this.child = new WatchIndex(paths);
  }

  /** Watches of both tables, one per path and watcher in each: Java's watch_count. */
  get size(): number {
    return this.data.size + this.child.size;
  }

  /** What `wchs` shows, of the data table alone, as Java does. */
  get summary(): { watchers: number; paths: number; watches: number } {
    const { watcherCount, pathCount, size } = this.data;
    return { watchers: watcherCount, paths: pathCount, watches: size };
  }

  /**
   * Adds watches of the modes given as bits of WatchMode. The path must be interned; the watch holds
   * a use of its own. Watchers are integers from 0, as small as can be.
   */
  add(id: PathId, watcher: number, modes: number): void {
    this.assertNotFiring();
    this.told.ensure(watcher);
    if (watcher >= this.watcherBound) this.watcherBound = watcher + 1;
    const inData =
      (modes & WatchMode.data ? ModeBit.standard : 0) |
      (modes & WatchMode.persistent ? ModeBit.persistent : 0) |
      (modes & WatchMode.recursive ? ModeBit.recursive : 0);
    const inChild =
      (modes & WatchMode.child ? ModeBit.standard : 0) |
      (modes & WatchMode.persistent ? ModeBit.persistent : 0);
    if (inData !== 0) this.data.add(id, watcher, inData);
    if (inChild !== 0) this.child.add(id, watcher, inChild);
  }

  /** As `add`, on a path given as bytes[start, end). */
  addPath(bytes: Uint8Array, start: number, end: number, watcher: number, modes: number): void {
    const id = this.paths.intern(bytes, start, end);
    this.add(id, watcher, modes);
    this.paths.release(id);
  }

  /**
   * Fires an event on a znode's path: calls `tell` once for each watcher to be told, in no order, and
   * uses up one-shot watches. Returns how many were told. Throws when `tell` changes watches: of thousands the
   * first are told while the last ones' watches still stand, so that their events are on the way sooner.
   */
  trigger(id: PathId, eventType: number, tell: (watcher: number) => void): number {
    this.event = (this.event + 1) | 0;
    this.toldCount = 0;
    this.isFiring = true;
    try {
      if (eventType === EventType.nodeChildrenChanged) {
        this.fire(this.child, id, tell);
      } else {
        this.fire(this.data, id, tell);
        if (this.data.recursiveCount > 0) this.fireAbove(id, tell);
        if (eventType === EventType.nodeDeleted) this.fire(this.child, id, tell);
      }
    } finally {
      this.isFiring = false;
    }
    return this.toldCount;
  }

  /** Whether checkWatches with this WatcherType finds a watch. */
  has(id: PathId, watcher: number, type: number): boolean {
    const inData = this.data.modesOf(id, watcher);
    switch (type) {
      case WatcherType.children:
        return (this.child.modesOf(id, watcher) & ModeBit.standard) !== 0;
      case WatcherType.data:
        return (inData & ModeBit.standard) !== 0;
      case WatcherType.persistent:
        return (inData & ModeBit.persistent) !== 0;
      case WatcherType.persistentRecursive:
        return (inData & ModeBit.recursive) !== 0;
      default:
        return inData !== 0 || this.child.modesOf(id, watcher) !== 0;
    }
  }

  /** Does what removeWatches with this WatcherType asks for; false if there was no such watch. */
  remove(id: PathId, watcher: number, type: number): boolean {
    this.assertNotFiring();
    const { data, child } = this;
    switch (type) {
      case WatcherType.children:
        return child.remove(id, watcher, ModeBit.standard);
      case WatcherType.data:
        return data.remove(id, watcher, ModeBit.standard);
      case WatcherType.persistentRecursive:
        return data.remove(id, watcher, ModeBit.recursive);
      default: {
        const modes = type === WatcherType.persistent ? ModeBit.persistent : ModeBit.any;
        const inChild = child.remove(id, watcher, modes);
        return data.remove(id, watcher, modes) || inChild;
      }
    }
  }

  /**
   * Removes up to about `limit` watches of a watcher; true when none is left. Only then may its number
   * be given to another connection.
   */
  removeWatcher(watcher: number, limit: number = Number.MAX_SAFE_INTEGER): boolean {
    this.assertNotFiring();
    return this.data.removeWatcher(watcher, limit) && this.child.removeWatcher(watcher, limit);
  }

  /**
   * The path in the data table that follows `path`, 0 for none; begin with 0. For `wchp`, piece by
   * piece: between two calls anything may change.
   */
  watchedPathAfter(path: PathId): PathId {
    return this.data.pathAfter(path);
  }

  /** Visits the watchers of one path in the data table. Nothing may change meanwhile. */
  forEachWatcherOf(path: PathId, visit: (watcher: number) => void): void {
    const { data } = this;
    for (let at = data.firstOfPath(path); at !== 0; at = data.nextOfPath(at)) {
      visit(data.watcherOf(at));
    }
  }

  /** The watcher that the data table knows and that follows `watcher`, -1 for none; begin with -1. */
  watcherAfter(watcher: number): number {
    return this.data.watcherAfter(watcher, this.watcherBound);
  }

  /** Walks the paths of one watcher in the data table; see WatchIndex.pathsOf. */
  watchedPathsOf(watcher: number): IterableIterator<PathId> {
    return this.data.pathsOf(watcher);
  }

  private fire(table: WatchIndex, id: PathId, tell: (watcher: number) => void): void {
    for (let entry = table.firstOfPath(id); entry !== 0; ) {
      const next = table.nextOfPath(entry);
      const watcher = table.watcherOf(entry);
      table.consume(entry);
      this.tellOnce(watcher, tell);
      entry = next;
    }
  }

  /** At ancestors only recursive watches fire; a path's list has them first. */
  private fireAbove(id: PathId, tell: (watcher: number) => void): void {
    const { data } = this;
    for (let at = this.paths.parent(id); at !== 0; at = this.paths.parent(at)) {
      let entry = data.firstOfPath(at);
      for (; entry !== 0 && data.isRecursive(entry); entry = data.nextOfPath(entry)) {
        this.tellOnce(data.watcherOf(entry), tell);
      }
    }
  }

  private tellOnce(watcher: number, tell: (watcher: number) => void): void {
    if (this.told.get(watcher, 0) === this.event) return;
    this.told.set(watcher, 0, this.event);
    this.toldCount++;
    tell(watcher);
  }

  private assertNotFiring(): void {
    if (this.isFiring) throw new Error('Watches cannot change while watchers are told of an event');
  }
}
