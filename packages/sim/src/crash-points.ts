// Crashes a server at one chosen event of its disk, starts it again, and lets its clients finish.

import type { SimOperation } from './sim-disk.ts';
import { Standalone, type StandaloneOptions } from './standalone.ts';
import { Violation } from './violation.ts';

export interface CrashPoint {
  /** Event of the disk at which the first life ends, from 1. */
  readonly event: number;
  /** What survives of unsynced writes; undefined: all, since only the process is killed. */
  readonly seed: number | undefined;
  /**
   * Event of the recovery at which the power fails a second time; BEYOND_RECOVERY: just after the server
   * serves again. Default: no second failure.
   */
  readonly again?: number;
}

export interface CrashOutcome {
  /** False when the first life had fewer disk events. */
  readonly happened: boolean;
  readonly happenedAgain: boolean;
  /** Issued txns that were gone afterwards. */
  readonly lostTxns: number;
  /** Transcript hash of the whole run. */
  readonly hash: number;
}

/** See CrashPoint. */
export const BEYOND_RECOVERY = 1_000_000;
const LIFE_MS = 30_000;
const REQUESTS_AFTERWARDS = 25;

/** Events of the disk in a life without a crash, by operation. */
export async function countEvents(
  options: StandaloneOptions,
): Promise<{ readonly events: number; readonly operations: ReadonlyMap<SimOperation, number> }> {
  const operations = new Map<SimOperation, number>();
  const world = new Standalone({
    ...options,
    onDiskEvent: ({ operation }) => operations.set(operation, (operations.get(operation) ?? 0) + 1),
  });
  await live(world);
  return { events: world.disk.events, operations };
}

/** Crashes at the point, recovers, lets the clients finish, and stops in order. Throws what is wrong. */
export async function crashAt(
  options: StandaloneOptions,
  point: CrashPoint,
): Promise<CrashOutcome> {
  const world = new Standalone(options);
  try {
    return await crashAndGoOn(world, point);
  } catch (error) {
    const { event, seed, again } = point;
    throw new Error(
      `Workload ${options.seed}, event ${event}, crash seed ${seed}, again ${again}: ` +
        `${(error as Error).message}\n${world.transcript.tail()}`,
      { cause: error },
    );
  }
}

async function crashAndGoOn(world: Standalone, point: CrashPoint): Promise<CrashOutcome> {
  world.disk.crashAtEvent(point.event);
  await live(world);
  const happened = world.disk.down;
  const issued = world.oracle.lastZxid;
  strike(world, point.seed);

  let happenedAgain = false;
  if (point.again !== undefined) {
    world.disk.crashAtEvent(world.disk.events + point.again);
    await world.start();
    happenedAgain = world.disk.down;
    strike(world, 1 + (point.seed ?? point.event));
  }

  const outcome = await world.start();
  if (outcome !== 'serving') throw world.refusal ?? new Violation('starts', outcome);
  const recovered = world.server?.lastZxid ?? 0;
  // Enough to see that the server appends after what it found.
  world.workload.left = Math.min(world.workload.left, REQUESTS_AFTERWARDS);
  world.startClients();
  if (!world.runFor(LIFE_MS, () => world.isDone)) {
    throw new Violation('liveness', `${world.workload.left} requests are left`);
  }
  world.look();
  await world.stop();
  return { happened, happenedAgain, lostTxns: issued - recovered, hash: world.transcript.hash };
}

/** Until all requests are answered, or the disk is down. */
async function live(world: Standalone): Promise<void> {
  if ((await world.start()) !== 'serving') return;
  world.startClients();
  world.runFor(LIFE_MS, () => world.isDone);
  if (!world.disk.down) world.look();
}

function strike(world: Standalone, seed: number | undefined): void {
  if (seed === undefined) world.kill();
  else world.powerCut(seed);
}
