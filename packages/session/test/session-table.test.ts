import { expect, test } from 'vitest';
import { SessionTable } from '../src/index.ts';

function table(): SessionTable {
  return new SessionTable({ serverId: 1, tickMs: 100, wallNowMs: 1_700_000_000_000, nowMs: 0 });
}

test('an id is never given to two sessions', () => {
  const sessions = table();
  const first = sessions.allocateId();
  sessions.add(first + 1n, 1000, 0);
  expect(sessions.allocateId()).toBe(first + 2n);
});

test('a session is found by its id, signed or unsigned', () => {
  const sessions = table();
  const session = sessions.add(-1n, 1000, 0);
  expect(sessions.get(0xffff_ffff_ffff_ffffn)).toBe(session);
  expect(sessions.get(-1n)).toBe(session);
  expect([session.idHigh, session.idLow]).toEqual([-1, -1]);
});

test('a repeated creation only sets the timeout', () => {
  const sessions = table();
  const session = sessions.add(7n, 1000, 0);
  expect(sessions.add(7n, 2000, 0)).toBe(session);
  expect(session.timeoutMs).toBe(2000);
  expect(sessions.size).toBe(1);
});

test('a session whose end is decided does not expire, and no sign of life saves it', () => {
  const sessions = table();
  const session = sessions.add(7n, 100, 0);
  sessions.markClosing(session);
  sessions.touch(session, 50);
  expect(session.closing).toBe(true);
  expect(sessions.takeExpired(10_000)).toBe(undefined);
  expect(sessions.get(7n)).toBe(session);
  sessions.remove(session);
  expect(sessions.get(7n)).toBe(undefined);
});

test('an expired session is closing', () => {
  const sessions = table();
  sessions.add(7n, 100, 0);
  expect(sessions.takeExpired(200)?.closing).toBe(true);
});

test('a session that shows signs of life outlives its first deadline', () => {
  const sessions = table();
  const session = sessions.add(7n, 100, 0);
  expect(session.closing).toBe(false);
  sessions.touch(session, 150);
  expect(sessions.takeExpired(200)).toBe(undefined);
  expect(sessions.takeExpired(300)).toBe(session);
});

test('the end of a session is taken out of the deadlines when it is decided', () => {
  const sessions = table();
  const [closing, other] = [sessions.add(7n, 100, 0), sessions.add(8n, 100, 0)];
  sessions.markClosing(closing);
  expect([...sessions.expiries()]).toEqual([{ deadlineMs: 200, sessions: [other] }]);
  expect([...sessions.values()]).toEqual([closing, other]);
  sessions.remove(other);
  expect([...sessions.expiries()]).toEqual([]);
  expect(sessions.takeExpired(10_000)).toBe(undefined);
});
