// How far a long command is, on one line of a terminal's standard error; nothing anywhere else.

import { sizeText } from './quantities.ts';

const REDRAW_MS = 100;
const BAR = 24;

export class Progress {
  private readonly isShown: boolean;
  private readonly what: string;
  private readonly total: number | undefined;
  private readonly startedAt: number;
  private drawnAt: number;
  private count: number;
  private bytes: number;

  /** `total` is an estimate: a tree changes while it is read. */
  constructor(what: string, total: number | undefined) {
    this.isShown = process.stderr.isTTY === true;
    this.what = what;
    this.total = total;
    this.startedAt = performance.now();
    this.drawnAt = 0;
    this.count = 0;
    this.bytes = 0;
  }

  add(count: number, bytes: number): void {
    this.count += count;
    this.bytes += bytes;
    const now = performance.now();
    if (!this.isShown || now - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = now;
    this.draw();
  }

  /** Takes the line away. */
  end(): void {
    if (this.isShown) process.stderr.write('\r\u001b[K');
  }

  private draw(): void {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const rate = Math.round(this.count / Math.max(seconds, 0.001));
    const share = this.total === undefined ? 0 : Math.min(1, this.count / Math.max(1, this.total));
    const full = Math.round(share * BAR);
    const bar = this.total === undefined ? '' : `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}] `;
    const of = this.total === undefined ? '' : ` of ${this.total}`;
    const text = `${this.what} ${bar}${this.count}${of} znodes, ${sizeText(this.bytes)}, ${rate}/s`;
    process.stderr.write(`\r${text.slice(0, (process.stderr.columns ?? 80) - 1)}\u001b[K`);
  }
}
