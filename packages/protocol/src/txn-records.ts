// What a log entry, a PROPOSAL and an INFORM hold: header, body, optional digest.
//
//   TxnHeader (32 bytes)  long clientId, int cxid, long zxid, long time ms, int type
//   body by type          see each case of readTxnBody
//   TxnDigest (12 bytes)  int version (2), long treeDigest; absent from error txns
//
// The same bytes are logged, sent and applied: nothing decodes and encodes them on the way. The
// object form here serves tools, tests and rare paths; data-tree applies from the bytes.
// Source: zookeeper.jute and SerializeUtils.deserializeTxn (3.9.5).

import { type Acl, readAclVector, writeAclVector } from './acl.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { MarshallingError } from './errors.ts';
import { OpCode } from './op-codes.ts';
import type { Zxid } from './zxid.ts';

export const TXN_HEADER_BYTES = 32;
export const TXN_DIGEST_BYTES = 12;
export const DIGEST_VERSION = 2;

/** Offsets inside the 32 bytes. */
export const TxnHeaderOffset = {
  clientId: 0,
  cxid: 8,
  zxid: 12,
  time: 20,
  type: 28,
} as const;

export interface TxnHeader {
  /** Session that asked for it; 0 for container sweeps. */
  readonly clientId: bigint;
  readonly cxid: number;
  readonly zxid: Zxid;
  /** Leader's wall clock, ms. */
  readonly time: number;
  readonly type: number;
}

export type TxnBody =
  | {
      readonly type: 1 | 15;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly ephemeral: boolean;
      /** The parent's stored cversion after this create; -1 in records older than 3.3. */
      readonly parentCVersion: number;
    }
  | {
      readonly type: 19;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly parentCVersion: number;
    }
  | {
      readonly type: 21;
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly parentCVersion: number;
      readonly ttlMs: number;
    }
  | { readonly type: 2 | 20; readonly path: string }
  | {
      readonly type: 5 | 16;
      readonly path: string;
      readonly data: Uint8Array | null;
      /** The version after this txn. */
      readonly version: number;
    }
  | {
      readonly type: 7;
      readonly path: string;
      readonly acl: readonly Acl[] | null;
      readonly version: number;
    }
  | { readonly type: 13; readonly path: string; readonly version: number }
  | { readonly type: 14; readonly txns: readonly TxnBody[] }
  | { readonly type: -10; readonly timeoutMs: number }
  /** Undefined paths: an older leader's body-less record. */
  | { readonly type: -11; readonly paths: readonly string[] | undefined }
  | { readonly type: -1; readonly error: number };

export interface Txn {
  readonly header: TxnHeader;
  readonly body: TxnBody;
  readonly digest: { readonly version: number; readonly treeDigest: bigint } | undefined;
}

export function readTxnHeader(reader: ByteReader): TxnHeader {
  return {
    clientId: reader.bigint64(),
    cxid: reader.int32(),
    zxid: reader.int64(),
    time: reader.int64(),
    type: reader.int32(),
  };
}

export function writeTxnHeader(writer: ByteWriter, header: TxnHeader): void {
  writer.bigint64(header.clientId);
  writer.int32(header.cxid);
  writer.int64(header.zxid);
  writer.int64(header.time);
  writer.int32(header.type);
}

/** Decodes one whole entry. Throws MarshallingError on a type that no entry may have. */
export function decodeTxn(bytes: Buffer, start = 0, end: number = bytes.length): Txn {
  const reader = new ByteReader(bytes, start, end);
  const header = readTxnHeader(reader);
  const body = readTxnBody(reader, header.type);
  return { header, body, digest: readTxnDigest(reader) };
}

/** Encodes one whole entry; the bytes are the caller's. */
export function encodeTxn(txn: Txn): Buffer {
  const writer = new ByteWriter(256);
  writeTxnHeader(writer, txn.header);
  writeTxnBody(writer, txn.body);
  if (txn.digest !== undefined) {
    writer.int32(txn.digest.version);
    writer.bigint64(txn.digest.treeDigest);
  }
  return Buffer.from(writer.view());
}

export function readTxnDigest(
  reader: ByteReader,
): { version: number; treeDigest: bigint } | undefined {
  if (reader.remaining < TXN_DIGEST_BYTES) return undefined;
  return { version: reader.int32(), treeDigest: reader.bigint64() };
}

/**
 * Whether a closeSession entry whose body starts at the reader's offset has a body: older leaders
 * write none, and a digest alone must not be taken for a vector of paths (disk.md 3.1).
 */
export function closeSessionHasBody(reader: ByteReader): boolean {
  if (reader.remaining === 0) return false;
  if (reader.remaining !== TXN_DIGEST_BYTES) return true;
  const mark = reader.offset;
  const first = reader.int32();
  reader.offset = mark;
  return first !== DIGEST_VERSION;
}

