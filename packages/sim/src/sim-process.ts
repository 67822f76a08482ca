// One life of one process. Its callbacks run while it is alive and not stalled.

import type { SimScheduler } from './scheduler.ts';

export class SimProcess {
  readonly scheduler: SimScheduler;
  readonly name: string;
  alive: boolean;
  /** Until then nothing of this process runs: a long garbage collection, a suspended machine. */
  private stalledUntilMs: number;

  constructor(scheduler: SimScheduler, name: string) {
    this.scheduler = scheduler;
    this.name = name;
    this.alive = true;
    this.stalledUntilMs = 0;
  }

  schedule(delayMs: number, task: () => void): void {
    this.scheduler.schedule(delayMs, () => this.run(task));
  }

  /** Runs `task` every `intervalMs`, until the process dies or the returned function is called. */
  every(intervalMs: number, task: () => void): () => void {
    let stopped = false;
    const tick = (): void => {
      if (stopped) return;
      this.schedule(intervalMs, tick);
      task();
    };
    this.schedule(intervalMs, tick);
    return () => {
      stopped = true;
    };
  }

  /** Runs `task` once, unless the process dies or the returned function is called before that. */
  after(delayMs: number, task: () => void): () => void {
    let isCancelled = false;
    this.schedule(delayMs, () => {
      if (!isCancelled) task();
    });
    return () => {
      isCancelled = true;
    };
  }

  stall(forMs: number): void {
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.scheduler.nowMs + forMs);
  }

  kill(): void {
    this.alive = false;
  }

  private run(task: () => void): void {
    if (!this.alive) return;
    const waitMs = this.stalledUntilMs - this.scheduler.nowMs;
    // Postponed callbacks keep their order, since the scheduler runs equal times in the order of the calls.
    if (waitMs > 0) this.scheduler.schedule(waitMs, () => this.run(task));
    else task();
  }
}
