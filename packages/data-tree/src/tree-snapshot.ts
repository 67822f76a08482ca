// The tree to and from the bytes of a snapshot, both in slices.
//
// What is written and read here is sections 3 and 4 of a snapshot file, which is also what a leader
// streams to a learner (disk.md 5.1):
//
//   ACL table   int m, m x { long aclId, vector<ACL> }          ids > 0; the open list is not in it
//   znodes      { ustring path, buffer data, long aclId, StatPersisted }*, ustring "/"
//   StatPersisted (60 bytes)   long czxid, mzxid, ctime, mtime; int version, cversion, aversion;
//                              long ephemeralOwner, pzxid        cversion and owner as stored
//
// The snapshot is fuzzy: txns go on being applied between slices, and replaying them over what was
// written must converge. So each znode is written whole, parents before children, and a child only
// if it was there when its parent was written: else Java, which repairs a parent's cversion for
// creates of type 1 alone, would load a parent that never heard of its child.

import type { Buffer } from 'node:buffer';
import { type ByteWriter, copyBytes, getInt32, MarshallingError, putInt32 } from '@zebu/protocol';
import { type AclId, OPEN_ACL_ID } from './acl-cache.ts';
import type { DataTree } from './data-tree.ts';
import { lastSlash, type PathId, ROOT_ID } from './path-table.ts';
import { CHUNK_BITS, CHUNK_MASK } from './record-slab.ts';
import { joinInt64 } from './wire-order.ts';
import { Field, ZNODE_WORDS } from './znode-store.ts';

const STAT_PERSISTED_BYTES = 60;
const SLASH = 0x2f;

/** czxid, mzxid, ctime, mtime and version lie alike in a Stat and a StatPersisted. */
const SHARED_BYTES = 36;
const AVERSION_BYTE = Field.AVERSION * 4;
const PZXID_BYTE = Field.PZXID * 4;

/**
 * Walks all znodes, depth first, youngest sibling first. New znodes become the youngest of their
 * siblings, so the walk never meets one that is younger than its parent's record in the snapshot; the
 * one znode it will write next is moved on when that is deleted. No stack, no copy of anything.
 */
export class SnapshotWalk {
  /** Znodes written so far. */
  written = 0;
  private readonly tree: DataTree;
  private readonly ended: () => void;
  private readonly aclStamp: number;
  private readonly aclCount: number;
  private readonly aclBound: number;
  /** The ACL id to write next; 0 before the table's head. */
  private nextAcl: AclId = 0;
  /** The znode to write next, 0 when all are written. */
  private cursor: PathId = ROOT_ID;
  private isOpen = true;

  /** Use DataTree.startWalk. */
  constructor(tree: DataTree, ended: () => void) {
    this.tree = tree;
    this.ended = ended;
    this.aclCount = tree.acls.size;
    this.aclBound = tree.acls.idBound;
    this.aclStamp = tree.acls.hold();
  }

  /**
   * Appends whole records to `writer` until about `maxBytes` were added or all is written, the
   * terminator included. Returns true when done; the walk is closed then.
   */
  fill(writer: ByteWriter, maxBytes: number): boolean {
    const limit = writer.offset + maxBytes;
    this.writeAcls(writer, limit);
    if (this.nextAcl <= this.aclBound) return false;
    while (this.cursor !== 0) {
      if (writer.offset >= limit) return false;
      this.writeZnode(writer, this.cursor);
      this.cursor = this.after(this.cursor);
    }
    if (!this.isOpen) return true;
    writer.int32(1);
    writer.int8(SLASH);
    this.close();
    return true;
  }

  /** Gives an unfinished walk up; the tree must not be kept waiting for it. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.tree.acls.unhold();
    this.ended();
  }

  /** Moves on from a znode that is about to be deleted. For the tree's own use. */
  skip(id: PathId): void {
    if (id === this.cursor) this.cursor = this.older(id);
  }

  private writeAcls(writer: ByteWriter, limit: number): void {
    const { acls } = this.tree;
    if (this.nextAcl === 0) {
      writer.int32(this.aclCount);
      this.nextAcl = 1;
    }
    for (; this.nextAcl <= this.aclBound && writer.offset < limit; this.nextAcl++) {
      if (!acls.wasLiveAt(this.nextAcl, this.aclStamp)) continue;
      writer.int64(this.nextAcl);
      acls.write(this.nextAcl, writer);
    }
  }

  private writeZnode(writer: ByteWriter, id: PathId): void {
    const { paths, store } = this.tree;
    const pathLength = paths.length(id);
    const isNull = store.dataIsNull(id);
    const dataLength = store.dataLength(id);
    writer.ensure(4 + pathLength + 4 + dataLength + 8 + STAT_PERSISTED_BYTES);
    const target = writer.bytes;
    let at = putInt32(target, writer.offset, pathLength);
    if (pathLength > 0) at += paths.copyPath(id, target, at);
    at = putInt32(target, at, isNull ? -1 : dataLength);
    at += store.copyData(id, target, at);
    const aclId = store.slab.get(id, Field.ACL);
    at = putInt32(target, putInt32(target, at, aclId >> 31), aclId);
    writer.offset = this.writeStat(id, target, at);
    this.written++;
  }

