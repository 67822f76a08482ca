// The txns that a leader can send to its learners: those that were applied last, then those that are not applied.

import type { Zxid } from '@zebu/protocol';
import type { CommittedLog, CommittedTxn } from '../txns/committed-log.ts';
import type { TxnSequence } from '../txns/txn-sequence.ts';

export class TxnHistory {
  private readonly committedLog: CommittedLog;
  private readonly sequence: TxnSequence;

  constructor(committedLog: CommittedLog, sequence: TxnSequence) {
    this.committedLog = committedLog;
    this.sequence = sequence;
  }

  /**
   * How far a part of the txns in (afterZxid, upTo] goes that has about so many bytes. Those that are not applied are
   * few, and belong to the last part.
   */
  partEnd(afterZxid: Zxid, upTo: Zxid, bytes: number): Zxid {
    const end = this.committedLog.reach(afterZxid, bytes);
    return end < 0 || end >= this.committedLog.maxZxid ? upTo : Math.min(end, upTo);
  }

  /** Calls `each` for every txn in (afterZxid, upTo], oldest first. The records are valid during the call. */
  forEachIn(afterZxid: Zxid, upTo: Zxid, each: (txn: CommittedTxn) => void): void {
    if (afterZxid < this.committedLog.maxZxid) this.committedLog.forEachIn(afterZxid, upTo, each);
    this.sequence.forEachIn(afterZxid, upTo, each);
  }

  /** Greatest zxid that is at most `zxid`, -1 where none is; smallest that is greater, -1 likewise. */
  neighbours(zxid: Zxid): { floorZxid: Zxid; ceilingZxid: Zxid } {
    let floorZxid = this.committedLog.floor(zxid);
    let ceilingZxid = this.committedLog.ceiling(zxid);
    this.sequence.forEachIn(0, Number.MAX_SAFE_INTEGER, (txn) => {
      if (txn.zxid <= zxid) floorZxid = Math.max(floorZxid, txn.zxid);
      else if (ceilingZxid < 0) ceilingZxid = txn.zxid;
    });
    return { floorZxid, ceilingZxid };
  }
}
