// A member that stops in order tells its clients that it has carried out nothing but what it has answered, and a leader tells
// its learners, whose clients hear it from them.

import { ErrorCode, Xid } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { create, exists, setData } from '../support/asks.ts';
import type { RawClient } from '../support/raw-client.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const WRITES = 20;

function answersOf({ frames }: RawClient): { answered: number; goodbyes: number; last: unknown } {
  const isGoodbye = ({ xid, error }: { xid: number; error: number }) =>
    xid === Xid.ping && error === ErrorCode.CONNECTIONLOSS;
  const last = frames.at(-1);
  return {
    answered: frames.filter(({ xid, error }) => xid > 0 && error === 0).length,
    goodbyes: frames.filter(isGoodbye).length,
    last: last !== undefined && isGoodbye(last) ? 'goodbye' : last?.xid,
  };
}

test.each(['the leader', 'a follower'])(
  'the clients of %s that stops have their answers first, and then its goodbye',
  async (which) => {
    const world = await WorldEnsemble.start();
    const sid = which === 'the leader' ? world.leaderSid : world.followerSid;
    const client = world.client(sid);
    client.send(create('/n'));
    for (let n = 0; n < WRITES; n++) client.send(setData('/n', `${n}`));
    world.time.run();
    await world.stop(sid);
    const { answered, goodbyes, last } = answersOf(client);
    expect([answered, goodbyes, last]).toEqual([WRITES + 1, 1, 'goodbye']);
    expect(client.isClosed).toBe(true);
  },
);

test('a leader that stops carries out what it has taken of its learners, and takes nothing more', async () => {
  const world = await WorldEnsemble.start();
  const leader = world.leaderSid;
  const others = world.sids.filter((sid) => sid !== leader);
  const client = world.client(world.followerSid);
  client.send(create('/n'));
  world.settle();
  for (const sid of others) world.stallDisk(sid);
  client.send(setData('/n', 'taken'));
  world.settle();
  const stopping = world.stop(leader);
  // Nothing is committed before a disk goes on, so that the leader cannot end its role yet; it has begun to stop.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  client.send(setData('/n', 'not taken'));
  world.settle();
  for (const sid of others) world.resumeDisk(sid);
  await stopping;
  world.until(() => client.isClosed, 'the client is sent away');
  expect(answersOf(client)).toEqual({ answered: 2, goodbyes: 1, last: 'goodbye' });
  world.serve();
  const reader = world.client(world.leaderSid);
  reader.send(exists('/n'));
  world.settle();
  // long czxid, mzxid, ctime, mtime; int version
  expect(reader.frames[0]?.body.readInt32BE(32)).toBe(1);
});
