// The ACL of a create or setACL: what the request holds, made fit to be stored.

import { OPEN_ACL_ID, skipAclVector } from '@zebu/data-tree';
import {
  type Acl,
  type ByteReader,
  type ByteWriter,
  ErrorCode,
  MarshallingError,
  readAclVector,
} from '@zebu/protocol';
import type { Preparation } from '../txns/preparation.ts';

/** Where in a request its ACL lies: bytes[start, end). */
export interface AclRange {
  start: number;
  end: number;
}

/** Moves the reader past the ACL, noting where it lay. */
export function skipAcl(request: ByteReader, range: AclRange): void {
  range.start = request.offset;
  skipAclVector(request);
  range.end = request.offset;
}

/**
 * Writes the ACL to be stored to the txn body and interns it. Returns its id, with a use that the
 * caller hands on or releases, or undefined for INVALIDACL. The open list, which nearly every
 * request has, is copied as it is.
 */
export function writeFixedAcl(
  preparation: Preparation,
  request: ByteReader,
  range: AclRange,
): number | undefined {
  const { writer, tree, access, identities } = preparation;
  const { bytes } = request;
  if (isOpen(bytes, range)) {
    writer.raw(bytes, range.start, range.end);
    return OPEN_ACL_ID;
  }
  request.reset(bytes, range.start, range.end);
  const acls = readAclVector(request);
  const bad = firstNullId(preparation, request.reset(bytes, range.start, range.end));
  if (bad >= 0) {
    // Entries are judged in order: one before it may be invalid already.
    const before = acls?.slice(0, bad) ?? [];
    if (bad > 0 && access.fixupAcl(before, identities) === ErrorCode.INVALIDACL) return undefined;
    throw new MarshallingError('Null id in an ACL');
  }
  const fixed = access.fixupAcl(acls, identities);
  if (fixed === ErrorCode.INVALIDACL) return undefined;
  const start = writer.offset;
  writeAcls(writer, fixed);
  // Stored, it may not be longer than what a client could send and every log reader takes.
  if (writer.offset - start > preparation.config.juteMaxBufferBytes) return undefined;
  return tree.acls.intern(writer.bytes, start, writer.offset);
}

/**
 * A vector<ACL> in real UTF-8. Jute's own writer makes two encoded surrogates of a character past U+FFFF,
 * which its reader does not take back for one: an id with such a character would match nobody.
 */
function writeAcls(writer: ByteWriter, acls: readonly Acl[]): void {
  writer.int32(acls.length);
  for (const { perms, scheme, id } of acls) {
    writer.int32(perms);
    writer.buffer(Buffer.from(scheme, 'utf8'));
    writer.buffer(Buffer.from(id, 'utf8'));
  }
}

/**
 * Index of the first entry with a null id that a scheme would have to judge; -1 without one. Apache fails
 * on it with an exception (PrepRequestProcessor.fixupACL). Scheme `auth` does not look at the id, and a
 * null scheme is no scheme: both are judged as empty texts.
 */
function firstNullId({ access }: Preparation, request: ByteReader): number {
  const count = request.vectorLength();
  for (let i = 0; i < count; i++) {
    request.skip(4);
    const scheme = request.string();
    if (request.string() !== null || scheme === null) continue;
    if (scheme === 'world' || access.schemes.includes(scheme)) return i;
  }
  return -1;
}

/** vector of one: perms 31, "world", "anyone". */
const OPEN = Buffer.from('000000010000001f00000005776f726c6400000006616e796f6e65', 'hex');

function isOpen(bytes: Buffer, range: AclRange): boolean {
  const { start } = range;
  if (range.end - start !== OPEN.length) return false;
  for (let at = 0; at < OPEN.length; at++) if (bytes[start + at] !== OPEN[at]) return false;
  return true;
}
