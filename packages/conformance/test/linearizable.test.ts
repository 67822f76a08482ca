import { describe, expect, test } from 'vitest';
import { findViolation, type RegisterOperation, UndecidedHistory } from '../src/linearizable.ts';
import { mulberry32 } from '../src/load.ts';

const write = (value: string, calledAt: number, answeredAt?: number): RegisterOperation => ({
  kind: 'write',
  value,
  calledAt,
  answeredAt,
  by: 'writer',
});
const read = (value: string, calledAt: number, answeredAt: number): RegisterOperation => ({
  kind: 'read',
  value,
  calledAt,
  answeredAt,
  by: 'reader',
});

describe('histories that are linearizable', () => {
  const cases: Record<string, RegisterOperation[]> = {
    'one after the other': [write('a', 1, 2), read('a', 3, 4), write('b', 5, 6), read('b', 7, 8)],
    'a read during a write sees the old value': [write('a', 1, 5), read('0', 2, 3)],
    'a read during a write sees the new value': [write('a', 1, 5), read('a', 2, 3)],
    'writes at the same time, in the other order': [
      write('a', 1, 9),
      write('b', 2, 8),
      read('b', 3, 4),
      read('a', 10, 11),
    ],
    'a write without an answer that happened late': [
      write('a', 1),
      write('b', 2, 3),
      read('b', 4, 5),
      read('a', 6, 7),
    ],
    'a write without an answer that never happened': [write('a', 1), read('0', 2, 3)],
    'a read answered as the next write is called': [read('a', 2, 3), write('a', 3, 4)],
  };
  for (const [name, history] of Object.entries(cases)) {
    test(name, () => expect(findViolation('0', history)).toBeUndefined());
  }
});

describe('histories that are not', () => {
  const cases: Record<string, [history: RegisterOperation[], says: RegExp]> = {
    'a stale read': [[write('a', 1, 2), read('0', 3, 4)], /value a; next is one of: read of 0/],
    'a read of a value that was replaced': [
      [write('a', 1, 2), write('b', 3, 4), read('a', 5, 6)],
      /value b; next is one of: read of a/,
    ],
    'a lost write': [
      [write('a', 1, 2), read('a', 3, 4), write('b', 5, 6), read('a', 7, 8), read('a', 9, 10)],
      /value b/,
    ],
    'two readers that see two writes in different orders': [
      [write('a', 1, 20), write('b', 1, 20), read('a', 2, 3), read('b', 4, 5), read('a', 6, 7)],
      /Nothing can come/,
    ],
    'a write without an answer that is seen, and undone': [
      [write('a', 1), read('a', 2, 3), read('0', 4, 5)],
      /value a; next is one of: read of 0/,
    ],
    'a value from nowhere': [[write('a', 1, 2), read('c', 3, 4)], /nobody had written/],
    'a value from the future': [[read('a', 1, 2), write('a', 3, 4)], /nobody had written/],
  };
  for (const [name, [history, says]] of Object.entries(cases)) {
    test(name, () => expect(findViolation('0', history)).toMatch(says));
  }
});

test('agrees with a register that is run, whose every history it accepts, and refuses each with a stale read in it', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { history, stale } = runRegister(seed);
    expect(findViolation('0', history), `seed ${seed}`).toBeUndefined();
    expect(findViolation('0', [...history, stale]), `seed ${seed}`).toBeDefined();
  }
});

test('a long history is decided, and one that takes too many states is said to be undecided', () => {
  const { history } = runRegister(7, 5000);
  expect(findViolation('0', history)).toBeUndefined();
  expect(() => findViolation('0', history, { maxNodes: 100 })).toThrow(UndecidedHistory);
});

test('a value that is written twice cannot be judged', () => {
  expect(() => findViolation('0', [write('a', 1, 2), write('a', 3, 4)])).toThrow('a is written');
});

/** Six callers of a true register; each operation takes effect somewhere between its call and its answer. */
function runRegister(
  seed: number,
  count = 200,
): { history: RegisterOperation[]; stale: RegisterOperation } {
  const random = mulberry32(seed);
  const moments = Array.from({ length: count }, (_, n) => {
    const calledAt = n + random() * 2;
    const at = calledAt + random() * 3;
    return { n, calledAt, at, answeredAt: at + random() * 3, isWrite: n % 2 === 0 };
  });
  let value = '0';
  const history = [...moments]
    .sort((a, b) => a.at - b.at)
    .flatMap(({ n, calledAt, answeredAt, isWrite }): RegisterOperation[] => {
      if (!isWrite) return [read(value, calledAt, answeredAt)];
      const isLost = random() < 0.2;
      const happens = !isLost || random() < 0.5;
      if (happens) value = `v${n}`;
      return [write(`v${n}`, calledAt, isLost ? undefined : answeredAt)];
    });
  const end = Math.max(...moments.map(({ answeredAt }) => answeredAt));
  return { history, stale: read('0', end + 1, end + 2) };
}
