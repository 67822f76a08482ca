// getAllChildrenNumber: ustring path -> int totalNumber, of all descendants.
// READ on the znode itself; those below are counted whatever their ACLs.

import { type ByteReader, type ByteWriter, ErrorCode, Perms } from '@zebu/protocol';
import type { ClientConnection } from '../client-connection.ts';
import { readZnode } from './request-path.ts';

export function getAllChildrenNumber(
  connection: ClientConnection,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { tree } = connection.node;
  const id = readZnode(tree, request);
  if (id === 0) return ErrorCode.NONODE;
  if (!connection.isAllowed(tree.aclId(id), Perms.READ)) return ErrorCode.NOAUTH;
  reply.int32(tree.countDescendants(id));
  return 0;
}
