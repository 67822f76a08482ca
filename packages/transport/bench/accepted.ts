// What one request costs on an accepted connection, and what an idle one holds, by each way of
// accepting that was tried; the reason for handle-connection.ts.
//
//   node --expose-gc --conditions=@zebu/source bench/accepted.ts [rounds] [seconds]
//
// A child process serves (40 bytes in, 220 bytes out), this one drives it over 64 connections, the
// ways in turn. Printed: the median of CPU per request of the serving process, and the resident
// memory of 5,000 idle connections.

import { type ChildProcess, fork } from 'node:child_process';
import { connect, createServer, type Server, Socket } from 'node:net';
import { nodeNetwork } from '../src/index.ts';

const REQUEST_BYTES = 40;
const REPLY = Buffer.alloc(220, 1);
const WINDOWS = [1, 16];
const CONNECTIONS = 64;
const IDLE_CONNECTIONS = 5000;

type Way = (serve: (port: number) => void) => void;

const ways: { readonly [name: string]: Way } = {
  "net.Socket, 'data' events": (serve) => {
    listenOn(
      createServer({ noDelay: true }, (socket) => {
        const answers = new Answers((bytes) => socket.write(bytes));
        socket.on('data', (chunk) => answers.received(chunk.length));
        socket.on('error', () => {});
      }),
      serve,
    );
  },
  'net.Socket on its handle, onread': (serve) => {
    const buffer = Buffer.allocUnsafeSlow(65_536);
    listenOn(
      createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
        const owner = accepted as unknown as { _handle: unknown };
        const handle = owner._handle;
        owner._handle = null;
        const answers = new Answers((bytes) => socket.write(bytes));
        const socket: Socket = new Socket({
          handle,
          onread: {
            buffer,
            callback: (length: number) => {
              answers.received(length);
              return true;
            },
          },
        } as never);
        socket.on('error', () => {});
        socket.resume();
      }),
      serve,
    );
  },
  'transport, public API only': (serve) => void serveTransport(true, serve),
  'transport, stream handles': (serve) => void serveTransport(false, serve),
};

/** Counts requests in what came, and answers all of one read in one write. */
class Answers {
  private readonly write: (bytes: Buffer) => unknown;
  private pending = 0;

  constructor(write: (bytes: Buffer) => unknown) {
    this.write = write;
  }

  received(length: number): void {
    this.pending += length;
    const count = Math.floor(this.pending / REQUEST_BYTES);
    this.pending -= count * REQUEST_BYTES;
    if (count === 1) this.write(REPLY);
    else if (count > 1) this.write(Buffer.alloc(count * REPLY.length, 1));
  }
}

async function serveTransport(
  publicApiOnly: boolean,
  serve: (port: number) => void,
): Promise<void> {
  const network = nodeNetwork({ publicApiOnly });
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    const answers = new Answers((bytes) => connection.write(bytes, 0, bytes.length));
    return {
      data: (_, start, end) => answers.received(end - start),
      drained() {},
      closed() {},
    };
  });
  serve(listener.port);
}

function listenOn(server: Server, serve: (port: number) => void): void {
  server.listen({ host: '127.0.0.1', port: 0 }, () => {
    serve((server.address() as { port: number }).port);
  });
}

/** The child: serves one way, and tells its CPU and memory when asked. */
function serveAsChild(name: string): void {
  process.on('message', (question) => {
    if (question === 'memory') globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, residentBytes: process.memoryUsage().rss });
  });
  ways[name]?.((port) => process.send?.({ port }));
}

interface Usage {
  readonly cpuUs: number;
  readonly residentBytes: number;
}

function ask<T>(child: ChildProcess, question?: string): Promise<T> {
  return new Promise((resolve) => {
    child.once('message', (answer) => resolve(answer as T));
    if (question !== undefined) child.send(question);
  });
}

/** Keeps `window` requests in flight on each connection; returns how many were answered. */
async function drive(port: number, window: number, seconds: number): Promise<number> {
  const requests = Buffer.alloc(window * REQUEST_BYTES);
  const buffer = Buffer.allocUnsafeSlow(65_536);
  let answered = 0;
  const sockets = Array.from({ length: CONNECTIONS }, () => {
    let pending = 0;
    const socket: Socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          pending += length;
          const count = Math.floor(pending / REPLY.length);
          pending -= count * REPLY.length;
          answered += count;
          if (count > 0) socket.write(requests.subarray(0, count * REQUEST_BYTES));
          return true;
        },
      },
    });
    socket.on('error', () => {});
    socket.once('connect', () => socket.write(requests));
    return socket;
  });
  await sleep(seconds * 1000);
  for (const socket of sockets) socket.destroy();
  return answered;
}

async function measure(name: string, seconds: number): Promise<number[]> {
  const child = fork(import.meta.filename, ['--serve', name], { execArgv: process.execArgv });
  const { port } = await ask<{ port: number }>(child);
  const figures: number[] = [];
  await drive(port, 1, 0.5);
  for (const window of WINDOWS) {
    const before = await ask<Usage>(child, 'cpu');
    const answered = await drive(port, window, seconds);
    const after = await ask<Usage>(child, 'cpu');
    figures.push((after.cpuUs - before.cpuUs) / answered);
  }
  const empty = await ask<Usage>(child, 'memory');
  const idle: Socket[] = [];
  for (let i = 0; i < IDLE_CONNECTIONS; i++) idle.push(await open(port));
  const full = await ask<Usage>(child, 'memory');
  figures.push((full.residentBytes - empty.residentBytes) / IDLE_CONNECTIONS / 1024);
  for (const socket of idle) socket.destroy();
  child.disconnect();
  child.kill();
  return figures;
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => resolve(socket));
    socket.on('error', () => {});
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const [, , first = '3', second = '2'] = process.argv;
if (first === '--serve') {
  serveAsChild(second);
} else {
  const results = new Map<string, number[][]>();
  for (let round = 0; round < Number(first); round++) {
    for (const name of Object.keys(ways)) {
      results.set(name, [...(results.get(name) ?? []), await measure(name, Number(second))]);
    }
  }
  console.log(`Node ${process.version}, ${first} rounds of ${second} s, medians`);
  console.table(
    Object.fromEntries(
      [...results].map(([name, rounds]) => [
        name,
        Object.fromEntries(
          ['us/request, 1 in flight', 'us/request, 16 in flight', 'KB/idle connection'].map(
            (column, i) => [column, Number(median(rounds.map((r) => r[i] as number)).toFixed(2))],
          ),
        ),
      ]),
    ),
  );
}
