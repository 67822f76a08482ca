// The tree as it will be once every txn that was prepared is applied.
//
// A txn is decided before those ahead of it are applied, so it must be checked against their outcome: versions,
// children, ephemerals, and the digest that goes into its own entry.
// Only znodes that a prepared txn touches have a record here, with the layout of a znode's (see
// znode-store.ts); its number stands in the path's own record, so looking at it is two loads.
//
//   changes (a queue, oldest first)      znode records
//   [zxid, digest before, image before] ->  [fields as they will be, number of changes on it]
//
// Each change keeps the record as it was before: `rollback` walks the queue back, `applied` drops it
// from the front. Every rule mirrors apply-txn.ts. Where they differ, the digests differ too, at the latest when
// the log is replayed: a setData prepared on this server is applied with the digest computed when it was prepared.

import { assertInvariant, crc32 } from '@zebu/protocol';
import type { AclId } from './acl-cache.ts';
import type { DataTree, PreparedTxns } from './data-tree.ts';
import { DigestedRecords, digestFlagOfChild } from './digest.ts';
import { kindOfOwner } from './owner-kind.ts';
import type { PathId } from './path-table.ts';
import { CHUNK_BITS, CHUNK_MASK, RecordSlab } from './record-slab.ts';
import { highInt32, joinInt64, swapInt32 } from './wire-order.ts';
import { Field, Flag, ZNODE_WORDS, ZnodeKind } from './znode-store.ts';

/** Words of a pending znode that mean something else in the tree's. */
const PATH = Field.OWNER_RECORD;
/** Changes in the queue that touched it. */
const TOUCHES = Field.ORDER;
/** What the next sequential child is named for. */
const COUNTER = Field.FIRST_CHILD;
/** Flag: a pending create made it an ephemeral, so it is in the list of those. */
const LISTED = 32;

/** Words of a change, before the image. */
const PREV = 0;
const NEXT = 1;
const ZNODE = 2;
const ZXID_HIGH = 3;
const ZXID_LOW = 4;
const SUM_HIGH = 5;
const SUM_LOW = 6;
/** ACL list whose use the change holds, or 0. */
const ACL = 7;
/** CRC and digest of the znode after a set of data; see recallSetData. */
const NEW_CRC = 8;
const NEW_DIGEST = 9;
const IMAGE = 10;
const CHANGE_WORDS = IMAGE + ZNODE_WORDS;

/** A znode as it will be; filled by `load`, reused by its owner. */
export class ZnodeView {
  aclId: AclId = 0;
  version = 0;
  /**
   * As stored, with the creates in flight counted. Past 2^31 - 1 it goes on at -2^31 while creates are in
   * flight, and falls back to 2^31 - 1 once they are applied, as Apache's ChangeRecord does: applying a txn
   * only raises what is stored.
   */
  cversion = 0;
  aversion = 0;
  numChildren = 0;
  kind: ZnodeKind = ZnodeKind.persistent;
  ownerHigh = 0;
  ownerLow = 0;
  /** Bytes; 0 for null. */
  dataLength = 0;
  pzxid = 0;
}

export interface PendingCreate {
  readonly zxid: number;
  readonly timeMs: number;
  /** Interned; the caller's use is taken over. */
  readonly id: PathId;
  readonly parentId: PathId;
  /** The parent's stored cversion after this create, as in the txn. */
  readonly parentCversion: number;
  /** The data is bytes[dataStart, dataStart + dataLength); a length of -1 is null. Read now. */
  readonly bytes: Uint8Array;
  readonly dataStart: number;
  readonly dataLength: number;
  /** The caller's use is taken over. */
  readonly aclId: AclId;
  readonly ownerHigh: number;
  readonly ownerLow: number;
}

export interface PendingSetData {
  readonly zxid: number;
  readonly timeMs: number;
  readonly id: PathId;
  readonly bytes: Uint8Array;
  readonly dataStart: number;
  readonly dataLength: number;
  /** The version after this txn. */
  readonly version: number;
}

