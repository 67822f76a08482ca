import { ElectionState, NO_VOTE } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import type { Notification } from '../src/index.ts';
import { isBetter, votesAlike } from '../src/vote.ts';

const { LOOKING, FOLLOWING, LEADING } = ElectionState;

describe('the order of votes', () => {
  test.each([
    ['a higher epoch beats a longer history', [1, 5, 3], [9, 9, 2], true],
    ['a lower epoch loses with the longer history', [9, 9, 2], [1, 5, 3], false],
    ['in one epoch the longer history wins', [1, 6, 3], [9, 5, 3], true],
    ['with equal histories the higher sid wins', [2, 5, 3], [1, 5, 3], true],
    ['a vote is not better than itself', [2, 5, 3], [2, 5, 3], false],
    ['anybody is better than nobody', [1, 0, 0], [NO_VOTE, NO_VOTE, NO_VOTE], true],
  ] as const)(
    '%s',
    (_, [leader, zxid, peerEpoch], [otherLeader, otherZxid, otherEpoch], expected) => {
      const left = { leader, zxid, peerEpoch };
      const right = { leader: otherLeader, zxid: otherZxid, peerEpoch: otherEpoch };
      expect(isBetter(left, right)).toBe(expected);
      if (expected) expect(isBetter(right, left)).toBe(false);
    },
  );
});

describe('the equality of votes', () => {
  const vote = (fields: Partial<Notification>): Notification => ({
    state: LOOKING,
    leader: 3,
    zxid: 5,
    electionEpoch: 2,
    peerEpoch: 1,
    version: 2,
    ...fields,
  });

  test.each([
    ['the same vote', {}, {}, true],
    ['another leader', {}, { leader: 2 }, false],
    ['another zxid', {}, { zxid: 6 }, false],
    ['another round', {}, { electionEpoch: 3 }, false],
    ['another epoch', {}, { peerEpoch: 2 }, false],
    [
      'ZOOKEEPER-1732: settled votes of another round',
      { state: FOLLOWING },
      { state: LEADING, electionEpoch: 9 },
      true,
    ],
    [
      'ZOOKEEPER-1805: settled votes of another zxid',
      { state: FOLLOWING },
      { state: LEADING, zxid: 9 },
      true,
    ],
    [
      'settled votes of another epoch',
      { state: FOLLOWING },
      { state: FOLLOWING, peerEpoch: 2 },
      false,
    ],
    [
      'settled votes for another leader',
      { state: FOLLOWING },
      { state: FOLLOWING, leader: 1 },
      false,
    ],
    [
      'a settled vote and one of a looking member',
      { state: FOLLOWING },
      { electionEpoch: 9 },
      false,
    ],
    [
      'one of a version without epochs',
      { state: FOLLOWING, version: 0, peerEpoch: 0 },
      { state: LEADING },
      true,
    ],
    [
      'two of a version without epochs',
      { state: FOLLOWING, version: 0, peerEpoch: 0 },
      { state: LEADING, version: 0 },
      false,
    ],
  ] as const)('%s', (_, left, right, expected) => {
    expect(votesAlike(vote(left), vote(right))).toBe(expected);
    expect(votesAlike(vote(right), vote(left))).toBe(expected);
  });
});
