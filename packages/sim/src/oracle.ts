// The history of one server: every txn that it handed to its disk, in that order, with the state after it.
//
// The entries come from the disk (txn-log-tap.ts), so the order is the server's own. The states are computed
// by a plain model (znode-history.ts). Txns that a crash took away are removed again.

import { decodeTxn, formatZxid, type Txn } from '@zebu/protocol';
import { demand } from './violation.ts';
import { type Effect, ZnodeHistory } from './znode-history.ts';

export interface HistoryEntry {
  readonly zxid: number;
  readonly txn: Txn;
  readonly bytes: Buffer;
  readonly effect: Effect;
  /** Virtual ms. */
  readonly issuedMs: number;
}

const EMPTY_TREE_DIGEST = 1_371_985_504n;

export class Oracle {
  readonly tree: ZnodeHistory;
  /** By zxid - 1: this server's zxids have no gaps. */
  readonly entries: HistoryEntry[];
  /** Every entry up to it is on stable storage, according to the disk. */
  durableZxid: number;
  /** Sessions whose end was ever handed to the disk, crashed away or not. */
  readonly everClosed: Set<bigint>;

  constructor() {
    this.tree = new ZnodeHistory();
    this.entries = [];
    this.durableZxid = 0;
    this.everClosed = new Set();
  }

  get lastZxid(): number {
    return this.entries.length;
  }

  entry(zxid: number): HistoryEntry | undefined {
    return this.entries[zxid - 1];
  }

  /** Tree digest after this txn. */
  digestAt(zxid: number): bigint {
    return zxid === 0 ? EMPTY_TREE_DIGEST : (this.entry(zxid) as HistoryEntry).effect.digest;
  }

  /** The server gave this entry to its disk. The bytes are copied. */
  issued(entryBytes: Buffer, nowMs: number): HistoryEntry {
    const bytes = Buffer.from(entryBytes);
    const txn = decodeTxn(bytes);
    const { zxid } = txn.header;
    demand(
      zxid === this.lastZxid + 1,
      'issued-in-order',
      () => `zxid ${formatZxid(zxid)} is logged after ${formatZxid(this.lastZxid)}`,
    );
    const effect = this.tree.add(txn);
    demand(
      txn.digest === undefined || BigInt.asUintN(64, txn.digest.treeDigest) === effect.digest,
      'digest',
      () =>
        `txn ${formatZxid(zxid)} says digest ${txn.digest?.treeDigest}, from scratch it is ${effect.digest}`,
    );
    const entry: HistoryEntry = { zxid, txn, bytes, effect, issuedMs: nowMs };
    this.entries.push(entry);
    if (txn.body.type === -11) this.everClosed.add(BigInt.asUintN(64, txn.header.clientId));
    return entry;
  }

  durable(zxid: number): void {
    if (zxid > this.durableZxid) this.durableZxid = zxid;
  }

  /** The server came back with this zxid: what was issued after it counts as never issued. */
  recovered(zxid: number): void {
    this.entries.length = zxid;
    this.tree.truncate(zxid);
    this.durableZxid = zxid;
  }
}
