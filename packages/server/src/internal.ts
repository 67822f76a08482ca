// What the simulator needs of a server beyond what its users do. No other package may import this.

import assert from 'node:assert/strict';
import type { ServerNode } from './server-node.ts';
import { RunningServer, type ZebuServer } from './start-server.ts';

export type { ServerNode } from './server-node.ts';
export { ServerState } from './snapshots/server-state.ts';

/** What runs behind the handle that startServer gave. */
export function nodeOf(server: ZebuServer): ServerNode {
  assert(server instanceof RunningServer, 'a handle of another make');
  return server.node;
}
