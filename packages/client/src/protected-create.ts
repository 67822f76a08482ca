// A create that is found again when its reply was lost. The server chooses the name of a sequential znode: a client
// that does not hear the reply does not know which one it has made, and a second try would make another.
//
// The name is Curator's, `_c_<id>-name`, so that its recipes and ours understand each other's znodes.

import { SessionExpiredError, ZkError } from './errors.ts';
import { type Created, createdFrom } from './multi.ts';
import type { Session } from './session.ts';
import type { Stat } from './stat.ts';

/** What this needs of a client. */
export interface ProtectedCalls {
  create(path: string): Promise<Created>;
  /** By a server that has seen everything that was committed. */
  children(path: string): Promise<readonly string[]>;
  exists(path: string): Promise<Stat | undefined>;
  session(): Session;
}

/** `/locks/lock-` with the id in it: `/locks/_c_<id>-lock-`. */
export function protectedPath(path: string, id: string): string {
  const slash = path.lastIndexOf('/');
  return `${path.slice(0, slash + 1)}_c_${id}-${path.slice(slash + 1)}`;
}

/** 128 random bits, as a UUID is written. */
export function protectionId(random: () => number): string {
  const hex = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * Creates until it is known what came of it. `path` holds the id. An ephemeral znode is of one session: if that ends
 * before the outcome is known, so does the znode, and this rejects with SESSION_EXPIRED, unless the create waited for
 * the next session and the znode is of that one.
 */
export async function createProtected(
  calls: ProtectedCalls,
  path: string,
  isEphemeral: boolean,
): Promise<Created> {
  const session = calls.session();
  for (;;) {
    try {
      return await calls.create(path);
    } catch (error) {
      if (!ZkError.is(error, 'CONNECTION_LOSS') || error.outcome !== 'unknown') throw error;
    }
    const found = await find(calls, path);
    const now = calls.session();
    // A create that waited while the session ended was sent in the next one: whose the znode is, it says itself.
    const isOfEnded = isEphemeral && now !== session && found?.stat.ephemeralOwner !== now.id;
    if (isOfEnded) {
      throw new SessionExpiredError('server', { op: 'create', path, outcome: 'failed' });
    }
    if (found !== undefined) return found;
  }
}

async function find(calls: ProtectedCalls, path: string): Promise<Created | undefined> {
  const slash = path.lastIndexOf('/');
  const parent = path.slice(0, slash) || '/';
  const prefix = path.slice(slash + 1);
  let names: readonly string[];
  try {
    names = await calls.children(parent);
  } catch (error) {
    // The next create says so, too.
    if (ZkError.is(error, 'NO_NODE')) return undefined;
    throw error;
  }
  // Only the server's number may follow.
  const name = names.find((one) => one.startsWith(prefix));
  if (name === undefined) return undefined;
  const created = path.slice(0, slash + 1) + name;
  const stat = await calls.exists(created);
  return stat && createdFrom(path, created, stat, calls.session());
}
