import { describe, expect, it } from 'vitest';
import { Histogram } from '../src/histogram.ts';
import { Random } from '../src/random.ts';

describe('Histogram', () => {
  it('reads quantiles back within 1.6 % of the sorted values', () => {
    const random = new Random();
    const histogram = new Histogram();
    // From a microsecond to a hundred seconds, evenly over the powers of ten.
    const values = Array.from({ length: 20_000 }, () => 10 ** (random.below(8000) / 1000 - 3));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const quantile of [0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.ceil(quantile * values.length) - 1] as number;
      expect(Math.abs(histogram.quantileMs(quantile) - exact)).toBeLessThan(exact * 0.016 + 1e-4);
    }
  });

  it('keeps the largest value exactly, and no quantile exceeds it', () => {
    const histogram = new Histogram();
    for (const value of [1, 2, 3, 1234.5678]) histogram.record(value);
    expect(histogram.maxMs).toBe(1234.5678);
    expect(histogram.quantileMs(1)).toBeLessThanOrEqual(1234.5678);
    expect(histogram.count).toBe(4);
  });

  it.each([0, 1e-9, -1, 429_496, 1e12])('counts %d ms, however odd', (value) => {
    const histogram = new Histogram();
    histogram.record(value);
    expect(histogram.count).toBe(1);
    expect(histogram.quantileMs(0.5)).toBeLessThanOrEqual(429_497);
  });

  it('is empty again after a reset', () => {
    const histogram = new Histogram();
    histogram.record(5);
    histogram.reset();
    expect(histogram.summary()).toEqual({ p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 });
  });
});
