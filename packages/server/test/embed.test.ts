// The server as an embedder meets it: started, spoken to over a real socket, stopped, started again.

import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ByteReader,
  ByteWriter,
  beginFrame,
  ErrorCode,
  endFrame,
  OPEN_ACL_UNSAFE,
  OpCode,
  readConnectResponse,
  readGetDataResponse,
  readReplyHeader,
  writeConnectRequest,
  writeCreateRequest,
  writePathWatchRequest,
  writeRequestHeader,
} from '@zebu/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import * as door from '../src/index.ts';
import { type StartServerOptions, silentLogger, type ZebuServer } from '../src/index.ts';

/** On either way to the sockets: CI runs this file on both. */
function startServer(options: StartServerOptions): Promise<ZebuServer> {
  const transport = process.env.ZEBU_TRANSPORT === 'sockets' ? 'sockets' : 'auto';
  return door.startServer({ transport, ...options });
}

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'zebu-embed-'));
  directories.push(directory);
  return directory;
}

describe('an embedded server', () => {
  test('keeps what it was told in memory only, while it runs', async () => {
    await using server = await startServer({ port: 0 });
    using client = await RawClient.connect(server.port);
    expect(await client.create(1, '/a', 'x')).toBe(ErrorCode.OK);
    expect(await client.get(2, '/a')).toBe('x');
  });

  test('has its first snapshot before it serves: a log without one would stop the next start', async () => {
    const dataDir = temporaryDirectory();
    await using _ = await startServer({ port: 0, dataDir });
    expect(readdirSync(join(dataDir, 'version-2'))).toEqual(['snapshot.0']);
  });

  test('has after a restart what it acknowledged before', async () => {
    const dataDir = temporaryDirectory();
    const first = await startServer({ port: 0, dataDir });
    const client = await RawClient.connect(first.port);
    for (let i = 0; i < 50; i++) await client.create(i + 1, `/n${i}`, `value ${i}`);
    const lastZxid = first.lastZxid;
    client[Symbol.dispose]();
    await first.close();

    await using second = await startServer({ port: 0, dataDir });
    expect(second.lastZxid).toBe(lastZxid);
    using again = await RawClient.connect(second.port);
    for (let i = 0; i < 50; i++) expect(await again.get(i + 1, `/n${i}`)).toBe(`value ${i}`);
  });

  test('gives a session back to a client that has its id and password', async () => {
    const dataDir = temporaryDirectory();
    const first = await startServer({ port: 0, dataDir });
    const client = await RawClient.connect(first.port);
    const { sessionId, password } = client;
    client[Symbol.dispose]();
    await first.close();

    await using second = await startServer({ port: 0, dataDir });
    using again = await RawClient.connect(second.port, { sessionId, password });
    expect(again.sessionId).toBe(sessionId);
    using stranger = await RawClient.connect(second.port, {
      sessionId,
      password: Buffer.alloc(16),
    });
    expect(stranger.timeoutMs).toBe(0);
  });

  // Elsewhere nothing frees a claim when its process dies: directory-claim.ts.
  test.runIf(['linux', 'win32'].includes(process.platform))(
    'has its data directory to itself, by whatever path, until it is closed',
    async () => {
      const dataDir = temporaryDirectory();
      const dataLogDir = temporaryDirectory();
      const links = temporaryDirectory();
      symlinkSync(dataDir, join(links, 'data'));
      symlinkSync(dataLogDir, join(links, 'logs'));
      const first = await startServer({ port: 0, dataDir, dataLogDir });
      const client = await RawClient.connect(first.port);
      const logs = join(dataLogDir, 'version-2');
      for (const other of [
        { dataDir: join(links, 'data') },
        { dataDir: temporaryDirectory(), dataLogDir: join(links, 'logs') },
      ]) {
        const before = readdirSync(logs);
        await expect(startServer({ port: 0, ...other })).rejects.toMatchObject({
          code: 'DIRECTORY_IN_USE',
          message: expect.stringContaining(links),
        });
        expect(readdirSync(logs)).toEqual(before);
        expect(await client.create(1, `/${Object.keys(other).length}`, 'x')).toBe(ErrorCode.OK);
      }
      client[Symbol.dispose]();
      await first.close();
      await using _ = await startServer({ port: 0, dataDir, dataLogDir });
    },
  );

  test('leaves nothing behind when it cannot start', async () => {
    await using other = await startServer({ port: 0, clientPortAddress: '127.0.0.1' });
    const dataDir = temporaryDirectory();
    const address = { clientPortAddress: '127.0.0.1', dataDir };
    await expect(startServer({ port: other.port, ...address })).rejects.toThrow('EADDRINUSE');
    expect(readdirSync(dataDir)).toEqual([]);
    await using _ = await startServer({ port: 0, ...address });
  });

  test.each<[string, (port: number) => StartServerOptions, string]>([
    [
      'a port that is taken',
      (port) => ({ port, clientPortAddress: '127.0.0.1' }),
      '; stop that process, or set clientPort (--client-port) to another port',
    ],
    [
      'an address of another machine',
      () => ({ port: 0, clientPortAddress: '192.0.2.1' }),
      '; set clientPortAddress (--client-port-address) to an address of this machine, or leave it out for all',
    ],
  ])('names the setting of %s', async (_, options, remedy) => {
    await using other = await startServer({ port: 0, clientPortAddress: '127.0.0.1' });
    await expect(startServer(options(other.port))).rejects.toThrow(remedy);
  });

  test('shares a process with others of its kind', async () => {
    await using one = await startServer({ port: 0 });
    await using other = await startServer({ port: 0 });
    using onOne = await RawClient.connect(one.port);
    using onOther = await RawClient.connect(other.port);
    await onOne.create(1, '/only-here', 'x');
    expect(await onOther.get(1, '/only-here')).toBe(undefined);
  });

  test('stops once, also when a logger that hears of it asks again', async () => {
    const dataDir = temporaryDirectory();
    const messages: string[] = [];
    let server: ZebuServer | undefined;
    const info = (message: string): void => {
      messages.push(message);
      if (server !== undefined) void server.close();
    };
    server = await startServer({ port: 0, dataDir, logger: { ...silentLogger, info } });
    await server.close();
    expect(messages.slice(-2)).toEqual(['Stopping', 'Stopped']);
    expect(messages.filter((message) => message === 'Stopping')).toEqual(['Stopping']);
  });

  test('names the port that is taken', async () => {
    await using server = await startServer({ port: 0, clientPortAddress: '127.0.0.1' });
    await expect(
      startServer({ port: server.port, clientPortAddress: '127.0.0.1' }),
    ).rejects.toThrow(String(server.port));
  });
});

