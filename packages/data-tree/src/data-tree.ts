// The znode tree of one server: what reads answer from, and what committed txns change.
//
//   PathTable    bytes -> PathId                        (path-table.ts)
//   ZnodeStore   PathId -> Stat, data, children, owner  (znode-store.ts)
//   indexes      ACL lists, ephemerals by session, containers and TTLs, quotas, digest
//
// A read is: find the id, copy 68 bytes of Stat, copy the data. No znode is an object, no path a
// string. Must never be changed but by `apply` (apply-txn.ts), by loading a snapshot
// (tree-snapshot.ts) and, for the one znode that servers keep for themselves, by `setConfig`.

import { Buffer } from 'node:buffer';
import { type ByteWriter, crc32, putInt32 } from '@zebu/protocol';
import { AclCache, type AclId, OPEN_ACL_ID } from './acl-cache.ts';
import { TxnApplier } from './apply-txn.ts';
import { CONFIG_ID, ZOOKEEPER_ID } from './base-znodes.ts';
import { ChildrenWalk } from './children-walk.ts';
import { Containers } from './containers.ts';
import { DigestedRecords, DigestSum, digestFlagOfChild } from './digest.ts';
import { Ephemerals } from './ephemerals.ts';
import { kindOfOwner, type OwnerRules, ttlOfOwner } from './owner-kind.ts';
import { type PathId, PathTable, ROOT_ID } from './path-table.ts';
import { forEachBelow, Quotas } from './quota.ts';
import { SnapshotWalk, TreeRestore } from './tree-snapshot.ts';
import { Field, Flag, ZnodeKind, ZnodeStore } from './znode-store.ts';

export interface DataTreeOptions {
  /** Keep the tree digest. Default true. */
  readonly digest?: boolean;
  /** zookeeper.extendedTypesEnabled: owners of 0xff... are TTL znodes. Default false. */
  readonly extendedTypes?: boolean;
  /** zookeeper.emulate353TTLNodes. Default false. */
  readonly emulate353?: boolean;
  /** 32 random bits for the path hash, against clients that choose colliding paths. Default 0. */
  readonly hashSeed?: number;
}

/**
 * Told of each change while it is applied, after the change of that sub-txn and in the order of
 * client-wire.md 9.2. The ids are valid during the call.
 */
export interface TreeListener {
  /** `id` was created below `parent`. */
  created(id: PathId, parent: PathId): void;
  /** `id` is gone from below `parent`; `aclId` is the ACL it had. */
  deleted(id: PathId, parent: PathId, aclId: AclId): void;
  dataChanged(id: PathId): void;
  sessionCreated?(high: number, low: number, timeoutMs: number): void;
  /** After the session's ephemerals were deleted. */
  sessionClosed?(high: number, low: number): void;
}

/** Remembers what preparing a txn has worked out; see PendingChanges. */
export interface PreparedTxns {
  /**
   * Whether the oldest txn that was prepared and not applied is this set of data. If so, its
   * znode, and that one's own CRC and digest after it, are in the fields below.
   */
  recallSetData(zxid: number): boolean;
  readonly recalledId: PathId;
  readonly recalledCrc: number;
  readonly recalledDigest: number;
}

/** What Java counts for an empty tree: "" + "/" + the three below, lengths of the paths. */
const EMPTY_DATA_SIZE = 1;

