// One change that thousands of clients are told of holds the loop for a tenth of a second if each is handed
// its event at once. Once many connections have output in a turn (Turns.isCrowded), those who get nothing
// but this event are told over the next turns, while requests are served in between:
//
//   the network has a fan-out        ──► the connection is added to it; this thread and another write
//   no fan-out, TLS, unread output   ──► kept by the connection, one copy for all, until its turn comes

import type { Connection, FanOut, Network } from '@zebu/transport';
import type { Scheduler } from '../environment.ts';
import type { OutputSource, Turns } from '../turns/turns.ts';
import type { WatchEvent } from './watch-event.ts';

/** Events are handed over for so long in one turn of the loop. */
const SHARE_MS = 4;
/** Connections told between two looks at the clock. */
const STEP = 32;

export class LateEvents {
  private readonly turns: Turns;
  private readonly scheduler: Scheduler;
  private readonly network: Network;
  private readonly fanOuts: FanOut[];
  /** The event of the last fan-out, while others may still be added to that: not after its first step. */
  private lastEvent: Buffer | undefined;
  /** Those who keep an event until their turn comes. */
  private readonly keeping: OutputSource[];
  private isFanOutsTurn: boolean;
  private isScheduled: boolean;

  constructor(turns: Turns, scheduler: Scheduler, network: Network) {
    this.turns = turns;
    this.scheduler = scheduler;
    this.network = network;
    this.fanOuts = [];
    this.lastEvent = undefined;
    this.keeping = [];
    this.isFanOutsTurn = false;
    this.isScheduled = false;
  }

  /** True: the event is on its way to this connection. False: it has to be kept. */
  tell(connection: Connection, event: WatchEvent): boolean {
    // Encrypting takes longer than a write, and no other thread can do it.
    if (this.network.fanOut === undefined || connection.secure) return false;
    const bytes = event.keep();
    if (this.lastEvent !== bytes) {
      this.lastEvent = bytes;
      this.fanOuts.push(this.network.fanOut(bytes));
    }
    this.fanOuts.at(-1)?.add(connection);
    this.schedule();
    return true;
  }

  /** Calls its endTurn() in one of the next turns. */
  keep(one: OutputSource): void {
    this.keeping.push(one);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.scheduler.afterTurn(this.flush);
  }

  private readonly flush = (): void => {
    const { turns } = this;
    this.isScheduled = false;
    this.lastEvent = undefined;
    turns.readClock();
    const untilMs = turns.deadlineFor(SHARE_MS);
    while (this.hasMore && turns.nowMs <= untilMs) {
      this.step();
      turns.readClock();
    }
    turns.flush();
    if (this.hasMore) this.schedule();
  };

  private get hasMore(): boolean {
    return this.fanOuts.length > 0 || this.keeping.length > 0;
  }

  private step(): void {
    const [fanOut] = this.fanOuts;
    // In turns: one event after another for thousands would keep the others waiting for good.
    this.isFanOutsTurn = !this.isFanOutsTurn || this.keeping.length === 0;
    if (fanOut !== undefined && this.isFanOutsTurn) {
      if (!fanOut.step()) this.fanOuts.shift();
      return;
    }
    for (const one of this.keeping.splice(0, STEP)) one.endTurn();
  }
}
