// getACL: ustring path -> vector<ACL> acl, Stat stat.
// READ or ADMIN on the znode; without ADMIN the hashes of digest ids are not shown.

import { type ByteReader, type ByteWriter, ErrorCode, Perms, writeAclVector } from '@zebu/protocol';
import { redactAcl } from '../auth/access-control.ts';
import type { ReadContext } from './read-context.ts';
import { appendStat, readZnode } from './read-znode.ts';

export function getACL(context: ReadContext, request: ByteReader, reply: ByteWriter): number {
  const { tree } = context;
  const id = readZnode(tree, request);
  if (id === 0) return ErrorCode.NONODE;
  const aclId = tree.aclId(id);
  if (!context.isAllowed(aclId, Perms.READ | Perms.ADMIN)) return ErrorCode.NOAUTH;
  const acl = tree.acls.aclOf(aclId);
  writeAclVector(reply, context.isAllowed(aclId, Perms.ADMIN) ? acl : redactAcl(acl));
  appendStat(tree, id, reply);
  return 0;
}
