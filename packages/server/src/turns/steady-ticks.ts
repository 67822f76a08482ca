// A timer for whatever closes or expires others because they were silent.
//
// Must never fire while signs of life lie unread in the sockets because this process stood still (suspended,
// or long at one thing): they are read before anybody is said to be late.

import type { Scheduler } from '../environment.ts';
import type { Turns } from './turns.ts';

export class SteadyTicks {
  private readonly scheduler: Scheduler;
  private readonly turns: Turns;
  private readonly intervalMs: number;
  private readonly onTick: () => void;
  /** When the last tick was. */
  private tickedMs: number;
  private stopTimer: (() => void) | undefined;

  constructor(scheduler: Scheduler, turns: Turns, intervalMs: number, onTick: () => void) {
    this.scheduler = scheduler;
    this.turns = turns;
    this.intervalMs = intervalMs;
    this.onTick = onTick;
    this.tickedMs = turns.nowMs;
    this.stopTimer = undefined;
  }

  get isRunning(): boolean {
    return this.stopTimer !== undefined;
  }

  start(): void {
    this.tickedMs = this.turns.nowMs;
    this.stopTimer = this.scheduler.every(this.intervalMs, this.tick);
  }

  stop(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
  }

  private readonly tick = (): void => {
    const { scheduler, turns } = this;
    if (this.stopTimer === undefined) return;
    turns.look();
    const heldUpMs = turns.nowMs - this.tickedMs - this.intervalMs;
    this.tickedMs = turns.nowMs;
    if (heldUpMs < this.intervalMs) this.onTick();
    // The second turn begins after the sockets that were readable in the first.
    else scheduler.afterTurn(() => scheduler.afterTurn(this.tick));
  };
}
