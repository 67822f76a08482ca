// addWatch: ustring path, int mode (0 persistent, 1 persistent recursive) -> int 0.
// Neither the znode's existence nor its ACL is looked at; events are filtered as they are sent.

import { WatchMode } from '@zebu/data-tree';
import { AddWatchMode, type ByteReader, type ByteWriter, MarshallingError } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { readPathId } from './read-znode.ts';

export function addWatch(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const { tree, watches } = context;
  const id = readPathId(tree, request);
  try {
    watches.add(id, context.slot, modeOf(request.int32()));
  } finally {
    tree.paths.release(id);
  }
  reply.int32(0);
  return 0;
}

function modeOf(mode: number): number {
  if (mode === AddWatchMode.persistent) return WatchMode.persistent;
  if (mode === AddWatchMode.persistentRecursive) return WatchMode.recursive;
  throw new MarshallingError(`Unsupported mode ${mode} of a watch`);
}
