// Deletes a znode with all below it.

import { askAll, type Target } from './ask-all.ts';
import { type OnProgress, writeDelete } from './data-set.ts';
import { PlainSession } from './plain-session.ts';
import type { Address } from './server-info.ts';

/** It is no failure when there is nothing to delete. */
export async function deleteTree(
  target: Target,
  path: string,
  onProgress?: OnProgress,
): Promise<void> {
  const report = (done: number, total: number) => onProgress?.(`deleting ${path}`, done, total);
  const deleteAll = (names: readonly string[]) =>
    askAll(
      target,
      { count: names.length, onProgress: (done) => report(done, names.length) },
      (writer, index) => writeDelete(writer, `${path}/${names[index]}`),
    );
  // Most znodes have no children: delete all at once, then descend only into those that could not be deleted.
  await deleteAll(await childrenOf(target, path));
  const left = await childrenOf(target, path);
  for (const [index, name] of left.entries()) {
    report(index, left.length);
    await deleteTree(target, `${path}/${name}`);
  }
  await askAll(target, { count: 1 }, (writer) => writeDelete(writer, path));
}

/** A session for each listing: one that waits for the deletes in between might expire. */
async function childrenOf(target: Target, path: string): Promise<string[]> {
  const session = await PlainSession.open(target.addresses[0] as Address);
  try {
    return (await session.children(path)) ?? [];
  } finally {
    await session.close();
  }
}
