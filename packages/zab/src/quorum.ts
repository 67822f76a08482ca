// Which sets of voters decide, and what they have decided. Every tally of the core goes through this class: it is
// where weights, groups, and two configs at once would come in.

import type { Zxid } from '@zebu/protocol';

/** A majority of the voters (QuorumMaj). */
export class Quorum {
  /** Rising. */
  readonly voters: readonly number[];
  private readonly needed: number;
  private readonly sorted: Float64Array;

  constructor(voters: readonly number[]) {
    this.voters = [...voters].sort((a, b) => a - b);
    this.needed = Math.floor(voters.length / 2) + 1;
    this.sorted = new Float64Array(voters.length);
  }

  /** The place of a voter in `voters`, -1 for anybody else. */
  indexOf(sid: number): number {
    return this.voters.indexOf(sid);
  }

  isVoter(sid: number): boolean {
    return this.voters.includes(sid);
  }

  /** Whether these members form a quorum; those that are no voters do not count. */
  includedIn(sids: Iterable<number>): boolean {
    let count = 0;
    for (const sid of sids) if (this.isVoter(sid)) count++;
    return count >= this.needed;
  }

  /**
   * The highest value that a quorum has reached, of one value for each voter in the order of `voters`. Allocates
   * nothing: one call for each ack that the leader reads.
   */
  reachedBy(values: Float64Array): Zxid {
    const { sorted } = this;
    // Insertion sort, highest first: there are seven voters at most in practice.
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      let at = i;
      while (at > 0 && (sorted[at - 1] as number) < value) {
        sorted[at] = sorted[at - 1] as number;
        at--;
      }
      sorted[at] = value;
    }
    return sorted[this.needed - 1] as number;
  }
}
