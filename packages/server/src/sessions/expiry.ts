// What time alone brings about: sessions that nobody was heard from expire, and connections that never got a
// session are closed.
//
// Must never expire a session whose sign of life lies unread in a socket because this process stood still.

import type { Session, SessionTable } from '@zebu/session';
import { halfTickMs, type ServerConfig } from '../config/server-config.ts';
import type { Scheduler } from '../environment.ts';
import type { Turns } from '../turns/turns.ts';

/** Sessions expired in one turn: ten thousand may be due at once. */
const EXPIRIES_PER_TURN = 200;

/** A connection whose session is not decided yet. */
export interface Newcomer {
  readonly acceptedMs: number;
  finish(): void;
}

export interface ExpiryOptions {
  readonly scheduler: Scheduler;
  readonly config: ServerConfig;
  readonly turns: Turns;
  readonly sessions: SessionTable;
  /** The session's time is up. */
  readonly onExpired: (session: Session) => void;
  /** A connection that had time enough to ask for a session is being closed. */
  readonly onGivenUp: () => void;
}

export class Expiry {
  private readonly options: ExpiryOptions;
  private readonly newcomers: Set<Newcomer>;
  private readonly intervalMs: number;
  /** When the last tick was. */
  private tickedMs: number;
  private stopTimer: (() => void) | undefined;

  constructor(options: ExpiryOptions) {
    this.options = options;
    this.newcomers = new Set();
    this.intervalMs = halfTickMs(options.config);
    this.tickedMs = options.turns.nowMs;
    this.stopTimer = undefined;
  }

  start(): void {
    this.tickedMs = this.options.turns.nowMs;
    this.stopTimer = this.options.scheduler.every(this.intervalMs, this.tick);
  }

  stop(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
  }

  connected(newcomer: Newcomer): void {
    this.newcomers.add(newcomer);
  }

  /** It has a session now, or has left. */
  settled(newcomer: Newcomer): void {
    this.newcomers.delete(newcomer);
  }

  /** Half a tick has passed. */
  private readonly tick = (): void => {
    if (this.stopTimer === undefined) return;
    const { turns } = this.options;
    turns.look();
    if (this.wasHeldUp()) return;
    this.closeLateNewcomers();
    turns.flush();
    this.expireSessions();
  };

  /**
   * Whether the process stood still (suspended, or long at one thing) since the last tick. Signs of
   * life may lie unread in the sockets then: they are read before anybody is said to be late.
   */
  private wasHeldUp(): boolean {
    const { scheduler, turns } = this.options;
    const heldUpMs = turns.nowMs - this.tickedMs - this.intervalMs;
    this.tickedMs = turns.nowMs;
    if (heldUpMs < this.intervalMs) return false;
    // The second turn begins after the sockets that were readable in the first.
    scheduler.afterTurn(() => scheduler.afterTurn(this.tick));
    return true;
  }

  private closeLateNewcomers(): void {
    const { config, turns, onGivenUp } = this.options;
    const deadline = turns.nowMs - config.sessionlessCnxnTimeoutMs;
    for (const newcomer of this.newcomers) {
      if (newcomer.acceptedMs >= deadline) continue;
      onGivenUp();
      newcomer.finish();
    }
  }

  private readonly expireSessions = (): void => {
    if (this.stopTimer === undefined) return;
    const { scheduler, turns, sessions, onExpired } = this.options;
    turns.look();
    for (let i = 0; i < EXPIRIES_PER_TURN; i++) {
      const session = sessions.takeExpired(turns.nowMs);
      if (session === undefined) return;
      onExpired(session);
    }
    scheduler.afterTurn(this.expireSessions);
  };
}
