// Finds containers that became empty and TTL znodes that outlived their ttl, and asks for their
// deletion, as an ordinary txn of session 0. Source: ContainerManager (3.9.5).

import type { DataTree, PathId } from '@zebu/data-tree';
import type { ContainerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';

/** Znodes looked at in one turn. */
const LOOKED_AT = 2_000;

export class ContainerSweeper {
  private readonly environment: Environment;
  private readonly config: ContainerConfig;
  private readonly tree: DataTree;
  private readonly deleteContainer: (id: PathId) => void;
  private stopTimer: (() => void) | undefined;
  private sweeping: boolean;
  private allowance: number;

  constructor(options: {
    environment: Environment;
    config: ContainerConfig;
    tree: DataTree;
    /** Asks for the deletion of a znode; refused there if it is in use by then. */
    deleteContainer: (id: PathId) => void;
  }) {
    this.environment = options.environment;
    this.config = options.config;
    this.tree = options.tree;
    this.deleteContainer = options.deleteContainer;
    this.stopTimer = undefined;
    this.sweeping = false;
    this.allowance = 0;
  }

  start(): void {
    const { checkIntervalMs } = this.config;
    if (checkIntervalMs <= 0) return;
    this.stopTimer = this.environment.scheduler.every(checkIntervalMs, () => this.sweep());
  }

  stop(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.sweeping = false;
  }

  private sweep(): void {
    // A sweep that ran out of its allowance goes on with the next one.
    this.allowance = this.perInterval();
    if (!this.sweeping) {
      this.sweeping = true;
      this.tree.containers.startSweep();
    }
    this.step();
  }

  private step(): void {
    if (!this.sweeping) return;
    const found: PathId[] = [];
    const more = this.tree.containers.sweep(
      this.environment.clock.wallMs(),
      this.config.maxNeverUsedIntervalMs,
      // Never more than may still be found: all of them may be ripe.
      Math.min(LOOKED_AT, this.allowance),
      (id) => found.push(id),
    );
    for (const id of found) this.deleteContainer(id);
    this.allowance -= found.length;
    if (!more) this.sweeping = false;
    else if (this.allowance > 0) this.environment.scheduler.afterTurn(() => this.step());
  }

  /** Deletions that maxPerMinute leaves to one interval; at least one. */
  private perInterval(): number {
    const { checkIntervalMs, maxPerMinute } = this.config;
    return Math.max(1, Math.floor((maxPerMinute * checkIntervalMs) / 60_000));
  }
}
