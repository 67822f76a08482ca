// The Environment of one life of one simulated server.

import type { Environment, Logger } from '@zebu/server';
import type { Disk } from '@zebu/storage';
import type { Network } from '@zebu/transport';
import type { Prng } from './prng.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimProcess } from './sim-process.ts';

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
  };
}
