// Virtual time: one heap of callbacks, ordered by time and then by the order in which they were asked
// for. Everything that happens in a simulation happens in a callback from here, one after another.
//
// Time moves forward when the next callback is due later, and when a callback calls `burn`. Nothing here may
// read a real clock.

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  task: (() => void) | undefined;
}

export class SimScheduler {
  /** Virtual ms since the beginning; never goes back. */
  nowMs: number;
  /** Callbacks run so far. */
  steps: number;
  private readonly heap: Entry[];
  private sequence: number;

  constructor() {
    this.nowMs = 0;
    this.steps = 0;
    this.heap = [];
    this.sequence = 0;
  }

  /** Runs `task` after `delayMs`; the returned function cancels it. */
  schedule(delayMs: number, task: () => void): () => void {
    const entry: Entry = {
      atMs: this.nowMs + Math.max(0, delayMs),
      sequence: this.sequence++,
      task,
    };
    this.push(entry);
    return () => {
      entry.task = undefined;
    };
  }

  /** Runs the next callback. False when there is none, or none up to `untilMs`. */
  step(untilMs: number = Number.POSITIVE_INFINITY): boolean {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.pop();
      const { task } = next;
      if (task === undefined) continue;
      if (next.atMs > this.nowMs) this.nowMs = next.atMs;
      this.steps++;
      task();
      return true;
    }
  }

  /** Runs all callbacks that are due up to `untilMs`, then sets the time to `untilMs`. */
  run(untilMs: number): void {
    while (this.step(untilMs));
    if (untilMs > this.nowMs) this.nowMs = untilMs;
  }

  /** The current callback takes this much time. */
  burn(ms: number): void {
    this.nowMs += ms;
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(entry, heap[above] as Entry)) break;
      heap[at] = heap[above] as Entry;
      at = above;
    }
    heap[at] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) {
        below++;
      }
      if (!isBefore(heap[below] as Entry, last)) break;
      heap[at] = heap[below] as Entry;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
