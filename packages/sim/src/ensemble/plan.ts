// The plan of a run of a whole ensemble: its members, its clients and what goes wrong, drawn from the seed
// before anything happens. As JSON it is what a failure is reported by, replayed from and made smaller in.

import { Prng } from '../prng.ts';

export interface EnsemblePlan {
  readonly seed: number;
  readonly voters: number;
  readonly observers: number;
  readonly clients: number;
  readonly requests: number;
  /** Longest pause of a client between two requests, ms. */
  readonly paceMs: number;
  /** Longest time of a disk operation, ms. */
  readonly diskMs: number;
  /** Longest one-way latency between hosts, ms. */
  readonly latencyMs: number;
  /** Txns between two snapshots. */
  readonly snapCount: number;
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
  'leader alone',
  'halves',
  'cut between two',
  'cut one way',
  'reset of links',
  'client moves',
  'failed sync',
] as const;
export type FaultKind = (typeof ENSEMBLE_FAULTS)[number];

const LENGTH_MS = 6_000;

export function drawEnsemblePlan(seed: number, voters?: number): EnsemblePlan {
  const root = new Prng(seed ^ 0x3a11ce5);
  const shape = root.fork('shape');
  const faults = root.fork('faults');
  // Each seed has a third of the kinds, so that some are rare beside each other and some are not.
  const kinds = ENSEMBLE_FAULTS.filter(() => faults.chance(1 / 3));
  const count = kinds.length === 0 ? 0 : 1 + faults.below(8);
  return {
    seed,
    voters: voters ?? shape.pick([3, 3, 3, 5]),
    observers: shape.pick([0, 0, 0, 1]),
    clients: 2 + shape.below(3),
    requests: 20 + shape.below(80),
    paceMs: shape.pick([0, 20, 100]),
    diskMs: shape.pick([1, 3, 20]),
    latencyMs: shape.pick([0.5, 2, 10]),
    snapCount: shape.pick([6, 24, 1000]),
    faults: Array.from({ length: count }, (_, index) =>
      drawFault(root.fork(`fault ${index}`), kinds),
    ).sort((a, b) => a.atMs - b.atMs),
  };
}

function drawFault(prng: Prng, kinds: readonly FaultKind[]): EnsembleFault {
  return {
    atMs: Math.floor(prng.between(300, LENGTH_MS)),
    kind: prng.pick(kinds),
    member: prng.below(60),
    other: prng.below(60),
    forMs: Math.floor(prng.pick([30, 200, 800, 2500]) * prng.between(0.5, 1.5)),
    seed: prng.below(2 ** 31),
  };
}
