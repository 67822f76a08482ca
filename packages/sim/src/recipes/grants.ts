// What is promised of grants, of one lock or one election: at no moment two of them, as their holders know it; and of
// what is written under guard, all of an earlier grant before all of a later one, as the server knows it.

import { demand } from '../violation.ts';

export interface Grant {
  readonly who: string;
  readonly token: number;
  /** The holder has reason to believe that it no longer holds, or has given it up. */
  readonly isOver: () => boolean;
  /**
   * What the holder knows is late, by no fault of its own: its process did not run, or somebody deleted its znode.
   * Only the server can keep the order then.
   */
  isExcused: boolean;
}

export class Grants {
  readonly what: string;
  count: number;
  writes: number;
  private readonly live: Set<Grant>;
  private readonly tokens: Set<number>;
  private readonly meddledWith: Set<number>;
  private lastWrite: { readonly token: number; readonly mzxid: number; readonly who: string };

  constructor(what: string) {
    this.what = what;
    this.count = 0;
    this.writes = 0;
    this.live = new Set();
    this.tokens = new Set();
    this.meddledWith = new Set();
    this.lastWrite = { token: 0, mzxid: 0, who: 'nobody' };
  }

  granted(grant: Grant): void {
    this.count++;
    const { who, token } = grant;
    demand(
      !this.tokens.has(token),
      'tokens',
      () => `${this.what}: token ${token} was granted twice, now to ${who}`,
    );
    this.tokens.add(token);
    if (this.meddledWith.has(token)) grant.isExcused = true;
    for (const other of this.live) {
      if (other.isOver()) this.live.delete(other);
      else if (!other.isExcused && !grant.isExcused) {
        demand(
          false,
          'mutual-exclusion',
          () =>
            `${this.what}: ${who} holds it with token ${token}, and ${other.who} with ${other.token}`,
        );
      }
    }
    this.live.add(grant);
  }

  /** Who holds now, as far as it knows. */
  get holder(): string | undefined {
    for (const grant of this.live) if (!grant.isOver()) return grant.who;
    return undefined;
  }

  /** A write under guard that was acknowledged; in the order of the calls of one grant. */
  wrote(write: { readonly token: number; readonly mzxid: number; readonly who: string }): void {
    this.writes++;
    const last = this.lastWrite;
    // Acknowledgements of different clients come in any order.
    const [first, second] = last.mzxid < write.mzxid ? [last, write] : [write, last];
    demand(
      first.token <= second.token,
      'token-order',
      () =>
        `${this.what}: ${second.who} wrote under token ${second.token} at ${second.mzxid}, ` +
        `after ${first.who} had under ${first.token} at ${first.mzxid}`,
    );
    this.lastWrite = second;
  }

  /** The holder's process stopped for a while. */
  stalled(who: string): void {
    for (const grant of this.live) if (grant.who === who) grant.isExcused = true;
  }

  /** Somebody deletes the znode with this token: the one that has it, or is just being told of it, hears of that later. */
  meddled(token: number): void {
    this.meddledWith.add(token);
    for (const grant of this.live) grant.isExcused = true;
  }
}
