// setData: ustring path, buffer data, int version -> Stat stat.
// Checks in order: path, znode there, WRITE on it, quota, version (-1: any).

import { type ByteReader, ErrorCode, isValidPathBytes, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import { overQuota } from './quota-check.ts';

export function prepareSetData(preparation: Preparation, request: ByteReader): number {
  const { bytes } = request;
  const { writer, pending, znode } = preparation;
  const bodyStart = request.offset;
  const pathLength = request.skipBuffer();
  const pathEnd = request.offset;
  const pathStart = pathEnd - pathLength;
  const dataLength = request.skipBuffer();
  const bodyEnd = request.offset;
  const expected = request.int32();

  // A null path, whose length is -1, is no path, like an empty one.
  if (!isValidPathBytes(bytes, pathStart, pathEnd)) return ErrorCode.BADARGUMENTS;
  const id = preparation.find(bytes, pathStart, pathEnd);
  if (id === 0 || !pending.load(id, znode)) return ErrorCode.NONODE;
  if (!preparation.isAllowed(znode.aclId, Perms.WRITE)) return ErrorCode.NOAUTH;
  if (overQuota(preparation, id, Math.max(dataLength, 0) - znode.dataLength, 0)) {
    return ErrorCode.QUOTAEXCEEDED;
  }
  if (expected !== -1 && expected !== znode.version) return ErrorCode.BADVERSION;

  const version = (znode.version + 1) | 0;
  // Path and data stand in the request as they stand in the txn.
  const dataStart = writer.offset + (bodyEnd - bodyStart) - dataLength;
  writer.raw(bytes, bodyStart, bodyEnd);
  writer.int32(version);
  pending.setData({
    zxid: preparation.zxid,
    timeMs: preparation.timeMs,
    id,
    bytes: writer.bytes,
    dataStart,
    dataLength,
    version,
  });
  return 0;
}
