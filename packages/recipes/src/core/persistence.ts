// Calls that are made until they are answered. A lost connection is no answer: a recipe goes on with the next one,
// as long as its session lives.

import { type Client, type ErrorCode, type Session, ZkError } from '@zebu/client';

/** Failures that say nothing about the znode, and after which the next try may be answered. */
const PASSING: readonly ErrorCode[] = [
  'CONNECTION_LOSS',
  'TIMEOUT',
  'QUEUE_FULL',
  'THROTTLED',
  'SESSION_MOVED',
  'NOT_READONLY',
  'NEW_CONFIG_NO_QUORUM',
];

/** Before the next try after a failure that no change of the connection ends. */
const PAUSE_MS = 100;

/** Whether the call that failed with `error` may be answered when it is made again. */
export function isPassing(error: unknown): error is ZkError {
  return ZkError.is(error, ...PASSING);
}

/** Makes a call that may be repeated until it is answered, or fails for good. */
export async function untilAnswered<T>(
  zk: Client,
  call: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error)) throw error;
      // Without a connection the next call waits for one.
      if (error.code !== 'CONNECTION_LOSS') await pause(zk, PAUSE_MS, signal);
    }
  }
}

/**
 * Deletes a znode of `session`, and comes back to it until the server has answered or the session, and the
 * ephemeral znode with it, is over. A missing znode is deleted.
 */
export async function deleteSurely(zk: Client, path: string, session: Session): Promise<void> {
  await untilSessionEnds(session, () =>
    untilAnswered(zk, () => {
      session.signal.throwIfAborted();
      return zk.delete(path, { missingOk: true, timeoutMs: 0 });
    }),
  );
}

/** Does `work`, and takes the end of the session for success. */
export async function untilSessionEnds(
  session: Session,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!session.signal.aborted && !ZkError.is(error, 'SESSION_EXPIRED', 'CLOSED')) throw error;
  }
}

/** Waits by the client's clock; less if the signal aborts. */
export function pause(zk: Client, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      zk.environment.clearTimer(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = zk.environment.setTimer(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted) done();
  });
}
