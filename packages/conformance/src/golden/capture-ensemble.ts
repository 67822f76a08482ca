// Captures what Apache's servers say to one another, for the codec tests of @zebu/protocol:
//
//   node src/golden/capture-ensemble.ts [3.9.5] [3.8.6]      writes packages/protocol/test/golden/peers-*.json
//
// Elections, discovery, synchronization by DIFF, TRUNC and SNAP, broadcast to followers and to an observer, pings with
// sessions, sessions that move, sync, reconfig: every connection between two members, both ways, as it was. The bytes
// are not interpreted here. Needs Linux and `node setup.mjs apache`; takes about two minutes a version.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApacheVersion } from '../apache.ts';
import { ApacheEnsemble, type Recording } from '../apache-ensemble.ts';
import { digestId, SUPER_USER } from '../differential/profile.ts';
import {
  auth,
  bare,
  create,
  type Draft,
  hexOf,
  multi,
  pathOnly,
  reconfig,
  setData,
} from '../differential/requests.ts';
import { OP } from '../differential/wire.ts';
import { repositoryRoot } from '../tools.ts';
import { connectPayload, GoldenClient } from './client.ts';

const target = join(repositoryRoot, 'packages', 'protocol', 'test', 'golden');
const CONFIG = {
  tickTime: '1000',
  reconfigEnabled: 'true',
  standaloneEnabled: 'false',
  extendedTypesEnabled: 'true',
};

async function main(): Promise<void> {
  const given = process.argv.slice(2) as ApacheVersion[];
  mkdirSync(target, { recursive: true });
  for (const version of given.length > 0 ? given : (['3.9.5', '3.8.6'] as const)) {
    const recordings = [...(await capture(version)), ...(await captureManyAddresses(version))];
    const text = JSON.stringify(
      {
        server: `Apache ZooKeeper ${version}`,
        by: 'packages/conformance/src/golden/capture-ensemble.ts',
        connections: recordings
          .filter(({ initiator }) => initiator.length > 0)
          .map(({ initiator, acceptor, ...about }) => ({
            ...about,
            initiator: Buffer.concat(initiator).toString('hex'),
            acceptor: Buffer.concat(acceptor).toString('hex'),
          })),
      },
      null,
      1,
    );
    writeFileSync(join(target, `peers-${version}.json`), `${text}\n`);
    console.log(`peers-${version}.json: ${text.length} characters`);
  }
}

async function capture(version: ApacheVersion): Promise<Recording[]> {
  await using ensemble = await ApacheEnsemble.make({
    version,
    voters: [1, 2, 3],
    observers: [4],
    config: CONFIG,
    systemProperties: {
      'zookeeper.DigestAuthenticationProvider.superDigest': digestId(SUPER_USER),
    },
  });
  await ensemble.startAll();
  await serve(ensemble);
  await followerBehind(ensemble);
  await followerAhead(ensemble);
  await snapshots(ensemble);
  await changeOfConfig(ensemble);
  return ensemble.recordings;
}

/** The first message of servers that have several addresses. */
async function captureManyAddresses(version: ApacheVersion): Promise<Recording[]> {
  await using ensemble = await ApacheEnsemble.make({
    version,
    voters: [1, 2],
    config: { ...CONFIG, 'multiAddress.enabled': 'true' },
  });
  ensemble.phase = 'many addresses';
  await ensemble.startAll();
  return ensemble.recordings;
}

/** A client of one member, and what it asks. */
class Client {
  readonly golden: GoldenClient;
  private constructor(golden: GoldenClient) {
    this.golden = golden;
  }

  static async of(
    ensemble: ApacheEnsemble,
    sid: number,
    session: { sessionId?: bigint; password?: Buffer } = {},
  ): Promise<Client> {
    const golden = new GoldenClient(ensemble.clientPort(sid));
    await golden.open(connectPayload({ timeoutMs: 20_000, ...session }));
    return new Client(golden);
  }

  async ask(draft: Draft, xid?: number): Promise<void> {
    await this.golden.ask('', draft, {}, xid);
  }

  /** Ends the session. */
  async end(): Promise<void> {
    await this.ask(bare(OP.closeSession));
    this.golden.close();
  }
}

async function otherThan(ensemble: ApacheEnsemble, mode: string, sid: number): Promise<number> {
  for (const one of ensemble.running.keys()) {
    if (one !== sid && (await ensemble.modeOf(one)) === mode) return one;
  }
  throw new Error(`No ${mode} other than ${sid}`);
}

