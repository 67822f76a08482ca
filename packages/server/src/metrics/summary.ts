// Distributions of counted values: a summary is five numbers, one with percentiles adds a fixed reservoir.
// Nothing is computed until somebody asks. Values go in as whole numbers, times as whole milliseconds.

/** Count, sum, least and greatest of the values it was given. */
export class Summary {
  count = 0;
  sum = 0;
  min = Number.MAX_SAFE_INTEGER;
  max = Number.MIN_SAFE_INTEGER;

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  /** With four decimals; 0 before the first value. */
  get average(): number {
    return this.count === 0 ? 0 : Math.round((this.sum / this.count) * 10_000) / 10_000;
  }

  /** 0 before the first value, as `greatest`. */
  get least(): number {
    return this.count === 0 ? 0 : this.min;
  }

  get greatest(): number {
    return this.count === 0 ? 0 : this.max;
  }

  reset(): void {
    this.count = 0;
    this.sum = 0;
    this.min = Number.MAX_SAFE_INTEGER;
    this.max = Number.MIN_SAFE_INTEGER;
  }
}

const RESERVOIR_SIZE = 4096;

/**
 * A summary that also knows percentiles, from a uniform sample of 4,096 values (Vitter's algorithm R,
 * as Apache's AvgMinMaxPercentileCounter). Allocates once, at the first value.
 */
export class PercentileSummary extends Summary {
  private reservoir: Float64Array | undefined;
  // xorshift32: which value is replaced need not be unpredictable, and must not cost.
  private random = 0x9e3779b9 | 0;

  override add(value: number): void {
    super.add(value);
    this.reservoir ??= new Float64Array(RESERVOIR_SIZE);
    if (this.count <= RESERVOIR_SIZE) {
      this.reservoir[this.count - 1] = value;
      return;
    }
    let random = this.random;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    this.random = random;
    const index = (random >>> 0) % this.count;
    if (index < RESERVOIR_SIZE) this.reservoir[index] = value;
  }

  /** Rounded values at `quantiles` (0 to 1), which must rise; all 0 before the first value. */
  percentiles(quantiles: readonly number[]): number[] {
    const size = Math.min(this.count, RESERVOIR_SIZE);
    const sorted = (this.reservoir ?? new Float64Array(0)).slice(0, size).sort();
    return quantiles.map((quantile) => Math.round(valueAt(sorted, quantile)));
  }
}

// com.codahale.metrics.UniformSnapshot.getValue.
function valueAt(sorted: Float64Array, quantile: number): number {
  if (sorted.length === 0) return 0;
  const position = quantile * (sorted.length + 1);
  const index = Math.floor(position);
  if (index < 1) return sorted[0] as number;
  if (index >= sorted.length) return sorted[sorted.length - 1] as number;
  const lower = sorted[index - 1] as number;
  return lower + (position - index) * ((sorted[index] as number) - lower);
}

/**
 * Summaries by key: one for each of the first names of paths, or for each member of an ensemble. The keys may come from
 * clients, so their number is bounded; what comes under further keys is summed under OTHER_KEY.
 */
export class SummarySet<S extends Summary = Summary> {
  private readonly summaries = new Map<string, S>();
  private readonly make: () => S;

  constructor(make: () => S) {
    this.make = make;
  }

  /** The summary of this key, made when it is asked for first. It stays the same object until the server ends. */
  of(key: string): S {
    const known = this.summaries.get(key);
    if (known !== undefined) return known;
    if (this.summaries.size >= MAX_KEYS && key !== OTHER_KEY) return this.of(OTHER_KEY);
    const summary = this.make();
    this.summaries.set(key, summary);
    return summary;
  }

  /** Whether a new key would be summed under OTHER_KEY. */
  get isFull(): boolean {
    return this.summaries.size >= MAX_KEYS;
  }

  entries(): IterableIterator<[key: string, summary: S]> {
    return this.summaries.entries();
  }

  reset(): void {
    for (const summary of this.summaries.values()) summary.reset();
  }
}

/** Keys of one SummarySet. */
export const MAX_KEYS = 1000;
/** No name of a znode that anybody would choose: what is beyond MAX_KEYS. */
export const OTHER_KEY = '(other)';
