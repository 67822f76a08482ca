// Ensembles of zebu and Apache ZooKeeper together, on real sockets and disks: each as leader, follower and observer
// of the other, members killed, and a whole ensemble moved over one server at a time and back while it is written to.

import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect } from '@zebu/client';
import { describe, expect } from 'vitest';
import type { ApacheVersion } from '../../src/apache.ts';
import { type MemberKind, MixedEnsemble } from '../../src/mixed-ensemble.ts';
import { interopTest } from '../support.ts';

const VERSIONS: readonly ApacheVersion[] = ['3.9.5', '3.8.6'];
const TEST_MS = 300_000;

for (const version of VERSIONS) {
  describe(`with Apache ${version}`, () => {
    interopTest('zebu follows and observes a leader of Apache', ['apache'], TEST_MS, async () => {
      await using ensemble = await MixedEnsemble.make({ voters: 3, observers: 1 });
      await ensemble.startAll({ 1: version, 2: version });
      await using client = await connect(ensemble.connectString([1]));
      await client.create('/before', 'we came');
      // Both come late: what is there reaches them by a sync.
      await ensemble.startAll({ 3: 'zebu', 4: 'zebu' });
      const leader = await ensemble.leader();
      expect(leader).toBeLessThan(3);
      expect([await ensemble.modeOf(3), await ensemble.modeOf(4)]).toEqual([
        'follower',
        'observer',
      ]);
      await everybodyWrites(ensemble, 'first');

      // The leader dies: a quorum is left only with the follower of ours.
      await ensemble.kill(leader);
      await ensemble.leader();
      await everybodyWrites(
        ensemble,
        'second',
        ensemble.sids.filter((sid) => sid !== leader),
      );
      await ensemble.start(leader, version);
      await everybodyWrites(ensemble, 'third');
      await areAlike(ensemble);
    });

    interopTest('zebu leads followers and an observer of Apache', ['apache'], TEST_MS, async () => {
      await using ensemble = await MixedEnsemble.make({ voters: 3, observers: 1 });
      // Of equal histories the highest sid leads.
      await ensemble.startAll({ 1: version, 3: 'zebu' });
      expect(await ensemble.leader()).toBe(3);
      await using client = await connect(ensemble.connectString([3]));
      await client.create('/before', 'they came');
      await ensemble.startAll({ 2: version, 4: version });
      expect([await ensemble.modeOf(2), await ensemble.modeOf(4)]).toEqual([
        'follower',
        'observer',
      ]);
      await everybodyWrites(ensemble, 'first');

      // A follower that was away for a while comes back.
      await ensemble.kill(1);
      await everybodyWrites(ensemble, 'second', [2, 3, 4]);
      await ensemble.start(1, version);
      await everybodyWrites(ensemble, 'third');
      await areAlike(ensemble);
    });
  });
}

interopTest(
  'an ensemble of Apache is moved over to zebu and back, one server at a time, while it is written to',
  ['apache'],
  2 * TEST_MS,
  async () => {
    await using ensemble = await MixedEnsemble.make({ voters: 3 });
    await ensemble.startAll({ 1: '3.9.5', 2: '3.9.5', 3: '3.9.5' });
    const load = await WriteLoad.begin(ensemble);
    const steps: [number, MemberKind][] = [
      [1, 'zebu'],
      [2, 'zebu'],
      [3, 'zebu'],
      [3, '3.9.5'],
      [2, '3.8.6'],
      [1, '3.9.5'],
    ];
    for (const [sid, kind] of steps) {
      const before = load.acknowledged.length;
      await ensemble.stop(sid);
      await ensemble.leader();
      await ensemble.start(sid, kind);
      await ensemble.settled();
      await load.until(before + 50);
    }
    await load.end();
    await load.check(ensemble);
    await areAlike(ensemble);
  },
);

