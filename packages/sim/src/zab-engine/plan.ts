// What a run of the engine goes through, drawn from its seed before it begins: JSON, so that a failure can be replayed
// and made smaller by leaving faults out. Each part of a run draws from a stream of its own.

import { readPlanText, writePlanText } from '../plan-text.ts';
import { Prng } from '../prng.ts';

export type FaultKind =
  /** The process dies; its peers see their connections reset. */
  | 'kill'
  /** The machine loses power: its peers see nothing. */
  | 'power-cut'
  /** A member that is down comes back. */
  | 'start'
  /** A member that is down comes back with an empty disk, if the rest can bear it. */
  | 'start-wiped'
  /** A member that is down comes back without its history, which it found broken. */
  | 'start-discarded'
  /** Nothing passes between this member and the others. */
  | 'isolate'
  /** Nothing passes from this member to the others. */
  | 'mute'
  /** The members below `other` and the rest do not hear each other. */
  | 'split'
  /** Every cut is mended. */
  | 'mend'
  /** One connection of this member is reset. */
  | 'reset-link'
  /** The disk of this member is slow, or as before. */
  | 'slow-disk'
  | 'fast-disk'
  /** The disk of this member finishes nothing for a while. */
  | 'stall-disk'
  /** Links to and from this member are slow, or as before. */
  | 'slow-links'
  | 'fast-links'
  /** The member takes a snapshot and drops the log before it. */
  | 'snapshot'
  /** The member stops in good order. */
  | 'stop'
  /** The process is stopped for a while (SIGSTOP); on going on it serves its clients before it reads anything. */
  | 'pause';

export interface Fault {
  readonly at: number;
  readonly kind: FaultKind;
  /** Index of a member. */
  readonly member: number;
  /** Meaning by kind. */
  readonly other: number;
}

/** A fault that hits a leader at a tender moment: when one enters a phase for the `count`-th time in the run. */
export interface Trigger {
  readonly phase: 'discovery' | 'synchronization' | 'broadcast';
  readonly count: number;
  readonly delay: number;
  /** 'kill', 'power-cut', 'isolate' or 'pause'. */
  readonly kind: FaultKind;
  /** After so long it is back, or everything is mended. */
  readonly pause: number;
}

/** A crash or a cut before a certain event: messages, writes and their like are counted, ticks are not. */
export interface Strike {
  readonly event: number;
  /** 'kill', 'power-cut' or 'isolate'. */
  readonly kind: FaultKind;
  readonly member: number;
  /** After so many ticks it is back, or everything is mended. */
  readonly pause: number;
}

export interface ZabPlan {
  readonly seed: number;
  /** Leaders die while their epoch is being promised. */
  readonly storms: boolean;
  readonly voters: number;
  readonly observers: number;
  /** Time until everything is mended, in ticks. */
  readonly duration: number;
  readonly faults: readonly Fault[];
  readonly triggers: readonly Trigger[];
  /** Rising by event. */
  readonly strikes: readonly Strike[];
  /** So many txns are proposed by the first leaders, one after the other, whatever the load. */
  readonly scriptedTxns: number;
  /** Proposals per tick, in bursts. */
  readonly load: number;
  /** Txns in the committed log in memory. */
  readonly committedLog: number;
  readonly syncFromLogs: boolean;
  /** Every learner is sent a snapshot. */
  readonly forceSnapshots: boolean;
  /** How far clocks run apart: 0.1 is 10 %. */
  readonly drift: number;
  /** 0: as Apache's; otherwise epochs end at this counter. */
  readonly hardCounter: number;
}

const ALL: readonly FaultKind[] = [
  'kill',
  'power-cut',
  'start-wiped',
  'start-discarded',
  'isolate',
  'mute',
  'split',
  'reset-link',
  'slow-disk',
  'stall-disk',
  'slow-links',
  'snapshot',
  'stop',
  'pause',
];

