// Runs a scenario on one server, or on two in turn, and sums the rounds up.

import { thenCleanUp } from './clean-up.ts';
import type { OnProgress } from './data-set.ts';
import type { Figures } from './meter.ts';
import type { MeasuredTarget, Scenario } from './scenario.ts';
import { ratioOf, type Spread, spreadOf } from './statistics.ts';

/** All that a scenario gave on each of the targets, in the order of the targets. */
export interface Row {
  readonly scenario: {
    readonly name: string;
    readonly summary: string;
    readonly connections: number;
    readonly window: number;
    readonly unit: string;
  };
  readonly sides: readonly Side[];
}

export interface Side {
  readonly label: string;
  readonly rounds: readonly Figures[];
}

/** A row that could not be finished: what was measured until then, and why it ended. */
export class InterruptedRow extends Error {
  override readonly name = 'InterruptedRow';
  readonly row: Row;

  constructor(row: Row, cause: Error) {
    super(cause.message, { cause });
    this.row = row;
  }
}

/**
 * The rounds alternate, first target first: A B A B A B. Prepares before, and cleans up after, also when
 * a round throws. Throws InterruptedRow when every target has had a round by then, and what the round
 * threw otherwise.
 */
export async function runRounds(
  scenario: Scenario,
  targets: readonly MeasuredTarget[],
  { rounds, onProgress }: { rounds: number; onProgress?: OnProgress },
): Promise<Row> {
  const sides = targets.map((target) => ({ label: target.label, rounds: [] as Figures[] }));
  const prepared: MeasuredTarget[] = [];
  const work = async (): Promise<void> => {
    for (const target of targets) {
      prepared.push(target);
      await scenario.prepare(target, onProgress);
    }
    for (let round = 0; round < rounds; round++) {
      for (const [index, target] of targets.entries()) {
        const where = `${scenarioTitle(scenario)} on ${target.label}, round ${round + 1}/${rounds}`;
        const figures = await scenario.run(target, (_, done, total) =>
          onProgress?.(where, done, total),
        );
        sides[index]?.rounds.push(figures);
      }
    }
  };
  const { name, summary, connections, window, unit } = scenario;
  const row = { scenario: { name, summary, connections, window, unit }, sides };
  try {
    await thenCleanUp(work, prepared, (target) => scenario.cleanUp(target, onProgress));
  } catch (error) {
    if (sides.some((side) => side.rounds.length === 0)) throw error;
    throw new InterruptedRow(row, error as Error);
  }
  return row;
}

/** e.g. "get 64x16" */
export function scenarioTitle({ name, connections, window }: Row['scenario']): string {
  return window > 0 ? `${name} ${connections}x${window}` : `${name} ${connections}`;
}

/** One figure of a side over its rounds; undefined when a round lacks it. */
export function spreadOfSide(
  side: Side | undefined,
  figure: (figures: Figures) => number | undefined,
): Spread | undefined {
  const values = (side?.rounds ?? []).map(figure);
  if (values.length === 0 || values.includes(undefined)) return undefined;
  return spreadOf(values as number[]);
}

/** The first side over the second, round by round. */
export function ratioOfSides(
  row: Row,
  figure: (figures: Figures) => number | undefined,
): Spread | undefined {
  const [first, second] = row.sides.map((side) => spreadOfSide(side, figure));
  if (first === undefined || second === undefined) return undefined;
  return ratioOf(first.values, second.values);
}
