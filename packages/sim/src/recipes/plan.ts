// What happens in one run of the recipes: how many clients, how patient their sessions are, and which faults come when.

import { Prng } from '../prng.ts';

export const RECIPE_FAULTS = [
  'reset',
  'cut off',
  'cut off one way',
  'stall',
  'server killed',
  'znode deleted',
  'znode deleted, holder stalled',
] as const;

/** Whom a fault hits: a client by its number, or the one that holds at that moment. */
export const TARGETS = ['client', 'lock holder', 'leader'] as const;

export type RecipeFaultKind = (typeof RECIPE_FAULTS)[number];

export interface RecipeFault {
  readonly atMs: number;
  readonly kind: RecipeFaultKind;
  readonly target: (typeof TARGETS)[number];
  /** Which client, if `target` says so or nobody holds. */
  readonly client: number;
  readonly forMs: number;
}

export interface RecipePlan {
  readonly engine: 'recipes';
  readonly seed: number;
  readonly clients: number;
  /** Grants that each client wants of the lock, and terms of the election. */
  readonly rounds: number;
  readonly sessionTimeoutMs: number;
  /** Longest that one is held, ms. */
  readonly holdMs: number;
  readonly latencyMs: number;
  /** A counter and a queue as well. */
  readonly accounts?: boolean;
  readonly faults: readonly RecipeFault[];
}

export function drawRecipePlan(seed: number): RecipePlan {
  const prng = new Prng(seed).fork('plan');
  const sessionTimeoutMs = prng.pick([400, 600, 1000]);
  const clients = 2 + prng.below(3);
  const rounds = 4 + prng.below(5);
  const holdMs = prng.pick([1, 30, 120]);
  const latencyMs = prng.pick([0.5, 5, 30]);
  // About as long as it takes without faults.
  const busyMs = 20 + clients * rounds * (2 * holdMs + 4 * latencyMs);
  const faults = Array.from({ length: prng.below(13) }, () => ({
    atMs: Math.floor(prng.between(20, busyMs)),
    kind: prng.pick(RECIPE_FAULTS),
    target: prng.pick(TARGETS),
    client: prng.below(4),
    // Up to beyond the end of the session.
    forMs: Math.floor(prng.between(1, sessionTimeoutMs * 2)),
  })).sort((a, b) => a.atMs - b.atMs);
  return {
    engine: 'recipes',
    seed,
    clients,
    rounds,
    sessionTimeoutMs,
    holdMs,
    latencyMs,
    accounts: prng.below(2) === 0,
    faults,
  };
}

export function formatRecipePlan(plan: RecipePlan): string {
  return `${JSON.stringify(plan, undefined, 2)}\n`;
}

/** Throws an Error for the user when the text cannot be meant. */
export function parseRecipePlan(text: string): RecipePlan {
  const plan = JSON.parse(text) as RecipePlan;
  for (const name of [
    'seed',
    'clients',
    'rounds',
    'sessionTimeoutMs',
    'holdMs',
    'latencyMs',
  ] as const) {
    if (typeof plan[name] !== 'number') throw new Error(`${name} is no number`);
  }
  for (const fault of plan.faults) {
    if (!RECIPE_FAULTS.includes(fault.kind)) throw new Error(`there is no fault ${fault.kind}`);
    if (!TARGETS.includes(fault.target)) throw new Error(`there is no target ${fault.target}`);
  }
  return plan;
}
