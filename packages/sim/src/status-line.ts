// How far the runs are, on stderr: a bar that is rewritten in place on a terminal, a line every few seconds
// elsewhere.

const BAR_WIDTH = 30;
const TERMINAL_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;

export class StatusLine {
  private readonly stream: NodeJS.WriteStream;
  private readonly nowMs: () => number;
  private shownAtMs = Number.NEGATIVE_INFINITY;
  private isShown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr, nowMs = () => performance.now()) {
    this.stream = stream;
    this.nowMs = nowMs;
  }

  /** `done` of `total` draw the bar, where there is one to draw. The last of all is always shown. */
  show(text: string, done?: number, total?: number): void {
    const { isTTY } = this.stream;
    const nowMs = this.nowMs();
    const interval = isTTY ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS;
    if (nowMs - this.shownAtMs < interval && (done === undefined || done !== total)) return;
    this.shownAtMs = nowMs;
    if (!isTTY) {
      this.stream.write(`${text}\n`);
      return;
    }
    this.isShown = true;
    const bar = done === undefined || total === undefined ? '' : `${barOf(done / total)} `;
    this.stream.write(
      `\r\x1b[2K${`${bar}${text}`.slice(0, Math.max(40, this.stream.columns) - 1)}`,
    );
  }

  /** A line that stays. */
  print(line: string): void {
    this.clear();
    this.stream.write(`${line}\n`);
  }

  clear(): void {
    if (this.isShown) this.stream.write('\r\x1b[2K');
    this.isShown = false;
  }
}

function barOf(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
}
