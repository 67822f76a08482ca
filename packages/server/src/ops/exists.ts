// exists: ustring path, boolean watch -> Stat stat.
// READ on the znode if there is one. The watch is set whether there is one or not.

import { WatchMode } from '@zebu/data-tree';
import { type ByteReader, type ByteWriter, ErrorCode } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { appendStat, checkRead, skipPath, watchEmptyPath } from './read-znode.ts';

export function exists(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const { tree, watches, traffic } = context;
  const { bytes } = request;
  const start = skipPath(request);
  const end = request.offset;
  const watch = request.bool();
  for (let at = start; at < end; at++) if (bytes[at] === 0) return ErrorCode.BADARGUMENTS;
  const id = tree.find(bytes, start, end);
  if (id === 0) {
    if (watch) {
      const path = tree.paths.intern(bytes, start, end);
      watches.add(path, context.slot, WatchMode.data);
      tree.paths.release(path);
    }
    return ErrorCode.NONODE;
  }
  const error = checkRead(context, id);
  if (error !== 0) return error;
  if (watch && start === end) watchEmptyPath(context, WatchMode.data);
  else if (watch) watches.add(id, context.slot, WatchMode.data);
  appendStat(tree, id, reply);
  traffic.read(id, 0);
  return 0;
}
