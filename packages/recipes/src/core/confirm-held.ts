// From "it is our turn" to "it is ours": the znode is read once more, with a watch that stays while it is held. It is
// ours if the session that created it owns it, and the connection that said so has not been lost since.

import { type Client, type OneShot, ZkError, type Znode } from '@zebu/client';
import type { CallLimit } from './call-limit.ts';
import { HeldZnode } from './held.ts';
import type { OwnedZnode } from './owned-znode.ts';
import { untilAnswered } from './persistence.ts';

/** 'lost': the znode is gone, or not ours. 'again': look once more whose turn it is. */
export async function confirmHeld(
  zk: Client,
  znode: OwnedZnode,
  policy: 'strict' | 'lease',
  limit: CallLimit,
): Promise<HeldZnode | 'lost' | 'again'> {
  let isInterrupted = false;
  using _ = zk.on('state', () => {
    isInterrupted = true;
  });
  const own = await readWatched(zk, znode.path, limit.signal);
  if (own === undefined) return 'lost';
  const { stat, watch } = own;
  const { state } = zk;
  // The answer may have waited for a process that did not run, and the session be over by now.
  const isLate = zk.environment.now() >= znode.session.safeUntil;
  if (stat.ephemeralOwner !== znode.session.id || stat.czxid !== znode.czxid) {
    watch[Symbol.dispose]();
    return 'lost';
  }
  if (isLate || isInterrupted || state.status !== 'connected' || limit.signal.aborted) {
    watch[Symbol.dispose]();
    return 'again';
  }
  if (state.readOnly) {
    // A server without a quorum cannot know who holds what.
    watch[Symbol.dispose]();
    await stateChange(zk, limit);
    return 'again';
  }
  return new HeldZnode(zk, znode, { watch, policy });
}

/** Undefined: it is not there, or the session is over. */
async function readWatched(
  zk: Client,
  path: string,
  signal: AbortSignal,
): Promise<(Znode & { readonly watch: OneShot }) | undefined> {
  try {
    return await untilAnswered(
      zk,
      () => zk.get(path, { watch: true, signal, timeoutMs: 0 }),
      signal,
    );
  } catch (error) {
    if (ZkError.is(error, 'NO_NODE', 'SESSION_EXPIRED')) return undefined;
    throw error;
  }
}

async function stateChange(zk: Client, limit: CallLimit): Promise<void> {
  let changed: () => void = () => {};
  const change = new Promise<void>((resolve) => {
    changed = resolve;
  });
  using _ = zk.on('state', () => changed());
  await limit.race(change);
}
