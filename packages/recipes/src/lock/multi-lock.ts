// Several locks as one: all of them, or none. They are acquired in the order of their paths, so two that want the same
// ones never wait for each other.

import type { Client, OpOptions } from '@zebu/client';
import { CallLimit } from '../core/call-limit.ts';
import type { Contender } from '../core/contest.ts';
import type { Held } from '../core/held.ts';
import { HeldTogether, releaseAll } from '../core/held-together.ts';
import { type Lock, runHolding } from './lock.ts';

/** Of locks of one client, with paths that differ. `timeoutMs` is for all of them together. */
export function multiLock(locks: readonly Lock[]): Lock {
  const sorted = locks.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) throw new TypeError('multiLock() needs at least one lock');
  for (const [i, lock] of sorted.entries()) {
    if (lock.client !== first.client) {
      throw new TypeError(`multiLock(): ${first.path} and ${lock.path} are of two clients`);
    }
    if (i > 0 && sorted[i - 1]?.path === lock.path) {
      throw new TypeError(`multiLock(): ${lock.path} is there twice, and would wait for itself`);
    }
  }
  return new ManyLocks(first.client, sorted);
}

class ManyLocks implements Lock {
  readonly client: Client;
  readonly path: string;
  private readonly locks: readonly Lock[];

  constructor(client: Client, locks: readonly Lock[]) {
    this.client = client;
    this.locks = locks;
    this.path = (locks[0] as Lock).path;
  }

  async acquire(options?: OpOptions): Promise<Held> {
    using limit = new CallLimit(this.client, 'acquire', this.path, options);
    for (;;) {
      const held = await this.acquireAll(limit);
      if (held !== undefined) return held;
      // One was lost while another was waited for: all of them again.
    }
  }

  async tryAcquire(options?: OpOptions): Promise<Held | undefined> {
    using limit = new CallLimit(this.client, 'tryAcquire', this.path, options);
    const parts: Held[] = [];
    try {
      for (const lock of this.locks) {
        const held = await lock.tryAcquire({ signal: limit.signal });
        if (held === undefined) break;
        parts.push(held);
      }
    } catch (error) {
      void releaseAll(parts).catch(() => {});
      throw limit.signal.aborted ? limit.error : error;
    }
    if (parts.length === this.locks.length) return new HeldTogether(this.client, parts);
    await releaseAll(parts);
    return undefined;
  }

  run<T>(work: (held: Held) => Promise<T> | T, options?: OpOptions): Promise<T> {
    return runHolding(() => this.acquire(options), work);
  }

  async contenders(options?: OpOptions): Promise<readonly Contender[]> {
    const all = await Promise.all(this.locks.map((lock) => lock.contenders(options)));
    return all.flat();
  }

  private async acquireAll(limit: CallLimit): Promise<Held | undefined> {
    const parts: Held[] = [];
    try {
      for (const lock of this.locks) {
        const signal = AbortSignal.any([limit.signal, ...parts.map((held) => held.signal)]);
        parts.push(await lock.acquire({ signal }));
      }
      limit.throwIfOver();
      if (parts.every((held) => !held.signal.aborted)) return new HeldTogether(this.client, parts);
    } catch (error) {
      const isLost = !limit.signal.aborted && parts.some((held) => held.signal.aborted);
      if (!isLost) {
        void releaseAll(parts).catch(() => {});
        throw limit.signal.aborted ? limit.error : error;
      }
    }
    await releaseAll(parts);
    return undefined;
  }
}
