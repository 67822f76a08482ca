// A znode that stands in the way. The path, and what it means, are those of Curator's DistributedBarrier and kazoo's
// Barrier.

import { type Client, ZkError } from '@zebu/client';
import { inAnySession } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { awaitChange } from '../core/one-shot.ts';
import { type OpOptions, type RecipeOptions, recipeSettings } from '../core/options.ts';
import { readZnode } from '../core/read.ts';

export interface Barrier {
  readonly path: string;
  /** From now on all that wait are held up. One that stands already stays. */
  raise(options?: OpOptions): Promise<void>;
  /** Lets all go on. */
  lift(options?: OpOptions): Promise<void>;
  /** Resolves as soon as the barrier does not stand; across lost connections and sessions. */
  wait(options?: OpOptions): Promise<void>;
}

export function barrier(zk: Client, path: string, options?: Pick<RecipeOptions, 'acl'>): Barrier {
  const { acl } = recipeSettings('barrier', options);
  return {
    path,
    raise: async (given) => {
      using limit = new CallLimit(zk, 'raise', path, given);
      const { signal } = limit;
      limit.throwIfOver();
      try {
        // Twice is once, so a lost reply is no question.
        await inAnySession(
          zk,
          () => zk.create(path, undefined, { acl, parents: 'persistent', signal, timeoutMs: 0 }),
          signal,
        );
      } catch (error) {
        if (signal.aborted) throw limit.error;
        if (!ZkError.is(error, 'NODE_EXISTS')) throw error;
      }
    },
    lift: async (given) => {
      using limit = new CallLimit(zk, 'lift', path, given);
      const { signal } = limit;
      limit.throwIfOver();
      try {
        await inAnySession(
          zk,
          () => zk.delete(path, { missingOk: true, signal, timeoutMs: 0 }),
          signal,
        );
      } catch (error) {
        if (signal.aborted) throw limit.error;
        throw error;
      }
    },
    wait: async (given) => {
      using limit = new CallLimit(zk, 'wait', path, given);
      for (;;) {
        limit.throwIfOver();
        await awaitChange(zk, path, limit);
        // Its data may have changed, or the connection; a barrier that was raised again stands.
        if ((await limit.race(readZnode(zk, path, limit.signal))) === undefined) return;
      }
    },
  };
}
