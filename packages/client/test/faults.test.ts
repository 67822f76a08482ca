// A client under random faults, in virtual time: connections cut at any byte, servers that fall
// silent or refuse the session, calls that are given up. Whatever happens, each write is carried out
// at most once and in the order of the calls, and what the client says of it is true.

import { OpCode } from '@zebu/protocol';
import { expect, test } from 'vitest';
import { ZkError } from '../src/index.ts';
import { grantSession, refuseSession, type ServerRequest, stat, World, znode } from './world.ts';

const SEEDS = 60;
const CALLS = 300;

/** Mulberry32. */
function prng(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('seed %i', async (seed) => {
  const random = prng(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const world = new World((available) => 1 + below(available));

  // The server's tree is one register; what was set there, in order.
  const applied: number[] = [];
  let refusals = 0;
  const server = await world.serve({
    request: (request) => {
      answer(request, applied);
      const fate = below(100);
      if (fate < 2) request.connection.connection.end();
      else if (fate < 3) request.connection.isMute = true;
    },
    handshake: (request) => {
      const fate = below(20);
      if (fate === 0) return undefined;
      if (fate === 1 && request.sessionId !== 0n) {
        refusals++;
        return refuseSession();
      }
      return grantSession(request);
    },
  });
  const connecting = world.connecting();
  await world.advance(20_000);
  const zk = await connecting;

  const outcomes = new Map<number, 'done' | 'failed' | 'not-sent' | 'unknown'>();
  const reads: { answered: string; appliedBefore: number }[] = [];
  for (let i = 0; i < CALLS; i++) {
    const controller = new AbortController();
    const options = below(10) === 0 ? { signal: controller.signal } : {};
    if (below(3) === 0) {
      const appliedBefore = applied.length;
      zk.get('/r', options).then(
        ({ data }) => reads.push({ answered: data.toString(), appliedBefore }),
        (error) => expect(ZkError.is(error)).toBe(true),
      );
    } else {
      zk.set('/r', String(i), options).then(
        () => outcomes.set(i, 'done'),
        (error: ZkError) => outcomes.set(i, error.outcome),
      );
    }
    if (below(4) === 0) await world.settle();
    controller.abort();
    if (below(20) === 0) server.last.connection.destroy();
    if (below(10) === 0) await world.advance(below(3000));
  }
  await world.advance(120_000);
  const closing = zk.close();
  await world.advance(10_000);
  await closing;

  const times = new Map<number, number>();
  for (const value of applied) times.set(value, (times.get(value) ?? 0) + 1);
  expect([...times.values()].every((count) => count === 1)).toBe(true);
  expect(applied).toEqual([...applied].sort((a, b) => a - b));
  for (const [i, outcome] of outcomes) {
    if (outcome === 'done') expect(times.get(i), `call ${i}, said to be done`).toBe(1);
    if (outcome === 'not-sent')
      expect(times.get(i), `call ${i}, said not to be sent`).toBeUndefined();
  }
  for (const { answered, appliedBefore } of reads) {
    const at = answered === '' ? 0 : applied.indexOf(Number(answered)) + 1;
    expect(at, 'a read went back in time').toBeGreaterThanOrEqual(appliedBefore);
  }
  expect(zk.session.generation).toBeGreaterThanOrEqual(refusals > 0 ? 2 : 1);
  expect(zk.state.status).toBe('closed');
  expect(world.runningTimers).toBe(0);
});

function answer({ connection, xid, type, body }: ServerRequest, applied: number[]): void {
  if (type === OpCode.getData) connection.reply(xid, 0, znode(String(applied.at(-1) ?? '')));
  else if (type === OpCode.setData) {
    body.string();
    applied.push(Number(body.buffer()?.toString()));
    connection.reply(xid, 0, stat);
  } else connection.reply(xid);
}