export class PendingChanges implements PreparedTxns {
  // What recallSetData found; valid until `applied`.
  recalledId: PathId = 0;
  recalledCrc = 0;
  recalledDigest = 0;
  private readonly tree: DataTree;
  private readonly znodes = new RecordSlab(ZNODE_WORDS);
  private readonly changes = new RecordSlab(CHANGE_WORDS);
  private head = 0;
  private tail = 0;
  private readonly digests: DigestedRecords;
  /** First of the ephemerals that pending creates make. */
  private firstEphemeral = 0;

  constructor(tree: DataTree) {
    this.tree = tree;
    this.digests = new DigestedRecords(this.znodes, tree.digestEnabled);
  }

  /** Changes in the queue. */
  get size(): number {
    return this.changes.live;
  }

  /** Znodes that changes in the queue touch. */
  get touched(): number {
    return this.znodes.live;
  }

  /** Fills the view with the znode as it will be; false if there will be none. */
  load(id: PathId, view: ZnodeView): boolean {
    const pending = this.tree.paths.pending(id);
    if (pending !== 0) {
      if ((this.znodes.get(pending, Field.FLAGS) & Flag.EXISTS) === 0) return false;
      fill(view, this.znodes, pending);
      view.cversion = this.znodes.get(pending, COUNTER);
      return true;
    }
    if (!this.tree.has(id)) return false;
    fill(view, this.tree.store.slab, id);
    return true;
  }

  /** The digest of the tree as it will be: what belongs into the txn just prepared. */
  get digestHigh(): number {
    return this.head === 0 ? this.tree.digestHigh : this.digests.sum.high;
  }

  get digestLow(): number {
    return this.head === 0 ? this.tree.digestLow : this.digests.sum.low;
  }

  /** The znode must not exist, and the parent must. */
  create(change: PendingCreate): void {
    const { id, parentId, ownerHigh, ownerLow } = change;
    const { tree, znodes } = this;
    const parent = this.touch(change.zxid, parentId, 0);
    this.digests.subtract(parent);
    znodes.set(parent, COUNTER, change.parentCversion);
    if (change.parentCversion > znodes.get(parent, Field.CVERSION)) {
      znodes.set(parent, Field.CVERSION, change.parentCversion);
      this.setLong(parent, Field.PZXID, change.zxid);
    }
    this.countChild(parent, 1);
    this.digests.add(parent);

    const znode = this.touch(change.zxid, id, change.aclId);
    tree.paths.link(id, parentId);
    tree.paths.release(id);
    const isNull = change.dataLength < 0;
    const kind = kindOfOwner(ownerHigh, ownerLow, tree.ownerRules);
    znodes.set(
      znode,
      Field.FLAGS,
      kind |
        Flag.EXISTS |
        (isNull ? Flag.NULL_DATA : 0) |
        digestFlagOfChild(parentId, znodes.get(parent, Field.FLAGS)),
    );
    this.setLong(znode, Field.CZXID, change.zxid);
    this.setLong(znode, Field.MZXID, change.zxid);
    this.setLong(znode, Field.PZXID, change.zxid);
    this.setLong(znode, Field.CTIME, change.timeMs);
    this.setLong(znode, Field.MTIME, change.timeMs);
    znodes.set(znode, Field.VERSION, 0);
    znodes.set(znode, Field.CVERSION, 0);
    znodes.set(znode, COUNTER, 0);
    znodes.set(znode, Field.AVERSION, 0);
    znodes.set(znode, Field.NUM_CHILDREN, 0);
    znodes.set(znode, Field.OWNER_HIGH, ownerHigh);
    znodes.set(znode, Field.OWNER_LOW, ownerLow);
    znodes.set(znode, Field.ACL, change.aclId);
    this.setDataOf(znode, id, change.bytes, change.dataStart, change.dataLength);
    this.digests.add(znode);
    if (kind === ZnodeKind.ephemeral) this.list(znode);
  }

