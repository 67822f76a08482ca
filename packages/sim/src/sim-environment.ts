// The Environment of one life of one simulated server.

import type { Environment, Logger } from '@zebu/server';
import type { Disk } from '@zebu/storage';
import type { Network } from '@zebu/transport';
import type { Prng } from './prng.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimProcess } from './sim-process.ts';

/** A walk of some fifty znodes then meets several batches. */
const SNAPSHOT_PAUSE_MS = 0.5;

export function simEnvironment(parts: {
  readonly process: SimProcess;
  readonly clock: SimClock;
  readonly disk: Disk;
  readonly network: Network;
  readonly prng: Prng;
  readonly logger: Logger;
}): Environment {
  const { process, clock, disk, network, prng, logger } = parts;
  return {
    clock,
    scheduler: {
      afterTurn: (task) => process.schedule(0, task),
      every: (intervalMs, task) => process.every(intervalMs, task),
      after: (delayMs, task) => process.after(delayMs, task),
    },
    disk,
    network,
    logger,
    random: () => prng.next(),
    // One znode at a time, so that txns are applied while a snapshot is being walked.
    snapshotPace: {
      sliceBytes: 1,
      turnMs: 0,
      pause: (next) => void process.after(SNAPSHOT_PAUSE_MS, next),
    },
  };
}
