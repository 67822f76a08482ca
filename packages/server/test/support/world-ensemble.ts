// An ensemble as it runs in production, but for its surroundings: time, network and disks are in the hands of the
// test, and everything happens in one loop.

import { MemoryDisk } from '@zebu/storage';
import { memoryNetwork, type Network } from '@zebu/transport';
import { DEFAULT_ENSEMBLE, type EnsembleConfig } from '../../src/config/ensemble-config.ts';
import type { ServerConfigOverrides } from '../../src/config/server-config.ts';
import { SplitNetwork } from '../../src/ensemble/split-network.ts';
import { type Logger, silentLogger, startServer, type ZebuServer } from '../../src/index.ts';
import { type Member, memberOf } from '../../src/internal.ts';
import { ManualTime } from './manual-time.ts';
import { type ConnectOptions, RawClient } from './raw-client.ts';

const CLIENT_PORT = 2181;
const QUORUM_PORT = 2888;
const READY_MS = 60_000;
const STEP_MS = 10;

export interface WorldEnsembleOptions extends ServerConfigOverrides {
  /** Members that vote; sids from 1. Default 3. */
  readonly voters?: number;
  /** Members that observe, with the sids after those. Default 0. */
  readonly observers?: number;
  /** Members that take themselves for voters and are in no list but their own, with the sids after those. Default 0. */
  readonly strangers?: number;
  readonly limits?: Partial<EnsembleConfig>;
  /** Puts something between a member and the others. */
  readonly peerNetworkOf?: (sid: number, network: Network) => Network;
  /** The logger of one member. Default: silent. */
  readonly loggerOf?: (sid: number) => Logger;
}

export class WorldEnsemble {
  readonly time = new ManualTime();
  readonly sids: readonly number[];
  readonly members = new Map<number, Member>();
  /** No quorum port is reached. */
  refusesLearners = false;
  private readonly servers = new Map<number, ZebuServer>();
  private readonly options: WorldEnsembleOptions;
  private readonly peers: SplitNetwork;
  private readonly networks = new Map<number, Network>();
  private readonly disks = new Map<number, MemoryDisk>();
  /** What the disks that stand still have not done, by member. */
  private readonly stalled = new Map<number, (() => void)[]>();
  private readonly schedule = (task: () => void): void => this.time.afterTurn(task);

  private constructor(options: WorldEnsembleOptions) {
    const { voters = 3, observers = 0, strangers = 0 } = options;
    this.options = options;
    const count = voters + observers + strangers;
    this.sids = Array.from({ length: count }, (_, index) => index + 1);
    this.peers = new SplitNetwork(memoryNetwork({ schedule: this.schedule }));
  }

  /** Starts those members, or all, and lets time pass until they serve. */
  static async start(
    options: WorldEnsembleOptions = {},
    sids?: readonly number[],
  ): Promise<WorldEnsemble> {
    const world = new WorldEnsemble(options);
    for (const sid of sids ?? world.sids) await world.launch(sid);
    world.serve();
    return world;
  }

  /** Starts a member; it may serve or not. */
  async launch(sid: number): Promise<Member> {
    const {
      voters = 3,
      observers = 0,
      strangers: _s,
      limits,
      peerNetworkOf,
      loggerOf,
      ...overrides
    } = this.options;
    const isListed = (one: number) => one <= voters + observers || one === sid;
    const network = memoryNetwork({ schedule: this.schedule });
    const disk = this.disks.get(sid) ?? new MemoryDisk({ schedule: this.diskScheduleOf(sid) });
    const peers = this.peersOf(sid);
    this.networks.set(sid, network);
    this.disks.set(sid, disk);
    const starting = startServer({
      tickTimeMs: 500,
      fourLetterWhitelist: ['conf', 'dump', 'isro', 'mntr', 'srvr', 'srst', 'stat'],
      ...overrides,
      dataDir: '/data',
      clientPort: CLIENT_PORT,
      serverId: sid,
      ensemble: {
        ...DEFAULT_ENSEMBLE,
        ...limits,
        sid,
        members: this.sids.filter(isListed).map((one) => ({
          sid: one,
          addresses: [{ host: hostOf(one), quorumPort: QUORUM_PORT, electionPort: 3888 }],
          role: one <= voters || one > voters + observers ? 'participant' : 'observer',
          clientAddress: undefined,
        })),
      },
      environment: {
        clock: this.time,
        scheduler: this.time,
        network,
        peerNetwork: peerNetworkOf?.(sid, peers) ?? peers,
        disk,
        logger: loggerOf?.(sid) ?? silentLogger,
        random: () => 0.5,
      },
    });
    const server = await this.turnsUntil(starting);
    const member = memberOf(server);
    this.servers.set(sid, server);
    this.members.set(sid, member);
    return member;
  }