export class DataTree {
  readonly paths: PathTable;
  readonly store: ZnodeStore;
  readonly acls: AclCache;
  readonly ephemerals: Ephemerals;
  readonly containers: Containers;
  readonly quotas: Quotas;
  /** Zxid of the last top-level txn applied; a snapshot that starts now holds all of it. */
  lastProcessedZxid = 0;
  /** Txns whose digest did not match the tree after them. */
  digestMismatches = 0;
  readonly digestEnabled: boolean;
  readonly ownerRules: OwnerRules;
  /** The sum over all znodes; see digest.ts. */
  readonly digestSum: DigestSum;
  private readonly digests: DigestedRecords;
  private readonly applier: TxnApplier;
  private readonly walks: SnapshotWalk[] = [];
  private readonly childrenWalks: ChildrenWalk[] = [];
  private znodes = 0;
  private dataSize = EMPTY_DATA_SIZE;
  /** While above 0 the tree may be ahead of its zxid: no digest is compared before this txn. */
  private fuzzyUntilZxid = 0;
  private readonly fuzzyDigest = new DigestSum();
  /** How many more txns may disagree with the tree's digest before the first one agrees; see `expectFuzziness`. */
  private mayDiffer = 0;

  /** The base tree of disk.md section 4. */
  constructor(options: DataTreeOptions = {}) {
    this.paths = new PathTable(options.hashSeed ?? 0);
    this.store = new ZnodeStore();
    this.acls = new AclCache();
    this.ephemerals = new Ephemerals(this.store);
    this.containers = new Containers(this.store);
    this.quotas = new Quotas(this.store, this.paths);
    this.digestEnabled = options.digest ?? true;
    this.digests = new DigestedRecords(this.store.slab, this.digestEnabled);
    this.digestSum = this.digests.sum;
    this.ownerRules = {
      extendedTypes: options.extendedTypes ?? false,
      emulate353: options.emulate353 ?? false,
    };
    this.applier = new TxnApplier(this);
    this.addBaseZnode('', 0);
    this.addBaseZnode('/zookeeper', ROOT_ID);
    this.addBaseZnode('/zookeeper/quota', ZOOKEEPER_ID);
    this.addBaseZnode('/zookeeper/config', ZOOKEEPER_ID);
    // Everybody may read the config; only the super user may change it.
    const readOnly = this.acls.internAcl([{ perms: 1, scheme: 'world', id: 'anyone' }]);
    this.store.slab.set(CONFIG_ID, Field.ACL, readOnly);
    this.store.setInt32(CONFIG_ID, Field.AVERSION, -1);
  }

  // ---- finding ----

  /** The znode at bytes[start, end), or 0. "/" and "" are the root. Needs no valid path. */
  find(bytes: Uint8Array, start: number, end: number): PathId {
    const id = this.paths.find(bytes, start, end);
    return id !== 0 && this.store.has(id) ? id : 0;
  }

  findString(path: string): PathId {
    const bytes = Buffer.from(path);
    return this.find(bytes, 0, bytes.length);
  }

  /** Whether an interned path is a znode. */
  has(id: PathId): boolean {
    return this.store.has(id);
  }

  // ---- fields; the id must be a znode ----

  aclId(id: PathId): AclId {
    return this.store.slab.get(id, Field.ACL);
  }

  version(id: PathId): number {
    return this.store.int32(id, Field.VERSION);
  }

  /** As stored, the number of creates below it: the wire shows twice that less the children. */
  cversion(id: PathId): number {
    return this.store.slab.get(id, Field.CVERSION);
  }

  aversion(id: PathId): number {
    return this.store.int32(id, Field.AVERSION);
  }

  numChildren(id: PathId): number {
    return this.store.numChildren(id);
  }

  /** Bytes; 0 for null data. */
  dataLength(id: PathId): number {
    return this.store.dataLength(id);
  }

  dataIsNull(id: PathId): boolean {
    return this.store.dataIsNull(id);
  }

  czxid(id: PathId): number {
    return this.store.int64(id, Field.CZXID);
  }

  mzxid(id: PathId): number {
    return this.store.int64(id, Field.MZXID);
  }

  pzxid(id: PathId): number {
    return this.store.int64(id, Field.PZXID);
  }

  /** Milliseconds of wall clock, as are all times. */
  ctime(id: PathId): number {
    return this.store.int64(id, Field.CTIME);
  }

  mtime(id: PathId): number {
    return this.store.int64(id, Field.MTIME);
  }

