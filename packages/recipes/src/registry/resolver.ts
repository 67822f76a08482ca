// Which instance to call next, from a list that is kept up to date.

import type { Client } from '@zebu/client';
import type { Instance } from './instance.ts';

export type Strategy =
  | 'random'
  /** In turn, by id. */
  | 'round-robin'
  /** The same one for as long as it is there and not down. */
  | 'sticky';

export interface ResolverOptions {
  /** Default 'random'. */
  readonly strategy?: Strategy | undefined;
  /** How long an instance that was reported down is left out. Default 30,000. */
  readonly downMs?: number | undefined;
  /** Aborting it ends the resolver, and takes its watch off the server. */
  readonly signal?: AbortSignal | undefined;
}

export interface Resolver extends AsyncDisposable {
  /** All that are registered and enabled, sorted by id, whether reported down or not. */
  readonly instances: readonly Instance[];
  /** The next one to call; undefined if there is none. If all are reported down, one of those. */
  pick(): Instance | undefined;
  /** It did not answer: it is left out for `downMs`, unless no other is there. */
  reportDown(instance: Instance): void;
}

const DEFAULT_DOWN_MS = 30_000;

export async function openResolver(
  zk: Client,
  watch: (signal: AbortSignal) => AsyncIterable<readonly Instance[]>,
  options: ResolverOptions = {},
): Promise<Resolver> {
  const { strategy = 'random', downMs = DEFAULT_DOWN_MS, signal } = options;
  if (!['random', 'round-robin', 'sticky'].includes(strategy)) {
    throw new TypeError(
      `No strategy ${JSON.stringify(strategy)}; there are random, round-robin, sticky`,
    );
  }
  const resolver = new WatchingResolver(zk, strategy, downMs);
  await resolver.start(watch, signal);
  return resolver;
}

class WatchingResolver implements Resolver {
  instances: readonly Instance[];
  private readonly zk: Client;
  private readonly strategy: Strategy;
  private readonly downMs: number;
  private readonly stopping: AbortController;
  /** By id, until when it is left out. */
  private readonly downUntil: Map<string, number>;
  private following: Promise<void>;
  /** Of 'round-robin' and 'sticky': the one that was picked last. */
  private lastId: string | undefined;

  constructor(zk: Client, strategy: Strategy, downMs: number) {
    this.instances = [];
    this.zk = zk;
    this.strategy = strategy;
    this.downMs = downMs;
    this.stopping = new AbortController();
    this.downUntil = new Map();
    this.following = Promise.resolve();
    this.lastId = undefined;
  }

  async start(
    watch: (signal: AbortSignal) => AsyncIterable<readonly Instance[]>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { stopping } = this;
    const lists = watch(
      signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]),
    )[Symbol.asyncIterator]();
    const first = await lists.next();
    if (first.done === true) return;
    this.take(first.value);
    this.following = (async () => {
      for (let next = await lists.next(); next.done !== true; next = await lists.next()) {
        this.take(next.value);
      }
    })();
    // What is known stays in use; there is nobody to tell.
    this.following.catch(() => {});
  }

  pick(): Instance | undefined {
    const now = this.zk.environment.now();
    const up = this.instances.filter(({ id }) => now >= (this.downUntil.get(id) ?? 0));
    const usable = up.length > 0 ? up : this.instances;
    const picked = this.choose(usable);
    this.lastId = picked?.id;
    return picked;
  }

  reportDown({ id }: Instance): void {
    this.downUntil.set(id, this.zk.environment.now() + this.downMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.following.catch(() => {});
  }

  private choose(usable: readonly Instance[]): Instance | undefined {
    const { lastId } = this;
    switch (this.strategy) {
      case 'round-robin':
        // The next id, even if others came or went meanwhile.
        return (
          (lastId === undefined ? undefined : usable.find(({ id }) => id > lastId)) ?? usable[0]
        );
      case 'sticky': {
        const last = usable.find(({ id }) => id === lastId);
        if (last !== undefined) return last;
        break;
      }
      case 'random':
        break;
    }
    return usable[Math.floor(this.zk.environment.random() * usable.length)];
  }

  private take(instances: readonly Instance[]): void {
    this.instances = instances.filter(({ enabled }) => enabled !== false);
    const now = this.zk.environment.now();
    for (const [id, until] of this.downUntil) if (until <= now) this.downUntil.delete(id);
  }
}
