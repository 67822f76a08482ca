// A subtree, znode by znode: parents before their children, children by name. The order is the same on every walk, and
// is what export, import, diff and a resumed export rely on. Reads ahead, so that a walk is not one round trip after
// another, but holds only so much of what it has read.

import { type Client, type Stat, ZkError } from '@zebu/client';

export interface WalkedZnode<T> {
  readonly path: string;
  readonly stat: Stat;
  readonly depth: number;
  /** Nothing follows it among its parent's children. */
  readonly isLast: boolean;
  readonly value: T;
}

export interface WalkOptions<T> {
  /** What to read of each znode. Must give its Stat. Rejects with NO_NODE for one that is gone. */
  readonly read: (path: string) => Promise<{ stat: Stat; value: T; bytes: number }>;
  /** Below these it does not go, nor does it yield them. */
  readonly leaveOut?: ((path: string) => boolean) | undefined;
  readonly maxDepth?: number | undefined;
  /** Begins after this znode, which an earlier walk of the same root has yielded last. */
  readonly after?: string | undefined;
  readonly signal: AbortSignal;
}

/** Znodes that are read before their turn, and the bytes of data that these may hold. */
const AHEAD = 64;
const AHEAD_BYTES = 8 * 1024 * 1024;

interface Entry<T> {
  readonly path: string;
  readonly depth: number;
  readonly isLast: boolean;
  /** Was yielded by an earlier walk: only its children count. */
  readonly isPassed: boolean;
  reading: Promise<Read<T>> | undefined;
}

interface Read<T> {
  /** Undefined when the znode is gone. */
  readonly znode: { stat: Stat; value: T; bytes: number } | undefined;
  readonly error: unknown;
  readonly names: readonly string[];
}

export async function* walk<T>(
  zk: Client,
  root: string,
  options: WalkOptions<T>,
): AsyncGenerator<WalkedZnode<T>, void, void> {
  const { read, leaveOut, after, signal, maxDepth = Number.POSITIVE_INFINITY } = options;
  let held = 0;
  let heldBytes = 0;
  const fetch = async (entry: Entry<T>): Promise<Read<T>> => {
    held += 1;
    try {
      const znode = await read(entry.path);
      heldBytes += znode.bytes;
      const mayHaveMore = entry.depth < maxDepth && znode.stat.numChildren > 0;
      const names = mayHaveMore ? (await zk.children(entry.path)).names : [];
      return { znode, error: undefined, names };
    } catch (error) {
      return { znode: undefined, error, names: [] };
    }
  };
  // The next znode is the last element.
  const stack: Entry<T>[] = [
    {
      path: root,
      depth: 0,
      isLast: true,
      isPassed: after !== undefined && isAtOrAbove(root, after),
      reading: undefined,
    },
  ];
  for (;;) {
    for (let at = stack.length - 1; at >= Math.max(0, stack.length - AHEAD); at--) {
      const entry = stack[at] as Entry<T>;
      if (entry.reading !== undefined) continue;
      // The next one is always read, however much is held: its children come before what is held.
      if (at < stack.length - 1 && (held >= AHEAD || heldBytes >= AHEAD_BYTES)) break;
      entry.reading = fetch(entry);
    }
    const entry = stack.pop();
    if (entry === undefined) return;
    const { znode, error, names } = await (entry.reading as Promise<Read<T>>);
    held -= 1;
    signal.throwIfAborted();
    if (znode === undefined) {
      // Deleted after it was listed. Of the root that is what the user must know.
      if (entry.depth > 0 && ZkError.is(error, 'NO_NODE')) continue;
      throw error;
    }
    heldBytes -= znode.bytes;
    const children = [...names]
      .filter((name) => leaveOut?.(childPath(entry.path, name)) !== true)
      .sort();
    for (let at = children.length - 1; at >= 0; at--) {
      const path = childPath(entry.path, children[at] as string);
      if (after !== undefined && comparePaths(path, after) < 0 && !isAtOrAbove(path, after))
        continue;
      const isPassed = after !== undefined && isAtOrAbove(path, after);
      const isLast = at === children.length - 1;
      stack.push({ path, depth: entry.depth + 1, isLast, isPassed, reading: undefined });
    }
    if (entry.isPassed) continue;
    const { path, depth, isLast } = entry;
    yield { path, depth, isLast, stat: znode.stat, value: znode.value };
  }
}

/** Reads no data: for walks that need the Stat alone. */
export function statReader(zk: Client): WalkOptions<undefined>['read'] {
  return async (path) => {
    const stat = await zk.exists(path);
    if (stat === undefined) {
      throw new ZkError('NO_NODE', { op: 'exists', path, outcome: 'failed', errno: -101 });
    }
    return { stat, value: undefined, bytes: 0 };
  };
}

export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** The order of the walk: element by element, so that /a/b comes before /a-c. */
export function comparePaths(a: string, b: string): number {
  const left = a === '/' ? [] : a.split('/');
  const right = b === '/' ? [] : b.split('/');
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) {
    const one = left[i] as string;
    const other = right[i] as string;
    if (one !== other) return one < other ? -1 : 1;
  }
  return left.length - right.length;
}

export function isAtOrAbove(path: string, below: string): boolean {
  return path === below || path === '/' || below.startsWith(`${path}/`);
}
