// Which watches this client holds, by the server's paths: whom an event concerns, and what has to be
// set again on the next connection. Pure: it sends nothing.
//
//   kind        set by                          ends with
//   data        get, exists of a znode          changed, deleted, created   (once)
//   exist       exists of a missing path        created, changed, deleted   (once)
//   child       children                        children, deleted           (once)
//   persistent  watch                           nothing
//   recursive   watch({ recursive: true })      nothing
//
// Source: ZKWatchManager.materialize (ZooKeeper 3.9).

import { EventType, javaUtf8Length, type SetWatchesRequest } from '@zebu/protocol';
import type { ZkError } from './errors.ts';
import type {
  OneShotWatch,
  StreamBuffer,
  WatchEvent,
  WatchEventType,
  WatchItem,
} from './watch-stream.ts';

export type OneShotKind = 'data' | 'exist' | 'child';
export type StreamKind = 'persistent' | 'recursive';
export type WatchKind = OneShotKind | StreamKind;

/** A watcher, and the prefix that its view of the tree leaves out of paths. */
interface Entry<W> {
  readonly watch: W;
  readonly chroot: string;
}

/** Longest text of paths in one setWatches. Source: ZooKeeper's ClientCnxn.SET_WATCHES_MAX_LENGTH. */
export const BATCH_BYTES = 128 * 1024;
/** What a setWatches request has beside its paths: xid, op code, zxid, and the lengths of five lists. */
export const BATCH_OVERHEAD_BYTES = 4 + 4 + 8 + 5 * 4;

export class WatchRegistry {
  private readonly oneShots: { readonly [K in OneShotKind]: Map<string, Entry<OneShotWatch>[]> };
  private readonly streams: { readonly [K in StreamKind]: Map<string, Entry<StreamBuffer>[]> };
  /** Calls under way that will set a watch: `kind path` to their number. */
  private readonly coming: Map<string, number>;

  constructor() {
    this.oneShots = { data: new Map(), exist: new Map(), child: new Map() };
    this.streams = { persistent: new Map(), recursive: new Map() };
    this.coming = new Map();
  }

  addOneShot(kind: OneShotKind, path: string, entry: Entry<OneShotWatch>): void {
    append(this.oneShots[kind], path, entry);
  }

  /** False if it was not there: it has fired. */
  removeOneShot(kind: OneShotKind, path: string, watch: OneShotWatch): boolean {
    return remove(this.oneShots[kind], path, watch);
  }

  addStream(kind: StreamKind, path: string, entry: Entry<StreamBuffer>): void {
    append(this.streams[kind], path, entry);
  }

  removeStream(kind: StreamKind, path: string, stream: StreamBuffer): boolean {
    return remove(this.streams[kind], path, stream);
  }

  /** A call that will set a watch was made; `settled` says that it is over. */
  expect(kind: WatchKind, path: string): { settled: () => void } {
    const key = `${tableOf(kind)} ${path}`;
    this.coming.set(key, (this.coming.get(key) ?? 0) + 1);
    let isOver = false;
    return {
      settled: () => {
        if (isOver) return;
        isOver = true;
        const left = (this.coming.get(key) ?? 1) - 1;
        if (left === 0) this.coming.delete(key);
        else this.coming.set(key, left);
      },
    };
  }

  /**
   * Whether the server's watch serves nobody here, and may be removed. Not while a call is under
   * way that sets the same one: the removal would be carried out after it, and take it along.
   */
  isUnused(kind: WatchKind, path: string): boolean {
    if (this.coming.has(`${tableOf(kind)} ${path}`)) return false;
    switch (kind) {
      case 'data':
      case 'exist':
        return !this.oneShots.data.has(path) && !this.oneShots.exist.has(path);
      case 'child':
        return !this.oneShots.child.has(path);
      default:
        return !this.streams[kind].has(path);
    }
  }

  /** Hands an event of the server to all whom it concerns; returns its name, if this client knows it. */
  dispatch(type: number, path: string, zxid: number | undefined): WatchEventType | undefined {
    const name = NAMES[type];
    if (name === undefined) return undefined;
    switch (name) {
      case 'created':
      case 'changed':
        this.fire('data', path, name, zxid);
        this.fire('exist', path, name, zxid);
        break;
      case 'children':
        this.fire('child', path, name, zxid);
        break;
      case 'deleted':
        this.fire('data', path, name, zxid);
        this.fire('exist', path, name, zxid);
        this.fire('child', path, name, zxid);
        break;
    }
    this.push('persistent', path, path, name, zxid);
    // A recursive watch hears of each child itself, not that a parent's children changed.
    if (name === 'children' || this.streams.recursive.size === 0) return name;
    const isChild = name === 'created' || name === 'deleted';
    for (let at: string | undefined = path; at !== undefined; at = parentOf(at)) {
      const found = this.push('recursive', at, path, name, zxid);
      // The server does not send NodeChildrenChanged to a session that watches the same path
      // recursively, not even for its `children` watches (seen on 3.9.5): derive it.
      if (found && isChild && at !== path) {
        const parent = parentOf(path) as string;
        if (at === parent) this.fire('child', parent, 'children', zxid);
      }
    }
    return name;
  }

