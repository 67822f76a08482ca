// Latencies of millions of requests in a few kilobytes, after Gil Tene's HdrHistogram: buckets that grow
// with the value, 64 to each power of two, so that a value read back is within 1.6 % of the one recorded.
// The largest value is kept exactly. Recording allocates nothing.

/** One bucket step is a tenth of a microsecond; 32 bits of those reach 429 seconds. */
const TICKS_PER_MS = 10_000;
const MAX_TICKS = 0xffff_ffff;
const SUB_BUCKET_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const BUCKETS = (32 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS;

/** What a report says about one set of latencies, all in ms. */
export interface LatencySummary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export class Histogram {
  private readonly counts = new Float64Array(BUCKETS);
  private total = 0;
  private longestMs = 0;

  get count(): number {
    return this.total;
  }

  get maxMs(): number {
    return this.longestMs;
  }

  record(ms: number): void {
    const ticks = Math.min(Math.max(0, ms * TICKS_PER_MS), MAX_TICKS) >>> 0;
    (this.counts[bucketOf(ticks)] as number) += 1;
    this.total += 1;
    if (ms > this.longestMs) this.longestMs = ms;
  }

  reset(): void {
    this.counts.fill(0);
    this.total = 0;
    this.longestMs = 0;
  }

  /** The value that `quantile` (0 to 1) of the recorded ones do not exceed; 0 when there are none. */
  quantileMs(quantile: number): number {
    const wanted = Math.max(1, Math.ceil(quantile * this.total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.counts[bucket] as number;
      if (seen >= wanted) return Math.min(bucketMiddle(bucket) / TICKS_PER_MS, this.longestMs);
    }
    return this.longestMs;
  }

  summary(): LatencySummary {
    return {
      p50Ms: this.quantileMs(0.5),
      p99Ms: this.quantileMs(0.99),
      p999Ms: this.quantileMs(0.999),
      maxMs: this.longestMs,
    };
  }
}

/** Below two sub-buckets' worth every tick has a bucket; above, the top seven bits choose it. */
function bucketOf(ticks: number): number {
  const shift = Math.max(0, 32 - SUB_BUCKET_BITS - 1 - Math.clz32(ticks));
  return shift * SUB_BUCKETS + (ticks >>> shift);
}

function bucketMiddle(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket + 0.5;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  return (bucket - shift * SUB_BUCKETS + 0.5) * 2 ** shift;
}
