// A member that is to stop, and whose leader no longer says that anything is committed.

import type { Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import { setData } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

test('a stop waits for what was not answered as long as it may, and no longer', async () => {
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
    shutdownTimeoutMs: 3000,
    peerNetworkOf: deafNetwork,
  });
  const member = world.member(world.followerSid);
  const client = world.client(world.followerSid);
  isDeaf = true;
  client.send(setData('/', 'x'));
  world.settle();
  expect(member.outstanding).toBe(1);
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
