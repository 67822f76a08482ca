// Says how far the run is, on stderr, so that what goes to stdout can be piped. On a terminal it is one line
// that is rewritten in place; elsewhere each step is a line of its own, and a long one says so now and then.

import type { OnProgress } from './data-set.ts';

const BAR_WIDTH = 24;
const MIN_INTERVAL_MS = 100;
/** Where nothing can be rewritten: how long a step may take before another line says how far it is. */
const LINE_INTERVAL_MS = 10_000;

export class Progress {
  private readonly stream: NodeJS.WriteStream;
  private readonly nowMs: () => number;
  private shownAtMs = 0;
  private isShown = false;
  private what = '';

  constructor(stream: NodeJS.WriteStream = process.stderr, nowMs = () => performance.now()) {
    this.stream = stream;
    this.nowMs = nowMs;
  }

  readonly show: OnProgress = (what, done, total) => {
    const now = this.nowMs();
    if (!this.stream.isTTY) {
      this.showLine(what, done, total, now);
      return;
    }
    if (this.isShown && now - this.shownAtMs < MIN_INTERVAL_MS) return;
    this.shownAtMs = now;
    this.isShown = true;
    const columns = Math.max(40, this.stream.columns);
    this.stream.write(`\r\x1b[2K${progressLine(what, done, total, columns - 1)}`);
  };

  private showLine(what: string, done: number, total: number, now: number): void {
    if (what === this.what && now - this.shownAtMs < LINE_INTERVAL_MS) return;
    const percent = what === this.what ? `, ${percentOf(done, total)} %` : '';
    this.what = what;
    this.shownAtMs = now;
    this.stream.write(`${what}${percent}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.isShown) this.stream.write('\r\x1b[2K');
    this.isShown = false;
  }
}

export function progressLine(what: string, done: number, total: number, columns: number): string {
  const percent = percentOf(done, total);
  const filled = Math.round((percent / 100) * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
  return `${bar} ${String(percent).padStart(3)}% ${what}`.slice(0, columns);
}

function percentOf(done: number, total: number): number {
  return total <= 0 ? 0 : Math.round(100 * Math.min(1, Math.max(0, done / total)));
}