  kind(id: PathId): ZnodeKind {
    return this.store.kind(id);
  }

  /** Halves of the stored ephemeralOwner, with the marks of containers and TTLs. */
  ownerHigh(id: PathId): number {
    return this.store.slab.get(id, Field.OWNER_HIGH);
  }

  ownerLow(id: PathId): number {
    return this.store.slab.get(id, Field.OWNER_LOW);
  }

  /** Time to live of a TTL znode, ms; 0 for all others. */
  ttlMs(id: PathId): number {
    if (this.kind(id) !== ZnodeKind.ttl) return 0;
    return ttlOfOwner(this.ownerHigh(id), this.ownerLow(id));
  }

  /** The oldest child, or 0. */
  firstChild(id: PathId): PathId {
    return this.store.slab.get(id, Field.FIRST_CHILD);
  }

  /** The next younger child of the same parent, or 0. */
  nextSibling(id: PathId): PathId {
    return this.store.slab.get(id, Field.NEXT_SIBLING);
  }

  /** Copies the 68 bytes of the Stat as clients see it. The target must have room. */
  copyStat(id: PathId, target: Uint8Array, at: number): void {
    this.store.copyStat(id, target, at);
  }

  /**
   * Copies the data as a jute buffer: int length (-1 for null), bytes. Returns the bytes written:
   * 4 + dataLength. The target must have room.
   */
  copyData(id: PathId, target: Uint8Array, at: number): number {
    if (this.store.dataIsNull(id)) return putInt32(target, at, -1) - at;
    const from = putInt32(target, at, this.store.dataLength(id));
    return 4 + this.store.copyData(id, target, from);
  }

  // ---- counts ----

  /** Znodes as Java counts them: the root twice, under "" and "/". */
  get znodeCount(): number {
    return this.znodes + 1;
  }

  /** Bytes of all paths and data (Java counts characters of paths). */
  get approximateDataSize(): number {
    return this.dataSize;
  }

  get ephemeralsCount(): number {
    return this.ephemerals.count;
  }

  /** Znodes below `id` at any depth. O(1) for the root, else a walk of all of them. */
  countDescendants(id: PathId): number {
    if (id === ROOT_ID) return this.znodes - 1;
    let count = 0;
    forEachBelow(this.store, id, () => {
      count++;
    });
    return count;
  }

  /** The tree digest, unsigned halves; 0 where digests are off. */
  get digestHigh(): number {
    return this.digestSum.high;
  }

  get digestLow(): number {
    return this.digestSum.low;
  }

  /** The tree digest as an unsigned 64-bit integer. */
  get digest(): bigint {
    return this.digestSum.value;
  }

  /** Bytes of memory held by paths, records and data. */
  get heldBytes(): number {
    return this.paths.heldBytes + this.store.slab.heldBytes + this.store.data.heldBytes;
  }

  // ---- changing ----

  /**
   * Applies one committed txn, given as the bytes of its log entry (disk.md section 3: header, body,
   * optional digest), and returns its error code: 0, or why it had no effect. Applying an entry again,
   * or one that the tree is ahead of, converges (disk.md 3.3): NONODE and NODEEXISTS are then normal.
   * A multi returns 0, as its reply's header does, failed or not.
   *
   * Where `reply` is given, the body of the response is written to it, by type of the txn:
   * create: path; create2, createContainer, createTTL: path, Stat; setData, setACL: Stat;
   * reconfig: data, Stat; multi: results, each with the Stat of that step. Nothing on an error.
   *
   * Where the txn was prepared here, `prepared` spares what preparing it has worked out.
   *
   * Throws MarshallingError on bytes that no entry may have; the tree may then be half changed, and
   * the server must stop.
   */
  apply(
    entry: Buffer,
    start: number,
    end: number,
    listener?: TreeListener,
    reply?: ByteWriter,
    prepared?: PreparedTxns,
  ): number {
    return this.applier.apply(entry, start, end, listener, reply, prepared);
  }

