// What this server refuses or lets wait so that it stays up.

import { describe, expect, test } from 'vitest';
import { create, exists, getData, setData } from './support/asks.ts';
import { World } from './support/world.ts';

const CREATE_BYTES = 8 + create('/a').body.length;

describe('jute.maxbuffer', () => {
  test.each([
    [0, false],
    [1, true],
  ])('lets a frame of its size and %i bytes more pass, or closes: %s', async (more, isClosed) => {
    const world = await World.start({ juteMaxBufferBytes: 100 });
    const client = world.client();
    const other = world.client();
    const data = 'x'.repeat(100 - CREATE_BYTES + more);
    client.send(create('/a', { data }));
    expect(client.lines()).toEqual(isClosed ? [] : ['#1 OK']);
    expect(client.isClosed).toBe(isClosed);
    expect(other.errorOf(exists('/'))).toBe('OK');
  });

  test.each(['ffffffff', '80000000', '7fffffff'])('closes on a length of %s', async (hex) => {
    const world = await World.start();
    const client = world.client().sendBytes(Buffer.from(hex, 'hex'));
    expect(client.lines()).toEqual([]);
    expect(client.isClosed).toBe(true);
  });
});

describe.each([
  ['globalOutstandingLimit', { globalOutstandingLimit: 10 }],
  ['request_throttle_max_requests', { requestThrottle: { maxRequests: 10 } }],
])('%s', (_, config) => {
  test('stops a client that writes more, and lets it go on when they are applied', async () => {
    const world = await World.start(config);
    const client = world.client();
    const other = world.client();
    world.log.isHeld = true;
    const asks = Array.from({ length: 100 }, (_, i) => create(`/n${i}`));
    client.send(...asks);
    world.run();
    expect(world.serving.sequence.size).toBe(11);
    // Reads of others are not stopped.
    expect(other.errorOf(exists('/'))).toBe('OK');
    let rounds = 0;
    while (world.serving.sequence.size > 0) {
      expect(world.serving.sequence.size).toBeLessThanOrEqual(11);
      world.log.release();
      world.run();
      rounds++;
    }
    expect(rounds).toBe(10);
    const replies = client.lines();
    expect(replies).toEqual(asks.map((_, i) => `#${i + 1} OK`));
  });

  test('stops a client that comes when it is reached already', async () => {
    const world = await World.start(config);
    const [one, two] = [world.client(), world.client()];
    world.log.isHeld = true;
    one.send(...Array.from({ length: 11 }, (_, i) => create(`/one${i}`)));
    world.run();
    two.send(...Array.from({ length: 11 }, (_, i) => create(`/two${i}`)));
    world.run();
    expect(world.serving.sequence.size).toBe(12);
    world.log.isHeld = false;
    world.log.release();
    expect([one.lines().length, two.lines().length]).toEqual([11, 11]);
  });
});

describe('a request that waited too long', () => {
  const stopped = async (config: object) => {
    const world = await World.start({ globalOutstandingLimit: 1, ...config });
    const client = world.client({ timeoutMs: 4000 });
    world.log.isHeld = true;
    client.send(create('/1'), create('/2'), create('/3'), exists('/'));
    world.run();
    return { world, client };
  };

  test('is answered THROTTLEDOP, undone, beyond throttled_op_wait_time', async () => {
    const { world, client } = await stopped({ throttledOpWaitTimeMs: 500 });
    world.time.nowMs += 501;
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#1 OK', '#2 OK', '#3 THROTTLEDOP', '#4 THROTTLEDOP']);
    expect(client.errorOf(exists('/3'))).toBe('NONODE');
  });

  test('is answered THROTTLEDOP after the writes that came before it', async () => {
    const { world, client } = await stopped({ throttledOpWaitTimeMs: 500 });
    world.time.nowMs += 501;
    // Of #1 and #2, which fill the window, the first is applied: there is room for #3.
    world.log.release(world.log.appendedZxid - 1);
    expect(client.lines()).toEqual(['#1 OK']);
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#2 OK', '#3 THROTTLEDOP', '#4 THROTTLEDOP']);
  });

  test('is served within it', async () => {
    const { world, client } = await stopped({ throttledOpWaitTimeMs: 500 });
    world.time.nowMs += 500;
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#1 OK', '#2 OK', '#3 OK', '#4 OK']);
  });

  test('longer than its session lives is dropped with its connection, where that is asked for', async () => {
    const { world, client } = await stopped({ requestThrottle: { staleLatencyCheck: true } });
    world.time.nowMs += 4001;
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(client.isClosed).toBe(true);
    expect(world.member.metrics.staleRequestsDropped).toBe(1);
  });
});

