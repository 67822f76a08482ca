// The columns of all znodes, addressed by PathId.
//
// A record is 32 words, two cache lines:
//
//    0..16  the Stat as its 68 wire bytes, so that answering a read is one copy
//    17     flags: exists, kind, data is null, digest known, digest excluded
//    18     ACL id                       19     reference of the data
//    20     stored cversion              21     CRC-32 of path and data, seed of the digest
//    22     node digest                  23     first child (the oldest)
//    24,25  next and previous sibling    26,27  stored ephemeralOwner, high and low
//    28,29  next and previous in the list of the owner: a session, the containers or the TTLs
//    30     record of the owning session 31     place among the siblings: grows with each
//
// Two values on the wire are derived, and kept derived here: cversion is twice the stored one less
// the number of children, and ephemeralOwner is 0 for containers and TTL znodes (DataNode.copyStat).
// Children, and the znodes of one owner, are lists through the records (linked-list.ts).
//
// Must never decide anything: the rules are apply-txn.ts's.

import { copyBytes, STAT_BYTES, StatOffset } from '@zebu/protocol';
import { ByteArena } from './byte-arena.ts';
import { append, prepend, unlink } from './linked-list.ts';
import type { PathId } from './path-table.ts';
import { CHUNK_BITS, CHUNK_MASK, RecordSlab } from './record-slab.ts';
import { joinInt64, swapInt32 } from './wire-order.ts';

/** What a znode's life depends on. Values are stored; do not renumber. */
export const ZnodeKind = { persistent: 0, ephemeral: 1, container: 2, ttl: 3 } as const;
export type ZnodeKind = (typeof ZnodeKind)[keyof typeof ZnodeKind];

/** Words of the Stat's fields. */
const CZXID = StatOffset.czxid >> 2;
const MZXID = StatOffset.mzxid >> 2;
const CTIME = StatOffset.ctime >> 2;
const MTIME = StatOffset.mtime >> 2;
const VERSION = StatOffset.version >> 2;
const WIRE_CVERSION = StatOffset.cversion >> 2;
const AVERSION = StatOffset.aversion >> 2;
const WIRE_OWNER = StatOffset.ephemeralOwner >> 2;
const DATA_LENGTH = StatOffset.dataLength >> 2;
const NUM_CHILDREN = StatOffset.numChildren >> 2;
const PZXID = StatOffset.pzxid >> 2;

/** Words of a znode's record; see the head of this file. */
export const Field = {
  CZXID,
  MZXID,
  CTIME,
  MTIME,
  VERSION,
  WIRE_CVERSION,
  AVERSION,
  WIRE_OWNER,
  DATA_LENGTH,
  NUM_CHILDREN,
  PZXID,
  FLAGS: 17,
  ACL: 18,
  DATA: 19,
  CVERSION: 20,
  CRC: 21,
  DIGEST: 22,
  FIRST_CHILD: 23,
  NEXT_SIBLING: 24,
  PREV_SIBLING: 25,
  OWNER_HIGH: 26,
  OWNER_LOW: 27,
  OWNED_NEXT: 28,
  OWNED_PREV: 29,
  OWNER_RECORD: 30,
  ORDER: 31,
} as const;

export const ZNODE_WORDS = 32;

/** Bits of Field.FLAGS; the lowest two are the kind. */
export const Flag = {
  KIND: 3,
  EXISTS: 4,
  NULL_DATA: 8,
  /** Below /zookeeper/, which the tree digest leaves out. */
  NO_DIGEST: 16,
} as const;

/** The records and the data of all znodes. Fields named in the record's head are words of `Field`. */
export class ZnodeStore {
  readonly slab = new RecordSlab(ZNODE_WORDS);
  readonly data = new ByteArena();
  /** Field.ORDER of the last child appended, and of the last prepended, anywhere in the tree. */
  private youngest = 0;
  private oldest = 0;

  /** Whether this path is a znode. Any interned id may be asked. */
  has(id: PathId): boolean {
    return this.slab.covers(id) && (this.slab.get(id, Field.FLAGS) & Flag.EXISTS) !== 0;
  }

  int32(id: PathId, field: number): number {
    return swapInt32(this.slab.get(id, field));
  }

  setInt32(id: PathId, field: number, value: number): void {
    this.slab.set(id, field, swapInt32(value));
  }

