// Worker threads that run seeds, one a core.

import { Worker } from 'node:worker_threads';
import type { Outcome, RunFailure, ShrinkProgress } from './engines.ts';
import type { Result, Task } from './worker.ts';

export class Pool {
  private readonly workers: readonly Worker[];

  constructor(engine: string, size: number) {
    const script = new URL('./worker.ts', import.meta.url);
    this.workers = Array.from(
      { length: size },
      () => new Worker(script, { workerData: { engine } }),
    );
  }

  /** Runs all seeds that `next` gives, until it gives undefined. Rejects when a worker breaks down. */
  async runSeeds(
    next: () => number | undefined,
    members: number | undefined,
    onOutcome: (outcome: Outcome) => void,
    plant?: string,
  ): Promise<void> {
    const work = async (worker: Worker): Promise<void> => {
      for (let seed = next(); seed !== undefined; seed = next()) {
        onOutcome(await this.outcomeOf(worker, { kind: 'seed', seed, members, plant }));
      }
    };
    await Promise.all(this.workers.map(work));
  }

  runPlan(plan: string): Promise<Outcome> {
    return this.outcomeOf(this.workers[0] as Worker, { kind: 'plan', plan });
  }

  async shrink(
    failure: RunFailure,
    onStep: (progress: ShrinkProgress) => void,
  ): Promise<RunFailure> {
    const result = await ask(this.workers[0] as Worker, { kind: 'shrink', failure }, onStep);
    return result.kind === 'shrunk' ? result.failure : failure;
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private async outcomeOf(worker: Worker, task: Task): Promise<Outcome> {
    const result = await ask(worker, task, () => {});
    if (result.kind !== 'outcome')
      throw new Error(`A worker answered ${task.kind} by ${result.kind}`);
    return result.outcome;
  }
}

/** One task at a time; the last result settles it. */
function ask(
  worker: Worker,
  task: Task,
  onStep: (progress: ShrinkProgress) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', take);
      worker.off('error', fail);
      worker.off('exit', left);
    };
    const take = (result: Result): void => {
      if (result.kind === 'shrinking') onStep(result.progress);
      else {
        settle();
        resolve(result);
      }
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const left = (code: number): void => fail(new Error(`A worker ended with code ${code}`));
    worker.on('message', take);
    worker.on('error', fail);
    worker.on('exit', left);
    worker.postMessage(task);
  });
}
