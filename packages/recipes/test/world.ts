// The server that the tests run against: an embedded one; with ZEBU_TEST_SERVER=host:port that one, whose words must be
// on its whitelist; with ZEBU_TEST_SERVER=ensemble three embedded members. Each test has a part of the tree of its own, and
// at its end nothing may be left of it: no watch, and no ephemeral znode.

import { type Client, type ConnectOptions, connect } from '@zebu/client';
import {
  allWatchCount,
  cutPoints,
  expireSession,
  type FaultKind,
  FaultProxy,
  watchCount,
} from '@zebu/fault-kit';
import { type Ensemble, startEnsemble, startServer, type ZebuServer } from '@zebu/server';
import { expect } from 'vitest';

/** A condition is waited for this long, on however busy a machine. */
export const PATIENCE = { timeout: 30_000, interval: 5 };

const given = process.env.ZEBU_TEST_SERVER ?? '';

/** Where the server is embedded, and so can be told what no client can. */
export const isEmbedded = given === '';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class World implements AsyncDisposable {
  /** The first server of them. */
  readonly address: Address;
  /** In front of the first server; connect() goes past it, connectThrough() through it. */
  readonly proxy: FaultProxy;
  /** The part of the tree that is this world's. */
  readonly root: string;
  /** A client that is never hurt. */
  readonly other: Client;
  private readonly addresses: readonly Address[];
  private readonly clients: Client[];
  private readonly own: AsyncDisposable | undefined;

  private constructor(
    addresses: readonly Address[],
    proxy: FaultProxy,
    root: string,
    other: Client,
    own: AsyncDisposable | undefined,
  ) {
    this.addresses = addresses;
    this.address = addresses[0] as Address;
    this.proxy = proxy;
    this.root = root;
    this.other = other;
    this.clients = [];
    this.own = own;
  }

  static async start(): Promise<World> {
    const own = await startOwn();
    const addresses = (own?.connectString ?? given).split(',').map(parseAddress);
    const proxy = await FaultProxy.start(addresses[0] as Address);
    const root = `/recipes-${Math.random().toString(36).slice(2)}`;
    const servers = addresses.map(({ host, port }) => `${host}:${port}`).join(',');
    await using maker = await connect({ servers, establishTimeoutMs: 60_000 });
    await maker.create(root);
    const other = await connect({ servers: servers + root, establishTimeoutMs: 60_000 });
    return new World(addresses, proxy, root, other, own?.server);
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const servers = `${this.address.host}:${this.address.port}${this.root}`;
    return this.connectTo(servers, options);
  }

  connectThrough(options: Partial<ConnectOptions> = {}): Promise<Client> {
    return this.connectTo(this.proxy.connectString + this.root, options);
  }

  expire(zk: Client): Promise<boolean> {
    return expireSession(this.address, zk.session);
  }

  /** Watches of data, of all servers. */
  watchCount(): Promise<number> {
    return this.sum(watchCount);
  }

  /** Watches of data and of children, of all servers. */
  allWatchCount(): Promise<number> {
    return this.sum(allWatchCount);
  }

  /** Paths of all ephemeral znodes below, whoever's they are. */
  async ephemerals(path = '/'): Promise<string[]> {
    const found: string[] = [];
    const { names } = await this.other.children(path).catch(() => ({ names: [] as string[] }));
    for (const name of names) {
      const child = path === '/' ? `/${name}` : `${path}/${name}`;
      const stat = await this.other.exists(child);
      if (stat !== undefined && stat.ephemeralOwner !== 0n) found.push(child);
      found.push(...(await this.ephemerals(child)));
    }
    return found;
  }

  /** While the clients still live: their end would hide what a recipe leaves. */
  async nothingLeft(message = ''): Promise<void> {
    await this.other.sync('/');
    await expect
      .poll(() => this.ephemerals(), { ...PATIENCE, message: `${message} znodes are left` })
      .toEqual([]);
    await expect
      .poll(() => this.allWatchCount(), { ...PATIENCE, message: `${message} watches are left` })
      .toBe(0);
  }

  async closeClients(): Promise<void> {
    await Promise.all(this.clients.splice(0).map((zk) => zk.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.heal();
    await this.closeClients();
    await this.other.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.own?.[Symbol.asyncDispose]();
  }

  private async sum(count: (server: Address) => Promise<number>): Promise<number> {
    const counts = await Promise.all(this.addresses.map((address) => count(address)));
    return counts.reduce((sum, one) => sum + one, 0);
  }

  private async connectTo(servers: string, options: Partial<ConnectOptions>): Promise<Client> {
    const zk = await connect({ servers, establishTimeoutMs: 60_000, ...options });
    this.clients.push(zk);
    return zk;
  }
}

export interface Scene {
  readonly world: World;
  /** The client that is hurt. */
  readonly zk: Client;
  /** A path that no other run has. */
  readonly path: string;
  /** Undefined in the first run, which is not hurt. */
  readonly fault: FaultKind | undefined;
}

export const FAULTS: readonly FaultKind[] = [
  'not-sent',
  'half-sent',
  'reply-lost',
  'reply-half',
  'expired',
];

/**
 * Runs a scenario without a fault, then with the fault at its first request, its second, and so on until it makes fewer
 * requests than that. After each run nothing may be left. Returns how many requests were hurt.
 */
export async function everyFault(
  world: World,
  kind: FaultKind,
  scenario: (scene: Scene) => Promise<void>,
): Promise<number> {
  const { proxy } = world;
  for (let at = 0; ; at++) {
    const point = at === 0 ? undefined : cutPoints(at, [kind]).at(-1);
    const name = point?.name ?? 'without a fault';
    const zk = await world.connectThrough();
    try {
      const hasHappened = point?.arm(proxy, () => world.expire(zk));
      const path = `/${kind}-${at}-${Math.random().toString(36).slice(2)}`;
      await scenario({ world, zk, path, fault: point?.kind });
      if (hasHappened?.() === false) return at - 1;
      await world.nothingLeft(name);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    } finally {
      proxy.heal();
      await world.closeClients();
    }
  }
}

async function startOwn(): Promise<
  { server: ZebuServer | Ensemble; connectString: string } | undefined
> {
  // Short ticks: sessions may be short, for the tests that have to see one end.
  const words = {
    fourLetterWhitelist: ['mntr', 'wchs', 'srvr'],
    extendedTypesEnabled: true,
    tickTimeMs: 500,
    maxSessionTimeoutMs: 60_000,
  };
  if (given === 'ensemble') {
    const server = await startEnsemble({ members: 3, ...words });
    return { server, connectString: server.connectString };
  }
  if (given !== '') return undefined;
  const server = await startServer({ port: 0, ...words });
  return { server, connectString: `127.0.0.1:${server.port}` };
}

function parseAddress(text: string): Address {
  const [host, port] = text.split(':');
  return { host: host as string, port: Number(port) };
}
