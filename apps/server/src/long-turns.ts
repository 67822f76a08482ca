/**
 * Records the longest turns of the event loop: how long each took, and when it ended. It sees them by a timer that
 * fires late; it does not know what a turn did.
 */

/** How often the timer asks to be called. A turn shorter than this may go unseen. */
const INTERVAL_MS = 20;
/** Timers are late by a few ms on an idle machine. */
const LEAST_MS = 10;
const KEPT = 10;

export interface LongTurn {
  readonly ms: number;
  readonly endedAt: Date;
}

/** The longest turns since the first call of `note`. */
export class LongTurns {
  private kept: LongTurn[] = [];
  private lastMs: number | undefined;

  /** To be called about every INTERVAL_MS, by a monotonic clock. */
  note(nowMs: number, now: () => Date = () => new Date()): void {
    const lateMs = this.lastMs === undefined ? 0 : nowMs - this.lastMs - INTERVAL_MS;
    this.lastMs = nowMs;
    if (lateMs < LEAST_MS || lateMs <= (this.kept[KEPT - 1]?.ms ?? 0)) return;
    this.kept.push({ ms: Math.round(lateMs), endedAt: now() });
    this.kept.sort((a, b) => b.ms - a.ms);
    this.kept.length = Math.min(this.kept.length, KEPT);
  }

  /** The longest first. */
  get longest(): readonly LongTurn[] {
    return this.kept;
  }
}

/** Watches this thread's event loop. 50 timers a second: about 0.02 % of a core. */
export function watchTurns(): LongTurns {
  const turns = new LongTurns();
  setInterval(() => turns.note(performance.now()), INTERVAL_MS).unref();
  return turns;
}
