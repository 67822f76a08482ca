// Counting what waits, by itself: limits, large requests and the bucket of connect requests.

import { OpCode } from '@zebu/protocol';
import { describe, expect, test } from 'vitest';
import { DEFAULT_ENSEMBLE } from '../src/config/ensemble-config.ts';
import { defaultServerConfig, type ServerConfigOverrides } from '../src/config/server-config.ts';
import { Throttle } from '../src/turns/throttle.ts';

function make(overrides: ServerConfigOverrides, random = 0.5) {
  const clock = { nowMs: 0, random };
  const throttle = new Throttle({
    config: defaultServerConfig(overrides),
    random: () => clock.random,
    nowMs: () => clock.nowMs,
  });
  return { clock, throttle };
}

test.each([
  [100, 0, 100],
  [100, 20, 20],
  [20, 100, 20],
])(
  'of globalOutstandingLimit %i and maxRequests %i (0: none) the lower counts',
  (all, max, limit) => {
    const { throttle } = make({
      globalOutstandingLimit: all,
      requestThrottle: { maxRequests: max },
    });
    expect([throttle.isFull(limit), throttle.isFull(limit + 1)]).toEqual([false, true]);
  },
);

test.each([
  ['a voter of three', 3, 0, 1, 50],
  ['a voter of five', 5, 2, 1, 25],
  ['a voter of seven', 7, 0, 7, 16],
  ['a voter of two', 2, 0, 1, 100],
  ['an observer', 3, 1, 4, 100],
])(
  '%s may have its share of globalOutstandingLimit outstanding',
  (_, voters, observers, sid, limit) => {
    const members = Array.from({ length: voters + observers }, (_, index) => ({
      sid: index + 1,
      addresses: [],
      role: index < voters ? ('participant' as const) : ('observer' as const),
      clientAddress: undefined,
    }));
    const ensemble = { ...DEFAULT_ENSEMBLE, sid, members };
    const { throttle } = make({ globalOutstandingLimit: 100, ensemble });
    expect([throttle.isFull(limit), throttle.isFull(limit + 1)]).toEqual([false, true]);
  },
);

test('release lets everyone go on once, and who waits again meanwhile waits for the next', () => {
  const { throttle } = make({});
  const resumed: string[] = [];
  const again = {
    throttleLifted: () => {
      resumed.push('again');
      throttle.wait(again);
    },
  };
  throttle.wait(again);
  throttle.wait({ throttleLifted: () => resumed.push('once') });
  throttle.release();
  expect(resumed).toEqual(['again', 'once']);
  throttle.release();
  expect(resumed).toEqual(['again', 'once', 'again']);
});

test.each([
  ['getData', OpCode.getData, 101, true],
  ['getData in time', OpCode.getData, 100, false],
  ['ping', OpCode.ping, 9999, false],
  ['createSession', OpCode.createSession, 9999, false],
  ['closeSession', OpCode.closeSession, 9999, false],
])('%s is throttled or not', (_, type, waitedMs, isThrottled) => {
  expect(make({ throttledOpWaitTimeMs: 100 }).throttle.isThrottled(waitedMs, type)).toBe(
    isThrottled,
  );
  expect(make({}).throttle.isThrottled(waitedMs, type)).toBe(false);
});

test.each([true, false])('latencyCheck %s decides whether a late request is stale', (isStale) => {
  const { throttle } = make({ requestThrottle: { staleLatencyCheck: isStale } });
  expect(throttle.isStale(5001, 5000)).toBe(isStale);
  expect(throttle.isStale(5000, 5000)).toBe(false);
});

test.each([true, false])('dropStale %s decides whether its connection goes', (dropStale) => {
  expect(make({ requestThrottle: { dropStale } }).throttle.dropsStale).toBe(dropStale);
});

test('only requests above the threshold are large', () => {
  const { throttle } = make({ largeRequestThresholdBytes: 100 });
  expect([throttle.largeSize(100), throttle.largeSize(101)]).toEqual([0, 101]);
  expect(make({}).throttle.largeSize(1 << 30)).toBe(0);
});

describe('connect requests', () => {
  test.each([
    ['new sessions', 0n, 3],
    ['sessions that come back', 7n, 5],
  ])('of %s cost what their weight says', (_, sessionId, admitted) => {
    const { throttle } = make({
      connectionThrottle: {
        tokens: 10,
        fillTimeMs: 1000,
        weightEnabled: true,
        globalSessionWeight: 3,
        renewSessionWeight: 2,
      },
    });
    let count = 0;
    while (throttle.admitConnect(sessionId)) count++;
    expect(count).toBe(admitted);
    expect(throttle.connectsRejected).toBe(1);
  });

  test('are all let in without tokens configured', () => {
    const { throttle } = make({});
    for (let i = 0; i < 1000; i++) expect(throttle.admitConnect(0n)).toBe(true);
  });

  test('never find more tokens than the bucket holds, and lose no part of a fill', () => {
    const { clock, throttle } = make({
      connectionThrottle: { tokens: 3, fillTimeMs: 100, fillCount: 1 },
    });
    const admit = (): number => {
      let count = 0;
      while (throttle.admitConnect(0n)) count++;
      return count;
    };
    expect(admit()).toBe(3);
    clock.nowMs = 150;
    expect(admit()).toBe(1);
    clock.nowMs = 200;
    expect(admit()).toBe(1);
    clock.nowMs = 100_000;
    expect(admit()).toBe(3);
  });

  test('are dropped by chance more and more while the bucket is empty, and less once it fills', () => {
    const { clock, throttle } = make({
      connectionThrottle: {
        tokens: 2,
        fillTimeMs: 100_000,
        fillCount: 2,
        freezeTimeMs: 10,
        dropIncrease: 0.4,
        dropDecrease: 0.3,
        decreaseRatio: 0.5,
      },
    });
    throttle.admitConnect(0n);
    throttle.admitConnect(0n);
    const chances: number[] = [];
    for (clock.nowMs = 10; clock.nowMs <= 40; clock.nowMs += 10) {
      throttle.admitConnect(0n);
      chances.push(throttle.connectionDropChance);
    }
    expect(chances).toEqual([0.4, 0.8, 1, 1]);
    clock.nowMs = 100_000;
    clock.random = 0.8;
    expect(throttle.admitConnect(0n)).toBe(true);
    expect(throttle.connectionDropChance).toBeCloseTo(0.7);
  });
});
