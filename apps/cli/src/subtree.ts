// A subtree as the entries of an export, with paths below its root. What may not be read is an entry of its own kind.

import type { Client } from '@zebu/client';
import { type Contents, contentsReader } from './contents.ts';
import type { Entry, EntryTimes, LeftOut } from './export-file.ts';
import { ownerOf } from './owner.ts';
import { refusalText } from './refusals.ts';
import { childPath, walk } from './walk.ts';

export async function* subtree(
  zk: Client,
  root: string,
  options: {
    readonly signal: AbortSignal;
    readonly keepsAcl?: boolean;
    /** As in walk(), below the root. */
    readonly after?: string | undefined;
  },
): AsyncGenerator<(Entry & EntryTimes) | LeftOut, void, void> {
  const { signal, keepsAcl = true, after } = options;
  const read = contentsReader(zk, keepsAcl);
  // Servers make /zookeeper themselves.
  const leaveOut = root === '/' ? (path: string) => path === '/zookeeper' : undefined;
  const from = after === undefined ? undefined : above(root, after);
  const leftOut: LeftOut[] = [];
  const refused = (path: string, error: unknown): void => {
    leftOut.push({ leftOut: below(root, path), why: refusalText(error) });
  };
  for await (const { path, stat, value } of walk<Contents>(zk, root, {
    read,
    leaveOut,
    after: from,
    refused,
    signal,
  })) {
    yield* leftOut.splice(0);
    const { version, ctime, mtime } = stat;
    yield { path: below(root, path), ...value, owner: ownerOf(stat), version, ctime, mtime };
  }
  yield* leftOut;
}

/** "/app/a" below "/app" is "/a"; "/app" itself is "/". */
function below(root: string, path: string): string {
  if (root === '/') return path;
  return path === root ? '/' : path.slice(root.length);
}

/** The way back. */
export function above(root: string, path: string): string {
  return path === '/' ? root : childPath(root, path.slice(1));
}
