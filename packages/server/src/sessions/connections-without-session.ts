// Connections that have no session yet. One that gets none in time is closed.

import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Scheduler } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import { SteadyTicks } from '../turns/steady-ticks.ts';
import type { Turns } from '../turns/turns.ts';

/** A connection whose session is not decided yet. */
export interface ConnectionWithoutSession {
  readonly acceptedMs: number;
  closeAfterFlush(): void;
}

export class ConnectionsWithoutSession {
  private readonly waiting: Set<ConnectionWithoutSession>;
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
      for (const connection of this.waiting) {
        if (connection.acceptedMs >= deadline) continue;
        metrics.sessionlessConnectionsExpired++;
        connection.closeAfterFlush();
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

  connected(connection: ConnectionWithoutSession): void {
    this.waiting.add(connection);
  }

  /** It has a session now, or has left. */
  settled(connection: ConnectionWithoutSession): void {
    this.waiting.delete(connection);
  }
}
