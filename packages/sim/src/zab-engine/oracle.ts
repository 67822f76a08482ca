// What an ensemble has promised so far, and whether it keeps to it. Every check costs O(1) per event, but for those at
// the installation of a snapshot. The names are those of Zab.tla and ZkV3_7_0.tla where these have one.

import { counterOf, epochOf, formatZxid, type Zxid } from '@zebu/protocol';
import { demand, Violation } from '../violation.ts';

/** Txns have ids of their own, so that two txns of one zxid are told apart. */
export class TxnBook {
  /** By id. */
  private readonly zxids: number[];
  /** By id: the members, as bits, that ever had the txn on disk. */
  private readonly durableOn: number[];

  constructor() {
    this.zxids = [];
    this.durableOn = [];
  }

  add(zxid: Zxid): number {
    this.zxids.push(zxid);
    this.durableOn.push(0);
    return this.zxids.length - 1;
  }

  zxidOf(id: number): Zxid {
    return this.zxids[id] as number;
  }

  markDurable(id: number, member: number): void {
    this.durableOn[id] = (this.durableOn[id] as number) | (1 << member);
  }

  /** How many of the first `voters` members ever had it on disk. */
  durableVoters(id: number, voters: number): number {
    let bits = (this.durableOn[id] as number) & ((1 << voters) - 1);
    let count = 0;
    for (; bits !== 0; bits &= bits - 1) count++;
    return count;
  }
}

export class ZabOracle {
  readonly txns: TxnBook;
  /** Ids of the txns that are decided, in order: applied by anyone. */
  readonly decided: number[];
  private readonly voters: number;
  /** By epoch and member: the life of the leader that the member promised the epoch to. */
  private readonly promises: Map<number, number>;
  /** By epoch: the life that was established. */
  private readonly leaders: Map<number, number>;

  constructor(voters: number) {
    this.txns = new TxnBook();
    this.decided = [];
    this.voters = voters;
    this.promises = new Map();
    this.leaders = new Map();
  }

  /**
   * A member promises an epoch once: two that would lead it cannot both have a quorum. `leader` is a life, which
   * number all lives of all members. Two members may offer one epoch; only one is ever counted.
   */
  promisesEpoch(member: number, epoch: number, leader: number): void {
    const key = epoch * 64 + member;
    const first = this.promises.get(key) ?? leader;
    this.promises.set(key, first);
    demand(
      first === leader,
      'one promise',
      () => `server ${member + 1} promises epoch ${epoch} to lives ${first} and ${leader}`,
    );
  }

  /** Leadership, and PrimaryIntegrity: who leads has all that is decided. */
  isEstablished(epoch: number, life: number, log: readonly number[]): void {
    const leader = this.leaders.get(epoch) ?? life;
    this.leaders.set(epoch, leader);
    demand(leader === life, 'leadership', () => `lives ${leader} and ${life} lead epoch ${epoch}`);
    // It may learn of its establishment when the next epoch has begun: only what came before its own counts.
    let end = this.decided.length;
    while (end > 0 && epochOf(this.txns.zxidOf(this.decided[end - 1] as number)) >= epoch) end--;
    this.holdsDecided('primary integrity', log, end);
  }

  /** Whether a log has the first `end` of what is decided; by induction the last of them is enough. */
  holdsDecided(checker: string, log: readonly number[], end: number): void {
    const { decided } = this;
    const last = end - 1;
    demand(
      last < 0 || log[last] === decided[last],
      checker,
      () =>
        `${this.print(decided[last] as number)} is decided and missing in ${this.printLog(log)}`,
    );
  }

  /** Within an epoch without a gap, and an epoch begins with its first txn: LocalPrimaryOrder, GlobalPrimaryOrder. */
  appends(log: readonly number[], id: number): void {
    const zxid = this.txns.zxidOf(id);
    const last = log.length === 0 ? 0 : this.txns.zxidOf(log[log.length - 1] as number);
    if (!(zxid === last + 1 || (epochOf(zxid) > epochOf(last) && counterOf(zxid) === 1))) {
      throw new Violation(
        'contiguous log',
        `${formatZxid(zxid)} is appended after ${formatZxid(last)}`,
      );
    }
  }

  /**
   * Committed never vanishes: a member gives up what is decided only while a quorum of others has it. (A leader cuts
   * off what it has not committed yet, and may commit that by others' acks meanwhile.)
   */
  logBecomes(
    member: number,
    before: readonly number[],
    length: number,
    logs: readonly (readonly number[] | undefined)[],
  ): void {
    const held = this.decidedPrefix(before);
    if (length >= held) return;
    const id = this.decided[held - 1] as number;
    let others = 0;
    for (let other = 0; other < this.voters; other++) {
      const log = logs[other];
      // Who lost its history does not count, and must not count for others either.
      if (other !== member && (log === undefined || log[held - 1] === id)) others++;
    }
    demand(
      others >= Math.floor(this.voters / 2) + 1,
      'committed never vanishes',
      () => `a log with ${held} decided txns is cut to ${length}, ${others} others have them`,
    );
  }

  /** How many decided txns a log begins with. */
  private decidedPrefix(log: readonly number[]): number {
    let count = Math.min(log.length, this.decided.length);
    while (count > 0 && log[count - 1] !== this.decided[count - 1]) count--;
    return count;
  }

  /** PrefixConsistency, TotalOrder and Integrity; a new txn must have been on the disks of a quorum. */
  applies(position: number, id: number): void {
    const { decided } = this;
    if (position < decided.length) {
      if (decided[position] !== id) {
        throw new Violation(
          'prefix consistency',
          `${this.print(id)} is applied, ${this.print(decided[position] as number)} is decided`,
        );
      }
      return;
    }
    if (position !== decided.length) {
      throw new Violation('total order', `txn ${position} of ${decided.length}`);
    }
    const quorum = Math.floor(this.voters / 2) + 1;
    const durable = this.txns.durableVoters(id, this.voters);
    if (durable < quorum) {
      throw new Violation(
        'decided by a quorum',
        `${this.print(id)} is applied and was durable on ${durable} of ${this.voters} voters`,
      );
    }
    decided.push(id);
  }

  print(id: number): string {
    return `${formatZxid(this.txns.zxidOf(id))} (txn ${id})`;
  }

  printLog(log: readonly number[]): string {
    return `[${log.map((id) => this.print(id)).join(' ')}]`;
  }
}
