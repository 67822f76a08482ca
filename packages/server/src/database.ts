// What a member has of the ensemble's state: the tree, and the sessions with their timeouts. Recovery builds
// it from a snapshot and the txns after that; a sync with a leader that sends SNAP or TRUNC replaces it whole.

import { DataTree, type TreeListener } from '@zebu/data-tree';
import { DIGEST_VERSION, framePacket, PacketType, type Zxid } from '@zebu/protocol';
import type { SessionTable } from '@zebu/session';
import type { RecoveryTarget, SnapshotTrailer } from '@zebu/storage';
import type { ServerConfig } from './config/server-config.ts';
import { CommittedLog } from './txns/committed-log.ts';
import { TxnChunks } from './txns/txn-chunks.ts';

/** A znode in a snapshot: a path of 30 bytes, data of 100, the Stat. A wrong guess costs four bytes a znode. */
const USUAL_ZNODE_BYTES = 200;
const MAX_GUESSED_ZNODES = 4_000_000;

/** Txns that a leader may apply while it sends a snapshot: before one that agrees, their digests are no alarm. */
const MAX_FUZZY_TXNS = 100_000;
/** Bytes of entries that the committed log keeps at most: 500 of the largest would be 500 MB. */
const MAX_COMMITTED_LOG_BYTES = 64 << 20;

/** Sessions by id (unsigned), with their timeouts in ms. */
export type RecoveredSessions = Map<bigint, number>;

export class Database implements RecoveryTarget {
  readonly tree: DataTree;
  readonly sessions: RecoveredSessions;
  /** Where the txns of all lives of serving on this database lie. */
  readonly chunks: TxnChunks;
  /** The last txns that were applied: what a learner that was away for a moment is sent. */
  readonly committedLog: CommittedLog;
  /** Of an ensemble: it keeps the last txns that it replays. */
  private readonly isMember: boolean;
  private restore: ReturnType<DataTree['startRestore']> | undefined;
  private readonly listener: TreeListener;

  constructor(config: ServerConfig, hashSeed: number) {
    this.tree = new DataTree({
      digest: config.digestEnabled,
      extendedTypes: config.extendedTypesEnabled,
      emulate353: config.emulate353TtlNodes,
      hashSeed,
    });
    this.sessions = new Map();
    this.chunks = new TxnChunks();
    this.committedLog = new CommittedLog(this.chunks, {
      entries: config.commitLogCount,
      bytes: MAX_COMMITTED_LOG_BYTES,
    });
    this.isMember = config.ensemble !== undefined;
    this.restore = undefined;
    this.listener = {
      created() {},
      deleted() {},
      dataChanged() {},
      sessionCreated: (high, low, timeoutMs) => {
        this.sessions.set(joinId(high, low), timeoutMs);
      },
      sessionClosed: (high, low) => {
        this.sessions.delete(joinId(high, low));
      },
    };
  }

  snapshotBegins(fileBytes: number): void {
    this.restore = this.tree.startRestore(guessZnodes(fileBytes));
  }

  session(idHigh: number, idLow: number, timeoutMs: number): void {
    this.sessions.set(joinId(idHigh, idLow), timeoutMs);
  }

  records(bytes: Buffer, start: number, end: number): number {
    this.restore ??= this.tree.startRestore(guessZnodes(0));
    return this.restore.consume(bytes, start, end);
  }

  get isComplete(): boolean {
    return this.restore?.done ?? false;
  }

  snapshotLoaded(zxid: Zxid, trailer: SnapshotTrailer): void {
    this.restore?.finish();
    this.restore = undefined;
    this.tree.lastProcessedZxid = zxid;
    const { digest } = trailer;
    if (digest === undefined) this.tree.expectFuzziness(MAX_FUZZY_TXNS);
    else if (digest.version === DIGEST_VERSION && digest.zxid >= BigInt(zxid)) {
      this.tree.expectDigest(Number(digest.zxid), digest.digestHigh, digest.digestLow);
    }
  }

  /** Takes the sessions over from a life of serving that ends. */
  keepSessions(table: SessionTable): void {
    this.sessions.clear();
    for (const session of table.values()) {
      if (session.isCreated) this.sessions.set(session.id, session.loggedTimeoutMs);
    }
  }

  applyEntry(bytes: Buffer, start: number, end: number, zxid: Zxid): void {
    this.tree.apply(bytes, start, end, this.listener);
    if (this.isMember) this.keep(bytes, start, end, zxid);
  }

  /** A member that restarts can bring others up to date from memory, as before. */
  private keep(bytes: Buffer, start: number, end: number, zxid: Zxid): void {
    const { chunks, committedLog } = this;
    const at = chunks.begin(end - start);
    chunks.writer.raw(bytes, start, end);
    const upTo = chunks.writer.offset;
    const chunk = chunks.end();
    framePacket(chunk.bytes, at, upTo, PacketType.PROPOSAL, zxid);
    committedLog.add({ zxid, chunk, start: at, end: upTo });
    chunks.release(chunk);
  }
}

function guessZnodes(fileBytes: number): number {
  return Math.min(MAX_GUESSED_ZNODES, Math.floor(fileBytes / USUAL_ZNODE_BYTES));
}

/** An unsigned 64-bit id from its halves. */
export function joinId(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
