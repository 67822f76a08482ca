// Turns a request into a txn: decides it against the tree as it will be once everything before it is
// applied, and encodes it once, into the bytes that are logged and applied.
//
//   entry = header (32 bytes) | body (by the operation) | digest (12 bytes)
//
// A request that fails becomes an error txn with the zxid it was given: it is ordered like any other.
// Source: PrepRequestProcessor (3.9.5).

import { type DataTree, type PathId, PendingChanges, ROOT_ID, ZnodeView } from '@zebu/data-tree';
import {
  type ByteReader,
  type ByteWriter,
  DIGEST_VERSION,
  ErrorCode,
  MarshallingError,
  OpCode,
  putInt32,
  TXN_HEADER_BYTES,
  type Zxid,
} from '@zebu/protocol';
import { type AccessControl, isAllowedBy } from '../auth/access-control.ts';
import type { Identity } from '../auth/identity.ts';
import { maxEntryBytes, type ServerConfig } from '../config/server-config.ts';
import type { Prepare } from '../ops/op-table.ts';
import type { Txn, TxnSequence } from './txn-sequence.ts';

/** Who asks for a txn. Session 0 is the server itself. */
export interface Requester {
  readonly idHigh: number;
  readonly idLow: number;
}

const TWO_32 = 2 ** 32;

export class Preparation {
  readonly tree: DataTree;
  readonly pending: PendingChanges;
  readonly access: AccessControl;
  readonly config: ServerConfig;
  /** Where the txn body goes. */
  readonly writer: ByteWriter;
  /** Reused: a znode as it will be. */
  readonly znode: ZnodeView;
  readonly parent: ZnodeView;
  /** Zxid and wall clock of the txn in preparation. */
  zxid: Zxid;
  timeMs: number;
  requester: Requester;
  identities: readonly Identity[];
  /** Told of every change that passes a limit of a quota, at or below this path. */
  readonly onOverQuota: (path: string, isHard: boolean) => void;
  /** Told when the sequence counter of this parent is at its end. */
  readonly onSequenceEnd: (parent: string) => void;
  /** Told when a TTL znode is asked for and not allowed. */
  readonly onTtlRefused: () => void;
  /** Told of an exception that no request should bring about. */
  readonly onDefect: (error: Error) => void;
  private readonly sequence: TxnSequence;
  private readonly maxEntryBytes: number;

  constructor(options: {
    tree: DataTree;
    access: AccessControl;
    config: ServerConfig;
    sequence: TxnSequence;
    /** The next txn gets the zxid after this one. */
    lastZxid: Zxid;
    onOverQuota: (path: string, isHard: boolean) => void;
    onSequenceEnd: (parent: string) => void;
    onTtlRefused: () => void;
    onDefect: (error: Error) => void;
  }) {
    this.tree = options.tree;
    this.pending = new PendingChanges(options.tree);
    this.access = options.access;
    this.config = options.config;
    this.sequence = options.sequence;
    this.onOverQuota = options.onOverQuota;
    this.onSequenceEnd = options.onSequenceEnd;
    this.onTtlRefused = options.onTtlRefused;
    this.onDefect = options.onDefect;
    this.writer = options.sequence.writer;
    this.znode = new ZnodeView();
    this.parent = new ZnodeView();
    this.zxid = options.lastZxid;
    this.timeMs = 0;
    this.requester = NOBODY_ASKS;
    this.identities = [];
    this.maxEntryBytes = maxEntryBytes(options.config);
  }

  /**
   * Prepares one request with the next zxid. The request's bytes are read now and not kept. `timeMs` is
   * wall clock, `nowMs` monotonic.
   */
  prepare(
    type: number,
    prepare: Prepare,
    requester: Requester,
    cxid: number,
    identities: readonly Identity[],
    request: ByteReader,
    timeMs: number,
    nowMs: number,
  ): Txn {
    const { writer, pending } = this;
    const start = this.sequence.begin(request.remaining);
    this.zxid++;
    this.timeMs = timeMs;
    this.requester = requester;
    this.identities = identities;
    writer.ensure(TXN_HEADER_BYTES);
    writer.offset = start + TXN_HEADER_BYTES;
    const mark = pending.mark();
    let error: number;
    try {
      error = prepare(this, request);
    } catch (thrown) {
      // Nothing but pending changes was touched, and those are rolled back below.
      if (!(thrown instanceof MarshallingError)) this.onDefect(thrown as Error);
      // Apache logs this txn with the zxid of the one before it, which then is there twice; ours
      // has a zxid of its own like any other (docs/decisions/030-client-operations.md).
      error = ErrorCode.MARSHALLINGERROR;
    }
    // A short request can make a long txn: an ACL of `auth` stands for every identity of the client. One that no
    // other member takes would end the role of a leader.
    if (error === 0 && writer.offset - start > this.maxEntryBytes)
      error = ErrorCode.MARSHALLINGERROR;
    if (error !== 0) {
      pending.rollback(mark);
      writer.offset = start + TXN_HEADER_BYTES;
      writer.int32(error);
    } else if (this.tree.digestEnabled) {
      writer.ensure(12);
      let at = putInt32(writer.bytes, writer.offset, DIGEST_VERSION);
      at = putInt32(writer.bytes, at, pending.digestHigh);
      writer.offset = putInt32(writer.bytes, at, pending.digestLow);
    }
    this.putHeader(start, cxid, error === 0 ? type : OpCode.error);
    const txn = this.sequence.append(this.zxid, start, nowMs);
    txn.error = error;
    return txn;
  }

  private putHeader(start: number, cxid: number, type: number): void {
    const { bytes } = this.writer;
    let at = putInt32(bytes, start, this.requester.idHigh);
    at = putInt32(bytes, at, this.requester.idLow);
    at = putInt32(bytes, at, cxid);
    at = putInt32(bytes, at, Math.floor(this.zxid / TWO_32));
    at = putInt32(bytes, at, this.zxid);
    at = putInt32(bytes, at, Math.floor(this.timeMs / TWO_32));
    at = putInt32(bytes, at, this.timeMs);
    putInt32(bytes, at, type);
  }

  /** The interned path of these bytes, 0 if nothing has that path. An empty path is the root. */
  find(bytes: Buffer, start: number, end: number): PathId {
    return end === start ? ROOT_ID : this.tree.paths.find(bytes, start, end);
  }

  /** Whether the requester has one of the permission bits on a znode with this ACL. */
  isAllowed(aclId: number, perms: number): boolean {
    return isAllowedBy(aclId, this.tree.acls, this.access, perms, this.identities);
  }
}

/** The server itself: container sweeps. */
export const NOBODY_ASKS: Requester = Object.freeze({ idHigh: 0, idLow: 0 });