  /** Lets time pass until every running member serves. */
  serve(): void {
    this.until(
      () => [...this.members.values()].every(({ isServing }) => isServing),
      'every member serves',
    );
  }

  until(holds: () => boolean, what: string): void {
    for (let waitedMs = 0; !holds(); waitedMs += STEP_MS) {
      if (waitedMs > READY_MS) throw new Error(`Not after ${READY_MS} ms: ${what}`);
      this.time.advance(STEP_MS);
    }
  }

  member(sid: number): Member {
    const member = this.members.get(sid);
    if (member === undefined) throw new Error(`Member ${sid} does not run`);
    return member;
  }

  isLeader(sid: number): boolean {
    return this.members.get(sid)?.ensemble?.mode === 'leader';
  }

  /** It is elected, and serves. */
  leads(sid: number): boolean {
    return this.isLeader(sid) && this.member(sid).isServing;
  }

  get leaderSid(): number {
    for (const [sid, member] of this.members) if (member.ensemble?.mode === 'leader') return sid;
    throw new Error('Nobody leads');
  }

  /** A member that votes and does not lead. */
  get followerSid(): number {
    for (const [sid, member] of this.members) if (member.ensemble?.mode === 'follower') return sid;
    throw new Error('Nobody follows');
  }

  /** Ends a member in order. */
  async stop(sid: number): Promise<void> {
    const server = this.servers.get(sid);
    if (server === undefined) throw new Error(`Member ${sid} does not run`);
    this.members.delete(sid);
    this.servers.delete(sid);
    await this.turnsUntil(server.close());
  }

  /** Cuts a member off from the others. */
  isolate(sid: number): void {
    for (const other of this.sids) if (other !== sid) this.peers.cut(hostOf(sid), hostOf(other));
    this.time.run();
  }

  heal(): void {
    this.peers.heal();
  }

  /** The member's disk finishes nothing any more. */
  stallDisk(sid: number): void {
    this.stalled.set(sid, []);
  }

  resumeDisk(sid: number): void {
    const tasks = this.stalled.get(sid) ?? [];
    this.stalled.delete(sid);
    for (const task of tasks) this.schedule(task);
  }

  dial(sid: number): RawClient {
    const network = this.networks.get(sid);
    if (network === undefined) throw new Error(`Member ${sid} does not run`);
    const client = new RawClient(network, CLIENT_PORT, () => this.settle());
    this.time.run();
    return client;
  }

  /** A client of a member, with a session. */
  client(sid: number, options: ConnectOptions = {}): RawClient {
    const client = this.dial(sid).connect(options);
    this.settle();
    return client;
  }

  /** The answer to a four-letter word. */
  word(sid: number, word: string): string {
    const asking = this.dial(sid).askWord(word);
    this.time.run();
    return asking.text ?? '';
  }

  /** Enough time for a write to go to the leader, to a quorum and back. */
  settle(): void {
    this.time.advance(5 * STEP_MS);
  }

  private diskScheduleOf(sid: number): (task: () => void) => void {
    return (task) => {
      const tasks = this.stalled.get(sid);
      if (tasks === undefined) this.schedule(task);
      else tasks.push(task);
    };
  }

  private peersOf(sid: number): Network {
    const network = this.peers.at(hostOf(sid));
    return {
      ...network,
      dial: (options, handler) => {
        const isRefused = this.refusesLearners && options.port === QUORUM_PORT;
        return network.dial(isRefused ? { ...options, host: 'nowhere' } : options, handler);
      },
    };
  }

  private async turnsUntil<T>(outcome: Promise<T>): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    outcome.then(done, done);
    while (!isDone) {
      this.time.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return outcome;
  }
}

function hostOf(sid: number): string {
  return `member-${sid}`;
}