export function drawPlan(seed: number): ZabPlan {
  const prng = new Prng(seed);
  const storms = prng.chance(0.15);
  const voters = storms ? 5 : prng.pick([3, 3, 3, 5, 5, 1, 2, 4]);
  const observers = prng.chance(0.3) ? prng.below(2) + 1 : 0;
  const members = voters + observers;
  const duration = 150 + prng.below(250);
  // Swarm testing: each seed knows some kinds of faults only, and meets those more often.
  const kinds = ALL.filter(() => prng.chance(0.35));
  const faults: Fault[] = [];
  const count = kinds.length === 0 ? 0 : 3 + prng.below(14);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const kind = prng.pick(kinds);
    // Some come close upon each other: an election takes no more than ten ticks.
    at = prng.chance(0.4) ? at + prng.between(0, 12) : prng.between(0, duration);
    const member = prng.below(members);
    const other = prng.below(members);
    const pause = prng.between(1, prng.chance(0.3) ? 120 : 30);
    switch (kind) {
      case 'start-wiped':
      case 'start-discarded':
        faults.push({ at, kind: prng.chance(0.5) ? 'kill' : 'power-cut', member, other });
        faults.push({ at: at + pause, kind, member, other });
        break;
      case 'kill':
      case 'power-cut':
      case 'stop':
        faults.push({ at, kind, member, other });
        faults.push({ at: at + pause, kind: 'start', member, other });
        break;
      case 'isolate':
      case 'mute':
      case 'split':
        faults.push({ at, kind, member, other });
        if (prng.chance(0.8)) faults.push({ at: at + pause, kind: 'mend', member, other });
        break;
      case 'slow-disk':
        faults.push({ at, kind, member, other });
        faults.push({ at: at + pause, kind: 'fast-disk', member, other });
        break;
      case 'slow-links':
        faults.push({ at, kind, member, other });
        faults.push({ at: at + pause, kind: 'fast-links', member, other });
        break;
      default:
        faults.push({ at, kind, member, other });
        break;
    }
  }
  const triggers: Trigger[] = [];
  if (storms) {
    // Leaders that die while their epoch is being promised, and one member that hears of everything late.
    faults.push({ at: 0, kind: 'slow-links', member: prng.below(members), other: 0 });
    const many = 3 + prng.below(6);
    for (let i = 0; i < many; i++) {
      triggers.push({
        phase: 'discovery',
        count: 1 + prng.below(16),
        delay: prng.between(0, 1.3),
        kind: prng.pick(['kill', 'power-cut', 'power-cut']),
        pause: prng.between(2, 60),
      });
    }
  } else if (prng.chance(0.5)) {
    const many = 1 + prng.below(5);
    for (let i = 0; i < many; i++) {
      triggers.push({
        phase: prng.pick(['discovery', 'discovery', 'synchronization', 'broadcast']),
        count: 1 + prng.below(5),
        delay: prng.between(0, 4),
        kind: prng.pick(['kill', 'power-cut', 'isolate', 'pause']),
        pause: prng.between(2, prng.chance(0.5) ? 150 : 40),
      });
    }
  }
  faults.sort((a, b) => a.at - b.at);
  return {
    seed,
    storms,
    voters,
    observers,
    duration,
    faults,
    triggers,
    strikes: [],
    scriptedTxns: 0,
    load: prng.pick([0, 0.05, 0.05, 0.2, 0.5]),
    committedLog: prng.pick([3, 10, 500]),
    syncFromLogs: prng.chance(0.5),
    forceSnapshots: prng.chance(0.05),
    drift: prng.pick([0, 0, 0.05, 0.2]),
    hardCounter: prng.chance(0.1) ? 8 + prng.below(20) : 0,
  };
}

/** Raised whenever a plan gets a field, or a field another meaning. */
const KIND = { engine: 'zab', version: 2 };

export function formatZabPlan(plan: ZabPlan): string {
  return writePlanText(KIND, plan);
}

/** Throws an Error for the user when the plan cannot be meant. */
export function parseZabPlan(text: string): ZabPlan {
  return readPlanText<ZabPlan>(KIND, drawPlan(0), text);
}
