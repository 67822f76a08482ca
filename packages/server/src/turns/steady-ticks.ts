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
  private readonly onLateness: ((lateMs: number) => void) | undefined;
  /** When the last tick was. */
  private tickedMs: number;
  private stopTimer: (() => void) | undefined;

  /** `onLateness` is told how many ms late the timer came, 0 or more. */
  constructor(
    scheduler: Scheduler,
    turns: Turns,
    intervalMs: number,
    onTick: () => void,
    onLateness?: (lateMs: number) => void,
  ) {
    this.scheduler = scheduler;
    this.turns = turns;
    this.intervalMs = intervalMs;
    this.onTick = onTick;
    this.onLateness = onLateness;
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
    turns.readClock();
    const heldUpMs = turns.nowMs - this.tickedMs - this.intervalMs;
    this.tickedMs = turns.nowMs;
    // Below 0 when a tick that was put off for the sockets is made up for.
    if (heldUpMs >= 0) this.onLateness?.(heldUpMs);
    if (heldUpMs < this.intervalMs) this.onTick();
    // The second turn begins after the sockets that were readable in the first.
    else scheduler.afterTurn(() => scheduler.afterTurn(this.tick));
  };
}
