// At most so many permits are out at a time. Who wants some waits for a lock, so one waits for permits at a time and in
// the order of arrival; who has permits has a znode for each. Shares its znodes with Curator's InterProcessSemaphoreV2.

import { type Client, type OneShot, type OpOptions, ZkError } from '@zebu/client';
import { CallLimit } from '../core/call-limit.ts';
import { confirmHeld } from '../core/confirm-held.ts';
import { Contest } from '../core/contest.ts';
import type { Held, HeldZnode } from '../core/held.ts';
import { HeldTogether, releaseAll } from '../core/held-together.ts';
import { awaitEvent } from '../core/one-shot.ts';
import { type RecipeOptions, type RecipeSettings, recipeSettings } from '../core/options.ts';
import {
  childPath,
  createOwnedZnode,
  deleteOwnedZnode,
  type OwnedZnode,
} from '../core/owned-znode.ts';
import { untilAnswered } from '../core/persistence.ts';
import { runHolding } from './lock.ts';
import { MUTEX_LABELS } from './mutex.ts';

/** A number of permits that may change: for instance a SharedValue<number> of `@zebu/recipes/value`. */
export interface PermitSource {
  /** Undefined: none. */
  readonly current: number | undefined;
  /** Yields whenever it may have changed. */
  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<unknown>;
}

export interface SemaphoreOptions extends RecipeOptions {
  /** All that share a path must give the same number; a changed one counts for those who wait. */
  readonly permits: number | PermitSource;
}

export interface Semaphore {
  readonly path: string;
  /** Waits for `count` permits (default 1): all of them, as one Held, or none. */
  acquire(count?: number, options?: OpOptions): Promise<Held>;
  /** As Lock.run(), with one permit. */
  run<T>(work: (held: Held) => Promise<T> | T, options?: OpOptions): Promise<T>;
  /** How many permits are out. */
  taken(options?: OpOptions): Promise<number>;
}

const LEASE_LABEL = 'lease-';

export function semaphore(zk: Client, path: string, options: SemaphoreOptions): Semaphore {
  const settings = recipeSettings('semaphore', options, ['permits']);
  const { permits } = options ?? {};
  if (typeof permits === 'number' ? !(Number.isInteger(permits) && permits > 0) : !permits) {
    throw new TypeError(`semaphore(): permits must be a positive integer, not ${String(permits)}`);
  }
  return new LeaseSemaphore(zk, path, settings, permits as number | PermitSource);
}

class LeaseSemaphore implements Semaphore {
  readonly path: string;
  private readonly zk: Client;
  private readonly settings: RecipeSettings;
  private readonly permits: number | PermitSource;
  private readonly contest: Contest;
  private readonly leases: string;

  constructor(zk: Client, path: string, settings: RecipeSettings, permits: number | PermitSource) {
    this.zk = zk;
    this.path = path;
    this.settings = settings;
    this.permits = permits;
    this.leases = childPath(path, 'leases');
    this.contest = new Contest(zk, {
      ...settings,
      directory: childPath(path, 'locks'),
      label: MUTEX_LABELS[0],
      labels: MUTEX_LABELS,
    });
  }

