// From "it is our turn" to "it is ours": the znode is read once more, with a watch that stays while it is held. It is
// ours if the session that created it owns it, and the connection that said so has not been lost since. Where the list
// of contenders came with the znode's creation, that list says as much, and the read with the watch follows the grant.

import { type Client, type OneShot, type State, ZkError, type Znode } from '@zebu/client';
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
  if (stat.ephemeralOwner !== znode.session.id || stat.czxid !== znode.czxid) {
    watch[Symbol.dispose]();
    return 'lost';
  }
  if (isInterrupted || !mayHold(zk, znode, limit)) {
    watch[Symbol.dispose]();
    return 'again';
  }
  if (isReadOnly(zk.state)) {
    // A server without a quorum cannot know who holds what.
    watch[Symbol.dispose]();
    await stateChange(zk, limit);
    return 'again';
  }
  return new HeldZnode(zk, znode, { watch, policy });
}

/**
 * Ours by a list of the contenders, made after the znode, that has it in front. The caller knows that the connection
 * on which that was said has not been lost since. Undefined if it may have been said too long ago.
 */
export function heldByList(
  zk: Client,
  znode: OwnedZnode,
  policy: 'strict' | 'lease',
  limit: CallLimit,
): HeldZnode | undefined {
  if (!mayHold(zk, znode, limit) || isReadOnly(zk.state)) return undefined;
  return new HeldZnode(zk, znode, { watch: undefined, policy });
}

/** An answer may have waited for a process that did not run, and the session be over by now. */
function mayHold(zk: Client, znode: OwnedZnode, limit: CallLimit): boolean {
  const isLate = zk.environment.now() >= znode.session.safeUntil;
  return !isLate && zk.state.status === 'connected' && !limit.signal.aborted;
}

function isReadOnly(state: State): boolean {
  return state.status === 'connected' && state.readOnly;
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
