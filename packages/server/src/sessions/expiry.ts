// Sessions that nobody was heard from expire: on the member that decides, and on no other.

import type { Session, SessionTable } from '@zebu/session';
import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Scheduler } from '../environment.ts';
import { SteadyTicks } from '../turns/steady-ticks.ts';
import type { Turns } from '../turns/turns.ts';

/** Sessions expired in one turn: ten thousand may be due at once. */
const EXPIRIES_PER_TURN = 200;

export interface ExpiryOptions {
  readonly scheduler: Scheduler;
  readonly config: ServerConfig;
  readonly turns: Turns;
  readonly sessions: SessionTable;
  /** The session's time is up. */
  readonly onExpired: (session: Session) => void;
  /** False: signs of life may be on their way, and nobody expires at this tick. Default: true. */
  readonly mayExpire?: () => boolean;
}

export class Expiry {
  private readonly options: ExpiryOptions;
  private readonly ticks: SteadyTicks;

  constructor(options: ExpiryOptions) {
    this.options = options;
    const { scheduler, turns, config, mayExpire } = options;
    this.ticks = new SteadyTicks(scheduler, turns, halfTickMs(config), () => {
      if (mayExpire?.() !== false) this.expireSessions();
    });
  }

  start(): void {
    this.ticks.start();
  }

  stop(): void {
    this.ticks.stop();
  }

  private readonly expireSessions = (): void => {
    if (!this.ticks.isRunning) return;
    const { scheduler, turns, sessions, onExpired } = this.options;
    turns.readClock();
    for (let i = 0; i < EXPIRIES_PER_TURN; i++) {
      const session = sessions.takeExpired(turns.nowMs);
      if (session === undefined) return;
      onExpired(session);
    }
    scheduler.afterTurn(this.expireSessions);
  };
}
