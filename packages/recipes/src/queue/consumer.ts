// Claims items for one loop over them: no more than are asked for, in the queue's order.

import { type Client, type OneShot, ZkError } from '@zebu/client';
import { Follower } from '../core/follow.ts';
import { HeldZnode } from '../core/held.ts';
import type { RecipeSettings } from '../core/options.ts';
import { childPath, znodeId } from '../core/owned-znode.ts';
import { deleteSurely, isPassing, untilAnswered } from '../core/persistence.ts';
import { orMissing, readZnode } from '../core/read.ts';
import type { Codec } from '../typed/codec.ts';
import { ClaimedItem } from './item.ts';
import { compareItems, ENTRIES, type ItemName, parseItemName, SPECIAL } from './names.ts';

export const TAKEN = 'taken';

interface Listing {
  readonly names: readonly string[];
  readonly czxid: number | undefined;
  readonly pzxid: number | undefined;
  readonly error: unknown;
}

export interface ConsumerSettings<T> {
  readonly zk: Client;
  readonly path: string;
  readonly codec: Codec<T>;
  readonly recipe: RecipeSettings;
  readonly prefetch: number;
  readonly makeDirectories: (signal: AbortSignal | undefined) => Promise<void>;
  /** Told of an item that the codec refuses; it is left in the queue, claimed until the loop ends. */
  readonly onBadItem: (path: string, error: unknown) => void;
}

export class Consumer<T> {
  private readonly settings: ConsumerSettings<T>;
  private readonly stopping: AbortController;
  private readonly claimed: ClaimedItem<T>[];
  private readonly bad: HeldZnode[];
  /** Names that were seen to be somebody's, or gone, since the last listing of `taken`. */
  private readonly passed: Set<string>;
  private followers:
    | { [K in typeof ENTRIES | typeof SPECIAL | typeof TAKEN]: Follower<Listing> }
    | undefined;
  private isAsked: boolean;
  private failure: { readonly error: unknown } | undefined;
  private readonly waiting: Set<() => void>;
  private changes: number;

  constructor(settings: ConsumerSettings<T>) {
    this.settings = settings;
    this.stopping = new AbortController();
    this.claimed = [];
    this.bad = [];
    this.passed = new Set();
    this.followers = undefined;
    this.isAsked = false;
    this.failure = undefined;
    this.waiting = new Set();
    this.changes = 0;
  }

  async *items(signal: AbortSignal | undefined): AsyncGenerator<ClaimedItem<T>, void, void> {
    const stop = (): void => this.changed();
    signal?.addEventListener('abort', stop);
    await using followers = new AsyncDisposableStack();
    try {
      if (isAborted(signal)) return;
      await this.follow(followers);
      const claiming = this.claimOn();
      followers.defer(async () => {
        this.stopping.abort();
        this.changed();
        await claiming;
        await Promise.all([
          ...this.claimed.map((item) => item.release()),
          ...this.bad.map((held) => held.release()),
        ]);
      });
      for (;;) {
        this.isAsked = true;
        this.changed();
        let item: ClaimedItem<T> | undefined;
        while (item === undefined) {
          if (isAborted(signal)) return;
          if (this.failure !== undefined) throw this.failure.error;
          const { changes } = this;
          const next = this.claimed.shift();
          if (next === undefined) await this.change(changes);
          // One that was lost while it waited is somebody else's now.
          else if (next.signal.aborted) void next.release().catch(() => {});
          else item = next;
        }
        this.isAsked = false;
        yield item;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  private async follow(owned: AsyncDisposableStack): Promise<void> {
    const { zk, path } = this.settings;
    const start = async (name: string): Promise<Follower<Listing>> => {
      const directory = childPath(path, name);
      const follower = await Follower.start<Listing>(zk, directory, {
        read: async (signal) => {
          const options = { signal, timeoutMs: 0 };
          const found = await orMissing(
            untilAnswered(zk, () => zk.children(directory, options), signal),
          );
          const { czxid, pzxid } = found?.stat ?? {};
          return { names: found?.names ?? [], czxid, pzxid, error: undefined };
        },
        failed: (error) => ({ names: [], czxid: undefined, pzxid: undefined, error }),
        isSame: (a, b) => a.czxid === b.czxid && a.pzxid === b.pzxid && a.error === b.error,
      });
      owned.use(follower);
      return follower;
    };
    const [entries, special, taken] = await Promise.all([
      start(ENTRIES),
      start(SPECIAL),
      start(TAKEN),
    ]);
    this.followers = { entries, special, taken };
    for (const follower of [entries, special, taken]) void this.hear(follower, follower === taken);
  }

  private async hear(follower: Follower<Listing>, isTaken: boolean): Promise<void> {
    try {
      for await (const { error } of follower.readings.read()) {
        if (error !== undefined) throw error;
        if (isTaken) this.passed.clear();
        this.changed();
      }
      this.failure ??= {
        error: new ZkError('CLOSED', {
          op: 'consume',
          path: this.settings.path,
          outcome: 'failed',
        }),
      };
    } catch (error) {
      this.failure ??= { error };
    }
    this.changed();
  }

  private changed(): void {
    this.changes++;
    for (const wake of [...this.waiting]) wake();
  }

  /** Resolves at the first change after `seen` of them, or when the time is over. */
  private change(seen: number, waitMs?: number): Promise<void> {
    if (this.changes !== seen) return Promise.resolve();
    const { environment } = this.settings.zk;
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        if (timer !== undefined) environment.clearTimer(timer);
        resolve();
      };
      const timer = waitMs === undefined ? undefined : environment.setTimer(wake, waitMs);
      this.waiting.add(wake);
    });
  }

