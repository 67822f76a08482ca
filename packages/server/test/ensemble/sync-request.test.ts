// What a learner's client asks of the leader is answered in the turns that it takes, whatever else the leader sends.

import { expect, test } from 'vitest';
import { create, sync } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

// The leader's next PING, which would take an answer along that was left lying, is this far away.
const TICK_MS = 60_000;

test('a sync through a follower or an observer does not wait for the next ping of the leader', async () => {
  const world = await WorldEnsemble.start({ voters: 3, observers: 1, tickTimeMs: TICK_MS });
  for (const sid of [world.followerSid, 4]) {
    const client = world.client(sid);
    client.must(create(`/by-${sid}`));
    expect(client.errorOf(sync(`/by-${sid}`))).toBe('OK');
  }
});

test('a session moves to another member without waiting for the next ping of the leader', async () => {
  const world = await WorldEnsemble.start({ voters: 3, observers: 1, tickTimeMs: TICK_MS });
  const first = world.client(world.followerSid);
  const { sessionId = 0n, password = null } = first.session ?? {};
  const moved = world.client(4, { sessionId, password });
  expect(moved.session?.sessionId).toBe(sessionId);
});
