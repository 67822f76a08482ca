// The plan of a run of a whole ensemble: its members, its clients and what goes wrong, drawn from the seed
// before anything happens. As JSON it is what a failure is reported by, replayed from and made smaller in.

import { readPlanText, writePlanText } from '../plan-text.ts';
import { Prng } from '../prng.ts';

export interface EnsemblePlan {
  readonly seed: number;
  readonly voters: number;
  readonly observers: number;
  readonly clients: number;
  readonly requests: number;
  /** Longest pause of a client between two requests, ms. */
  readonly paceMs: number;
  /** Session timeout that clients ask for, ms. */
  readonly sessionMs: number;
  /** How probable it is that a client goes to another member at a request. */
  readonly moves: number;
  /** Longest time of a disk operation, ms. */
  readonly diskMs: number;
  /** Longest one-way latency between hosts, ms. */
  readonly latencyMs: number;
  /** Txns between two snapshots. */
  readonly snapCount: number;
  /** Txns that a member keeps in memory for learners. */
  readonly committedLog: number;
  /** Logs on disk are sent to learners, whatever their size. */
  readonly syncFromLogs: boolean;
  /** Every learner is sent a snapshot. */
  readonly forceSnapshots: boolean;
  /** 0: as Apache's; otherwise a leader steps down when it has proposed so many txns. */
  readonly rollover: number;
  readonly faults: readonly EnsembleFault[];
}

/** What happens at a time. Members are meant modulo their number. */
export interface EnsembleFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly member: number;
  readonly other: number;
  /** How long it lasts; a killed member comes back after this. */
  readonly forMs: number;
  readonly seed: number;
}

export const ENSEMBLE_FAULTS = [
  'kill',
  'kill the leader',
  'power cut',
  'power cut of all',
  'wiped disk',
  'pause',
  'pause the leader',
  'pause of all',
  'leader alone',
  'leader dies ahead of the others',
  'halves',
  'cut between two',
  'cut one way',
  'reset of links',
  'client moves',
  'client leaves a paused member',
  'failed sync',
  'power cut in a sync',
  'kill the leader in a sync',
  'kill a new leader',
] as const;
/** Faults in several acts: what they are is in scenes.ts. */
export const SCENES = [
  'stale leader',
  'learner cut from its leader',
  'learner with a slow disk',
  'member misses an epoch',
  'leader stands still for the time of a session',
  'leader dies far ahead',
  'client goes on without a paused learner',
] as const;
export type FaultKind = (typeof ENSEMBLE_FAULTS)[number] | SceneKind;
export type SceneKind = (typeof SCENES)[number];

export function drawEnsemblePlan(seed: number, voters?: number): EnsemblePlan {
  const root = new Prng(seed ^ 0x3a11ce5);
  const shape = root.fork('shape');
  const faults = root.fork('faults');
  const syncs = root.fork('syncs');
  const scenes = root.fork('scenes');
  // Each seed has a third of the kinds, so that some are rare beside each other and some are not.
  const lengthMs = faults.pick([1_000, 2_000, 5_000]);
  const clients = 2 + shape.below(3);
  const requests = 30 + shape.below(100);
  const kinds = ENSEMBLE_FAULTS.filter(() => faults.chance(1 / 3));
  const count = kinds.length === 0 ? 0 : 1 + faults.below(8);
  // In half of the seeds, and in half of those nothing else goes wrong: most of what happens is not directed.
  const scene = scenes.chance(0.5) ? drawFault(scenes, SCENES, lengthMs) : undefined;
  const isAlone = scene !== undefined && scenes.chance(0.5);
  const sessionMs = syncs.pick([300, 600, 1500]);
  return {
    seed,
    voters: voters ?? shape.pick([3, 3, 3, 5]),
    observers: shape.pick([0, 0, 0, 1]),
    clients,
    requests,
    // They last as long as the faults, or come close upon each other at the beginning.
    paceMs: Math.ceil((2 * lengthMs * clients * shape.pick([0.02, 0.3, 1, 1])) / requests),
    // Followers leave a leader that stands still for longer.
    sessionMs: scene?.kind === 'leader stands still for the time of a session' ? 300 : sessionMs,
    moves: syncs.pick([0, 0.02, 0.15]),
    diskMs: shape.pick([1, 3, 20]),
    latencyMs: shape.pick([0.5, 2, 10]),
    snapCount: shape.pick([6, 24, 1000]),
    committedLog: syncs.pick([4, 12, 500]),
    syncFromLogs: syncs.chance(0.6),
    forceSnapshots: syncs.chance(0.05),
    rollover: syncs.chance(0.1) ? 10 + syncs.below(30) : 0,
    faults: [
      ...Array.from({ length: isAlone ? 0 : count }, (_, index) =>
        drawFault(root.fork(`fault ${index}`), kinds, lengthMs),
      ),
      ...(scene === undefined ? [] : [scene]),
    ].sort((a, b) => a.atMs - b.atMs),
  };
}

function drawFault(prng: Prng, kinds: readonly FaultKind[], lengthMs: number): EnsembleFault {
  return {
    atMs: Math.floor(prng.between(150, lengthMs)),
    kind: prng.pick(kinds),
    member: prng.below(60),
    other: prng.below(60),
    forMs: Math.floor(prng.pick([30, 200, 450, 800, 2500]) * prng.between(0.5, 1.5)),
    seed: prng.below(2 ** 31),
  };
}

/** Raised whenever a plan gets a field, or a field another meaning. */
const KIND = { engine: 'ensemble', version: 2 };

export function formatEnsemblePlan(plan: EnsemblePlan): string {
  return writePlanText(KIND, plan);
}

/** Throws an Error for the user when the plan cannot be meant. */
export function parseEnsemblePlan(text: string): EnsemblePlan {
  return readPlanText<EnsemblePlan>(KIND, drawEnsemblePlan(0), text);
}