interopTest(
  'leaders of a mixed ensemble of five are killed one after the other, and nothing acknowledged is lost',
  ['apache'],
  2 * TEST_MS,
  async () => {
    await using ensemble = await MixedEnsemble.make({ voters: 5 });
    const kinds: Record<number, MemberKind> = {
      1: '3.9.5',
      2: 'zebu',
      3: '3.8.6',
      4: 'zebu',
      5: 'zebu',
    };
    await ensemble.startAll(kinds);
    const load = await WriteLoad.begin(ensemble);
    for (let round = 0; round < 5; round++) {
      const before = load.acknowledged.length;
      const leader = await ensemble.leader();
      await ensemble.kill(leader);
      await ensemble.leader();
      await load.until(before + 50);
      await ensemble.start(leader, kinds[leader] as MemberKind);
      await ensemble.settled();
    }
    await load.end();
    await load.check(ensemble);
    await areAlike(ensemble);
  },
);

/** A write through each member, seen on each after a sync. */
async function everybodyWrites(
  ensemble: MixedEnsemble,
  name: string,
  sids: readonly number[] = ensemble.sids,
): Promise<void> {
  await ensemble.settled();
  const clients = await Promise.all(sids.map((sid) => connect(ensemble.connectString([sid]))));
  try {
    await Promise.all(
      clients.map((client, index) =>
        client.create(`/${name}-${sids[index]}`, name, { mode: 'ephemeral' }),
      ),
    );
    for (const client of clients) {
      await client.sync('/');
      for (const sid of sids) expect(await client.exists(`/${name}-${sid}`)).toBeDefined();
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** All members hold as many znodes, and none has met a digest that was not its own. */
async function areAlike(ensemble: MixedEnsemble): Promise<void> {
  const counts = async (): Promise<number[]> =>
    Promise.all(ensemble.sids.map((sid) => ensemble.figure(sid, 'znode_count')));
  let seen = await counts();
  for (let tries = 0; new Set(seen).size > 1 && tries < 200; tries++) {
    await delay(50);
    seen = await counts();
  }
  expect(new Set(seen).size, `znodes: ${seen}`).toBe(1);
  const mismatches = await Promise.all(
    ensemble.sids.map((sid) => ensemble.figure(sid, 'digest_mismatches_count')),
  );
  expect(mismatches).toEqual(ensemble.sids.map(() => 0));
}

/** A client that creates one znode after the other, and knows which it was told of. */
class WriteLoad {
  readonly acknowledged: string[];
  private readonly client: Client;
  private isEnding: boolean;
  private readonly ended: Promise<void>;

  private constructor(client: Client) {
    this.acknowledged = [];
    this.client = client;
    this.isEnding = false;
    this.ended = this.run();
  }

  static async begin(ensemble: MixedEnsemble): Promise<WriteLoad> {
    const client = await connect({ servers: ensemble.connectString(), sessionTimeoutMs: 20_000 });
    await client.create('/load', '');
    return new WriteLoad(client);
  }

  async until(count: number): Promise<void> {
    for (let waitedMs = 0; this.acknowledged.length < count; waitedMs += 20) {
      if (waitedMs > 60_000) throw new Error(`${this.acknowledged.length} of ${count} writes`);
      await delay(20);
    }
  }

  async end(): Promise<void> {
    this.isEnding = true;
    await this.ended;
  }

  /** Everything that was acknowledged is on every member. */
  async check(ensemble: MixedEnsemble): Promise<void> {
    await ensemble.settled();
    for (const sid of ensemble.sids) {
      await using client = await connect(ensemble.connectString([sid]));
      await client.sync('/');
      const { names } = await client.children('/load');
      const there = new Set(names);
      const lost = this.acknowledged.filter((name) => !there.has(name));
      expect(lost, `lost on member ${sid}`).toEqual([]);
    }
    await this.client.close();
  }

  private async run(): Promise<void> {
    for (let number = 0; !this.isEnding; number++) {
      const name = `n${number}`;
      try {
        await this.client.create(`/load/${name}`, name);
        this.acknowledged.push(name);
      } catch {
        // Not acknowledged: it may be there or not.
        await delay(20);
      }
    }
  }
}
