// One thread of the command: runs what it is given, one after the other.

import { parentPort, workerData } from 'node:worker_threads';
import { ENGINES, type Outcome, type RunFailure, type ShrinkProgress } from './engines.ts';

export type Task =
  | {
      readonly kind: 'seed';
      readonly seed: number;
      readonly members: number | undefined;
      readonly plant: string | undefined;
    }
  | { readonly kind: 'plan'; readonly plan: string }
  | { readonly kind: 'shrink'; readonly failure: RunFailure };

export type Result =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'shrinking'; readonly progress: ShrinkProgress }
  | { readonly kind: 'shrunk'; readonly failure: RunFailure };

const engine = ENGINES[(workerData as { engine: string }).engine];

parentPort?.on('message', async (task: Task) => {
  if (engine === undefined) throw new Error('No such engine');
  const tell = (result: Result): void => parentPort?.postMessage(result);
  switch (task.kind) {
    case 'seed':
      return tell({
        kind: 'outcome',
        outcome: await engine.runSeed(task.seed, task.members, task.plant),
      });
    case 'plan':
      return tell({ kind: 'outcome', outcome: await engine.runPlan(task.plan) });
    case 'shrink': {
      const onStep = (progress: ShrinkProgress) => tell({ kind: 'shrinking', progress });
      return tell({ kind: 'shrunk', failure: await engine.shrink(task.failure, onStep) });
    }
  }
});