  private writeStat(id: PathId, target: Buffer, start: number): number {
    const { slab } = this.tree.store;
    const records = slab.bytes[id >>> CHUNK_BITS] as Buffer;
    const record = (id & CHUNK_MASK) * ZNODE_WORDS * 4;
    copyBytes(records, record, record + SHARED_BYTES, target, start);
    let at = putInt32(target, start + SHARED_BYTES, slab.get(id, Field.CVERSION));
    copyBytes(records, record + AVERSION_BYTE, record + AVERSION_BYTE + 4, target, at);
    at = putInt32(target, at + 4, slab.get(id, Field.OWNER_HIGH));
    at = putInt32(target, at, slab.get(id, Field.OWNER_LOW));
    copyBytes(records, record + PZXID_BYTE, record + PZXID_BYTE + 8, target, at);
    return at + 8;
  }

  /** What follows a znode just written: its youngest child, if any. */
  private after(id: PathId): PathId {
    const oldest = this.tree.store.slab.get(id, Field.FIRST_CHILD);
    return oldest === 0 ? this.older(id) : this.tree.store.slab.get(oldest, Field.PREV_SIBLING);
  }

  /** What follows a znode and all below it: the next older sibling, or that of an ancestor. */
  private older(id: PathId): PathId {
    const { slab } = this.tree.store;
    for (let at = id; at !== ROOT_ID; ) {
      const parent = this.tree.paths.parent(at);
      if (slab.get(parent, Field.FIRST_CHILD) !== at) return slab.get(at, Field.PREV_SIBLING);
      at = parent;
    }
    return 0;
  }
}

/** Longest path, data or ACL list taken from a snapshot; longer ones are damage. */
export const RESTORE_FIELD_LIMIT: number = 2 ** 28;

/**
 * Loads the bytes that SnapshotWalk or Apache's DataTree.serialize wrote, in pieces of any size.
 * Digest, ephemerals, containers and TTLs are built on the way; `finish` does the quotas.
 */
export class TreeRestore {
  /** True once the terminator was consumed. */
  done = false;
  /** Znodes loaded. */
  loaded = 0;
  /** ACL ids that are not in the table: their znodes grant nothing, until replay sets their ACL. */
  missingAcls = 0;
  private readonly tree: DataTree;
  private readonly aclIds = new Map<number, AclId>();
  /** Entries of the ACL table still to come; -1 before its head. */
  private aclsLeft = -1;
  private latestParent: PathId = 0;
  private latestZnode: PathId = 0;
  private latestAclHigh = -1;
  private latestAclLow = -1;
  private latestAcl: AclId = OPEN_ACL_ID;

  /** Use DataTree.startRestore. */
  constructor(tree: DataTree) {
    this.tree = tree;
    // A list of the table must not be forgotten before the znodes that use it have come.
    tree.acls.hold();
  }

