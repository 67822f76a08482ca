// A client comes back to its session: what is done before anybody has confirmed it, and by whom it is confirmed.

import { type ConnectRequest, PacketType, type PeerMessage, sessionPassword } from '@zebu/protocol';
import { expect, test } from 'vitest';
import {
  ForwardedWrites,
  type ForwardedWritesOptions,
} from '../../src/ensemble/forwarded-writes.ts';
import type { Requestor } from '../../src/txns/write-path.ts';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

test('a learner reads nothing more of the former connection once its client has come by a new one', () => {
  const steps: string[] = [];
  const sessionId = 0x1234n;
  const former = { sessionMoved: () => steps.push('the former connection is closed') };
  const session = { id: sessionId, owner: former };
  const writes = new ForwardedWrites({
    serving: { sessions: { get: (id: bigint) => (id === sessionId ? session : undefined) } },
    send: ({ type }: PeerMessage) => steps.push(`the leader is sent ${type}`),
  } as unknown as ForwardedWritesOptions);
  const decided = () => steps.push('it is told no');
  const client = { isClosed: false, sessionDecided: decided } as unknown as Requestor;
  const reattach = (password: Buffer) =>
    writes.reattach(client, { sessionId, password } as unknown as ConnectRequest, 4000);
  reattach(Buffer.alloc(16, 1));
  expect(steps.splice(0)).toEqual(['it is told no']);
  // What the former one sent must not come to the leader after the question: the client may be elsewhere by then.
  reattach(sessionPassword(sessionId));
  expect(steps).toEqual([
    'the former connection is closed',
    `the leader is sent ${PacketType.REVALIDATE}`,
  ]);
});

test('a leader that is cut off confirms no session, and closes its client when it steps down', async () => {
  const world = await WorldEnsemble.start({ voters: 3 });
  const { leaderSid } = world;
  const { sessionId = 0n, password = null } = world.client(world.followerSid).session ?? {};
  world.isolate(leaderSid);
  const moved = world.client(leaderSid, { sessionId, password });
  expect(moved.session).toBe(undefined);
  expect(world.leads(leaderSid)).toBe(true);
  world.until(() => !world.leads(leaderSid), 'the leader steps down');
  world.settle();
  expect([moved.session, moved.isClosed]).toEqual([undefined, true]);
});

test('a leader that a quorum follows confirms a session at once, its own or that of a learner', async () => {
  const world = await WorldEnsemble.start({ voters: 3, tickTimeMs: 60_000 });
  const { leaderSid, followerSid } = world;
  let { sessionId = 0n, password = null } = world.client(followerSid).session ?? {};
  for (const sid of [leaderSid, followerSid, leaderSid]) {
    const moved = world.client(sid, { sessionId, password });
    ({ sessionId = 0n, password = null } = moved.session ?? {});
    expect(sessionId).not.toBe(0n);
    moved.must(create(`/by-${sid}-${world.time.monotonicMs()}`));
  }
});

test('a session that ends while a quorum is asked is not confirmed', async () => {
  const world = await WorldEnsemble.start({ voters: 3 });
  const { leaderSid } = world;
  const { sessionId = 0n, password = null } = world.client(leaderSid).session ?? {};
  world.isolate(leaderSid);
  const moved = world.client(leaderSid, { sessionId, password });
  const session = world.member(leaderSid).serving?.sessions.get(BigInt.asUintN(64, sessionId));
  if (session !== undefined) world.member(leaderSid).serving?.sessions.markClosing(session);
  world.heal();
  world.until(() => moved.session !== undefined || moved.isClosed, 'the client has an answer');
  expect(moved.session?.sessionId ?? 0n).toBe(0n);
});
