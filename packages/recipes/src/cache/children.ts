// The names of a znode's children, as they change. Goes on while the znode is deleted and created again.

import type { Client, Stat } from '@zebu/client';
import { Follower } from '../core/follow.ts';
import { pause, untilAnswered } from '../core/persistence.ts';
import { orMissing } from '../core/read.ts';

export interface ChildrenReading {
  /** Sorted as text; empty where there is no znode. */
  readonly names: readonly string[];
  /** Of the parent; undefined where there is none. */
  readonly stat: Stat | undefined;
}

export interface WatchChildrenOptions {
  /** Tells of a change once nothing has changed for so long. Default 0: at once. */
  readonly settleMs?: number | undefined;
  /** Aborting it ends the loop, without an error. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The children now, then whenever a child came or went; a slow reader sees the newest only. Throws what the server
 * refuses the read with.
 */
export async function* watchChildren(
  zk: Client,
  path: string,
  options: WatchChildrenOptions = {},
): AsyncGenerator<ChildrenReading, void, void> {
  const { settleMs = 0, signal } = options;
  await using follower = await Follower.start<ChildrenReading | Error>(zk, path, {
    read: async (reading) => {
      const options = { signal: reading, timeoutMs: 0 };
      const found = await orMissing(untilAnswered(zk, () => zk.children(path, options), reading));
      return found === undefined
        ? { names: [], stat: undefined }
        : { names: found.names.toSorted(), stat: found.stat };
    },
    failed: (error) => error as Error,
    isSame,
  });
  let told: ChildrenReading | undefined;
  for await (const reading of follower.readings.read(signal)) {
    // It was told of already, after a time in which it settled.
    if (reading === told) continue;
    let settled = reading;
    while (settleMs > 0) {
      await pause(zk, settleMs, signal);
      const newest = follower.readings.current as ChildrenReading | Error;
      if (newest === settled || signal?.aborted === true) break;
      settled = newest;
    }
    if (signal?.aborted === true) return;
    if (settled instanceof Error) throw settled;
    told = settled;
    yield settled;
  }
}

/** pzxid is the txn that last changed the children; a new czxid is another znode of the same name. */
function isSame(a: ChildrenReading | Error, b: ChildrenReading | Error): boolean {
  if (a instanceof Error || b instanceof Error) return a === b;
  return a.stat?.pzxid === b.stat?.pzxid && a.stat?.czxid === b.stat?.czxid;
}
