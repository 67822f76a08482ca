// Whether the server of a connection is alive, and hears us: pings it when either direction has been silent, and
// gives up on it after 2/3 of the session's timeout without an answer. By a clock that never jumps.

import type { ClientEnvironment } from './environment.ts';
import type { Wire } from './wire.ts';

/** Pings are never farther apart, whatever the timeout. Source: ClientCnxn.MAX_SEND_PING_INTERVAL. */
const LONGEST_PING_MS = 10_000;

export interface LivenessOwner {
  /** What was written then has been answered. */
  heard(writtenAt: number): void;
  drop(reason: Error): void;
}

export class Liveness {
  private readonly environment: ClientEnvironment;
  private readonly owner: LivenessOwner;
  private timer: unknown;
  /** When the ping that has no reply yet was written. */
  private pingSentAt: number | undefined;

  constructor(environment: ClientEnvironment, owner: LivenessOwner) {
    this.environment = environment;
    this.owner = owner;
    this.timer = undefined;
    this.pingSentAt = undefined;
  }

  start(wire: Wire, timeoutMs: number): void {
    this.stop();
    this.check(wire, timeoutMs);
  }

  stop(): void {
    if (this.timer !== undefined) this.environment.clearTimer(this.timer);
    this.timer = undefined;
    this.pingSentAt = undefined;
  }

  pinged(): void {
    if (this.pingSentAt !== undefined) this.owner.heard(this.pingSentAt);
    this.pingSentAt = undefined;
  }

  private check(wire: Wire, timeoutMs: number): void {
    const pingAfterMs = Math.min(timeoutMs / 3, LONGEST_PING_MS);
    const silentAfterMs = (timeoutMs * 2) / 3;
    const now = this.environment.now();
    const silentMs = now - wire.lastAnswerAt;
    if (silentMs >= silentAfterMs) {
      this.owner.drop(new Error(`No answer from the server for ${Math.round(silentMs)} ms`));
      return;
    }
    // A server may owe us nothing but what we ask for: ask when either direction is quiet.
    const quietMs = Math.max(now - wire.lastSentAt, silentMs);
    if (quietMs >= pingAfterMs && this.pingSentAt === undefined) {
      this.pingSentAt = now;
      wire.ping();
    }
    const nextMs = Math.min(
      this.pingSentAt === undefined ? pingAfterMs - quietMs : pingAfterMs,
      silentAfterMs - silentMs,
    );
    this.timer = this.environment.setTimer(() => this.check(wire, timeoutMs), Math.max(nextMs, 1));
  }
}
