// getAllChildrenNumber: ustring path -> int totalNumber, of all descendants.
// READ on the znode itself; those below are counted whatever their ACLs.

import type { ByteReader, ByteWriter } from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';
import { checkRead, readZnode } from './read-znode.ts';

export function getAllChildrenNumber(
  context: ReadContext,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { tree } = context;
  const id = readZnode(tree, request);
  const error = checkRead(context, id);
  if (error !== 0) return error;
  reply.int32(tree.countDescendants(id));
  return 0;
}
