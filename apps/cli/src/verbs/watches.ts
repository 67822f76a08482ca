// Watches that stay: addWatch and removewatches.

import type { WatchKind } from '../cli-session.ts';
import { usage } from '../command-error.ts';
import type { Run } from '../verb.ts';

export const addWatch: Run = async ({ words, out, zk, session, verb }) => {
  const [path] = words.operands as [string];
  const mode = (words.value('-m') ?? 'PERSISTENT_RECURSIVE').toUpperCase();
  if (mode !== 'PERSISTENT' && mode !== 'PERSISTENT_RECURSIVE') {
    throw usage(`There is no mode ${mode}: addWatch ${verb.synopsis}`);
  }
  const stream = await zk.watch(path, { recursive: mode === 'PERSISTENT_RECURSIVE' });
  session.holdStream(stream);
  if (out.isJson) out.value({ path, mode });
  return undefined;
};

const KINDS: Readonly<Record<string, readonly WatchKind[]>> = {
  '-c': ['children'],
  '-d': ['data'],
  '-p': ['persistent'],
  '-r': ['recursive'],
  '-a': ['children', 'data', 'persistent', 'recursive'],
};

export const removewatches: Run = async ({ words, out, session }) => {
  const [path] = words.operands as [string];
  const flag = Object.keys(KINDS).find((one) => words.has(one)) ?? '-a';
  await session.removeWatches(path, KINDS[flag] as readonly WatchKind[]);
  if (out.isJson) out.value({ path, removed: true });
  return undefined;
};
