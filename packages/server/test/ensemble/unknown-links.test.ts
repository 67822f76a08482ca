// Links to the quorum port that never say whose they are: each holds a descriptor of the member.

import type { DialHandler, Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const QUORUM_PORT = 2888;
const MOST = 64;

test('no more of them than 64 stay on a leader, and its learners and clients do', async () => {
  const networks = new Map<number, Network>();
  const hosts = new Set<string>();
  const world = await WorldEnsemble.start({
    peerNetworkOf: (sid, network) => {
      networks.set(sid, network);
      return {
        listen: (options, accept) => network.listen(options, accept),
        dial: (options, handler) => {
          if (options.port === QUORUM_PORT) hosts.add(options.host);
          return network.dial(options, handler);
        },
      };
    },
  });
  const { leaderSid, followerSid } = world;
  const [host] = hosts;
  const stranger = networks.get(followerSid) as Network;
  let open = 0;
  const silent: DialHandler = {
    connected: () => {
      open++;
    },
    data: () => {},
    drained: () => {},
    closed: () => {
      open--;
    },
  };
  for (let i = 0; i < MOST + 40; i++) {
    stranger.dial({ host: host as string, port: QUORUM_PORT, connectTimeoutMs: 1000 }, silent);
  }
  world.settle();
  expect(hosts.size).toBe(1);
  expect(open).toBe(MOST);
  world.client(followerSid).must(create('/written'));
  expect(world.leaderSid).toBe(leaderSid);
});
