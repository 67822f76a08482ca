// One leader at a time, in the order of candidacy. A term is a lock that is held: what leads knows when it no longer may
// (signal), and the server refuses what it writes afterwards (guard, publish). One loop takes all inputs, one after the
// other: watches, lost connections, ended sessions and the caller only wake it, and what it does next it reads from the
// server (CURATOR-504, -620, -644, -645, -653 are races between such inputs).
//
// Shares its znodes with Curator's LeaderSelector and kazoo's Election, or with Curator's LeaderLatch: see `layout`.

import { type Client, type ReadOptions, type Stat, ZkError } from '@zebu/client';
import { Contest } from '../core/contest.ts';
import type { Held, HeldZnode } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { followLeader } from './follow-leader.ts';

export interface ElectionOptions extends RecipeOptions {
  /**
   * What the candidates' znodes are called. 'lock' (the default): as those of Curator's LeaderSelector and of kazoo.
   * 'latch': as those of Curator's LeaderLatch. All that share a path need the same.
   */
  readonly layout?: 'lock' | 'latch' | undefined;
}

export interface TermsOptions {
  /** Aborting it withdraws the candidacy; a term that is led ends with its block. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunTermsOptions extends TermsOptions {
  /** True: a candidate again after each term, until the signal aborts. Default false: one term. */
  readonly requeue?: boolean | undefined;
}

export interface Leader {
  readonly identity: string;
  /** Of its term: larger for each later one. */
  readonly token: number;
}

/** What a leader said under guard: it knew that it led. */
export interface Published extends Leader {
  readonly data: string;
}

export interface Term extends Held {
  /**
   * Writes `data`, with the leader's identity and token, into the election's own znode. Rejects with LOCK_LOST if
   * the term is over; a later leader's word is never overwritten.
   */
  publish(data: string): Promise<Stat>;
}

export interface Election extends AsyncDisposable {
  readonly path: string;
  /**
   * Each term that this candidate leads. A term ends with the loop's body, which should end when `term.signal` aborts;
   * leaving the loop resigns. An aborted signal ends the loop.
   */
  terms(options?: TermsOptions): AsyncIterable<Term>;
  /**
   * Leads one term, or, with `requeue`, one after the other until the signal aborts. Rejects with what `lead` throws;
   * with LOCK_LOST if the term was lost before `lead` was done, unless it is a candidate again.
   */
  run(lead: (term: Term) => Promise<void> | void, options?: RunTermsOptions): Promise<void>;
  /**
   * The first candidate; undefined if there is none. It leads, or is about to learn that it does: for what a leader
   * has acknowledged see published().
   */
  leader(options?: ReadOptions): Promise<Leader | undefined>;
  /** The leader now, and each later one; undefined while there is none. A slow reader sees the latest. */
  watchLeader(options?: TermsOptions): AsyncIterable<Leader | undefined>;
  /** What a leader published last. */
  published(options?: ReadOptions): Promise<Published | undefined>;
  /** Withdraws all candidacies of this object, and ends its terms. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Of LeaderSelector; of kazoo; of LeaderLatch. */
const LABELS = ['lock-', '__lock__', 'latch-'] as const;

export function election(zk: Client, path: string, options?: ElectionOptions): Election {
  const settings = recipeSettings('election', options, ['layout']);
  const layout = options?.layout ?? 'lock';
  if (layout !== 'lock' && layout !== 'latch') {
    throw new TypeError(`election(): the option layout cannot be ${String(layout)}`);
  }
  const contest = new Contest(zk, {
    ...settings,
    directory: path,
    label: `${layout}-`,
    labels: LABELS,
  });
  return new ContestElection(zk, path, settings.identity, contest);
}

class ContestElection implements Election {
  readonly path: string;
  private readonly zk: Client;
  private readonly identity: string;
  private readonly contest: Contest;
  private readonly closing: AbortController;
  private readonly led: Set<HeldZnode>;

  constructor(zk: Client, path: string, identity: string, contest: Contest) {
    this.zk = zk;
    this.path = path;
    this.identity = identity;
    this.contest = contest;
    this.closing = new AbortController();
    this.led = new Set();
  }

  async *terms(options?: TermsOptions): AsyncGenerator<Term, void, void> {
    const signal = this.signalOf(options);
    while (!signal.aborted) {
      let held: HeldZnode;
      try {
        held = await this.contest.enter('terms', { signal });
      } catch (error) {
        if (signal.aborted && ZkError.is(error, 'ABORTED')) return;
        throw error;
      }
      this.led.add(held);
      try {
        yield this.termOf(held);
      } finally {
        this.led.delete(held);
        await held.release();
      }
    }
  }

  async run(
    lead: (term: Term) => Promise<void> | void,
    options: RunTermsOptions = {},
  ): Promise<void> {
    const { requeue = false, signal } = options;
    for await (const term of this.terms({ signal })) {
      try {
        await lead(term);
      } catch (error) {
        // That it was lost is no news to one that stands again.
        if (!requeue || !term.signal.aborted || !ZkError.is(error, 'LOCK_LOST')) throw error;
      }
      if (requeue) continue;
      term.signal.throwIfAborted();
      return;
    }
  }

  async leader(options?: ReadOptions): Promise<Leader | undefined> {
    const first = await this.contest.first(options);
    return first && { identity: first.identity, token: first.token };
  }

  watchLeader(options?: TermsOptions): AsyncIterable<Leader | undefined> {
    return followLeader(this.zk, this.path, LABELS, this.signalOf(options));
  }

  async published(options?: ReadOptions): Promise<Published | undefined> {
    try {
      const { data } = await this.zk.get(this.path, options);
      return data.length === 0 ? undefined : (JSON.parse(data.toString('utf8')) as Published);
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await Promise.all([...this.led].map((held) => held.release()));
  }

  private signalOf(options: TermsOptions | undefined): AbortSignal {
    const own = this.closing.signal;
    return options?.signal === undefined ? own : AbortSignal.any([own, options.signal]);
  }

  private termOf(held: HeldZnode): Term {
    const { path, identity } = this;
    return Object.assign(held, {
      publish: async (data: string): Promise<Stat> => {
        const published: Published = { token: held.token, identity, data };
        const [stat] = await held.guard([{ op: 'set', path, data: JSON.stringify(published) }]);
        return stat;
      },
    });
  }
}
