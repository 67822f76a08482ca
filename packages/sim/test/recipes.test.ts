// Locks and elections in simulation: fixed seeds that must run clean, and defects that must be found.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, ZkError } from '@zebu/client';
import { describe, expect, test } from 'vitest';
import { CounterAccount, QueueAccount } from '../src/recipes/accounts.ts';
import { runRecipePlan } from '../src/recipes/engine.ts';
import { Grants } from '../src/recipes/grants.ts';
import { drawRecipePlan, formatRecipePlan, parseRecipePlan } from '../src/recipes/plan.ts';
import type { RecipePlant } from '../src/recipes/recipe-world.ts';

const FIXED_SEEDS = 30;
/** A defect is looked for in so many. */
const PLANT_SEEDS = 100;
const TEST_MS = 600_000;

test(`${FIXED_SEEDS} fixed seeds run clean`, { timeout: TEST_MS }, async () => {
  const seen: Record<string, number> = {};
  for (let seed = 1; seed <= FIXED_SEEDS; seed++) {
    const { report, failure } = await runRecipePlan(drawRecipePlan(seed));
    expect(failure?.message, `seed ${seed}`).toBe(undefined);
    for (const [name, times] of Object.entries(report?.seen ?? {})) {
      seen[name] = (seen[name] ?? 0) + times;
    }
  }
  // Runs in which nobody holds anything, or nobody is hurt, prove nothing.
  expect(seen['lock granted']).toBeGreaterThan(10 * FIXED_SEEDS);
  expect(seen['term led']).toBeGreaterThan(10 * FIXED_SEEDS);
  expect(seen['guard: LOCK_LOST']).toBeGreaterThan(0);
  expect(seen['sum made']).toBeGreaterThan(10 * FIXED_SEEDS);
  expect(seen['item done']).toBeGreaterThan(10 * FIXED_SEEDS);
});

test('two runs of a plan are the same run', { timeout: TEST_MS }, async () => {
  const plan = drawRecipePlan(3);
  const [first, second] = [await runRecipePlan(plan), await runRecipePlan(plan)];
  expect(first.report?.hash).toBe(second.report?.hash);
  expect(parseRecipePlan(formatRecipePlan(plan))).toEqual(plan);
});

/** Plans that failed once, as the command left them. */
test.each([
  [
    'a grant whose confirmation lay in a process that was stopped is not taken',
    'confirmed-too-late',
  ],
  [
    'a znode that is deleted while its grant is under way is told of afterwards',
    'deleted-meanwhile',
  ],
  [
    'a holder that hears of changes and gets no answers is not taken for connected',
    'events-without-answers',
  ],
  [
    'a holder that was stopped, and is cut off by then, gives up when its session may be over',
    'stopped-then-cut-off',
  ],
  [
    'a connection whose handshake was answered during a stop is served afterwards',
    'handshake-during-a-stop',
  ],
  [
    'what a session that is over has left may stay until the server ends it',
    'left-by-an-ended-session',
  ],
  ['an add that its session ends under is made in the next one', 'an-add-of-an-ended-session'],
])('%s', { timeout: TEST_MS }, async (_what, name) => {
  const text = readFileSync(join(import.meta.dirname, 'plans', `${name}.json`), 'utf8');
  const { failure } = await runRecipePlan(parseRecipePlan(text));
  expect(failure?.message).toBe(undefined);
});

test('a plan that cannot be meant is refused', () => {
  const plan = drawRecipePlan(1);
  expect(() => parseRecipePlan(JSON.stringify({ ...plan, rounds: 'many' }))).toThrow('rounds');
  const faults = [{ atMs: 1, kind: 'flood', target: 'client', client: 0, forMs: 1 }];
  expect(() => parseRecipePlan(JSON.stringify({ ...plan, faults }))).toThrow('flood');
});

test('grants that overlap, or write out of order, are violations', () => {
  const grant = (who: string, token: number, isOver: boolean) => ({
    who,
    token,
    isOver: () => isOver,
    isExcused: false,
  });
  const overlapping = new Grants('it');
  overlapping.granted(grant('a', 1, true));
  overlapping.granted(grant('b', 2, false));
  expect(() => overlapping.granted(grant('c', 3, false))).toThrow('mutual-exclusion');
  expect(() => new Grants('it').granted(grant('a', 1, true))).not.toThrow();
  const excused = new Grants('it');
  excused.meddled(1);
  excused.granted(grant('a', 1, false));
  expect(() => excused.granted(grant('b', 2, false))).not.toThrow();
  const again = new Grants('it');
  again.granted(grant('a', 1, true));
  expect(() => again.granted(grant('a', 1, true))).toThrow('tokens');
  const writes = new Grants('it');
  writes.wrote({ token: 5, mzxid: 10, who: 'a' });
  writes.wrote({ token: 4, mzxid: 9, who: 'b' });
  expect(() => writes.wrote({ token: 4, mzxid: 11, who: 'b' })).toThrow('token-order');
});

