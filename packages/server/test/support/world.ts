// One server as it runs in production, but for its surroundings: time, network, disk and log are in
// the hands of the test.

import { MemoryDisk, openDataDirectory } from '@zebu/storage';
import { FanOutAtOnce, memoryNetwork, type Network } from '@zebu/transport';
import { defaultServerConfig, type ServerConfigOverrides } from '../../src/config/server-config.ts';
import { Database } from '../../src/database.ts';
import { Member } from '../../src/member.ts';
import { DecidingRole } from '../../src/roles/deciding-role.ts';
import type { Serving } from '../../src/serving.ts';
import type { TxnLog } from '../../src/txns/txn-log.ts';
import { HeldLog } from './held-log.ts';
import { ManualTime } from './manual-time.ts';
import { type ConnectOptions, RawClient } from './raw-client.ts';

const PORT = 2181;

export interface WorldOptions extends ServerConfigOverrides {
  /** What a restart found on disk; default: nothing. */
  readonly state?: Database;
  /** Bytes that a connection takes before its other end reads them. */
  readonly windowBytes?: number;
  /** The network has a fan-out; default: events go out connection by connection. */
  readonly fanOut?: boolean;
  /** What the server sees of clients; default: they come from this host, without a certificate. */
  readonly seenOfClients?: { readonly remoteAddress?: string; readonly peerCertificate?: Buffer };
  /** With one the server takes snapshots, in /data. */
  readonly disk?: (time: ManualTime) => MemoryDisk;
  readonly random?: () => number;
}

type Parts = Pick<
  World,
  'time' | 'network' | 'disk' | 'member' | 'serving' | 'log' | 'logged' | 'fatal' | 'refuseOne'
>;

export class World {
  readonly time: ManualTime;
  readonly network: Network;
  readonly disk: MemoryDisk;
  readonly member: Member;
  readonly serving: Serving;
  readonly log: HeldLog;
  /** Level and message of every line that the server logged. */
  readonly logged: string[];
  readonly fatal: Error[];
  /** The network sends a client away for want of a file descriptor. */
  readonly refuseOne: () => void;

  private constructor(parts: Parts) {
    this.time = parts.time;
    this.network = parts.network;
    this.disk = parts.disk;
    this.member = parts.member;
    this.serving = parts.serving;
    this.log = parts.log;
    this.logged = parts.logged;
    this.fatal = parts.fatal;
    this.refuseOne = parts.refuseOne;
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const {
      state,
      windowBytes,
      fanOut,
      seenOfClients,
      disk: makeDisk,
      random = () => 0.5,
      ...overrides
    } = options;
    const config = defaultServerConfig({ tickTimeMs: 2000, clientPort: PORT, ...overrides });
    const time = new ManualTime();
    const plain = memoryNetwork({
      schedule: (task) => time.afterTurn(task),
      ...(windowBytes === undefined ? {} : { windowBytes }),
    });
    let refuseOne = (): void => {};
    const network: Network = {
      ...plain,
      ...(fanOut === true ? { fanOut: (bytes: Buffer) => new FanOutAtOnce(bytes) } : {}),
      listen: (listening, accept) => {
        refuseOne = listening.onRefused ?? refuseOne;
        return plain.listen(listening, (connection) => {
          for (const [name, value] of Object.entries(seenOfClients ?? {})) {
            Object.defineProperty(connection, name, { value });
          }
          return accept(connection);
        });
      },
    };
    const disk = makeDisk?.(time) ?? new MemoryDisk({ schedule: (task) => time.afterTurn(task) });
    const logged: string[] = [];
    const fatal: Error[] = [];
    let log: TxnLog | undefined;
    const member = new Member({
      environment: {
        clock: time,
        scheduler: time,
        network,
        disk,
        logger: loggerTo(logged),
        random,
      },
      config,
      directory:
        makeDisk === undefined
          ? undefined
          : openDataDirectory({ disk, dataDir: '/data', dataLogDir: undefined, autocreate: true }),
      openLog: (lastZxid, onDurable, onFailure) => {
        log = new HeldLog(time, lastZxid, onDurable, onFailure);
        return log;
      },
      onFatal: (error) => fatal.push(error),
    });
    const database = state ?? new Database(config, 1);
    const serving = member.beginServing(database, new DecidingRole(member));
    await member.listen({ port: PORT });
    member.start();
    member.startServing();
    time.run();
    return new World({
      time,
      network,
      disk,
      member,
      serving,
      log: log as HeldLog,
      logged,
      fatal,
      refuseOne,
    });
  }

  /** Takes turns until nothing is left to do. */
  run(): void {
    this.time.run();
  }

  advance(ms: number): void {
    this.time.advance(ms);
  }

  /** A connection that has said nothing yet. */
  dial(): RawClient {
    const client = new RawClient(this.network, PORT, () => this.time.run());
    this.time.run();
    return client;
  }

  /** A client with a session. */
  client(options: ConnectOptions = {}): RawClient {
    const client = this.dial().connect(options);
    this.time.run();
    return client;
  }

  /** A client that holds the session of another. */
  reattach(other: RawClient, options: ConnectOptions = {}): RawClient {
    const { sessionId, password } = other.session ?? {};
    return this.client({ sessionId: sessionId ?? 0n, password: password ?? null, ...options });
  }
}

function loggerTo(logged: string[]) {
  const at = (level: string) => (message: string) => {
    logged.push(`${level} ${message}`);
  };
  return {
    debugEnabled: false,
    debug() {},
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
