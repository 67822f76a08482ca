// What a PeerLink must do on every Network, as cases for any test runner; part of @zebu/transport/compliance.

import assert from 'node:assert/strict';
import type { NetworkCase, NetworkHarness } from './compliance.ts';
import type { Listener } from './connection.ts';
import { TransportError } from './errors.ts';
import {
  acceptPeer,
  dialPeer,
  GATHER_BYTES,
  type PeerLink,
  PeerLinkError,
  type PeerLinkHandler,
  type SliceOwner,
} from './peer-link.ts';

const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;

export const peerLinkCases: readonly NetworkCase[] = [
  {
    name: 'what was sent before a flush leaves with it, in one write and in order',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        for (const [from, to] of [
          [dialled, accepted],
          [accepted, dialled],
        ] as const) {
          const { link } = from;
          link.send(Buffer.from('-one '), 1, 5, from);
          link.gather.write('two ', link.reserve(4));
          assert.equal(link.send(Buffer.from('three'), 0, 5, from), true);
          await harness.settle();
          assert.equal(to.received, 0, 'bytes left without a flush');
          assert.deepEqual([link.writes, link.backlogBytes], [0, 13]);
          link.flush();
          await harness.until(() => to.received === 13);
          assert.equal(to.bytes.toString(), 'one two three');
          assert.deepEqual([link.writes, link.backlogBytes, link.sentBytes], [1, 0, 13]);
          link.flush();
          assert.equal(link.writes, 1, 'a flush of nothing wrote');
        }
      }),
  },
  {
    name: "short bytes are the caller's again at once",
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const bytes = Buffer.alloc(GATHER_BYTES, 1);
        assert.equal(dialled.link.send(bytes, 0, bytes.length, dialled), true);
        bytes.fill(9);
        dialled.link.flush();
        await harness.until(() => accepted.received === GATHER_BYTES);
        assert.ok(accepted.bytes.equals(Buffer.alloc(GATHER_BYTES, 1)));
      }),
  },
  {
    name: 'long slices keep their place between short bytes, and each is released once',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        const expected: Buffer[] = [];
        const slices: Buffer[] = [];
        for (let i = 0; i < 40; i++) {
          const short = Buffer.alloc(1000, 2 * i);
          const long = Buffer.alloc(GATHER_BYTES + 1 + 5000 * i, 2 * i + 1);
          expected.push(Buffer.from(short), Buffer.from(long));
          link.send(short, 0, short.length, dialled);
          assert.equal(link.send(long, 0, long.length, dialled), false);
          slices.push(long);
          if (i % 3 === 0) link.flush();
          // A slice that was released is used for something else at once.
          for (const bytes of dialled.released) bytes.fill(0xee);
        }
        link.flush();
        const total = Buffer.concat(expected);
        await harness.until(() => accepted.received === total.length);
        await harness.until(() => link.backlogBytes === 0);
        assert.ok(accepted.bytes.equals(total), 'bytes lost, changed or in another order');
        assert.deepEqual(new Set(dialled.released), new Set(slices));
        assert.equal(dialled.released.length, slices.length);
      }),
  },
  {
    name: 'what gathers while the peer does not read leaves when it does, and drained says so',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        accepted.link.pause();
        await fill(harness, dialled, 30_000);
        const { writes, sentBytes } = link;
        for (let i = 0; i < 1000; i++) {
          link.send(Buffer.alloc(100, i), 0, 100, dialled);
          link.flush();
        }
        await harness.settle();
        assert.equal(link.writes, writes, 'written although the connection had not taken all');
        assert.equal(accepted.received, 0);
        assert.equal(dialled.drains, 0);
        accepted.link.resume();
        await harness.until(() => accepted.received === sentBytes + 100_000);
        await harness.until(() => dialled.drains > 0);
        assert.equal(link.backlogBytes, 0);
        const tail = Buffer.concat(Array.from({ length: 1000 }, (_, i) => Buffer.alloc(100, i)));
        assert.ok(accepted.bytes.subarray(sentBytes).equals(tail));
        // Gathered: a thousand flushes are a few writes.
        assert.ok(link.writes - writes <= 8, `${link.writes - writes} writes`);
      }),
  },
  {
    name: 'what was not flushed stays, however often the connection drains',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        accepted.link.pause();
        await fill(harness, dialled);
        const { sentBytes } = link;
        link.send(Buffer.from('later'), 0, 5, dialled);
        accepted.link.resume();
        await harness.until(() => dialled.drains > 0 && accepted.received >= sentBytes);
        await harness.settle();
        assert.equal(accepted.received, sentBytes);
        link.flush();
        await harness.until(() => accepted.received === sentBytes + 5);
      }),
  },
  {
    name: 'a backlog over its limit closes the link with the numbers, and releases every slice',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        accepted.link.pause();
        let sent = 0;
        while (link.isOpen) {
          const slice = Buffer.alloc(1024 * 1024);
          if (!link.send(slice, 0, slice.length, dialled)) sent++;
          link.flush();
          assert.ok(sent < 200, 'the backlog is not bounded');
        }
        assert.equal(link.send(Buffer.from('x'), 0, 1, dialled), true);
        link.flush();
        await harness.until(() => dialled.closes === 1);
        assert.ok(dialled.reason instanceof PeerLinkError);
        assert.equal(dialled.reason.code, 'BACKLOG_FULL');
        assert.equal(dialled.reason.data.limit, MAX_BACKLOG_BYTES);
        assert.ok(dialled.reason.data.count > MAX_BACKLOG_BYTES);
        assert.ok(dialled.reason.data.count <= MAX_BACKLOG_BYTES + 1024 * 1024);
        assert.match(dialled.reason.message, /\d+ bytes wait to be sent, limit 67108864/);
        assert.equal(dialled.released.length, sent);
        assert.equal(link.backlogBytes, 0);
        accepted.link.resume();
        await harness.until(() => accepted.closes === 1);
      }),
  },
  {
    name: 'a paused link gets nothing until it is resumed',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        accepted.link.pause();
        dialled.link.send(Buffer.from('wait'), 0, 4, dialled);
        dialled.link.flush();
        await harness.settle();
        assert.equal(accepted.received, 0);
        accepted.link.resume();
        await harness.until(() => accepted.received === 4);
      }),
  },
  {
    name: 'a silent peer is given up after so many ticks, not while it speaks or the link is paused',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = accepted;
        for (let round = 0; round < 3; round++) {
          for (let tick = 0; tick < 2; tick++) link.checkSilence(2);
          dialled.link.send(Buffer.from('.'), 0, 1, dialled);
          dialled.link.flush();
          await harness.until(() => accepted.received === round + 1);
          link.checkSilence(2);
        }
        link.pause();
        for (let tick = 0; tick < 10; tick++) link.checkSilence(2);
        link.resume();
        assert.ok(link.isOpen);
        for (let tick = 0; tick < 3; tick++) {
          assert.ok(link.isOpen, `given up at tick ${tick}`);
          link.checkSilence(2);
        }
        assert.equal(link.isOpen, false);
        await harness.until(() => accepted.closes === 1);
        assert.ok(accepted.reason instanceof PeerLinkError);
        assert.equal(accepted.reason.message, 'Nothing came from the peer for 3 ticks, limit 2');
        await harness.until(() => dialled.closes === 1);
      }),
  },
  {
    name: 'end sends all that waits, and both sides close without a reason',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        const slice = Buffer.alloc(3 * 1024 * 1024, 5);
        for (let i = 0; i < 3; i++) {
          link.send(Buffer.from('short'), 0, 5, dialled);
          link.send(slice, 0, slice.length, dialled);
        }
        link.flush();
        link.send(Buffer.from('last'), 0, 4, dialled);
        link.end();
        assert.equal(link.send(Buffer.from('late'), 0, 4, dialled), true);
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        assert.equal(accepted.received, 3 * (slice.length + 5) + 4);
        assert.equal(accepted.bytes.subarray(-4).toString(), 'last');
        assert.deepEqual([dialled.reason, accepted.reason], [undefined, undefined]);
        assert.equal(dialled.released.length, 3);
      }),
  },
  {
    name: 'close drops what waits, releases its slices, and tells the reason once',
    run: (harness) =>
      withLinks(harness, async ({ dialled, accepted }) => {
        const { link } = dialled;
        const slice = Buffer.alloc(100_000);
        link.send(slice, 0, slice.length, dialled);
        const reason = new Error('enough');
        link.close(reason);
        assert.equal(dialled.closes, 0, 'closed() came from within close()');
        link.flush();
        await harness.until(() => dialled.closes === 1 && accepted.closes === 1);
        await harness.settle();
        assert.equal(dialled.reason, reason);
        assert.deepEqual([dialled.closes, accepted.closes, accepted.received], [1, 1, 0]);
        assert.deepEqual(dialled.released, [slice]);
      }),
  },
  {
    name: 'what is sent before the link is up arrives after it',
    run: async (harness) => {
      const accepted = new Side();
      const listener = await listen(harness, accepted);
      const dialled = new Side();
      dialled.link = dial(harness, listener, dialled);
      dialled.link.send(Buffer.from('early'), 0, 5, dialled);
      dialled.link.flush();
      await harness.until(() => accepted.received === 5 && dialled.connects === 1);
      dialled.link.close();
      await close(harness, listener);
    },
  },
  {
    name: 'a dialled link that nobody accepts is closed with the reason',
    run: async (harness) => {
      const listener = await listen(harness, new Side());
      await close(harness, listener);
      const dialled = new Side();
      dialled.link = dial(harness, listener, dialled);
      const slice = Buffer.alloc(100_000);
      dialled.link.send(slice, 0, slice.length, dialled);
      dialled.link.flush();
      await harness.until(() => dialled.closes === 1);
      assert.ok(dialled.reason instanceof TransportError);
      assert.equal(dialled.reason.code, 'CONNECT_FAILED');
      assert.deepEqual([dialled.connects, dialled.released.length], [0, 1]);
    },
  },
  {
    name: 'close while dialling: nothing but closed is called',
    run: async (harness) => {
      const accepted = new Side();
      const listener = await listen(harness, accepted);
      const dialled = new Side();
      dialled.link = dial(harness, listener, dialled);
      dialled.link.close();
      await harness.until(() => dialled.closes === 1);
      await harness.settle();
      assert.deepEqual([dialled.connects, dialled.reason], [0, undefined]);
      await close(harness, listener);
    },
  },
];