export function readTxnBody(reader: ByteReader, type: number): TxnBody {
  switch (type) {
    case OpCode.create:
    case OpCode.create2: {
      // ustring path, buffer data, vector<ACL> acl, boolean ephemeral, int parentCVersion
      const path = reader.string() ?? '';
      const data = reader.buffer();
      const acl = readAclVector(reader);
      const ephemeral = reader.bool();
      // CreateTxnV0 (before 3.3) ends here.
      const parentCVersion = reader.remaining >= 4 ? reader.int32() : -1;
      return { type, path, data, acl, ephemeral, parentCVersion };
    }
    case OpCode.createContainer:
      // ustring path, buffer data, vector<ACL> acl, int parentCVersion
      return {
        type,
        path: reader.string() ?? '',
        data: reader.buffer(),
        acl: readAclVector(reader),
        parentCVersion: reader.int32(),
      };
    case OpCode.createTTL:
      // ustring path, buffer data, vector<ACL> acl, int parentCVersion, long ttl ms
      return {
        type,
        path: reader.string() ?? '',
        data: reader.buffer(),
        acl: readAclVector(reader),
        parentCVersion: reader.int32(),
        ttlMs: reader.int64(),
      };
    case OpCode.delete:
    case OpCode.deleteContainer:
      return { type, path: reader.string() ?? '' };
    case OpCode.setData:
    case OpCode.reconfig:
      return {
        type,
        path: reader.string() ?? '',
        data: reader.buffer(),
        version: reader.int32(),
      };
    case OpCode.setACL:
      return {
        type,
        path: reader.string() ?? '',
        acl: readAclVector(reader),
        version: reader.int32(),
      };
    case OpCode.check:
      return { type, path: reader.string() ?? '', version: reader.int32() };
    case OpCode.multi:
      return { type, txns: readSubTxns(reader) };
    case OpCode.createSession:
      return { type, timeoutMs: reader.int32() };
    case OpCode.closeSession:
      return {
        type,
        paths: closeSessionHasBody(reader) ? (reader.stringVector() ?? []) : undefined,
      };
    case OpCode.error:
      return { type, error: reader.int32() };
    default:
      throw new MarshallingError(`Unsupported txn type ${type}`);
  }
}

/** MultiTxn: vector<Txn { int type, buffer body }>. */
function readSubTxns(reader: ByteReader): TxnBody[] {
  const count = reader.vectorLength();
  const txns: TxnBody[] = [];
  for (let i = 0; i < count; i++) {
    const type = reader.int32();
    const length = reader.bufferLength();
    if (length < 0) throw new MarshallingError('Sub-txn without a body');
    const inner = new ByteReader(reader.bytes, reader.offset, reader.offset + length);
    txns.push(readTxnBody(inner, type));
    reader.skip(length);
  }
  return txns;
}

export function writeTxnBody(writer: ByteWriter, body: TxnBody): void {
  switch (body.type) {
    case OpCode.create:
    case OpCode.create2:
      writer.string(body.path);
      writer.buffer(body.data);
      writeAclVector(writer, body.acl);
      writer.bool(body.ephemeral);
      writer.int32(body.parentCVersion);
      break;
    case OpCode.createContainer:
    case OpCode.createTTL:
      writer.string(body.path);
      writer.buffer(body.data);
      writeAclVector(writer, body.acl);
      writer.int32(body.parentCVersion);
      if (body.type === OpCode.createTTL) writer.int64(body.ttlMs);
      break;
    case OpCode.delete:
    case OpCode.deleteContainer:
      writer.string(body.path);
      break;
    case OpCode.setData:
    case OpCode.reconfig:
      writer.string(body.path);
      writer.buffer(body.data);
      writer.int32(body.version);
      break;
    case OpCode.setACL:
      writer.string(body.path);
      writeAclVector(writer, body.acl);
      writer.int32(body.version);
      break;
    case OpCode.check:
      writer.string(body.path);
      writer.int32(body.version);
      break;
    case OpCode.multi:
      writer.int32(body.txns.length);
      for (const txn of body.txns) {
        writer.int32(txn.type);
        const mark = writer.offset;
        writer.int32(0);
        writeTxnBody(writer, txn);
        writer.patchInt32(mark, writer.offset - mark - 4);
      }
      break;
    case OpCode.createSession:
      writer.int32(body.timeoutMs);
      break;
    case OpCode.closeSession:
      if (body.paths !== undefined) writer.stringVector(body.paths);
      break;
    case OpCode.error:
      writer.int32(body.error);
      break;
  }
}
