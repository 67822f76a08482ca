// What one connection watches, and which events it is due: the rules of client-wire.md 9, plainly.

import { EventType } from '@zebu/protocol';
import type { Change } from './znode-history.ts';

export type WatchKind = 'data' | 'exist' | 'child' | 'persistent' | 'recursive';

export interface DueEvent {
  readonly type: number;
  readonly path: string;
  /** -1 for those that setWatches makes up. */
  readonly zxid: number;
}

export class WatchBook {
  readonly data: Set<string> = new Set();
  /** As data watches, on znodes that were not there. */
  readonly exist: Set<string> = new Set();
  readonly child: Set<string> = new Set();
  readonly persistent: Set<string> = new Set();
  readonly recursive: Set<string> = new Set();

  get size(): number {
    return (
      this.data.size +
      this.exist.size +
      this.child.size +
      this.persistent.size +
      this.recursive.size
    );
  }

  add(kind: WatchKind, path: string): void {
    this[kind].add(path);
  }

  clear(): void {
    for (const set of [this.data, this.exist, this.child, this.persistent, this.recursive]) {
      set.clear();
    }
  }

  /** Uses watches up as the server does when a change happens; returns the events that are due. */
  changed(change: Change, zxid: number): DueEvent[] {
    const events: DueEvent[] = [];
    const fire = (type: number, path: string, isReadable: boolean): void => {
      const isDue = this.use(type, path);
      // Who may not read the znode is told nothing, and the watch is used up all the same.
      if (isDue && isReadable) events.push({ type, path, zxid });
    };
    const { path, readable, parentReadable } = change;
    const slash = path.lastIndexOf('/');
    const parent = slash <= 0 ? '/' : path.slice(0, slash);
    switch (change.kind) {
      case 'created':
        fire(EventType.nodeCreated, path, readable);
        fire(EventType.nodeChildrenChanged, parent, parentReadable);
        break;
      case 'deleted':
        fire(EventType.nodeDeleted, path, readable);
        fire(EventType.nodeChildrenChanged, parent, parentReadable);
        break;
      case 'dataChanged':
        fire(EventType.nodeDataChanged, path, readable);
        break;
    }
    return events;
  }

  /** Takes the one-shot watches away that an event on this path uses up. True if anyone watched. */
  use(type: number, path: string): boolean {
    if (type === EventType.nodeChildrenChanged) {
      return this.child.delete(path) || this.persistent.has(path);
    }
    const once = [this.data.delete(path), this.exist.delete(path)];
    if (type === EventType.nodeDeleted) once.push(this.child.delete(path));
    return once.includes(true) || this.persistent.has(path) || this.isWatchedFromAbove(path);
  }

  private isWatchedFromAbove(path: string): boolean {
    for (const above of this.recursive) {
      if (above === path || above === '/' || path.startsWith(`${above}/`)) return true;
    }
    return false;
  }
}
