// The clocks of one machine. The monotonic one is virtual time; the wall clock can be set at will, by
// an operator or a bad time server.

import type { Clock } from '@zebu/server';
import type { Prng } from './prng.ts';
import type { SimScheduler } from './scheduler.ts';

/** 2026-01-01, a date that no test depends on. */
const EPOCH_MS = 1_767_225_600_000;

export class SimClock implements Clock {
  private readonly scheduler: SimScheduler;
  private readonly prng: Prng;
  private offsetMs: number;

  constructor(scheduler: SimScheduler, prng: Prng) {
    this.scheduler = scheduler;
    this.prng = prng;
    this.offsetMs = EPOCH_MS;
  }

  wallMs(): number {
    return Math.floor(this.scheduler.nowMs + this.offsetMs);
  }

  /** Work takes time, sometimes a lot: two readings in one callback may differ. */
  monotonicMs(): number {
    if (this.prng.chance(0.02)) this.scheduler.burn(this.prng.between(0, 6));
    return this.scheduler.nowMs;
  }

  /** Sets the wall clock forward or back. */
  jump(byMs: number): void {
    this.offsetMs += byMs;
  }
}
