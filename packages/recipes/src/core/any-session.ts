// Calls that mean the same in every session, such as all that touch no ephemeral znode.

import { type Client, ZkError } from '@zebu/client';
import { untilAnswered } from './persistence.ts';

/** As untilAnswered(), and in the next session if one ends meanwhile. The call may be made twice. */
export async function inAnySession<T>(
  zk: Client,
  call: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await untilAnswered(zk, call, signal);
    } catch (error) {
      throwUnlessExpired(zk, error);
    }
  }
}

/** An expired session is no failure while another follows. */
export function throwUnlessExpired(zk: Client, error: unknown): void {
  if (!isFollowed(zk, error)) throw error;
}

/** Whether it is the end of a session that another one follows. */
export function isFollowed(zk: Client, error: unknown): boolean {
  // The client says 'connecting' at once if there is to be a next one.
  return ZkError.is(error, 'SESSION_EXPIRED') && zk.state.status !== 'expired';
}