  /** The znode must exist. */
  setData(change: PendingSetData): void {
    const znode = this.touch(change.zxid, change.id, 0);
    this.digests.subtract(znode);
    this.setDataOf(znode, change.id, change.bytes, change.dataStart, change.dataLength);
    this.setLong(znode, Field.MZXID, change.zxid);
    this.setLong(znode, Field.MTIME, change.timeMs);
    this.znodes.set(znode, Field.VERSION, swapInt32(change.version));
    this.digests.add(znode);
    this.changes.set(this.tail, NEW_CRC, this.znodes.get(znode, Field.CRC));
    this.changes.set(this.tail, NEW_DIGEST, this.znodes.get(znode, Field.DIGEST));
  }

  /** See PreparedTxns. */
  recallSetData(zxid: number): boolean {
    const { head, changes } = this;
    if (head === 0 || this.zxidOf(head) !== zxid) return false;
    this.recalledId = this.znodes.get(changes.get(head, ZNODE), PATH);
    this.recalledCrc = changes.get(head, NEW_CRC);
    this.recalledDigest = changes.get(head, NEW_DIGEST);
    return true;
  }

  /** The znode must exist. The caller's use of the ACL is taken over. */
  setAcl(zxid: number, id: PathId, aclId: AclId, aversion: number): void {
    const znode = this.touch(zxid, id, aclId);
    this.digests.subtract(znode);
    this.znodes.set(znode, Field.ACL, aclId);
    this.znodes.set(znode, Field.AVERSION, swapInt32(aversion));
    this.digests.add(znode);
  }

  /** The znode must exist, have no children, and be a child of `parentId`. */
  delete(zxid: number, id: PathId, parentId: PathId): void {
    const { znodes } = this;
    const parent = this.touch(zxid, parentId, 0);
    this.digests.subtract(parent);
    this.countChild(parent, -1);
    if (zxid > this.long(parent, Field.PZXID)) this.setLong(parent, Field.PZXID, zxid);
    this.digests.add(parent);

    const znode = this.touch(zxid, id, 0);
    this.digests.subtract(znode);
    if ((znodes.get(znode, Field.FLAGS) & LISTED) !== 0) this.unlist(znode);
    znodes.set(znode, Field.FLAGS, 0);
  }

  /** The ephemerals that a session will own. */
  ephemeralsOf(high: number, low: number): PathId[] {
    const { tree, znodes } = this;
    const owned: PathId[] = [];
    for (let id = tree.ephemerals.first(high, low); id !== 0; id = tree.ephemerals.next(id)) {
      const pending = tree.paths.pending(id);
      if (pending === 0 || this.isStillOwned(pending, high, low)) owned.push(id);
    }
    for (let at = this.firstEphemeral; at !== 0; at = znodes.get(at, Field.OWNED_NEXT)) {
      if (this.isOwnedBy(at, high, low)) owned.push(znodes.get(at, PATH));
    }
    return owned;
  }

  /**
   * A pending delete may have taken it away, and a pending create put another znode in its place: an
   * ephemeral is in our list then; one of another kind has no owner.
   */
  private isStillOwned(znode: number, high: number, low: number): boolean {
    const flags = this.znodes.get(znode, Field.FLAGS);
    return (
      (flags & Flag.EXISTS) !== 0 && (flags & LISTED) === 0 && this.isOwnedBy(znode, high, low)
    );
  }

  private isOwnedBy(znode: number, high: number, low: number): boolean {
    const { znodes } = this;
    return (
      znodes.get(znode, Field.OWNER_HIGH) === high && znodes.get(znode, Field.OWNER_LOW) === low
    );
  }

  /** The place in the queue to roll back to, good until the next `applied`. */
  mark(): number {
    return this.tail;
  }

  /** Undoes every change since the mark: the multi, or the txn, that made them failed. */
  rollback(mark: number): void {
    while (this.tail !== mark) this.undo(this.tail);
  }

  /**
   * Undoes every change that is not applied, because its txn never will be. Without this the paths would keep the numbers
   * of these records, which mean nothing, or something else, to the next PendingChanges of the same tree.
   */
  clear(): void {
    this.rollback(0);
  }

  /** Forgets the changes of every txn up to `zxid`, which the tree holds now. */
  applied(zxid: number): void {
    const { changes } = this;
    while (this.head !== 0) {
      const change = this.head;
      if (this.zxidOf(change) > zxid) return;
      this.head = changes.get(change, NEXT);
      if (this.head === 0) this.tail = 0;
      else changes.set(this.head, PREV, 0);
      this.drop(change);
    }
  }

