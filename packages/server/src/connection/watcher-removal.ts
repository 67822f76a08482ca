// The watches of clients that left, and the slots they had: taken away after the turn, a few at a time.
// Ten thousand clients may leave at once, with a million watches between them.

import type { WatchTable } from '@zebu/data-tree';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import type { Turns } from '../turns/turns.ts';

/** It stops for other work after this long. */
const SLICE_MS = 2;
/** Watches, and clients, dealt with between two looks at the clock. */
const WATCHES_AT_ONCE = 1_000;
const SLOTS_AT_ONCE = 50;

export class WatcherRemoval {
  private readonly environment: Environment;
  private readonly turns: Turns;
  private readonly watches: WatchTable;
  private readonly connections: { releaseSlot(slot: number): void };
  private readonly metrics: ServerMetrics;
  private readonly slots: number[];

  constructor(
    environment: Environment,
    turns: Turns,
    watches: WatchTable,
    connections: { releaseSlot(slot: number): void },
    metrics: ServerMetrics,
  ) {
    this.environment = environment;
    this.turns = turns;
    this.watches = watches;
    this.connections = connections;
    this.metrics = metrics;
    this.slots = [];
  }

  /** Nothing more is said to the connection of this slot. The slot can be used again once its watches are gone. */
  left(slot: number): void {
    this.metrics.deadWatchersQueued++;
    if (this.slots.push(slot) === 1) this.environment.scheduler.afterTurn(this.remove);
  }

  private readonly remove = (): void => {
    const { slots, metrics } = this;
    this.turns.readClock();
    const startedMs = this.turns.nowMs;
    const untilMs = this.turns.deadlineFor(SLICE_MS);
    for (let steps = 1; slots.length > 0; steps++) {
      const slot = slots[slots.length - 1] as number;
      if (this.watches.removeWatcher(slot, WATCHES_AT_ONCE)) {
        slots.pop();
        metrics.deadWatchersCleared++;
        this.connections.releaseSlot(slot);
        if (steps % SLOTS_AT_ONCE !== 0) continue;
      }
      if (this.environment.clock.monotonicMs() > untilMs) break;
    }
    const passMs = this.environment.clock.monotonicMs() - startedMs;
    metrics.deadWatchersTime.add(Math.trunc(passMs));
    if (slots.length > 0) this.environment.scheduler.afterTurn(this.remove);
  };
}
