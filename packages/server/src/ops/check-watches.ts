// checkWatches, removeWatches: ustring path, int type -> nothing, or NOWATCHER.
// Types: 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive. Of this connection only.

import { type ByteReader, ErrorCode, MarshallingError, WatcherType } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { readPathId } from './read-znode.ts';

export function checkWatches(context: ReadContext, request: ByteReader): number {
  const { watches } = context;
  return onWatch(context, request, (id, type) => watches.has(id, context.slot, type));
}

export function removeWatches(context: ReadContext, request: ByteReader): number {
  const { watches } = context;
  return onWatch(context, request, (id, type) => watches.remove(id, context.slot, type));
}

function onWatch(
  context: ReadContext,
  request: ByteReader,
  found: (id: number, type: number) => boolean,
): number {
  const { tree } = context;
  const id = readPathId(tree, request);
  try {
    return found(id, typeOf(request.int32())) ? 0 : ErrorCode.NOWATCHER;
  } finally {
    tree.paths.release(id);
  }
}

function typeOf(type: number): number {
  if (type < WatcherType.children || type > WatcherType.persistentRecursive) {
    throw new MarshallingError(`Unsupported type ${type} of a watcher`);
  }
  return type;
}
