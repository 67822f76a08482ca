// What only real sockets do: resets, half-closed streams, deadlines.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Connection, type Listener, nodeNetwork, type TransportError } from '../src/index.ts';
import { socketHarness } from './harness.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Accepted {
  connection: Connection;
  received: number;
  closes: (Error | undefined)[];
  /** Its handler goes on when the peer has said its end. */
  hasMoreToSay: boolean;
}

async function acceptOne(publicApiOnly: boolean, host?: string) {
  const network = nodeNetwork({ publicApiOnly });
  const accepted: Accepted[] = [];
  const listener: Listener = await network.listen(
    { port: 0, ...(host === undefined ? {} : { host }) },
    (connection) => {
      const seen: Accepted = { connection, received: 0, closes: [], hasMoreToSay: false };
      accepted.push(seen);
      return {
        data(_, start, end) {
          seen.received += end - start;
        },
        drained() {},
        ended: () => seen.hasMoreToSay,
        closed(reason) {
          seen.closes.push(reason);
        },
      };
    },
  );
  cleanups.push(() => listener.close());
  const { until, settle } = socketHarness(network);
  const peer: Socket = connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => {});
  cleanups.push(() => peer.destroy());
  await until(() => accepted.length === 1);
  return { listener, peer, until, settle, seen: accepted[0] as Accepted };
}

describe.each([
  ['on stream handles', false],
  ['by the public API only', true],
])('sockets %s', (_, publicApiOnly) => {
  test('while a handler runs nobody else reads into its buffer', async () => {
    const network = nodeNetwork({ publicApiOnly });
    const changed: string[] = [];
    let calls = 0;
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, () => ({
      data(bytes, start, end) {
        calls++;
        const before = bytes.toString('latin1', start, end);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        const after = bytes.toString('latin1', start, end);
        if (before !== after) changed.push(after);
      },
      drained() {},
      closed() {},
    }));
    cleanups.push(() => listener.close());
    const peers = Array.from({ length: 10 }, (_, i) => {
      const peer = connect(listener.port, '127.0.0.1', () => peer.write(String(i).repeat(1000)));
      peer.on('error', () => {});
      return peer;
    });
    cleanups.push(() => {
      for (const peer of peers) peer.destroy();
    });
    await socketHarness(network).until(() => calls >= 10);
    expect(changed).toEqual([]);
  });

  test('a reset is a reason with the address in it', async () => {
    const { peer, until, seen } = await acceptOne(publicApiOnly);
    peer.resetAndDestroy();
    await until(() => seen.closes.length === 1);
    const error = seen.closes[0] as TransportError;
    expect(error.code).toBe('CONNECTION_RESET');
    expect(error.message).toContain(`127.0.0.1:${seen.connection.remotePort}`);
  });

  test('a write to a peer that is gone closes once', async () => {
    const { peer, until, settle, seen } = await acceptOne(publicApiOnly);
    seen.connection.pause();
    peer.resetAndDestroy();
    await settle();
    for (let i = 0; i < 3; i++) seen.connection.write(Buffer.from('x'), 0, 1);
    await until(() => seen.closes.length === 1);
    await settle();
    expect(seen.closes).toHaveLength(1);
  });

  test('a peer that has said its end still gets what was queued', async () => {
    const { peer, until, seen } = await acceptOne(publicApiOnly);
    const size = 16 * 1024 * 1024;
    expect(seen.connection.write(Buffer.alloc(size), 0, size)).toBe(false);
    peer.end();
    let received = 0;
    peer.on('data', (chunk) => {
      received += chunk.length;
    });
    await until(() => received === size && seen.closes.length === 1);
    expect(seen.closes).toEqual([undefined]);
  });

  // A net.Socket ends by itself when its peer does: see ConnectionHandler.ended.
  test.skipIf(publicApiOnly)(
    'a peer that has said its end gets what is still to be said',
    async () => {
      const { peer, until, settle, seen } = await acceptOne(publicApiOnly);
      seen.hasMoreToSay = true;
      let received = '';
      peer.on('data', (chunk) => {
        received += chunk.toString();
      });
      peer.end();
      await settle();
      for (const word of ['one ', 'two ', 'three']) {
        expect(seen.connection.write(Buffer.from(word), 0, word.length)).toBe(true);
        await settle();
      }
      seen.connection.end();
      await until(() => seen.closes.length === 1);
      expect(seen.closes).toEqual([undefined]);
      expect(received).toBe('one two three');
    },
  );

  test('an IPv4 peer of a dual-stack listener has an IPv4 address', async () => {
    const { seen } = await acceptOne(publicApiOnly, '::');
    expect(seen.connection.remoteAddress).toBe('127.0.0.1');
  });

  test('an ended connection does not wait forever for a peer that stays', async () => {
    const { peer, until, seen } = await acceptOne(publicApiOnly);
    seen.connection.end();
    peer.resume();
    await until(() => seen.closes.length === 1);
    expect(seen.closes).toEqual([undefined]);
  });

  test('listeners and closed connections leave nothing running', async () => {
    const { listener, peer, until, seen } = await acceptOne(publicApiOnly);
    peer.destroy();
    await until(() => seen.closes.length === 1);
    await listener.close();
    await listener.close();
  });
});

test('a dial that gets no answer in time says so', async () => {
  // A peer that accepts but never answers our TLS handshake.
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const closed = await new Promise<Error | undefined>((resolve) => {
    nodeNetwork().dial(
      { host: '127.0.0.1', port, connectTimeoutMs: 50, tls: {} },
      { connected() {}, data() {}, drained() {}, closed: resolve },
    );
  });
  expect(closed).toMatchObject({ code: 'CONNECT_TIMEOUT', port });
});

test('a refused dial names the address', async () => {
  const closed = await new Promise<Error | undefined>((resolve) => {
    nodeNetwork().dial(
      { host: '127.0.0.1', port: 1 },
      { connected() {}, data() {}, drained() {}, closed: resolve },
    );
  });
  expect(closed).toMatchObject({ code: 'CONNECT_FAILED', address: '127.0.0.1', port: 1 });
});
