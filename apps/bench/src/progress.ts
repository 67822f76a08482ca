// One line that says how far the run is, on a terminal only: it is rewritten in place, on stderr, so that
// what goes to stdout can be piped.

import type { OnProgress } from './data-set.ts';

const BAR_WIDTH = 24;
const MIN_INTERVAL_MS = 100;

export class Progress {
  readonly #stream: NodeJS.WriteStream;
  #shownAtMs = 0;
  #isShown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  readonly show: OnProgress = (what, done, total) => {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    if (this.#isShown && now - this.#shownAtMs < MIN_INTERVAL_MS) return;
    this.#shownAtMs = now;
    this.#isShown = true;
    const columns = Math.max(40, this.#stream.columns);
    this.#stream.write(`\r\x1b[2K${progressLine(what, done, total, columns - 1)}`);
  };

  /** Takes the line away. */
  clear(): void {
    if (this.#isShown) this.#stream.write('\r\x1b[2K');
    this.#isShown = false;
  }
}

export function progressLine(what: string, done: number, total: number, columns: number): string {
  const share = total <= 0 ? 0 : Math.min(1, Math.max(0, done / total));
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
  return `${bar} ${String(Math.round(share * 100)).padStart(3)}% ${what}`.slice(0, columns);
}
