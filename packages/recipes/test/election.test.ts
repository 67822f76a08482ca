import { type Client, connect, ZkError } from '@zebu/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Election, election, type Leader, type Term } from '../src/election.ts';
import { everyFault, FAULTS, PATIENCE, World } from './world.ts';

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
const newPath = () => `/election-${++paths}`;

/** A candidate whose terms end when the test says so. */
class Candidate {
  readonly election: Election;
  readonly terms: Term[] = [];
  readonly running: Promise<void>;
  private readonly controller = new AbortController();
  private next: (() => void) | undefined;

  constructor(zk: Client, path: string, identity: string) {
    this.election = election(zk, path, { identity });
    this.running = this.run();
  }

  /** Ends the term it leads, and stands again. */
  step(): void {
    this.next?.();
  }

  async withdraw(): Promise<void> {
    this.controller.abort();
    this.step();
    await this.running;
  }

  async leads(count = 1): Promise<Term> {
    await expect.poll(() => this.terms.length, PATIENCE).toBeGreaterThanOrEqual(count);
    return this.terms.at(-1) as Term;
  }

  private async run(): Promise<void> {
    for await (const term of this.election.terms({ signal: this.controller.signal })) {
      this.terms.push(term);
      await new Promise<void>((resolve) => {
        this.next = resolve;
        term.signal.addEventListener('abort', () => resolve());
        if (term.signal.aborted || this.controller.signal.aborted) resolve();
      });
      this.next = undefined;
    }
  }
}

test('terms come in the order of candidacy, each with a larger token', async () => {
  const path = newPath();
  const zk = await world.connect();
  const a = new Candidate(zk, path, 'a');
  const first = await a.leads();
  const b = new Candidate(zk, path, 'b');
  await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(2);
  a.step();
  const second = await b.leads();
  expect(second.token).toBeGreaterThan(first.token);
  expect(a.terms).toHaveLength(1);
  b.step();
  expect((await a.leads(2)).token).toBeGreaterThan(second.token);
  await Promise.all([a.withdraw(), b.withdraw()]);
  await world.nothingLeft();
});

test('run leads one term; with requeue one after the other until the signal aborts', async () => {
  const zk = await world.connect();
  const one = election(zk, newPath());
  let terms = 0;
  await one.run(() => {
    terms++;
  });
  expect(terms).toBe(1);
  const controller = new AbortController();
  await one.run(
    () => {
      terms++;
      if (terms === 4) controller.abort();
    },
    { requeue: true, signal: controller.signal },
  );
  expect(terms).toBe(4);
  await world.nothingLeft();
});

test('run rejects with what leading throws, and resigns', async () => {
  const zk = await world.connect();
  const one = election(zk, newPath());
  const leading = one.run(
    () => {
      throw new Error('no longer');
    },
    { requeue: true },
  );
  await expect(leading).rejects.toThrow('no longer');
  expect(await one.leader()).toBeUndefined();
});

test('run rejects when the term was lost, and with requeue leads another', async () => {
  const zk = await world.connect();
  const one = election(zk, newPath());
  const lose = async (term: Term): Promise<void> => {
    await zk.delete(term.path);
    await expect.poll(() => term.signal.aborted, PATIENCE).toBe(true);
  };
  await expect(one.run(lose)).rejects.toMatchObject({ code: 'LOCK_LOST' });
  const controller = new AbortController();
  let terms = 0;
  await one.run(
    async (term) => {
      terms++;
      if (terms === 1) {
        await lose(term);
        term.signal.throwIfAborted();
      }
      controller.abort();
    },
    { requeue: true, signal: controller.signal },
  );
  expect(terms).toBe(2);
  await world.nothingLeft();
});

test('a candidate that withdraws while it waits leaves nothing', async () => {
  const path = newPath();
  const zk = await world.connect();
  const leader = new Candidate(zk, path, 'leader');
  await leader.leads();
  const waiting = new Candidate(zk, path, 'waiting');
  await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(2);
  await waiting.withdraw();
  expect(waiting.terms).toHaveLength(0);
  await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(1);
  await leader.withdraw();
  await world.nothingLeft();
});

test('disposing an election ends its term and its candidacies', async () => {
  const path = newPath();
  const zk = await world.connect();
  const a = new Candidate(zk, path, 'a');
  await a.leads();
  await a.election[Symbol.asyncDispose]();
  expect(await a.election.leader()).toBeUndefined();
  a.step();
  await a.running;
  await world.nothingLeft();
});

test('followers see each leader, and when there is none', async () => {
  const path = newPath();
  const zk = await world.connect();
  const seen: (Leader | undefined)[] = [];
  const controller = new AbortController();
  const watching = (async () => {
    const { signal } = controller;
    for await (const leader of election(world.other, path).watchLeader({ signal })) {
      seen.push(leader);
    }
  })();
  await expect.poll(() => seen.length, PATIENCE).toBe(1);
  const a = new Candidate(zk, path, 'a');
  await expect.poll(() => seen.at(-1)?.identity, PATIENCE).toBe('a');
  const b = new Candidate(zk, path, 'b');
  await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(2);
  await a.withdraw();
  await expect.poll(() => seen.at(-1)?.identity, PATIENCE).toBe('b');
  expect(seen.at(-1)?.token).toBe((await b.leads()).token);
  await b.withdraw();
  await expect.poll(() => seen.at(-1), PATIENCE).toBeUndefined();
  expect(seen[0]).toBeUndefined();
  controller.abort();
  await watching;
  await world.nothingLeft();
});

