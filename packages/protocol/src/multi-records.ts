// multi and multiRead: a sequence of records, each after a MultiHeader, without a count.
//
// MultiHeader (9 bytes): int type, boolean done, int err
// Request:   { MultiHeader(type, false, -1), record }*  MultiHeader(-1, true, -1)
// Response:  { MultiHeader(type, false, 0), result | MultiHeader(-1, false, err), int err }*
//            MultiHeader(-1, true, -1)
// Source: MultiOperationRecord and MultiResponse (3.9.5).

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { MarshallingError } from './errors.ts';
import { OpCode } from './op-codes.ts';
import {
  type CreateRequest,
  type CreateTTLRequest,
  type PathVersionRequest,
  type PathWatchRequest,
  readCreateRequest,
  readCreateTTLRequest,
  readPathVersionRequest,
  readPathWatchRequest,
  readSetDataRequest,
  type SetDataRequest,
  writeCreateRequest,
  writeCreateTTLRequest,
  writePathVersionRequest,
  writePathWatchRequest,
  writeSetDataRequest,
} from './requests.ts';
import {
  type Create2Response,
  type GetDataResponse,
  readCreate2Response,
  readGetDataResponse,
  writeCreate2Response,
  writeGetDataResponse,
} from './responses.ts';
import { readStat, type Stat, writeStat } from './stat.ts';

export type MultiRequestOp =
  | { readonly type: 1 | 15 | 19; readonly request: CreateRequest }
  | { readonly type: 21; readonly request: CreateTTLRequest }
  | { readonly type: 2 | 13; readonly request: PathVersionRequest }
  | { readonly type: 5; readonly request: SetDataRequest }
  | { readonly type: 4 | 8; readonly request: PathWatchRequest };

export type MultiResult =
  | { readonly type: 1; readonly path: string }
  | ({ readonly type: 15 } & Create2Response)
  | { readonly type: 2 | 13 }
  | { readonly type: 5; readonly stat: Stat }
  | { readonly type: 8; readonly children: readonly string[] }
  | ({ readonly type: 4 } & GetDataResponse)
  | { readonly type: -1; readonly error: number };

export function writeMultiHeader(
  writer: ByteWriter,
  type: number,
  done: boolean,
  error: number,
): void {
  writer.int32(type);
  writer.bool(done);
  writer.int32(error);
}

/** Ends a multi request or response. */
export function writeMultiEnd(writer: ByteWriter): void {
  writeMultiHeader(writer, -1, true, -1);
}

/** Reads until the terminator. Throws MarshallingError on a type that no multi may hold. */
export function readMultiRequest(reader: ByteReader): MultiRequestOp[] {
  const ops: MultiRequestOp[] = [];
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (done) return ops;
    ops.push(readMultiRequestOp(reader, type));
  }
}

function readMultiRequestOp(reader: ByteReader, type: number): MultiRequestOp {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      return { type, request: readCreateRequest(reader) };
    case OpCode.createTTL:
      return { type, request: readCreateTTLRequest(reader) };
    case OpCode.delete:
    case OpCode.check:
      return { type, request: readPathVersionRequest(reader) };
    case OpCode.setData:
      return { type, request: readSetDataRequest(reader) };
    case OpCode.getData:
    case OpCode.getChildren:
      return { type, request: readPathWatchRequest(reader) };
    default:
      throw new MarshallingError(`Invalid type ${type} in a multi`);
  }
}

export function writeMultiRequest(writer: ByteWriter, ops: readonly MultiRequestOp[]): void {
  for (const op of ops) {
    writeMultiHeader(writer, op.type, false, -1);
    switch (op.type) {
      case OpCode.createTTL:
        writeCreateTTLRequest(writer, op.request);
        break;
      case OpCode.delete:
      case OpCode.check:
        writePathVersionRequest(writer, op.request);
        break;
      case OpCode.setData:
        writeSetDataRequest(writer, op.request);
        break;
      case OpCode.getData:
      case OpCode.getChildren:
        writePathWatchRequest(writer, op.request);
        break;
      default:
        writeCreateRequest(writer, op.request);
    }
  }
  writeMultiEnd(writer);
}

export function readMultiResponse(reader: ByteReader): MultiResult[] {
  const results: MultiResult[] = [];
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (done) return results;
    results.push(readMultiResult(reader, type));
  }
}

function readMultiResult(reader: ByteReader, type: number): MultiResult {
  switch (type) {
    case OpCode.create:
      return { type, path: reader.string() ?? '' };
    case OpCode.create2:
      return { type, ...readCreate2Response(reader) };
    case OpCode.delete:
    case OpCode.check:
      return { type };
    case OpCode.setData:
      return { type, stat: readStat(reader) };
    case OpCode.getChildren:
      return { type, children: reader.stringVector() ?? [] };
    case OpCode.getData:
      return { type, ...readGetDataResponse(reader) };
    case OpCode.error:
      return { type, error: reader.int32() };
    default:
      throw new MarshallingError(`Invalid type ${type} in a multi response`);
  }
}

export function writeMultiResponse(writer: ByteWriter, results: readonly MultiResult[]): void {
  for (const result of results) {
    writeMultiHeader(writer, result.type, false, result.type === -1 ? result.error : 0);
    switch (result.type) {
      case OpCode.create:
        writer.string(result.path);
        break;
      case OpCode.create2:
        writeCreate2Response(writer, result);
        break;
      case OpCode.setData:
        writeStat(writer, result.stat);
        break;
      case OpCode.getChildren:
        writer.stringVector(result.children);
        break;
      case OpCode.getData:
        writeGetDataResponse(writer, result);
        break;
      case OpCode.error:
        writer.int32(result.error);
        break;
      default:
        break;
    }
  }
  writeMultiEnd(writer);
}
