// A leader whose process stood still blames nobody for it.

import { expect, test } from 'vitest';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const TICK_MS = 500;
const SESSION_MS = 2000;

test('a leader that stood still gives every session its whole timeout again, whoever has left it', async () => {
  const world = await WorldEnsemble.start({ voters: 3, tickTimeMs: TICK_MS });
  const leader = world.member(world.leaderSid);
  const client = world.client(world.followerSid, { timeoutMs: SESSION_MS });
  const { sessionId = 0n } = client.session ?? {};
  // The members that served it, and might have told, are gone when the leader goes on.
  await world.stop(world.followerSid);
  await world.stop(world.followerSid);
  world.time.standStill(2 * SESSION_MS);
  world.time.run();
  const session = leader.serving?.sessions.get(BigInt.asUintN(64, sessionId));
  expect(leader.ensemble?.mode).toBe('leader');
  expect(session?.closing).toBe(false);
  // It finds out that no quorum follows it, and has closed nothing until then.
  world.until(() => leader.ensemble?.mode === undefined, 'the leader steps down');
  expect(session?.closing).toBe(false);
});
