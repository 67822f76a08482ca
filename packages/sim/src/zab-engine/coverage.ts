// How often the interesting things happened: a property that never met them is empty.

export class Coverage {
  private readonly counts: Map<string, number>;

  constructor() {
    this.counts = new Map();
  }

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  /** Adds up what another one counted. */
  merge(other: ReadonlyMap<string, number> | Readonly<Record<string, number>>): void {
    const entries = other instanceof Map ? other : Object.entries(other);
    for (const [name, count] of entries) this.counts.set(name, this.get(name) + count);
  }

  /** By name, sorted: JSON. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
