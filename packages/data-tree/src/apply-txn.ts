// The only mutator of the tree: applies committed txns, straight from their bytes.
//
// A txn was decided when it was prepared: nothing is checked here again, and every rule below exists
// for replay, where the tree may already hold this txn or later ones (disk.md 3.3):
//
//   create   parent missing: nothing. Exists: takes the ACL, and the parent its cversion.
//            The parent's cversion only rises, and pzxid with it.
//   delete   parent missing: nothing. Missing: the parent's pzxid still rises.
//            With children, which only a later txn can have made: they go too.
//   setData, setACL   absolute values; missing: nothing.
//   multi    one sub-txn is an error: nothing at all. Else all, with one zxid and one time.
//
// Source: DataTree.processTxn, createNode, deleteNode, setData, setACL, killSession (3.9.5).
// Differences, all for replay: the parent's fix-up on NODEEXISTS serves every create, not type 1 only;
// an existing znode gives the use of its old ACL back; a deleted znode takes its children along
// (Java's keeps them as orphans in its map, and their parent's new self never gets them back).

import type { Buffer } from 'node:buffer';
import {
  ByteReader,
  type ByteWriter,
  closeSessionHasBody,
  DIGEST_VERSION,
  ErrorCode,
  getInt32,
  MarshallingError,
  OpCode,
  STAT_BYTES,
  TXN_DIGEST_BYTES,
  TXN_HEADER_BYTES,
} from '@zebu/protocol';
import { skipAclVector } from './acl-cache.ts';
import type { DataTree, PreparedTxns, TreeListener } from './data-tree.ts';
import { CONTAINER_OWNER_HIGH, CONTAINER_OWNER_LOW, ttlOwnerHigh } from './owner-kind.ts';
import { lastSlash, type PathId } from './path-table.ts';
import { highInt32, joinInt64, swapInt32 } from './wire-order.ts';
import { Field } from './znode-store.ts';

/** What a closeSession body of an old leader looks like: none. */
const NO_PATHS = -1;

export class TxnApplier {
  private readonly tree: DataTree;
  private readonly reader = new ByteReader();
  /** Of the txn being applied. Words of zxid and time are in wire order, as records keep them. */
  private sessionHigh = 0;
  private sessionLow = 0;
  private zxid = 0;
  private zxidHigh = 0;
  private zxidLow = 0;
  private timeHigh = 0;
  private timeLow = 0;
  private listener: TreeListener | undefined;
  private reply: ByteWriter | undefined;
  /** Set for a set of data that was prepared here. */
  private prepared: PreparedTxns | undefined;

  constructor(tree: DataTree) {
    this.tree = tree;
    // What is in the log was accepted, by whatever limit was set then.
    this.reader.maxLength = 0x7fff_ffff;
  }

  /** See DataTree.apply. */
  apply(
    entry: Buffer,
    start: number,
    end: number,
    listener: TreeListener | undefined,
    reply: ByteWriter | undefined,
    prepared: PreparedTxns | undefined,
  ): number {
    if (end - start < TXN_HEADER_BYTES) {
      throw new MarshallingError(`Txn of ${end - start} bytes is shorter than its header`);
    }
    this.sessionHigh = getInt32(entry, start);
    this.sessionLow = getInt32(entry, start + 4);
    this.setZxid(joinInt64(getInt32(entry, start + 12), getInt32(entry, start + 16)));
    this.timeHigh = swapInt32(getInt32(entry, start + 20));
    this.timeLow = swapInt32(getInt32(entry, start + 24));
    this.listener = listener;
    this.reply = reply;
    const type = getInt32(entry, start + 28);
    this.reader.reset(entry, start + TXN_HEADER_BYTES, end);
    // Not inside a multi, where it may be one of several changes.
    const isSetData = type === OpCode.setData && prepared?.recallSetData(this.zxid) === true;
    this.prepared = isSetData ? prepared : undefined;
    const error = type === OpCode.multi ? this.multi() : this.single(type);
    this.verifyDigest(type);
    this.tree.advanceTo(this.zxid);
    this.listener = undefined;
    this.reply = undefined;
    this.prepared = undefined;
    return error;
  }

