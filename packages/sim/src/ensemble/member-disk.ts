// What one member's disk holds durably at this moment, as far as the checkers ask: the txns of its history, and the
// epochs. A wiped disk holds nothing.
//
//   contiguous log   within an epoch the log has no gap, and a new epoch begins with its first txn

import { counterOf, epochOf, formatZxid, type Zxid } from '@zebu/protocol';
import { demand } from '../violation.ts';
import type { Decided } from './history.ts';

export class MemberDisk {
  readonly sid: number;
  acceptedEpoch: number;
  currentEpoch: number;
  /** What recovery or a snapshot gave: everything up to there is on disk, whether or not it was seen. */
  private floorZxid: Zxid;
  private lastZxid: Zxid;
  private readonly txns: Map<Zxid, Decided>;

  constructor(sid: number) {
    this.sid = sid;
    this.acceptedEpoch = 0;
    this.currentEpoch = 0;
    this.floorZxid = 0;
    this.lastZxid = 0;
    this.txns = new Map();
  }

  has(zxid: Zxid): boolean {
    return zxid <= this.floorZxid || this.txns.has(zxid);
  }

  /** Whether the txn itself is known, and not only that it must be there. */
  knows(zxid: Zxid): boolean {
    return this.txns.has(zxid);
  }

  /** Whether it has this very txn; for what came with a snapshot only the zxid is known. */
  holds({ zxid, crc }: Decided): boolean {
    const known = this.txns.get(zxid);
    return known === undefined ? zxid <= this.floorZxid : known.crc === crc;
  }

  /** A log has this txn durably, after the others. */
  logged(txn: Decided): void {
    const { zxid } = txn;
    const { lastZxid, sid } = this;
    demand(
      zxid === lastZxid + 1 || (epochOf(zxid) > epochOf(lastZxid) && counterOf(zxid) === 1),
      'contiguous log',
      () => `server ${sid} logs ${formatZxid(zxid)} after ${formatZxid(lastZxid)}`,
    );
    this.txns.set(zxid, txn);
    this.lastZxid = zxid;
  }

  /** A snapshot has taken the place of the history; `txns` are those that it comes from, as far as they are known. */
  replaced(zxid: Zxid, txns: readonly Decided[]): void {
    this.txns.clear();
    for (const txn of txns) this.txns.set(txn.zxid, txn);
    this.endsAt(zxid);
  }

  /** The history ends here: recovery found so, or it was cut. */
  endsAt(zxid: Zxid): void {
    for (const one of this.txns.keys()) if (one > zxid) this.txns.delete(one);
    this.floorZxid = zxid;
    this.lastZxid = zxid;
  }

  /** The txns of its log in (after, upTo], in order. */
  between(after: Zxid, upTo: Zxid): Decided[] {
    const found: Decided[] = [];
    for (const txn of this.txns.values()) {
      if (txn.zxid > after && txn.zxid <= upTo) found.push(txn);
    }
    return found.sort((a, b) => a.zxid - b.zxid);
  }

  describe(): string {
    return formatZxid(this.lastZxid);
  }
}
