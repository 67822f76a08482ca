import { describe, expect, test } from 'vitest';
import { type ErrorCode, type Outcome, ZkError } from '../src/errors.ts';
import type { RequestSpec } from '../src/request.ts';
import { backoff, mayRepeat } from '../src/retry.ts';

function request(kind: Partial<RequestSpec<unknown>>): RequestSpec<unknown> {
  return {
    type: 0,
    op: 'call',
    isRead: false,
    isSessionBound: false,
    encode: () => {},
    decode: () => undefined,
    ...kind,
  };
}

const failed = (code: ErrorCode, outcome: Outcome = 'failed') => new ZkError(code, { outcome });

describe('what may be tried again', () => {
  test.each<[ErrorCode, boolean]>([
    ['CONNECTION_LOSS', true],
    ['TIMEOUT', true],
    ['QUEUE_FULL', true],
    ['THROTTLED', true],
    ['SESSION_MOVED', true],
    ['NOT_READONLY', true],
    ['NEW_CONFIG_NO_QUORUM', true],
    ['RECONFIG_IN_PROGRESS', true],
    ['SESSION_EXPIRED', true],
    ['NO_NODE', false],
    ['NODE_EXISTS', false],
    ['BAD_VERSION', false],
    ['NO_AUTH', false],
    ['CLOSED', false],
    ['ABORTED', false],
    ['TOO_LARGE', false],
    ['SERVER_OTHER', false],
  ])('%s: %s', (code, expected) => {
    expect(mayRepeat(request({}), failed(code))).toBe(expected);
    expect(mayRepeat(request({ isRead: true }), failed(code))).toBe(expected);
  });

  test('not a write whose outcome is unknown, but a read', () => {
    const error = failed('CONNECTION_LOSS', 'unknown');
    expect(mayRepeat(request({}), error)).toBe(false);
    expect(mayRepeat(request({ isRead: true }), error)).toBe(true);
    expect(mayRepeat(request({}), failed('CONNECTION_LOSS', 'not-sent'))).toBe(true);
  });

  test('not in the next session what means something in its own alone', () => {
    for (const isRead of [true, false]) {
      const bound = request({ isRead, isSessionBound: true });
      expect(mayRepeat(bound, failed('SESSION_EXPIRED'))).toBe(false);
      expect(mayRepeat(bound, failed('CONNECTION_LOSS'))).toBe(true);
    }
  });

  test('nothing that is no ZkError', () => {
    expect(mayRepeat(request({ isRead: true }), new Error('CONNECTION_LOSS'))).toBe(false);
  });
});

test('backoff waits 100 ms, then twice as long each time up to 5 s, and ends with the fifth try', () => {
  const { next } = backoff();
  const error = failed('TIMEOUT');
  expect([1, 2, 3, 4, 5, 6].map((attempt) => next(attempt, 0, error))).toEqual([
    100,
    200,
    400,
    800,
    undefined,
    undefined,
  ]);
  expect(backoff({ attempts: 20 }).next(19, 0, error)).toBe(5000);
});
