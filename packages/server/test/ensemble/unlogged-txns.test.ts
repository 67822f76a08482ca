// Txns that a leader prepared and that never reached its log, because it lost its quorum in the same turn.

import { expect, test } from 'vitest';
import type { EnsembleMember } from '../../src/ensemble/ensemble-member.ts';
import { setData } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

test('a leader that is elected again knows nothing of a write that it prepared and dropped', async () => {
  const world = await WorldEnsemble.start();
  const { leaderSid } = world;
  const { serving } = world.member(leaderSid);
  const client = world.client(leaderSid);
  // biome-ignore lint/suspicious/noExplicitAny: a write comes in the turn of each tick, before the core's tick.
  const { driver } = world.member(leaderSid).ensemble as EnsembleMember as any;
  const tick = driver.core.tick.bind(driver.core);
  driver.core.tick = () => {
    if (driver.core.role === 'leading') {
      driver.isScheduled = true;
      client.send(setData('/', 'dropped'));
      world.time.run();
      driver.isScheduled = false;
    }
    tick();
  };
  let dropped = 0;
  const drop = serving?.sequence.drop.bind(serving.sequence);
  Object.assign(serving?.sequence ?? {}, {
    drop: () => {
      dropped += (serving?.sequence.appendedZxid ?? 0) - (serving?.sequence.durableZxid ?? 0);
      drop?.();
    },
  });

  // Nobody else is elected meanwhile.
  for (const sid of world.sids) world.isolate(sid);
  world.until(() => !world.isLeader(leaderSid), 'the leader has no quorum');
  driver.core.tick = tick;
  world.until(() => dropped > 0, 'the role has ended');
  expect(dropped).toBe(1);

  // Its log is the longest: it leads again, with the same tree.
  world.heal();
  world.until(() => world.leads(leaderSid), 'it leads again');
  world.serve();
  world.client(leaderSid).must(setData('/', 'written'));
});
