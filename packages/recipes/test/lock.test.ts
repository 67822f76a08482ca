// What each lock promises, fault by fault; a fault at every request of each is in lock-faults.test.ts.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Client, type State, ZkError } from '@zebu/client';
import { stopProcess } from '@zebu/fault-kit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type Contender,
  type Held,
  multiLock,
  mutex,
  revoke,
  rwLock,
  semaphore,
} from '../src/lock.ts';
import { PATIENCE, World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterEach(async () => {
  world.proxy.heal();
  await world.closeClients();
});
afterAll(() => world[Symbol.asyncDispose]());

let paths = 0;
const newPath = () => `/lock-${++paths}`;
/** 0 as well when nobody has come so far as to create the lock's own znode. */
const countOf = async (path: string) => (await world.other.exists(path))?.numChildren ?? 0;

/** Whether the promise is still open once all that was asked of the server before has been answered. */
async function isOpen(promise: Promise<unknown>, zk: Client): Promise<boolean> {
  let isSettled = false;
  const settled = (): void => {
    isSettled = true;
  };
  promise.then(settled, settled);
  for (let i = 0; i < 3; i++) await zk.sync('/');
  return !isSettled;
}

describe('a mutex', () => {
  test('with 100 that wait wakes exactly one at a release', async () => {
    const path = newPath();
    const held = await mutex(world.other, path).acquire();
    const clients = await Promise.all(Array.from({ length: 10 }, () => world.connectThrough()));
    const order: number[] = [];
    const controller = new AbortController();
    const { signal } = controller;
    const waiting: Promise<Held | undefined>[] = [];
    for (let i = 0; i < 100; i++) {
      const one = mutex(clients[i % 10] as Client, path)
        .acquire({ signal })
        .then(
          (got) => {
            order.push(i);
            return got;
          },
          () => undefined,
        );
      waiting.push(one);
    }
    // The holder watches its own znode, each other one the znode before it. The next in line watches its own, too: its
    // client does already, for the one behind it.
    await expect.poll(() => world.watchCount(), PATIENCE).toBe(101);
    const before = world.proxy.events.length;
    await held.release();
    await expect.poll(() => order.length, PATIENCE).toBe(1);
    await Promise.all(clients.map((zk) => zk.sync('/')));
    expect(world.proxy.events.length - before).toBe(1);
    controller.abort();
    for (const one of await Promise.all(waiting)) await one?.release();
    await world.nothingLeft();
  });

  test('whose create is not answered has one znode, and is got', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    let lost = 0;
    world.proxy.onReply = ({ request }) => {
      if (request.name !== 'create2' || lost > 0 || !request.path?.includes('_c_'))
        return 'forward';
      lost++;
      return 'lose';
    };
    await world.other.create(path);
    const held = await mutex(zk, path).acquire();
    expect(lost).toBe(1);
    expect(await countOf(path)).toBe(1);
    await held.release();
    await world.nothingLeft();
  });

  test('whose release is not answered can be acquired again (CURATOR-678)', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    const lock = mutex(zk, path);
    const held = await lock.acquire();
    let isLost = false;
    world.proxy.onReply = ({ request }) => {
      if (isLost || request.name !== 'delete') return 'forward';
      isLost = true;
      return 'lose';
    };
    await held.release();
    expect(isLost).toBe(true);
    const again = await lock.acquire();
    expect(again.token).toBeGreaterThan(held.token);
    await again.release();
    await world.nothingLeft();
  });

  test('whose release cannot reach the server is deleted when it can', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    const held = await mutex(zk, path).acquire();
    world.proxy.down();
    const releasing = held.release();
    expect(await countOf(path)).toBe(1);
    world.proxy.up();
    await releasing;
    expect(await countOf(path)).toBe(0);
  });

  test('of a process that is stopped beyond its session is lost to it, and the next has a larger token', async () => {
    const path = newPath();
    const register = `${path}-register`;
    await world.other.create(register);
    const { host, port } = world.address;
    const child = spawn(
      process.execPath,
      [
        '--conditions=@zebu/source',
        join(import.meta.dirname, 'holder.ts'),
        `${host}:${port}${world.root}`,
        path,
        register,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const { token } = JSON.parse((await lines.next()).value as string);
      const stopped = stopProcess(child.pid as number);
      const next = await mutex(world.other, path).acquire();
      await next.guard([{ op: 'set', path: register, data: 'next' }]);
      expect(next.token).toBeGreaterThan(token);
      child.stdin.write('write\n');
      stopped[Symbol.dispose]();
      const late = JSON.parse((await lines.next()).value as string);
      expect(late).toEqual({ outcome: 'LOCK_LOST', isLost: true });
      expect((await world.other.get(register)).data.toString()).toBe('next');
      await next.release();
    } finally {
      child.kill('SIGKILL');
    }
    await world.nothingLeft();
  });

  test('that is held strictly is given up when the connection is lost', async () => {
    const zk = await world.connectThrough();
    const held = await mutex(zk, newPath()).acquire();
    world.proxy.cut();
    await expect.poll(() => held.signal.aborted, PATIENCE).toBe(true);
    expect(held.signal.reason).toMatchObject({
      code: 'LOCK_LOST',
      cause: { code: 'CONNECTION_LOSS' },
    });
    await expect(held.guard([])).rejects.toMatchObject({ code: 'LOCK_LOST', outcome: 'not-sent' });
    await held.release();
    await world.nothingLeft();
  });

  test('that is held by a lease outlives a lost connection, and is asked for afterwards', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    const held = await mutex(zk, path, { onSuspend: 'lease' }).acquire();
    const asked = world.proxy.requests.length;
    world.proxy.cut();
    await expect
      .poll(
        () => world.proxy.requests.slice(asked).some((one) => one.path?.endsWith(held.path)),
        PATIENCE,
      )
      .toBe(true);
    await zk.sync('/');
    expect(held.signal.aborted).toBe(false);
    await world.other.create(`${path}-register`);
    await held.guard([{ op: 'set', path: `${path}-register`, data: 'x' }]);
    await held.release();
    await world.nothingLeft();
  });

  test('that is held by a lease is given up before the server can give it to another', async () => {
    const path = newPath();
    const zk = await world.connectThrough({ sessionTimeoutMs: 2000 });
    const held = await mutex(zk, path, { onSuspend: 'lease' }).acquire();
    const next = mutex(world.other, path).acquire();
    world.proxy.down();
    const got = await next;
    // The timer of the lease is due before the session's; a busy process may see both late, and look() sees it.
    held.look();
    expect(held.signal.aborted).toBe(true);
    expect(held.signal.reason).toMatchObject({ cause: { code: 'SESSION_EXPIRED' } });
    await got.release();
    await held.release();
  });

  test('whose znode is deleted while the connection is down is lost to a lease, too', async () => {
    const zk = await world.connectThrough();
    const held = await mutex(zk, newPath(), { onSuspend: 'lease' }).acquire();
    world.proxy.down();
    await world.other.delete(held.path);
    world.proxy.up();
    await expect.poll(() => held.signal.aborted, PATIENCE).toBe(true);
    expect(held.signal.reason).toMatchObject({ cause: { code: 'NO_NODE' } });
    await held.release();
    await world.nothingLeft();
  });

  test('is given to the next in line by the end of its holder alone, without another request', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    const held = await mutex(world.other, path).acquire();
    const waiting = mutex(zk, path).acquire();
    await expect.poll(() => world.watchCount(), PATIENCE).toBe(3);
    // Its watches are set, and answered.
    await zk.sync('/');
    world.proxy.hold('to-server');
    await held.release();
    const next = await waiting;
    expect(next.signal.aborted).toBe(false);
    world.proxy.release('to-server');
    await next.guard([]);
    await next.release();
    await world.nothingLeft();
  });

  describe('that nobody else wants', () => {
    /** Held, while whatever follows the list of contenders has not reached the server. */
    async function acquireByList(): Promise<Held> {
      const path = newPath();
      const zk = await world.connectThrough();
      await (await mutex(zk, path).acquire()).release();
      world.proxy.onRequest = ({ name }) => {
        if (name === 'getChildren2') world.proxy.hold('to-server');
        return 'forward';
      };
      return await mutex(zk, path).acquire();
    }

    test('is granted by the answers to the first two requests', async () => {
      const held = await acquireByList();
      expect(held.signal.aborted).toBe(false);
      world.proxy.release('to-server');
      await held.guard([]);
      await held.release();
      await world.nothingLeft();
    });

    test('is lost if its znode is deleted before it is watched', async () => {
      const held = await acquireByList();
      await world.other.delete(held.path);
      world.proxy.release('to-server');
      await expect.poll(() => held.signal.aborted, PATIENCE).toBe(true);
      expect(held.signal.reason).toMatchObject({ cause: { code: 'NO_NODE' } });
      await held.release();
      await world.nothingLeft();
    });

    test('is asked for before it is watched, and hears of it', async () => {
      const held = await acquireByList();
      await revoke(world.other, held.path);
      const revoked = new Promise<void>((resolve) => held.onRevoke(resolve));
      world.proxy.release('to-server');
      await revoked;
      await held.release();
      await world.nothingLeft();
    });

    test('leaves no watch if it is released before it is watched', async () => {
      const held = await acquireByList();
      const released = held.release();
      world.proxy.release('to-server');
      await released;
      await world.nothingLeft();
    });
  });

  test('whose next in line is deleted by hand has it at the end of the line', async () => {
    const path = newPath();
    const zk = await world.connect();
    const held = await mutex(world.other, path).acquire();
    const deleted = mutex(zk, path).acquire();
    await expect.poll(() => world.watchCount(), PATIENCE).toBe(3);
    const second = mutex(world.other, path).acquire();
    await expect.poll(() => countOf(path), PATIENCE).toBe(3);
    const [, next] = await mutex(world.other, path).contenders();
    await world.other.delete((next as Contender).path);
    await expect.poll(() => countOf(path), PATIENCE).toBe(3);
    await held.release();
    const got = await second;
    expect(await isOpen(deleted, zk)).toBe(true);
    await got.release();
    await (await deleted).release();
    await world.nothingLeft();
  });

  test('whose holder is asked for it is not given to the next in line before it is released', async () => {
    const path = newPath();
    const zk = await world.connect();
    const held = await mutex(world.other, path).acquire();
    const waiting = mutex(zk, path).acquire();
    await expect.poll(() => world.watchCount(), PATIENCE).toBe(3);
    await revoke(world.other, held.path);
    expect(await isOpen(waiting, zk)).toBe(true);
    await held.release();
    await (await waiting).release();
    await world.nothingLeft();
  });

  test('that waits goes on in the next session, from the end of the line', async () => {
    const path = newPath();
    const zk = await world.connectThrough();
    const held = await mutex(world.other, path).acquire();
    const waiting = mutex(zk, path).acquire();
    await expect.poll(() => countOf(path), PATIENCE).toBe(2);
    const { session } = zk;
    await world.expire(zk);
    await expect.poll(() => countOf(path), PATIENCE).toBe(2);
    expect(zk.session).not.toBe(session);
    await held.release();
    const got = await waiting;
    expect(got.session).toBe(zk.session);
    await got.release();
    await world.nothingLeft();
  });

  test('is refused when the client is closed, and when its session ends for good', async () => {
    const zk = await world.connectThrough({ onExpire: 'close' });
    const path = newPath();
    const held = await mutex(world.other, path).acquire();
    const waiting = mutex(zk, path).acquire();
    const outcome = expect(waiting).rejects.toSatisfy((error) =>
      ZkError.is(error, 'SESSION_EXPIRED', 'CLOSED'),
    );
    await expect.poll(() => countOf(path), PATIENCE).toBe(2);
    await world.expire(zk);
    await outcome;
    await held.release();
    const closed = await world.connect();
    await closed.close();
    await expect(mutex(closed, path).acquire()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('let in once is let in again inside, where that is asked for', async () => {
    const zk = await world.connect();
    const lock = mutex(zk, newPath());
    const result = await lock.run((outer) =>
      lock.run((inner) => inner.token === outer.token, { reentrant: true }),
    );
    expect(result).toBe(true);
    // What was started inside, and goes on after the lock was released, is outside.
    let leaked: Promise<number> | undefined;
    let goOn: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const token = await lock.run((held) => {
      leaked = gate.then(() => lock.run((inner) => inner.token, { reentrant: true }));
      return held.token;
    });
    goOn();
    expect(await leaked).toBeGreaterThan(token);
    await world.nothingLeft();
  });

  test('tells its holder that somebody asks for it', async () => {
    const zk = await world.connect();
    const lock = mutex(zk, newPath());
    const held = await lock.acquire();
    const heard: string[] = [];
    held.onRevoke(() => heard.push('first'));
    await world.other.set(held.path, 'something else');
    const [holder] = await lock.contenders();
    await revoke(world.other, holder?.path as string);
    await expect.poll(() => heard, PATIENCE).toEqual(['first']);
    held.onRevoke(() => heard.push('late'));
    await expect.poll(() => heard, PATIENCE).toEqual(['first', 'late']);
    expect(held.signal.aborted).toBe(false);
    await held.release();
    await revoke(world.other, held.path);
    await world.nothingLeft();
  });
});

describe('on a server that only reads', () => {
  /** The client, as it were if its server had lost its quorum: zebu has no server that only reads. */
  function onReadOnlyServer(zk: Client): { zk: Client; turn: (readOnly: boolean) => void } {
    let readOnly = true;
    const listeners = new Set<(state: State) => void>();
    const view: Client = Object.create(zk, {
      state: { get: () => ({ ...zk.state, readOnly }) },
      on: {
        value: (event: 'state', listener: (state: State) => void): Disposable => {
          expect(event).toBe('state');
          listeners.add(listener);
          return { [Symbol.dispose]: () => listeners.delete(listener) };
        },
      },
    });
    const turn = (to: boolean): void => {
      readOnly = to;
      for (const listener of [...listeners]) listener(view.state);
    };
    return { zk: view, turn };
  }

  test.each(['strict', 'lease'] as const)(
    'nothing is granted under %s, whoever is first in line',
    async (onSuspend) => {
      const path = newPath();
      const { zk, turn } = onReadOnlyServer(world.other);
      const acquiring = mutex(zk, path, { onSuspend }).acquire();
      await expect.poll(() => countOf(path), PATIENCE).toBe(1);
      expect(await isOpen(acquiring, world.other)).toBe(true);
      turn(false);
      await (await acquiring).release();
      await world.nothingLeft();
    },
  );

  test('what is held strictly is given up, and what is held by a lease is not', async () => {
    const { zk, turn } = onReadOnlyServer(world.other);
    turn(false);
    const strict = await mutex(zk, newPath()).acquire();
    const lease = await mutex(zk, newPath(), { onSuspend: 'lease' }).acquire();
    turn(true);
    expect(strict.signal.reason).toMatchObject({ code: 'LOCK_LOST' });
    expect(lease.signal.aborted).toBe(false);
    turn(false);
    await strict.release();
    await lease.release();
    await world.nothingLeft();
  });
});

describe('a read/write lock', () => {
  test('lets readers in together, and a writer alone; who comes later waits for who came before', async () => {
    const path = newPath();
    const zk = await world.connect();
    const lock = rwLock(zk, path);
    const first = await lock.read.acquire();
    const second = await lock.read.acquire();
    const writing = lock.write.acquire();
    await expect.poll(() => countOf(path), PATIENCE).toBe(3);
    const third = lock.read.acquire();
    await expect.poll(() => countOf(path), PATIENCE).toBe(4);
    await first.release();
    expect(await isOpen(writing, zk)).toBe(true);
    await second.release();
    const writer = await writing;
    expect(await isOpen(third, zk)).toBe(true);
    await writer.release();
    await (await third).release();
    await world.nothingLeft();
  });

  test('does not make a reader wait for a writer that came later', async () => {
    const zk = await world.connect();
    const lock = rwLock(zk, newPath());
    const writer = await lock.write.acquire();
    const reading = lock.read.acquire();
    await expect.poll(() => countOf(lock.read.path), PATIENCE).toBe(2);
    const later = lock.write.acquire();
    await expect.poll(() => countOf(lock.read.path), PATIENCE).toBe(3);
    await writer.release();
    await (await reading).release();
    await (await later).release();
  });

  test('downgraded lets in the readers that wait, and no writer in between', async () => {
    const path = newPath();
    const zk = await world.connect();
    const lock = rwLock(zk, path);
    const writer = await lock.write.acquire();
    const nextWriter = lock.write.acquire();
    await expect.poll(() => countOf(path), PATIENCE).toBe(2);
    const reader = await writer.downgrade();
    expect(writer.signal.aborted).toBe(false);
    await expect(writer.guard([])).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(await isOpen(nextWriter, zk)).toBe(true);
    await writer.release();
    expect(await isOpen(nextWriter, zk)).toBe(true);
    await reader.release();
    await (await nextWriter).release();
    await expect(writer.downgrade()).rejects.toMatchObject({ code: 'LOCK_LOST' });
    await world.nothingLeft();
  });
});

describe('a semaphore', () => {
  test('has at most its permits out, and gives several at once or none', async () => {
    const path = newPath();
    const zk = await world.connect();
    const three = semaphore(zk, path, { permits: 3 });
    const two = await three.acquire(2);
    expect(two.paths).toHaveLength(2);
    const one = await three.acquire();
    expect(await three.taken()).toBe(3);
    const waiting = three.acquire(2);
    expect(await isOpen(waiting, zk)).toBe(true);
    await one.release();
    expect(await isOpen(waiting, zk)).toBe(true);
    await two.release();
    const got = await waiting;
    expect(got.token).toBeGreaterThan(two.token);
    await got.release();
    expect(await three.taken()).toBe(0);
    await world.nothingLeft();
  });

  test('never has more than its permits out, however many ask', async () => {
    const path = newPath();
    const clients = [await world.connect(), await world.connect()];
    let out = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        semaphore(clients[i % 2] as Client, path, { permits: 3 }).run(async (held) => {
          out++;
          most = Math.max(most, out);
          // The first three wait for one another.
          await expect.poll(() => most, PATIENCE).toBeGreaterThanOrEqual(3);
          await clients[i % 2]?.sync(held.path);
          out--;
        }),
      ),
    );
    expect(most).toBe(3);
    await world.nothingLeft();
  });

  test('loses all of a grant when one of its permits is lost', async () => {
    const zk = await world.connect();
    const held = await semaphore(zk, newPath(), { permits: 2 }).acquire(2);
    await world.other.delete(held.paths[1] as string);
    await expect.poll(() => held.signal.aborted, PATIENCE).toBe(true);
    await expect(held.guard([])).rejects.toMatchObject({ code: 'LOCK_LOST' });
    await held.release();
    await world.nothingLeft();
  });

  test('whose number of permits grows lets in who waits', async () => {
    const zk = await world.connect();
    let changed: (() => void) | undefined;
    const permits = {
      current: 1,
      async *changes({ signal }: { signal?: AbortSignal | undefined } = {}) {
        while (signal?.aborted !== true) {
          await new Promise<void>((resolve) => {
            changed = resolve;
            signal?.addEventListener('abort', () => resolve(), { once: true });
          });
          yield;
        }
      },
    };
    const growing = semaphore(zk, newPath(), { permits });
    const first = await growing.acquire();
    const waiting = growing.acquire();
    await expect.poll(() => growing.taken(), PATIENCE).toBe(2);
    expect(await isOpen(waiting, zk)).toBe(true);
    permits.current = 2;
    changed?.();
    const second = await waiting;
    await first.release();
    await second.release();
    await world.nothingLeft();
  });

  test('that is only tried gives what is free at once, and nothing while it is not, or others wait', async () => {
    const zk = await world.connect();
    const three = semaphore(zk, newPath(), { permits: 3 });
    const two = await three.tryAcquire(2);
    expect(two?.paths).toHaveLength(2);
    expect(await three.tryAcquire(2)).toBeUndefined();
    expect(await three.taken()).toBe(2);
    const waiting = three.acquire(2);
    await expect.poll(() => three.taken(), PATIENCE).toBe(4);
    // There is one, but who came first wants it.
    expect(await three.tryAcquire()).toBeUndefined();
    expect(await isOpen(waiting, zk)).toBe(true);
    await two?.release();
    const first = await waiting;
    const third = await three.tryAcquire();
    expect(third).toBeDefined();
    await first.release();
    await third?.release();
    await expect(three.tryAcquire(4)).rejects.toThrow('there are 3 permits, never 4');
    await world.nothingLeft();
  });

  test('that is tried by three at once gives each its permit', async () => {
    const path = newPath();
    const clients = await Promise.all([world.connect(), world.connect(), world.connect()]);
    for (let round = 0; round < 10; round++) {
      const got = await Promise.all(
        clients.map((zk) => semaphore(zk, path, { permits: 3 }).tryAcquire()),
      );
      expect(got.filter((held) => held !== undefined)).toHaveLength(3);
      await Promise.all(got.map((held) => held?.release()));
    }
    await world.nothingLeft();
  });

  test('that is tried while another one is being served ends when that takes the last permit', async () => {
    const path = newPath();
    const hurt = await world.connectThrough();
    // The directories are there.
    await (await semaphore(hurt, path, { permits: 1 }).acquire()).release();
    world.proxy.onRequest = ({ name, path: at }) => {
      // It has its turn by this list; the znode of its permit is not made before the proxy is healed.
      if (name === 'getChildren2' && at?.endsWith('/locks')) world.proxy.hold('to-server');
      return 'forward';
    };
    const served = semaphore(hurt, path, { permits: 1 }).acquire();
    await expect.poll(() => countOf(`${path}/locks`), PATIENCE).toBe(1);
    const tried = semaphore(world.other, path, { permits: 1 }).tryAcquire();
    expect(await isOpen(tried, world.other)).toBe(true);
    world.proxy.heal();
    expect(await tried).toBeUndefined();
    await (await served).release();
    await world.nothingLeft();
  });

  test('is asked for no more permits than there are', async () => {
    const zk = await world.connect();
    expect(() => semaphore(zk, '/s', { permits: 0 })).toThrow('permits must be a positive integer');
    const two = semaphore(zk, newPath(), { permits: 2 });
    await expect(two.acquire(3)).rejects.toThrow('there are 2 permits, never 3');
    await expect(two.acquire(0)).rejects.toThrow('a positive integer, not 0');
  });
});

