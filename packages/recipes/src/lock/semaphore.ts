// At most so many permits are out at a time. Who wants some waits for a lock, so one waits for permits at a time and in
// the order of arrival; who has permits has a znode for each. Shares its znodes with Curator's InterProcessSemaphoreV2.

import { type Client, type OneShot, type OpOptions, ZkError } from '@zebu/client';
import { watchChildren } from '../cache/children.ts';
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
import { readNames } from '../core/read.ts';
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
  /**
   * Undefined if so many permits are not free now, or others wait for permits. Waits only while another one is being
   * given permits that leave enough for this call.
   */
  tryAcquire(count?: number, options?: OpOptions): Promise<Held | undefined>;
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
    this.checkCount('acquire', count);
    using limit = new CallLimit(this.zk, 'acquire', this.path, options);
    for (;;) {
      const turn = await this.contest.enter('acquire', { signal: limit.signal }).catch((error) => {
        throw limit.signal.aborted ? limit.error : error;
      });
      const held = await this.takeInTurn(count, turn, limit, 'wait');
      if (held instanceof HeldTogether) return held;
      // The turn or a permit was lost: again, from the end of the line.
    }
  }

  async tryAcquire(count = 1, options?: OpOptions): Promise<Held | undefined> {
    this.checkCount('tryAcquire', count);
    using limit = new CallLimit(this.zk, 'tryAcquire', this.path, options);
    for (;;) {
      limit.throwIfOver();
      if (await this.isFull(count, limit)) return undefined;
      const turn = await this.tryTurn(count, limit);
      if (turn === undefined) return undefined;
      const held = await this.takeInTurn(count, turn, limit, 'try');
      if (held instanceof HeldTogether) return held;
      if (held === 'full') return undefined;
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

  private get allowed(): number {
    const { permits } = this;
    return typeof permits === 'number' ? permits : (permits.current ?? 0);
  }

  private checkCount(op: string, count: number): void {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new TypeError(`${op}(): a number of permits is a positive integer, not ${count}`);
    }
    const { permits } = this;
    if (typeof permits === 'number' && count > permits) {
      throw new TypeError(`${op}(): there are ${permits} permits, never ${count}`);
    }
  }

  private async isFull(count: number, limit: CallLimit): Promise<boolean> {
    try {
      const names = await readNames(this.zk, this.leases, limit.signal);
      return (names?.length ?? 0) + count > this.allowed;
    } catch (error) {
      throw limit.signal.aborted ? limit.error : error;
    }
  }

  /** The turn, for as long as `count` permits are free; undefined when they are not. */
  private async tryTurn(count: number, limit: CallLimit): Promise<HeldZnode | undefined> {
    const { contest, zk, leases } = this;
    try {
      const turn = await contest.tryEnter('tryAcquire', { signal: limit.signal });
      if (turn !== undefined) return turn;
      // Somebody is in front. One that waits for permits has its znodes among the leases already, so that they are too
      // many; one that is being served is done soon.
      const full = new AbortController();
      const stopping = new AbortController();
      let failure: { readonly error: unknown } | undefined;
      const watchLeases = async (): Promise<void> => {
        const signal = AbortSignal.any([limit.signal, stopping.signal]);
        for await (const { names } of watchChildren(zk, leases, { signal })) {
          if (names.length + count > this.allowed) break;
        }
      };
      const watching = watchLeases()
        .catch((error) => {
          failure = { error };
        })
        .finally(() => full.abort());
      try {
        const signal = AbortSignal.any([limit.signal, full.signal]);
        return await contest.enter('tryAcquire', { signal });
      } catch (error) {
        if (limit.signal.aborted || !full.signal.aborted) throw error;
        if (failure !== undefined) throw failure.error;
        return undefined;
      } finally {
        stopping.abort();
        await watching;
      }
    } catch (error) {
      throw limit.signal.aborted ? limit.error : error;
    }
  }

  /** Takes permits and ends the turn. 'lost': try again. 'full', under 'try': there are not enough. */
  private async takeInTurn(
    count: number,
    turn: HeldZnode,
    limit: CallLimit,
    kind: 'wait' | 'try',
  ): Promise<HeldTogether | 'lost' | 'full'> {
    let held: HeldTogether | 'lost' | 'full' = 'lost';
    try {
      held = await this.take(count, turn, limit, kind);
      return held;
    } finally {
      // A release that cannot be told is not the permits' failure: it goes on.
      const releasing = turn.release();
      if (held === 'lost') void releasing.catch(() => {});
      else await releasing;
    }
  }

  /** 'lost' if the turn, or a permit that was taken, is lost meanwhile; then, and when 'full', none stays. */
  private async take(
    count: number,
    turn: HeldZnode,
    limit: CallLimit,
    kind: 'wait' | 'try',
  ): Promise<HeldTogether | 'lost' | 'full'> {
    const { zk, settings } = this;
    const znodes: OwnedZnode[] = [];
    const held: HeldZnode[] = [];
    let room: 'room' | 'lost' | 'full';
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
      room = await this.awaitRoom(znodes, turn, limit, kind);
      if (room === 'room') {
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
    return room === 'full' ? 'full' : 'lost';
  }

  /** 'room' once all of `znodes` are there and are not too many; 'lost' if that cannot be any more. */
  private async awaitRoom(
    znodes: readonly OwnedZnode[],
    turn: HeldZnode,
    limit: CallLimit,
    kind: 'wait' | 'try',
  ): Promise<'room' | 'lost' | 'full'> {
    const { permits } = this;
    using changes = new PermitChanges(permits);
    for (;;) {
      if (turn.signal.aborted) return 'lost';
      const { names, watch } = await this.readLeases(limit);
      const isThere = znodes.every(
        ({ name, session }) => names.includes(name) && !session.signal.aborted,
      );
      if (!isThere || names.length <= this.allowed || kind === 'try') {
        watch?.[Symbol.dispose]();
        if (!isThere) return 'lost';
        return names.length <= this.allowed ? 'room' : 'full';
      }
      if (watch === undefined) return 'lost';
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
