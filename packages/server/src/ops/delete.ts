// delete: ustring path, int version -> nothing.
// Checks in order: path (not special, has a parent), parent there, DELETE on the parent, znode there,
// version (-1: any), no children.

import { type ByteReader, ErrorCode, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import type { Prepare } from './op-table.ts';

const SLASH = 0x2f;
/** What nobody may delete. */
const SPECIAL = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'].map((path) =>
  Buffer.from(path),
);

export function prepareDelete(preparation: Preparation, request: ByteReader): number {
  const { bytes } = request;
  const { pending, znode, parent } = preparation;
  const length = request.bufferLength();
  const start = request.offset;
  if (length > 0) request.skip(length);
  const expected = request.int32();
  if (length < 0) return ErrorCode.MARSHALLINGERROR;
  const end = start + length;

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
 * A znode with a write in the works may be another by then, get a child, or get its ttl anew (Apache
 * looks for children alone): it is left to the next sweep.
 */
export const prepareDeleteContainer: Prepare = (preparation, request) => {
  const { bytes } = request;
  const { tree, pending, znode } = preparation;
  const length = request.bufferLength();
  const start = request.offset;
  request.skip(length);
  const end = start + length;
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

/** Where the parent's path ends; -1 for a special path, one without a slash or with a NUL in it. */
function parentEnd(bytes: Buffer, start: number, end: number): number {
  let slash = -1;
  for (let at = start; at < end; at++) {
    if (bytes[at] === SLASH) slash = at;
    else if (bytes[at] === 0) return -1;
  }
  for (const special of SPECIAL) {
    if (special.length === end - start && special.compare(bytes, start, end) === 0) {
      return -1;
    }
  }
  return slash;
}
