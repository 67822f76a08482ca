// Connections that have no session yet. One that gets none in time is closed.

import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Scheduler } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import { SteadyTicks } from '../turns/steady-ticks.ts';
import type { Turns } from '../turns/turns.ts';

/** A connection whose session is not decided yet. */
export interface Newcomer {
  readonly acceptedMs: number;
  finish(): void;
}

export class Newcomers {
  private readonly waiting: Set<Newcomer>;
  private readonly ticks: SteadyTicks;

  constructor(
    scheduler: Scheduler,
    config: ServerConfig,
    turns: Turns,
    metrics: Pick<ServerMetrics, 'sessionlessConnectionsExpired' | 'pauseTime'>,
  ) {
    this.waiting = new Set();
    const closeLate = (): void => {
      const deadline = turns.nowMs - config.sessionlessCnxnTimeoutMs;
      for (const newcomer of this.waiting) {
        if (newcomer.acceptedMs >= deadline) continue;
        metrics.sessionlessConnectionsExpired++;
        newcomer.finish();
      }
      turns.flush();
    };
    this.ticks = new SteadyTicks(scheduler, turns, halfTickMs(config), closeLate, (lateMs) =>
      metrics.pauseTime.add(Math.trunc(lateMs)),
    );
  }

  start(): void {
    this.ticks.start();
  }

  stop(): void {
    this.ticks.stop();
  }

  connected(newcomer: Newcomer): void {
    this.waiting.add(newcomer);
  }

  /** It has a session now, or has left. */
  settled(newcomer: Newcomer): void {
    this.waiting.delete(newcomer);
  }
}
