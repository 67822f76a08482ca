import { describe, expect, it } from 'vitest';
import { ratioOf, spreadOf } from '../src/statistics.ts';

describe('spreadOf', () => {
  it.each([
    [[3], 3, 3, 3],
    [[4, 1], 2.5, 1, 4],
    [[9, 1, 5], 5, 1, 9],
    [[4, 1, 3, 2], 2.5, 1, 4],
  ])('of %j has the median %d from %d to %d', (values, median, min, max) => {
    expect(spreadOf(values)).toEqual({ median, min, max, values });
  });

  it('refuses no values', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});

describe('ratioOf', () => {
  it('divides run by run, so a slow minute that hit both sides cancels out', () => {
    // The second pair ran on a machine half as fast: the medians alone would say 100/60.
    expect(ratioOf([100, 50, 100], [60, 25, 50])?.median).toBe(2);
  });

  it('leaves out pairs that cannot be divided', () => {
    expect(ratioOf([1, 6], [0, 3])?.values).toEqual([2]);
    expect(ratioOf([1], [0])).toBeUndefined();
    expect(ratioOf([1, 2], [1])?.values).toEqual([1]);
  });
});
