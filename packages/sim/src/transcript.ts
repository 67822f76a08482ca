// What happened, line by line: the last of it to read, and a hash of all of it to compare two runs by.

const KEPT_LINES = 400;

export class Transcript {
  /** Of every line so far: two runs of one seed must agree on it. */
  hash: number;
  lines: number;
  private readonly nowMs: () => number;
  private readonly kept: string[];

  constructor(nowMs: () => number) {
    this.hash = 0x811c9dc5;
    this.lines = 0;
    this.nowMs = nowMs;
    this.kept = [];
  }

  add(who: string, what: string): void {
    const line = `${this.nowMs().toFixed(3).padStart(10)} ${who.padEnd(6)} ${what}`;
    let { hash } = this;
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    this.hash = hash >>> 0;
    this.lines++;
    this.kept.push(line);
    if (this.kept.length > 2 * KEPT_LINES) this.kept.splice(0, KEPT_LINES);
  }

  /** The end of it, one event a line. */
  tail(lines = 60): string {
    return this.kept.slice(-lines).join('\n');
  }
}
