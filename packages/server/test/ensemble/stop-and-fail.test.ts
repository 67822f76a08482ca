// A member that is asked to stop and fails meanwhile, or has failed: whoever waits for its end is told.

import { expect, test } from 'vitest';
import type { EnsembleMember } from '../../src/ensemble/ensemble-member.ts';
import { setData } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

function partOf(world: WorldEnsemble, sid: number): EnsembleMember {
  return world.member(sid).ensemble as EnsembleMember;
}

test.each(['leader', 'follower'])(
  'a %s that fails while it leaves its ensemble has left',
  async (role) => {
    const world = await WorldEnsemble.start();
    const sid = role === 'leader' ? world.leaderSid : world.followerSid;
    world.client(sid).send(setData('/', 'x'));
    let stopped = 0;
    partOf(world, sid).stop(() => {
      stopped++;
    });
    expect(stopped).toBe(0);
    world.member(sid).fail('txn log', new Error('EIO'));
    expect(stopped).toBe(1);
    world.time.advance(1000);
    expect(stopped).toBe(1);
  },
);

test('a member that has failed can be closed', async () => {
  const world = await WorldEnsemble.start();
  const { followerSid } = world;
  world.member(followerSid).fail('txn log', new Error('EIO'));
  await world.stop(followerSid);
});

test('a member whose disk never answers is given up when a stop has taken its time', async () => {
  const world = await WorldEnsemble.start({ shutdownTimeoutMs: 3000 });
  const { followerSid } = world;
  // biome-ignore lint/suspicious/noExplicitAny: the last batch never becomes durable.
  (partOf(world, followerSid).driver as any).batches.whenIdle = () => {};
  let error: Error | undefined;
  const closing = world.stop(followerSid).catch((reason: Error) => {
    error = reason;
  });
  while (error === undefined && world.time.nowMs < 60_000) {
    await new Promise((resolve) => setImmediate(resolve));
    world.time.advance(100);
  }
  await closing;
  expect(error?.message).toBe('The txn log was not closed within 3000 ms');
});
