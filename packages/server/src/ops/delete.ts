// delete: ustring path, int version -> nothing.
// Checks in order: path (not special, has a parent), parent there, DELETE on the parent, znode there,
// version (-1: any), no children.

import { type ByteReader, ErrorCode, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import type { Prepare } from './op-table.ts';
import { endOfParentPath } from './parent-path.ts';

/** What nobody may delete. */
const SPECIAL = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'].map((path) =>
  Buffer.from(path),
);

export function prepareDelete(preparation: Preparation, request: ByteReader): number {
  const { bytes } = request;
  const { pending, znode, parent } = preparation;
  const length = request.skipBuffer();
  const end = request.offset;
  const start = end - length;
  const expected = request.int32();
  if (length < 0) return ErrorCode.MARSHALLINGERROR;

  const slash = parentEnd(bytes, start, end);
  if (slash < 0) return ErrorCode.BADARGUMENTS;
  const parentId = preparation.find(bytes, start, slash);
  if (parentId === 0 || !pending.load(parentId, parent)) return ErrorCode.NONODE;
  if (!preparation.isAllowed(parent.aclId, Perms.DELETE)) return ErrorCode.NOAUTH;
  const id = preparation.find(bytes, start, end);
  if (id === 0 || !pending.load(id, znode)) return ErrorCode.NONODE;
  if (expected !== -1 && expected !== znode.version) return ErrorCode.BADVERSION;
  if (znode.numChildren > 0) return ErrorCode.NOTEMPTY;

  preparation.writer.int32(length);
  preparation.writer.raw(bytes, start, end);
  pending.delete(preparation.zxid, id, parentId);
  return 0;
}

/**
 * deleteContainer of the sweep, never of a client: the path alone. The sweep looked at what is applied.
 * A write that is outstanding may replace the znode, give it a child or renew its ttl (Apache looks for
 * children alone): such a znode is left to the next sweep.
 */
export const prepareDeleteContainer: Prepare = (preparation, request) => {
  const { bytes } = request;
  const { tree, pending, znode } = preparation;
  const length = request.skipBuffer();
  const end = request.offset;
  const start = end - length;
  const slash = parentEnd(bytes, start, end);
  if (slash < 0) return ErrorCode.BADARGUMENTS;
  const parentId = preparation.find(bytes, start, slash);
  const id = preparation.find(bytes, start, end);
  if (parentId === 0 || id === 0 || !pending.load(id, znode)) return ErrorCode.NONODE;
  if (znode.numChildren > 0) return ErrorCode.NOTEMPTY;
  if (tree.paths.pending(id) !== 0) return ErrorCode.BADVERSION;
  preparation.writer.int32(length);
  preparation.writer.raw(bytes, start, end);
  pending.delete(preparation.zxid, id, parentId);
  return 0;
};

/** As endOfParentPath; also -1 for a path that nobody may delete. */
function parentEnd(bytes: Buffer, start: number, end: number): number {
  for (const special of SPECIAL) {
    if (special.length === end - start && special.compare(bytes, start, end) === 0) return -1;
  }
  return endOfParentPath(bytes, start, end);
}
