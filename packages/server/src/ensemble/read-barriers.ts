// Clients' syncs on a leader: each waits until a quorum has answered, then until this member has applied what was
// proposed before it. In order, so that a sync is answered after what came before it.

import type { Zxid } from '@zebu/protocol';

interface Barrier {
  readonly zxid: Zxid;
  readonly released: () => void;
}

export class ReadBarriers {
  /** By token: a quorum has not answered yet. */
  private readonly asked: Map<number, Barrier>;
  /** Answered by a quorum; released once this member has applied what came before. */
  private readonly ready: Barrier[];
  private lastToken: number;

  constructor() {
    this.asked = new Map();
    this.ready = [];
    this.lastToken = 0;
  }

  /** Syncs that are not answered yet. */
  get size(): number {
    return this.asked.size + this.ready.length;
  }

  /** `released` is called after everything up to the zxid is applied. Returns the token to ask a quorum with. */
  add(zxid: Zxid, released: () => void): number {
    const token = ++this.lastToken;
    this.asked.set(token, { zxid, released });
    return token;
  }

  /** A quorum has answered. False: the token is of a role that is over. */
  answered(token: number): boolean {
    const barrier = this.asked.get(token);
    if (barrier === undefined) return false;
    this.asked.delete(token);
    this.ready.push(barrier);
    return true;
  }

  /** This member has applied everything up to the zxid. */
  release(appliedZxid: Zxid): void {
    for (;;) {
      const [barrier] = this.ready;
      if (barrier === undefined || barrier.zxid > appliedZxid) return;
      this.ready.shift();
      barrier.released();
    }
  }

  /** The role is over: nobody is answered. */
  clear(): void {
    this.asked.clear();
    this.ready.length = 0;
  }
}
