// How a leader that stops in order leaves: it takes nothing more of its learners, waits until all that it proposed is
// committed, and on the disks of those that follow it, and tells them so. A request that a learner has no answer to by then was
// never proposed, which its clients are told. Must not wait for a learner longer than HAND_OVER_MS.

import { PacketType } from '@zebu/protocol';
import type { Zab } from '@zebu/zab';
import type { Scheduler } from '../environment.ts';
import type { CurrentRole } from './current-role.ts';
import type { LearnerLink } from './learner-link.ts';
import type { PeerLinks } from './peer-links.ts';

/** After that it leaves without a word. */
const HAND_OVER_MS = 2000;
/** What the PING of a leader holds that stops; Apache's learners do not look at it. */
const GOODBYE = Buffer.from([1]);

export interface HandOverOptions {
  readonly core: Zab;
  readonly role: CurrentRole;
  readonly links: PeerLinks;
  readonly scheduler: Scheduler;
  /** The role may end. */
  readonly leave: () => void;
}

export class HandOver {
  private readonly options: HandOverOptions;
  /** While it waits. */
  private cancelLimit: (() => void) | undefined;

  constructor(options: HandOverOptions) {
    this.options = options;
    this.cancelLimit = undefined;
  }

  /** Calls `leave` when that is done, at once where there is nothing to hand over. */
  begin(): void {
    const { core, role, scheduler } = this.options;
    if (role.leader === undefined || core.phase !== 'broadcast') {
      this.options.leave();
      return;
    }
    role.leader.takeNoMore();
    this.cancelLimit = scheduler.after(HAND_OVER_MS, () => this.leave());
  }

  /** Called whenever the core's output was carried out. */
  look(): void {
    if (this.cancelLimit === undefined) return;
    const { core, role, links } = this.options;
    if (role.leader !== undefined) {
      const { appendedZxid, committedZxid } = core;
      if (committedZxid < appendedZxid) return;
      const synced = [...links.ofLearners()].filter(({ isSynced }) => isSynced);
      const lags = ({ lastAckedZxid }: LearnerLink): boolean =>
        lastAckedZxid > 0 && lastAckedZxid < appendedZxid;
      if (synced.some(lags)) return;
      for (const link of synced) {
        link.sendMessage({ type: PacketType.PING, zxid: committedZxid, touched: GOODBYE });
        link.flush();
      }
    }
    this.leave();
  }

  /** The server failed. */
  cancel(): void {
    this.cancelLimit?.();
    this.cancelLimit = undefined;
  }

  private leave(): void {
    this.cancel();
    this.options.leave();
  }
}
