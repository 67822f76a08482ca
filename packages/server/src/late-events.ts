// One change that thousands of clients are told of holds the loop for a tenth of a second if each is handed
// its event at once. Once many connections have output in a turn (Turns.isCrowded), the event is kept for the
// others, one copy for all of them, and goes out over the next turns: by the network's fan-out where it has
// one, else connection by connection. Requests of whoever got his event are served in between.
//
//   txn ─► watchers: 128 now, the others kept ─► [4 ms of writes, a turn of the loop] ─► ...

import type { Connection, FanOut, Network } from '@zebu/transport';
import type { Scheduler } from './environment.ts';
import type { Turns } from './turns.ts';

/** Who has an event that waits. */
export interface Late {
  /**
   * Its turn has come: the connection that the event is still to be written to, and nothing else; undefined if it
   * was told already, or is told by itself now, behind other output.
   */
  eventCame(): Connection | undefined;
}

interface Group {
  readonly bytes: Buffer;
  readonly members: Late[];
}

/** Of a turn of the loop. */
const SHARE_MS = 4;
/** Connections asked between two looks at the clock. */
const STEP = 32;

export class LateEvents {
  private readonly turns: Turns;
  private readonly scheduler: Scheduler;
  private readonly network: Network;
  /** In the order of the txns. */
  private readonly groups: Group[];
  /** Members of the first group that were asked, and those of them that its fan-out is to write to. */
  private asked: number;
  private readonly recipients: Connection[];
  private fanOut: FanOut | undefined;
  private isScheduled: boolean;

  constructor(turns: Turns, scheduler: Scheduler, network: Network) {
    this.turns = turns;
    this.scheduler = scheduler;
    this.network = network;
    this.groups = [];
    this.asked = 0;
    this.recipients = [];
    this.fanOut = undefined;
    this.isScheduled = false;
  }

  /** Calls one's eventCame() in one of the next turns. `bytes`: its event, the same buffer for all who get it. */
  add(one: Late, bytes: Buffer): void {
    const last = this.groups.at(-1);
    if (last?.bytes === bytes) last.members.push(one);
    else this.groups.push({ bytes, members: [one] });
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
    turns.look();
    const untilMs = turns.share(SHARE_MS);
    while (this.hasMore && turns.nowMs <= untilMs) {
      this.step();
      turns.look();
    }
    // From here on others may write to those who were asked.
    this.begin();
    turns.flush();
    if (this.hasMore) this.schedule();
  };

  private get hasMore(): boolean {
    return this.fanOut !== undefined || this.groups.length > 0;
  }

  private step(): void {
    const [group] = this.groups;
    if (this.fanOut !== undefined) {
      if (!this.fanOut.step()) this.fanOut = undefined;
    } else if (group !== undefined) {
      this.ask(group);
      if (this.asked < group.members.length) return;
      this.begin();
      this.groups.shift();
      this.asked = 0;
    }
  }

  private ask({ bytes, members }: Group): void {
    const until = Math.min(this.asked + STEP, members.length);
    while (this.asked < until) {
      const connection = (members[this.asked++] as Late).eventCame();
      if (connection === undefined) continue;
      if (this.network.fanOut === undefined) connection.write(bytes, 0, bytes.length);
      else this.recipients.push(connection);
    }
  }

  /** The fan-out of those who were asked. */
  private begin(): void {
    const [group] = this.groups;
    if (group === undefined || this.recipients.length === 0) return;
    this.fanOut = this.network.fanOut?.(group.bytes, this.recipients.splice(0));
  }
}
