// The word by which a holder is asked to give up what it holds, from outside.

import { type Client, type OpOptions, ZkError } from '@zebu/client';
import { REVOKE } from '../core/held.ts';

/**
 * Asks the holder of this znode (Held.path, Contender.path) to give up what it holds; Held.onRevoke hears it, and so
 * does Curator's makeRevocable. It is free not to. A missing znode is no error.
 */
export async function revoke(zk: Client, path: string, options?: OpOptions): Promise<void> {
  try {
    await zk.set(path, REVOKE, options);
  } catch (error) {
    if (!ZkError.is(error, 'NO_NODE')) throw error;
  }
}
