// The zxids of txns that a learner has received and that are not committed yet, oldest first.
//
// A commit must name the oldest one (ZOOKEEPER-4394, Follower.processPacket), also where the window crosses an
// epoch, so that it cannot be computed. Kept as runs of consecutive numbers: there is one run nearly always, and
// a txn costs no allocation.

import type { Zxid } from '@zebu/protocol';

export class ZxidWindow {
  /** First and last of each run, alternately, oldest first. */
  private readonly runs: number[];

  constructor() {
    this.runs = [];
  }

  get isEmpty(): boolean {
    return this.runs.length === 0;
  }

  /** The oldest; -1 when empty. */
  get first(): Zxid {
    return this.runs[0] ?? -1;
  }

  /** The newest; -1 when empty. */
  get last(): Zxid {
    return this.runs.at(-1) ?? -1;
  }

  /** Runs of consecutive numbers: what the window costs, however many txns it holds. */
  get runCount(): number {
    return this.runs.length / 2;
  }

  /** Must be greater than every zxid in the window. */
  push(zxid: Zxid): void {
    const { runs } = this;
    const end = runs.length - 1;
    if (runs[end] === zxid - 1) runs[end] = zxid;
    else runs.push(zxid, zxid);
  }

  /** Removes the oldest. */
  shift(): void {
    const { runs } = this;
    if (runs[0] === runs[1]) runs.splice(0, 2);
    else runs[0] = (runs[0] as number) + 1;
  }
}
