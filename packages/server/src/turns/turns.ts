// How the turns of the event loop are shared: what time it is in this one, who may still be served in
// it, and whose output is to be handed to a socket at its end.
//
// The loop calls back for every socket that is readable before it looks at a timer or at the disk: a
// thousand clients that come back with a thousand watches each would hold it for more than a second.
// So all callbacks of one turn share a few milliseconds; who comes later waits, in order, for the next turns.

import type { Clock, Scheduler } from '../environment.ts';

/** Requests are served for this long before the loop must turn. */
const TURN_MS = 4;
/** A turn in which work that was put off goes on ends so long after it began. */
const WHOLE_TURN_MS = 8;
/** Work that was put off goes on for so long even when the turn should have ended. */
const LEAST_SHARE_MS = 0.5;
const NO_TURN = -1;
/** Connections that may have output at once before events for others wait. */
const MAX_WITH_OUTPUT = 128;

/** A connection, or other work, whose requests must wait for a later turn. */
export interface TurnWaiter {
  /** That turn has come. */
  turnCame(): void;
}

/** A connection whose output gathers during a turn. */
export interface OutputSource {
  /** Hands what has gathered to the socket. */
  endTurn(): void;
}

export class Turns {
  /** Monotonic ms, as of the last readClock(): the time of all that is done until the next. */
  nowMs: number;
  /** How often somebody had to wait for a later turn. */
  cutShort: number;
  private readonly clock: Clock;
  private readonly scheduler: Scheduler;
  /** Those with output. */
  private readonly withOutput: OutputSource[];
  private readonly waiting: TurnWaiter[];
  /** The wall clock, and the nowMs that it was read for: once for all txns of one readClock(). */
  private wall: number;
  private wallOfMs: number;
  /** When the first request of this turn of the loop was taken up. */
  private beganMs: number;
  /** When this turn of the loop is to end. */
  private endsMs: number;

  constructor(clock: Clock, scheduler: Scheduler) {
    this.clock = clock;
    this.scheduler = scheduler;
    this.nowMs = clock.monotonicMs();
    this.cutShort = 0;
    this.withOutput = [];
    this.waiting = [];
    this.wall = 0;
    this.wallOfMs = Number.NaN;
    this.beganMs = NO_TURN;
    this.endsMs = NO_TURN;
  }

  /** To be called first in every callback of the loop, and after anything that may have taken long. */
  readClock(): void {
    this.nowMs = this.clock.monotonicMs();
  }

  /** Wall-clock ms as of the last readClock(): the time of a txn. */
  get wallMs(): number {
    if (this.wallOfMs !== this.nowMs) {
      this.wallOfMs = this.nowMs;
      this.wall = this.clock.wallMs();
    }
    return this.wall;
  }

  /** False when this turn of the loop is used up: the caller must wait for a later one. */
  join(): boolean {
    if (this.beganMs === NO_TURN) {
      this.beganMs = this.nowMs;
      this.scheduler.afterTurn(this.goOn);
    }
    return this.nowMs - this.beganMs <= TURN_MS;
  }

  /**
   * The time until which deferred work may go on: `wantedMs` from now, or less where the turn has less left, since
   * several kinds of deferred work may be due at once. To be called in a callback of afterTurn(), where turns end.
   */
  deadlineFor(wantedMs: number): number {
    if (this.endsMs === NO_TURN) {
      this.endsMs = (this.beganMs === NO_TURN ? this.nowMs : this.beganMs) + WHOLE_TURN_MS;
      this.scheduler.afterTurn(this.forgetEnd);
    }
    const left = Math.min(wantedMs, this.endsMs - this.nowMs);
    return this.nowMs + Math.max(left, LEAST_SHARE_MS);
  }

  private readonly forgetEnd = (): void => {
    this.endsMs = NO_TURN;
  };

  /** Calls its turnCame() in one of the next turns, after those of earlier waiters. */
  wait(one: TurnWaiter): void {
    this.waiting.push(one);
    this.cutShort++;
  }

  /** The next flush() calls its endTurn(). */
  queueOutput(one: OutputSource): void {
    this.withOutput.push(one);
  }

  /** Called last in every callback: replies and events go out, one write for each connection. */
  flush(): void {
    const { withOutput } = this;
    // Handing output over can end a connection, which may add others after it.
    for (let i = 0; i < withOutput.length; i++) (withOutput[i] as OutputSource).endTurn();
    withOutput.length = 0;
  }

  /** Whether so many have output that events for others must wait: see late-events.ts. */
  get isCrowded(): boolean {
    return this.withOutput.length >= MAX_WITH_OUTPUT;
  }

  private readonly goOn = (): void => {
    const { waiting } = this;
    if (waiting.length === 0) {
      this.beganMs = NO_TURN;
      return;
    }
    this.readClock();
    // While it is known when this turn began.
    const untilMs = this.deadlineFor(TURN_MS);
    this.beganMs = NO_TURN;
    // The waiters open this turn; connections that become ready during it get the rest.
    this.join();
    let served = 0;
    while (served < waiting.length && this.nowMs <= untilMs) {
      (waiting[served] as TurnWaiter).turnCame();
      served++;
      // One after the other as when their bytes arrive, so that all use the same buffer.
      this.flush();
      this.readClock();
    }
    waiting.splice(0, served);
  };
}
