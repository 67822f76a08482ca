// What locks have in common.

import type { Client, OpOptions } from '@zebu/client';
import { type Contender, Contest, type ContestSettings } from '../core/contest.ts';
import type { Held, HeldZnode } from '../core/held.ts';

export interface Lock {
  readonly client: Client;
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
export async function runHolding<T, H extends Held>(
  acquire: () => Promise<H>,
  work: (held: H) => Promise<T> | T,
): Promise<T> {
  await using held = await acquire();
  const result = await work(held);
  held.signal.throwIfAborted();
  return result;
}

/** A lock whose contenders wait in one directory. */
export class ContestLock<H extends Held = Held> implements Lock {
  readonly client: Client;
  readonly path: string;
  private readonly contest: Contest;
  private readonly grant: (held: HeldZnode) => H;

  /** `grant` makes what the holder gets of the znode. */
  constructor(client: Client, settings: ContestSettings, grant: (held: HeldZnode) => H) {
    this.client = client;
    this.path = settings.directory;
    this.contest = new Contest(client, settings);
    this.grant = grant;
  }

  async acquire(options?: OpOptions): Promise<H> {
    return this.grant(await this.contest.enter('acquire', options));
  }

  async tryAcquire(options?: OpOptions): Promise<H | undefined> {
    const held = await this.contest.tryEnter('tryAcquire', options);
    return held && this.grant(held);
  }

  run<T>(work: (held: H) => Promise<T> | T, options?: OpOptions): Promise<T> {
    return runHolding(() => this.acquire(options), work);
  }

  contenders(options?: OpOptions): Promise<readonly Contender[]> {
    return this.contest.contenders(options);
  }
}