  /**
   * Loads the whole records in bytes[start, end) and returns the number of bytes they took. What is
   * left is an incomplete record: pass it again with more bytes after it. Stops at the terminator. Throws
   * MarshallingError on damage; the tree is of no use then.
   */
  consume(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (!this.done) {
      const next = this.aclsLeft === 0 ? this.znode(bytes, at, end) : this.acl(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    return at - start;
  }

  /** Ends the load: forgets lists that nothing uses, finds the quotas and counts for them. */
  finish(): void {
    if (!this.done) throw new MarshallingError('Snapshot ends before its last znode');
    this.tree.acls.unhold();
    this.tree.acls.purgeUnused();
    this.tree.quotas.rebuild();
  }

  /** Loads the head or one entry of the ACL table; returns where it ends, or -1 if incomplete. */
  private acl(bytes: Buffer, start: number, end: number): number {
    if (this.aclsLeft < 0) {
      if (end - start < 4) return -1;
      this.aclsLeft = Math.max(0, getInt32(bytes, start));
      return start + 4;
    }
    if (end - start < 12) return -1;
    const id = joinInt64(getInt32(bytes, start), getInt32(bytes, start + 4));
    const vector = start + 8;
    const count = getInt32(bytes, vector);
    if (count === -1) throw new MarshallingError(`Null ACL list ${id} in a snapshot`);
    let at = vector + 4;
    for (let i = 0; i < count; i++) {
      // int perms, ustring scheme, ustring id
      at = skipField(bytes, at + 4, end);
      if (at >= 0) at = skipField(bytes, at, end);
      if (at < 0) return -1;
    }
    this.aclIds.set(id, this.tree.acls.preload(bytes, vector, at));
    this.aclsLeft--;
    return at;
  }

  /** Loads one znode or the terminator; returns where it ends, or -1 if it is incomplete. */
  private znode(bytes: Buffer, start: number, end: number): number {
    const pathStart = start + 4;
    const pathEnd = skipField(bytes, start, end);
    if (pathEnd < 0) return -1;
    if (pathEnd === pathStart + 1 && bytes[pathStart] === SLASH) {
      this.done = true;
      return pathEnd;
    }
    if (end - pathEnd < 4) return -1;
    const isNull = getInt32(bytes, pathEnd) === -1;
    const dataStart = pathEnd + 4;
    const dataEnd = skipField(bytes, pathEnd, end);
    if (dataEnd < 0 || end - dataEnd < 8 + STAT_PERSISTED_BYTES) return -1;

    const { tree } = this;
    const id = tree.paths.intern(bytes, pathStart, pathEnd);
    const isKnown = tree.has(id);
    if (isKnown) {
      // A znode of the base tree: the snapshot says what became of it.
      tree.paths.release(id);
      tree.acls.release(tree.aclId(id));
      tree.subtractDigest(id);
    } else {
      tree.store.slab.ensure(id);
    }
    tree.store.slab.set(id, Field.ACL, this.aclOf(bytes, dataEnd));
    this.readStat(id, bytes, dataEnd + 8, isKnown);
    tree.writeData(id, bytes, isNull ? -1 : dataStart, dataEnd);
    if (!isKnown) tree.attach(id, this.parentOf(bytes, pathStart, pathEnd), false);
    tree.addDigest(id);
    this.latestZnode = id;
    this.loaded++;
    return dataEnd + 8 + STAT_PERSISTED_BYTES;
  }

  private readStat(id: PathId, bytes: Buffer, start: number, isKnown: boolean): void {
    const { store } = this.tree;
    const { slab } = store;
    const records = slab.bytes[id >>> CHUNK_BITS] as Buffer;
    const record = (id & CHUNK_MASK) * ZNODE_WORDS * 4;
    copyBytes(bytes, start, start + SHARED_BYTES, records, record);
    store.setCversion(id, getInt32(bytes, start + SHARED_BYTES));
    const aversion = start + SHARED_BYTES + 4;
    copyBytes(bytes, aversion, aversion + 4, records, record + AVERSION_BYTE);
    if (!isKnown) {
      slab.set(id, Field.OWNER_HIGH, getInt32(bytes, aversion + 4));
      slab.set(id, Field.OWNER_LOW, getInt32(bytes, aversion + 8));
    }
    copyBytes(bytes, aversion + 12, aversion + 20, records, record + PZXID_BYTE);
  }

  /** The parent, which came before; in a walk it mostly is the one before, or its parent. */
  private parentOf(bytes: Buffer, start: number, end: number): PathId {
    const { paths } = this.tree;
    const slash = lastSlash(bytes, start, end);
    if (slash >= 0) {
      const latest = this.latestParent;
      if (latest !== 0 && paths.equals(latest, bytes, start, slash)) return latest;
      const previous = this.latestZnode;
      this.latestParent =
        previous !== 0 && paths.equals(previous, bytes, start, slash)
          ? previous
          : this.tree.find(bytes, start, slash);
      if (this.latestParent !== 0) return this.latestParent;
    }
    throw new MarshallingError(
      `Snapshot has ${bytes.toString('utf8', start, end)} before its parent`,
    );
  }

  /** The list that the long at `at` stands for, with a use added. */
  private aclOf(bytes: Buffer, at: number): AclId {
    const high = getInt32(bytes, at);
    const low = getInt32(bytes, at + 4);
    if (high !== this.latestAclHigh || low !== this.latestAclLow) {
      this.latestAclHigh = high;
      this.latestAclLow = low;
      this.latestAcl = this.lookUpAcl(joinInt64(high, low));
    }
    this.tree.acls.retain(this.latestAcl);
    return this.latestAcl;
  }

  private lookUpAcl(fileId: number): AclId {
    if (fileId === -1) return OPEN_ACL_ID;
    const id = this.aclIds.get(fileId);
    if (id !== undefined) return id;
    // Written after the table was: the txn that brought this list is in the log and sets it.
    this.missingAcls++;
    const closed = this.tree.acls.internAcl([{ perms: 0, scheme: 'world', id: 'anyone' }]);
    this.tree.acls.release(closed);
    this.aclIds.set(fileId, closed);
    return closed;
  }
}

/** End of the buffer or ustring at `at`, null ones included, or -1 if it is not all there. */
function skipField(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1;
  const length = getInt32(bytes, at);
  if (length === -1) return at + 4;
  if (length < 0 || length > RESTORE_FIELD_LIMIT) {
    throw new MarshallingError(`Unreasonable length ${length} in a snapshot`);
  }
  return length > end - at - 4 ? -1 : at + 4 + length;
}