describe('a multi-lock', () => {
  test('of locks that others want in another order never waits in a circle', async () => {
    const [a, b] = [newPath(), newPath()];
    const clients = [await world.connect(), await world.connect()];
    const orders = [
      [a, b],
      [b, a],
    ];
    let rounds = 0;
    await Promise.all(
      clients.map(async (zk, i) => {
        const both = multiLock((orders[i] as string[]).map((path) => mutex(zk, path)));
        for (let round = 0; round < 10; round++) {
          await both.run(() => {
            rounds++;
          });
        }
      }),
    );
    expect(rounds).toBe(20);
    await world.nothingLeft();
  });

  test('has one time limit for all, and keeps none when it is over', async () => {
    const [a, b] = [newPath(), newPath()];
    const zk = await world.connect();
    const blocker = await mutex(world.other, b).acquire();
    const both = multiLock([mutex(zk, b), mutex(zk, a)]);
    await expect(both.acquire({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect.poll(() => countOf(a), PATIENCE).toBe(0);
    expect(await both.tryAcquire()).toBeUndefined();
    expect(await countOf(a)).toBe(0);
    await blocker.release();
    const held = await both.tryAcquire();
    expect(held?.paths).toHaveLength(2);
    await held?.guard([{ op: 'create', path: `${a}-done` }]);
    await held?.release();
    await world.nothingLeft();
  });

  test('is lost with the first of its locks', async () => {
    const zk = await world.connect();
    const held = await multiLock([mutex(zk, newPath()), mutex(zk, newPath())]).acquire();
    await world.other.delete(held.paths[1] as string);
    await expect.poll(() => held.signal.aborted, PATIENCE).toBe(true);
    await held.release();
    await world.nothingLeft();
  });

  test('starts over when one of its locks is lost while it waits for another', async () => {
    const [a, b] = [newPath(), newPath()];
    const zk = await world.connect();
    const blocker = await mutex(world.other, b).acquire();
    const waiting = multiLock([mutex(zk, a), mutex(zk, b)]).acquire();
    await expect.poll(() => countOf(b), PATIENCE).toBe(2);
    const { names } = await world.other.children(a);
    await world.other.delete(`${a}/${names[0]}`);
    await expect
      .poll(
        async () => (await world.other.children(a)).names.some((name) => name !== names[0]),
        PATIENCE,
      )
      .toBe(true);
    await blocker.release();
    const held = await waiting;
    expect(held.signal.aborted).toBe(false);
    await held.release();
    await world.nothingLeft();
  });

  test('of the same path twice is refused', async () => {
    const zk = await world.connect();
    expect(() => multiLock([mutex(zk, '/a'), mutex(zk, '/a')])).toThrow('/a is there twice');
    expect(() => multiLock([])).toThrow('at least one lock');
    expect(() => multiLock([mutex(zk, '/a'), mutex(world.other, '/b')])).toThrow('of two clients');
  });
});
