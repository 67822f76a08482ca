// Clients of a member that does not serve: nobody holds them, since another member may serve them.

import { expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/index.ts';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

test('the clients of a member that loses its role, and those that come to it then, are turned away at once', async () => {
  const world = await WorldEnsemble.start();
  const { leaderSid } = world;
  const served = world.client(leaderSid);
  served.must(create('/a'));
  world.isolate(leaderSid);
  const member = world.member(leaderSid);
  world.until(() => member.ensemble?.mode === undefined, 'the leader steps down');
  expect(served.isClosed).toBe(true);
  const { nowMs } = world.time;
  const late = world.dial(leaderSid).connect();
  world.time.run();
  expect(late.isClosed).toBe(true);
  expect(late.session).toBe(undefined);
  expect(world.time.nowMs).toBe(nowMs);
});

test('a leader that nobody can reach gives up within a second, not after initLimit', async () => {
  const reasons: string[] = [];
  const info = (message: string, fields: { reason?: string } = {}): void => {
    if (message === 'Leaving the role') reasons.push(fields.reason ?? '');
  };
  const logger: Logger = { ...silentLogger, info: info as Logger['info'] };
  const limits = { initLimitTicks: 60, connectLimitTicks: 60 };
  const world = await WorldEnsemble.start({ limits, loggerOf: () => logger }, [1, 2]);
  world.refusesLearners = true;
  const { leaderSid } = world;
  world.isolate(leaderSid);
  const leader = world.member(leaderSid);
  world.until(() => leader.ensemble?.mode === undefined, 'the leader steps down');
  world.heal();
  const { nowMs } = world.time;
  const isStranded = (reason: string) => reason.includes('vote for others or are out of reach');
  world.until(() => reasons.some(isStranded), 'somebody led, and gave up');
  expect(world.time.nowMs - nowMs).toBeLessThan(5000);
  world.refusesLearners = false;
  world.serve();
});
