// One holder at a time, in the order of arrival. Shares its znodes with Curator's InterProcessMutex, and with
// kazoo's Lock where that is told of them: see the cookbook.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Client, OpOptions } from '@zebu/client';
import type { ContestSettings } from '../core/contest.ts';
import type { Held } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { ContestLock, type Lock } from './lock.ts';

export interface RunOptions extends OpOptions {
  /**
   * True: a call inside of another one's `work`, and of what that awaits, is let in at once, with the same Held.
   * Default false: it waits for the outer one, which waits for it.
   */
  readonly reentrant?: boolean | undefined;
}

export interface Mutex extends Lock {
  run<T>(work: (held: Held) => Promise<T> | T, options?: RunOptions): Promise<T>;
}

/** Of Curator, Rust's and Go's clients; of kazoo. */
export const MUTEX_LABELS = ['lock-', '__lock__'] as const;

export function mutex(zk: Client, path: string, options?: RecipeOptions): Mutex {
  return new ContestMutex(zk, {
    ...recipeSettings('mutex', options),
    directory: path,
    label: MUTEX_LABELS[0],
    labels: MUTEX_LABELS,
  });
}

/** A run() and what is called from within it. */
interface Run {
  readonly held: Held;
  isOver: boolean;
}

class ContestMutex extends ContestLock implements Mutex {
  private readonly runs: AsyncLocalStorage<Run>;

  constructor(zk: Client, settings: ContestSettings) {
    super(zk, settings, (held) => held);
    this.runs = new AsyncLocalStorage();
  }

  override async run<T>(
    work: (held: Held) => Promise<T> | T,
    options: RunOptions = {},
  ): Promise<T> {
    const { reentrant = false, ...limits } = options;
    const outer = reentrant ? this.runs.getStore() : undefined;
    // What was started inside and goes on after the lock was released is outside.
    if (outer?.isOver === false) return await work(outer.held);
    return await super.run(async (held) => {
      const run = { held, isOver: false };
      try {
        return await this.runs.run(run, work, held);
      } finally {
        run.isOver = true;
      }
    }, limits);
  }
}
