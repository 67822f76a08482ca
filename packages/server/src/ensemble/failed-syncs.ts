// How long a learner waits before it looks for a leader again, when one sync after the other came to nothing: an
// election, a sync and its end take a few ms between members on one network, and would follow each other without end.

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2000;

export class FailedSyncs {
  /** Roles as a learner in a row that ended before clients were served. */
  count: number;

  constructor() {
    this.count = 0;
  }

  /** One more; returns the ms to wait: 0, 100, 200, 400, ... 2000. */
  add(): number {
    this.count++;
    if (this.count === 1) return 0;
    return Math.min(FIRST_PAUSE_MS * 2 ** (this.count - 2), MAX_PAUSE_MS);
  }

  /** Clients are served. */
  reset(): void {
    this.count = 0;
  }
}
