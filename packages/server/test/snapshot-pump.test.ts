// The snapshot that goes to a peer: written into a link that takes a little at a time while txns are
// applied, and read at its other end.

import { SnapshotReader } from '@zebu/storage';
import { beforeEach, describe, expect, test } from 'vitest';
import { defaultServerConfig } from '../src/config/server-config.ts';
import { Database } from '../src/database.ts';
import {
  SnapshotPump,
  type SnapshotPumpOptions,
  type SnapshotSink,
} from '../src/snapshots/snapshot-pump.ts';
import { create, setData } from './support/asks.ts';
import type { RawClient } from './support/raw-client.ts';
import { World } from './support/world.ts';

const ZNODES = 1500;
const CAPACITY = 100_000;

/** Holds so many bytes; what is read of it makes room. */
class Link implements SnapshotSink {
  failure: Error | undefined;
  held: Buffer[] = [];
  sent: Buffer[] = [];
  mostHeld = 0;
  writes = 0;

  get heldBytes(): number {
    return this.held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    this.writes += 1;
    this.held.push(Buffer.from(bytes.subarray(start, end)));
    this.mostHeld = Math.max(this.mostHeld, this.heldBytes);
    return this.heldBytes < CAPACITY;
  }

  read(): void {
    this.sent.push(...this.held);
    this.held = [];
  }
}

let world: World;
let client: RawClient;
let link: Link;
let ended: (Error | undefined)[];

beforeEach(async () => {
  world = await World.start();
  client = world.client({ timeoutMs: 9000 });
  client.send(
    ...Array.from({ length: ZNODES }, (_, i) => create(`/n${i}`, { data: 'x'.repeat(1000) })),
  );
  client.lines();
  link = new Link();
  ended = [];
});

function pumpTo(options: Partial<SnapshotPumpOptions> = {}): SnapshotPump {
  const pump = new SnapshotPump({
    environment: { clock: world.time, scheduler: world.time },
    tree: world.serving.tree,
    sessions: world.serving.sessions,
    sink: link,
    isSigned: true,
    onEnd: (error) => ended.push(error),
    ...options,
  });
  pump.start();
  return pump;
}

/** Runs until the pump ends; `between` whenever the link is full. */
function runToEnd(pump: SnapshotPump, between: (round: number) => void = () => {}): number {
  let rounds = 0;
  for (; ended.length === 0; rounds += 1) {
    world.run();
    if (ended.length > 0) break;
    expect(link.heldBytes).toBeGreaterThanOrEqual(CAPACITY);
    between(rounds);
    link.read();
    pump.resume();
  }
  link.read();
  return rounds;
}

function receive(bytes: Buffer, chunkBytes: number, zxid: number): Database {
  const database = new Database(defaultServerConfig({ extendedTypesEnabled: true }), 7);
  const reader = new SnapshotReader({ kind: 'stream', handler: database, name: 'leader' });
  let at = 0;
  while (!reader.isDone) {
    at += reader.feed(bytes, at, Math.min(bytes.length, at + chunkBytes));
    if (at === bytes.length) break;
  }
  database.snapshotLoaded(zxid, reader.finish());
  expect(bytes.toString('latin1', at)).toBe('the packets that follow');
  return database;
}

test.each([1, 1000, 65_536, 10_000_000])('arrives whole in chunks of %i bytes', (chunkBytes) => {
  const zxid = world.serving.tree.lastProcessedZxid;
  expect(runToEnd(pumpTo())).toBeGreaterThan(10);
  expect(ended).toEqual([undefined]);
  const bytes = Buffer.concat([...link.sent, Buffer.from('the packets that follow')]);
  const { tree, sessions } = receive(bytes, chunkBytes, zxid);
  expect(tree.digest).toBe(world.serving.tree.digest);
  expect(tree.lastProcessedZxid).toBe(zxid);
  expect([...sessions]).toEqual([[client.session?.sessionId, 9000]]);
});

test('a full link is written no more than it asked for, and waited for', () => {
  const pump = pumpTo();
  world.run();
  const { writes } = link;
  world.run();
  expect(link.writes).toBe(writes);
  expect(pump.written).toBeLessThan(ZNODES);
  runToEnd(pump);
  // One slice beyond what it holds.
  expect(link.mostHeld).toBeLessThan(CAPACITY + 2 * 64 * 1024);
  expect(pump.written).toBe(world.serving.tree.znodeCount - 1);
});

test('what is applied while it is walked converges when it is replayed', () => {
  const zxid = world.serving.tree.lastProcessedZxid;
  const entries: Buffer[] = [];
  const { apply } = world.serving.tree;
  world.serving.tree.apply = (bytes, start, end, listener) => {
    entries.push(Buffer.from(bytes.subarray(start, end)));
    return apply.call(world.serving.tree, bytes, start, end, listener);
  };
  const pump = pumpTo();
  runToEnd(pump, (round) => {
    client.send(setData('/n0', `${round}`), setData(`/n${ZNODES - 1}`, `${round}`));
    client.send(create(`/during${round}`, { data: 'y'.repeat(100) }));
    world.run();
  });
  const bytes = Buffer.concat([...link.sent, Buffer.from('the packets that follow')]);
  const database = receive(bytes, 4096, zxid);
  expect(entries.length).toBeGreaterThan(20);
  for (const entry of entries) database.applyEntry(entry, 0, entry.length, 0);
  expect(database.tree.digest).toBe(world.serving.tree.digest);
});

describe('a pump that does not get to its end', () => {
  test('is told that the link failed, when it is full too', () => {
    const pump = pumpTo();
    world.run();
    link.failure = new Error('reset');
    pump.resume();
    expect(ended.map(String)).toEqual(['Error: reset']);
    pump.resume();
    pump.stop(new Error('again'));
    world.run();
    expect(ended).toHaveLength(1);
  });

  test('is stopped at once, and the tree waits for it no longer', () => {
    const pump = pumpTo();
    world.run();
    const { writes } = link;
    pump.stop(new Error('the role ended'));
    expect(ended.map(String)).toEqual(['Error: the role ended']);
    link.read();
    pump.resume();
    world.run();
    expect(link.writes).toBe(writes);
    client.must(setData('/n0', 'z'));
  });
});

test('two peers are sent to at once, each at its own pace', () => {
  const other = new Link();
  const otherEnded: unknown[] = [];
  const pump = pumpTo();
  const slow = pumpTo({ sink: other, onEnd: (error) => otherEnded.push(error) });
  runToEnd(pump);
  expect(otherEnded).toEqual([]);
  while (otherEnded.length === 0) {
    other.read();
    slow.resume();
    world.run();
  }
  other.read();
  expect(Buffer.concat(other.sent)).toEqual(Buffer.concat(link.sent));
});