  /**
   * Writes /zookeeper/config as every server does for itself when a config becomes active: version
   * -1, mzxid the config's version (DataTree via ZKDatabase.initConfigInZKDatabase).
   */
  setConfig(text: Uint8Array, configZxid: number, timeMs: number, listener?: TreeListener): void {
    this.applier.setConfig(text, configZxid, timeMs, listener);
  }

  /**
   * A walk over all znodes for a fuzzy snapshot, to be filled in slices while txns are applied.
   * Between this call and the first `fill`, nothing need be done: the ACL table is of this moment.
   */
  startWalk(): SnapshotWalk {
    const walk = new SnapshotWalk(this, () => {
      this.walks.splice(this.walks.indexOf(walk), 1);
    });
    this.walks.push(walk);
    return walk;
  }

  /**
   * A walk over the names of a znode's children, for those that have too many for one turn. The
   * names are those of this moment, whatever is applied between its slices.
   */
  startChildrenWalk(parent: PathId): ChildrenWalk {
    const walk = new ChildrenWalk(this, parent, () => {
      this.childrenWalks.splice(this.childrenWalks.indexOf(walk), 1);
    });
    this.childrenWalks.push(walk);
    return walk;
  }

  /**
   * Loads a snapshot's ACL table and znodes. Only on a tree that nothing was applied to. A guess of
   * their number (bytes / 200, say) spares the path table growing bit by bit.
   */
  startRestore(expectedZnodes = 0): TreeRestore {
    this.paths.reserve(expectedZnodes);
    return new TreeRestore(this);
  }

  /**
   * Says that the tree was loaded from a fuzzy snapshot whose writer had this digest after txn
   * `zxid`: until that txn no digest is compared, and after it the tree must have this one.
   */
  expectDigest(zxid: number, digestHigh: number, digestLow: number): void {
    // A new leader that has applied nothing in its epoch writes the digest of a txn before the snapshot's own
    // zxid, which says nothing about this tree (DataTree.deserializeZxidDigest).
    if (zxid < this.lastProcessedZxid) return;
    this.fuzzyUntilZxid = zxid;
    this.fuzzyDigest.set(digestHigh, digestLow);
    // No txn was applied while the snapshot was written: it is not fuzzy, and nothing is to come.
    if (zxid > 0 && zxid === this.lastProcessedZxid) this.endFuzziness(zxid);
  }

  /**
   * Says that the tree was loaded from a snapshot that may be fuzzy and does not say up to which txn, as a leader
   * sends it. The first digest that agrees shows that the tree has caught up. If none of the next `txns` agrees,
   * that is a mismatch.
   */
  expectFuzziness(txns: number): void {
    this.mayDiffer = txns;
  }

  /** Whether replay has not reached the end of the snapshot it started from. */
  get isFuzzy(): boolean {
    return this.fuzzyUntilZxid > 0;
  }

  // ---- for apply-txn.ts and tree-snapshot.ts; see there for the rules ----

  /**
   * Makes the interned path `id` a znode below `parent`: links, indexes, counts. The record's Stat,
   * owner, ACL and data (by `writeData`) must be set; `addDigest` is the caller's. Takes over the
   * caller's uses of the path and of the ACL.
   */
  attach(id: PathId, parent: PathId, oldestFirst: boolean): void {
    const { store } = this;
    const slab = store.slab;
    const high = slab.get(id, Field.OWNER_HIGH);
    const low = slab.get(id, Field.OWNER_LOW);
    const kind = kindOfOwner(high, low, this.ownerRules);
    slab.set(
      id,
      Field.FLAGS,
      (slab.get(id, Field.FLAGS) & Flag.NULL_DATA) |
        kind |
        Flag.EXISTS |
        digestFlagOfChild(parent, slab.get(parent, Field.FLAGS)),
    );
    this.paths.link(id, parent);
    if (oldestFirst) store.appendChild(parent, id);
    else store.prependChild(parent, id);
    this.znodes++;
    this.dataSize += this.paths.length(id);
    if (kind === ZnodeKind.ephemeral) {
      store.setInt32(id, Field.WIRE_OWNER, high);
      store.setInt32(id, Field.WIRE_OWNER + 1, low);
      this.ephemerals.add(id);
    } else if (kind !== ZnodeKind.persistent) {
      this.containers.add(id, kind);
    }
  }

