import { describe, expect, test } from 'vitest';
import { Quorum } from '../src/quorum.ts';

describe('a majority', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])('of %i voters is %i', (voters, needed) => {
    const sids = Array.from({ length: voters }, (_, index) => index + 1);
    const quorum = new Quorum(sids);
    expect(quorum.includedIn(sids.slice(0, needed))).toBe(true);
    expect(quorum.includedIn(sids.slice(0, needed - 1))).toBe(false);
  });

  test('counts voters only', () => {
    expect(new Quorum([1, 2, 3]).includedIn([1, 7, 8, 9])).toBe(false);
  });

  test.each([
    [[5], 5],
    [[5, 3], 3],
    [[5, 3, 4], 4],
    [[-1, 3, 9], 3],
    [[7, 7, 7], 7],
    [[1, 2, 3, 4], 2],
    [[9, 1, 8, 2, 7], 7],
    [[-1, -1, 9], -1],
  ])('of %j has reached %i', (values, expected) => {
    const quorum = new Quorum(values.map((_, index) => index));
    expect(quorum.reachedBy(Float64Array.from(values))).toBe(expected);
  });

  test('has its voters in order of sid, whatever the order of the config', () => {
    const quorum = new Quorum([30, 4, 17]);
    expect([4, 17, 30, 5].map((sid) => quorum.indexOf(sid))).toEqual([0, 1, 2, -1]);
    expect([4, 5].map((sid) => quorum.isVoter(sid))).toEqual([true, false]);
  });
});