/** A client some of whose calls do something else. */
function replacing(
  zk: Client,
  replaced: (zk: Client) => Partial<Record<keyof Client, unknown>>,
): Client {
  const calls = replaced(zk);
  return new Proxy(zk, {
    get: (target, name) => {
      if (Object.hasOwn(calls, name)) return calls[name as keyof Client];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const PLANTS: readonly {
  readonly what: string;
  readonly plant: RecipePlant;
  readonly finds: readonly string[];
}[] = [
  {
    what: 'writes under guard do not check the znode',
    plant: (zk) =>
      replacing(zk, () => ({
        multi: async (ops: Parameters<Client['multi']>[0]) => [
          undefined,
          ...(await zk.multi(ops.slice(1))),
        ],
      })),
    finds: ['token-order'],
  },
  {
    what: 'the holder hears neither of a lost connection nor of the time',
    plant: (zk) =>
      replacing(zk, () => ({
        on: () => ({ [Symbol.dispose]: () => {} }),
        environment: Object.create(zk.environment, { now: { value: () => 0 } }),
      })),
    finds: ['mutual-exclusion'],
  },
  {
    what: 'a znode whose reply was lost is not looked for',
    plant: (zk) =>
      replacing(zk, () => ({
        children: async (...[path, options]: Parameters<Client['children']>) => {
          const children = await zk.children(path, options);
          return options?.consistency === 'synced' ? { ...children, names: [] } : children;
        },
      })),
    finds: ['liveness', 'nothing-left'],
  },
  {
    what: 'a release is not repeated when its connection is lost',
    plant: (zk) =>
      replacing(zk, () => ({
        delete: (...[path, options]: Parameters<Client['delete']>) =>
          zk.delete(path, { ...options, retry: false }).catch(() => {}),
      })),
    finds: ['liveness', 'nothing-left'],
  },
];

describe.each(PLANTS)('a planted defect is found: $what', ({ plant, finds }) => {
  test.each(['lock', 'election'] as const)('in the %s', { timeout: TEST_MS }, async (only) => {
    for (let seed = 1; seed <= PLANT_SEEDS; seed++) {
      const { failure } = await runRecipePlan(drawRecipePlan(seed), { plant, only });
      if (failure === undefined) continue;
      expect(finds).toContain(failure.kind);
      return;
    }
    expect.fail(`not found in ${PLANT_SEEDS} seeds`);
  });
});

test('adds and items that do not balance are violations', () => {
  const sums = new CounterAccount();
  sums.added('a', 1n);
  expect(() => sums.added('b', 1n)).toThrow('counted-twice');
  sums.unknown = 1;
  expect(() => sums.balance(1n)).toThrow('counter');
  expect(() => sums.balance(4n)).toThrow('counter');
  expect(() => sums.balance(3n)).not.toThrow();

  const items = new QueueAccount();
  items.put.add('x');
  expect(() => items.balance()).toThrow('item-lost');
  items.acknowledged('a', 'x');
  expect(() => items.balance()).not.toThrow();
  expect(() => items.acknowledged('b', 'x')).toThrow('done-twice');
  items.acknowledged('b', 'y');
  expect(() => items.balance()).toThrow('item-invented');
  items.maybePut.add('y');
  expect(() => items.balance()).not.toThrow();
});

/** Says of a write whose reply was lost that it was not sent: what uses it makes it again. */
async function blindly<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!ZkError.is(error, 'CONNECTION_LOSS') || error.outcome !== 'unknown') throw error;
    throw new ZkError('CONNECTION_LOSS', { op: error.op, path: error.path, outcome: 'not-sent' });
  }
}

test.each([
  {
    only: 'counter' as const,
    what: 'an add whose reply was lost is made again',
    plant: ((zk) =>
      replacing(zk, () => ({
        set: (...args: Parameters<Client['set']>) => blindly(zk.set(...args)),
      }))) as RecipePlant,
    finds: ['counter', 'counted-twice'],
  },
  {
    only: 'queue' as const,
    what: 'an item whose reply was lost is put again',
    plant: ((zk) =>
      replacing(zk, () => ({
        multi: (...args: Parameters<Client['multi']>) => blindly(zk.multi(...args)),
      }))) as RecipePlant,
    finds: ['done-twice'],
  },
  {
    only: 'queue' as const,
    what: 'an acknowledgement does not delete the item',
    plant: ((zk) =>
      replacing(zk, () => ({
        multi: (...[ops, options]: Parameters<Client['multi']>) =>
          zk.multi(
            ops.filter(({ op, path }) => op !== 'delete' || !path.includes('/entries/')),
            options,
          ),
      }))) as RecipePlant,
    finds: ['done-twice'],
  },
])('a planted defect is found: $what', { timeout: TEST_MS }, async ({ only, plant, finds }) => {
  for (let seed = 1; seed <= PLANT_SEEDS; seed++) {
    const { failure } = await runRecipePlan(drawRecipePlan(seed), { plant, only });
    if (failure === undefined) continue;
    expect(finds).toContain(failure.kind);
    return;
  }
  expect.fail(`not found in ${PLANT_SEEDS} seeds`);
});
