// One of the two watch tables: which watcher watches which path, in which modes.
//
// An entry is a record outside the collector's sight, in three structures at once: the list of its
// path, the list of its watcher, and a hash index by the pair. So adding, finding and removing one
// are O(1), a trigger walks its path only, and a connection's end walks its own watches only.
//
//   entry: hash, chain, path, watcher, modes, next and previous of the path, of the watcher
//
// The list of a path has the recursive entries first: an event below it looks at those alone.
// Must never allocate per event.

import { HashIndex } from './hash-index.ts';
import { append, prepend, unlink } from './linked-list.ts';
import { hashInts, type PathId, type PathTable } from './path-table.ts';
import { RecordSlab } from './record-slab.ts';

const HASH = 0;
const CHAIN = 1;
const PATH = 2;
const WATCHER = 3;
const MODES = 4;
const PATH_NEXT = 5;
const WATCHER_NEXT = 7;
const ENTRY_WORDS = 9;

/** Bits of an entry's modes (org.apache.zookeeper.server.watch.WatcherMode). */
export const ModeBit = { standard: 1, persistent: 2, recursive: 4, any: 7 } as const;

/** Words of a watcher's record. */
const FIRST = 0;
const KNOWN = 1;
const WATCHER_WORDS = 2;

export class WatchIndex {
  /** Entries that have the recursive mode; while it is 0 no event looks at its ancestors. */
  recursiveCount = 0;
  /** Paths that have an entry. */
  pathCount = 0;
  /**
   * Watchers that the table knows. One whose last one-shot watch fired stays known, as in Java's
   * WatchManager, whose count of connections `wchs` prints.
   */
  watcherCount = 0;
  private readonly paths: PathTable;
  private readonly entries = new RecordSlab(ENTRY_WORDS);
  private readonly index: HashIndex;
  /** First entry of a path, by PathId. */
  private readonly heads = new RecordSlab(1);
  /** First entry of a watcher and whether it is known, by watcher. */
  private readonly watchers = new RecordSlab(WATCHER_WORDS);
  /** Walks under way, each with the entry that it comes to next. */
  private readonly walks = new Set<{ next: number }>();

  constructor(paths: PathTable) {
    this.paths = paths;
    this.index = new HashIndex(this.entries, HASH, CHAIN);
  }

  /** Entries: pairs of path and watcher. */
  get size(): number {
    return this.index.size;
  }

  /** Adds modes to the entry of a pair, which holds a use of its path; false if it had them all. */
  add(path: PathId, watcher: number, modes: number): boolean {
    const { entries } = this;
    let entry = this.find(path, watcher);
    const had = entry === 0 ? 0 : entries.get(entry, MODES);
    if ((had & modes) === modes) return false;
    if (entry === 0) entry = this.insert(path, watcher);
    this.setModes(entry, had, had | modes);
    return true;
  }

  /** Modes of the entry of a pair; 0 for none. */
  modesOf(path: PathId, watcher: number): number {
    const entry = this.find(path, watcher);
    return entry === 0 ? 0 : this.entries.get(entry, MODES);
  }

  /** Takes modes away; true if the entry had one of them. */
  remove(path: PathId, watcher: number, modes: number): boolean {
    const entry = this.find(path, watcher);
    if (entry === 0) return false;
    const had = this.entries.get(entry, MODES);
    if ((had & modes) === 0) return false;
    this.setModes(entry, had, had & ~modes);
    if (this.firstOf(watcher) === 0) this.forgetWatcher(watcher);
    return true;
  }

  /** First entry of a path, 0 for none. Fetch `nextOfPath` before an entry is consumed. */
  firstOfPath(path: PathId): number {
    return this.heads.covers(path) ? this.heads.get(path, 0) : 0;
  }

  nextOfPath(entry: number): number {
    return this.entries.get(entry, PATH_NEXT);
  }

  watcherOf(entry: number): number {
    return this.entries.get(entry, WATCHER);
  }

  isRecursive(entry: number): boolean {
    return (this.entries.get(entry, MODES) & ModeBit.recursive) !== 0;
  }

  /** Uses up the one-shot mode of an entry that fired, and with the last mode the entry. */
  consume(entry: number): void {
    const had = this.entries.get(entry, MODES);
    if ((had & ModeBit.standard) !== 0) this.setModes(entry, had, had & ~ModeBit.standard);
  }

  /** Removes up to `limit` entries of a watcher; true when it has none left and is forgotten. */
  removeWatcher(watcher: number, limit: number): boolean {
    for (let removed = 0; removed < limit; removed++) {
      const entry = this.firstOf(watcher);
      if (entry === 0) {
        this.forgetWatcher(watcher);
        return true;
      }
      this.setModes(entry, this.entries.get(entry, MODES), 0);
    }
    return false;
  }

