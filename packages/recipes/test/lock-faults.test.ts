// Locks with a fault at every request they make: whatever is cut there, the lock is got in the end, writes under it are
// in the order of the grants, and nothing is left on the server.

import { type Client, ZkError } from '@zebu/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Held, multiLock, mutex, revoke, rwLock, semaphore } from '../src/lock.ts';
import { everyFault, FAULTS, type Scene, World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world[Symbol.asyncDispose]());

interface Write {
  readonly token: number;
  readonly mzxid: number;
}

/** Writes under the lock, if it is not lost; remembers which grant wrote when. */
async function writeUnder(held: Held, register: string, writes: Write[]): Promise<void> {
  try {
    const [stat] = await held.guard([{ op: 'set', path: register, data: String(held.token) }]);
    writes.push({ token: held.token, mzxid: stat.mzxid });
  } catch (error) {
    // Lost, or not known; never a guess.
    if (!ZkError.is(error, 'LOCK_LOST', 'CONNECTION_LOSS')) throw error;
  }
}

function expectInOrder(writes: readonly Write[]): void {
  const tokens = writes.toSorted((a, b) => a.mzxid - b.mzxid).map(({ token }) => token);
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
}

/** Someone else has it first and wants it again afterwards; the hurt client in between. */
async function takeTurns(
  { zk, path }: Scene,
  acquire: (client: Client) => Promise<Held>,
): Promise<void> {
  const { other } = world;
  const register = `${path}-register`;
  await other.create(register);
  const writes: Write[] = [];
  const first = await acquire(other);
  const waiting = acquire(zk).then(async (held) => {
    await writeUnder(held, register, writes);
    await held.release();
  });
  await writeUnder(first, register, writes);
  await first.release();
  const last = acquire(other).then(async (held) => {
    await writeUnder(held, register, writes);
    await held.release();
  });
  await Promise.all([waiting, last]);
  expect(writes.length).toBeGreaterThanOrEqual(2);
  expectInOrder(writes);
}

const LOCKS: readonly {
  readonly name: string;
  readonly acquire: (client: Client, path: string) => Promise<Held>;
}[] = [
  { name: 'mutex', acquire: (zk, path) => mutex(zk, path).acquire() },
  {
    name: 'mutex, under a lease',
    acquire: (zk, path) => mutex(zk, path, { onSuspend: 'lease' }).acquire(),
  },
  { name: 'write lock', acquire: (zk, path) => rwLock(zk, path).write.acquire() },
  {
    name: 'semaphore, one of one',
    acquire: (zk, path) => semaphore(zk, path, { permits: 1 }).acquire(),
  },
  {
    name: 'semaphore, two of three',
    acquire: (zk, path) => semaphore(zk, path, { permits: 3 }).acquire(2),
  },
  {
    name: 'multi-lock',
    acquire: (zk, path) => multiLock([mutex(zk, `${path}/b`), mutex(zk, `${path}/a`)]).acquire(),
  },
];

describe.each(LOCKS)('$name', ({ acquire }) => {
  test.each(FAULTS)('with each request %s', async (kind) => {
    const hurt = await everyFault(world, kind, (scene) =>
      takeTurns(scene, (client) => acquire(client, scene.path)),
    );
    expect(hurt).toBeGreaterThanOrEqual(4);
  });
});

test.each(FAULTS)('a read lock with each request %s', async (kind) => {
  const hurt = await everyFault(world, kind, async ({ zk, path }) => {
    const writer = await rwLock(world.other, path).write.acquire();
    const readers = [rwLock(zk, path).read.acquire(), rwLock(zk, path).read.acquire()];
    await writer.release();
    for (const held of await Promise.all(readers)) await held.release();
  });
  expect(hurt).toBeGreaterThanOrEqual(6);
});

test.each(FAULTS)('tryAcquire with each request %s', async (kind) => {
  await everyFault(world, kind, async ({ zk, path }) => {
    const lock = mutex(zk, path);
    const got = await lock.tryAcquire();
    expect(got).toBeDefined();
    const blocker = await mutex(world.other, `${path}-taken`).acquire();
    expect(await mutex(zk, `${path}-taken`).tryAcquire()).toBeUndefined();
    await blocker.release();
    await got?.release();
  });
});

