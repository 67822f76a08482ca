import { describe, expect, it } from 'vitest';
import { progressLine } from '../src/progress.ts';

describe('progressLine', () => {
  it.each([
    [0, 10, '[------------------------]   0% get'],
    [5, 10, '[############------------]  50% get'],
    [20, 10, '[########################] 100% get'],
    [1, 0, '[------------------------]   0% get'],
  ])('%d of %d', (done, total, line) => {
    expect(progressLine('get', done, total, 80)).toBe(line);
  });

  it('never wraps', () => {
    expect(progressLine('x'.repeat(100), 1, 2, 40)).toHaveLength(40);
  });
});
