// ACL lists, interned: a znode holds a small id instead of a list.
//
// The key is the encoded vector as it stands in a txn, so applying a create compares bytes and makes
// no object. The open list (world:anyone, all permissions) is id -1 and is never counted, as in
// Apache's ReferenceCountedACLCache; all others are counted and forgotten at their last use.
//
// While a snapshot is being walked, no id is reused and no list forgotten: the table at the head of
// the snapshot was written earlier than the znodes that name its ids (`hold`, `unhold`).

import { Buffer } from 'node:buffer';
import {
  type Acl,
  assertInvariant,
  ByteReader,
  ByteWriter,
  getInt32,
  OPEN_ACL_UNSAFE,
  readAclVector,
  writeAclVector,
} from '@zebu/protocol';
import { ByteArena } from './byte-arena.ts';
import { HashIndex } from './hash-index.ts';
import { hashBytes } from './path-table.ts';
import { RecordSlab } from './record-slab.ts';

/** Id of an interned list. Ids from 1 up are counted; OPEN_ACL_ID is not. */
export type AclId = number;

export const OPEN_ACL_ID: AclId = -1;

const HASH = 0;
const CHAIN = 1;
const BYTES = 2;
const LENGTH = 3;
const USES = 4;
/** The cache's generation when the list came in; 0 once forgotten. */
const BORN = 5;
const WORDS = 6;

/** Decoded lists kept for reads; beyond it the oldest half of a server's lists is rare. */
const DECODED_LIMIT = 1024;

export class AclCache {
  private readonly slab = new RecordSlab(WORDS);
  private readonly index: HashIndex;
  private readonly arena = new ByteArena();
  private readonly decoded = new Map<AclId, readonly Acl[]>();
  private highestId = 0;
  private holds = 0;
  /** Raised by each hold, so that a walk knows which lists came in after it began. */
  private generation = 1;
  /** Ids whose last use went while a snapshot was being walked. */
  private readonly held: AclId[] = [];
  /** The id found last: most creates repeat it. */
  private latest: AclId = 0;

  constructor() {
    this.index = new HashIndex(this.slab, HASH, CHAIN);
  }

  /** Lists in the cache, the open one not among them. */
  get size(): number {
    return this.slab.live;
  }

  /**
   * The id of an encoded vector<ACL> (int count, entries), with a use added. A null vector and the
   * open list are OPEN_ACL_ID. The bytes are copied.
   */
  intern(bytes: Uint8Array, start: number, end: number): AclId {
    if (isOpen(bytes, start, end)) return OPEN_ACL_ID;
    if (this.latest !== 0 && this.equals(this.latest, bytes, start, end)) {
      return this.addUse(this.latest);
    }
    const hash = hashBytes(bytes, start, end, 0);
    let id = this.index.first(hash);
    while (id !== 0 && !this.equals(id, bytes, start, end)) id = this.index.next(id);
    if (id === 0) id = this.insert(bytes, start, end, hash);
    this.latest = id;
    return this.addUse(id);
  }

  /** As `intern`, from a list. An empty list is a list of its own: it grants everything. */
  internAcl(acl: readonly Acl[] | null): AclId {
    const writer = new ByteWriter(256);
    writeAclVector(writer, acl);
    return this.intern(writer.bytes, 0, writer.offset);
  }

  /** Adds a use. */
  retain(id: AclId): void {
    if (id > 0) this.addUse(id);
  }

  /** Takes a use away; at the last one the list is forgotten. */
  release(id: AclId): void {
    if (id <= 0) return;
    const uses = this.slab.get(id, USES) - 1;
    assertInvariant(uses >= 0, 'an ACL list has fewer than no uses');
    this.slab.set(id, USES, uses);
    if (uses > 0) return;
    if (this.holds > 0) this.held.push(id);
    else this.forget(id);
  }

  uses(id: AclId): number {
    return id > 0 ? this.slab.get(id, USES) : 0;
  }

  /** The list of an id in use. The array is shared: not to be changed. */
  aclOf(id: AclId): readonly Acl[] {
    if (id === OPEN_ACL_ID) return OPEN_ACL_UNSAFE;
    let acl = this.decoded.get(id);
    if (acl === undefined) {
      acl = readAclVector(this.readerOf(id)) ?? [];
      if (this.decoded.size >= DECODED_LIMIT) this.decoded.clear();
      this.decoded.set(id, acl);
    }
    return acl;
  }

  /** Writes the encoded vector<ACL> of an id in use. */
  write(id: AclId, writer: ByteWriter): void {
    if (id === OPEN_ACL_ID) {
      writeAclVector(writer, OPEN_ACL_UNSAFE);
    } else {
      const { bytes, offset, end } = this.readerOf(id);
      writer.raw(bytes, offset, end);
    }
  }

