// getData: ustring path, boolean watch -> buffer data, Stat stat.
// READ on the znode. The watch is set only where there is a znode.

import { type PathId, WatchMode } from '@zebu/data-tree';
import { type ByteReader, type ByteWriter, STAT_BYTES } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { checkRead, readZnode, wasEmptyPath, watchEmptyPath } from './read-znode.ts';

export function getData(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const start = request.offset;
  const id = readZnode(context.tree, request);
  const isEmpty = wasEmptyPath(request, start);
  const watch = request.bool();
  const error = readData(context, id, watch && !isEmpty, reply);
  if (error === 0 && watch && isEmpty) watchEmptyPath(context, WatchMode.data);
  return error;
}

/** The part that getData and multiRead share. */
export function readData(
  context: ReadContext,
  id: PathId,
  watch: boolean,
  reply: ByteWriter,
): number {
  const { tree, watches, traffic } = context;
  const error = checkRead(context, id);
  if (error !== 0) return error;
  if (watch) watches.add(id, context.slot, WatchMode.data);
  reply.ensure(4 + tree.dataLength(id) + STAT_BYTES);
  const at = reply.offset + tree.copyData(id, reply.bytes, reply.offset);
  tree.copyStat(id, reply.bytes, at);
  reply.offset = at + STAT_BYTES;
  traffic.read(id, tree.dataLength(id));
  return 0;
}
