// check, inside a multi: ustring path, int version -> nothing.
// Checks in order: path, znode there, READ on it, version (-1: any).

import { type ByteReader, ErrorCode, isValidPathBytes, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';

export function prepareCheck(preparation: Preparation, request: ByteReader): number {
  const { bytes } = request;
  const { pending, znode } = preparation;
  const length = request.skipBuffer();
  const end = request.offset;
  const start = end - length;
  const expected = request.int32();
  // A null path, whose length is -1, is no path, like an empty one.
  if (!isValidPathBytes(bytes, start, end)) return ErrorCode.BADARGUMENTS;
  const id = preparation.find(bytes, start, end);
  if (id === 0 || !pending.load(id, znode)) return ErrorCode.NONODE;
  if (!preparation.isAllowed(znode.aclId, Perms.READ)) return ErrorCode.NOAUTH;
  if (expected !== -1 && expected !== znode.version) return ErrorCode.BADVERSION;
  preparation.writer.int32(length);
  preparation.writer.raw(bytes, start, end);
  // Apache logs the version plus one; nobody reads it.
  preparation.writer.int32((znode.version + 1) | 0);
  return 0;
}
