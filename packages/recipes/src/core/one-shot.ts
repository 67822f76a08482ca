// To wait for one event of one watch.

import { type Client, type OneShot, type WatchEvent, ZkError } from '@zebu/client';
import { throwUnlessExpired } from './any-session.ts';
import type { CallLimit } from './call-limit.ts';
import { untilAnswered } from './persistence.ts';

/**
 * Waits until the znode is deleted or its data changes; returns at once if it is not there, or if the session ends: the
 * caller looks again. Leaves no watch.
 */
export async function awaitChange(zk: Client, path: string, limit: CallLimit): Promise<void> {
  const watch = await watchForChange(zk, path, limit);
  if (watch === undefined) return;
  try {
    await awaitEvent(watch, limit);
  } catch (error) {
    if (limit.signal.aborted) throw limit.error;
    throwUnlessExpired(zk, error);
  }
}

/** A watch on the znode's data and its end; undefined if it is not there, or the session is over. */
export async function watchForChange(
  zk: Client,
  path: string,
  limit: CallLimit,
): Promise<OneShot | undefined> {
  const { signal } = limit;
  try {
    // A read that fails leaves no watch, where an `exists` would leave one on a znode that is gone.
    const found = await untilAnswered(
      zk,
      () => zk.get(path, { watch: true, signal, timeoutMs: 0 }),
      signal,
    );
    return found.watch;
  } catch (error) {
    if (signal.aborted) throw limit.error;
    if (!ZkError.is(error, 'NO_NODE')) throwUnlessExpired(zk, error);
    return undefined;
  }
}

/** Waits until the watch fires. Rejects with SESSION_EXPIRED if it can fire no more. */
export async function awaitEvent(watch: OneShot, limit: CallLimit): Promise<WatchEvent> {
  using _ = watch;
  return await limit.race(watch.event);
}
