// What happened, event by event: a hash of all of it, by which two runs are compared, and, where somebody
// will read it, the last of it as text. Making the text costs more than the rest of the simulation, so it is
// made only on request: a seed that failed is run again for it.

const KEPT_LINES = 400;

export class Transcript {
  /** Of every event so far: two runs of one plan must agree on it. */
  hash: number;
  events: number;
  private readonly nowMs: () => number;
  private readonly kept: string[] | undefined;
  private readonly clock: Float64Array;
  private readonly clockWords: Int32Array;

  constructor(nowMs: () => number, keepsText: boolean) {
    this.hash = 0x811c9dc5;
    this.events = 0;
    this.nowMs = nowMs;
    this.kept = keepsText ? [] : undefined;
    this.clock = new Float64Array(1);
    this.clockWords = new Int32Array(this.clock.buffer);
  }

  /** An event: who, two numbers that tell it from others of its kind, and the text for a reader. */
  add(who: string, a: number, b: number, what: () => string): void {
    const nowMs = this.nowMs();
    this.clock[0] = nowMs;
    this.mix(this.clockWords[0] as number);
    this.mix(this.clockWords[1] as number);
    for (let i = 0; i < who.length; i++) this.mix(who.charCodeAt(i));
    this.mix(a);
    this.mix(b);
    this.events++;
    const { kept } = this;
    if (kept === undefined) return;
    kept.push(`${nowMs.toFixed(3).padStart(10)} ${who.padEnd(6)} ${what()}`);
    if (kept.length > 2 * KEPT_LINES) kept.splice(0, KEPT_LINES);
  }

  /** An event that is rare enough for its text to be hashed. */
  addText(who: string, what: string): void {
    for (let i = 0; i < what.length; i++) this.mix(what.charCodeAt(i));
    this.add(who, 0, 0, () => what);
  }

  /** The end of it, one event a line; says so where no text was kept. */
  tail(lines = 60): string {
    return this.kept?.slice(-lines).join('\n') ?? '(no text was kept)';
  }

  private mix(word: number): void {
    const hash = Math.imul(this.hash ^ (word | 0), 0x9e3779b1);
    this.hash = (hash ^ (hash >>> 15)) >>> 0;
  }
}
