// The plain watch tables: two Maps of sets of modes, every rule the obvious way.

export type Mode = 'standard' | 'persistent' | 'recursive';

class OracleTable {
  readonly entries = new Map<string, Map<number, Set<Mode>>>();

  add(path: string, watcher: number, mode: Mode): void {
    const watchers = this.entries.get(path) ?? new Map<number, Set<Mode>>();
    this.entries.set(path, watchers.set(watcher, (watchers.get(watcher) ?? new Set()).add(mode)));
  }

  remove(path: string, watcher: number, modes: readonly Mode[]): boolean {
    const held = this.entries.get(path)?.get(watcher);
    if (held === undefined) return false;
    const found = modes.filter((mode) => held.delete(mode)).length > 0;
    if (held.size === 0) this.entries.get(path)?.delete(watcher);
    return found;
  }

  has(path: string, watcher: number, modes: readonly Mode[]): boolean {
    const held = this.entries.get(path)?.get(watcher);
    return held !== undefined && modes.some((mode) => held.has(mode));
  }

  fire(path: string, told: Set<number>): void {
    for (const [watcher, modes] of [...(this.entries.get(path) ?? [])]) {
      told.add(watcher);
      if (modes.delete('standard') && modes.size === 0) this.entries.get(path)?.delete(watcher);
    }
    for (const ancestor of ancestors(path)) {
      for (const [watcher, modes] of this.entries.get(ancestor) ?? []) {
        if (modes.has('recursive')) told.add(watcher);
      }
    }
  }

  get size(): number {
    return [...this.entries.values()].reduce((sum, watchers) => sum + watchers.size, 0);
  }
}

const ALL: readonly Mode[] = ['standard', 'persistent', 'recursive'];

export class OracleWatches {
  readonly data = new OracleTable();
  readonly child = new OracleTable();

  add(path: string, watcher: number, kind: 'data' | 'child' | 'persistent' | 'recursive'): void {
    if (kind === 'data') this.data.add(path, watcher, 'standard');
    if (kind === 'child') this.child.add(path, watcher, 'standard');
    if (kind === 'recursive') this.data.add(path, watcher, 'recursive');
    if (kind === 'persistent') {
      this.data.add(path, watcher, 'persistent');
      this.child.add(path, watcher, 'persistent');
    }
  }

  trigger(path: string, type: number): number[] {
    const told = new Set<number>();
    if (type === 4) {
      this.child.fire(path, told);
    } else {
      this.data.fire(path, told);
      if (type === 2) this.child.fire(path, told);
    }
    return [...told].sort((a, b) => a - b);
  }

  has(path: string, watcher: number, type: number): boolean {
    const { data, child } = this;
    if (type === 1) return child.has(path, watcher, ['standard']);
    if (type === 2) return data.has(path, watcher, ['standard']);
    if (type === 4) return data.has(path, watcher, ['persistent']);
    if (type === 5) return data.has(path, watcher, ['recursive']);
    return data.has(path, watcher, ALL) || child.has(path, watcher, ALL);
  }

  remove(path: string, watcher: number, type: number): boolean {
    const { data, child } = this;
    if (type === 1) return child.remove(path, watcher, ['standard']);
    if (type === 2) return data.remove(path, watcher, ['standard']);
    if (type === 5) return data.remove(path, watcher, ['recursive']);
    const modes: readonly Mode[] = type === 4 ? ['persistent'] : ALL;
    const inChild = child.remove(path, watcher, modes);
    return data.remove(path, watcher, modes) || inChild;
  }

  removeWatcher(watcher: number): void {
    for (const table of [this.data, this.child]) {
      for (const watchers of table.entries.values()) watchers.delete(watcher);
    }
  }
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = path; at !== '/'; ) {
    at = at.slice(0, at.lastIndexOf('/')) || '/';
    found.push(at);
  }
  return found;
}
