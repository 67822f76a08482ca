// The four-letter words of the members of an ensemble. The lines are those that a running ensemble of Apache 3.9.5
// prints, with its names and their order.

import { makeZxid } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { create, setData, sync } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const FOUR = { voters: 3, observers: 1 };

/** The figures of `mntr`, without `zk_`. */
function figures(world: WorldEnsemble, sid: number): Map<string, number> {
  const lines = world.word(sid, 'mntr').split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', value] = line.split('\t');
      return [name.slice('zk_'.length), Number(value)];
    }),
  );
}

describe('the members of an ensemble that serves', () => {
  test('srvr and stat of the leader end with the sizes of its proposals, those of the others do not', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const { leaderSid, followerSid } = world;
    expect(world.word(leaderSid, 'srvr')).toMatch(
      /\nMode: leader\nNode count: \d+\nProposal sizes last\/min\/max: -1\/-1\/-1\n$/,
    );
    const client = world.client(followerSid);
    client.must(create('/a', { data: 'x'.repeat(1000) }), create('/b'));
    const sizes = /Proposal sizes last\/min\/max: (\d+)\/(\d+)\/(\d+)\n$/;
    for (const word of ['srvr', 'stat']) {
      const [, last, min, max] = (sizes.exec(world.word(leaderSid, word)) ?? []).map(Number);
      // The session, a txn with 1,000 bytes of data and one with none.
      expect(max).toBeGreaterThan(1000);
      expect(max).toBeLessThan(1200);
      expect(last).toBeLessThan(200);
      expect(min).toBeLessThan(last as number);
    }
    for (const sid of [followerSid, 4]) {
      expect(world.word(sid, 'srvr')).toMatch(/\nMode: (follower|observer)\nNode count: \d+\n$/);
    }
    world.word(leaderSid, 'srst');
    expect(world.word(leaderSid, 'srvr')).toContain('last/min/max: -1/-1/-1\n');
  });

  test('the zxid of srvr and stat is that of the epoch on a new leader, and of the last txn on the others', async () => {
    const world = await WorldEnsemble.start(FOUR);
    world.client(world.leaderSid).must(create('/a'));
    world.isolate(world.leaderSid);
    const first = world.leaderSid;
    world.until(() => !world.isLeader(first), 'the leader steps down');
    world.until(() => world.sids.some((sid) => world.leads(sid)), 'there is another leader');
    world.heal();
    world.serve();
    const zxidOf = (sid: number, word: string) => /^Zxid: (.*)$/m.exec(world.word(sid, word))?.[1];
    const { leaderSid } = world;
    for (const word of ['srvr', 'stat']) {
      for (const sid of world.sids) {
        expect(zxidOf(sid, word)).toBe(sid === leaderSid ? '0x200000000' : '0x100000002');
      }
    }
    world.client(leaderSid);
    for (const sid of world.sids) expect(zxidOf(sid, 'srvr')).toBe('0x200000001');
  });

  test('a client that saw the zxid of an epoch on its leader is served by the others', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const epochZxid = makeZxid(1, 0);
    for (const sid of world.sids) {
      const client = world.client(sid, { lastZxidSeen: BigInt(epochZxid) });
      expect(client.isClosed).toBe(false);
      expect(client.session).toBeDefined();
      const ahead = world.client(sid, { lastZxidSeen: BigInt(makeZxid(2, 0)) });
      expect(ahead.isClosed).toBe(true);
    }
  });

  test('the sizes of proposals are those of one leadership', async () => {
    const world = await WorldEnsemble.start();
    const first = world.leaderSid;
    world.client(first).must(create('/a'));
    world.isolate(first);
    world.until(() => world.member(first).ensemble?.mode === undefined, 'the leader steps down');
    world.heal();
    world.serve();
    const { leaderSid } = world;
    world.isolate(leaderSid);
    world.until(() => world.member(first).ensemble?.mode === 'leader', 'it leads again');
    expect(world.word(first, 'srvr')).toContain('last/min/max: -1/-1/-1\n');
  });

  test('dump of a learner lists all sessions by id with their timeouts; that of the leader when they expire', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const clients = world.sids.map((sid) => world.client(sid, { timeoutMs: 5000 + sid }));
    const ids = clients.map(({ session }) => session?.sessionId.toString(16));
    const { leaderSid, followerSid } = world;
    const lines = ids.map((id, index) => `0x${id}\t${5001 + index}ms\n`).join('');
    for (const sid of [followerSid, 4]) {
      const answer = world.word(sid, 'dump');
      expect(answer).toContain(
        `SessionTracker dump:\nGlobal Sessions(4):\n${lines}ephemeral nodes`,
      );
      // Its own client and the one that asks.
      expect(answer).toMatch(/Connections Sets \(\d\)\/\(2\):\n/);
      expect(answer).toContain(`sessionId: 0x${ids[sid - 1]}\n`);
    }
    const answer = world.word(leaderSid, 'dump');
    expect(answer).toMatch(/^SessionTracker dump:\nSession Sets \(\d\)\/\(4\):\n/);
    for (const id of ids) expect(answer).toContain(`\t0x${id}\n`);
    expect(answer).toMatch(/Connections Sets \(\d\)\/\(2\):\n/);
  });

  test('a connection of a learner expires later in its dump when its client was heard of', async () => {
    const world = await WorldEnsemble.start();
    const { followerSid } = world;
    const client = world.client(followerSid);
    const expiry = () => /\d expire at (.*):\n\tip: \S+ sessionId: 0x\w{9,}/.exec(dump())?.[1];
    const dump = () => world.word(followerSid, 'dump').split('Connections dump:')[1] ?? '';
    const before = Date.parse(expiry() ?? '');
    world.time.advance(3000);
    client.must(create('/a'));
    expect(Date.parse(expiry() ?? '')).toBeGreaterThanOrEqual(before + 3000);
  });

  test('conf has the lines of a quorum member', async () => {
    const world = await WorldEnsemble.start({
      ...FOUR,
      limits: { initLimitTicks: 7, syncLimitTicks: 3 },
    });
    const lines = (peerType: number) =>
      `initLimit=7\nsyncLimit=3\nelectionAlg=3\nelectionPort=3888\nquorumPort=2888\npeerType=${peerType}\nmembership: \n` +
      'server.1=member-1:2888:3888:participant\nserver.2=member-2:2888:3888:participant\n' +
      'server.3=member-3:2888:3888:participant\nserver.4=member-4:2888:3888:observer\nversion=0';
    expect(world.word(1, 'conf').split('\nserverId=')[1]).toBe(`1\n${lines(0)}`);
    expect(world.word(4, 'conf').split('\nserverId=')[1]).toBe(`4\n${lines(1)}`);
  });

  test('mntr begins with the state of the peer, and of an observer with its leader', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const head = (sid: number) => world.word(sid, 'mntr').split('\n').slice(1, 4);
    const { leaderSid, followerSid } = world;
    expect(head(leaderSid).slice(0, 2)).toEqual([
      'zk_server_state\tleader',
      'zk_peer_state\tleading - broadcast',
    ]);
    expect(head(followerSid).slice(0, 2)).toEqual([
      'zk_server_state\tfollower',
      'zk_peer_state\tfollowing - broadcast',
    ]);
    expect(head(4)).toEqual([
      'zk_server_state\tobserver',
      'zk_peer_state\tobserving - broadcast',
      `zk_observer_master_id\t${leaderSid}`,
    ]);
  });

  test('mntr of the leader alone counts learners', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const { leaderSid, followerSid } = world;
    const figure = (sid: number, name: string) =>
      new RegExp(`^zk_${name}\\t(.*)$`, 'm').exec(world.word(sid, 'mntr'))?.[1];
    const counts = (sid: number) =>
      ['quorum_size', 'learners', 'synced_followers', 'synced_observers'].map((name) =>
        figure(sid, name),
      );
    expect(counts(leaderSid)).toEqual(['3', '3', '2', '1']);
    expect(counts(followerSid)).toEqual(['3', undefined, undefined, undefined]);
    await world.stop(followerSid);
    world.until(() => figure(leaderSid, 'learners') === '2', 'the follower is missed');
    expect(counts(leaderSid)).toEqual(['3', '2', '1', '1']);
    expect(Number(figure(leaderSid, 'leader_uptime'))).toBeGreaterThan(0);
  });

  test('mntr counts each txn once, on whichever member it is counted', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const { leaderSid, followerSid } = world;
    const client = world.client(followerSid);
    for (const sid of world.sids) world.word(sid, 'srst');
    const before = world.sids.map((sid) => figures(world, sid).get('peer_link_txns') ?? 0);
    for (let i = 0; i < 5; i++) client.must(create(`/one-${i}`));
    client.send(...Array.from({ length: 20 }, (_, i) => create(`/many-${i}`)));
    world.settle();
    const names = [
      'proposal_count',
      'learner_proposal_received_count',
      'learner_commit_received_count',
      'cnt_proposal_latency',
      'cnt_commit_propagation_latency',
      'cnt_quorum_ack_latency',
      'commit_count',
      'sync_processor_request_queued',
    ];
    const counts = (sid: number) => names.map((name) => figures(world, sid).get(name));
    expect(counts(leaderSid)).toEqual([25, 0, 0, 0, 0, 25, 25, 25]);
    expect(counts(followerSid)).toEqual([0, 25, 25, 25, 25, 0, 25, 25]);
    expect(counts(4)).toEqual([0, 0, 25, 0, 25, 0, 25, 25]);
    world.sids.forEach((sid, index) => {
      expect(figures(world, sid).get('peer_link_txns')).toBe((before[index] ?? 0) + 25);
    });
    // The txns that were sent together share writes: proposals and commits to two followers, informs to an observer.
    expect(figures(world, leaderSid).get(`cnt_${followerSid}_ack_latency`)).toBeGreaterThan(5);
    expect(figures(world, leaderSid).get('cnt_4_ack_latency')).toBeUndefined();
  });

  test('mntr counts latencies from the preparation of a txn on the leader', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const { leaderSid, followerSid } = world;
    const client = world.client(leaderSid);
    for (const sid of world.sids) world.word(sid, 'srst');
    // Every look at the clock takes a while, so that each step of the txn does.
    world.time.lookCostMs = 7;
    client.must(create('/a'));
    const [leader, follower] = [figures(world, leaderSid), figures(world, followerSid)];
    const [acked, proposed, committed, applied] = [
      leader.get('sum_quorum_ack_latency') ?? 0,
      follower.get('sum_proposal_latency') ?? 0,
      follower.get('sum_commit_propagation_latency') ?? 0,
      follower.get('sum_propagation_latency') ?? 0,
    ];
    expect(proposed).toBeGreaterThan(0);
    expect(acked).toBeGreaterThan(proposed);
    expect(committed).toBeGreaterThan(acked);
    expect(applied).toBeGreaterThanOrEqual(committed);
  });

  test('link writes of mntr do not sink when a link ends, and grow by less than one a txn sent together', async () => {
    const world = await WorldEnsemble.start(FOUR);
    const { leaderSid, followerSid } = world;
    const client = world.client(leaderSid);
    const writes = (sid: number) => figures(world, sid).get('peer_link_writes') ?? 0;
    const before = writes(leaderSid);
    client.send(...Array.from({ length: 100 }, (_, i) => create(`/n-${i}`)));
    world.settle();
    const together = writes(leaderSid);
    expect(together).toBeGreaterThanOrEqual(before + 3);
    expect(together).toBeLessThan(before + 100);
    for (let i = 0; i < 30; i++) client.must(create(`/alone-${i}`));
    const after = writes(leaderSid);
    // A proposal and a commit to two followers, an inform to the observer.
    expect(after).toBeGreaterThanOrEqual(together + 30 * 5);
    await world.stop(followerSid);
    expect(figures(world, leaderSid).get('learners')).toBe(2);
    expect(writes(leaderSid)).toBeGreaterThanOrEqual(after);
  });

  test('isro says rw on each', async () => {
    const world = await WorldEnsemble.start(FOUR);
    expect(world.sids.map((sid) => world.word(sid, 'isro'))).toEqual(['rw', 'rw', 'rw', 'rw']);
  });
});

test('a member that looks for a leader says that it does not serve', async () => {
  const world = await WorldEnsemble.start();
  world.client(world.followerSid).must(create('/a'), setData('/a', 'x'), sync('/a'));
  const { leaderSid } = world;
  world.isolate(leaderSid);
  world.until(() => world.member(leaderSid).ensemble?.mode === undefined, 'the leader steps down');
  for (const word of ['conf', 'dump', 'mntr', 'srst', 'srvr', 'stat']) {
    expect(world.word(leaderSid, word)).toBe(
      'This ZooKeeper instance is not currently serving requests\n',
    );
  }
  expect(world.word(leaderSid, 'isro')).toBe('null');
});
