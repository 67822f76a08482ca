// Divides items among the members of a group: each item is worked on by one of them at a time.
//
//   members  one ephemeral znode each                    who is there
//   rank     computed by everybody from that list        who wants which item
//   locks    one mutex for each item                     who has it
//
// The list is seen at different moments by different members, so two may want one item for a while. The lock is what
// decides: the new one begins when the old one has let go.

import type { Client } from '@zebu/client';
import { watchChildren } from '../cache/children.ts';
import type { Held } from '../core/held.ts';
import { type RecipeOptions, recipeSettings } from '../core/options.ts';
import { childPath, znodeId } from '../core/owned-znode.ts';
import { mutex } from '../lock/mutex.ts';
import { hold } from '../presence/hold.ts';
import { rank } from './rank.ts';

export interface PartitionOptions extends RecipeOptions {
  /** Our name among the members, which nobody else has. Default: a new one. */
  readonly memberId?: string | undefined;
  /** Divides anew once no member has come or gone for so long. Default 1,000. */
  readonly settleMs?: number | undefined;
  /** Aborting it ends our part: partition() resolves when all that runs has ended. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_SETTLE_MS = 1000;

/**
 * Calls `run` for each item that is ours, with the lock of the item. `signal` aborts when the item is to be given up, or
 * its lock is lost: `run` should end then, and the next member begins when it has. If `run` ends by itself while the
 * item is ours, the item rests with us. If it rejects, everything ends, and partition() rejects with that.
 *
 * Items are names of znodes: any strings without a slash.
 */
export async function partition(
  zk: Client,
  path: string,
  items: readonly string[],
  run: (item: string, work: { readonly held: Held; readonly signal: AbortSignal }) => Promise<void>,
  options: PartitionOptions = {},
): Promise<void> {
  const { memberId, settleMs = DEFAULT_SETTLE_MS, signal, ...recipe } = options;
  recipeSettings('partition', recipe);
  const bad = items.find(
    (item) => item === '' || item === '.' || item === '..' || item.includes('/'),
  );
  if (bad !== undefined) throw new TypeError(`${JSON.stringify(bad)} is no name of an item`);
  const id = memberId ?? znodeId(() => zk.environment.random());
  const partitioner = new Partitioner(zk, path, run, recipe);
  const directory = childPath(path, 'members');
  const stopping = new AbortController();
  const until = signal === undefined ? stopping.signal : AbortSignal.any([signal, stopping.signal]);
  partitioner.onFailure = () => stopping.abort();
  if (signal?.aborted === true) return;
  await using _ = await hold(zk, childPath(directory, id), recipe.identity ?? '', {
    acl: recipe.acl,
  });
  try {
    for await (const { names } of watchChildren(zk, directory, { settleMs, signal: until })) {
      // Until our own znode is there again, in the next session, others take our items.
      partitioner.divide(items.filter((item) => rank(item, names)[0] === id));
    }
  } finally {
    await partitioner.stop();
  }
  if (partitioner.failure !== undefined) throw partitioner.failure.error;
}

interface Share {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

class Partitioner {
  failure: { readonly error: unknown } | undefined;
  onFailure: () => void;
  private readonly zk: Client;
  private readonly path: string;
  private readonly run: Parameters<typeof partition>[3];
  private readonly recipe: RecipeOptions;
  private readonly shares: Map<string, Share>;

  constructor(
    zk: Client,
    path: string,
    run: Parameters<typeof partition>[3],
    recipe: RecipeOptions,
  ) {
    this.failure = undefined;
    this.onFailure = () => {};
    this.zk = zk;
    this.path = path;
    this.run = run;
    this.recipe = recipe;
    this.shares = new Map();
  }

  /** Gives up what is not among `mine`, and takes what is new. */
  divide(mine: readonly string[]): void {
    const wanted = new Set(mine);
    for (const [item, { controller }] of this.shares) {
      if (!wanted.has(item)) controller.abort();
    }
    for (const item of wanted) this.take(item);
  }

  async stop(): Promise<void> {
    for (const { controller } of this.shares.values()) controller.abort();
    await Promise.all([...this.shares.values()].map(({ ended }) => ended));
  }

  private take(item: string): void {
    const before = this.shares.get(item);
    if (before !== undefined && !before.controller.signal.aborted) return;
    const controller = new AbortController();
    // One that is being given up, and is ours again, ends first.
    const ended = (before?.ended ?? Promise.resolve())
      .then(() => this.work(item, controller.signal))
      .catch((error: unknown) => {
        this.failure ??= { error };
        this.onFailure();
      })
      .finally(() => {
        if (this.shares.get(item)?.controller === controller) this.shares.delete(item);
      });
    this.shares.set(item, { controller, ended });
  }

  private async work(item: string, givenUp: AbortSignal): Promise<void> {
    const { zk, path, recipe } = this;
    const lock = mutex(zk, childPath(childPath(path, 'locks'), item), recipe);
    while (!givenUp.aborted) {
      let held: Held;
      try {
        held = await lock.acquire({ signal: givenUp });
      } catch (error) {
        if (givenUp.aborted) return;
        throw error;
      }
      const signal = AbortSignal.any([givenUp, held.signal]);
      try {
        await this.run(item, { held, signal });
        // Nothing more to do until it is somebody else's, or has to be got again.
        if (!signal.aborted) await aborted(signal);
      } catch (error) {
        // What fails because it was to end has ended.
        if (!signal.aborted) throw error;
      } finally {
        await held.release();
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
