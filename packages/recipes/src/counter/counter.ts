// A number in a znode. An add whose reply was lost is neither repeated blindly nor given up: each write puts an id of its
// own into the znode, together with the sum that it made, and the last of these are kept.
//
//   {"value":"42","adds":[["<id>","41"],["<id>","42"]]}

import { type Client, type Stat, ZkError, type Znode } from '@zebu/client';
import { isFollowed } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { type OpOptions, type RecipeOptions, recipeSettings } from '../core/options.ts';
import { znodeId } from '../core/owned-znode.ts';
import { isPassing, pause } from '../core/persistence.ts';
import { readZnode } from '../core/read.ts';

export interface Counter {
  readonly path: string;
  /**
   * Adds, and returns the sum that this made. Counted once, whatever happens to the connection. Where that cannot be
   * known (more than 64 adds of others, or a deletion, since ours was lost) it rejects with outcome 'unknown'.
   */
  add(amount: bigint | number, options?: OpOptions): Promise<bigint>;
  /** 0 where there is no znode. */
  get(
    options?: OpOptions & { readonly consistency?: 'local' | 'synced' | undefined },
  ): Promise<bigint>;
}

interface Tally {
  readonly value: bigint;
  /** The id and the sum of each of the last adds, the newest last. */
  readonly adds: readonly (readonly [id: string, sum: bigint])[];
}

/** How many adds of others may follow one that was lost until it cannot be found. */
const REMEMBERED_ADDS = 64;
const BUSY_PAUSE_MS = 100;

export function counter(zk: Client, path: string, options?: Pick<RecipeOptions, 'acl'>): Counter {
  return new ZnodeCounter(zk, path, recipeSettings('counter', options).acl);
}

class ZnodeCounter implements Counter {
  readonly path: string;
  private readonly zk: Client;
  private readonly acl: RecipeOptions['acl'];
  /** Adds of one process wait for each other, or they would all but one be refused. */
  private turn: Promise<unknown>;

  constructor(zk: Client, path: string, acl: RecipeOptions['acl']) {
    this.path = path;
    this.zk = zk;
    this.acl = acl;
    this.turn = Promise.resolve();
  }

  async get(
    options?: OpOptions & { readonly consistency?: 'local' | 'synced' | undefined },
  ): Promise<bigint> {
    using limit = new CallLimit(this.zk, 'get', this.path, options);
    limit.throwIfOver();
    const znode = await limit.race(
      readZnode(this.zk, this.path, limit.signal, options?.consistency),
    );
    return tallyFrom(this.path, znode).value;
  }

  async add(amount: bigint | number, options?: OpOptions): Promise<bigint> {
    // A number that is no integer throws here.
    const exact = BigInt(amount);
    using limit = new CallLimit(this.zk, 'add', this.path, options);
    const before = this.turn;
    let done: () => void = () => {};
    this.turn = new Promise<void>((resolve) => {
      done = resolve;
    });
    try {
      await limit.race(before);
      return await this.addOnce(exact, limit);
    } finally {
      // The next in line waits for all before it, also for one that this call did not wait for.
      void before.then(done);
    }
  }

  private async addOnce(amount: bigint, limit: CallLimit): Promise<bigint> {
    const { zk, path, acl } = this;
    const { signal } = limit;
    // It has to differ from those that are remembered with it, not from all in the world.
    const id = znodeId(() => zk.environment.random()).slice(0, 13);
    /** The first write whose reply was lost, and what it was made over. */
    let lost: { readonly error: ZkError; readonly over: Stat | undefined } | undefined;
    for (;;) {
      if (signal.aborted) throw lost?.error ?? limit.error;
      let znode: Znode | undefined;
      try {
        znode = await readZnode(zk, path, signal, lost === undefined ? 'local' : 'synced');
      } catch (error) {
        if (signal.aborted) throw lost?.error ?? limit.error;
        throw lost?.error ?? error;
      }
      const tally = tallyFrom(path, znode);
      if (lost !== undefined) {
        const own = tally.adds.find(([found]) => found === id);
        if (own !== undefined) return own[1];
        if (!isSurelyUndone(lost.over, znode?.stat, tally)) throw lost.error;
      }
      const sum = tally.value + amount;
      const adds = [...tally.adds, [id, sum] as const].slice(-REMEMBERED_ADDS);
      const data = tallyData({ value: sum, adds });
      try {
        if (znode === undefined) {
          await zk.create(path, data, { acl, parents: 'persistent', signal, timeoutMs: 0 });
        } else {
          await zk.set(path, data, { version: znode.stat.version, signal, timeoutMs: 0 });
        }
        return sum;
      } catch (error) {
        if (!ZkError.is(error)) throw error;
        if (ZkError.is(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) continue;
        if (error.outcome === 'unknown') lost ??= { error, over: znode?.stat };
        else if (!isPassing(error) && !isFollowed(zk, error)) throw lost?.error ?? error;
        if (signal.aborted) throw error;
        if (ZkError.is(error, 'CLOSED')) throw error;
        if (!ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) {
          await pause(zk, BUSY_PAUSE_MS, signal);
        }
      }
    }
  }
}

/**
 * Whether a write over `over` that is not among the remembered adds of `now` has not been carried out, and cannot be: all
 * that was written since, in the same znode, is remembered.
 */
function isSurelyUndone(over: Stat | undefined, now: Stat | undefined, { adds }: Tally): boolean {
  if (over === undefined) return now === undefined || now.version < adds.length;
  if (now === undefined || now.czxid !== over.czxid) return false;
  return ((now.version - over.version) | 0) <= adds.length;
}

function tallyFrom(path: string, znode: Znode | undefined): Tally {
  if (znode === undefined) return { value: 0n, adds: [] };
  const text = znode.data.toString('utf8');
  try {
    // As kazoo's Counter writes it.
    if (/^-?\d+$/.test(text)) return { value: BigInt(text), adds: [] };
    const parsed = JSON.parse(text) as { value: string; adds: [string, string][] };
    return {
      value: BigInt(parsed.value),
      adds: parsed.adds.map(([id, sum]) => [id, BigInt(sum)] as const),
    };
  } catch (cause) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
    throw new TypeError(`${path} is no counter: it holds ${JSON.stringify(shown)}`, { cause });
  }
}

function tallyData({ value, adds }: Tally): string {
  return JSON.stringify({
    value: String(value),
    adds: adds.map(([id, sum]) => [id, String(sum)]),
  });
}
