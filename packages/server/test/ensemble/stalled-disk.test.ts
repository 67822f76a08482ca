// A leader whose disk stands still for longer than it may: it leads no more, though its log cannot be closed yet.

import { expect, test } from 'vitest';
import { setData } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const limits = { initLimitTicks: 10, syncLimitTicks: 5 };

test('a leader whose disk stands still sends its clients away before its log is closed', async () => {
  const world = await WorldEnsemble.start({ limits });
  const leader = world.leaderSid;
  const client = world.client(leader);
  world.stallDisk(leader);
  client.send(setData('/', 'x'));
  world.until(() => client.isClosed, 'the client is sent away');
  expect(world.word(leader, 'srvr')).toContain('not currently serving');
  expect(world.member(leader).connections.size).toBe(0);

  const others = world.sids.filter((sid) => sid !== leader);
  const leads = (sid: number) => world.member(sid).ensemble?.mode === 'leader';
  world.until(() => others.some(leads), 'another member leads');
  world.resumeDisk(leader);
  world.serve();
  expect(world.member(leader).ensemble?.mode).toBe('follower');
});
