// setACL: ustring path, vector<ACL> acl, int version (of the ACL) -> Stat stat.
// Checks in order: path, ACL, znode there, ADMIN on it, aversion (-1: any).

import { type ByteReader, ErrorCode, isValidPathBytes, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import { type AclRange, skipAcl, writeFixedAcl } from './acl-fixup.ts';

const acl: AclRange = { start: 0, end: 0 };

export function prepareSetACL(preparation: Preparation, request: ByteReader): number {
  const { bytes } = request;
  const { writer, tree, pending, znode } = preparation;
  const pathLength = request.skipBuffer();
  const end = request.offset;
  const start = end - pathLength;
  skipAcl(request, acl);
  const expected = request.int32();

  // A null path, whose length is -1, is no path, like an empty one.
  if (!isValidPathBytes(bytes, start, end)) return ErrorCode.BADARGUMENTS;
  writer.int32(pathLength);
  writer.raw(bytes, start, end);
  const aclId = writeFixedAcl(preparation, request, acl);
  if (aclId === undefined) return ErrorCode.INVALIDACL;
  const id = preparation.find(bytes, start, end);
  const error =
    id === 0 || !pending.load(id, znode)
      ? ErrorCode.NONODE
      : !preparation.isAllowed(znode.aclId, Perms.ADMIN)
        ? ErrorCode.NOAUTH
        : expected !== -1 && expected !== znode.aversion
          ? ErrorCode.BADVERSION
          : 0;
  if (error !== 0) {
    tree.acls.release(aclId);
    return error;
  }
  const aversion = (znode.aversion + 1) | 0;
  writer.int32(aversion);
  pending.setAcl(preparation.zxid, id, aclId, aversion);
  return 0;
}