  /** The record of `id` after one more change was noted, and that change's ACL use taken over. */
  private touch(zxid: number, id: PathId, aclId: AclId): number {
    const { paths } = this.tree;
    let znode = paths.pending(id);
    if (znode === 0) {
      znode = this.copyFromTree(id);
      paths.setPending(id, znode);
      paths.retain(id);
    }
    if (this.head === 0) this.digests.sum.set(this.tree.digestHigh, this.tree.digestLow);
    this.push(zxid, znode, aclId);
    this.znodes.set(znode, TOUCHES, this.znodes.get(znode, TOUCHES) + 1);
    return znode;
  }

  private copyFromTree(id: PathId): number {
    const znode = this.znodes.allocate();
    if (this.tree.has(id)) {
      const { slab } = this.tree.store;
      copyRecord(slab.chunks, id, ZNODE_WORDS, 0, this.znodes.chunks, znode, ZNODE_WORDS, 0);
    }
    this.znodes.set(znode, COUNTER, this.znodes.get(znode, Field.CVERSION));
    this.znodes.set(znode, PATH, id);
    this.znodes.set(znode, TOUCHES, 0);
    return znode;
  }

  private push(zxid: number, znode: number, aclId: AclId): void {
    const { changes } = this;
    const change = changes.allocate();
    changes.set(change, PREV, this.tail);
    if (this.tail === 0) this.head = change;
    else changes.set(this.tail, NEXT, change);
    this.tail = change;
    changes.set(change, ZNODE, znode);
    changes.set(change, ZXID_HIGH, highInt32(zxid));
    changes.set(change, ZXID_LOW, zxid | 0);
    changes.set(change, SUM_HIGH, this.digests.sum.high);
    changes.set(change, SUM_LOW, this.digests.sum.low);
    changes.set(change, ACL, aclId > 0 ? aclId : 0);
    const { chunks } = this.znodes;
    copyRecord(chunks, znode, ZNODE_WORDS, 0, changes.chunks, change, CHANGE_WORDS, IMAGE);
  }

  /** Takes the youngest change back. */
  private undo(change: number): void {
    const { changes, znodes } = this;
    const znode = changes.get(change, ZNODE);
    const touches = znodes.get(znode, TOUCHES);
    if ((znodes.get(znode, Field.FLAGS) & LISTED) !== 0) this.unlist(znode);
    copyRecord(changes.chunks, change, CHANGE_WORDS, IMAGE, znodes.chunks, znode, ZNODE_WORDS, 0);
    // The image's count and links are outdated: changes that were applied since have left the queue.
    znodes.set(znode, TOUCHES, touches);
    if ((znodes.get(znode, Field.FLAGS) & LISTED) !== 0) this.list(znode);
    this.digests.sum.set(changes.get(change, SUM_HIGH), changes.get(change, SUM_LOW));
    this.tail = changes.get(change, PREV);
    if (this.tail === 0) this.head = 0;
    else changes.set(this.tail, NEXT, 0);
    this.drop(change);
  }

  /** Frees a change that is out of the queue, and its znode's record when it was the last on it. */
  private drop(change: number): void {
    const { changes, znodes, tree } = this;
    const znode = changes.get(change, ZNODE);
    tree.acls.release(changes.get(change, ACL));
    changes.free(change);
    const touches = znodes.get(znode, TOUCHES) - 1;
    assertInvariant(touches >= 0, 'a pending znode has fewer than no changes');
    znodes.set(znode, TOUCHES, touches);
    if (touches > 0) return;
    if ((znodes.get(znode, Field.FLAGS) & LISTED) !== 0) this.unlist(znode);
    const id = znodes.get(znode, PATH);
    tree.paths.setPending(id, 0);
    tree.paths.release(id);
    znodes.free(znode);
  }

