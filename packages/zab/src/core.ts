// What the parts of one member share: config, time, disk, outbox, and how far txns are committed.

import { epochOf, type Zxid } from '@zebu/protocol';
import type { HistoryTrust, Plant, ZabConfig, ZabStart } from './config.ts';
import { Disk } from './disk.ts';
import { assert } from './invariants.ts';
import type { Notification } from './messages.ts';
import { Outbox } from './outbox.ts';
import type { Reason, ReasonCode } from './output.ts';
import { Quorum } from './quorum.ts';

export class Core {
  readonly config: ZabConfig;
  readonly quorum: Quorum;
  readonly outbox: Outbox;
  readonly disk: Disk;
  readonly plant: Plant | undefined;
  now: number;
  /** Known to be committed. The host applies min(committedZxid, durableZxid). */
  committedZxid: Zxid;
  /** What the host was told to apply, or holds from its recovery. */
  appliedZxid: Zxid;
  trust: HistoryTrust;
  /** Whether there is, or was, an ensemble that led an epoch. */
  othersHaveHistory: boolean;
  /** Highest acceptedEpoch that a learner has shown: an epoch that this member leads must be above it. */
  epochFloor: number;
  /** Set by a role that is over; the owner ends it once the input is done. */
  leaving: { readonly reason: Reason; readonly discardTree: boolean } | undefined;

  constructor(config: ZabConfig, start: ZabStart) {
    this.config = config;
    this.quorum = new Quorum(config.voters);
    this.outbox = new Outbox();
    this.disk = new Disk(start);
    this.plant = config.plant;
    this.now = 0;
    this.committedZxid = start.appliedZxid;
    this.appliedZxid = start.appliedZxid;
    this.trust = start.trust;
    this.othersHaveHistory = epochOf(start.lastZxid) > 0;
    this.epochFloor = 0;
    this.leaving = undefined;
  }

  /**
   * Whether this member's history may stand for what it has acked. A member that never finished a sync, while others
   * have a history, may have lost its own (an empty disk under an old myid): counting it would let a quorum be
   * formed without a member that holds what was committed.
   */
  get historyCounts(): boolean {
    if (this.plant === 'count-wiped') return true;
    if (this.trust === 'discarded') return false;
    if (this.trust === 'vouched') return true;
    const neverSynced = this.disk.currentEpoch === 0 && this.disk.acceptedEpoch === 0;
    return !(neverSynced && this.othersHaveHistory);
  }

  /** Takes what a voter's vote shows about the histories of others. */
  noteVote(vote: Notification): void {
    // A history of epoch 0 is that of a server that stood alone: nobody here can have had a part in it.
    if (vote.peerEpoch > 0 || epochOf(vote.zxid) > 0) this.othersHaveHistory = true;
  }

  leave(code: ReasonCode, text: string, discardTree = false): void {
    this.leaving ??= { reason: { code, text }, discardTree };
  }

  commit(zxid: Zxid): void {
    assert(zxid >= this.committedZxid, 'Commits rise', { zxid, committed: this.committedZxid });
    this.committedZxid = zxid;
    this.applyCommitted();
  }

  /** Hands the host what is committed and durable: never the one without the other (ZOOKEEPER-4882). */
  applyCommitted(): void {
    const upTo =
      this.plant === 'apply-before-durable'
        ? Math.min(this.committedZxid, this.disk.appendedZxid)
        : Math.min(this.committedZxid, this.disk.durableZxid);
    if (upTo <= this.appliedZxid) return;
    this.appliedZxid = upTo;
    this.outbox.commitTo(upTo);
  }

  /** The history was cut or replaced: the host rebuilds its tree if that held more. */
  historyEndsAt(zxid: Zxid): void {
    this.committedZxid = Math.min(this.committedZxid, zxid);
    this.appliedZxid = Math.min(this.appliedZxid, zxid);
  }
}