  /** See DataTree.setConfig. */
  setConfig(text: Uint8Array, zxid: number, timeMs: number, listener?: TreeListener): void {
    const id = this.tree.findString('/zookeeper/config');
    this.setZxid(zxid);
    this.timeHigh = swapInt32(highInt32(timeMs));
    this.timeLow = swapInt32(timeMs | 0);
    this.writeData(id, text, 0, text.length, -1);
    listener?.dataChanged(id);
  }

  /** The only dispatch on a txn's type, for those on their own and those inside a multi. */
  private single(type: number): number {
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return this.create(type);
      case OpCode.delete:
      case OpCode.deleteContainer:
        return this.deletePath();
      case OpCode.setData:
        return this.setData(false);
      case OpCode.reconfig:
        return this.setData(true);
      case OpCode.setACL:
        return this.setAcl();
      case OpCode.check:
        this.reader.skip(this.pathLength());
        this.reader.skip(4);
        return ErrorCode.OK;
      case OpCode.error:
        return this.reader.int32();
      case OpCode.createSession:
        return this.createSession();
      case OpCode.closeSession:
        return this.closeSession();
      default:
        throw new MarshallingError(`Unsupported txn type ${type}`);
    }
  }

  // ---- create ----

  private create(type: number): number {
    const { tree, reader } = this;
    const { store, paths } = tree;
    const bytes = reader.bytes;
    const pathLength = this.pathLength();
    const pathStart = reader.offset;
    reader.skip(pathLength);
    const dataLength = reader.bufferLength();
    const dataStart = reader.offset;
    if (dataLength > 0) reader.skip(dataLength);
    const aclStart = reader.offset;
    skipAclVector(reader);
    const aclEnd = reader.offset;
    const ephemeral = (type === OpCode.create || type === OpCode.create2) && reader.bool();
    // Records of 3.3 and before lack the parent's cversion.
    const parentCversion = reader.remaining >= 4 ? reader.int32() : -1;
    let ownerHigh = ephemeral ? this.sessionHigh : 0;
    let ownerLow = ephemeral ? this.sessionLow : 0;
    if (type === OpCode.createContainer) {
      ownerHigh = CONTAINER_OWNER_HIGH;
      ownerLow = CONTAINER_OWNER_LOW;
    } else if (type === OpCode.createTTL) {
      ownerHigh = ttlOwnerHigh(reader.int32());
      ownerLow = reader.int32();
    }

    const slash = lastSlash(bytes, pathStart, pathStart + pathLength);
    const parent = slash < 0 ? 0 : tree.find(bytes, pathStart, slash);
    if (parent === 0) return ErrorCode.NONODE;
    const aclId = tree.acls.intern(bytes, aclStart, aclEnd);
    const id = paths.intern(bytes, pathStart, pathStart + pathLength);
    if (tree.has(id)) {
      paths.release(id);
      tree.acls.release(tree.aclId(id));
      store.slab.set(id, Field.ACL, aclId);
      this.raiseCversion(parent, parentCversion);
      return ErrorCode.NODEEXISTS;
    }

    tree.subtractDigest(parent);
    this.raiseStoredCversion(parent, parentCversion);
    store.slab.ensure(id);
    this.writeNewStat(id, ownerHigh, ownerLow, aclId);
    tree.writeData(id, bytes, dataLength < 0 ? -1 : dataStart, dataStart + dataLength);
    tree.attach(id, parent, true);
    tree.addDigest(parent);
    tree.addDigest(id);

    // Before the quotas: a new zookeeper_stats is answered as the client made it, then counted.
    this.replyCreated(type, pathStart, pathLength, id);
    const { quotas } = tree;
    quotas.created(id);
    if (quotas.size > 0) quotas.count(id, store.dataLength(id), 1);
    this.listener?.created(id, parent);
    return ErrorCode.OK;
  }

  /** The Stat of a znode that this txn creates: all zxids and times its own, all versions 0. */
  private writeNewStat(id: PathId, ownerHigh: number, ownerLow: number, aclId: number): void {
    const slab = this.tree.store.slab;
    this.setLong(id, Field.CZXID, this.zxidHigh, this.zxidLow);
    this.setLong(id, Field.MZXID, this.zxidHigh, this.zxidLow);
    this.setLong(id, Field.PZXID, this.zxidHigh, this.zxidLow);
    this.setLong(id, Field.CTIME, this.timeHigh, this.timeLow);
    this.setLong(id, Field.MTIME, this.timeHigh, this.timeLow);
    slab.set(id, Field.OWNER_HIGH, ownerHigh);
    slab.set(id, Field.OWNER_LOW, ownerLow);
    slab.set(id, Field.ACL, aclId);
  }

  /** Raises a parent's cversion for a child that is there already. */
  private raiseCversion(parent: PathId, cversion: number): void {
    this.tree.subtractDigest(parent);
    this.raiseStoredCversion(parent, cversion);
    this.tree.addDigest(parent);
  }

  /** Neither cversion nor pzxid ever fall: the tree may be ahead of this txn. */
  private raiseStoredCversion(parent: PathId, cversion: number): void {
    const { store } = this.tree;
    const current = store.slab.get(parent, Field.CVERSION);
    const raised = cversion === -1 ? (current + 1) | 0 : cversion;
    if (raised <= current) return;
    store.setCversion(parent, raised);
    this.setLong(parent, Field.PZXID, this.zxidHigh, this.zxidLow);
  }

  // ---- delete ----

  private deletePath(): number {
    const length = this.pathLength();
    const start = this.reader.offset;
    this.reader.skip(length);
    return this.deleteAt(this.reader.bytes, start, start + length);
  }

  private deleteAt(bytes: Buffer, start: number, end: number): number {
    const { tree } = this;
    const slash = lastSlash(bytes, start, end);
    const parent = slash < 0 || end - start === 1 ? 0 : tree.find(bytes, start, slash);
    if (parent === 0) return ErrorCode.NONODE;
    this.raisePzxid(parent);
    const id = tree.find(bytes, start, end);
    if (id === 0) return ErrorCode.NONODE;
    this.deleteZnode(id, parent);
    return ErrorCode.OK;
  }

  private deleteZnode(id: PathId, parent: PathId): void {
    const { tree } = this;
    if (tree.firstChild(id) !== 0) this.deleteBelow(id);
    const aclId = tree.aclId(id);
    const dataLength = tree.dataLength(id);
    tree.quotas.deleted(id);
    tree.detach(id, parent);
    if (tree.quotas.size > 0) tree.quotas.count(id, -dataLength, -1);
    this.listener?.deleted(id, parent, aclId);
    tree.acls.release(aclId);
    tree.paths.release(id);
  }

  /** Deletes all that is below `top`, children before parents. */
  private deleteBelow(top: PathId): void {
    const { tree } = this;
    let at = top;
    for (;;) {
      const child = tree.firstChild(at);
      if (child !== 0) {
        at = child;
      } else {
        if (at === top) return;
        const parent = tree.paths.parent(at);
        this.deleteZnode(at, parent);
        at = parent;
      }
    }
  }

  private raisePzxid(parent: PathId): void {
    const { tree } = this;
    if (this.zxid <= tree.pzxid(parent)) return;
    tree.subtractDigest(parent);
    this.setLong(parent, Field.PZXID, this.zxidHigh, this.zxidLow);
    tree.addDigest(parent);
  }

  // ---- setData, setACL ----

  private setData(isReconfig: boolean): number {
    const { tree, reader } = this;
    const pathLength = this.pathLength();
    const pathStart = reader.offset;
    reader.skip(pathLength);
    const dataLength = reader.bufferLength();
    const dataStart = reader.offset;
    if (dataLength > 0) reader.skip(dataLength);
    const version = reader.int32();
    const id =
      this.prepared?.recalledId ?? tree.find(reader.bytes, pathStart, pathStart + pathLength);
    if (id === 0) return ErrorCode.NONODE;
    const start = dataLength < 0 ? -1 : dataStart;
    this.writeData(id, reader.bytes, start, dataStart + dataLength, version);
    this.listener?.dataChanged(id);
    if (this.reply !== undefined) {
      if (isReconfig) this.replyData(this.reply, id);
      this.replyStat(this.reply, id);
    }
    return ErrorCode.OK;
  }

  private writeData(
    id: PathId,
    bytes: Uint8Array,
    start: number,
    end: number,
    version: number,
  ): void {
    const { tree, prepared } = this;
    const oldLength = tree.dataLength(id);
    tree.subtractDigest(id);
    tree.writeData(id, bytes, start, end, prepared?.recalledCrc);
    this.setLong(id, Field.MZXID, this.zxidHigh, this.zxidLow);
    this.setLong(id, Field.MTIME, this.timeHigh, this.timeLow);
    tree.store.setInt32(id, Field.VERSION, version);
    tree.addDigest(id, prepared?.recalledDigest);
    if (tree.quotas.size > 0) tree.quotas.count(id, tree.dataLength(id) - oldLength, 0);
  }

  private setAcl(): number {
    const { tree, reader } = this;
    const pathLength = this.pathLength();
    const pathStart = reader.offset;
    reader.skip(pathLength);
    const aclStart = reader.offset;
    skipAclVector(reader);
    const aclEnd = reader.offset;
    const version = reader.int32();
    const id = tree.find(reader.bytes, pathStart, pathStart + pathLength);
    if (id === 0) return ErrorCode.NONODE;
    const aclId = tree.acls.intern(reader.bytes, aclStart, aclEnd);
    tree.acls.release(tree.aclId(id));
    tree.subtractDigest(id);
    tree.store.slab.set(id, Field.ACL, aclId);
    tree.store.setInt32(id, Field.AVERSION, version);
    tree.addDigest(id);
    if (this.reply !== undefined) this.replyStat(this.reply, id);
    return ErrorCode.OK;
  }

  // ---- sessions ----

  private createSession(): number {
    const timeoutMs = this.reader.int32();
    this.listener?.sessionCreated?.(this.sessionHigh, this.sessionLow, timeoutMs);
    return ErrorCode.OK;
  }

  /** Deletes the listed paths, then whatever else the session owns here. */
  private closeSession(): number {
    const { tree, reader } = this;
    const count = this.closeSessionCount();
    for (let i = 0; i < count; i++) {
      const length = this.pathLength();
      const start = reader.offset;
      reader.skip(length);
      this.deleteAt(reader.bytes, start, start + length);
    }
    for (;;) {
      const id = tree.ephemerals.first(this.sessionHigh, this.sessionLow);
      if (id === 0) break;
      const parent = tree.paths.parent(id);
      this.raisePzxid(parent);
      this.deleteZnode(id, parent);
    }
    this.listener?.sessionClosed?.(this.sessionHigh, this.sessionLow);
    return ErrorCode.OK;
  }

  /** Number of paths listed; an older leader's record has no body, at most a digest. */
  private closeSessionCount(): number {
    const { reader } = this;
    return closeSessionHasBody(reader) ? reader.vectorLength() : NO_PATHS;
  }

  // ---- multi ----

  private multi(): number {
    const { reader, reply } = this;
    const count = reader.vectorLength();
    const outerEnd = reader.end;
    const failed = this.multiHasError(count);
    let isBehindFailure = false;
    for (let i = 0; i < count; i++) {
      const type = reader.int32();
      const length = reader.bufferLength();
      if (length < 0) throw new MarshallingError('Null txn inside a multi');
      const bodyEnd = reader.offset + length;
      if (failed) {
        let error: number = isBehindFailure ? ErrorCode.RUNTIMEINCONSISTENCY : ErrorCode.OK;
        if (type === OpCode.error) {
          error = reader.int32();
          isBehindFailure = true;
        }
        if (reply !== undefined) replyError(reply, error);
      } else {
        reader.end = bodyEnd;
        this.subTxn(type);
        reader.end = outerEnd;
      }
      reader.offset = bodyEnd;
    }
    if (reply !== undefined) replyHeader(reply, -1, true, -1);
    return ErrorCode.OK;
  }

  /** Looks ahead through the sub-txns; leaves the reader where it was. */
  private multiHasError(count: number): boolean {
    const { reader } = this;
    const mark = reader.offset;
    let found = false;
    for (let i = 0; i < count && !found; i++) {
      found = reader.int32() === OpCode.error;
      const length = reader.bufferLength();
      if (length > 0) reader.skip(length);
    }
    reader.offset = mark;
    return found;
  }

  private subTxn(type: number): void {
    const resultType = MULTI_RESULT_TYPES.get(type);
    if (resultType === undefined) {
      throw new MarshallingError(`Unsupported txn type ${type} inside a multi`);
    }
    const { reply } = this;
    const mark = reply === undefined ? 0 : reply.offset;
    if (reply !== undefined) replyHeader(reply, resultType, false, ErrorCode.OK);
    const error = this.single(type);
    if (error !== ErrorCode.OK && reply !== undefined) {
      reply.offset = mark;
      replyError(reply, error);
    }
  }

  // ---- shared ----

  /** Length of the path that follows. */
  private pathLength(): number {
    const length = this.reader.bufferLength();
    if (length < 0) throw new MarshallingError('Null path in a txn');
    return length;
  }

  private verifyDigest(type: number): void {
    const { reader } = this;
    if (reader.remaining < TXN_DIGEST_BYTES || type === OpCode.error) return;
    const version = reader.int32();
    if (version === DIGEST_VERSION) this.tree.verifyDigest(reader.int32(), reader.int32());
  }

  private setZxid(zxid: number): void {
    this.zxid = zxid;
    this.zxidHigh = swapInt32(highInt32(zxid));
    this.zxidLow = swapInt32(zxid | 0);
  }

  private setLong(id: PathId, field: number, wireHigh: number, wireLow: number): void {
    const slab = this.tree.store.slab;
    slab.set(id, field, wireHigh);
    slab.set(id, field + 1, wireLow);
  }

  private replyCreated(type: number, pathStart: number, pathLength: number, id: PathId): void {
    const { reply } = this;
    if (reply === undefined) return;
    reply.int32(pathLength);
    reply.raw(this.reader.bytes, pathStart, pathStart + pathLength);
    if (type !== OpCode.create) this.replyStat(reply, id);
  }

  private replyStat(reply: ByteWriter, id: PathId): void {
    reply.ensure(STAT_BYTES);
    this.tree.copyStat(id, reply.bytes, reply.offset);
    reply.offset += STAT_BYTES;
  }

  private replyData(reply: ByteWriter, id: PathId): void {
    reply.ensure(4 + this.tree.dataLength(id));
    reply.offset += this.tree.copyData(id, reply.bytes, reply.offset);
  }
}

/** Which header a sub-txn's result has: since 3.9.0 all creates with a Stat are type 15. */
const MULTI_RESULT_TYPES: ReadonlyMap<number, number> = new Map<number, number>([
  [OpCode.create, OpCode.create],
  [OpCode.create2, OpCode.create2],
  [OpCode.createContainer, OpCode.create2],
  [OpCode.createTTL, OpCode.create2],
  [OpCode.delete, OpCode.delete],
  [OpCode.deleteContainer, OpCode.delete],
  [OpCode.setData, OpCode.setData],
  [OpCode.check, OpCode.check],
]);

/** MultiHeader: int type, boolean done, int err. */
function replyHeader(reply: ByteWriter, type: number, done: boolean, error: number): void {
  reply.int32(type);
  reply.bool(done);
  reply.int32(error);
}

function replyError(reply: ByteWriter, error: number): void {
  replyHeader(reply, OpCode.error, false, error);
  reply.int32(error);
}
