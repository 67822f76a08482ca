// The time between a role and the next election: none, but for a learner whose syncs failed one after the other.

import type { RoleChange } from '@zebu/zab';
import type { Scheduler } from '../environment.ts';
import type { Logger } from '../logger.ts';
import { FailedSyncs } from './failed-syncs.ts';

export class RolePause {
  private readonly scheduler: Scheduler;
  private readonly logger: Logger;
  private readonly failedSyncs: FailedSyncs;
  private pause: { readonly cancel: () => void; readonly next: () => void } | undefined;

  constructor(scheduler: Scheduler, logger: Logger) {
    this.scheduler = scheduler;
    this.logger = logger;
    this.failedSyncs = new FailedSyncs();
    this.pause = undefined;
  }

  /** Clients are served. */
  served(): void {
    this.failedSyncs.reset();
  }

  /** How long this member casts no vote after the role that ends, and says so. */
  lengthAfter(change: RoleChange | undefined, reason: string): number {
    const wasLearner = change?.role === 'following' || change?.role === 'observing';
    if (!wasLearner || change.phase === 'broadcast') return 0;
    const { failedSyncs } = this;
    const pauseMs = failedSyncs.add();
    if (pauseMs > 0) {
      this.logger.warn('Not brought up to date again; waiting', {
        leader: change.leaderSid,
        failures: failedSyncs.count,
        pauseMs,
        reason,
      });
    }
    return pauseMs;
  }

  begin(pauseMs: number, next: () => void): void {
    if (pauseMs === 0) {
      next();
      return;
    }
    this.pause = { cancel: this.scheduler.after(pauseMs, () => this.end()), next };
  }

  /** Now, whatever is left of it. */
  end(): void {
    const { pause } = this;
    this.pause = undefined;
    pause?.cancel();
    pause?.next();
  }

  /** What was to come after it does not come. */
  cancel(): void {
    this.pause?.cancel();
    this.pause = undefined;
  }
}
