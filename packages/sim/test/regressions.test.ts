// What fuzzing found, told as stories, so that they stay true when the scenarios change. The oracle and
// the checkers fail them by themselves where nothing else is expected.

import { CreateFlag, OPEN_ACL_UNSAFE, OpCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { PING, type SimClient } from '../src/sim-client.ts';
import type { SimDiskEvent } from '../src/sim-disk.ts';
import { Standalone, type StandaloneOptions } from '../src/standalone.ts';
import type { Answer, Ask } from '../src/wire.ts';

type Request = Omit<Ask, 'xid'>;

interface Guest {
  readonly client: SimClient;
  readonly answers: Answer[];
  ask(...requests: Request[]): void;
}

/** A server on a disk that takes `diskMs` for everything, so that txns stay in flight. */
async function slowServer(
  diskMs: number,
  options: Partial<StandaloneOptions> = {},
): Promise<Standalone> {
  const world = new Standalone({
    seed: 1,
    requests: 0,
    clients: 0,
    diskMs: () => diskMs,
    ...options,
  });
  expect(await world.start()).toBe('serving');
  return world;
}

function join(world: Standalone, index: number, timeoutMs = 1_000): Guest {
  const requests: Request[] = [];
  const answers: Answer[] = [];
  const client = world.addClient({
    name: `g${index}`,
    address: `10.0.2.${index}`,
    timeoutMs,
    depth: 100,
    pumpMs: 1,
    next: () => requests.shift(),
    onAnswer: (ask, answer) => {
      if (ask.type !== OpCode.ping) answers.push(answer);
    },
  });
  client.connect();
  expect(world.runFor(1_000, () => client.isEstablished)).toBe(true);
  return {
    client,
    answers,
    ask: (...more) => {
      requests.push(...more);
      client.pump();
    },
  };
}

function create(path: string, flags: number = CreateFlag.persistent): Request {
  const type = flags === CreateFlag.container ? OpCode.createContainer : OpCode.create;
  return { ...PING, type, path, data: Buffer.from(path), acl: OPEN_ACL_UNSAFE, number: flags };
}

function remove(path: string): Request {
  return { ...PING, type: OpCode.delete, path, number: -1 };
}

test("the end of a session leaves what others put in its ephemeral's place", async () => {
  const world = await slowServer(20);
  const [owner, other] = [join(world, 1), join(world, 2)];
  owner.ask(create('/e', CreateFlag.ephemeral));
  expect(world.runFor(500, () => owner.answers.length === 1)).toBe(true);
  // All of it is in flight at one time.
  other.ask(remove('/e'), create('/e'));
  world.runFor(5);
  owner.ask({ ...PING, type: OpCode.closeSession });
  expect(world.runFor(500, () => other.answers.length === 2)).toBe(true);
  world.runFor(500, () => owner.answers.length === 2);
  expect(other.answers.map((answer) => answer.error)).toEqual([0, 0]);
  expect(world.oracle.tree.at('/e')?.owner).toBe(0n);
  world.look();
});

test('an empty container that is about to become another znode is not swept', async () => {
  const world = await slowServer(20, { config: { containers: { checkIntervalMs: 30 } } });
  const guest = join(world, 1);
  guest.ask(create('/c', CreateFlag.container), create('/c/x'), remove('/c/x'));
  guest.ask(remove('/c'), create('/c'));
  expect(world.runFor(1_000, () => guest.answers.length === 5)).toBe(true);
  // Again, with every phase between the sweep and the requests.
  for (let delayMs = 0; delayMs < 30; delayMs += 3) {
    const done = guest.answers.length;
    guest.ask(remove('/c'), create('/c', CreateFlag.container), create('/c/x'));
    world.runFor(500, () => guest.answers.length === done + 3);
    guest.ask(remove('/c/x'));
    world.runFor(40 + delayMs);
    guest.ask(remove('/c'), create('/c'));
    world.runFor(500, () => guest.answers.length === done + 6);
    expect(world.oracle.tree.at('/c')?.owner).toBe(0n);
  }
  world.look();
});

test('a TTL znode whose ttl is about to begin anew is not swept', async () => {
  const world = await slowServer(15, { config: { containers: { checkIntervalMs: 4 } } });
  const guest = join(world, 1);
  for (let delayMs = 0; delayMs < 60; delayMs += 6) {
    const done = guest.answers.length;
    guest.ask({
      ...create('/t', CreateFlag.persistentTTL),
      type: OpCode.createTTL,
      ttlMs: 60,
    });
    world.runFor(500, () => guest.answers.length === done + 1);
    world.runFor(delayMs);
    guest.ask({ ...PING, type: OpCode.setData, path: '/t', data: null, number: -1 });
    world.runFor(2_000, () => world.oracle.tree.at('/t') === undefined);
  }
  world.look();
});

test('a snapshot holds the timeout that the session was made with', async () => {
  const world = await slowServer(1, { config: { snapCount: 4 } });
  const guest = join(world, 1);
  guest.client.timeoutMs = 1_900;
  guest.client.breakOff();
  expect(world.runFor(500, () => !guest.client.isEstablished)).toBe(true);
  expect(world.runFor(500, () => guest.client.isEstablished)).toBe(true);
  guest.ask(...Array.from({ length: 12 }, (_, i) => create(`/n${i}`)));
  expect(world.runFor(500, () => guest.answers.length === 12)).toBe(true);
  world.runFor(50);
  expect(world.disk.list('/data/version-2').join()).toMatch(/snapshot\.[^0]/);
  world.powerCut(1);
  expect(await world.start()).toBe('serving');
});

test('the names of purged snapshots are gone for good before their logs go', async () => {
  const events: SimDiskEvent[] = [];
  const world = new Standalone({
    seed: 2,
    requests: 900,
    config: { snapCount: 8, dataLogDir: '/logs' },
    onDiskEvent: (event) => events.push(event),
  });
  expect(await world.start()).toBe('serving');
  world.startClients();
  world.runFor(30_000, () => world.isDone);
  let purges = 0;
  let areSnapshotsGone = true;
  for (const { operation, phase, path } of events) {
    const isUnlink = operation === 'unlink' && phase === 'started';
    if (isUnlink && path.startsWith('/data/version-2/snapshot.')) {
      areSnapshotsGone = false;
      purges++;
    }
    if (operation === 'syncDirectory' && phase === 'done' && path === '/data/version-2') {
      areSnapshotsGone = true;
    }
    if (isUnlink && path.startsWith('/logs/version-2/log.')) expect(areSnapshotsGone).toBe(true);
  }
  expect(purges).toBeGreaterThan(3);
});
