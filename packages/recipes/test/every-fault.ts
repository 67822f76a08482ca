// As everyFault() of world.ts, for recipes that leave znodes which are not ephemeral: after each run there may be none below
// the run's path, but those that the scenario says stay.

import { type Client, ZkError } from '@zebu/client';
import { cutPoints, type FaultKind, type FaultProxy } from '@zebu/fault-kit';
import { expect } from 'vitest';
import { type Address, FAULTS, PATIENCE, World } from './world.ts';

export const KINDS = FAULTS;

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
  readonly world: World;
  private runs: number;

  private constructor(world: World) {
    this.world = world;
    this.runs = 0;
  }

  static async start(): Promise<FaultWorld> {
    return new FaultWorld(await World.start());
  }

  get server(): Address {
    return this.world.address;
  }

  get proxy(): FaultProxy {
    return this.world.proxy;
  }

  get other(): Client {
    return this.world.other;
  }

  /** What a connect string ends with: every client here sees only this part of the tree. */
  get root(): string {
    return this.world.root;
  }

  /** Through the proxy. */
  connect(): Promise<Client> {
    return this.world.connectThrough();
  }

  /** Past it. */
  direct(): Promise<Client> {
    return this.world.connect();
  }

  /** Returns how many requests were hurt. */
  async everyFault(
    kind: FaultKind,
    scenario: (scene: Scene) => Promise<void>,
    stays: readonly string[] = [],
  ): Promise<number> {
    for (let at = 0; ; at++) {
      const point = at === 0 ? undefined : cutPoints(at, [kind]).at(-1);
      const hasHappened = await this.run(point, scenario, stays);
      if (at > 0 && !hasHappened) return at - 1;
    }
  }

  /** Waits until there is no watch on the servers, and below `path` only what stays. */
  async nothingLeft(path = '/', stays: readonly string[] = [], name = ''): Promise<void> {
    await expect
      .poll(() => below(this.other, path), { ...PATIENCE, message: `${name}: znodes left` })
      .toEqual([...stays].sort());
    await expect
      .poll(() => this.world.allWatchCount(), { ...PATIENCE, message: `${name}: watches left` })
      .toBe(0);
  }

  /** After each test, while its clients still live: nothing is held, and nothing watched. Then they end. */
  async endTest(): Promise<void> {
    this.proxy.heal();
    try {
      await this.world.nothingLeft();
    } finally {
      await this.world.closeClients();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }

  private async run(
    point: ReturnType<typeof cutPoints>[number] | undefined,
    scenario: (scene: Scene) => Promise<void>,
    stays: readonly string[],
  ): Promise<boolean> {
    const { proxy, other } = this;
    const path = `/run-${this.runs++}`;
    await other.create(path);
    const zk = await this.connect();
    const name = point?.name ?? 'without a fault';
    try {
      const hasHappened = point?.arm(proxy, () => this.world.expire(zk));
      await scenario({ zk, other, path, fault: point?.kind });
      await this.nothingLeft(path, stays, name);
      return hasHappened?.() ?? false;
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    } finally {
      proxy.heal();
      await this.world.closeClients();
      await other.delete(path, { recursive: true });
    }
  }
}

/** Relative paths of all znodes below, sorted. */
async function below(zk: Client, path: string, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  const { names } = await zk.children(path);
  const parent = path === '/' ? '' : path;
  for (const name of names) {
    found.push(prefix + name, ...(await below(zk, `${parent}/${name}`, `${prefix}${name}/`)));
  }
  return found.sort();
}

/** The client, whose first write finds that its session is over; it was not sent. */
export function expiringAtWrite(zk: Client): Client {
  let isOver = false;
  const set: Client['set'] = async (path, ...rest) => {
    if (isOver) return await zk.set(path, ...rest);
    isOver = true;
    throw new ZkError('SESSION_EXPIRED', { path, outcome: 'not-sent' });
  };
  return new Proxy(zk, {
    get(target, name) {
      if (name === 'set') return set;
      const member = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
