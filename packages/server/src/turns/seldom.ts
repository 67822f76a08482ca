// For warnings whose cause may come back a thousand times a second.

/** Lets one in each interval pass. */
export class Seldom {
  private readonly intervalMs: number;
  private passedMs: number;

  constructor(intervalMs: number) {
    this.intervalMs = intervalMs;
    this.passedMs = Number.NEGATIVE_INFINITY;
  }

  /** Whether the last that passed is so long ago; this one passes then. */
  passes(nowMs: number): boolean {
    if (nowMs - this.passedMs < this.intervalMs) return false;
    this.passedMs = nowMs;
    return true;
  }
}
