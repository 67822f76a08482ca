import { connect, ZkError } from '@zebu/client';
import { startServer, type ZebuServer } from '@zebu/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mutex } from '../src/lock.ts';

let server: ZebuServer;
beforeAll(async () => {
  server = await startServer({ port: 0 });
});
afterAll(() => server.close());

const client = () => connect(`127.0.0.1:${server.port}`);

test('one holder at a time, in the order of arrival, each with a larger token', async () => {
  await using zk = await client();
  const lock = mutex(zk, '/order');
  const order: number[] = [];
  const tokens: number[] = [];
  let holders = 0;
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      lock.run(async (held) => {
        holders++;
        expect(holders).toBe(1);
        order.push(i);
        tokens.push(held.token);
        await zk.sync('/');
        holders--;
      }),
    ),
  );
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  expect(new Set(tokens).size).toBe(20);
  expect(await zk.ephemerals()).toEqual([]);
});

test('guard carries out its operations while the lock is held, and not afterwards', async () => {
  await using zk = await client();
  await zk.create('/guarded', 'a');
  const held = await mutex(zk, '/guard').acquire();
  const [stat] = await held.guard([{ op: 'set', path: '/guarded', data: 'b' }]);
  expect(stat.version).toBe(1);
  await expect(
    held.guard([
      { op: 'check', path: '/guarded' },
      { op: 'set', path: '/guarded', data: 'x', version: 7 },
    ]),
  ).rejects.toMatchObject({ code: 'MULTI_FAILED', index: 1, message: /operation 1: / });
  await held.release();
  await expect(held.guard([{ op: 'set', path: '/guarded', data: 'c' }])).rejects.toMatchObject({
    code: 'LOCK_LOST',
    outcome: 'not-sent',
  });
  expect(held.signal.aborted).toBe(false);
});

test('a znode that somebody else deletes is a lock that is lost', async () => {
  await using zk = await client();
  await zk.create('/kept', 'a');
  const held = await mutex(zk, '/stolen').acquire();
  const lost = new Promise((resolve) => held.signal.addEventListener('abort', resolve));
  await using other = await client();
  await other.delete(held.path);
  await lost;
  expect(ZkError.is(held.signal.reason, 'LOCK_LOST')).toBe(true);
  expect(ZkError.is(held.signal.reason.cause, 'NO_NODE')).toBe(true);
  await expect(held.guard([{ op: 'set', path: '/kept', data: 'b' }])).rejects.toMatchObject({
    code: 'LOCK_LOST',
  });
  await held.release();
});

test('tryAcquire is refused while somebody holds, and leaves no znode', async () => {
  await using zk = await client();
  const lock = mutex(zk, '/try', { identity: 'me' });
  const held = await lock.acquire();
  expect(await lock.tryAcquire()).toBeUndefined();
  expect(await lock.contenders()).toEqual([
    { identity: 'me', path: held.path, token: held.token, holder: true },
  ]);
  await held.release();
  const again = await lock.tryAcquire();
  expect(again?.token).toBeGreaterThan(held.token);
  await again?.release();
});

test('who waits no longer leaves no znode', async () => {
  await using zk = await client();
  const lock = mutex(zk, '/given-up');
  await using _ = await lock.acquire();
  const controller = new AbortController();
  const waiting = lock.acquire({ signal: controller.signal });
  await expect.poll(async () => (await lock.contenders()).length).toBe(2);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
  await expect(lock.acquire({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  await expect.poll(async () => (await lock.contenders()).length).toBe(1);
});

test('run rejects when the lock was lost meanwhile', async () => {
  await using zk = await client();
  const running = mutex(zk, '/lost').run(async (held) => {
    await zk.delete(held.path);
    await expect.poll(() => held.signal.aborted).toBe(true);
    return 'done';
  });
  await expect(running).rejects.toMatchObject({ code: 'LOCK_LOST' });
});

test('an option that is unknown is a TypeError that names it', async () => {
  await using zk = await client();
  const wrong = { onSuspended: 'lease' } as object;
  expect(() => mutex(zk, '/options', wrong)).toThrow('mutex() knows no option onSuspended');
  expect(() => mutex(zk, '/options', { onSuspend: 'never' as 'lease' })).toThrow(
    'mutex(): the option onSuspend cannot be never',
  );
});
