// A whole ensemble in one process: what everyone who tests against ZooKeeper writes by hand. The members are the
// production servers; between them is a network in memory, which can be cut, and their clients come by real ports.

import type { QuorumMember, Zxid } from '@zebu/protocol';
import { MemoryDisk } from '@zebu/storage';
import { memoryNetwork } from '@zebu/transport';
import { DEFAULT_ENSEMBLE, type EnsembleConfig } from './config/ensemble-config.ts';
import type { ServerConfigOverrides } from './config/server-config.ts';
import { SplitNetwork } from './ensemble/split-network.ts';
import type { Logger } from './logger.ts';
import { nodeEnvironment } from './node-environment.ts';
import { RunningServer, startServer } from './start-server.ts';

const QUORUM_PORT = 2888;
const ELECTION_PORT = 3888;
/** How long start waits for a member to be served by the ensemble. */
const READY_MS = 30_000;
const LOOK_MS = 5;

export interface StartEnsembleOptions
  extends Omit<ServerConfigOverrides, 'ensemble' | 'serverId' | 'clientPort' | 'dataDir'> {
  /** Members that vote: 3, 5 or 7 as a rule. Default 3. */
  readonly members?: number;
  /** Members that only observe; their ids come after those of the voters. Default 0. */
  readonly observers?: number;
  /** Each member keeps its data in a folder of this one, by its id. Default: in memory. */
  readonly dataDir?: string;
  /** initLimit, syncLimit and the like. */
  readonly limits?: Partial<Omit<EnsembleConfig, 'sid' | 'members'>>;
  /** The logger of one member. Default: silent. */
  readonly loggerOf?: (id: number) => Logger;
}

