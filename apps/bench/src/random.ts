// Random numbers that cost next to nothing and are the same in every run: xorshift32 (Marsaglia 2003).

export class Random {
  private state: number;

  constructor(seed = 0x2545f491) {
    this.state = seed;
  }

  /** A whole number from 0 up to, not including, `limit` (at most 2^32). */
  below(limit: number): number {
    let state = this.state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return Math.floor((state >>> 0) * 2 ** -32 * limit);
  }
}
