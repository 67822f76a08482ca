// Makes a plan that fails smaller while it still fails in the same way.
//
// Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): parts are
// taken out in halves, then in quarters, and so on, for as long as what is left fails. Faults first, since they
// make a failure hard to read; then requests, then what is special about the configuration.

import type { LifePlan, Plan } from './plan.ts';

/** Says whether a plan fails as the first one did. */
export type FailsAlike = (plan: Plan) => Promise<boolean>;

export interface ShrinkOptions {
  readonly fails: FailsAlike;
  /** Runs at most. */
  readonly budget: number;
  readonly onStep?: (runs: number, plan: Plan) => void;
}

/** The smallest plan found; the one that was given if nothing can be taken out. */
export async function shrinkPlan(
  plan: Plan,
  { fails, budget, onStep }: ShrinkOptions,
): Promise<Plan> {
  let runs = 0;
  let best = plan;
  const attempt = async (candidate: Plan): Promise<boolean> => {
    if (runs >= budget) return false;
    runs++;
    if (!(await fails(candidate))) return false;
    best = candidate;
    onStep?.(runs, best);
    return true;
  };
  const reduce = async <T>(
    parts: (plan: Plan) => readonly T[],
    withParts: (plan: Plan, parts: readonly T[]) => Plan,
  ): Promise<void> => {
    await minimize(parts(best), (kept) => attempt(withParts(best, kept)));
  };
  for (let before = ''; before !== sizeOf(best) && runs < budget; ) {
    before = sizeOf(best);
    await reduce<LifePlan>(
      ({ lives }) => lives,
      (from, lives) => ({ ...from, lives }),
    );
    for (const [index, life] of best.lives.entries()) {
      for (const less of [{ away: null }, { fault: null }]) {
        const lives = best.lives.map((one, i) => (i === index ? { ...one, ...less } : one));
        if (JSON.stringify(lives[index]) !== JSON.stringify(life))
          await attempt({ ...best, lives });
      }
    }
    await reduce(
      ({ requests }) => requests,
      (from, requests) => ({ ...from, requests }),
    );
    if (best.firstCrashEvent > 0) await attempt({ ...best, firstCrashEvent: 0 });
    await reduce(
      ({ world }) => Object.entries(world.config),
      (from, entries) => ({
        ...from,
        world: { ...from.world, config: Object.fromEntries(entries) },
      }),
    );
    const { clients, paceMs, slowDiskMs } = best.world;
    if (slowDiskMs > 0) await attempt({ ...best, world: { ...best.world, slowDiskMs: 0 } });
    if (paceMs > 0) await attempt({ ...best, world: { ...best.world, paceMs: 0 } });
    if (clients > 1) await attempt({ ...best, world: { ...best.world, clients: clients - 1 } });
  }
  return best;
}

/**
 * Finds a small part of `items` for which `works` still holds; it is only asked about parts smaller than the
 * last one it approved of.
 */
export async function minimize<T>(
  items: readonly T[],
  works: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = items;
  for (let pieces = 1; kept.length > 0 && pieces <= kept.length; ) {
    const length = Math.ceil(kept.length / pieces);
    let isReduced = false;
    for (let start = 0; start < kept.length; ) {
      const without = [...kept.slice(0, start), ...kept.slice(start + length)];
      if (await works(without)) {
        kept = without;
        isReduced = true;
      } else start += length;
    }
    if (length === 1 && !isReduced) break;
    pieces = isReduced && length === 1 ? pieces : Math.min(2 * pieces, Math.max(1, kept.length));
  }
  return kept;
}

function sizeOf({ lives, requests, firstCrashEvent, world }: Plan): string {
  const parts = lives.map(({ away, fault }) => Number(away !== null) + Number(fault !== null));
  return JSON.stringify([parts, requests.length, firstCrashEvent, world]);
}
