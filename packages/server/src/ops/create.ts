// create, create2:  ustring path, buffer data, vector<ACL> acl, int flags
// createContainer:  the same
// createTTL:        the same, then long ttl ms
//
// Checks in order (PrepRequestProcessor.pRequest2TxnCreate, 3.9.5): flags, TTL switched on, ttl range,
// a parent in the path, ACL, parent there, CREATE on it, path well formed, nothing there, parent not
// ephemeral, quota. A sequential name ends in the parent's stored cversion, ten digits.

import {
  CONTAINER_OWNER_HIGH,
  CONTAINER_OWNER_LOW,
  MAX_TTL_MS,
  ttlOwnerHigh,
  ZnodeKind,
} from '@zebu/data-tree';
import { type ByteReader, CreateFlag, ErrorCode, isValidPathBytes, Perms } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import { type AclRange, skipAcl, writeFixedAcl } from './acl-fixup.ts';
import { endOfParentPath } from './parent-path.ts';
import { overQuota } from './quota-check.ts';

const TxnShape = { plain: 0, container: 1, ttl: 2 } as const;
type TxnShape = (typeof TxnShape)[keyof typeof TxnShape];

/** What is stored of a parent's counter never goes beyond. */
const LAST_SEQUENCE = 0x7fffffff;

const acl: AclRange = { start: 0, end: 0 };

export function prepareCreate(preparation: Preparation, request: ByteReader): number {
  return prepare(preparation, request, TxnShape.plain);
}

export function prepareCreateContainer(preparation: Preparation, request: ByteReader): number {
  return prepare(preparation, request, TxnShape.container);
}

export function prepareCreateTTL(preparation: Preparation, request: ByteReader): number {
  return prepare(preparation, request, TxnShape.ttl);
}

function prepare(preparation: Preparation, request: ByteReader, shape: TxnShape): number {
  const { bytes } = request;
  const pathLength = request.skipBuffer();
  const requestPathEnd = request.offset;
  const pathStart = requestPathEnd - pathLength;
  const dataLength = request.skipBuffer();
  const dataStart = request.offset - dataLength;
  skipAcl(request, acl);
  const flags = request.int32();
  const ttlMs = shape === TxnShape.ttl ? request.int64() : -1;

  if (flags < CreateFlag.persistent || flags > CreateFlag.persistentSequentialTTL) {
    return ErrorCode.BADARGUMENTS;
  }
  const isTtl = flags >= CreateFlag.persistentTTL;
  if (isTtl && !preparation.config.extendedTypesEnabled) {
    preparation.onTtlRefused();
    return ErrorCode.UNIMPLEMENTED;
  }
  // Apache accepts a negative ttl with flags that are no TTL's in a createTTL, and then dies of the
  // txn it made of it. A createTTL is for TTL znodes (docs/decisions/030-client-operations.md).
  const ttlFits = isTtl ? ttlMs > 0 && ttlMs <= MAX_TTL_MS : ttlMs < 0 && shape !== TxnShape.ttl;
  if (!ttlFits) return ErrorCode.BADARGUMENTS;

  if (pathLength < 0) return ErrorCode.MARSHALLINGERROR;
  const slash = endOfParentPath(bytes, pathStart, requestPathEnd);
  if (slash < 0) return ErrorCode.BADARGUMENTS;

  const { writer, tree, pending, znode, parent } = preparation;
  // The body is written as far as it is known, so that the whole path and the ACL lie in the entry.
  const body = writer.offset;
  writer.int32(0);
  writer.raw(bytes, pathStart, requestPathEnd);
  const parentId = preparation.find(bytes, pathStart, slash);
  const hasParent = parentId !== 0 && pending.load(parentId, parent);
  const sequential =
    flags === CreateFlag.persistentSequential ||
    flags === CreateFlag.ephemeralSequential ||
    flags === CreateFlag.persistentSequentialTTL;
  if (sequential && hasParent) {
    if (parent.cversion === LAST_SEQUENCE) {
      preparation.onSequenceEnd(tree.paths.pathString(parentId));
    }
    appendSequence(preparation, parent.cversion);
  }
  const pathEnd = writer.offset;
  writer.patchInt32(body, pathEnd - body - 4);
  writer.int32(dataLength);
  if (dataLength > 0) writer.raw(bytes, dataStart, dataStart + dataLength);
  const aclId = writeFixedAcl(preparation, request, acl);
  if (aclId === undefined) return ErrorCode.INVALIDACL;

  const error = decide();
  if (error !== 0) {
    tree.acls.release(aclId);
    return error;
  }

  const parentCversion = (parent.cversion + 1) | 0;
  const ephemeral = flags === CreateFlag.ephemeral || flags === CreateFlag.ephemeralSequential;
  if (shape === TxnShape.plain) writer.bool(ephemeral);
  writer.int32(parentCversion);
  if (shape === TxnShape.ttl) writer.int64(ttlMs);

  const id = tree.paths.intern(writer.bytes, body + 4, pathEnd);
  let ownerHigh = 0;
  let ownerLow = 0;
  if (shape === TxnShape.container) {
    ownerHigh = CONTAINER_OWNER_HIGH;
    ownerLow = CONTAINER_OWNER_LOW;
  } else if (shape === TxnShape.ttl) {
    ownerHigh = ttlOwnerHigh(Math.floor(ttlMs / 0x1_0000_0000));
    ownerLow = ttlMs | 0;
  } else if (ephemeral) {
    ownerHigh = preparation.requester.idHigh;
    ownerLow = preparation.requester.idLow;
  }
  pending.create({
    zxid: preparation.zxid,
    timeMs: preparation.timeMs,
    id,
    parentId,
    parentCversion,
    bytes: writer.bytes,
    dataStart: pathEnd + 4,
    dataLength,
    aclId,
    ownerHigh,
    ownerLow,
  });
  return 0;

  function decide(): number {
    if (!hasParent) return ErrorCode.NONODE;
    if (!preparation.isAllowed(parent.aclId, Perms.CREATE)) return ErrorCode.NOAUTH;
    if (!isValidPathBytes(writer.bytes, body + 4, pathEnd)) return ErrorCode.BADARGUMENTS;
    const existing = tree.paths.find(writer.bytes, body + 4, pathEnd);
    if (existing !== 0 && pending.load(existing, znode)) return ErrorCode.NODEEXISTS;
    if (parent.kind === ZnodeKind.ephemeral) return ErrorCode.NOCHILDRENFOREPHEMERALS;
    // The new znode's own path may be the quota path; then it is interned already.
    const counted = existing !== 0 ? existing : parentId;
    if (overQuota(preparation, counted, Math.max(dataLength, 0), 1)) {
      return ErrorCode.QUOTAEXCEEDED;
    }
    return 0;
  }
}

/** `%010d`: a counter past 2^31 is negative and keeps the width of ten. */
function appendSequence(preparation: Preparation, cversion: number): void {
  const digits =
    cversion < 0 ? `-${String(-cversion).padStart(9, '0')}` : String(cversion).padStart(10, '0');
  const { writer } = preparation;
  writer.ensure(digits.length);
  for (let i = 0; i < digits.length; i++) {
    writer.bytes[writer.offset++] = digits.charCodeAt(i);
  }
}
