// When sessions end: one bucket for each tick of the clock.
//
// A session's deadline is rounded up to the next tick, so a touch that stays within the same tick
// costs one comparison, and what expires at a tick is one list. Lists are intrusive: a touch
// allocates nothing. Source: ExpiryQueue (3.9.5).

import { NO_BUCKET, type Session } from './session.ts';

export class ExpiryBuckets {
  readonly tickMs: number;
  /** Bucket number (deadline / tickMs) to the first session in it. */
  private readonly heads: Map<number, Session>;
  /** Buckets up to this number have been taken out. */
  private sweptBucket: number;

  /** `nowMs` is monotonic; so is every other time here. */
  constructor(tickMs: number, nowMs: number) {
    this.tickMs = tickMs;
    this.heads = new Map();
    this.sweptBucket = Math.floor(nowMs / tickMs);
  }

  /** Moves the session's deadline to the next tick after now + timeout. */
  touch(session: Session, nowMs: number): void {
    const bucket = Math.floor((nowMs + session.timeoutMs) / this.tickMs) + 1;
    if (bucket === session.bucket) return;
    this.remove(session);
    const head = this.heads.get(bucket);
    session.bucket = bucket;
    session.next = head;
    if (head !== undefined) head.previous = session;
    this.heads.set(bucket, session);
  }

  remove(session: Session): void {
    if (session.bucket === NO_BUCKET) return;
    const { previous, next } = session;
    if (next !== undefined) next.previous = previous;
    if (previous !== undefined) previous.next = next;
    else if (next !== undefined) this.heads.set(session.bucket, next);
    else this.heads.delete(session.bucket);
    session.previous = undefined;
    session.next = undefined;
    session.bucket = NO_BUCKET;
  }

  /**
   * One session whose deadline has passed, taken out of its bucket; undefined when there is none.
   * The caller takes as many a turn as it can afford: ten thousand may be due at once.
   */
  takeExpired(nowMs: number): Session | undefined {
    const due = Math.floor(nowMs / this.tickMs);
    while (this.sweptBucket <= due) {
      const session = this.heads.get(this.sweptBucket);
      if (session !== undefined) {
        this.remove(session);
        return session;
      }
      this.sweptBucket++;
    }
    return undefined;
  }

  /** Deadline in ms and sessions of every bucket, soonest first (four-letter word `dump`). */
  *entries(): Generator<{ deadlineMs: number; sessions: Session[] }> {
    for (const bucket of [...this.heads.keys()].sort((a, b) => a - b)) {
      const sessions: Session[] = [];
      for (let at = this.heads.get(bucket); at !== undefined; at = at.next) sessions.push(at);
      yield { deadlineMs: bucket * this.tickMs, sessions };
    }
  }
}
