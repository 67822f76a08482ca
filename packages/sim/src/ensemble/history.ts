// What an ensemble has decided, as it is seen from outside: the txns that any member applied as committed, in
// order. Whatever contradicts that is a broken promise.
//
//   agreement      one txn for each zxid, ever
//   order          each member applies in order and leaves nothing out
//   digests        trees that are at the same zxid are alike
//   quorum         what is applied is durable in the logs of a quorum
//   leadership     an epoch has one leader that was established
//   acknowledged   what a client was told is there, with the zxid that it was told, and stays

import { crc32, epochOf, formatZxid, getInt32, makeZxid, type Zxid } from '@zebu/protocol';
import { demand } from '../violation.ts';

export interface Decided {
  readonly zxid: Zxid;
  readonly crc: number;
  /** Unsigned. */
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly type: number;
}

export class History {
  readonly decided: Map<Zxid, Decided>;
  lastZxid: Zxid;
  /** The highest zxid of a write that any client was told is done. */
  acknowledgedZxid: Zxid;
  private readonly voters: number;
  private readonly digests: Map<Zxid, bigint>;
  private readonly order: Zxid[];
  /** What each member's log is known to hold durably. */
  private readonly logs: Map<number, Map<Zxid, Decided>>;
  /** Where each member's database began: up to there its disk has everything, in a snapshot or in logs. */
  private readonly begun: Map<number, Zxid>;
  /** Up to there the tree of a member may be ahead of its zxid: it began with a leader's snapshot. */
  private readonly fuzzyTo: Map<number, Zxid>;
  private readonly leaders: Map<number, number>;
  /** Where each member is: the last zxid that it applied as committed. */
  private readonly applied: Map<number, Zxid>;

  constructor(voters: number) {
    this.voters = voters;
    this.decided = new Map();
    this.lastZxid = 0;
    this.acknowledgedZxid = 0;
    this.digests = new Map();
    this.order = [];
    this.logs = new Map();
    this.begun = new Map();
    this.fuzzyTo = new Map();
    this.leaders = new Map();
    this.applied = new Map();
  }

  /** A leader was established. */
  established(sid: number, epoch: number): void {
    const other = this.leaders.get(epoch);
    demand(
      other === undefined || other === sid,
      'leadership',
      () => `epoch ${epoch} has two leaders, ${other} and ${sid}`,
    );
    this.leaders.set(epoch, sid);
  }

  /** A member's log holds this entry durably. */
  durable(sid: number, txn: Decided): void {
    let log = this.logs.get(sid);
    if (log === undefined) {
      log = new Map();
      this.logs.set(sid, log);
    }
    log.set(txn.zxid, txn);
  }

  /** A member's disk is empty. What it had acked before may be committed because of that: it counts on. */
  wiped(sid: number): void {
    this.applied.delete(sid);
  }

  /** A member's database begins at this zxid: after a start, or a sync. */
  begins(sid: number, zxid: Zxid): void {
    this.applied.set(sid, zxid);
    this.begun.set(sid, zxid);
  }

  /**
   * A member takes a leader's snapshot for its database. It was written while the leader went on: the tree is like
   * the others only once it has all that the leader applied meanwhile, which is at most what is decided now.
   */
  takesSnapshot(sid: number): void {
    this.fuzzyTo.set(sid, this.lastZxid);
  }

  /** A member is about to apply an entry as committed. */
  applying(sid: number, zxid: Zxid, entry: Buffer): void {
    const txn = describeEntry(entry);
    const before = this.applied.get(sid) ?? 0;
    // What it had in its log when its role began, and nobody has applied as committed yet, is decided by this.
    const first = this.lastZxid === 0 ? makeZxid(epochOf(before), 1) : this.lastZxid + 1;
    for (let one = first; one <= before && one < zxid; one++) {
      const logged = this.logs.get(sid)?.get(one);
      if (logged === undefined) break;
      this.decide(sid, logged);
    }
    const known = this.decided.get(zxid);
    if (known !== undefined) {
      demand(
        known.crc === txn.crc,
        'agreement',
        () => `server ${sid} applies another txn ${formatZxid(zxid)} than was decided`,
      );
    } else this.decide(sid, txn);
    demand(
      zxid > before,
      'order',
      () => `server ${sid} applies ${formatZxid(zxid)} after ${formatZxid(before)}`,
    );
    const left = this.order[this.indexAfter(before)];
    demand(
      left === undefined || left >= zxid,
      'order',
      () =>
        `server ${sid} goes from ${formatZxid(before)} to ${formatZxid(zxid)} past ${formatZxid(left ?? 0)}`,
    );
    this.applied.set(sid, zxid);
  }

  appliedWith(sid: number, zxid: Zxid, digest: bigint): void {
    if (zxid < (this.fuzzyTo.get(sid) ?? 0)) return;
    const known = this.digests.get(zxid);
    demand(
      known === undefined || known === digest,
      'digests',
      () => `server ${sid} has another tree at ${formatZxid(zxid)} than the others`,
    );
    this.digests.set(zxid, digest);
  }

  private decide(sid: number, txn: Decided): void {
    const { zxid, crc } = txn;
    demand(
      zxid > this.lastZxid,
      'agreement',
      () => `server ${sid} applies ${formatZxid(zxid)}, decided is ${formatZxid(this.lastZxid)}`,
    );
    let holders = 0;
    for (let voter = 1; voter <= this.voters; voter++) {
      const isLogged = this.logs.get(voter)?.get(zxid)?.crc === crc;
      if (isLogged || (this.begun.get(voter) ?? 0) >= zxid) holders++;
    }
    demand(
      holders * 2 > this.voters,
      'quorum',
      () => `server ${sid} applies ${formatZxid(zxid)}, durable on ${holders} of ${this.voters}`,
    );
    demand(
      zxid === this.lastZxid + 1 || epochOf(zxid) > epochOf(this.lastZxid),
      'order',
      () => `${formatZxid(zxid)} is decided after ${formatZxid(this.lastZxid)}`,
    );
    this.lastZxid = zxid;
    this.order.push(zxid);
    this.decided.set(zxid, txn);
  }

  /** A client was told that a write is done, with this zxid. */
  acknowledged(sessionId: bigint, cxid: number, zxid: Zxid): void {
    const txn = this.decided.get(zxid);
    demand(
      txn !== undefined && txn.sessionId === sessionId && txn.cxid === cxid,
      'acknowledged',
      () => `request ${cxid} was answered with ${formatZxid(zxid)}, which is ${describe(txn)}`,
    );
    if (zxid > this.acknowledgedZxid) this.acknowledgedZxid = zxid;
  }

  /** Index of the first decided zxid after this one, by halving. */
  private indexAfter(zxid: Zxid): number {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.order[middle] as Zxid) <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What is known of an entry by its header. */
export function describeEntry(entry: Buffer): Decided {
  return {
    zxid: getInt32(entry, 12) * 2 ** 32 + (getInt32(entry, 16) >>> 0),
    crc: crc32(entry, 0, entry.length),
    sessionId: entry.readBigUInt64BE(0),
    cxid: getInt32(entry, 8),
    type: getInt32(entry, 28),
  };
}

function describe(txn: Decided | undefined): string {
  return txn === undefined
    ? 'not decided'
    : `request ${txn.cxid} of session 0x${txn.sessionId.toString(16)}`;
}
