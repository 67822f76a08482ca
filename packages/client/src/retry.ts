// Which failures may be tried again, and when: a policy of the user decides, among those that cannot carry
// anything out twice.

import { type ErrorCode, ZkError } from './errors.ts';
import type { RequestSpec } from './request.ts';

export interface RetryPolicy {
  /**
   * Milliseconds to wait before the next try, or undefined to fail. `attempt` counts the tries that failed, from 1;
   * `elapsedMs` since the call. A write whose outcome is unknown is never asked about: it may have been carried out.
   */
  next(attempt: number, elapsedMs: number, error: ZkError): number | undefined;
}

/** Waits twice as long each time, up to `longestMs`, and fails after `attempts` tries. */
export function backoff({
  attempts = 5,
  firstMs = 100,
  longestMs = 5000,
}: {
  attempts?: number;
  firstMs?: number;
  longestMs?: number;
} = {}): RetryPolicy {
  return {
    next: (attempt) =>
      attempt >= attempts ? undefined : Math.min(firstMs * 2 ** (attempt - 1), longestMs),
  };
}

/** Of these the next try may well come to another end. All else is an answer. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONNECTION_LOSS',
  'TIMEOUT',
  'QUEUE_FULL',
  'THROTTLED',
  'SESSION_MOVED',
  'NOT_READONLY',
  'NEW_CONFIG_NO_QUORUM',
  'RECONFIG_IN_PROGRESS',
  'SESSION_EXPIRED',
]);

/** Whether the request may be sent again at all, whatever the policy says. */
export function mayRepeat(spec: RequestSpec<unknown>, error: unknown): error is ZkError {
  if (!ZkError.is(error) || !PASSING.has(error.code)) return false;
  // It would be carried out in a session that its maker never meant.
  if (error.code === 'SESSION_EXPIRED' && spec.isSessionBound) return false;
  return spec.isRead || error.outcome !== 'unknown';
}
