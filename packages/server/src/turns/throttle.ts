// Who has to wait, and who is turned away, so that what waits in this server stays bounded.
//
//   globalOutstandingLimit   outstanding txns; beyond it a connection that wrote is not read until
//                            they are no more than that again; each voter of an ensemble has a share of it
//   request_throttle_*       the same with its own limit; a request that waited longer than its session
//                            lives can be dropped with its connection
//   throttled_op_wait_time   a request that either of these held up for longer is answered THROTTLEDOP
//   largeRequest*            bytes of outstanding large requests; beyond it the connection is closed
//   connection_throttle_*    a bucket of tokens for connect requests, with probabilistic dropping
//
// Source: ZooKeeperServer.shouldThrottle, .checkRequestSize, RequestThrottler, BlueThrottle (3.9.5).

import { OpCode } from '@zebu/protocol';
import { isObserver } from '../config/ensemble-config.ts';
import type { ServerConfig } from '../config/server-config.ts';

/** Waits until fewer txns are outstanding. */
export interface ThrottleWaiter {
  /** They are fewer. */
  throttleLifted(): void;
}

export interface ThrottleOptions {
  readonly config: ServerConfig;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Monotonic, ms. */
  readonly nowMs: () => number;
}

export class Throttle {
  private readonly config: ServerConfig;
  private readonly limit: number;
  private readonly random: () => number;
  private readonly nowMs: () => number;
  private waiting: ThrottleWaiter[];
  private largeBytes: number;
  private tokens: number;
  private lastFillMs: number;
  private lastFreezeMs: number;
  private dropChance: number;
  /** Connect requests that were turned away. */
  connectsRejected: number;

  constructor(options: ThrottleOptions) {
    this.config = options.config;
    const { maxRequests } = options.config.requestThrottle;
    this.limit = Math.min(
      shareOfLimit(options.config),
      maxRequests > 0 ? maxRequests : Number.POSITIVE_INFINITY,
    );
    this.random = options.random;
    this.nowMs = options.nowMs;
    this.waiting = [];
    this.largeBytes = 0;
    this.tokens = options.config.connectionThrottle.tokens;
    this.lastFillMs = options.nowMs();
    this.lastFreezeMs = options.nowMs();
    this.dropChance = 0;
    this.connectsRejected = 0;
  }

  /** Probability with which connect requests are dropped before they cost a token. */
  get connectionDropChance(): number {
    return this.dropChance;
  }

  /** Tokens that the bucket for connect requests is short of being full. */
  get tokenDeficit(): number {
    return Math.max(0, this.config.connectionThrottle.tokens) - Math.max(0, this.tokens);
  }

  /** Whether `outstanding` txns are more than a limit allows. */
  isFull(outstanding: number): boolean {
    return outstanding > this.limit;
  }

  /** Calls throttleLifted() of `one` once fewer txns are outstanding. */
  wait(one: ThrottleWaiter): void {
    this.waiting.push(one);
  }

  /** Releases all waiters; those that hit the limit again queue up again. */
  release(): void {
    if (this.waiting.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    for (const one of waiting) one.throttleLifted();
  }

  /** Whether a request that waited this long must be answered THROTTLEDOP. */
  isThrottled(waitedMs: number, type: number): boolean {
    const limitMs = this.config.throttledOpWaitTimeMs;
    return (
      limitMs > 0 &&
      waitedMs > limitMs &&
      type !== OpCode.ping &&
      type !== OpCode.closeSession &&
      type !== OpCode.createSession
    );
  }

  /** Whether a request that waited this long is stale. */
  isStale(waitedMs: number, sessionTimeoutMs: number): boolean {
    return this.config.requestThrottle.staleLatencyCheck && waitedMs > sessionTimeoutMs;
  }

  /** Whether the connection of a stale request is to be closed. */
  get dropsStale(): boolean {
    return this.config.requestThrottle.dropStale;
  }

  /** Bytes that a request of this size counts as large; 0 for others. */
  largeSize(requestBytes: number): number {
    const { largeRequestThresholdBytes: threshold } = this.config;
    return threshold > 0 && requestBytes > threshold ? requestBytes : 0;
  }

  /** Counts a large request in; false when the sum would pass largeRequestMaxBytes. */
  admitLarge(largeBytes: number): boolean {
    if (largeBytes === 0) return true;
    if (this.largeBytes + largeBytes > this.config.largeRequestMaxBytes) return false;
    this.largeBytes += largeBytes;
    return true;
  }

  finishLarge(largeBytes: number): void {
    this.largeBytes -= largeBytes;
  }

  /** Whether a connect request may go on. Session 0n asks for a new session. */
  admitConnect(sessionId: bigint): boolean {
    const throttle = this.config.connectionThrottle;
    if (throttle.tokens <= 0) return true;
    const cost = !throttle.weightEnabled
      ? 1
      : sessionId === 0n
        ? throttle.globalSessionWeight
        : throttle.renewSessionWeight;
    this.fill();
    if (throttle.freezeTimeMs >= 0 && this.random() < this.dropChance) return this.reject();
    if (cost > this.tokens) return this.reject();
    this.tokens -= cost;
    return true;
  }

  private fill(): void {
    const throttle = this.config.connectionThrottle;
    const now = this.nowMs();
    const fills = Math.floor((now - this.lastFillMs) / throttle.fillTimeMs);
    if (fills > 0) {
      this.tokens = Math.min(throttle.tokens, this.tokens + fills * throttle.fillCount);
      this.lastFillMs += fills * throttle.fillTimeMs;
    }
    if (throttle.freezeTimeMs < 0 || now - this.lastFreezeMs < throttle.freezeTimeMs) return;
    this.lastFreezeMs = now;
    if (this.tokens < 1) {
      this.dropChance = Math.min(1, this.dropChance + throttle.dropIncrease);
    } else if (this.tokens >= throttle.tokens * throttle.decreaseRatio) {
      this.dropChance = Math.max(0, this.dropChance - throttle.dropDecrease);
    }
  }

  private reject(): boolean {
    this.connectsRejected++;
    return false;
  }
}

/**
 * A leader and a follower take the limit divided by the number of voters less one, an observer takes all of it: so do
 * LeaderZooKeeperServer, FollowerZooKeeperServer and ObserverZooKeeperServer (getGlobalOutstandingLimit).
 */
function shareOfLimit({ globalOutstandingLimit, ensemble }: ServerConfig): number {
  if (ensemble === undefined || isObserver(ensemble)) return globalOutstandingLimit;
  const voters = ensemble.members.filter(({ role }) => role === 'participant').length;
  return voters > 2 ? Math.floor(globalOutstandingLimit / (voters - 1)) : globalOutstandingLimit;
}
