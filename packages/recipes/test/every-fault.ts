// Runs a scenario again and again, each time with one fault at another of its requests, until it has been hurt at all of
// them. After each run nothing may be left: no watch, and no znode but those that the scenario says stay.

import { type Client, connect } from '@zebu/client';
import { cutPoints, expireSession, type FaultKind, FaultProxy, watchCount } from '@zebu/fault-kit';
import { startServer, type ZebuServer } from '@zebu/server';
import { expect } from 'vitest';

export const KINDS: readonly FaultKind[] = [
  'not-sent',
  'half-sent',
  'reply-lost',
  'reply-half',
  'expired',
];

export interface Scene {
  /** The client that is hurt. */
  readonly zk: Client;
  /** One that is not. */
  readonly other: Client;
  /** A path that no other run has. */
  readonly path: string;
  readonly fault: FaultKind | undefined;
}

export class FaultWorld implements AsyncDisposable {
  readonly server: ZebuServer;
  readonly proxy: FaultProxy;
  readonly other: Client;
  private runs: number;

  private constructor(server: ZebuServer, proxy: FaultProxy, other: Client) {
    this.server = server;
    this.proxy = proxy;
    this.other = other;
    this.runs = 0;
  }

  static async start(): Promise<FaultWorld> {
    const server = await startServer({
      port: 0,
      fourLetterWhitelist: ['wchs'],
      extendedTypesEnabled: true,
    });
    const proxy = await FaultProxy.start(server);
    return new FaultWorld(server, proxy, await connect(`127.0.0.1:${server.port}`));
  }

  connect(): Promise<Client> {
    return connect({ servers: this.proxy.connectString, sessionTimeoutMs: 30_000 });
  }

  /** Returns how many requests were hurt. */
  async everyFault(
    kind: FaultKind,
    scenario: (scene: Scene) => Promise<void>,
    stays: readonly string[] = [],
  ): Promise<number> {
    await this.run(undefined, scenario, stays);
    for (let at = 1; ; at++) {
      const [point] = cutPoints(at, [kind]).slice(-1);
      const hasHappened = await this.run(point, scenario, stays);
      if (!hasHappened) return at - 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.other.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.server.close();
  }

  private async run(
    point: ReturnType<typeof cutPoints>[number] | undefined,
    scenario: (scene: Scene) => Promise<void>,
    stays: readonly string[],
  ): Promise<boolean> {
    const { proxy, server, other } = this;
    const path = `/run-${this.runs++}`;
    await other.create(path);
    const zk = await this.connect();
    const name = point?.name ?? 'without a fault';
    try {
      const hasHappened = point?.arm(proxy, () => expireSession(server, zk.session));
      await scenario({ zk, other, path, fault: point?.kind });
      await nothingLeft(server, other, path, stays, name);
      return hasHappened?.() ?? false;
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    } finally {
      proxy.heal();
      await zk.close();
      await other.delete(path, { recursive: true });
    }
  }
}

/** Waits until there is no watch on the server, and below `path` only what stays. */
export async function nothingLeft(
  server: ZebuServer,
  other: Client,
  path: string,
  stays: readonly string[] = [],
  name = '',
): Promise<void> {
  const wait = { timeout: 30_000, interval: 5 };
  await expect
    .poll(() => below(other, path), { ...wait, message: `${name}: znodes left` })
    .toEqual([...stays].sort());
  await expect
    .poll(() => watchCount(server), { ...wait, message: `${name}: watches left` })
    .toBe(0);
}

/** Relative paths of all znodes below, sorted. */
async function below(zk: Client, path: string, prefix = ''): Promise<string[]> {
  const { names } = await zk.children(path);
  const found: string[] = [];
  for (const name of names) {
    found.push(prefix + name, ...(await below(zk, `${path}/${name}`, `${prefix}${name}/`)));
  }
  return found.sort();
}
