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
  const start = skipPath(request);
  return tree.find(request.bytes, start, request.offset);
}

/**
 * Reads a path and interns it, with a use that the caller releases: for watches, which may be set
 * on paths where nothing is. The empty path is what watchEmptyPath() makes of it.
 */
export function readPathId(tree: DataTree, request: ByteReader): PathId {
  const start = skipPath(request);
  const { bytes, offset } = request;
  return start === offset
    ? tree.paths.intern(NO_ZNODE, 0, NO_ZNODE.length)
    : tree.paths.intern(bytes, start, offset);
}

/**
 * Sets a watch on the empty path, which reads as the root. Apache keeps such a watch under the empty path, where no
 * event ever looks (DataTree.nodes has the root by both names, its watch tables have not). Here it is kept
 * under a path that no znode can have.
 */
export function watchEmptyPath({ tree, watches, slot }: ReadContext, mode: number): void {
  const id = tree.paths.intern(NO_ZNODE, 0, NO_ZNODE.length);
  watches.add(id, slot, mode);
  tree.paths.release(id);
}

/** Whether the path whose length stood at `start`, and which has just been read, is empty. */
export function wasEmptyPath(request: ByteReader, start: number): boolean {
  return request.offset === start + 4;
}

const NO_ZNODE = Buffer.from('.');

/** Moves past a path; returns where its bytes start. Throws MarshallingError for a null path. */
export function skipPath(request: ByteReader): number {
  const length = request.skipBuffer();
  if (length < 0) throw new MarshallingError('Null path');
  return request.offset - length;
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
