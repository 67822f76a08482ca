// A clock that stands still until a test moves it, and a loop whose turns are taken one by one.

import type { Clock, Scheduler } from '../../src/environment.ts';

interface Timer {
  dueMs: number;
  readonly intervalMs: number;
  readonly task: () => void;
}

/** 2026-01-01. */
export const WALL_START_MS = 1_767_225_600_000;

export class ManualTime implements Clock, Scheduler {
  nowMs = 0;
  /** What every look at the monotonic clock costs: more than 0 makes work take time. */
  lookCostMs = 0;
  /** Turns taken so far. */
  turns = 0;
  private readonly tasks: (() => void)[] = [];
  private readonly timers = new Set<Timer>();

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.nowMs);
  }

  monotonicMs(): number {
    this.nowMs += this.lookCostMs;
    return this.nowMs;
  }

  afterTurn(task: () => void): void {
    this.tasks.push(task);
  }

  every(intervalMs: number, task: () => void): () => void {
    const timer = { dueMs: this.nowMs + intervalMs, intervalMs, task };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  after(delayMs: number, task: () => void): () => void {
    const cancel = this.every(delayMs, () => {
      cancel();
      task();
    });
    return cancel;
  }

  get timerCount(): number {
    return this.timers.size;
  }

  /** Tasks that the turn to come brings. */
  get dueTasks(): number {
    return this.tasks.length;
  }

  /** Takes one turn; false when there is nothing to do. */
  turn(): boolean {
    const task = this.tasks.shift();
    if (task === undefined) return false;
    this.turns++;
    task();
    return true;
  }

  /** Takes turns until nothing is left to do. */
  run(): void {
    while (this.turn());
  }

  /**
   * The process stands still, and goes on as a real loop does: the timers that are due fire first, each once, then
   * comes what waits in the sockets.
   */
  standStill(ms: number): void {
    this.nowMs += ms;
    for (const timer of [...this.timers]) {
      if (timer.dueMs > this.nowMs) continue;
      timer.dueMs = this.nowMs + timer.intervalMs;
      timer.task();
    }
    this.run();
  }

  /** Lets time pass: every timer that comes due fires when it does, with the turns it brings. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.run();
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.timers) {
        if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) {
          next = timer;
        }
      }
      if (next === undefined) break;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.dueMs += next.intervalMs;
      next.task();
      this.run();
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }
}