describe('large requests', () => {
  const config = { largeRequestThresholdBytes: 1000, largeRequestMaxBytes: 5000 };
  const large = (path: string) => create(path, { data: 'x'.repeat(2000) });

  test('beyond their budget close the connection, and those within it are answered', async () => {
    const world = await World.start(config);
    const [client, other] = [world.client(), world.client()];
    world.log.isHeld = true;
    client.send(large('/1'), large('/2'));
    world.run();
    other.send(create('/small'), large('/3'));
    world.run();
    expect(other.isClosed).toBe(true);
    world.log.isHeld = false;
    world.log.release();
    expect(client.lines()).toEqual(['#1 OK', '#2 OK']);
    expect(world.member.metrics.largeRequestsRejected).toBe(1);
  });

  test('give their budget back when their client is gone by the time they are applied', async () => {
    const world = await World.start(config);
    const [client, other] = [world.client(), world.client()];
    world.log.isHeld = true;
    client.send(large('/1'), large('/2'));
    world.run();
    client.transport.destroy();
    world.run();
    world.log.isHeld = false;
    world.log.release();
    world.run();
    other.must(large('/3'));
    other.send(large('/4'), large('/5'));
    expect(other.lines()).toEqual(['#1 OK', '#2 OK', '#3 OK']);
    expect(other.isClosed).toBe(false);
  });

  test('give their budget back when they are applied, failed or not', async () => {
    const world = await World.start(config);
    const client = world.client();
    for (let i = 0; i < 5; i++) client.must(large(`/ok${i}`));
    for (let i = 0; i < 5; i++) expect(client.errorOf(large('/ok1'))).toBe('NODEEXISTS');
    expect(client.isClosed).toBe(false);
  });
});

test('maxClientCnxns lets the next client of an address in when the only one has left', async () => {
  const world = await World.start({ maxClientCnxns: 1 });
  for (let i = 0; i < 3; i++) {
    const client = world.client();
    expect(client.errorOf(exists('/'))).toBe('OK');
    expect(world.dial().isClosed).toBe(true);
    client.transport.destroy();
    world.run();
  }
  expect(world.member.metrics.connectionsRejected).toBe(3);
});

test('reads parked behind a write are bounded; the rest is left unread and comes in order', async () => {
  const world = await World.start({ windowBytes: 2000 });
  const client = world.client();
  client.must(create('/a'));
  client.lines();
  world.log.isHeld = true;
  client.send(setData('/a', '1'), ...Array.from({ length: 1000 }, () => getData('/a')));
  world.run();
  const [connection] = world.member.connections;
  expect(connection?.outstanding).toBe(33);
  expect(client.transport.queuedBytes).toBeGreaterThan(10_000);
  world.log.release();
  expect(client.lines()).toEqual(Array.from({ length: 1001 }, (_, i) => `#${i + 2} OK`));
});

test('100,000 requests that a client sends at once are all answered in order', async () => {
  const world = await World.start();
  const client = world.client();
  const asks = Array.from({ length: 100_000 }, (_, i) =>
    i % 100 === 0 ? create(`/n${i}`) : exists(`/n${i - (i % 100)}`),
  );
  client.send(...asks);
  world.run();
  expect(client.frames).toHaveLength(100_000);
  for (let i = 0; i < client.frames.length; i++) {
    const frame = client.frames[i];
    if (frame?.xid !== i + 1 || frame.error !== 0) expect(frame).toBe(`xid ${i + 1}`);
  }
});
