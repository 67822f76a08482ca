// A member that is to stop, and whose leader no longer says that anything is committed.

import type { Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import type { Member } from '../../src/internal.ts';
import { setData } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

/** A follower with a request of a client that its leader does not answer. */
async function unanswered(
  shutdownTimeoutMs: number,
): Promise<{ world: WorldEnsemble; member: Member }> {
  let isDeaf = false;
  const deafNetwork = (_sid: number, network: Network): Network => ({
    ...network,
    dial: (options, handler) =>
      network.dial(options, {
        connected: () => handler.connected(),
        data: (bytes, start, end) => {
          if (!isDeaf) handler.data(bytes, start, end);
        },
        drained: () => handler.drained(),
        closed: (reason) => handler.closed(reason),
      }),
  });
  const world = await WorldEnsemble.start({
    tickTimeMs: 60_000,
    shutdownTimeoutMs,
    peerNetworkOf: deafNetwork,
  });
  const member = world.member(world.followerSid);
  const client = world.client(world.followerSid);
  isDeaf = true;
  client.send(setData('/', 'x'));
  world.settle();
  expect(member.outstanding).toBe(1);
  return { world, member };
}

test('a stop waits for what was not answered as long as it may, and no longer', async () => {
  const { world, member } = await unanswered(3000);
  let isOver = false;
  const over = member.dismissClients().then(() => {
    isOver = true;
  });
  world.time.advance(2900);
  await Promise.resolve();
  expect([isOver, member.connections.size]).toEqual([false, 1]);
  world.time.advance(200);
  await over;
  expect(member.connections.size).toBe(0);
});

test('a stop does not wait for answers of a member that fails meanwhile', async () => {
  const { world, member } = await unanswered(1_000_000);
  const over = member.dismissClients();
  const { nowMs } = world.time;
  member.fail('txn log', new Error('EIO'));
  await over;
  expect(world.time.nowMs).toBe(nowMs);
});