  /**
   * Walks the paths of a watcher, oldest first, as far and as often as the caller asks. The table may
   * change between two steps: a path that stays is walked once, one that comes or goes perhaps. The
   * caller must end the iteration, or every entry that is freed afterwards pays for it.
   */
  *pathsOf(watcher: number): IterableIterator<PathId> {
    const walk = { next: this.firstOf(watcher) };
    this.walks.add(walk);
    try {
      while (walk.next !== 0) {
        const entry = walk.next;
        walk.next = this.entries.get(entry, WATCHER_NEXT);
        yield this.entries.get(entry, PATH);
      }
    } finally {
      this.walks.delete(walk);
    }
  }

  /** The known watcher that follows `watcher`, below `bound`; -1 for none. Begin with -1. */
  watcherAfter(watcher: number, bound: number): number {
    for (let at = watcher + 1; at < bound && this.watchers.covers(at); at++) {
      if (this.watchers.get(at, KNOWN) !== 0) return at;
    }
    return -1;
  }

  /** The path that has an entry and follows `path`; 0 for none. Begin with 0. */
  pathAfter(path: PathId): PathId {
    for (let at = path + 1; this.heads.covers(at); at++) {
      if (this.heads.get(at, 0) !== 0) return at;
    }
    return 0;
  }

  private find(path: PathId, watcher: number): number {
    const { entries } = this;
    let entry = this.index.first(hashInts(path, watcher, 0));
    while (
      entry !== 0 &&
      (entries.get(entry, PATH) !== path || entries.get(entry, WATCHER) !== watcher)
    ) {
      entry = entries.get(entry, CHAIN);
    }
    return entry;
  }

  /** A new entry without modes, in the watcher's list and the index, not yet in the path's. */
  private insert(path: PathId, watcher: number): number {
    const { entries, watchers } = this;
    const entry = entries.allocate();
    entries.set(entry, PATH, path);
    entries.set(entry, WATCHER, watcher);
    this.index.insert(entry, hashInts(path, watcher, 0));
    this.paths.retain(path);
    this.heads.ensure(path);
    watchers.ensure(watcher);
    const first = watchers.get(watcher, FIRST);
    watchers.set(watcher, FIRST, append(entries, first, entry, WATCHER_NEXT));
    if (watchers.get(watcher, KNOWN) === 0) {
      watchers.set(watcher, KNOWN, 1);
      this.watcherCount++;
    }
    return entry;
  }

  /** Moves an entry to its place in its path's list; without modes it is freed. */
  private setModes(entry: number, had: number, modes: number): void {
    const { entries, heads } = this;
    entries.set(entry, MODES, modes);
    const wasRecursive = (had & ModeBit.recursive) !== 0;
    const isRecursive = (modes & ModeBit.recursive) !== 0;
    if (wasRecursive !== isRecursive) this.recursiveCount += isRecursive ? 1 : -1;
    if (had !== 0 && modes !== 0 && wasRecursive === isRecursive) return;
    const path = entries.get(entry, PATH);
    let first = heads.get(path, 0);
    if (first === 0) this.pathCount++;
    if (had !== 0) first = unlink(entries, first, entry, PATH_NEXT);
    if (modes !== 0) {
      const place = isRecursive ? prepend : append;
      first = place(entries, first, entry, PATH_NEXT);
    }
    heads.set(path, 0, first);
    if (first === 0) this.pathCount--;
    if (modes === 0) this.freeEntry(entry, path);
  }

  private freeEntry(entry: number, path: PathId): void {
    const { entries, watchers } = this;
    const watcher = entries.get(entry, WATCHER);
    for (const walk of this.walks) {
      if (walk.next === entry) walk.next = entries.get(entry, WATCHER_NEXT);
    }
    const first = unlink(entries, watchers.get(watcher, FIRST), entry, WATCHER_NEXT);
    watchers.set(watcher, FIRST, first);
    this.index.remove(entry);
    entries.free(entry);
    this.paths.release(path);
  }

  private firstOf(watcher: number): number {
    return this.watchers.covers(watcher) ? this.watchers.get(watcher, FIRST) : 0;
  }

  private forgetWatcher(watcher: number): void {
    if (!this.watchers.covers(watcher) || this.watchers.get(watcher, KNOWN) === 0) return;
    this.watchers.set(watcher, KNOWN, 0);
    this.watcherCount--;
  }
}
