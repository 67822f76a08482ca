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
const MAX_TOUCHED = 128;

/** Who has requests that must wait for a later turn. */
export interface Waiting {
  /** That turn has come. */
  turnCame(): void;
}

/** Whose output gathers during a turn. */
export interface Talking {
  /** Hands what has gathered to the socket. */
  endTurn(): void;
}

export class Turns {
  /** Monotonic ms of the last look at the clock: the time of all that is done until the next. */
  nowMs: number;
  /** How often somebody had to wait for a later turn. */
  cutShort: number;
  private readonly clock: Clock;
  private readonly scheduler: Scheduler;
  /** Those with output. */
  private readonly touched: Talking[];
  private readonly waiting: Waiting[];
  /** The wall clock, and the look it was read for: once for all txns of a look. */
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
    this.touched = [];
    this.waiting = [];
    this.wall = 0;
    this.wallOfMs = Number.NaN;
    this.beganMs = NO_TURN;
    this.endsMs = NO_TURN;
  }

  /** Looks at the clock: first in every callback of the loop, and after whatever may have taken long. */
  look(): void {
    this.nowMs = this.clock.monotonicMs();
  }

  /** Wall-clock ms of the last look: the time of a txn. */
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
   * Until when work that was put off may go on: for `wantedMs`, or what is left of the turn, since several kinds of it
   * may be due at once. To be asked in a callback of afterTurn(), where turns end.
   */
  share(wantedMs: number): number {
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

  /** Calls its turnCame() in one of the next turns, behind those who wait already. */
  wait(one: Waiting): void {
    this.waiting.push(one);
    this.cutShort++;
  }

  /** There is output: its endTurn() is called by the next flush. */
  touch(one: Talking): void {
    this.touched.push(one);
  }

  /** Called last in every callback: replies and events go out, one write for each connection. */
  flush(): void {
    const { touched } = this;
    // Handing output over can end a connection, which may add others behind it.
    for (let i = 0; i < touched.length; i++) (touched[i] as Talking).endTurn();
    touched.length = 0;
  }

  /** Whether so many have output that events for others must wait: see late-events.ts. */
  get isCrowded(): boolean {
    return this.touched.length >= MAX_TOUCHED;
  }

  private readonly goOn = (): void => {
    const { waiting } = this;
    if (waiting.length === 0) {
      this.beganMs = NO_TURN;
      return;
    }
    this.look();
    // While it is known when this turn began.
    const untilMs = this.share(TURN_MS);
    this.beganMs = NO_TURN;
    // Those who waited open this turn, and what is left of it goes to whoever becomes ready in it.
    this.join();
    let served = 0;
    while (served < waiting.length && this.nowMs <= untilMs) {
      (waiting[served] as Waiting).turnCame();
      served++;
      // One after the other as when their bytes arrive, so that all use the same buffer.
      this.flush();
      this.look();
    }
    waiting.splice(0, served);
  };
}
