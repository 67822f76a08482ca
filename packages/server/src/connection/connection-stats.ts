// What the four-letter words `cons` and `stat` show of one connection, and `crst` sets back.

import type { Zxid } from '@zebu/protocol';

export class ConnectionStats {
  received = 0;
  sent = 0;
  lastOp = 'NA';
  /** -1: none yet. */
  lastCxid = -1;
  lastZxid: Zxid = -1;
  /** Monotonic ms. */
  lastResponseMs = 0;
  lastLatencyMs = 0;
  minLatencyMs = 0;
  maxLatencyMs = 0;
  private totalLatencyMs = 0;
  private latencyCount = 0;

  /** For the word `crst`: as if the connection were new. */
  reset(): void {
    Object.assign(this, new ConnectionStats());
  }

  get averageLatencyMs(): number {
    return this.latencyCount === 0 ? 0 : this.totalLatencyMs / this.latencyCount;
  }

  /** Notes that a request was answered, and how long it took in whole milliseconds. */
  answered(label: string, xid: number, zxid: Zxid, nowMs: number, latencyMs: number): void {
    this.lastOp = label;
    if (xid >= 0) this.lastCxid = xid;
    this.lastZxid = zxid;
    this.lastResponseMs = nowMs;
    this.lastLatencyMs = latencyMs;
    this.totalLatencyMs += latencyMs;
    if (latencyMs > this.maxLatencyMs) this.maxLatencyMs = latencyMs;
    if (this.latencyCount === 0 || latencyMs < this.minLatencyMs) this.minLatencyMs = latencyMs;
    this.latencyCount++;
  }
}
