// A client that asks, or watches, and does not read what it gets.

import { Xid } from '@zebu/protocol';
import type { Connection } from '@zebu/transport';
import { describe, expect, test } from 'vitest';
import { addWatch, create, exists, getData, setData } from './support/asks.ts';
import type { RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const DATA_BYTES = 100_000;
const WINDOW_BYTES = 65_536;

async function slowWorld(): Promise<{ world: World; slow: RawClient; other: RawClient }> {
  const world = await World.start();
  const [slow, other] = [world.client(), world.client({ timeoutMs: 40_000 })];
  other.must(create('/big', { data: 'x'.repeat(DATA_BYTES) }), create('/small'));
  slow.transport.pause();
  return { world, slow, other };
}

function queuedFor(world: World): number {
  return Math.max(...[...world.member.connections].map(({ transport }) => transport.queuedBytes));
}

describe('a client that does not read its replies', () => {
  test('is not read from either beyond a megabyte, and gets all in order once it reads', async () => {
    const { world, slow, other } = await slowWorld();
    slow.send(...Array.from({ length: 200 }, () => getData('/big')));
    world.run();
    expect(queuedFor(world)).toBeGreaterThan(1 << 20);
    expect(queuedFor(world)).toBeLessThan((1 << 20) + 3 * DATA_BYTES);
    expect(other.errorOf(exists('/small'))).toBe('OK');
    slow.transport.resume();
    expect(slow.lines()).toEqual(Array.from({ length: 200 }, (_, i) => `#${i + 1} OK`));
    expect(slow.frames.every(({ body }) => body.length === 4 + DATA_BYTES + 68)).toBe(true);
    expect(queuedFor(world)).toBe(0);
  });

  test('after a write of its own is bounded too, and gets all in order', async () => {
    const { world, slow } = await slowWorld();
    world.log.isHeld = true;
    slow.send(setData('/small', 'x'), ...Array.from({ length: 100 }, () => getData('/big')));
    world.run();
    world.log.isHeld = false;
    world.log.release();
    world.run();
    expect(queuedFor(world)).toBeLessThan((1 << 20) + 33 * DATA_BYTES);
    slow.transport.resume();
    expect(slow.lines()).toEqual(Array.from({ length: 101 }, (_, i) => `#${i + 1} OK`));
  });

  test('keeps its bytes whole while the buffers of others are reused', async () => {
    const { world, slow, other } = await slowWorld();
    slow.send(...Array.from({ length: 50 }, () => getData('/big')));
    for (let i = 0; i < 50; i++) {
      other.must(setData('/small', `${i}`.repeat(1000)));
      expect(other.errorOf(getData('/small'))).toBe('OK');
    }
    slow.transport.resume();
    world.run();
    const bodies = slow.frames.map(({ body }) => body.subarray(4, 4 + DATA_BYTES).toString());
    expect(new Set(bodies)).toEqual(new Set(['x'.repeat(DATA_BYTES)]));
  });

  test('keeps its session while it reads on, though nothing new of it can be read', async () => {
    const { world, slow } = await slowWorld();
    const takes = slow.data.bind(slow);
    let left = 0;
    slow.data = (bytes, start, end) => {
      takes(bytes, start, end);
      left -= end - start;
      if (left <= 0) slow.transport.pause();
    };
    slow.send(...Array.from({ length: 100 }, () => getData('/big')));
    world.run();
    // Ten megabytes at two in six seconds: half a minute, with a session of ten seconds.
    for (let i = 0; i < 5; i++) {
      world.advance(6_000);
      left = 2 << 20;
      slow.transport.resume();
      world.run();
    }
    expect(slow.isClosed).toBe(false);
    expect(slow.frames.filter(({ error }) => error === 0)).toHaveLength(100);
  });

  test('and reads at last is not let past the throttle that stopped it, too', async () => {
    const world = await World.start({ globalOutstandingLimit: 1 });
    const slow = world.client();
    slow.must(create('/big', { data: 'x'.repeat(DATA_BYTES) }));
    slow.lines();
    slow.transport.pause();
    slow.send(getData('/big'));
    world.run();
    expect(queuedFor(world)).toBeGreaterThan(0);
    world.log.isHeld = true;
    slow.send(...['/a', '/b', '/c', '/d'].map((path) => create(path)));
    world.run();
    expect(world.serving.sequence.size).toBe(2);
    slow.transport.resume();
    world.run();
    expect(queuedFor(world)).toBe(0);
    expect(world.serving.sequence.size).toBe(2);
    world.log.isHeld = false;
    world.log.release();
    expect(slow.lines()).toEqual(['#2 OK', '#3 OK', '#4 OK', '#5 OK', '#6 OK']);
  });

  test('is forgotten with its session', async () => {
    const { world, slow } = await slowWorld();
    slow.send(...Array.from({ length: 200 }, () => getData('/big')));
    world.run();
    world.advance(14_000);
    expect(world.member.connections.size).toBe(1);
    expect(world.serving.sessions.size).toBe(1);
    expect(world.member.outstanding).toBe(0);
  });
});

describe('a client that does not read its events', () => {
  test('has them kept in few pieces, and gets every one in order', async () => {
    const { world, slow, other } = await slowWorld();
    slow.transport.resume();
    slow.must(addWatch('/small', 0));
    slow.transport.pause();
    const connection = [...world.member.connections].find(
      ({ session }) => session?.timeoutMs !== 40_000,
    );
    let writes = 0;
    const { transport } = connection as { transport: Connection };
    const { write } = transport;
    transport.write = (bytes, start, end) => {
      writes++;
      return write.call(transport, bytes, start, end);
    };
    for (let i = 0; i < 3000; i++) other.must(setData('/small', `${i}`));
    // Some fill the window of the transport one by one; those after gather.
    expect(writes).toBeLessThan(WINDOW_BYTES / 30);
    slow.transport.resume();
    world.run();
    const zxids = slow.frames.filter(({ xid }) => xid === Xid.notification).map(({ zxid }) => zxid);
    expect(zxids).toHaveLength(3000);
    expect(zxids).toEqual([...zxids].sort((a, b) => Number(a) - Number(b)));
  });

  test('gets them all, once it reads, while they are within 64 MiB', async () => {
    const { world, slow, other } = await slowWorld();
    slow.send(addWatch('/small', 0));
    world.run();
    for (let i = 0; i < 3000; i++) other.send(setData('/small', ''));
    world.run();
    expect(queuedFor(world)).toBeGreaterThan(0);
    slow.transport.resume();
    expect(slow.events()).toHaveLength(3000);
  });

  test('is cut off beyond that, and the others are served', async () => {
    const { world, slow, other } = await slowWorld();
    const long = `/${'p'.repeat(500_000)}`;
    other.must(create(long));
    slow.send(addWatch(long, 0));
    world.run();
    const size = (): number => world.member.connections.size;
    const change = setData(long, '');
    let events = 0;
    for (; size() === 2 && events < 1000; events++) other.must(change);
    const sent = events * 500_000;
    expect(sent).toBeGreaterThan(64 << 20);
    expect(sent).toBeLessThan((64 << 20) + WINDOW_BYTES + 2_000_000);
    expect(other.errorOf(exists('/small'))).toBe('OK');
  });
});