  /**
   * Takes a childless znode out of the tree, indexes and digest. The path and the ACL keep the uses
   * of the znode, which are the caller's to release once it has told of it.
   */
  detach(id: PathId, parent: PathId): void {
    const { store } = this;
    for (const walk of this.walks) walk.skip(id);
    for (const walk of this.childrenWalks) if (walk.parent === parent) walk.deleting(id);
    this.subtractDigest(id);
    const kind = store.kind(id);
    if (kind === ZnodeKind.ephemeral) this.ephemerals.remove(id);
    else if (kind !== ZnodeKind.persistent) this.containers.remove(id, kind);
    store.removeChild(parent, id);
    this.znodes--;
    this.dataSize -= this.paths.length(id) + store.dataLength(id);
    store.clear(id);
  }

  /**
   * Replaces data, and with it the seed of the digest: `crc` where it is known. `start` below 0 stands
   * for null data.
   */
  writeData(
    id: PathId,
    bytes: Uint8Array,
    start: number,
    end: number,
    crc: number = this.crcOf(id, bytes, start, end),
  ): void {
    this.dataSize -= this.store.dataLength(id);
    this.store.setData(id, bytes, start, end);
    this.dataSize += this.store.dataLength(id);
    this.store.slab.set(id, Field.CRC, crc);
  }

  /** Takes a znode's digest out of the sum: before its record changes. */
  subtractDigest(id: PathId): void {
    this.digests.subtract(id);
  }

  /** Adds a znode's digest, computed anew unless it is known: after its record changed. */
  addDigest(id: PathId, known?: number): void {
    this.digests.add(id, known);
  }

  /** Compares the tree with the digest that came with the txn just applied. */
  verifyDigest(high: number, low: number): void {
    if (!this.digestEnabled || this.fuzzyUntilZxid > 0) return;
    if (this.digestSum.equals(high, low)) this.mayDiffer = 0;
    else if (this.mayDiffer === 0 || --this.mayDiffer === 0) this.digestMismatches++;
  }

  /** Ends one top-level txn. */
  advanceTo(zxid: number): void {
    if (zxid > this.lastProcessedZxid) this.lastProcessedZxid = zxid;
    if (this.fuzzyUntilZxid > 0 && zxid >= this.fuzzyUntilZxid) this.endFuzziness(zxid);
  }

  private endFuzziness(zxid: number): void {
    const { high, low } = this.fuzzyDigest;
    if (this.digestEnabled) {
      // Past it without having met it: the txn that the snapshot speaks of is missing.
      if (zxid > this.fuzzyUntilZxid || !this.digestSum.equals(high, low)) this.digestMismatches++;
    }
    this.fuzzyUntilZxid = 0;
  }

  private crcOf(id: PathId, bytes: Uint8Array, start: number, end: number): number {
    if (!this.digestEnabled) return 0;
    const path = this.paths.crc(id);
    return start < 0 ? path : crc32(bytes, start, end, path);
  }

  private addBaseZnode(path: string, parent: PathId): void {
    const bytes = Buffer.from(path);
    const id = this.paths.intern(bytes, 0, bytes.length);
    this.store.slab.ensure(id);
    this.store.slab.set(id, Field.ACL, OPEN_ACL_ID);
    if (parent === 0) {
      this.store.slab.set(id, Field.FLAGS, Flag.EXISTS);
      this.znodes++;
    } else {
      this.attach(id, parent, true);
    }
    this.writeData(id, bytes, 0, 0);
    this.addDigest(id);
  }
}