  /**
   * What to set again on a new connection of the same session (or of a new one: streams only), in requests of at
   * most `batchBytes` of paths. A path that is longer has a request of its own.
   */
  batches(
    relativeZxid: number,
    isNewSession: boolean,
    batchBytes = BATCH_BYTES,
  ): SetWatchesRequest[] {
    const lists = {
      data: isNewSession ? [] : [...this.oneShots.data.keys()],
      exist: isNewSession ? [] : [...this.oneShots.exist.keys()],
      child: isNewSession ? [] : [...this.oneShots.child.keys()],
      persistent: [...this.streams.persistent.keys()],
      persistentRecursive: [...this.streams.recursive.keys()],
    };
    // Servers before 3.6 know setWatches alone: with three lists.
    const needsFive = lists.persistent.length > 0 || lists.persistentRecursive.length > 0;
    const batches: SetWatchesRequest[] = [];
    let batch = emptyBatch();
    let bytes = 0;
    const close = (): void => {
      const { persistent, persistentRecursive, ...three } = batch;
      batches.push({
        relativeZxid,
        ...three,
        ...(needsFive ? { persistent, persistentRecursive } : {}),
      });
      batch = emptyBatch();
      bytes = 0;
    };
    for (const name of Object.keys(lists) as (keyof typeof lists)[]) {
      for (const path of lists[name]) {
        const length = javaUtf8Length(path) + 4;
        if (bytes > 0 && bytes + length > batchBytes) close();
        batch[name].push(path);
        bytes += length;
      }
    }
    if (bytes > 0) close();
    return batches;
  }

  /** Tells every stream. */
  announce(item: WatchItem): void {
    for (const table of Object.values(this.streams)) {
      for (const entries of table.values()) for (const { watch } of entries) watch.push(item);
    }
  }

  /** These could not be set again: each caller that waits for one of them is told why. */
  failBatch(batch: SetWatchesRequest, error: ZkError): void {
    for (const kind of ['data', 'exist', 'child'] as const) {
      for (const path of batch[kind] ?? []) {
        for (const { watch } of take(this.oneShots[kind], path)) watch.fail(error);
      }
    }
    const streams = { persistent: batch.persistent, recursive: batch.persistentRecursive };
    for (const kind of ['persistent', 'recursive'] as const) {
      for (const path of streams[kind] ?? []) {
        for (const { watch } of take(this.streams[kind], path)) watch.finish(error);
      }
    }
  }

  /** The session is gone, and with it all that fires once. */
  failOneShots(error: ZkError): void {
    for (const table of Object.values(this.oneShots)) {
      const all = [...table.values()];
      table.clear();
      for (const entries of all) for (const { watch } of entries) watch.fail(error);
    }
  }

  finishStreams(error?: ZkError): void {
    for (const table of Object.values(this.streams)) {
      const all = [...table.values()];
      table.clear();
      for (const entries of all) for (const { watch } of entries) watch.finish(error);
    }
  }

  private fire(
    kind: OneShotKind,
    path: string,
    type: WatchEventType,
    zxid: number | undefined,
  ): void {
    const entries = this.oneShots[kind].get(path);
    if (entries === undefined) return;
    this.oneShots[kind].delete(path);
    for (const { watch, chroot } of entries) watch.fire(eventFor(chroot, type, path, zxid));
  }

  private push(
    kind: StreamKind,
    watched: string,
    path: string,
    type: WatchEventType,
    zxid: number | undefined,
  ): boolean {
    const entries = this.streams[kind].get(watched);
    if (entries === undefined) return false;
    for (const { watch, chroot } of entries) watch.push(eventFor(chroot, type, path, zxid));
    return true;
  }
}

const NAMES: { readonly [type: number]: WatchEventType } = {
  [EventType.nodeCreated]: 'created',
  [EventType.nodeDeleted]: 'deleted',
  [EventType.nodeDataChanged]: 'changed',
  [EventType.nodeChildrenChanged]: 'children',
};

function eventFor(
  chroot: string,
  type: WatchEventType,
  path: string,
  zxid: number | undefined,
): WatchEvent {
  return { type, path: withoutChroot(chroot, path), zxid };
}

/** The path as a view below `chroot` ('' for none) knows it. */
export function withoutChroot(chroot: string, path: string): string {
  if (chroot === '' || !path.startsWith(chroot)) return path;
  return path.length === chroot.length ? '/' : path.slice(chroot.length);
}

/** Watches of these kinds are one and the same to the server. */
function tableOf(kind: WatchKind): string {
  return kind === 'exist' ? 'data' : kind;
}

function parentOf(path: string): string | undefined {
  if (path === '/') return undefined;
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

function emptyBatch() {
  return {
    data: [] as string[],
    exist: [] as string[],
    child: [] as string[],
    persistent: [] as string[],
    persistentRecursive: [] as string[],
  };
}

function append<W>(table: Map<string, Entry<W>[]>, path: string, entry: Entry<W>): void {
  const entries = table.get(path);
  if (entries === undefined) table.set(path, [entry]);
  else entries.push(entry);
}

function take<W>(table: Map<string, Entry<W>[]>, path: string): Entry<W>[] {
  const entries = table.get(path) ?? [];
  table.delete(path);
  return entries;
}

function remove<W>(table: Map<string, Entry<W>[]>, path: string, watch: W): boolean {
  const entries = table.get(path);
  const at = entries?.findIndex((entry) => entry.watch === watch) ?? -1;
  if (entries === undefined || at < 0) return false;
  entries.splice(at, 1);
  if (entries.length === 0) table.delete(path);
  return true;
}