async function serve(ensemble: ApacheEnsemble): Promise<void> {
  ensemble.phase = 'serve';
  const leader = await ensemble.leader();
  const follower = await otherThan(ensemble, 'follower', leader);
  const second = await otherThan(ensemble, 'follower', follower);
  const clients = [
    await Client.of(ensemble, leader),
    await Client.of(ensemble, follower),
    await Client.of(ensemble, 4),
  ];
  for (const [i, client] of clients.entries()) {
    await client.ask(auth('digest', 'alice:one'), -4);
    await client.ask(create(OP.create, `/n${i}`, { data: hexOf('data') }));
    await client.ask(create(OP.create2, `/n${i}/e-`, { data: null, flags: 3 }));
    await client.ask(create(OP.createContainer, `/c${i}`, { data: '', flags: 4 }));
    await client.ask(create(OP.createTTL, `/t${i}`, { data: '', flags: 5, ttl: '600000' }));
    await client.ask(setData(`/n${i}`, hexOf('more')));
    await client.ask(setData(`/n${i}`, hexOf('refused'), 99));
    await client.ask(pathOnly(OP.sync, '/'));
    await client.ask(
      multi(OP.multi, [
        { draft: create(OP.create, `/m${i}`, { data: '' }) },
        { draft: setData(`/m${i}`, hexOf('x')) },
      ]),
    );
  }
  // More than one segment.
  await clients[2]?.ask(setData('/n2', 'ab'.repeat(3000)));
  // Pings that carry the sessions.
  await delay(2500);
  const [, moving] = clients as [Client, Client, Client];
  const { sessionId, password } = moving.golden;
  const moved = await Client.of(ensemble, second, { sessionId, password });
  await moved.ask(setData('/n1', hexOf('moved')));
  await moved.end();
  // The leader knows it no more.
  (await Client.of(ensemble, second, { sessionId, password })).golden.close();
  for (const client of clients) client.golden.close();
}

async function followerBehind(ensemble: ApacheEnsemble): Promise<void> {
  ensemble.phase = 'follower behind';
  const leader = await ensemble.leader();
  const follower = await otherThan(ensemble, 'follower', leader);
  await ensemble.stop(follower);
  await ensemble.stop(4);
  const client = await Client.of(ensemble, leader);
  for (let i = 0; i < 5; i++) await client.ask(create(OP.create, `/behind${i}`, { data: '' }));
  await ensemble.start(follower);
  await ensemble.start(4);
  await client.end();
}

async function followerAhead(ensemble: ApacheEnsemble): Promise<void> {
  ensemble.phase = 'follower ahead';
  const leader = await ensemble.leader();
  const client = await Client.of(ensemble, leader);
  await client.ask(create(OP.create, '/common', { data: '' }));
  const followers = ensemble.sids.filter((sid) => sid !== leader);
  const stopped = Promise.all(followers.map((sid) => ensemble.stop(sid, 'SIGKILL')));
  // Proposed and logged by the leader alone.
  for (let i = 0; i < 3; i++) void client.ask(create(OP.create, `/alone${i}`, { data: '' }));
  await stopped;
  await delay(300);
  await ensemble.stop(leader, 'SIGKILL');
  client.golden.close();
  await Promise.all(followers.map((sid) => ensemble.start(sid)));
  await ensemble.start(leader);
}

async function snapshots(ensemble: ApacheEnsemble): Promise<void> {
  ensemble.phase = 'snapshots';
  for (const sid of ensemble.sids) await ensemble.stop(sid);
  for (const sid of [1, 4]) {
    rmSync(join(ensemble.dataDir(sid), 'version-2'), { recursive: true, force: true });
  }
  await ensemble.startAll({ 'zookeeper.forceSnapshotSync': 'true' });
  const client = await Client.of(ensemble, 1);
  await client.ask(setData('/common', hexOf('after')));
  await client.end();
}

async function changeOfConfig(ensemble: ApacheEnsemble): Promise<void> {
  ensemble.phase = 'reconfig';
  const client = await Client.of(ensemble, await ensemble.leader());
  await client.ask(auth('digest', SUPER_USER), -4);
  const follower = await otherThan(ensemble, 'follower', await ensemble.leader());
  await client.ask(reconfig(null, String(follower), null));
  await delay(1000);
  await client.ask(reconfig(`server.${follower}=${ensemble.serverLine(follower)}`, null, null));
  await delay(2000);
}

await main();
