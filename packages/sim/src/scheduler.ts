// Virtual time: one heap of callbacks, ordered by time and then by the order in which they were asked
// for. Everything that happens in a simulation happens in a callback from here, one after another.
//
// Time moves when a callback that is due later is taken out, and while a callback works, as far as
// `burn` says. Nothing here may look at a real clock.

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

  /** Runs `task` after `delayMs`; the returned function takes that back. */
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

  /** Runs all callbacks that are due up to `untilMs`, and lets the time be that. */
  run(untilMs: number): void {
    while (this.step(untilMs));
    if (untilMs > this.nowMs) this.nowMs = untilMs;
  }

  /** The work at hand takes this long. */
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
