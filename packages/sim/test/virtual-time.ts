/** Virtual time for tests of one component: callbacks in the order of their time, then of their call. */
export class VirtualTime {
  nowMs = 0;
  #sequence = 0;
  #queue: { atMs: number; sequence: number; fn: () => void }[] = [];

  readonly schedule = (delayMs: number, fn: () => void): void => {
    this.#sequence += 1;
    const entry = { atMs: this.nowMs + delayMs, sequence: this.#sequence, fn };
    let at = this.#queue.length;
    while (at > 0 && isAfter(this.#queue[at - 1] as typeof entry, entry)) at -= 1;
    this.#queue.splice(at, 0, entry);
  };

  /** Forgets all callbacks: the process that had asked for them is gone. */
  clear(): void {
    this.#queue = [];
  }

  /** Runs the next callback; false when there is none. */
  step(): boolean {
    const entry = this.#queue.shift();
    if (entry === undefined) return false;
    this.nowMs = entry.atMs;
    entry.fn();
    return true;
  }

  /** Runs until nothing is left, or the condition holds. */
  run(until: () => boolean = () => false): void {
    while (!until() && this.step());
  }
}

function isAfter(
  a: { atMs: number; sequence: number },
  b: { atMs: number; sequence: number },
): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.sequence > b.sequence);
}
