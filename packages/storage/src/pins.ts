// What is being read, or is going to be: purge removes no log and no snapshot that is needed to read the
// history from a pinned zxid on.

import type { Zxid } from '@zebu/protocol';

export interface Pin {
  /** What lies before `zxid` is not needed any more. Never goes back. */
  moveTo(zxid: Zxid): void;
  /** May be called again. */
  release(): void;
}

/** The pins of one data directory; `purge` and `openTxnFeed` share it. */
export class Pins {
  private readonly pins = new Set<{ zxid: Zxid }>();

  /** Keeps the log that may hold the txn after `zxid`, all later logs, and snapshots from `zxid` on. */
  pin(zxid: Zxid): Pin {
    const pin = { zxid };
    this.pins.add(pin);
    return {
      moveTo: (later) => {
        if (later > pin.zxid) pin.zxid = later;
      },
      release: () => {
        this.pins.delete(pin);
      },
    };
  }

  /** The lowest pinned zxid; Infinity when nothing is pinned. */
  get lowestZxid(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { zxid } of this.pins) if (zxid < lowest) lowest = zxid;
    return lowest;
  }
}
