// What comes in from one client: when its frames are taken, and why not.
//
//   transport ─► take() ─► FrameDecoder ─► ClientConnection.frame(), one after the other
//                   └────► kept for later, and the transport paused, while anything stops it
//
// The transport is paused when something comes that cannot be taken, not before: most clients that are
// stopped have nothing more to say, and pausing costs a system call.
//
// Every reason to stop is a bit of its own in `stops`. Who has the reason sets it, and lifts it when
// the reason is gone; frames are taken again when nothing is left. So a client that reads its replies
// at last is not let past the throttle, and a batch that was applied gives nobody a turn out of order.

import { FrameDecoder } from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import type { Throttle, ThrottleWaiter } from '../turns/throttle.ts';
import type { Turns, TurnWaiter } from '../turns/turns.ts';

/** Why no frame is taken: bits of `ConnectionInput.stops`. */
export const Stop = {
  /** Its createSession is outstanding; until that is applied. */
  session: 1,
  /** The turn of the loop is used up; until Turns says that its own has come. */
  turn: 2,
  /** Too many txns are outstanding; until Throttle releases it. */
  throttle: 4,
  /** No more requests may wait for its own writes; until some of those are applied. */
  parked: 8,
  /** A reply is being written over several turns; until it is whole. */
  longReply: 16,
  /** The client does not read its replies; until it has taken all. */
  unreadReplies: 32,
  /** The server stops. Never lifted. */
  shutdown: 64,
  /** The connection ends. Never lifted. */
  closed: 128,
  /** Its sync waits for the leader: what comes after it must be answered after it. */
  sync: 256,
} as const;

/** Who gets the frames. */
export interface FrameTaker {
  /** One whole frame, the bytes valid during the call. */
  frame(bytes: Buffer, start: number, end: number): void;
  /** The bytes make no frames, or frame() threw. */
  failed(error: Error): void;
}

export class ConnectionInput implements TurnWaiter, ThrottleWaiter {
  /**
   * Bits of `Stop`. Invariant: no frame is taken while it is not 0, and the transport brings one more
   * read at most, unless the connection ends.
   */
  stops: number;
  /** While frames are taken that the throttle held up: for how long, the last time. */
  waitedMs: number;
  private readonly taker: FrameTaker;
  private readonly transport: Connection;
  private readonly turns: Turns;
  private readonly decoder: FrameDecoder;
  private readonly takeFrame: (bytes: Buffer, start: number, end: number) => boolean;
  /** When the throttle began to hold up the frames that come next. */
  private throttledMs: number;

  constructor(taker: FrameTaker, transport: Connection, turns: Turns, maxFrameBytes: number) {
    this.stops = 0;
    this.waitedMs = 0;
    this.taker = taker;
    this.transport = transport;
    this.turns = turns;
    this.decoder = new FrameDecoder(maxFrameBytes);
    this.takeFrame = (bytes, start, end) => {
      taker.frame(bytes, start, end);
      return this.stops === 0;
    };
    this.throttledMs = 0;
  }

  /** Takes the frames in bytes[start, end), now or later. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.stops === 0) {
      if (this.turns.join()) {
        this.feed(bytes, start, end);
        return;
      }
      this.waitForTurn();
    } else {
      this.transport.pause();
    }
    this.decoder.hold(bytes, start, end);
  }

  /** Takes the frames in bytes[start, end), whether or not others wait for a turn. */
  feed(bytes: Buffer, start: number, end: number): void {
    try {
      this.decoder.push(bytes, start, end, this.takeFrame);
    } catch (error) {
      this.taker.failed(error as Error);
    }
  }

  /** Takes no frame until this reason is lifted. */
  stop(reason: number): void {
    this.stops |= reason;
  }

  /** This reason is gone; true if it was there. The caller sees to it that resume() follows. */
  lift(reason: number): boolean {
    if ((this.stops & reason) === 0) return false;
    this.stops &= ~reason;
    return true;
  }

  /** This reason is gone: goes on, if it was the last. */
  goOn(reason: number): void {
    if (this.lift(reason)) this.resume();
  }

  /** Takes frames again, the ones already received first, if nothing stops it any more. */
  resume(): void {
    if (this.stops !== 0) return;
    this.feed(NO_BYTES, 0, 0);
    this.waitedMs = 0;
    // One of those frames may have stopped it again.
    if (this.stops === 0) this.transport.resume();
  }

  /** No frame is taken any more. The transport is left as it is: what ends must read on. */
  close(): void {
    this.stops |= Stop.closed;
  }

  // ---- Waiting for others -------------------------------------------------------------------

  /** A burst of costly requests ends here for this turn; cheap ones never take that long. */
  lookAtTheClock(): void {
    this.turns.readClock();
    if (!this.turns.join()) this.waitForTurn();
  }

  private waitForTurn(): void {
    this.stop(Stop.turn);
    this.turns.wait(this);
  }

  turnCame(): void {
    this.goOn(Stop.turn);
  }

  waitForThrottle(throttle: Throttle): void {
    this.stop(Stop.throttle);
    this.throttledMs = this.turns.nowMs;
    throttle.wait(this);
  }

  throttleLifted(): void {
    // Whatever else stops them may go on: that is not the throttle's doing.
    this.waitedMs = this.turns.nowMs - this.throttledMs;
    if (!this.lift(Stop.throttle)) return;
    // One of thousands, perhaps, who are let go of at once.
    this.lookAtTheClock();
    this.resume();
  }
}

const NO_BYTES = Buffer.alloc(0);
