// Who leads, for those who do not. Only the first candidate is watched, so candidates that come and go after it
// wake nobody.

import { type Client, type OneShot, ZkError } from '@zebu/client';
import { throwUnlessExpired } from '../core/any-session.ts';
import { CallLimit } from '../core/call-limit.ts';
import { sortEntries } from '../core/contest.ts';
import { awaitEvent } from '../core/one-shot.ts';
import { childPath } from '../core/owned-znode.ts';
import { untilAnswered } from '../core/persistence.ts';
import type { Leader } from './election.ts';

/** A leader, or none, and the watch that fires when that may no longer be so. */
interface Sight {
  readonly leader: Leader | undefined;
  readonly watch: OneShot;
}

export async function* followLeader(
  zk: Client,
  directory: string,
  labels: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Leader | undefined, void, void> {
  using limit = new CallLimit(zk, 'watchLeader', directory, { signal });
  let last: number | 'unknown' | undefined = 'unknown';
  while (!signal.aborted) {
    let sight: Sight | 'again' | undefined;
    try {
      sight = await look(zk, directory, labels, limit.signal);
      if (sight === 'again') continue;
      using _ = sight.watch;
      if (sight.leader?.token !== last) {
        last = sight.leader?.token;
        yield sight.leader;
      }
      await awaitEvent(sight.watch, limit);
    } catch (error) {
      if (signal.aborted) return;
      // The next session looks again.
      throwUnlessExpired(zk, error);
    }
  }
}

async function look(
  zk: Client,
  directory: string,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<Sight | 'again'> {
  const options = { signal, timeoutMs: 0 };
  const watched = { ...options, watch: true } as const;
  let names: readonly string[];
  try {
    ({ names } = await untilAnswered(zk, () => zk.children(directory, options), signal));
  } catch (error) {
    if (!ZkError.is(error, 'NO_NODE')) throw error;
    const { stat, watch } = await untilAnswered(zk, () => zk.exists(directory, watched), signal);
    if (stat === undefined) return { leader: undefined, watch };
    watch[Symbol.dispose]();
    return 'again';
  }
  const [first] = sortEntries(names, labels);
  try {
    if (first === undefined) {
      const listed = await untilAnswered(zk, () => zk.children(directory, watched), signal);
      const { watch } = listed;
      if (sortEntries(listed.names, labels).length === 0) return { leader: undefined, watch };
      watch[Symbol.dispose]();
      return 'again';
    }
    const path = childPath(directory, first.name);
    const { data, stat, watch } = await untilAnswered(zk, () => zk.get(path, watched), signal);
    return { leader: { identity: data.toString('utf8'), token: stat.czxid }, watch };
  } catch (error) {
    // Gone meanwhile.
    if (ZkError.is(error, 'NO_NODE')) return 'again';
    throw error;
  }
}
