// Snapshots that are taken while the server serves: when, of what, and what a failed one costs.

import { MemoryDisk, openDataDirectory, recover } from '@zebu/storage';
import { describe, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { Database } from '../src/database.ts';
import { create, setData } from './support/asks.ts';
import type { ManualTime } from './support/manual-time.ts';
import { World, type WorldOptions } from './support/world.ts';

const DIRECTORY = '/data/version-2';

/** A disk on which snapshots cannot be made while it is broken. */
class BreakableDisk extends MemoryDisk {
  isBroken = false;

  override openWrite(...args: Parameters<MemoryDisk['openWrite']>) {
    if (this.isBroken) throw new Error('ENOSPC: no space left on device');
    return super.openWrite(...args);
  }
}

function startOnDisk(options: WorldOptions = {}): Promise<World> {
  const disk = (time: ManualTime) =>
    new BreakableDisk({ schedule: (task) => time.afterTurn(task) });
  return World.start({ disk, ...options });
}

function snapshotsOf(world: World): string[] {
  return world.disk.list(DIRECTORY).filter((name) => name.startsWith('snapshot.'));
}

/** What a server would start with on this disk. */
function recovered(world: World): Database {
  const config = defaultServerConfig({ extendedTypesEnabled: true });
  const steps = recover({
    disk: world.disk,
    directory: openDataDirectory({
      disk: world.disk,
      dataDir: '/data',
      dataLogDir: undefined,
      autocreate: false,
    }),
    createTarget: () => new Database(config, 1),
    trustEmptySnapshot: false,
    autocreateDatabase: true,
    maxEntryBytes: 1 << 21,
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value.target;
  }
}

/** Takes a snapshot; what became of it. Compressors work in turns of the real loop. */
async function take(world: World): Promise<Error | undefined> {
  let outcome: Error | undefined;
  let isDone = false;
  expect(
    world.serving.snapshotter?.start((error) => {
      outcome = error;
      isDone = true;
    }),
  ).toBe(true);
  while (!isDone) {
    world.run();
    if (!isDone) await new Promise((resolve) => setImmediate(resolve));
  }
  return outcome;
}

describe('a snapshot', () => {
  test('holds the tree and the sessions, each with the timeout that its txn has', async () => {
    const world = await startOnDisk();
    const client = world.client({ timeoutMs: 9000 });
    client.must(create('/a', { data: 'x' }), create('/e', { flags: 1 }), setData('/a', 'y'));
    world.reattach(client, { timeoutMs: 12_000 });
    expect(await take(world)).toBe(undefined);
    expect(snapshotsOf(world)).toEqual(['snapshot.4']);
    const { tree, sessions } = recovered(world);
    expect(tree.lastProcessedZxid).toBe(4);
    expect(tree.digest).toBe(world.serving.tree.digest);
    expect([...sessions]).toEqual([[client.session?.sessionId, 9000]]);
    expect(tree.findString('/e')).not.toBe(0);
  });

  test('has the digest and the last zxid after the tree, or not, as configured', async () => {
    const sizes: number[] = [];
    for (const digestEnabled of [true, false]) {
      for (const serializeLastProcessedZxid of [true, false]) {
        const world = await startOnDisk({ digestEnabled, serializeLastProcessedZxid });
        expect(await take(world)).toBe(undefined);
        sizes.push(world.disk.size(`${DIRECTORY}/snapshot.0`));
        expect(recovered(world).tree.znodeCount).toBe(world.serving.tree.znodeCount);
      }
    }
    const bare = sizes[3] as number;
    // A seal is an Adler-32 as a long and the path "/": 13 bytes.
    expect(sizes.map((size) => size - bare)).toEqual([20 + 13 + 8 + 13, 20 + 13, 8 + 13, 0]);
  });

  test.each(['gz', 'snappy'] as const)('compressed as %s is read back', async (compression) => {
    const world = await startOnDisk({ snapshotCompression: compression });
    world.client().must(create('/a', { data: 'x'.repeat(100_000) }));
    expect(await take(world)).toBe(undefined);
    expect(snapshotsOf(world)).toEqual([`snapshot.2.${compression}`]);
    expect(recovered(world).tree.digest).toBe(world.serving.tree.digest);
  });

  test('is taken in slices, with clients served between them, and is whole all the same', async () => {
    const world = await startOnDisk();
    const client = world.client();
    client.send(
      ...Array.from({ length: 2000 }, (_, i) => create(`/n${i}`, { data: 'x'.repeat(1000) })),
    );
    client.lines();
    let isDone = false;
    world.serving.snapshotter?.start((error) => {
      expect(error).toBe(undefined);
      isDone = true;
    });
    expect(world.serving.snapshotter?.isBusy).toBe(true);
    // Every look at the clock takes longer than a slice.
    world.time.lookCostMs = 2;
    let turns = 0;
    let served = 0;
    for (; !isDone && turns < 10_000; turns++) {
      if (turns % 10 === 0) {
        client.send(create(`/during${turns}`), setData('/n1999', `${turns}`));
      }
      world.time.turn();
      if (!isDone) served = client.frames.length;
    }
    world.time.lookCostMs = 0;
    world.run();
    expect(turns).toBeGreaterThan(30);
    expect(served).toBeGreaterThan(2004);
    expect(world.serving.snapshotter?.isBusy).toBe(false);
    // What came while it was walked may be in it or not; the log, replayed from its zxid, settles that.
    const { tree } = recovered(world);
    for (let i = 0; i < 2000; i++) {
      if (tree.findString(`/n${i}`) === 0) expect.fail(`/n${i} is missing`);
    }
  });

  test('does not begin while one is under way', async () => {
    const world = await startOnDisk();
    expect(world.serving.snapshotter?.start()).toBe(true);
    expect(world.serving.snapshotter?.start()).toBe(false);
    world.run();
    expect(world.serving.snapshotter?.start()).toBe(true);
    world.run();
  });

  test('that fails leaves no snapshot under its name, is logged, and a later one works', async () => {
    const world = await startOnDisk();
    const disk = world.disk as BreakableDisk;
    world.client().must(create('/a'));
    disk.isBroken = true;
    expect(await take(world)).toBeInstanceOf(Error);
    expect(snapshotsOf(world)).toEqual([]);
    expect(world.logged).toContain('error Snapshot failed; the txn log still has everything');
    expect(world.member.isServing).toBe(true);
    disk.isBroken = false;
    expect(await take(world)).toBe(undefined);
    expect(recovered(world).tree.findString('/a')).not.toBe(0);
  });

  test('that cannot even begin is not noticed by the client whose write made it due', async () => {
    const world = await startOnDisk({ snapCount: 10 });
    (world.disk as BreakableDisk).isBroken = true;
    const client = world.client();
    client.send(...Array.from({ length: 20 }, (_, i) => create(`/n${i}`)));
    expect(client.lines()).toEqual(Array.from({ length: 20 }, (_, i) => `#${i + 1} OK`));
    expect(world.member.metrics.unrecoverableErrors).toBe(0);
    expect(world.serving.snapshotter?.isBusy).toBe(false);
  });

  test('under way when the server stops is given up, and leaves nothing under its name', async () => {
    const world = await startOnDisk();
    let outcome: Error | undefined;
    world.serving.snapshotter?.start((error) => {
      outcome = error;
    });
    let isIdle = false;
    world.serving.snapshotter?.stop(() => {
      isIdle = true;
    });
    await Promise.resolve();
    expect(isIdle).toBe(false);
    world.run();
    await Promise.resolve();
    expect(isIdle).toBe(true);
    expect(outcome?.message).toContain('was given up');
    expect(snapshotsOf(world)).toEqual([]);
    expect(world.logged).not.toContain('error Snapshot failed; the txn log still has everything');
  });
});

describe('a snapshot comes by itself, with a new log file,', () => {
  const write = async (options: WorldOptions, count: number): Promise<World> => {
    const world = await startOnDisk({ random: () => 0.5, ...options });
    const client = world.client();
    for (let i = 0; i < count; i++) client.must(create(`/n${i}`));
    return world;
  };

  test('after half to all of snapCount txns, and again after as many', async () => {
    // With a random number of 0.5: after more than 75. The session's own is one of them.
    expect((await write({ snapCount: 100 }, 74)).log.rolls).toBe(0);
    const world = await write({ snapCount: 100 }, 75);
    expect(world.log.rolls).toBe(1);
    expect(snapshotsOf(world)).toHaveLength(1);
    expect((await write({ snapCount: 100 }, 75 + 76)).log.rolls).toBe(2);
  });

  test('after half to all of snapSizeLimit bytes', async () => {
    const { log } = await write({ snapSizeLimitBytes: 0 }, 10);
    const entryBytes = log.bytesSinceRoll / log.txnsSinceRoll;
    const snapSizeLimitBytes = Math.ceil((entryBytes * 10) / 0.75);
    const world = await write({ snapSizeLimitBytes }, 12);
    expect(world.log.rolls).toBe(1);
  });

  test('unless the one before is still being written: then it is left out', async () => {
    const world = await startOnDisk({ snapCount: 10 });
    const client = world.client();
    world.serving.snapshotter?.start();
    client.send(...Array.from({ length: 40 }, (_, i) => create(`/n${i}`)));
    world.run();
    expect(client.lines()).toHaveLength(40);
    expect(world.logged).toContain(
      'warn Too busy to snapshot: the one before is still being written',
    );
  });
});