test('what a leader publishes is refused once its term is over', async () => {
  const path = newPath();
  const zk = await world.connect();
  const a = new Candidate(zk, path, 'a');
  const first = await a.leads();
  await first.publish('127.0.0.1:1');
  expect(await a.election.published()).toEqual({
    token: first.token,
    identity: 'a',
    data: '127.0.0.1:1',
  });
  a.step();
  const second = await a.leads(2);
  await second.publish('127.0.0.1:2');
  await expect(first.publish('127.0.0.1:1')).rejects.toMatchObject({ code: 'LOCK_LOST' });
  expect(await a.election.published()).toMatchObject({ data: '127.0.0.1:2' });
  await a.withdraw();
});

test('exactly one watcher wakes per hand-over', async () => {
  const path = newPath();
  const zk = await world.connect();
  const leader = new Candidate(zk, path, 'leader');
  await leader.leads();
  const hurt = await world.connectThrough();
  const waiting: Candidate[] = [];
  for (let i = 0; i < 20; i++) {
    waiting.push(new Candidate(hurt, path, String(i)));
    await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(i + 2);
  }
  // The holder's own, and one of each that waits.
  await expect.poll(() => world.watchCount(), PATIENCE).toBe(21);
  const before = world.proxy.events.length;
  await leader.withdraw();
  await waiting[0]?.leads();
  expect(world.proxy.events.length - before).toBe(1);
  await Promise.all(waiting.map((one) => one.withdraw()));
  await world.nothingLeft();
});

test('a directory that is deleted costs the leader its term, and all stand again', async () => {
  const path = newPath();
  const zk = await world.connect();
  const candidates = ['a', 'b', 'c'].map((name) => new Candidate(zk, path, name));
  await expect.poll(async () => (await zk.children(path)).names.length, PATIENCE).toBe(3);
  const leads = () => candidates.flatMap(({ terms }) => terms).filter((one) => !one.signal.aborted);
  await expect.poll(() => leads().length, PATIENCE).toBe(1);
  const [lost] = leads();
  await world.other.delete(path, { recursive: true });
  await expect.poll(() => lost?.signal.aborted, PATIENCE).toBe(true);
  await expect.poll(() => leads().length, PATIENCE).toBeGreaterThanOrEqual(1);
  await Promise.all(candidates.map((one) => one.withdraw()));
  await world.nothingLeft();
});

test('connections lost twice in a row leave one znode per candidate, and one leader (CURATOR-620)', async () => {
  const path = newPath();
  const hurt = await world.connectThrough();
  const other = new Candidate(await world.connect(), path, 'other');
  await other.leads();
  const a = new Candidate(hurt, path, 'a');
  const names = async () => (await world.other.children(path)).names.length;
  await expect.poll(names, PATIENCE).toBe(2);
  for (let i = 0; i < 2; i++) {
    world.proxy.cut();
    await expect.poll(() => hurt.state.status, PATIENCE).toBe('connected');
  }
  other.step();
  const term = await a.leads();
  await expect.poll(names, PATIENCE).toBe(2);
  world.proxy.cut();
  await expect.poll(() => term.signal.aborted, PATIENCE).toBe(true);
  world.proxy.cut();
  // Back in the line, after the other.
  await other.leads(2);
  await expect.poll(names, PATIENCE).toBe(2);
  await Promise.all([a.withdraw(), other.withdraw()]);
  await world.nothingLeft();
});

test('a znode of an earlier session that is still there is nobody to take for oneself (CURATOR-696)', async () => {
  const path = newPath();
  // A clock that is eight times as fast: the client gives its session up long before the server could.
  const { environment } = world.other;
  const zk = await world.connectThrough({
    sessionTimeoutMs: 12_000,
    environment: {
      ...environment,
      now: () => environment.now() * 8,
      setTimer: (callback, ms) => environment.setTimer(callback, ms / 8),
    },
  });
  const a = new Candidate(zk, path, 'a');
  const first = await a.leads();
  const { session } = zk;
  // The server keeps the session, as one does that comes back after a long pause; its owner believes it over.
  world.proxy.down();
  const keeper = await connect({
    servers: `${world.address.host}:${world.address.port}${world.root}`,
    resume: session,
  });
  await expect.poll(() => first.signal.aborted, PATIENCE).toBe(true);
  await expect.poll(() => session.signal.aborted, PATIENCE).toBe(true);
  world.proxy.up();
  await expect.poll(async () => (await world.other.children(path)).names.length, PATIENCE).toBe(2);
  await zk.sync('/');
  expect(a.terms).toHaveLength(1);
  expect(await a.election.leader()).toEqual({ identity: 'a', token: first.token });
  await keeper.close();
  const second = await a.leads(2);
  expect(second.token).toBeGreaterThan(first.token);
  expect(second.session).not.toBe(session);
  await a.withdraw();
  await world.nothingLeft();
});

