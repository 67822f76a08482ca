import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, ticksFor } from '../src/index.ts';

describe('limits', () => {
  test.each([
    [200, 10, 20],
    [201, 10, 21],
    [1, 10, 1],
    [0, 10, 1],
  ])('%i ms at %i ms a tick are %i ticks', (ms, tickMs, ticks) => {
    expect(ticksFor(ms, tickMs)).toBe(ticks);
  });

  test('the leader steps down softly before it has to', () => {
    expect(DEFAULT_LIMITS.softCounter).toBeLessThan(DEFAULT_LIMITS.hardCounter);
    // Apache's leader ends at 0xffffffff: ours must be gone before.
    expect(DEFAULT_LIMITS.hardCounter).toBeLessThan(0xffffffff);
  });

  test('a learner is pinged more often than it may be silent', () => {
    expect(DEFAULT_LIMITS.ping).toBeLessThan(DEFAULT_LIMITS.sync);
  });
});
