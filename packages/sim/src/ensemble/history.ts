// What an ensemble has decided, as it is seen from outside: the txns that any member applied as committed, in
// order. Whatever contradicts that is a broken promise.
//
//   agreement                 one txn for each zxid, ever
//   order                     each member applies in order and leaves nothing out
//   applied is durable        in the log of the member that applies
//   quorum                    what is applied is durable in the logs of a quorum
//   digests                   a tree at a zxid is what a plain model makes of the decided txns
//   decided-right             each txn fits the state before it (znode-history.ts)
//   order of requests         a session's requests are decided in the order in which it made them, each once
//   leadership                an epoch has one leader that was established
//   committed never vanishes  who is established as a leader has on disk all that was decided before
//   acknowledged              what a client was told is there, with the zxid that it was told, and stays

import {
  crc32,
  decodeTxn,
  ErrorCode,
  epochOf,
  formatZxid,
  getInt32,
  OpCode,
  type Zxid,
} from '@zebu/protocol';
import { demand } from '../violation.ts';
import { ZnodeHistory } from '../znode-history.ts';
import type { MemberDisk } from './member-disk.ts';

export interface Decided {
  readonly zxid: Zxid;
  readonly crc: number;
  /** Unsigned. */
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly type: number;
  /** The whole entry. */
  readonly bytes: Buffer;
}

/** Errors of requests whose session is elsewhere, or gone. */
const REFUSALS: readonly number[] = [ErrorCode.SESSIONMOVED, ErrorCode.SESSIONEXPIRED];
/** Where an error txn has its code. */
const ERROR_OFFSET = 32;

export class History {
  readonly decided: Map<Zxid, Decided>;
  lastZxid: Zxid;
  /** The highest zxid of a write that any client was told is done. */
  acknowledgedZxid: Zxid;
  /** What the decided txns lead to. */
  readonly model: ZnodeHistory;
  /** Zxids at which a znode's data changed, or it came or went, by path, rising. */
  private readonly changes: Map<string, Zxid[]>;
  /** The last request of each session that was decided. */
  private readonly lastCxids: Map<bigint, number>;
  private readonly voters: number;
  private readonly onDecided: (txn: Decided) => void;
  private readonly digests: Map<Zxid, bigint>;
  private readonly order: Zxid[];
  /** What each member's log is known to hold durably. */
  private readonly logs: Map<number, Map<Zxid, Decided>>;
  /** Where each member's database began: up to there its disk has everything, in a snapshot or in logs. */
  private readonly begun: Map<number, Zxid>;
  /** All there ever were, wiped ones too. */
  private readonly disks: MemberDisk[];
  /** Up to there the tree of a member may be ahead of its zxid: it began with a leader's snapshot. */
  private readonly fuzzyTo: Map<number, Zxid>;
  private readonly leaders: Map<number, number>;
  /** Where each member is: the last zxid that it applied as committed. */
  private readonly applied: Map<number, Zxid>;

  constructor(voters: number, onDecided: (txn: Decided) => void) {
    this.voters = voters;
    this.onDecided = onDecided;
    this.decided = new Map();
    this.lastZxid = 0;
    this.acknowledgedZxid = 0;
    this.model = new ZnodeHistory();
    this.changes = new Map();
    this.lastCxids = new Map();
    this.digests = new Map();
    this.order = [];
    this.logs = new Map();
    this.begun = new Map();
    this.disks = [];
    this.fuzzyTo = new Map();
    this.leaders = new Map();
    this.applied = new Map();
  }

  /** A leader was established: a quorum has the history that it brings into its epoch, which is decided by that. */
  established(disk: MemberDisk, epoch: number, historyZxid: Zxid): void {
    const { sid } = disk;
    const other = this.leaders.get(epoch);
    demand(
      other === undefined || other === sid,
      'leadership',
      () => `epoch ${epoch} has two leaders, ${other} and ${sid}`,
    );
    this.leaders.set(epoch, sid);
    // By induction the last of them is enough.
    let at = this.order.length - 1;
    while (at >= 0 && epochOf(this.order[at] as Zxid) >= epoch) at--;
    const last = this.decided.get(this.order[at] ?? 0);
    demand(
      last === undefined || disk.holds(last),
      'committed never vanishes',
      () =>
        `${formatZxid(last?.zxid ?? 0)} is decided, server ${sid} leads epoch ${epoch} with a log up to ${disk.describe()}`,
    );
    for (const txn of disk.between(this.lastZxid, historyZxid)) this.decide(sid, txn);
  }

  /** A member has this disk from now on. */
  has(disk: MemberDisk): void {
    this.disks.push(disk);
  }

  /**
   * A leader's snapshot has taken the place of a member's history. Its txns are those of any log that has the last of
   * them: one that goes into an epoch's log has all that its leader had before it. The member may lead with them, and
   * then decides them, though no log of its own ever had them.
   */
  replaced(disk: MemberDisk, zxid: Zxid): void {
    const source = this.disks.find((other) => other.knows(zxid));
    disk.replaced(zxid, source?.between(0, zxid) ?? []);
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
  applying(disk: MemberDisk, zxid: Zxid, entry: Buffer): void {
    const { sid } = disk;
    const txn = describeEntry(entry);
    demand(
      disk.has(zxid),
      'applied is durable',
      () => `server ${sid} applies ${formatZxid(zxid)}, its disk ends at ${disk.describe()}`,
    );
    const before = this.applied.get(sid) ?? 0;
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
    demand(
      this.digests.get(zxid) === digest,
      'digests',
      () => `server ${sid} has another tree at ${formatZxid(zxid)} than the txns lead to`,
    );
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
    this.follow(txn);
  }

  private follow(txn: Decided): void {
    this.onDecided(txn);
    const { zxid, sessionId, cxid, type, bytes } = txn;
    // What comes too late by a member that the session has left is refused, in a txn that does nothing.
    const isRefusal = REFUSALS.includes(errorOf(txn));
    if (cxid > 0 && type !== OpCode.createSession && !isRefusal) {
      const last = this.lastCxids.get(sessionId) ?? 0;
      demand(
        cxid > last,
        'order of requests',
        () =>
          `${formatZxid(zxid)} is request ${cxid} of session 0x${sessionId.toString(16)}, after its request ${last}`,
      );
      this.lastCxids.set(sessionId, cxid);
    }
    const { changes } = this.model.add(decodeTxn(bytes));
    for (const { path } of changes) {
      const zxids = this.changes.get(path);
      if (zxids === undefined) this.changes.set(path, [zxid]);
      else zxids.push(zxid);
    }
    this.digests.set(zxid, this.model.digest);
  }

  /** The first change of a znode after a zxid; undefined: none is decided. */
  changedAfter(path: string, zxid: Zxid): Zxid | undefined {
    return this.changes.get(path)?.find((one) => one > zxid);
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
    bytes: Buffer.from(entry),
  };
}

/** The code of a request that failed; 0 of one that did not. */
export function errorOf({ type, bytes }: Decided): number {
  return type === OpCode.error ? getInt32(bytes, ERROR_OFFSET) : 0;
}

function describe(txn: Decided | undefined): string {
  return txn === undefined
    ? 'not decided'
    : `request ${txn.cxid} of session 0x${txn.sessionId.toString(16)}`;
}