  int64(id: PathId, field: number): number {
    return joinInt64(this.int32(id, field), this.int32(id, field + 1));
  }

  kind(id: PathId): ZnodeKind {
    return (this.slab.get(id, Field.FLAGS) & Flag.KIND) as ZnodeKind;
  }

  dataLength(id: PathId): number {
    return this.int32(id, DATA_LENGTH);
  }

  numChildren(id: PathId): number {
    return this.int32(id, NUM_CHILDREN);
  }

  dataIsNull(id: PathId): boolean {
    return (this.slab.get(id, Field.FLAGS) & Flag.NULL_DATA) !== 0;
  }

  /** The 68 bytes a client gets. The target must have room. */
  copyStat(id: PathId, target: Uint8Array, at: number): void {
    const from = (id & CHUNK_MASK) * (ZNODE_WORDS * 4);
    copyBytes(
      this.slab.bytes[id >>> CHUNK_BITS] as Uint8Array,
      from,
      from + STAT_BYTES,
      target,
      at,
    );
  }

  /** Copies the data without its length; returns the length. The target must have room. */
  copyData(id: PathId, target: Uint8Array, at: number): number {
    const length = this.dataLength(id);
    if (length === 0) return 0;
    const reference = this.slab.get(id, Field.DATA);
    const from = this.data.offsetOf(reference);
    copyBytes(this.data.bufferOf(reference), from, from + length, target, at);
    return length;
  }

  /** Replaces the data by bytes[start, end), or by null where start is negative. */
  setData(id: PathId, bytes: Uint8Array, start: number, end: number): void {
    const slab = this.slab;
    const isNull = start < 0;
    const length = isNull ? 0 : end - start;
    const old = slab.get(id, Field.DATA);
    slab.set(
      id,
      Field.DATA,
      this.data.replace(old, this.dataLength(id), bytes, isNull ? 0 : start, isNull ? 0 : end),
    );
    const flags = slab.get(id, Field.FLAGS);
    slab.set(id, Field.FLAGS, isNull ? flags | Flag.NULL_DATA : flags & ~Flag.NULL_DATA);
    this.setInt32(id, DATA_LENGTH, length);
  }

  /** Zeroes the record and frees the data: the path is no znode any more. */
  clear(id: PathId): void {
    this.data.free(this.slab.get(id, Field.DATA));
    const at = (id & CHUNK_MASK) * ZNODE_WORDS;
    (this.slab.chunks[id >>> CHUNK_BITS] as Int32Array).fill(0, at, at + ZNODE_WORDS);
  }

  /** Sets the stored cversion and what the wire shows of it. */
  setCversion(id: PathId, stored: number): void {
    this.slab.set(id, Field.CVERSION, stored);
    this.setInt32(id, WIRE_CVERSION, stored * 2 - this.numChildren(id));
  }

  /** Makes `child` the youngest child of `parent`. Neither digests nor cversion change. */
  appendChild(parent: PathId, child: PathId): void {
    const head = this.slab.get(parent, Field.FIRST_CHILD);
    this.slab.set(parent, Field.FIRST_CHILD, append(this.slab, head, child, Field.NEXT_SIBLING));
    this.youngest = (this.youngest + 1) | 0;
    this.slab.set(child, Field.ORDER, this.youngest);
    this.countChild(parent, 1);
  }

  /** Makes `child` the oldest child of `parent`, as restoring in youngest-first order needs. */
  prependChild(parent: PathId, child: PathId): void {
    const head = this.slab.get(parent, Field.FIRST_CHILD);
    this.slab.set(parent, Field.FIRST_CHILD, prepend(this.slab, head, child, Field.NEXT_SIBLING));
    this.slab.set(child, Field.ORDER, this.oldest);
    this.oldest = (this.oldest - 1) | 0;
    this.countChild(parent, 1);
  }

  removeChild(parent: PathId, child: PathId): void {
    const head = this.slab.get(parent, Field.FIRST_CHILD);
    this.slab.set(parent, Field.FIRST_CHILD, unlink(this.slab, head, child, Field.NEXT_SIBLING));
    this.countChild(parent, -1);
  }

  private countChild(parent: PathId, delta: number): void {
    this.setInt32(parent, NUM_CHILDREN, this.numChildren(parent) + delta);
    this.setCversion(parent, this.slab.get(parent, Field.CVERSION));
  }
}
