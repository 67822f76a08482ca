// Somebody says on the quorum port that it is a follower, and is none.

import { ByteWriter, PacketType, PEER_PROTOCOL_VERSION, writePeerMessage } from '@zebu/protocol';
import type { Network } from '@zebu/transport';
import { expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/index.ts';
import { create } from '../support/asks.ts';
import { WorldEnsemble } from '../support/world-ensemble.ts';

const QUORUM_PORT = 2888;
const WARNING = 'A link says that it is a server whose own link answers; it is closed';

/** An ensemble whose leader sees connections come from `address`. */
class Scene {
  address = '10.0.0.1';
  /** What this member sends by links that it dialled is lost. */
  silentSid = -1;
  readonly lines: string[] = [];
  world: WorldEnsemble = undefined as unknown as WorldEnsemble;
  private readonly networks = new Map<number, Network>();

  static async start(): Promise<Scene> {
    const scene = new Scene();
    const note = (message: string): void => void scene.lines.push(message);
    const logger: Logger = { ...silentLogger, info: note, warn: note };
    scene.world = await WorldEnsemble.start({
      loggerOf: () => logger,
      peerNetworkOf: (sid, network) => {
        scene.networks.set(sid, network);
        return {
          dial: (options, handler) => {
            const connection = network.dial(options, handler);
            const write = connection.write.bind(connection);
            connection.write = (bytes, start, end) =>
              scene.silentSid === sid ? true : write(bytes, start, end);
            return connection;
          },
          listen: (options, accept) =>
            network.listen(options, (connection) => {
              Object.assign(connection, { remoteAddress: scene.address });
              return accept(connection);
            }),
        };
      },
    });
    // Followers that answer have answered a PING.
    scene.world.time.advance(1000);
    return scene;
  }

  /** Dials the leader and says that it is this member; whether it was closed again. */
  says(sid: number): { isClosed: boolean } {
    const { leaderSid } = this.world;
    const link = { isClosed: false };
    const writer = new ByteWriter(256);
    writePeerMessage(writer, {
      type: PacketType.FOLLOWERINFO,
      acceptedEpoch: 1,
      info: { sid, protocolVersion: PEER_PROTOCOL_VERSION, configVersion: 0 },
    });
    const network = this.networks.get(leaderSid === 1 ? 2 : 1) as Network;
    const connection = network.dial(
      { host: `member-${leaderSid}`, port: QUORUM_PORT, connectTimeoutMs: 1000 },
      {
        connected: () => connection.write(writer.bytes, 0, writer.offset),
        data: () => {},
        drained: () => {},
        closed: () => {
          link.isClosed = true;
        },
      },
    );
    this.world.settle();
    return link;
  }
}

test('from another host, while the follower answers: it is closed, and the follower stays', async () => {
  const scene = await Scene.start();
  const { world } = scene;
  const { followerSid } = world;
  const client = world.client(followerSid);
  scene.address = '10.9.9.9';
  expect(scene.says(followerSid).isClosed).toBe(true);
  expect(scene.lines.filter((line) => line === WARNING)).toHaveLength(1);
  expect(scene.lines).not.toContain('The link to the leader ended');
  client.must(create('/a'));
  expect(world.member(followerSid).isServing).toBe(true);
});

test('a follower that comes back from another host is taken up once its old link is silent', async () => {
  const scene = await Scene.start();
  const { world } = scene;
  const { followerSid, leaderSid } = world;
  // It goes without a word: the leader does not notice.
  scene.silentSid = followerSid;
  scene.address = '10.9.9.9';
  world.time.advance(600);
  expect(world.leaderSid).toBe(leaderSid);
  expect(scene.says(followerSid).isClosed).toBe(false);
  expect(scene.lines).not.toContain(WARNING);
});

test('from the same host a link replaces the older one, as after a crash of the follower', async () => {
  const scene = await Scene.start();
  scene.says(scene.world.followerSid);
  expect(scene.lines).toContain('The link to the leader ended');
  // This one had not crashed, and replaces the other in turn.
  scene.world.serve();
  expect(scene.lines).not.toContain(WARNING);
});
