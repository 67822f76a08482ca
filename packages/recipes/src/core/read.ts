// Reads that a recipe waits for, over lost connections and ended sessions.

import { type Client, ZkError, type Znode } from '@zebu/client';
import { inAnySession } from './any-session.ts';

/** Undefined if there is none. 'synced' sees all that was committed when the call was made. */
export async function readZnode(
  zk: Client,
  path: string,
  signal?: AbortSignal,
  consistency: 'local' | 'synced' = 'local',
): Promise<Znode | undefined> {
  return await orMissing(
    inAnySession(zk, () => zk.get(path, { signal, timeoutMs: 0, consistency }), signal),
  );
}

/** The names of the children, in no order; undefined if there is no znode. */
export async function readNames(
  zk: Client,
  path: string,
  signal?: AbortSignal,
): Promise<readonly string[] | undefined> {
  const children = await orMissing(
    inAnySession(zk, () => zk.children(path, { signal, timeoutMs: 0 }), signal),
  );
  return children?.names;
}

export async function orMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (ZkError.is(error, 'NO_NODE')) return undefined;
    throw error;
  }
}
