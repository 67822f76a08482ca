// One run of the engine: the faults of a plan, then everything is mended, and every member has to serve.

import type { Plant } from '@zebu/zab';
import { demand, Violation } from '../violation.ts';
import { drawPlan, type ZabPlan } from './plan.ts';
import { ZabWorld } from './world.ts';

/** Ticks in which every member must be in sync once everything is mended. */
const HEALING_TICKS = 600;
/** After so many a client that has no answer asks again. */
const RETRY_TICKS = 60;

export interface ZabSeedOptions {
  /** A defect to plant. */
  readonly plant?: Plant | undefined;
  /** Instead of the plan that is drawn from the seed. */
  readonly plan?: ZabPlan | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

export interface ZabSeedResult {
  readonly seed: number;
  /** Of all events in order: equal for equal runs. */
  readonly hash: number;
  readonly steps: number;
  /** Virtual time, in ticks. */
  readonly ticks: number;
  readonly plan: ZabPlan;
  readonly coverage: Readonly<Record<string, number>>;
  /** What went wrong; undefined when all is well. */
  readonly failure: { readonly checker: string; readonly message: string } | undefined;
}

export function runZabSeed(seed: number, options: ZabSeedOptions = {}): ZabSeedResult {
  const plan = options.plan ?? drawPlan(seed);
  let world: ZabWorld | undefined;
  let failure: ZabSeedResult['failure'];
  try {
    world = new ZabWorld(plan, { plant: options.plant, trace: options.trace });
    world.runUntil(plan.duration);
    world.heal();
    expectLiveness(world);
  } catch (error) {
    failure = failureOf(error);
    if (world !== undefined) {
      for (const member of world.members) options.trace?.(member.describe());
    }
  }
  return {
    seed,
    hash: world?.hash ?? 0,
    steps: world?.steps ?? 0,
    ticks: world?.now ?? 0,
    plan,
    coverage: world?.coverage.toJSON() ?? {},
    failure,
  };
}

/** Every member serves, with one epoch and one history, and a fresh txn reaches all of them. */
function expectLiveness(world: ZabWorld): void {
  const { members, oracle } = world;
  const isWhole = world.runUntilTrue(world.now + HEALING_TICKS, () => isInSync(world));
  demand(
    isWhole,
    'liveness',
    () => `not all serve: ${members.map((one) => one.describe()).join('; ')}`,
  );
  // A leader may still fall over what happened before everything was mended: then its clients ask again.
  const answered = world.coverage.get('barrier');
  const before = oracle.decided.length;
  const end = world.now + HEALING_TICKS;
  let isFresh = false;
  while (!isFresh && world.now < end) {
    world.askBarriers();
    for (const member of members) member.propose(1);
    isFresh = world.runUntilTrue(
      world.now + RETRY_TICKS,
      () =>
        oracle.decided.length > before &&
        world.coverage.get('barrier') > answered &&
        isInSync(world),
    );
  }
  const barriers = world.coverage.get('barrier') - answered;
  demand(
    isFresh,
    'liveness',
    () =>
      `${oracle.decided.length - before} fresh txns, ${barriers} barriers: ${members.map((one) => one.describe()).join('; ')}`,
  );
  for (const member of members) oracle.holdsDecided('agreement', member.log, oracle.decided.length);
}

function isInSync(world: ZabWorld): boolean {
  const [first] = world.members;
  const { decided } = world.oracle;
  return (
    first !== undefined &&
    world.members.every(
      (member) =>
        member.isServing &&
        member.currentEpoch === first.currentEpoch &&
        member.applied === decided.length &&
        member.log.length === decided.length,
    )
  );
}

/** A violation of the oracle, or an assertion of the core: both mean that a rule is broken. */
function failureOf(error: unknown): { readonly checker: string; readonly message: string } {
  if (error instanceof Violation) return { checker: error.checker, message: error.message };
  if (error instanceof Error) return { checker: error.name, message: error.stack ?? error.message };
  throw error;
}
