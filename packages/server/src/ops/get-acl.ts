// getACL: ustring path -> vector<ACL> acl, Stat stat.
// READ or ADMIN on the znode; without ADMIN the hashes of digest ids are not shown.

import { type ByteReader, type ByteWriter, ErrorCode, Perms, writeAclVector } from '@zebu/protocol';
import { redactAcl } from '../auth/access-control.ts';
import type { ClientConnection } from '../connection/client-connection.ts';
import { appendStat, readZnode } from './read-znode.ts';

export function getACL(
  connection: ClientConnection,
  request: ByteReader,
  reply: ByteWriter,
): number {
  const { tree } = connection.node;
  const id = readZnode(tree, request);
  if (id === 0) return ErrorCode.NONODE;
  const aclId = tree.aclId(id);
  if (!connection.isAllowed(aclId, Perms.READ | Perms.ADMIN)) return ErrorCode.NOAUTH;
  const acl = tree.acls.aclOf(aclId);
  writeAclVector(reply, connection.isAllowed(aclId, Perms.ADMIN) ? acl : redactAcl(acl));
  appendStat(tree, id, reply);
  return 0;
}
