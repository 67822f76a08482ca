// One holder at a time, in the order of arrival. Shares its znodes with Curator's InterProcessMutex, and with
// kazoo's Lock where that is told of them: see the cookbook.

import type { Client, OpOptions } from '@zebu/client';
import { type Contender, Contest } from '../core/contest.ts';
import type { Held } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { type Lock, runHolding } from './lock.ts';

/** Of Curator, Rust's and Go's clients, and of kazoo. */
const LABELS = ['lock-', '__lock__'] as const;

export function mutex(zk: Client, path: string, options?: RecipeOptions): Lock {
  const contest = new Contest(zk, {
    ...recipeSettings('mutex', options),
    directory: path,
    label: LABELS[0],
    labels: LABELS,
  });
  return new Mutex(contest, path);
}

class Mutex implements Lock {
  readonly path: string;
  private readonly contest: Contest;

  constructor(contest: Contest, path: string) {
    this.contest = contest;
    this.path = path;
  }

  acquire(options?: OpOptions): Promise<Held> {
    return this.contest.enter('acquire', options);
  }

  tryAcquire(options?: OpOptions): Promise<Held | undefined> {
    return this.contest.tryEnter('tryAcquire', options);
  }

  run<T>(work: (held: Held) => Promise<T> | T, options?: OpOptions): Promise<T> {
    return runHolding(() => this.acquire(options), work);
  }

  contenders(options?: OpOptions): Promise<readonly Contender[]> {
    return this.contest.contenders(options);
  }
}
