// multi: creates, deletes, setDatas and checks that happen together or not at all.
//
// Txn: vector<Txn { int type, buffer body }>. When a part fails, the parts before it stay as they
// were prepared, it and those after it become error txns, and the whole has no effect when applied;
// the reply header's error is then still 0 and each part tells its own. A request that does not
// decode, to its end, fails as a whole. Source: PrepRequestProcessor.pRequestHelper (3.9.5).

import { skipAclVector } from '@zebu/data-tree';
import { type ByteReader, CreateFlag, ErrorCode, MarshallingError, OpCode } from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';
import { prepareCheck } from './check.ts';
import { prepareCreate, prepareCreateContainer, prepareCreateTTL } from './create.ts';
import { prepareDelete } from './delete.ts';
import type { Prepare } from './op-table.ts';
import { prepareSetData } from './set-data.ts';

export function prepareMulti(preparation: Preparation, request: ByteReader): number {
  const { writer, pending } = preparation;
  const { bytes, end } = request;
  const first = request.offset;
  const count = countParts(request);
  request.reset(bytes, first, end);

  const mark = pending.mark();
  let failed = false;
  writer.int32(count);
  for (let part = 0; part < count; part++) {
    const type = request.int32();
    request.skip(5);
    const partEnd = endOfPart(request, type);
    const txnType = txnTypeOf(request, type, partEnd);
    const at = writer.offset;
    writer.int32(txnType);
    writer.int32(0);
    let error: number = ErrorCode.RUNTIMEINCONSISTENCY;
    if (!failed) {
      const offset = request.offset;
      error = prepareOf(txnType)(preparation, request);
      request.reset(bytes, offset, end);
      if (error === ErrorCode.MARSHALLINGERROR) throw new MarshallingError('Null path in a multi');
      if (error !== 0) {
        failed = true;
        pending.rollback(mark);
      }
    }
    if (error !== 0) {
      writer.offset = at;
      writer.int32(OpCode.error);
      writer.int32(0);
      writer.int32(error);
    }
    writer.patchInt32(at + 4, writer.offset - at - 8);
    request.reset(bytes, partEnd, end);
  }
  return 0;
}

/** Reads the whole request once: how many parts, or MarshallingError where Apache has one. */
function countParts(request: ByteReader): number {
  const { bytes, end } = request;
  for (let count = 0; ; count++) {
    const type = request.int32();
    const done = request.bool();
    request.skip(4);
    if (done) return count;
    request.reset(bytes, endOfPart(request, type), end);
  }
}

/** Checks that a part decodes; the offset after it. Leaves the reader where it was. */
function endOfPart(request: ByteReader, type: number): number {
  const start = request.offset;
  // Wherever it stands: Apache notes the changes pending for every path before it begins.
  if (request.skipBuffer() < 0) throw new MarshallingError('Null path in a multi');
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL: {
      request.skipBuffer();
      const entries = skipAclVector(request);
      const flags = request.int32();
      if (type === OpCode.createTTL) {
        request.skip(8);
        break;
      }
      // CreateOptions takes no null ACL and no TTL's flags without a ttl.
      if (entries < 0) throw new MarshallingError('Null ACL in a multi');
      if (flags < CreateFlag.persistent || flags >= CreateFlag.persistentTTL) {
        throw new MarshallingError(`Invalid create flags ${flags} in a multi`);
      }
      break;
    }
    case OpCode.setData:
      request.skipBuffer();
      request.skip(4);
      break;
    case OpCode.delete:
    case OpCode.check:
      request.skip(4);
      break;
    default:
      throw new MarshallingError(`Invalid type ${type} in a multi`);
  }
  const end = request.offset;
  request.offset = start;
  return end;
}

/**
 * The flags of a create say more than its type: those of a container make it one, and a createTTL without
 * those of a TTL is a create whose ttl is not looked at (MultiOperationRecord.deserialize, Op.create).
 */
function txnTypeOf(request: ByteReader, type: number, partEnd: number): number {
  if (type !== OpCode.create && type !== OpCode.create2 && type !== OpCode.createTTL) return type;
  const start = request.offset;
  request.offset = partEnd - (type === OpCode.createTTL ? 12 : 4);
  const flags = request.int32();
  request.offset = start;
  if (flags === CreateFlag.container) return OpCode.createContainer;
  const isTtl = flags === CreateFlag.persistentTTL || flags === CreateFlag.persistentSequentialTTL;
  return type === OpCode.createTTL && !isTtl ? OpCode.create : type;
}

function prepareOf(type: number): Prepare {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
      return prepareCreate;
    case OpCode.createContainer:
      return prepareCreateContainer;
    case OpCode.createTTL:
      return prepareCreateTTL;
    case OpCode.delete:
      return prepareDelete;
    case OpCode.setData:
      return prepareSetData;
    default:
      return prepareCheck;
  }
}
