// Who is in a group: one ephemeral znode each, named by its id, with a value of its own.

import type { Client } from '@zebu/client';
import { type CachedZnode, startCache } from '../cache/tree-cache.ts';
import type { RecipeOptions } from '../core/options.ts';
import { childPath } from '../core/owned-znode.ts';
import type { Codec } from '../typed/codec.ts';
import { type HoldOptions, hold, type Presence } from './hold.ts';

export interface Group<T> {
  readonly path: string;
  /** In the group until it is disposed, in each session. The id is the znode's name. */
  join(
    id: string,
    value: T,
    options?: Pick<HoldOptions, 'onConflict' | 'signal' | 'timeoutMs'>,
  ): Promise<Member<T>>;
  /**
   * Who is there now, by id, and again whenever somebody came, went or has another value; a slow reader sees the
   * newest only. Members whose value the codec refuses are left out.
   */
  members(options?: {
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterable<ReadonlyMap<string, T>>;
}

/** A member's own place in the group. */
export interface Member<T> extends AsyncDisposable {
  readonly id: string;
  readonly presence: Presence;
  update(value: T): Promise<void>;
}

export function group<T>(
  zk: Client,
  path: string,
  codec: Codec<T>,
  options: Pick<RecipeOptions, 'acl'> = {},
): Group<T> {
  return {
    path,
    join: async (id, value, joining) => {
      const presence = await hold(zk, childPath(path, id), codec.encode(value), {
        ...options,
        ...joining,
      });
      return {
        id,
        presence,
        update: (next) => presence.update(codec.encode(next)),
        [Symbol.asyncDispose]: () => presence[Symbol.asyncDispose](),
      };
    },
    members: (reading) => members(zk, path, codec, reading?.signal),
  };
}

/** Also of what is no group: all children of `path` that the codec can read. */
export async function* members<T>(
  zk: Client,
  path: string,
  codec: Codec<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReadonlyMap<string, T>, void, void> {
  await using cache = await startCache(zk, path, { depth: 1, signal });
  /** What each znode was decoded to, so that a change of one decodes one. */
  let decoded = new Map<CachedZnode, T | undefined>();
  let told: ReadonlyMap<string, T> | undefined;
  for await (const _ of cache.rounds.read(signal)) {
    // Of half an old list and half a new one nobody is told.
    if (cache.stale) continue;
    const next = new Map<CachedZnode, T | undefined>();
    const found = new Map<string, T>();
    let isChanged = told === undefined;
    for (const id of cache.children(path) ?? []) {
      const znode = cache.get(childPath(path, id)) as CachedZnode;
      const isKnown = decoded.has(znode);
      isChanged ||= !isKnown;
      const value = isKnown ? decoded.get(znode) : decodedOrUndefined(codec, znode.data);
      next.set(znode, value);
      if (value !== undefined) found.set(id, value);
    }
    isChanged ||= next.size !== decoded.size;
    decoded = next;
    if (!isChanged) continue;
    told = found;
    yield found;
  }
}

function decodedOrUndefined<T>(codec: Codec<T>, data: Buffer): T | undefined {
  try {
    return codec.decode(data);
  } catch {
    return undefined;
  }
}
