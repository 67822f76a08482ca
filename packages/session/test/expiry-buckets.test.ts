import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpiryBuckets, Session } from '../src/index.ts';

const TICK_MS = 100;

function expired(buckets: ExpiryBuckets, nowMs: number): bigint[] {
  const ids: bigint[] = [];
  for (let one = buckets.takeExpired(nowMs); one !== undefined; one = buckets.takeExpired(nowMs)) {
    ids.push(one.id);
  }
  return ids.sort();
}

describe('a session', () => {
  test.each([
    [0, 50, 100],
    [0, 250, 300],
    [0, 300, 400],
    [50, 250, 400],
    [99, 201, 400],
  ])('touched at %i with a timeout of %i ms expires at %i, the tick after', (now, timeout, due) => {
    const buckets = new ExpiryBuckets(TICK_MS, 0);
    buckets.touch(new Session(1n, timeout), now);
    expect(expired(buckets, due - 1)).toEqual([]);
    expect(expired(buckets, due)).toEqual([1n]);
  });

  test('lives on when it is touched, and ends sooner when its timeout was made shorter', () => {
    const buckets = new ExpiryBuckets(TICK_MS, 0);
    const session = new Session(1n, 1000);
    buckets.touch(session, 0);
    buckets.touch(session, 500);
    expect(expired(buckets, 1100)).toEqual([]);
    session.timeoutMs = 100;
    buckets.touch(session, 1100);
    expect(expired(buckets, 1300)).toEqual([1n]);
  });

  test('expires on a server whose clock did not begin at 0', () => {
    const buckets = new ExpiryBuckets(TICK_MS, 10_000);
    buckets.touch(new Session(1n, 250), 10_000);
    expect(expired(buckets, 10_299)).toEqual([]);
    expect(expired(buckets, 10_300)).toEqual([1n]);
  });

  test('that was removed does not expire', () => {
    const buckets = new ExpiryBuckets(TICK_MS, 0);
    const session = new Session(1n, 100);
    buckets.touch(session, 0);
    buckets.remove(session);
    buckets.remove(session);
    expect(expired(buckets, 10_000)).toEqual([]);
  });
});

test('a session that leaves leaves those that share its tick, and no entry when it was the last', () => {
  const buckets = new ExpiryBuckets(TICK_MS, 0);
  const [first, second, third] = [1n, 2n, 3n].map((id) => new Session(id, 100)) as [
    Session,
    Session,
    Session,
  ];
  const remaining = () =>
    [...buckets.entries()].map(({ sessions }) => sessions.map(({ id }) => id));
  for (const session of [first, second, third]) buckets.touch(session, 0);
  expect(remaining()).toEqual([[3n, 2n, 1n]]);
  buckets.remove(second);
  expect(remaining()).toEqual([[3n, 1n]]);
  buckets.remove(third);
  expect(remaining()).toEqual([[1n]]);
  buckets.remove(first);
  expect(remaining()).toEqual([]);
});

test('a touch within the same tick leaves the session where it is', () => {
  const buckets = new ExpiryBuckets(TICK_MS, 0);
  const [first, second] = [new Session(1n, 100), new Session(2n, 100)];
  buckets.touch(first, 0);
  buckets.touch(second, 0);
  buckets.touch(first, 99);
  const [entry] = [...buckets.entries()];
  expect(entry?.sessions).toEqual([second, first]);
});

test('entries come soonest first, each with all its sessions', () => {
  const buckets = new ExpiryBuckets(TICK_MS, 0);
  buckets.touch(new Session(1n, 500), 0);
  buckets.touch(new Session(2n, 100), 0);
  buckets.touch(new Session(3n, 510), 0);
  expect(
    [...buckets.entries()].map(({ deadlineMs, sessions }) => [
      deadlineMs,
      sessions.map(({ id }) => id).sort(),
    ]),
  ).toEqual([
    [200, [2n]],
    [600, [1n, 3n]],
  ]);
});

test('whatever is touched and removed, those expire whose deadline has passed, and no others', () => {
  const step = fc.record({
    what: fc.constantFrom('touch', 'remove', 'sweep'),
    which: fc.nat(5),
    passMs: fc.nat(400),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const buckets = new ExpiryBuckets(TICK_MS, 0);
      const sessions = Array.from(
        { length: 6 },
        (_, i) => new Session(BigInt(i + 1), 150 * (i + 1)),
      );
      const deadlines = new Map<bigint, number>();
      let nowMs = 0;
      for (const { what, which, passMs } of steps) {
        nowMs += passMs;
        const session = sessions[which] as Session;
        if (what === 'touch') {
          buckets.touch(session, nowMs);
          const due = (Math.floor((nowMs + session.timeoutMs) / TICK_MS) + 1) * TICK_MS;
          deadlines.set(session.id, due);
        } else if (what === 'remove') {
          buckets.remove(session);
          deadlines.delete(session.id);
        } else {
          const due = [...deadlines].filter(([, at]) => at <= nowMs).map(([id]) => id);
          expect(expired(buckets, nowMs)).toEqual(due.sort());
          for (const id of due) deadlines.delete(id);
        }
      }
    }),
  );
});