  private setDataOf(
    znode: number,
    id: PathId,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { znodes, tree } = this;
    const isNull = length < 0;
    const flags = znodes.get(znode, Field.FLAGS);
    znodes.set(znode, Field.FLAGS, isNull ? flags | Flag.NULL_DATA : flags & ~Flag.NULL_DATA);
    znodes.set(znode, Field.DATA_LENGTH, swapInt32(isNull ? 0 : length));
    if (!tree.digestEnabled) return;
    const path = tree.paths.crc(id);
    znodes.set(znode, Field.CRC, isNull ? path : crc32(bytes, start, start + length, path));
  }

  private zxidOf(change: number): number {
    return joinInt64(this.changes.get(change, ZXID_HIGH), this.changes.get(change, ZXID_LOW));
  }

  private countChild(znode: number, delta: number): void {
    const count = swapInt32(this.znodes.get(znode, Field.NUM_CHILDREN)) + delta;
    this.znodes.set(znode, Field.NUM_CHILDREN, swapInt32(count));
  }

  private long(znode: number, field: number): number {
    const { znodes } = this;
    return joinInt64(swapInt32(znodes.get(znode, field)), swapInt32(znodes.get(znode, field + 1)));
  }

  private setLong(znode: number, field: number, value: number): void {
    this.znodes.set(znode, field, swapInt32(highInt32(value)));
    this.znodes.set(znode, field + 1, swapInt32(value | 0));
  }

  private list(znode: number): void {
    const { znodes } = this;
    znodes.set(znode, Field.FLAGS, znodes.get(znode, Field.FLAGS) | LISTED);
    znodes.set(znode, Field.OWNED_NEXT, this.firstEphemeral);
    znodes.set(znode, Field.OWNED_PREV, 0);
    if (this.firstEphemeral !== 0) znodes.set(this.firstEphemeral, Field.OWNED_PREV, znode);
    this.firstEphemeral = znode;
  }

  private unlist(znode: number): void {
    const { znodes } = this;
    znodes.set(znode, Field.FLAGS, znodes.get(znode, Field.FLAGS) & ~LISTED);
    const next = znodes.get(znode, Field.OWNED_NEXT);
    const prev = znodes.get(znode, Field.OWNED_PREV);
    if (next !== 0) znodes.set(next, Field.OWNED_PREV, prev);
    if (prev !== 0) znodes.set(prev, Field.OWNED_NEXT, next);
    else this.firstEphemeral = next;
  }
}

function fill(view: ZnodeView, slab: RecordSlab, id: number): void {
  const chunk = slab.chunks[id >>> CHUNK_BITS] as Int32Array;
  const at = (id & CHUNK_MASK) * ZNODE_WORDS;
  view.aclId = chunk[at + Field.ACL] as number;
  view.version = swapInt32(chunk[at + Field.VERSION] as number);
  view.cversion = chunk[at + Field.CVERSION] as number;
  view.aversion = swapInt32(chunk[at + Field.AVERSION] as number);
  view.numChildren = swapInt32(chunk[at + Field.NUM_CHILDREN] as number);
  view.kind = ((chunk[at + Field.FLAGS] as number) & Flag.KIND) as ZnodeKind;
  view.ownerHigh = chunk[at + Field.OWNER_HIGH] as number;
  view.ownerLow = chunk[at + Field.OWNER_LOW] as number;
  view.dataLength = swapInt32(chunk[at + Field.DATA_LENGTH] as number);
  view.pzxid = joinInt64(
    swapInt32(chunk[at + Field.PZXID] as number),
    swapInt32(chunk[at + Field.PZXID + 1] as number),
  );
}

/** Copies one znode's words from a record of one slab, at an offset, into a record of another. */
function copyRecord(
  fromChunks: readonly Int32Array[],
  fromId: number,
  fromWords: number,
  fromOffset: number,
  toChunks: readonly Int32Array[],
  toId: number,
  toWords: number,
  toOffset: number,
): void {
  const from = fromChunks[fromId >>> CHUNK_BITS] as Int32Array;
  const to = toChunks[toId >>> CHUNK_BITS] as Int32Array;
  const source = (fromId & CHUNK_MASK) * fromWords + fromOffset;
  const target = (toId & CHUNK_MASK) * toWords + toOffset;
  for (let i = 0; i < ZNODE_WORDS; i++) to[target + i] = from[source + i] as number;
}
