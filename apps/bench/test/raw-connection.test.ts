import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createScratch,
  openConnections,
  RawConnection,
  type ReplySink,
} from '../src/raw-connection.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that hands every accepted socket over. */
async function serve(accept: (socket: Socket) => void) {
  const server = createServer({ noDelay: true }, accept);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
}

function greeting(timeoutMs = 4000): Buffer {
  const bytes = Buffer.alloc(41);
  bytes.writeInt32BE(37, 0);
  bytes.writeInt32BE(timeoutMs, 8);
  bytes.writeBigInt64BE(0x1122n, 12);
  bytes.writeInt32BE(16, 20);
  return bytes;
}

function reply(xid: number, error: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(20 + bodyBytes, 0xff);
  bytes.writeInt32BE(16 + bodyBytes, 0);
  bytes.writeInt32BE(xid, 4);
  bytes.writeBigInt64BE(7n, 8);
  bytes.writeInt32BE(error, 16);
  return bytes;
}

/** Collects replies until there are `count`, or the connection is lost. */
function collect(connection: RawConnection, count: number) {
  return new Promise<number[][]>((resolve, reject) => {
    const replies: number[][] = [];
    const sink: ReplySink = {
      readStart() {},
      reply(...fields) {
        replies.push(fields);
      },
      readEnd() {
        if (replies.length >= count) resolve(replies);
      },
      closed: reject,
    };
    connection.sink = sink;
  });
}

const REPLIES = Buffer.concat([
  reply(1, 0, 80),
  reply(2, -101, 0),
  reply(-1, 0, 9),
  reply(3, 0, 4),
]);
const EXPECTED = [
  [1, 0, 80],
  [2, -101, 0],
  [-1, 0, 9],
  [3, 0, 4],
];

describe('openConnections', () => {
  it('says how many a server took, and leaves none open', async () => {
    let taken = 0;
    const open = new Set<Socket>();
    const address = await serve((socket) => {
      taken++;
      if (taken > 3) {
        socket.resetAndDestroy();
        return;
      }
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => {});
      socket.on('data', () => socket.write(greeting()));
    });
    const opening = openConnections([address], 64, { scratch: createScratch() });
    await expect(opening).rejects.toThrow(/\b3 of 64 connections .* maxClientCnxns/);
    await expect.poll(() => open.size).toBe(0);
  });
});

describe('RawConnection', () => {
  it('sees the same replies wherever the stream is cut in two', async () => {
    const address = await serve((socket) => {
      let cut: number | undefined;
      socket.on('data', (bytes) => {
        if (cut === undefined) {
          cut = 0;
          socket.write(greeting());
          return;
        }
        // The client asks for a cut by the length of what it sends.
        cut = bytes.length;
        socket.write(REPLIES.subarray(0, cut));
        setImmediate(() => setImmediate(() => socket.write(REPLIES.subarray(cut))));
      });
    });
    const scratch = createScratch();
    const connection = await RawConnection.open(address, { scratch });
    for (let cut = 1; cut < REPLIES.length; cut++) {
      const replies = collect(connection, EXPECTED.length);
      scratch.writer.raw(Buffer.alloc(cut), 0, cut);
      connection.send(scratch.writer);
      expect(await replies).toEqual(EXPECTED);
    }
    connection.destroy();
  });

  it('knows its session, and rejects when the server grants none', async () => {
    let grants = true;
    const address = await serve((socket) => {
      socket.on('data', () => socket.write(greeting(grants ? 4000 : 0)));
    });
    const scratch = createScratch();
    const connection = await RawConnection.open(address, { scratch });
    expect([connection.sessionId, connection.timeoutMs]).toEqual([0x1122n, 4000]);
    connection.destroy();
    grants = false;
    await expect(RawConnection.open(address, { scratch })).rejects.toThrow('refused a new session');
  });

  it('tells its sink when the server cuts the connection or sends no reply', async () => {
    const address = await serve((socket) => {
      let isGreeted = false;
      socket.on('data', (bytes) => {
        if (!isGreeted) socket.write(greeting());
        else if (bytes.length === 1) socket.destroy();
        else socket.write(Buffer.alloc(20));
        isGreeted = true;
      });
    });
    const scratch = createScratch();
    for (const length of [1, 2]) {
      const connection = await RawConnection.open(address, { scratch });
      const lost = collect(connection, 1);
      scratch.writer.raw(Buffer.alloc(length), 0, length);
      connection.send(scratch.writer);
      await expect(lost).rejects.toThrow(/127\.0\.0\.1:\d+: /);
    }
  });
});