test('a leader that is cut off without a word is replaced when its session ends', async () => {
  const path = newPath();
  const hurt = await world.connectThrough({ sessionTimeoutMs: 2000 });
  const a = new Candidate(hurt, path, 'a');
  const first = await a.leads();
  const b = new Candidate(await world.connect(), path, 'b');
  world.proxy.blackHole('to-server');
  world.proxy.blackHole('to-client');
  const second = await b.leads();
  expect(second.token).toBeGreaterThan(first.token);
  await expect.poll(() => first.signal.aborted, PATIENCE).toBe(true);
  await expect(first.publish('late')).rejects.toMatchObject({ code: 'LOCK_LOST' });
  world.proxy.heal();
  await Promise.all([a.withdraw(), b.withdraw()]);
  await world.nothingLeft();
});

test('candidates are in the order of creation where the number wraps', async () => {
  const path = newPath();
  const zk = await world.connect();
  await zk.create(path);
  for (const number of ['-2147483648', '2147483646', '2147483647']) {
    await zk.create(`${path}/_c_x-lock-${number}`, number, { mode: 'ephemeral' });
  }
  const one = election(zk, path);
  const led: (string | undefined)[] = [];
  for (let leader = await one.leader(); leader !== undefined; leader = await one.leader()) {
    led.push(leader.identity);
    await zk.delete(`${path}/_c_x-lock-${leader.identity}`);
  }
  expect(led).toEqual(['2147483646', '2147483647', '-2147483648']);
});

test('five candidates through 200 terms and constant faults: what they write is in the order of their tokens', async () => {
  const path = newPath();
  const register = `${path}-register`;
  await world.other.create(register);
  const { proxy } = world;
  const controller = new AbortController();
  const writes: { token: number; mzxid: number }[] = [];
  let terms = 0;
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => world.connectThrough({ sessionTimeoutMs: 20_000 })),
  );
  const candidates = clients.map((zk) =>
    election(zk, path).run(
      async (term) => {
        terms++;
        if (terms >= 200) controller.abort();
        if (terms % 7 === 0) proxy.cut();
        if (terms % 13 === 0) await world.expire(clients[terms % 5] as Client);
        try {
          const ops = [{ op: 'set', path: register, data: String(term.token) }] as const;
          const [stat] = await term.guard(ops);
          writes.push({ token: term.token, mzxid: stat.mzxid });
        } catch (error) {
          if (!ZkError.is(error, 'LOCK_LOST', 'CONNECTION_LOSS')) throw error;
        }
      },
      { requeue: true, signal: controller.signal },
    ),
  );
  await Promise.all(candidates);
  expect(writes.length).toBeGreaterThan(100);
  const inOrder = writes.toSorted((a, b) => a.mzxid - b.mzxid).map(({ token }) => token);
  expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
  await world.nothingLeft();
});

describe.each(FAULTS)('with each request %s', (kind) => {
  test('a candidate leads in the end, and what is published is in the order of the terms', async () => {
    const hurt = await everyFault(world, kind, async ({ zk, path }) => {
      const incumbent = new Candidate(world.other, path, 'incumbent');
      const first = await incumbent.leads();
      await first.publish('first');
      const led = election(zk, path, { identity: 'hurt' }).run(
        async (term) => {
          try {
            await term.publish('hurt');
          } catch (error) {
            if (!ZkError.is(error, 'LOCK_LOST', 'CONNECTION_LOSS')) throw error;
          }
        },
        // Until it has led a term to its end.
      );
      const outcome = Promise.allSettled([led]);
      await incumbent.withdraw();
      const [{ status }] = await outcome;
      if (status === 'rejected') {
        // It had led, and lost it.
        await expect(led).rejects.toMatchObject({ code: 'LOCK_LOST' });
      }
      const last = new Candidate(world.other, path, 'last');
      await (await last.leads()).publish('last');
      expect(await last.election.published()).toMatchObject({ data: 'last' });
      await last.withdraw();
    });
    expect(hurt).toBeGreaterThanOrEqual(4);
  });

  test('a follower sees the leader', async () => {
    await everyFault(world, kind, async ({ zk, path }) => {
      const controller = new AbortController();
      const seen: (string | undefined)[] = [];
      const { signal } = controller;
      const watching = (async () => {
        for await (const leader of election(zk, path).watchLeader({ signal })) {
          seen.push(leader?.identity);
        }
      })();
      await expect.poll(() => seen.length, PATIENCE).toBeGreaterThan(0);
      const a = new Candidate(world.other, path, 'a');
      await expect.poll(() => seen.at(-1), PATIENCE).toBe('a');
      await a.withdraw();
      await expect.poll(() => seen.at(-1), PATIENCE).toBeUndefined();
      controller.abort();
      await watching;
    });
  });
});
