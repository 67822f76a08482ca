// Request bodies, one reader and writer for each shape; what follows a RequestHeader.
//
// Null is kept where the wire can carry it: the server answers MARSHALLINGERROR to a null path,
// and null data is not empty data. Field order is wire order. Source: zookeeper.jute (3.9.5).

import { type Acl, readAclVector, writeAclVector } from './acl.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Zxid } from './zxid.ts';

/** create, create2, createContainer: ustring path, buffer data, vector<ACL> acl, int flags. */
export interface CreateRequest {
  readonly path: string | null;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[] | null;
  readonly flags: number;
}

/** createTTL: a CreateRequest, then long ttl in ms. */
export interface CreateTTLRequest extends CreateRequest {
  readonly ttlMs: bigint;
}

/** delete, check: ustring path, int version. */
export interface PathVersionRequest {
  readonly path: string | null;
  readonly version: number;
}

/** exists, getData, getChildren, getChildren2: ustring path, boolean watch. */
export interface PathWatchRequest {
  readonly path: string | null;
  readonly watch: boolean;
}

/** setData: ustring path, buffer data, int version. */
export interface SetDataRequest {
  readonly path: string | null;
  readonly data: Uint8Array | null;
  readonly version: number;
}

/** setACL: ustring path, vector<ACL> acl, int version (of the ACL). */
export interface SetACLRequest {
  readonly path: string | null;
  readonly acl: readonly Acl[] | null;
  readonly version: number;
}

/** addWatch, checkWatches, removeWatches: ustring path, int mode or type. */
export interface PathNumberRequest {
  readonly path: string | null;
  readonly value: number;
}

/** auth: int type (0), ustring scheme, buffer auth. */
export interface AuthRequest {
  readonly type: number;
  readonly scheme: string | null;
  readonly auth: Uint8Array | null;
}

/** setWatches: long relativeZxid, three vectors of paths; setWatches2: five. */
export interface SetWatchesRequest {
  readonly relativeZxid: Zxid;
  readonly data: readonly string[] | null;
  readonly exist: readonly string[] | null;
  readonly child: readonly string[] | null;
  /** Undefined in setWatches, present in setWatches2. */
  readonly persistent?: readonly string[] | null;
  readonly persistentRecursive?: readonly string[] | null;
}

/** reconfig: ustring joiningServers, leavingServers, newMembers, long curConfigId. */
export interface ReconfigRequest {
  readonly joiningServers: string | null;
  readonly leavingServers: string | null;
  readonly newMembers: string | null;
  readonly curConfigId: bigint;
}

export function readCreateRequest(reader: ByteReader): CreateRequest {
  return {
    path: reader.string(),
    data: reader.buffer(),
    acl: readAclVector(reader),
    flags: reader.int32(),
  };
}

export function writeCreateRequest(writer: ByteWriter, request: CreateRequest): void {
  writer.string(request.path);
  writer.buffer(request.data);
  writeAclVector(writer, request.acl);
  writer.int32(request.flags);
}

export function readCreateTTLRequest(reader: ByteReader): CreateTTLRequest {
  return { ...readCreateRequest(reader), ttlMs: reader.bigint64() };
}

export function writeCreateTTLRequest(writer: ByteWriter, request: CreateTTLRequest): void {
  writeCreateRequest(writer, request);
  writer.bigint64(request.ttlMs);
}

export function readPathVersionRequest(reader: ByteReader): PathVersionRequest {
  return { path: reader.string(), version: reader.int32() };
}

export function writePathVersionRequest(writer: ByteWriter, request: PathVersionRequest): void {
  writer.string(request.path);
  writer.int32(request.version);
}

export function readPathWatchRequest(reader: ByteReader): PathWatchRequest {
  return { path: reader.string(), watch: reader.bool() };
}

export function writePathWatchRequest(writer: ByteWriter, request: PathWatchRequest): void {
  writer.string(request.path);
  writer.bool(request.watch);
}

export function readSetDataRequest(reader: ByteReader): SetDataRequest {
  return { path: reader.string(), data: reader.buffer(), version: reader.int32() };
}

export function writeSetDataRequest(writer: ByteWriter, request: SetDataRequest): void {
  writer.string(request.path);
  writer.buffer(request.data);
  writer.int32(request.version);
}

export function readSetACLRequest(reader: ByteReader): SetACLRequest {
  return { path: reader.string(), acl: readAclVector(reader), version: reader.int32() };
}

export function writeSetACLRequest(writer: ByteWriter, request: SetACLRequest): void {
  writer.string(request.path);
  writeAclVector(writer, request.acl);
  writer.int32(request.version);
}

export function readPathNumberRequest(reader: ByteReader): PathNumberRequest {
  return { path: reader.string(), value: reader.int32() };
}

export function writePathNumberRequest(writer: ByteWriter, request: PathNumberRequest): void {
  writer.string(request.path);
  writer.int32(request.value);
}

/** getACL, sync, getEphemerals, getAllChildrenNumber: ustring path. */
export function readPathRequest(reader: ByteReader): string | null {
  return reader.string();
}

export function writePathRequest(writer: ByteWriter, path: string | null): void {
  writer.string(path);
}

export function readAuthRequest(reader: ByteReader): AuthRequest {
  return { type: reader.int32(), scheme: reader.string(), auth: reader.buffer() };
}

export function writeAuthRequest(writer: ByteWriter, request: AuthRequest): void {
  writer.int32(request.type);
  writer.string(request.scheme);
  writer.buffer(request.auth);
}

/** Reads setWatches (three vectors) or, with `five`, setWatches2. */
export function readSetWatchesRequest(reader: ByteReader, five: boolean): SetWatchesRequest {
  const three = {
    relativeZxid: reader.int64(),
    data: reader.stringVector(),
    exist: reader.stringVector(),
    child: reader.stringVector(),
  };
  if (!five) return three;
  return {
    ...three,
    persistent: reader.stringVector(),
    persistentRecursive: reader.stringVector(),
  };
}

export function writeSetWatchesRequest(writer: ByteWriter, request: SetWatchesRequest): void {
  writer.int64(request.relativeZxid);
  writer.stringVector(request.data);
  writer.stringVector(request.exist);
  writer.stringVector(request.child);
  if (request.persistent === undefined) return;
  writer.stringVector(request.persistent);
  writer.stringVector(request.persistentRecursive ?? []);
}

export function readReconfigRequest(reader: ByteReader): ReconfigRequest {
  return {
    joiningServers: reader.string(),
    leavingServers: reader.string(),
    newMembers: reader.string(),
    curConfigId: reader.bigint64(),
  };
}

export function writeReconfigRequest(writer: ByteWriter, request: ReconfigRequest): void {
  writer.string(request.joiningServers);
  writer.string(request.leavingServers);
  writer.string(request.newMembers);
  writer.bigint64(request.curConfigId);
}
