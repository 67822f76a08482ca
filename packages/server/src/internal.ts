// What the simulator and the conformance tests need of a server beyond what its users do. No other package may import
// this.

import assert from 'node:assert/strict';
import type { Member } from './member.ts';
import { RunningServer, type ZebuServer } from './start-server.ts';

export { DEFAULT_ENSEMBLE, type EnsembleConfig } from './config/ensemble-config.ts';
export { Database } from './database.ts';
export { ElectionLinks } from './ensemble/election-links.ts';
export type { FailureCode, ServerFailure } from './failure.ts';
export type { Member } from './member.ts';
export type { Serving } from './serving.ts';

/** What runs behind the handle that startServer gave. */
export function memberOf(server: ZebuServer): Member {
  assert(server instanceof RunningServer, 'a handle of another make');
  return server.member;
}