test.each(FAULTS)('tryAcquire of a semaphore with each request %s', async (kind) => {
  await everyFault(world, kind, async ({ zk, path }) => {
    const permits = { permits: 2 };
    const first = await semaphore(world.other, path, permits).acquire();
    const got = await semaphore(zk, path, permits).tryAcquire();
    const more = await semaphore(zk, path, permits).tryAcquire();
    if (kind !== 'expired') {
      expect(got).toBeDefined();
      expect(more).toBeUndefined();
    } else if (got !== undefined && more !== undefined) {
      // The first permit went with its session. (Or is about to go, and is not free until then: got is undefined.)
      expect(got.session).not.toBe(more.session);
    }
    await got?.release();
    await more?.release();
    await first.release();
  });
});

test.each(FAULTS)('downgrade with each request %s: a reader, or nothing', async (kind) => {
  await everyFault(world, kind, async ({ zk, path, fault }) => {
    const lock = rwLock(zk, path);
    const writer = await lock.write.acquire();
    try {
      const reader = await writer.downgrade();
      expect(reader.token).toBeGreaterThan(writer.token);
      await reader.release();
    } catch (error) {
      expect(fault).toBeDefined();
      expect(ZkError.is(error, 'LOCK_LOST')).toBe(true);
    }
    await writer.release();
    // Whatever came of it, the next writer gets it.
    await (await rwLock(world.other, path).write.acquire()).release();
  });
});

test.each(FAULTS)(
  'revocation with each request %s: it is heard, or the lock is lost',
  async (kind) => {
    await everyFault(world, kind, async ({ zk, path }) => {
      const held = await mutex(zk, path).acquire();
      const heard = new Promise<void>((resolve) => {
        held.onRevoke(resolve);
        held.signal.addEventListener('abort', () => resolve());
        if (held.signal.aborted) resolve();
      });
      await revoke(world.other, held.path);
      await heard;
      await held.release();
    });
  },
);

describe('a caller that gives up', () => {
  /** Gives up when request `at` is seen, or its reply. Returns whether there was such a request. */
  async function giveUpAt(
    at: number,
    when: 'request' | 'reply',
    acquire: (zk: Client, signal: AbortSignal, path: string) => Promise<Held>,
    block: (path: string) => Promise<Held>,
  ): Promise<boolean> {
    const { proxy } = world;
    const zk = await world.connectThrough();
    const path = `/given-up-${when}-${at}-${Math.random().toString(36).slice(2)}`;
    const blocker = await block(path);
    const controller = new AbortController();
    const target = proxy.callCount + at;
    const give = (index: number): 'forward' => {
      if (index === target) controller.abort();
      return 'forward';
    };
    if (when === 'request') proxy.onRequest = ({ index }) => give(index);
    else proxy.onReply = ({ request }) => give(request.index);
    const acquiring = acquire(zk, controller.signal, path);
    const letGo = async (): Promise<void> => {
      // Halfway the way becomes free, so that the later requests are made too.
      await expect
        .poll(async () => controller.signal.aborted || (await world.watchCount()) >= 2, {
          timeout: 30_000,
          interval: 2,
        })
        .toBe(true);
      await blocker.release();
    };
    const [outcome] = await Promise.allSettled([acquiring, letGo()]);
    const hasHappened = controller.signal.aborted;
    if (outcome.status === 'fulfilled') await outcome.value.release();
    else expect(outcome.reason).toMatchObject({ code: 'ABORTED' });
    await world.nothingLeft(`given up at ${when} ${at}`);
    proxy.heal();
    await world.closeClients();
    return hasHappened;
  }

  test.each(['request', 'reply'] as const)('at each %s of a mutex leaves nothing', async (when) => {
    let at = 1;
    const acquire = (zk: Client, signal: AbortSignal, path: string) =>
      mutex(zk, path).acquire({ signal });
    while (await giveUpAt(at, when, acquire, (path) => mutex(world.other, path).acquire())) at++;
    expect(at).toBeGreaterThan(4);
  });

  test.each(['request', 'reply'] as const)(
    'at each %s of a semaphore leaves nothing',
    async (when) => {
      let at = 1;
      const options = { permits: 2 };
      const acquire = (zk: Client, signal: AbortSignal, path: string) =>
        semaphore(zk, path, options).acquire(2, { signal });
      const block = (path: string) => semaphore(world.other, path, options).acquire();
      while (await giveUpAt(at, when, acquire, block)) at++;
      expect(at).toBeGreaterThan(8);
    },
  );
});