  /** All lists but the open one, with their ids, ascending. */
  *entries(): IterableIterator<[AclId, readonly Acl[]]> {
    for (let id = 1; id <= this.highestId; id++) if (this.isLive(id)) yield [id, this.aclOf(id)];
  }

  /** Highest id that was ever used: the bound for a walk by id. */
  get idBound(): number {
    return this.highestId;
  }

  /** Whether this id stands for a list. */
  isLive(id: AclId): boolean {
    return id <= this.highestId && this.slab.get(id, BORN) !== 0;
  }

  /**
   * From here on no list is forgotten and no id reused, until as many calls of `unhold`. Returns
   * the stamp that tells, with `wasLiveAt`, which lists there were: `size` of them.
   */
  hold(): number {
    this.holds++;
    return this.generation++;
  }

  /** Whether this id stood for a list when the hold with this stamp, not ended yet, began. */
  wasLiveAt(id: AclId, stamp: number): boolean {
    const born = this.slab.get(id, BORN);
    return born !== 0 && born <= stamp;
  }

  unhold(): void {
    this.holds--;
    if (this.holds > 0) return;
    for (const id of this.held)
      if (this.isLive(id) && this.slab.get(id, USES) === 0) this.forget(id);
    this.held.length = 0;
  }

  /** Forgets every list that has no use, as after loading a snapshot's table. */
  purgeUnused(): void {
    for (let id = 1; id <= this.highestId; id++) {
      if (this.isLive(id) && this.slab.get(id, USES) === 0) this.forget(id);
    }
  }

  /** Adds a list without a use, for loading: `purgeUnused` must follow. */
  preload(bytes: Uint8Array, start: number, end: number): AclId {
    const id = this.intern(bytes, start, end);
    if (id > 0) this.slab.set(id, USES, this.slab.get(id, USES) - 1);
    return id;
  }

  private addUse(id: AclId): AclId {
    this.slab.set(id, USES, this.slab.get(id, USES) + 1);
    return id;
  }

  private equals(id: AclId, bytes: Uint8Array, start: number, end: number): boolean {
    const slab = this.slab;
    if (slab.get(id, LENGTH) !== end - start) return false;
    const reference = slab.get(id, BYTES);
    const own = this.arena.bufferOf(reference);
    const at = this.arena.offsetOf(reference) - start;
    for (let i = start; i < end; i++) if (own[at + i] !== bytes[i]) return false;
    return true;
  }

  private insert(bytes: Uint8Array, start: number, end: number, hash: number): AclId {
    const id = this.slab.allocate();
    if (id > this.highestId) this.highestId = id;
    this.slab.set(id, BYTES, this.arena.store(bytes, start, end));
    this.slab.set(id, LENGTH, end - start);
    this.slab.set(id, BORN, this.generation);
    this.index.insert(id, hash);
    return id;
  }

  private forget(id: AclId): void {
    this.index.remove(id);
    this.arena.free(this.slab.get(id, BYTES));
    this.decoded.delete(id);
    if (this.latest === id) this.latest = 0;
    this.slab.set(id, BORN, 0);
    this.slab.free(id);
  }

  private readerOf(id: AclId): ByteReader {
    const reference = this.slab.get(id, BYTES);
    const at = this.arena.offsetOf(reference);
    const end = at + this.slab.get(id, LENGTH);
    return new ByteReader(this.arena.bufferOf(reference), at, end);
  }
}

/**
 * Moves the reader past a vector<ACL>. Throws MarshallingError where the vector does not end inside the bytes.
 * Returns the count: negative counts other than -1 stand for an empty list.
 */
export function skipAclVector(reader: ByteReader): number {
  const count = reader.vectorLength();
  for (let i = 0; i < count; i++) {
    reader.skip(4);
    skipString(reader);
    skipString(reader);
  }
  return count;
}

function skipString(reader: ByteReader): void {
  const length = reader.bufferLength();
  if (length > 0) reader.skip(length);
}

const OPEN_BYTES = encode(OPEN_ACL_UNSAFE);

function isOpen(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 4) {
    // A null vector: count -1.
    return getInt32(bytes, start) === -1;
  }
  if (length !== OPEN_BYTES.length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== OPEN_BYTES[i]) return false;
  return true;
}

function encode(acl: readonly Acl[]): Buffer {
  const writer = new ByteWriter(64);
  writeAclVector(writer, acl);
  return Buffer.from(writer.view());
}