/** One end of a link: keeps what came, and owns the slices that it sends. */
class Side implements PeerLinkHandler, SliceOwner {
  link: PeerLink = undefined as unknown as PeerLink;
  connects = 0;
  received = 0;
  drains = 0;
  closes = 0;
  reason: Error | undefined = undefined;
  readonly released: Buffer[] = [];
  private readonly chunks: Buffer[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  connected(): void {
    this.connects++;
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.chunks.push(Buffer.from(bytes.subarray(start, end)));
    this.received += end - start;
  }

  drained(): void {
    this.drains++;
  }

  closed(reason?: Error): void {
    this.closes++;
    this.reason = reason;
  }

  sliceReleased(bytes: Buffer): void {
    this.released.push(bytes);
  }
}

async function withLinks(
  harness: NetworkHarness,
  run: (links: { dialled: Side; accepted: Side }) => Promise<void>,
): Promise<void> {
  const accepted = new Side();
  const listener = await listen(harness, accepted);
  const dialled = new Side();
  dialled.link = dial(harness, listener, dialled);
  await harness.until(() => dialled.connects === 1 && accepted.link !== undefined);
  await run({ dialled, accepted });
  dialled.link.close();
  await close(harness, listener);
}

/** Sends until the peer's window is full and a write is in flight: slices, or short bytes. */
async function fill(harness: NetworkHarness, side: Side, length = 262_144): Promise<void> {
  const bytes = Buffer.alloc(length, 0xf1);
  for (let i = 0; i < 1000 && side.link.backlogBytes === 0; i++) {
    side.link.send(bytes, 0, length, side);
    side.link.flush();
    if (i % 10 === 0 || side.link.backlogBytes > 0) await harness.settle();
  }
  assert.ok(side.link.backlogBytes > 0, 'the window never became full');
}

function listen(harness: NetworkHarness, side: Side): Promise<Listener> {
  return harness.network.listen({ host: harness.host, port: 0 }, (connection) => {
    side.link = acceptPeer(connection, side, { maxBacklogBytes: MAX_BACKLOG_BYTES });
    return side.link;
  });
}

function dial(harness: NetworkHarness, listener: Listener, side: Side): PeerLink {
  return dialPeer(harness.network, { host: harness.host, port: listener.port }, side, {
    maxBacklogBytes: MAX_BACKLOG_BYTES,
  });
}

async function close(harness: NetworkHarness, listener: Listener): Promise<void> {
  let isClosed = false;
  void listener.close().then(() => {
    isClosed = true;
  });
  await harness.until(() => isClosed);
}
