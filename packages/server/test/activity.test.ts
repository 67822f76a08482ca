import { expect, test } from 'vitest';
import { activityOf } from '../src/activity.ts';
import type { ConnectionFacts, FourLetterSource } from '../src/words/four-letter.ts';

test('the connections with the most outstanding requests are told, the most first', () => {
  const connections = Array.from({ length: 100 }, (_, i) => ({
    remoteAddress: '::1',
    remotePort: i,
    sessionHigh: i === 99 ? 0 : -1,
    sessionLow: i === 99 ? 0 : i,
    outstanding: i,
    lastOp: 'SETD',
  })) as unknown as ConnectionFacts[];
  const source = {
    mode: 'standalone',
    lastZxid: 0x100000002,
    connections: () => connections,
    gauges: () => ({ aliveConnections: 100, outstandingRequests: 4950 }),
  } as unknown as FourLetterSource;
  const { waiting, ...rest } = activityOf(source);
  expect(rest).toEqual({
    mode: 'standalone',
    zxid: '0x100000002',
    connections: 100,
    outstandingRequests: 4950,
  });
  expect(waiting.map(({ outstanding }) => outstanding)).toEqual(
    Array.from({ length: 20 }, (_, i) => 99 - i),
  );
  expect(waiting.slice(0, 2)).toEqual([
    { client: '::1:99', session: undefined, outstanding: 99, lastOp: 'SETD' },
    { client: '::1:98', session: '0xffffffff00000062', outstanding: 98, lastOp: 'SETD' },
  ]);
});

test('a connection that waits for nothing is left out', () => {
  const source = {
    mode: 'standalone',
    lastZxid: 0,
    connections: () => [{ outstanding: 0 } as ConnectionFacts],
    gauges: () => ({ aliveConnections: 1, outstandingRequests: 0 }),
  } as unknown as FourLetterSource;
  expect(activityOf(source).waiting).toEqual([]);
});
