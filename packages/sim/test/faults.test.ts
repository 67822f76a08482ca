// Stories of single faults: what the server does then, and what its clients see of it.

import { type Acl, OPEN_ACL_UNSAFE, OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { PING, type SimClient } from '../src/sim-client.ts';
import type { Fault } from '../src/sim-disk.ts';
import { Standalone, type StandaloneOptions } from '../src/standalone.ts';
import type { Answer, Ask } from '../src/wire.ts';

/** A server with clients in the midst of their requests. */
async function busyServer(options: Partial<StandaloneOptions> = {}): Promise<Standalone> {
  const world = new Standalone({ seed: 7, requests: 400, reads: 0.3, paceMs: 10, ...options });
  expect(await world.start()).toBe('serving');
  world.startClients();
  world.runFor(60);
  expect(world.oracle.lastZxid).toBeGreaterThan(15);
  return world;
}

/** Runs until the server gives up; sees that it says so, and is silent. The checkers see the rest. */
async function giveUp(world: Standalone): Promise<Error> {
  expect(world.runFor(5_000, () => world.member?.isServing === false)).toBe(true);
  await world.settlePromises();
  world.runFor(300);
  expect(world.clients.every((client) => !client.isEstablished)).toBe(true);
  return world.failure as Error;
}

/** Starts again and lets the clients finish. */
async function comeBack(world: Standalone): Promise<void> {
  expect(await world.start()).toBe('serving');
  expect(world.runFor(30_000, () => world.isDone)).toBe(true);
  world.look();
  await world.stop();
}

describe('a full disk', () => {
  test('stops the server with the reason, and what was acknowledged is there with space', async () => {
    const world = await busyServer();
    world.disk.freeBytes = 0;
    expect((await giveUp(world)).message).toMatch(/ENOSPC.*not durable/);
    world.kill();
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    await comeBack(world);
  });

  test('that is still full when the server starts again refuses writes, not the start', async () => {
    const world = await busyServer();
    world.disk.freeBytes = 0;
    await giveUp(world);
    world.powerCut(1);
    expect(await world.start()).toBe('serving');
    await giveUp(world);
    world.disk.freeBytes = Number.POSITIVE_INFINITY;
    world.powerCut(2);
    await comeBack(world);
  });
});

describe('a disk that fails in the txn log', () => {
  const faults: readonly Fault[] = [
    { operation: 'writeDurable', path: 'log.' },
    { operation: 'rename', path: 'tmp-log.' },
    // Once is survived where a file is made ahead: see below.
    { operation: 'sync', path: 'log.', always: true },
    { operation: 'open', path: 'tmp-log.', always: true },
    { operation: 'resize', path: 'log.', always: true },
    { operation: 'syncDirectory', path: 'version-2' },
  ];

  test.each(faults)('in $operation of $path silences the server for good', async (fault) => {
    const world = await busyServer({ config: { snapCount: 10, preAllocSizeBytes: 2_048 } });
    // Of the directory syncs, only the log's is fatal: it comes with the rename of a log.
    const isOfSnapshots = fault.operation === 'syncDirectory';
    world.disk.injectFault({ ...fault, ...(isOfSnapshots ? { always: true } : {}) });
    expect((await giveUp(world)).message).toContain('EIO');
    world.disk.clearFaults();
    world.powerCut(3);
    await comeBack(world);
  });
});

test.each(['open', 'write', 'resize', 'sync'] as const)(
  'a log file whose making ahead fails in %s is made when it is needed',
  async (operation) => {
    const world = await busyServer({ config: { snapCount: 100, preAllocSizeBytes: 2_048 } });
    const path = 'tmp-log.next-2';
    expect(world.disk.list('/data/version-2').join()).not.toMatch(/next-2|log\.[2-9a-f]/);
    world.disk.injectFault({ operation, path, always: true });
    expect(world.runFor(30_000, () => world.isDone)).toBe(true);
    expect(world.member?.isServing).toBe(true);
    const names = world.disk.list('/data/version-2');
    expect(names.filter((name) => name.startsWith('log.')).length).toBeGreaterThan(1);
    expect(names).not.toContain('tmp-log.next-2');
    world.disk.clearFaults();
    world.powerCut(5);
    await comeBack(world);
  },
);

describe('a disk that fails in a snapshot', () => {
  test.each(['open', 'write', 'sync', 'rename'] as const)(
    'in %s leaves the server serving, and the log has everything',
    async (operation) => {
      const world = await busyServer({ config: { snapCount: 10 } });
      world.disk.injectFault({ operation, path: 'tmp-snapshot.', always: true });
      expect(world.runFor(30_000, () => world.isDone)).toBe(true);
      expect(world.member?.isServing).toBe(true);
      world.disk.clearFaults();
      world.powerCut(4);
      await comeBack(world);
    },
  );

  test('before the first txn refuses the start: a log without a snapshot would be unusable', async () => {
    const world = new Standalone({ seed: 8 });
    world.disk.injectFault({ operation: 'sync', path: 'tmp-snapshot.' });
    expect(await world.start()).toBe('refused');
    expect(world.refusal?.message).toContain('EIO');
    world.kill();
    expect(await world.start()).toBe('serving');
  });
});

test('a disk that takes a second for a sync delays answers, and ends no session', async () => {
  const world = new Standalone({
    seed: 9,
    requests: 60,
    clients: 2,
    closes: 0,
    diskMs: () => 250,
    config: { tickTimeMs: 2_000 },
  });
  expect(await world.start()).toBe('serving');
  world.startClients();
  expect(world.runFor(60_000, () => world.isDone)).toBe(true);
  expect(world.transcript.tail(400)).not.toContain('Session expired');
  world.look();
});

test('a wall clock that jumps a day either way ends no session early, and keeps none for ever', async () => {
  const world = await busyServer({ closes: 0, requests: 1_000 });
  const dayMs = 86_400_000;
  for (const jumpMs of [dayMs, -2 * dayMs, dayMs]) {
    world.clock.jump(jumpMs);
    world.runFor(500);
    world.look();
  }
  expect(world.transcript.tail(400)).not.toContain('Session expired');
  for (const client of world.clients) {
    client.wantsConnection = false;
    client.breakOff();
  }
  world.runFor(3_000);
  world.look();
  expect(world.oracle.tree.sessionIds()).toEqual([]);
});

describe('a client that asks for much and does not read', () => {
  const BIG = 50_000;
  const READS = 400;

  test('costs the server a bounded memory, delays nobody, and gets all of it in the end', async () => {
    const world = new Standalone({ seed: 10, requests: 0, clients: 0 });
    expect(await world.start()).toBe('serving');
    const writer = guest(world, 1, [create('/big', BIG)]);
    expect(world.runFor(1_000, () => writer.answers.length === 1)).toBe(true);

    const slow = guest(
      world,
      2,
      Array.from({ length: READS }, () => read('/big')),
      READS,
    );
    expect(world.runFor(1_000, () => slow.client.inFlight === READS)).toBe(true);
    slow.client.dawdle(1_500);
    const other = guest(
      world,
      3,
      Array.from({ length: 200 }, () => read('/big')),
    );
    const startedMs = world.scheduler.nowMs;
    let queuedBytes = 0;
    world.runFor(1_400, () => {
      for (const end of world.network.connections) {
        if (end.isServerEnd && end.queuedBytes > queuedBytes) queuedBytes = end.queuedBytes;
      }
      return other.answers.length === 200;
    });
    expect(other.answers.length).toBe(200);
    // A round trip takes some ms, of a window of 64 KiB at a time: as if it were alone.
    expect(world.scheduler.nowMs - startedMs).toBeLessThan(1_000);
    expect(slow.answers.length).toBeLessThan(READS);
    expect(queuedBytes).toBeGreaterThan(500_000);
    // MAX_QUEUED_BYTES, one burst and one reply.
    expect(queuedBytes).toBeLessThan((1 << 20) + 128 * 1024 + 2 * BIG);
    expect(world.runFor(10_000, () => slow.answers.length === READS)).toBe(true);
    expect(slow.answers.every((answer) => answer.data?.length === BIG)).toBe(true);
    expect(slow.answers.map((answer) => answer.xid)).toEqual(
      Array.from({ length: READS }, (_, i) => i + 1),
    );
  });
});

const acl: readonly Acl[] = OPEN_ACL_UNSAFE;

function create(path: string, bytes: number): Omit<Ask, 'xid'> {
  return { ...PING, type: OpCode.create, path, data: Buffer.alloc(bytes, 1), acl };
}

function read(path: string): Omit<Ask, 'xid'> {
  return { ...PING, type: OpCode.getData, path };
}

/** One more client, with requests of its own. */
function guest(
  world: Standalone,
  index: number,
  requests: Omit<Ask, 'xid'>[],
  depth = 1,
): { readonly client: SimClient; readonly answers: Answer[] } {
  const answers: Answer[] = [];
  const client = world.addClient({
    name: `g${index}`,
    address: `10.0.2.${index}`,
    timeoutMs: 2_000,
    depth,
    pumpMs: 0.5,
    next: () => requests.shift(),
    onAnswer: (ask, answer) => {
      if (ask.type !== OpCode.ping) answers.push(answer);
    },
  });
  client.connect();
  return { client, answers };
}
