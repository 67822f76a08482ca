import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FLUSH_SWEEPS, LINGER_SWEEPS, Lingering } from '../src/lingering.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function ended(lingering: Lingering, queuedBytes: number) {
  const connection = {
    queuedBytes,
    destroyed: 0,
    destroy() {
      connection.destroyed++;
      lingering.delete(connection);
    },
  };
  lingering.add(connection);
  return connection;
}

const sweeps = (count: number): void => {
  vi.advanceTimersByTime(count * 1000);
};

test('a peer that does not say its end is left after a moment', () => {
  const connection = ended(new Lingering(), 0);
  sweeps(LINGER_SWEEPS - 1);
  expect(connection.destroyed).toBe(0);
  sweeps(1);
  expect(connection.destroyed).toBe(1);
});

test('one that does not read is left later, but one that reads is waited for', () => {
  const lingering = new Lingering();
  const stuck = ended(lingering, 1000);
  const slow = ended(lingering, 1000);
  for (let i = 0; i < FLUSH_SWEEPS; i++) {
    slow.queuedBytes -= 10;
    sweeps(1);
  }
  expect([stuck.destroyed, slow.destroyed]).toEqual([1, 0]);
});

test('the timer runs only while somebody waits', () => {
  const lingering = new Lingering();
  const connection = ended(lingering, 0);
  expect(vi.getTimerCount()).toBe(1);
  lingering.delete(connection);
  expect(vi.getTimerCount()).toBe(0);
  ended(lingering, 0);
  sweeps(LINGER_SWEEPS);
  expect(vi.getTimerCount()).toBe(0);
});
