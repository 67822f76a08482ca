// The next in line: whatever a grant needs is known before the one in front is gone, so that its end is the grant.
// Our znode is read with a watch as for a grant (confirm-held.ts), together with the watch on the one in front. As
// long as neither the connection nor our watch has said anything, our znode was there when the other one vanished:
// the server tells of both in the order in which they happened.

import type { Client, OneShot } from '@zebu/client';
import { throwUnlessExpired } from './any-session.ts';
import type { CallLimit } from './call-limit.ts';
import { confirmHeld } from './confirm-held.ts';
import { HeldZnode } from './held.ts';
import { watchForChange } from './one-shot.ts';
import type { OwnedZnode } from './owned-znode.ts';

/**
 * Waits until the znode at `front`, the only one before ours, is gone. 'lost': our znode is gone, or not ours.
 * 'again': something else has changed; look once more whose turn it is.
 */
export async function standBy(
  zk: Client,
  znode: OwnedZnode,
  front: string,
  policy: 'strict' | 'lease',
  limit: CallLimit,
): Promise<HeldZnode | 'lost' | 'again'> {
  let isInterrupted = false;
  using _ = zk.on('state', () => {
    isInterrupted = true;
  });
  const [watching, confirming] = await Promise.allSettled([
    watchForChange(zk, front, limit),
    confirmHeld(zk, znode, policy, limit),
  ]);
  const held = confirming.status === 'fulfilled' ? confirming.value : undefined;
  using watch = watching.status === 'fulfilled' ? watching.value : undefined;
  let isGranted = false;
  try {
    if (watching.status === 'rejected') throw watching.reason;
    if (confirming.status === 'rejected') throw confirming.reason;
    if (!(held instanceof HeldZnode)) return held as 'lost' | 'again';
    // Without a watch it was gone already.
    const isGone = watch === undefined || (await isDeleted(zk, watch, held.signal, limit));
    isGranted = isGone && !isInterrupted && held.isCertain;
    return isGranted ? held : 'again';
  } finally {
    if (!isGranted && held instanceof HeldZnode) held.forget();
  }
}

/** Waits for the watch, or until `signal` aborts; whether the znode is gone. */
async function isDeleted(
  zk: Client,
  watch: OneShot,
  signal: AbortSignal,
  limit: CallLimit,
): Promise<boolean> {
  try {
    const event = await limit.race(unlessAborted(watch.event, signal));
    return event?.type === 'deleted';
  } catch (error) {
    if (limit.signal.aborted) throw limit.error;
    throwUnlessExpired(zk, error);
    return false;
  }
}

/** Undefined if the signal aborts first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const over = (): void => resolve(undefined);
    signal.addEventListener('abort', over, { once: true });
    if (signal.aborted) over();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', over));
  });
}
