// Writes under what is held: a multi whose first operations check the znodes that stand for it.

import {
  type Client,
  MultiError,
  type Op,
  type OpOptions,
  type Results,
  ZkError,
} from '@zebu/client';

/**
 * Carries out `ops` if all of `held` are there. Calls `lost` with the reason, and throws what that returns, if one is
 * not, or the session is over. A MultiError of the operations themselves counts them as given.
 */
export async function guardedMulti<const T extends readonly Op[]>(
  zk: Client,
  held: readonly { readonly path: string; readonly version?: number }[],
  ops: T,
  options: OpOptions | undefined,
  lost: (cause: ZkError, outcome: ZkError['outcome']) => ZkError,
): Promise<Results<T>> {
  const checks = held.map((znode) => ({ op: 'check', ...znode }) as const);
  try {
    const results: readonly unknown[] = await zk.multi([...checks, ...ops], options);
    return results.slice(checks.length) as unknown as Results<T>;
  } catch (error) {
    if (ZkError.is(error, 'SESSION_EXPIRED')) throw lost(error, error.outcome);
    if (!(error instanceof MultiError)) throw error;
    const cause = error.opErrors[error.index] ?? error;
    if (error.index < checks.length) throw lost(cause, 'failed');
    // The checks in front are ours, not the caller's.
    const { outcome, op, zxid } = error;
    const opErrors = error.opErrors.slice(checks.length);
    throw new MultiError(error.index - checks.length, opErrors, { outcome, op, zxid });
  }
}
