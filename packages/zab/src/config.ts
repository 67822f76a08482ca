// What the core is told once: who the members are, and every limit, in ticks of its own logical clock.
//
// A tick is what the driver makes it; 10 ms is a good one. The limits that come from zoo.cfg are given there in
// multiples of tickTime: the driver converts them with ticksFor.

import type { Zxid } from '@zebu/protocol';

export interface ZabConfig {
  readonly sid: number;
  /** Sids that count in a quorum, each once. A member that is not among them never leads. */
  readonly voters: readonly number[];
  /** Whether this member only observes: it asks voters for the leader, and casts no vote. */
  readonly observer: boolean;
  /** Version of the ensemble's config; a learner whose version is higher is refused. */
  readonly configVersion: Zxid;
  readonly limits: ZabLimits;
  /** Tests only: a defect to plant, which the simulator must find. */
  readonly plant?: Plant | undefined;
}

/** Defects that can be planted, by name: each undoes one rule of the protocol. */
export const PLANTS = [
  'ack-before-durable',
  'apply-before-durable',
  'barrier-without-quorum',
  'commit-before-sync',
  'commit-by-minority',
  'count-minus-one',
  'count-observers',
  'count-wiped',
  'epoch-ack-before-durable',
  'epoch-before-durable',
  'epoch-before-history',
  'establish-without-acks',
  'forward-from-ack',
  'keep-half-snapshot',
  'keep-leading-below-epoch',
  'lead-by-applied',
  'lead-without-quorum',
  'newleader-ack-before-history',
  'no-drain',
  'skip-trunc',
  'vote-by-applied',
  'vote-by-zxid-epoch',
  'zxid-wraps',
] as const;
export type Plant = (typeof PLANTS)[number];

/** In ticks of the core, but for the counts. DEFAULT_LIMITS has Apache's values for a tick of 10 ms. */
export interface ZabLimits {
  /** initLimit: for each step of discovery and synchronization, and silence of a peer in it. */
  readonly init: number;
  /** syncLimit: silence of a peer, an unacked proposal, the leader's own disk. */
  readonly sync: number;
  /** connectToLearnerMasterLimit or initLimit: from the end of the election to a link to the leader. */
  readonly connect: number;
  /** tickTime: the leader checks as often that a quorum is in time. */
  readonly quorumCheck: number;
  /** tickTime / 2: the leader pings as often. */
  readonly ping: number;
  /** FastLeaderElection's finalizeWait, 200 ms: silence after which an election is over. */
  readonly finalizeWait: number;
  /** First interval between notifications, doubled up to the longest (200 ms, 60 s). */
  readonly minNotification: number;
  readonly maxNotification: number;
  /** leader.maxTimeToWaitForEpoch, -1 for off: see ZOOKEEPER-3109. */
  readonly epochWait: number;
  /** observer.election.DelayMs, 200 ms: an observer waits up to this long before it looks for a leader again. */
  readonly observerDelay: number;
  /** leader.maxConcurrentSnapSyncs and DiffSyncs: an observer beyond them is sent away, a follower never. */
  readonly snapSyncs: number;
  readonly diffSyncs: number;
  /** From this counter on the leader steps down as soon as nothing is outstanding. */
  readonly softCounter: number;
  /** The last counter that is used; the leader steps down at once. */
  readonly hardCounter: number;
}

/** What recovery found on disk. */
export interface ZabStart {
  readonly acceptedEpoch: number;
  /** At most acceptedEpoch. */
  readonly currentEpoch: number;
  /** The last txn of the log, or of the snapshot where the log holds none: durable. 0 for an empty history. */
  readonly lastZxid: Zxid;
  /** What the tree holds, at most lastZxid. */
  readonly appliedZxid: Zxid;
  readonly trust: HistoryTrust;
}

/**
 * Whether a history may be counted.
 *
 * - 'judge': by what other members show. A member that never finished a sync (both epochs 0) and learns that an epoch
 *   was led may have lost its own history: its acks do not count until it is synced.
 * - 'vouched': the operator says that an empty history is right (Apache's file `initialize`).
 * - 'discarded': the member threw its history away and is not synced since. It votes for others only, and its acks
 *   do not count. The host keeps this on disk until it writes the next currentEpoch.
 */
export type HistoryTrust = 'judge' | 'vouched' | 'discarded';

/** 2000 ms, initLimit 10, syncLimit 5 and Apache's other defaults, with 10 ms a tick. */
export const DEFAULT_LIMITS: ZabLimits = {
  init: 2000,
  sync: 1000,
  connect: 2000,
  quorumCheck: 200,
  ping: 100,
  finalizeWait: 20,
  minNotification: 20,
  maxNotification: 6000,
  epochWait: -1,
  observerDelay: 20,
  snapSyncs: 10,
  diffSyncs: 100,
  softCounter: 0xf0000000,
  hardCounter: 0xfffffffe,
};

/** How many ticks of `tickMs` a limit of `ms` takes: rounded up, at least one. */
export function ticksFor(ms: number, tickMs: number): number {
  return Math.max(1, Math.ceil(ms / tickMs));
}
