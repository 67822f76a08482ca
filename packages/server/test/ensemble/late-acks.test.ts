// What a member still does for a leader, or for a session, that is gone by then.

import { PacketType } from '@zebu/protocol';
import type { Network } from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import { create, getData, setData } from '../support/asks.ts';
import type { RawClient } from '../support/raw-client.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

test('ZOOKEEPER-4409: a follower whose link ends while its disk works has nobody to ack to, and goes on', async () => {
  /** The follower's link ends with the proposal that it reads next. */
  let endsWithProposal = false;
  let ended = 0;
  const network = (network: Network): Network => ({
    ...network,
    dial: (options, handler) => {
      const connection = network.dial(options, {
        connected: () => handler.connected(),
        data: (bytes, start, end) => {
          handler.data(bytes, start, end);
          if (!endsWithProposal || bytes.readInt32BE(start) !== PacketType.PROPOSAL) return;
          endsWithProposal = false;
          ended++;
          connection.destroy();
          handler.closed(new Error('ECONNRESET'));
        },
        drained: () => handler.drained(),
        closed: (reason) => handler.closed(reason),
      });
      return connection;
    },
  });
  const world = await WorldEnsemble.start({ peerNetworkOf: (_sid, peers) => network(peers) });
  const { leaderSid } = world;
  const client = world.client(leaderSid);
  endsWithProposal = true;
  client.must(create('/a'));
  expect(ended).toBe(1);
  for (const sid of world.sids) expect(world.member(sid).failure).toBe(undefined);
  world.serve();
  client.must(create('/b'));
  for (const sid of world.sids) {
    expect(world.member(sid).serving?.tree.lastProcessedZxid).toBe(
      world.member(leaderSid).serving?.tree.lastProcessedZxid,
    );
  }
});

test('ZOOKEEPER-2684: a request of a session that moved is not answered by one of the same xid from before', async () => {
  const world = await WorldEnsemble.start();
  const [first, second] = world.sids.filter((sid) => sid !== world.leaderSid) as [number, number];
  const before = world.client(first);
  before.must(create('/a'), create('/b'));
  const { sessionId = 0n, password = null } = before.session ?? {};
  const after = world.client(second, { sessionId, password });
  expect(after.session?.sessionId).toBe(sessionId);
  // Both have this xid; the leader reads the one of the old connection first, and refuses it.
  before.sendWithXid(7, setData('/a', 'old'));
  after.sendWithXid(7, setData('/b', 'new'));
  world.settle();
  expect(before.frames.filter(({ xid }) => xid === 7)).toEqual([]);
  expect(after.frames).toEqual([]);
  // Nobody is told anything, since nobody knows whose outcome it was.
  expect([before.isClosed, after.isClosed]).toEqual([true, true]);
  // The request itself is carried out, and what follows it is answered.
  const again = world.client(second, { sessionId, password });
  again.must(setData('/b', 'newer'));
  const tree = world.member(second).serving?.tree;
  expect(tree?.lastProcessedZxid).toBe(world.member(first).serving?.tree.lastProcessedZxid);
});

describe('a request that a client sent before it moved, and that comes when its next connection is gone', () => {
  /** A client at a follower, that has gone on to another member, written there, and left that too. */
  async function movedAndGone(to: (world: WorldEnsemble) => number) {
    const world = await WorldEnsemble.start();
    const { followerSid } = world;
    const before = world.client(followerSid);
    before.must(create('/a'));
    const { sessionId = 0n, password = null } = before.session ?? {};
    const next = to(world);
    const after = world.client(next, { sessionId, password });
    after.must(setData('/a', 'new'));
    after.transport.destroy();
    world.settle();
    return { world, before, next };
  }

  function expectRefused(world: WorldEnsemble, before: RawClient): void {
    before.sendWithXid(7, setData('/a', 'old'));
    world.settle();
    expect(before.isClosed).toBe(true);
    expect(before.frames.filter(({ xid }) => xid === 7)).toEqual([]);
    const reader = world.client(world.leaderSid);
    expect(reader.call(getData('/a')).body.toString('latin1', 4, 7)).toBe('new');
  }

  test('is refused by a leader that the client was at', async () => {
    const { world, before } = await movedAndGone(({ leaderSid }) => leaderSid);
    expectRefused(world, before);
  });

  test('is refused when the client was at a learner that is gone, too', async () => {
    const { world, before, next } = await movedAndGone(
      ({ sids, leaderSid, followerSid }) =>
        sids.find((sid) => sid !== leaderSid && sid !== followerSid) as number,
    );
    world.isolate(next);
    world.until(() => !world.member(next).serving, 'the learner is gone');
    expectRefused(world, before);
  });
});
