// What locks have in common.

import type { OpOptions } from '@zebu/client';
import type { Contender } from '../core/contest.ts';
import type { Held } from '../core/held.ts';

export interface Lock {
  /** The directory of its contenders. */
  readonly path: string;
  /**
   * Waits for it: over lost connections, and in the next session from the end of the line. Rejects with ABORTED or
   * TIMEOUT when the caller's limit is reached; then no znode stays.
   */
  acquire(options?: OpOptions): Promise<Held>;
  /** Undefined if somebody else has it. */
  tryAcquire(options?: OpOptions): Promise<Held | undefined>;
  /**
   * Acquires, calls, releases. Resolves only if the lock was held to the end; if it was lost meanwhile, rejects with
   * LOCK_LOST when `work` is done. The options are for acquiring.
   */
  run<T>(work: (held: Held) => Promise<T> | T, options?: OpOptions): Promise<T>;
  /** Who has it and who waits, in that order. */
  contenders(options?: OpOptions): Promise<readonly Contender[]>;
}

/** Lock.run() of anything that can be acquired. */
export async function runHolding<T>(
  acquire: () => Promise<Held>,
  work: (held: Held) => Promise<T> | T,
): Promise<T> {
  await using held = await acquire();
  const result = await work(held);
  held.signal.throwIfAborted();
  return result;
}
