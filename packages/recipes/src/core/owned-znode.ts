// An ephemeral znode that is surely ours. Its name holds an id, `_c_<id>-name` as Curator writes it, by which it is
// found again when the reply of the create was lost; it is taken for ours only if the current session owns it
// (CURATOR-498, CURATOR-696): one of an earlier session is about to vanish.

import { type Acl, type Client, type Data, type Session, ZkError } from '@zebu/client';
import type { CallLimit } from './call-limit.ts';
import { deleteSurely, isPassing, untilAnswered, untilSessionEnds } from './persistence.ts';

export interface OwnedZnode {
  readonly path: string;
  /** The last part of the path. */
  readonly name: string;
  /** The zxid of its creation. */
  readonly czxid: number;
  /** The session that it is of, and ends with. */
  readonly session: Session;
}

export interface OwnedZnodeSettings {
  /** The parent. Missing ones are created, as containers. */
  readonly directory: string;
  /** What the name ends with, before the number. */
  readonly label: string;
  readonly isSequential: boolean;
  readonly data: Data;
  readonly acl: readonly Acl[] | undefined;
}

/**
 * Creates it, and knows what came of it. Outlives lost connections and sessions: the znode may be of a later session
 * than the one at the call. When the limit is reached it throws, and no znode stays.
 */
export async function createOwnedZnode(
  zk: Client,
  settings: OwnedZnodeSettings,
  limit: CallLimit,
): Promise<OwnedZnode> {
  const { directory, label, isSequential, data, acl } = settings;
  const { signal } = limit;
  let id = znodeId(() => zk.environment.random());
  for (;;) {
    limit.throwIfOver();
    // The end of a session may be the client's end too. If so, the next call fails the same way at once.
    const wasOver = zk.session.signal.aborted;
    const prefix = `_c_${id}-${label}`;
    try {
      const created = await zk.create(childPath(directory, prefix), data, {
        mode: 'ephemeral',
        sequential: isSequential,
        acl,
        parents: 'container',
        signal,
        timeoutMs: 0,
      });
      return owned(created.path, created.stat.czxid, created.session);
    } catch (error) {
      if (!ZkError.is(error)) throw error;
      const mayExist = error.outcome === 'unknown';
      if (signal.aborted) {
        // Behind the create, so it is deleted whether or not that arrived.
        if (mayExist) void sweep(zk, directory, prefix);
        throw limit.error;
      }
      if (!mayExist) {
        const isExpired = error.code === 'SESSION_EXPIRED';
        if (isExpired ? wasOver : !isPassing(error)) throw error;
        continue;
      }
    }
    const found = await findOwned(zk, directory, prefix, limit);
    if (found === 'older-session') id = znodeId(() => zk.environment.random());
    else if (found !== undefined) return found;
  }
}

/** Deletes it, whatever happens to the connection; see deleteSurely(). */
export function deleteOwnedZnode(zk: Client, znode: OwnedZnode): Promise<void> {
  return deleteSurely(zk, znode.path, znode.session);
}

/** Whether the znode is still there and still ours, by the connected server. Throws what a read throws. */
export async function isStillOwned(zk: Client, znode: OwnedZnode): Promise<boolean> {
  const stat = await zk.exists(znode.path, { timeoutMs: 0 });
  return (
    stat !== undefined &&
    stat.czxid === znode.czxid &&
    stat.ephemeralOwner === znode.session.id &&
    !znode.session.signal.aborted
  );
}

/** 128 random bits, written as a UUID. */
export function znodeId(random: () => number): string {
  const eightDigits = (): string =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const [a, b, c, d] = [eightDigits(), eightDigits(), eightDigits(), eightDigits()];
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`;
}

export function childPath(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

async function findOwned(
  zk: Client,
  directory: string,
  prefix: string,
  limit: CallLimit,
): Promise<OwnedZnode | 'older-session' | undefined> {
  const { signal } = limit;
  try {
    const name = await findName(zk, directory, prefix, signal);
    if (name === undefined) return undefined;
    const path = childPath(directory, name);
    const stat = await untilAnswered(zk, () => zk.exists(path, { signal, timeoutMs: 0 }), signal);
    if (stat === undefined) return undefined;
    const { session } = zk;
    if (stat.ephemeralOwner === session.id && !session.signal.aborted) {
      return owned(path, stat.czxid, session);
    }
    // Its session is over, so the server will delete it; no need to wait for that.
    void deleteSurely(zk, path, session).catch(() => {});
    return 'older-session';
  } catch (error) {
    if (!signal.aborted) throw error;
    void sweep(zk, directory, prefix);
    throw limit.error;
  }
}

/** By a server that has seen everything that was committed. */
async function findName(
  zk: Client,
  directory: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const { names } = await untilAnswered(
      zk,
      () => zk.children(directory, { consistency: 'synced', signal, timeoutMs: 0 }),
      signal,
    );
    // Only the server's number may follow.
    return names.find((name) => name.startsWith(prefix));
  } catch (error) {
    if (ZkError.is(error, 'NO_NODE')) return undefined;
    throw error;
  }
}

/** Deletes what a create that nobody waits for any more may have made. */
async function sweep(zk: Client, directory: string, prefix: string): Promise<void> {
  const { session } = zk;
  await untilSessionEnds(session, async () => {
    const name = await findName(zk, directory, prefix);
    if (name !== undefined) await deleteSurely(zk, childPath(directory, name), session);
  }).catch(() => {
    // Without the right to read or to delete, the session's end is what deletes it.
  });
}

function owned(path: string, czxid: number, session: Session): OwnedZnode {
  return { path, name: path.slice(path.lastIndexOf('/') + 1), czxid, session };
}