/** A running ensemble. Members have the ids 1 to n. */
export interface Ensemble {
  readonly ids: readonly number[];
  /** `127.0.0.1:40123,127.0.0.1:40124,...` of all members, running or not. */
  readonly connectString: string;
  /** The id of the member that leads and serves; undefined while there is none. */
  readonly leader: number | undefined;
  /** The connect string of one member. */
  connectStringOf(id: number): string;
  /** The last zxid that a member has applied. */
  lastZxidOf(id: number): Zxid;
  /** Stops a member in order. */
  stop(id: number): Promise<void>;
  /** Ends a member at once, as kill -9 does: what its disk has stays. */
  kill(id: number): Promise<void>;
  /** Starts a member that was stopped or killed, with the data and the port that it had; resolves once it serves. */
  start(id: number): Promise<void>;
  /** Cuts the network between the members of the first list and those of the second. Clients are not cut off. */
  partition(some: readonly number[], others: readonly number[]): void;
  /** Ends all partitions. */
  heal(): void;
  /** Resolves once there is a leader and every running member serves. Rejects after 30 s, saying who does not. */
  ready(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts an ensemble in this process and resolves once all its members serve. `tickTimeMs` is 200 by default, so that
 * a lost leader is noticed in a second. Rejects as startServer does.
 */
export async function startEnsemble(options: StartEnsembleOptions = {}): Promise<Ensemble> {
  const ensemble = new LocalEnsemble(options);
  try {
    await ensemble.startAll();
  } catch (error) {
    await ensemble.close();
    throw error;
  }
  return ensemble;
}

class LocalEnsemble implements Ensemble {
  readonly ids: readonly number[];
  private readonly options: StartEnsembleOptions;
  private readonly members: readonly QuorumMember[];
  private readonly network: SplitNetwork;
  private readonly disks: Map<number, MemoryDisk>;
  private readonly ports: Map<number, number>;
  private readonly servers: Map<number, RunningServer>;

  constructor(options: StartEnsembleOptions) {
    const { members: voters = 3, observers = 0 } = options;
    this.options = options;
    this.ids = Array.from({ length: voters + observers }, (_, index) => index + 1);
    this.members = this.ids.map((sid) => ({
      sid,
      addresses: [{ host: hostOf(sid), quorumPort: QUORUM_PORT, electionPort: ELECTION_PORT }],
      role: sid <= voters ? 'participant' : 'observer',
      clientAddress: undefined,
    }));
    this.network = new SplitNetwork(memoryNetwork({ schedule: setImmediate }));
    this.disks = new Map();
    this.ports = new Map();
    this.servers = new Map();
  }

  get connectString(): string {
    return this.ids.map((id) => this.connectStringOf(id)).join(',');
  }

  connectStringOf(id: number): string {
    return `127.0.0.1:${this.ports.get(id) ?? 0}`;
  }

  get leader(): number | undefined {
    for (const [id, server] of this.servers) {
      if (server.member.isServing && server.ensemble?.driver.core.role === 'leading') return id;
    }
    return undefined;
  }

  lastZxidOf(id: number): Zxid {
    return this.servers.get(id)?.lastZxid ?? 0;
  }

  async startAll(): Promise<void> {
    await Promise.all(this.ids.map((id) => this.launch(id)));
    await this.ready();
  }

  async start(id: number): Promise<void> {
    if (this.servers.has(id)) throw new Error(`Member ${id} runs already`);
    await this.launch(id);
    await this.until(
      () => this.serves(id),
      () => `member ${id}`,
    );
  }

  async stop(id: number): Promise<void> {
    await this.take(id).close('stopped');
  }

  async kill(id: number): Promise<void> {
    await this.take(id).kill();
  }

  partition(some: readonly number[], others: readonly number[]): void {
    for (const a of some) for (const b of others) this.network.cut(hostOf(a), hostOf(b));
  }

  heal(): void {
    this.network.heal();
  }

  ready(): Promise<void> {
    const missing = (): number[] => [...this.servers.keys()].filter((id) => !this.serves(id));
    return this.until(
      () => missing().length === 0 && this.leader !== undefined,
      () => (this.leader === undefined ? 'there is no leader' : `members ${missing()}`),
    );
  }

  async close(): Promise<void> {
    const running = [...this.servers.values()];
    this.servers.clear();
    await Promise.all(running.map((server) => server.close('closed')));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private serves(id: number): boolean {
    return this.servers.get(id)?.member.isServing === true;
  }

  private take(id: number): RunningServer {
    const server = this.servers.get(id);
    if (server === undefined) throw new Error(`Member ${id} does not run; members: ${this.ids}`);
    this.servers.delete(id);
    return server;
  }

  private async launch(id: number): Promise<void> {
    const { members: _m, observers: _o, dataDir, limits, loggerOf, ...overrides } = this.options;
    const real = nodeEnvironment(loggerOf?.(id));
    const environment = {
      ...real,
      disk: dataDir === undefined ? this.diskOf(id) : real.disk,
      peerNetwork: this.network.at(hostOf(id)),
    };
    const server = await startServer({
      tickTimeMs: 200,
      clientPortAddress: '127.0.0.1',
      ...overrides,
      clientPort: this.ports.get(id) ?? 0,
      serverId: id,
      dataDir: `${dataDir ?? '/ensemble'}/${id}`,
      ensemble: { ...DEFAULT_ENSEMBLE, ...limits, sid: id, members: this.members },
      environment,
    });
    if (!(server instanceof RunningServer)) throw new Error('A handle of another make');
    this.ports.set(id, server.port);
    this.servers.set(id, server);
  }

  private diskOf(id: number): MemoryDisk {
    let disk = this.disks.get(id);
    if (disk === undefined) {
      disk = new MemoryDisk({ schedule: setImmediate });
      this.disks.set(id, disk);
    }
    return disk;
  }

  private async until(holds: () => boolean, missing: () => string): Promise<void> {
    const deadlineMs = performance.now() + READY_MS;
    while (!holds()) {
      if (performance.now() > deadlineMs) {
        throw new Error(`Not served after ${READY_MS} ms: ${missing()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function hostOf(id: number): string {
  return `member-${id}`;
}
