// Everything that a server takes from the world: clock, turns of the loop, disk, network, chance, log.
//
// The production code knows only these; node-environment.ts gives the real ones, the simulator its
// own, and the code between is the same. Nothing else in this package may reach for Date, timers,
// node:fs or node:net.

import type { Disk } from '@zebu/storage';
import type { Network } from '@zebu/transport';
import type { Logger } from './logger.ts';

export interface Clock {
  /** Wall clock, ms since 1970: what becomes ctime and mtime. */
  wallMs(): number;
  /** Never goes back, ms: what every timeout counts. */
  monotonicMs(): number;
}

export interface Scheduler {
  /** Runs `task` once the work at hand in this turn of the loop is done. */
  afterTurn(task: () => void): void;
  /** Runs `task` every `intervalMs`; the returned function stops it. Does not keep a process alive. */
  every(intervalMs: number, task: () => void): () => void;
  /** Runs `task` once, after `delayMs`; the returned function calls it off. Does not keep a process alive. */
  after(delayMs: number, task: () => void): () => void;
}

/** How the walk of a snapshot is cut into slices, between which txns are applied. */
export interface SnapshotPace {
  /** Of one slice; at least one znode is taken. */
  readonly sliceBytes: number;
  /** Slices follow one another for this long; 0: one at a time. */
  readonly turnMs: number;
  /** Runs `next` after the other work that is due. */
  readonly pause: (next: () => void) => void;
}

export interface Environment {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly network: Network;
  /** Where the members of an ensemble are; by default the same network as the clients'. */
  readonly peerNetwork?: Network;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Default: 64 KiB, half a millisecond, the next turn. The trees of the simulator are smaller than that. */
  readonly snapshotPace?: SnapshotPace;
}