  async acquire(count = 1, options?: OpOptions): Promise<Held> {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new TypeError(`acquire(): a number of permits is a positive integer, not ${count}`);
    }
    const { permits } = this;
    if (typeof permits === 'number' && count > permits) {
      throw new TypeError(`acquire(): there are ${permits} permits, never ${count}`);
    }
    using limit = new CallLimit(this.zk, 'acquire', this.path, options);
    for (;;) {
      const turn = await this.contest.enter('acquire', { signal: limit.signal }).catch((error) => {
        throw limit.signal.aborted ? limit.error : error;
      });
      let held: Held | undefined;
      try {
        held = await this.take(count, turn, limit);
      } finally {
        // A release that cannot be told is not the permits' failure: it goes on.
        const releasing = turn.release();
        if (held === undefined) void releasing.catch(() => {});
        else await releasing;
      }
      if (held !== undefined) return held;
      // The turn or a permit was lost: again, from the end of the line.
    }
  }

  run<T>(work: (held: Held) => Promise<T> | T, options?: OpOptions): Promise<T> {
    return runHolding(() => this.acquire(1, options), work);
  }

  async taken(options?: OpOptions): Promise<number> {
    try {
      return (await this.zk.children(this.leases, options)).names.length;
    } catch (error) {
      if (ZkError.is(error, 'NO_NODE')) return 0;
      throw error;
    }
  }

  /** Undefined if the turn, or a permit that was taken, is lost meanwhile; then none stays. */
  private async take(count: number, turn: HeldZnode, limit: CallLimit): Promise<Held | undefined> {
    const { zk, settings } = this;
    const znodes: OwnedZnode[] = [];
    const held: HeldZnode[] = [];
    try {
      for (let i = 0; i < count; i++) {
        znodes.push(
          await createOwnedZnode(
            zk,
            {
              directory: this.leases,
              label: LEASE_LABEL,
              isSequential: true,
              data: settings.identity,
              acl: settings.acl,
            },
            limit,
          ),
        );
      }
      if (await this.awaitRoom(znodes, turn, limit)) {
        for (const znode of znodes) {
          const one = await confirmHeld(zk, znode, settings.onSuspend, limit);
          if (typeof one === 'string') break;
          held.push(one);
        }
        limit.throwIfOver();
        if (held.length === count) return new HeldTogether(zk, held);
      }
    } catch (error) {
      void this.giveBack(znodes, held).catch(() => {});
      throw limit.signal.aborted ? limit.error : error;
    }
    await this.giveBack(znodes, held);
    return undefined;
  }

  /** True once all of `znodes` are there and are not too many; false if that cannot be any more. */
  private async awaitRoom(
    znodes: readonly OwnedZnode[],
    turn: HeldZnode,
    limit: CallLimit,
  ): Promise<boolean> {
    const { permits } = this;
    using changes = new PermitChanges(permits);
    for (;;) {
      if (turn.signal.aborted) return false;
      const { names, watch } = await this.readLeases(limit);
      const isThere = znodes.every(
        ({ name, session }) => names.includes(name) && !session.signal.aborted,
      );
      const allowed = typeof permits === 'number' ? permits : (permits.current ?? 0);
      if (!isThere || names.length <= allowed) {
        watch?.[Symbol.dispose]();
        return isThere;
      }
      if (watch === undefined) return false;
      using stop = abortable(turn.signal);
      await Promise.race([awaitEvent(watch, limit), changes.next, stop.aborted]).catch((error) => {
        if (!ZkError.is(error, 'SESSION_EXPIRED')) throw error;
      });
      watch[Symbol.dispose]();
    }
  }

  private async readLeases(
    limit: CallLimit,
  ): Promise<{ names: readonly string[]; watch: OneShot | undefined }> {
    const { zk, leases } = this;
    const { signal } = limit;
    try {
      return await untilAnswered(
        zk,
        () => zk.children(leases, { watch: true, signal, timeoutMs: 0 }),
        signal,
      );
    } catch (error) {
      // Without the directory, or the session, our permits are gone too.
      if (ZkError.is(error, 'NO_NODE', 'SESSION_EXPIRED')) return { names: [], watch: undefined };
      throw error;
    }
  }

  private async giveBack(znodes: readonly OwnedZnode[], held: readonly HeldZnode[]): Promise<void> {
    await releaseAll(held);
    await Promise.all(znodes.map((znode) => deleteOwnedZnode(this.zk, znode)));
  }
}

/** Changes of the number of permits, one by one. */
class PermitChanges implements Disposable {
  /** Resolves with the next one. */
  next: Promise<void>;
  private readonly controller: AbortController;

  constructor(permits: number | PermitSource) {
    this.controller = new AbortController();
    this.next = new Promise(() => {});
    if (typeof permits !== 'number') void this.follow(permits);
  }

  [Symbol.dispose](): void {
    this.controller.abort();
  }

  private async follow(permits: PermitSource): Promise<void> {
    const { signal } = this.controller;
    let changed = this.arm();
    for await (const _ of permits.changes({ signal })) {
      const fire = changed;
      changed = this.arm();
      fire();
    }
  }

  private arm(): () => void {
    let fire: () => void = () => {};
    this.next = new Promise((resolve) => {
      fire = resolve;
    });
    return fire;
  }
}

/** A promise of the abort, whose listener goes with the block. */
function abortable(signal: AbortSignal): { readonly aborted: Promise<void> } & Disposable {
  let listener: () => void = () => {};
  const aborted = new Promise<void>((resolve) => {
    listener = resolve;
  });
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { aborted, [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}
