// The last txns that were applied, with their bytes: what a learner that was away for a moment is sent.
//
//   [oldest ... newest]   no gap inside an epoch; a new epoch begins with its first txn
//
// A gap here would be a gap in the log of every learner that is synced from it (ZOOKEEPER-4925): where a txn
// does not follow the one before it, what was kept is dropped. While a learner is being synced, what it will
// need is held beyond the usual number, up to a bound in bytes.

import { counterOf, epochOf, type Zxid } from '@zebu/protocol';
import type { TxnChunk, TxnChunks } from './txn-chunks.ts';

/** Bytes that may be held for learners in sync; beyond, the one that needs the oldest is given up. */
const MAX_HELD_BYTES = 512 << 20;

export interface CommittedTxn {
  readonly zxid: Zxid;
  readonly chunk: TxnChunk;
  /** The entry is chunk.bytes[start, end). */
  readonly start: number;
  readonly end: number;
}

export interface CommittedLogLimits {
  /** commitLogCount. */
  readonly entries: number;
  readonly bytes: number;
}

/** A learner that is being synced, and needs every txn after a zxid. */
export interface Hold {
  /** Txns after this one are kept. */
  readonly afterZxid: Zxid;
  /** So much is held that this learner must be given up. */
  overflowed(): void;
}

export class CommittedLog {
  private readonly chunks: TxnChunks;
  private readonly limits: CommittedLogLimits;
  private readonly entries: CommittedTxn[];
  /** Entries before this index are dropped; they leave the array now and then. */
  private first: number;
  private bytes: number;
  private readonly holds: Set<Hold>;

  constructor(chunks: TxnChunks, limits: CommittedLogLimits) {
    this.chunks = chunks;
    this.limits = limits;
    this.entries = [];
    this.first = 0;
    this.bytes = 0;
    this.holds = new Set();
  }

  get size(): number {
    return this.entries.length - this.first;
  }

  /** -1 while it is empty. */
  get minZxid(): Zxid {
    return this.entries[this.first]?.zxid ?? -1;
  }

  /** -1 while it is empty. */
  get maxZxid(): Zxid {
    return this.size === 0 ? -1 : (this.entries.at(-1) as CommittedTxn).zxid;
  }

  /** Adds the txn that was applied last. */
  add({ zxid, chunk, start, end }: CommittedTxn): void {
    if (this.size > 0 && !follows(this.maxZxid, zxid)) this.clear();
    chunk.users++;
    this.entries.push({ zxid, chunk, start, end });
    this.bytes += end - start;
    this.trim();
  }

  /** Keeps every txn after hold.afterZxid until release(). */
  hold(hold: Hold): void {
    this.holds.add(hold);
  }

  release(hold: Hold): void {
    if (this.holds.delete(hold)) this.trim();
  }

  /** The greatest zxid in the log that is at most `zxid`; -1 where none is. */
  floor(zxid: Zxid): Zxid {
    const at = this.indexAfter(zxid) - 1;
    return at < this.first ? -1 : (this.entries[at] as CommittedTxn).zxid;
  }

  /** The smallest zxid in the log that is greater than `zxid`; -1 where none is. */
  ceiling(zxid: Zxid): Zxid {
    return this.entries[this.indexAfter(zxid)]?.zxid ?? -1;
  }

  /** The zxid of the last txn of a run that begins after `zxid` and has so many bytes, or one txn; -1 where none is. */
  reach(zxid: Zxid, bytes: number): Zxid {
    let at = this.indexAfter(zxid);
    if (at === this.entries.length) return -1;
    let left = bytes;
    for (; at < this.entries.length; at++) {
      const { start, end } = this.entries[at] as CommittedTxn;
      left -= end - start;
      if (left <= 0) break;
    }
    return (this.entries[Math.min(at, this.entries.length - 1)] as CommittedTxn).zxid;
  }

  /** Calls `each` for the txns in (afterZxid, upTo], oldest first. */
  forEachIn(afterZxid: Zxid, upTo: Zxid, each: (txn: CommittedTxn) => void): void {
    for (let at = this.indexAfter(afterZxid); at < this.entries.length; at++) {
      const entry = this.entries[at] as CommittedTxn;
      if (entry.zxid > upTo) return;
      each(entry);
    }
  }

  clear(): void {
    while (this.size > 0) this.dropOldest();
    this.entries.length = 0;
    this.first = 0;
  }

  /** Index of the first entry after `zxid`, by halving. */
  private indexAfter(zxid: Zxid): number {
    let low = this.first;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle] as CommittedTxn).zxid <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private trim(): void {
    const { entries: maxEntries, bytes: maxBytes } = this.limits;
    while (this.size > maxEntries || (this.bytes > maxBytes && this.size > 1)) {
      const neededBy = this.holderOf(this.minZxid);
      if (neededBy !== undefined) {
        if (this.bytes <= MAX_HELD_BYTES) return;
        this.holds.delete(neededBy);
        neededBy.overflowed();
        continue;
      }
      this.dropOldest();
    }
    if (this.first < 1024 || this.first * 2 < this.entries.length) return;
    this.entries.splice(0, this.first);
    this.first = 0;
  }

  private holderOf(zxid: Zxid): Hold | undefined {
    for (const hold of this.holds) if (zxid > hold.afterZxid) return hold;
    return undefined;
  }

  private dropOldest(): void {
    const oldest = this.entries[this.first] as CommittedTxn;
    this.first++;
    this.bytes -= oldest.end - oldest.start;
    this.chunks.release(oldest.chunk);
  }
}

function follows(before: Zxid, zxid: Zxid): boolean {
  return zxid === before + 1 || (epochOf(zxid) > epochOf(before) && counterOf(zxid) === 1);
}
