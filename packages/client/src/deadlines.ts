// Time limits of requests without a timer for each: those of one duration expire in the order in which
// they began, so one timer for the first of them serves all.

import type { ClientEnvironment } from './environment.ts';

interface Entry {
  readonly at: number;
  /** Undefined once it is not needed any more. */
  expire: (() => void) | undefined;
}

interface Lane {
  entries: Entry[];
  /** Entries before it are over. */
  head: number;
  /** Entries that may still expire. */
  live: number;
  timer: unknown;
}

/** So few entries are never worth tidying up. */
const FEW = 1024;

export class Deadlines {
  private readonly environment: ClientEnvironment;
  /** By duration, in ms. */
  private readonly lanes: Map<number, Lane>;

  constructor(environment: ClientEnvironment) {
    this.environment = environment;
    this.lanes = new Map();
  }

  /** Calls `expire` once, in so many ms, unless what is returned is called before. */
  add(ms: number, expire: () => void): () => void {
    const lane = this.lanes.get(ms) ?? { entries: [], head: 0, live: 0, timer: undefined };
    this.lanes.set(ms, lane);
    const entry: Entry = { at: this.environment.now() + ms, expire };
    lane.entries.push(entry);
    lane.live++;
    if (lane.timer === undefined) this.arm(ms, lane, ms);
    return () => {
      if (entry.expire === undefined) return;
      entry.expire = undefined;
      lane.live--;
      // What is over must not pile up while one lasts.
      if (lane.entries.length > FEW && lane.live < lane.entries.length / 2) tidy(lane);
    };
  }

  stop(): void {
    for (const { timer } of this.lanes.values()) this.environment.clearTimer(timer);
    this.lanes.clear();
  }

  private arm(ms: number, lane: Lane, inMs: number): void {
    // The timer outlives what it was armed for: the next request finds it running.
    lane.timer = this.environment.setTimer(() => this.fire(ms, lane), inMs);
  }

  private fire(ms: number, lane: Lane): void {
    lane.timer = undefined;
    const now = this.environment.now();
    for (; lane.head < lane.entries.length; lane.head++) {
      const entry = lane.entries[lane.head] as Entry;
      if (entry.expire === undefined) continue;
      if (entry.at > now) break;
      const { expire } = entry;
      entry.expire = undefined;
      lane.live--;
      expire();
    }
    if (lane.live === 0) {
      this.lanes.delete(ms);
      return;
    }
    tidy(lane);
    this.arm(ms, lane, Math.max((lane.entries[0] as Entry).at - now, 0));
  }
}

function tidy(lane: Lane): void {
  lane.entries = lane.entries.filter(({ expire }) => expire !== undefined);
  lane.head = 0;
}
