// getEphemerals: ustring prefixPath -> vector<ustring> ephemerals, of the calling session.
// No ACL is checked. The prefix is plain text: `/a` matches `/ab`. Null, blank and `/` match all.

import type { ByteReader, ByteWriter } from '@zebu/protocol';
import type { Session } from '@zebu/session';
import type { ReadContext } from './read-context.ts';

export function getEphemerals(
  context: ReadContext,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { ephemerals, paths } = context.tree;
  const { idHigh, idLow } = context.session as Session;
  const prefix = request.string() ?? '';
  const all = prefix.trim() === '' || prefix.trim() === '/';
  const mark = reply.offset;
  reply.int32(0);
  let count = 0;
  for (let id = ephemerals.first(idHigh, idLow); id !== 0; id = ephemerals.next(id)) {
    const path = paths.pathString(id);
    if (!all && !path.startsWith(prefix)) continue;
    reply.string(path);
    count++;
  }
  reply.patchInt32(mark, count);
  return 0;
}
