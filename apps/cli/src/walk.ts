// A subtree, znode by znode: parents before their children, children by name. The order is the same on every walk, and
// is what export, import, diff and a resumed export rely on. Reads ahead, so that a walk is not one round trip after
// another, but holds only so much of what it has read. What the user may not read stops it, unless the caller wants to
// hear of it: then the walk goes on with what comes after.

import { type Client, type Stat, ZkError } from '@zebu/client';
import { isRefusal } from './refusals.ts';

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
  /**
   * Called in the place of a znode below the root that may not be read: it and all below it are passed over; or after
   * one whose children may not be listed. Without this the walk rejects.
   */
  readonly refused?: ((path: string, error: unknown) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Znodes that are read before their turn, and the bytes of data that these may hold. */
const AHEAD = 64;
const AHEAD_BYTES = 8 * 1024 * 1024;
/** What a znode is taken to hold before any was read: a walk begins with a few at a time. */
const FIRST_GUESS_BYTES = 512 * 1024;
/** Each znode that is read moves the guess by this part. */
const GUESS_WEIGHT = 1 / 8;

interface Read<T> {
  /** Undefined when it could not be read. */
  readonly znode: { stat: Stat; value: T; bytes: number } | undefined;
  /** Of reading it or, where there is a znode, of listing its children. */
  readonly error: unknown;
  readonly names: readonly string[];
}

/** The children of one znode, of which the first `next` were visited. */
interface Level<T> {
  readonly parent: string;
  readonly names: readonly string[];
  next: number;
  /** Of names[next], names[next + 1] and so on: what is read before its turn. */
  readonly ahead: Promise<Read<T>>[];
}

export async function* walk<T>(
  zk: Client,
  root: string,
  options: WalkOptions<T>,
): AsyncGenerator<WalkedZnode<T>, void, void> {
  const { read, leaveOut, after, refused, signal } = options;
  const { maxDepth = Number.POSITIVE_INFINITY } = options;
  let held = 0;
  let heldBytes = 0;
  // Their bytes are not known before their answers come: each counts as what those before it held.
  let unanswered = 0;
  let guessBytes = FIRST_GUESS_BYTES;
  const fetch = async (path: string, depth: number): Promise<Read<T>> => {
    held += 1;
    unanswered += 1;
    let znode: Read<T>['znode'];
    try {
      znode = await read(path).finally(() => {
        unanswered -= 1;
      });
      heldBytes += znode.bytes;
      guessBytes += (znode.bytes - guessBytes) * GUESS_WEIGHT;
      const mayHaveMore = depth < maxDepth && znode.stat.numChildren > 0;
      const names = mayHaveMore ? (await zk.children(path)).names : [];
      return { znode, error: undefined, names };
    } catch (error) {
      return { znode, error, names: [] };
    }
  };
  // From the root down to where the walk is; the root is the only child of a level without a parent. A level holds
  // names alone: paths of 100,000 children, made before their turn, would be most of the memory.
  const levels: Level<T>[] = [{ parent: '', names: [root], next: 0, ahead: [] }];
  const pathIn = (level: Level<T>, index: number): string => {
    const name = level.names[index] as string;
    return level.parent === '' ? name : childPath(level.parent, name);
  };
  for (;;) {
    const level = levels.at(-1);
    if (level === undefined) return;
    if (level.next === level.names.length) {
      levels.pop();
      continue;
    }
    const depth = levels.length - 1;
    const left = level.names.length - level.next;
    // The next one is always read, however much is held: its children come before what is held.
    while (
      level.ahead.length === 0 ||
      (level.ahead.length < left &&
        held < AHEAD &&
        heldBytes + unanswered * guessBytes < AHEAD_BYTES)
    ) {
      level.ahead.push(fetch(pathIn(level, level.next + level.ahead.length), depth));
    }
    const path = pathIn(level, level.next);
    const isLast = left === 1;
    level.next += 1;
    const { znode, error, names } = await (level.ahead.shift() as Promise<Read<T>>);
    held -= 1;
    if (znode !== undefined) heldBytes -= znode.bytes;
    signal.throwIfAborted();
    const isRefused = refused !== undefined && depth > 0 && isRefusal(error);
    if (error !== undefined && !isRefused) {
      // Deleted after it was listed. Of the root that is what the user must know.
      if (depth > 0 && ZkError.is(error, 'NO_NODE')) continue;
      throw error;
    }
    if (znode === undefined) {
      refused?.(path, error);
      continue;
    }
    const children = names.filter((name) => {
      const child = childPath(path, name);
      if (leaveOut?.(child) === true) return false;
      return after === undefined || comparePaths(child, after) >= 0 || isAtOrAbove(child, after);
    });
    if (children.length > 0) {
      levels.push({ parent: path, names: children.sort(), next: 0, ahead: [] });
    }
    // Yielded by the earlier walk: only its children count.
    if (after !== undefined && isAtOrAbove(path, after)) continue;
    yield { path, stat: znode.stat, depth, isLast, value: znode.value };
    if (isRefused) refused?.(path, error);
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
