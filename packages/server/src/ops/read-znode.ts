// What reads share: finding the znode from the bytes of the request, without making a string; whether it
// may be read; and its Stat.

import type { DataTree, PathId } from '@zebu/data-tree';
import {
  type ByteReader,
  type ByteWriter,
  ErrorCode,
  MarshallingError,
  Perms,
  STAT_BYTES,
} from '@zebu/protocol';
import type { ReadContext } from './read-context.ts';

/** Reads a path; the znode there, or 0. */
export function readZnode(tree: DataTree, request: ByteReader): PathId {
  const start = passPath(request);
  return tree.find(request.bytes, start, request.offset);
}

/**
 * Reads a path and interns it, with a use that the caller releases: for watches, which may be set
 * on paths where nothing is.
 */
export function readPathId(tree: DataTree, request: ByteReader): PathId {
  const start = passPath(request);
  return tree.paths.intern(request.bytes, start, request.offset);
}

/** Moves behind a path; where its bytes start. A null path does not decode. */
function passPath(request: ByteReader): number {
  const length = request.bufferLength();
  if (length < 0) throw new MarshallingError('Null path');
  const start = request.offset;
  request.skip(length);
  return start;
}

/** The checks of a read: NONODE for id 0, NOAUTH without READ on the znode, else 0. */
export function checkRead(context: ReadContext, id: PathId): number {
  if (id === 0) return ErrorCode.NONODE;
  return context.isAllowed(context.tree.aclId(id), Perms.READ) ? 0 : ErrorCode.NOAUTH;
}

/** Appends the Stat of a znode. */
export function appendStat(tree: DataTree, id: PathId, reply: ByteWriter): void {
  reply.ensure(STAT_BYTES);
  tree.copyStat(id, reply.bytes, reply.offset);
  reply.offset += STAT_BYTES;
}
