// How a read finds its znode: from the bytes of the request, without making a string.

import type { DataTree, PathId } from '@zebu/data-tree';
import { type ByteReader, MarshallingError } from '@zebu/protocol';

/** Reads a path; the znode there, or 0. A null path does not decode. */
export function readZnode(tree: DataTree, request: ByteReader): PathId {
  const length = request.bufferLength();
  if (length < 0) throw new MarshallingError('Null path');
  const start = request.offset;
  request.skip(length);
  return tree.find(request.bytes, start, start + length);
}

/**
 * Reads a path and interns it, with a use that the caller releases: for watches, which may be set
 * on paths where nothing is.
 */
export function readPathId(tree: DataTree, request: ByteReader): PathId {
  const length = request.bufferLength();
  if (length < 0) throw new MarshallingError('Null path');
  const start = request.offset;
  request.skip(length);
  return tree.paths.intern(request.bytes, start, start + length);
}