/** Speaks frames over a socket: what is under test must not be on both ends. */
class RawClient {
  sessionId = 0n;
  password: Buffer = Buffer.alloc(16);
  timeoutMs = 0;
  private readonly socket: net.Socket;
  private received: Buffer = Buffer.alloc(0);
  private waiting: (() => void) | undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.waiting?.();
    });
    socket.on('close', () => this.waiting?.());
  }

  static async connect(
    port: number,
    session: { sessionId: bigint; password: Buffer } = {
      sessionId: 0n,
      password: Buffer.alloc(16),
    },
  ): Promise<RawClient> {
    const socket = net.connect(port, '127.0.0.1');
    const client = new RawClient(socket);
    const writer = new ByteWriter();
    const mark = beginFrame(writer);
    writeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: 10_000,
      sessionId: session.sessionId,
      password: session.password,
      readOnly: false,
    });
    endFrame(writer, mark);
    socket.write(Buffer.from(writer.view()));
    const response = readConnectResponse(new ByteReader(await client.frame()));
    client.sessionId = response.sessionId;
    client.password = Buffer.from(response.password);
    client.timeoutMs = response.timeoutMs;
    return client;
  }

  async create(xid: number, path: string, data: string): Promise<number> {
    const reader = await this.request(xid, OpCode.create, (writer) =>
      writeCreateRequest(writer, { path, data: Buffer.from(data), acl: OPEN_ACL_UNSAFE, flags: 0 }),
    );
    return readReplyHeader(reader).error;
  }

  async get(xid: number, path: string): Promise<string | undefined> {
    const reader = await this.request(xid, OpCode.getData, (writer) =>
      writePathWatchRequest(writer, { path, watch: false }),
    );
    if (readReplyHeader(reader).error !== 0) return undefined;
    return Buffer.from(readGetDataResponse(reader).data ?? []).toString();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  private async request(
    xid: number,
    type: number,
    body: (writer: ByteWriter) => void,
  ): Promise<ByteReader> {
    const writer = new ByteWriter();
    const mark = beginFrame(writer);
    writeRequestHeader(writer, { xid, type });
    body(writer);
    endFrame(writer, mark);
    this.socket.write(Buffer.from(writer.view()));
    return new ByteReader(await this.frame());
  }

  private async frame(): Promise<Buffer> {
    for (;;) {
      if (this.received.length >= 4) {
        const end = 4 + this.received.readInt32BE(0);
        if (this.received.length >= end) {
          const frame = this.received.subarray(4, end);
          this.received = this.received.subarray(end);
          return frame;
        }
      }
      if (this.socket.closed) throw new Error('The server closed the connection');
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    }
  }
}