  private async claimOn(): Promise<void> {
    const { prefetch } = this.settings;
    try {
      while (!this.stopping.signal.aborted && this.failure === undefined) {
        const { changes } = this;
        const most = prefetch + (this.isAsked ? 1 : 0);
        if (this.claimed.length >= most) {
          await this.change(changes);
          continue;
        }
        const { next, waitMs } = this.nextCandidate();
        if (next === undefined) await this.change(changes, waitMs);
        else await this.claim(next);
      }
    } catch (error) {
      this.failure ??= { error };
      this.changed();
    }
  }

  private nextCandidate(): { next?: ItemName; waitMs?: number } {
    const { followers, passed } = this;
    if (followers === undefined) return {};
    const names = (key: typeof ENTRIES | typeof SPECIAL | typeof TAKEN): readonly string[] =>
      followers[key].readings.current?.names ?? [];
    const taken = new Set(names(TAKEN));
    const now = Date.now();
    let next: ItemName | undefined;
    let waitMs: number | undefined;
    for (const directory of [ENTRIES, SPECIAL] as const) {
      for (const name of names(directory)) {
        if (taken.has(name) || passed.has(name)) continue;
        const item = parseItemName(directory, name);
        if (item === undefined) continue;
        if (item.dueMs > now) waitMs = Math.min(waitMs ?? LONGEST_TIMER_MS, item.dueMs - now);
        else if (next === undefined || compareItems(item, next) < 0) next = item;
      }
    }
    return next === undefined ? (waitMs === undefined ? {} : { waitMs }) : { next };
  }

  private async claim(item: ItemName): Promise<void> {
    const { zk, path, codec } = this.settings;
    this.passed.add(item.name);
    const held = await this.hold(item.name);
    if (held === undefined) return;
    const itemPath = childPath(childPath(path, item.directory), item.name);
    let data: Buffer | undefined;
    try {
      data = (await readZnode(zk, itemPath, this.stopping.signal))?.data;
    } catch (error) {
      await held.release();
      if (this.stopping.signal.aborted) return;
      throw error;
    }
    // It was done by another between the listing and our claim.
    if (data === undefined) {
      await held.release();
      return;
    }
    try {
      const { id, priority } = item;
      const value = codec.decode(data);
      this.claimed.push(new ClaimedItem(zk, held, { value, path: itemPath, id, priority }));
      this.changed();
    } catch (error) {
      this.bad.push(held);
      this.settings.onBadItem(itemPath, error);
    }
  }

  /** Undefined if it is somebody else's. */
  private async hold(name: string): Promise<HeldZnode | undefined> {
    const { zk, path, recipe, makeDirectories } = this.settings;
    const claimPath = childPath(childPath(path, TAKEN), name);
    // What tells our claim from that of another loop of this session.
    const claimId = `${recipe.identity} ${znodeId(() => zk.environment.random())}`;
    let mayExist = false;
    while (!this.stopping.signal.aborted) {
      try {
        await zk.create(claimPath, claimId, { mode: 'ephemeral', acl: recipe.acl, timeoutMs: 0 });
      } catch (error) {
        if (!ZkError.is(error)) throw error;
        if (error.code === 'NODE_EXISTS') {
          if (!mayExist) return undefined;
        } else if (error.code === 'NO_NODE') {
          await makeDirectories(this.stopping.signal);
          continue;
        } else if (error.outcome === 'unknown' && error.code !== 'CLOSED') {
          mayExist = true;
        } else if (error.code === 'SESSION_EXPIRED' && zk.state.status !== 'expired') {
          continue;
        } else if (!isPassing(error)) {
          throw error;
        } else continue;
      }
      const held = await this.confirm(claimPath, claimId);
      if (held !== 'again') return held;
      mayExist = true;
    }
    if (mayExist) await this.sweep(claimPath, claimId);
    return undefined;
  }

  private async confirm(
    claimPath: string,
    claimId: string,
  ): Promise<HeldZnode | 'again' | undefined> {
    const { zk, recipe } = this.settings;
    let isInterrupted = false;
    using _ = zk.on('state', () => {
      isInterrupted = true;
    });
    let found: { data: Buffer; stat: { czxid: number; ephemeralOwner: bigint }; watch: OneShot };
    try {
      found = await untilAnswered(zk, () => zk.get(claimPath, { watch: true, timeoutMs: 0 }));
    } catch (error) {
      // Not there: the create that was lost has not been carried out, or its session has ended.
      if (ZkError.is(error, 'NO_NODE', 'SESSION_EXPIRED') && zk.state.status !== 'expired') {
        return 'again';
      }
      throw error;
    }
    const { data, stat, watch } = found;
    const { session } = zk;
    const isOurs =
      data.toString('utf8') === claimId &&
      stat.ephemeralOwner === session.id &&
      !session.signal.aborted;
    if (isOurs && !isInterrupted && zk.state.status === 'connected') {
      const name = claimPath.slice(claimPath.lastIndexOf('/') + 1);
      const znode = { path: claimPath, name, czxid: stat.czxid, session };
      return new HeldZnode(zk, znode, { watch, policy: recipe.onSuspend });
    }
    watch[Symbol.dispose]();
    return isOurs || isInterrupted ? 'again' : undefined;
  }

  /** Takes back a claim that may have been made while the loop ended. */
  private async sweep(claimPath: string, claimId: string): Promise<void> {
    const { zk } = this.settings;
    const { session } = zk;
    try {
      const found = await readZnode(zk, claimPath, session.signal, 'synced');
      if (found?.data.toString('utf8') === claimId) await deleteSurely(zk, claimPath, session);
    } catch (error) {
      if (!session.signal.aborted && !ZkError.is(error, 'CLOSED')) throw error;
    }
  }
}

/** A call, since it changes while a function waits, which the compiler does not see. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** As long as Node's timers go. */
const LONGEST_TIMER_MS = 0x7fffffff;
