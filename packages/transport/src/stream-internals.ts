// Node's stream handles, which are not documented: what handle-connection.ts needs of them, and a probe that
// tries all of it on a loopback connection before a server relies on it.
//
// Names are not enough: a runtime may have every name and behave otherwise (Deno has them, and calls no
// `onread`). The probe therefore exchanges bytes with a net.Socket. Whatever differs, is missing, throws
// or does not answer in time, is a reason to use SocketConnection, which stands on the public API alone.

import { writeSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { getSystemErrorMap } from 'node:util';

/** Node's TCP handle, as lib/net.js sees it. */
export interface TcpHandle {
  /** The file descriptor; -1 on Windows, and once closed. */
  readonly fd: number;
  onread: ((this: TcpHandle) => void) | null;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  shutdown(request: ShutdownRequest): number;
  close(callback: (this: TcpHandle) => void): void;
  getpeername(out: SocketName): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, delaySeconds: number): number;
}

export interface SocketName {
  address?: string;
  port?: number;
}

export interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | null;
}

export interface ShutdownRequest {
  oncomplete: ((this: ShutdownRequest, status: number) => void) | null;
}

export interface StreamInternals {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  /** Out parameters of the last stream call or callback. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

export type OnConnection = (status: number, client: TcpHandle | undefined) => void;

/** The majors of Node whose handles the compliance suite is run on, in CI. */
export const TRIED_NODE_MAJORS: readonly number[] = [22, 24, 26];

/** libuv's end of file, as this platform numbers it. */
export const EOF = [...getSystemErrorMap()].find(([, [name]]) => name === 'EOF')?.[0] ?? -4095;

/** The handle that a listening server accepts with; undefined where it has no `onconnection`. */
export function acceptingHandle(server: Server): { onconnection: OnConnection } | undefined {
  const handle = (server as unknown as { _handle?: { onconnection?: OnConnection } })._handle;
  return typeof handle?.onconnection === 'function'
    ? (handle as { onconnection: OnConnection })
    : undefined;
}

/** What process.binding has by the names that are needed. Throws an Error that says what is missing. */
export function findStreamInternals(): StreamInternals {
  const found = streamWrap();
  check(typeof found.WriteWrap === 'function', 'there is no WriteWrap');
  check(typeof found.ShutdownWrap === 'function', 'there is no ShutdownWrap');
  check(found.streamBaseState instanceof Int32Array, 'streamBaseState is no Int32Array');
  check(typeof found.kReadBytesOrError === 'number', 'there is no kReadBytesOrError');
  check(typeof found.kLastWriteWasAsync === 'number', 'there is no kLastWriteWasAsync');
  return found as StreamInternals;
}

function streamWrap(): Partial<StreamInternals> {
  const node = process as unknown as {
    binding?(name: string): Partial<StreamInternals>;
    noDeprecation?: boolean;
  };
  check(typeof node.binding === 'function', 'there is no process.binding');
  // With --pending-deprecation --throw-deprecation the warning about process.binding would end the process.
  const { noDeprecation } = node;
  node.noDeprecation = true;
  try {
    return node.binding('stream_wrap');
  } finally {
    node.noDeprecation = noDeprecation as boolean;
  }
}

export interface ProbeOptions {
  readonly find?: () => StreamInternals;
  /** Each accepted handle passes through here: a test plants another behaviour. */
  readonly alter?: (handle: TcpHandle) => void;
  /** The probe is given up after this long. */
  readonly limitMs?: number;
}

/** The probe takes 5 to 20 ms on a machine that is doing nothing else. */
const LIMIT_MS = 5000;

/**
 * Tries every call that handle-connection.ts makes. Resolves with the internals, or rejects with an Error
 * whose message says what is missing or behaves otherwise. Leaves nothing open.
 */
export async function probeStreamInternals(options: ProbeOptions = {}): Promise<StreamInternals> {
  const { find = findStreamInternals, alter = () => {}, limitMs = LIMIT_MS } = options;
  const internals = find();
  const probe = new Probe(internals, limitMs);
  try {
    await probe.run(alter);
  } finally {
    probe.cleanUp();
  }
  return internals;
}

const METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'shutdown',
  'close',
  'getpeername',
  'setNoDelay',
  'setKeepAlive',
] as const;

/** One write that no socket buffer takes whole, in most kernels. */
const LARGE_BYTES = 4 * 1024 * 1024;

class Probe {
  private readonly internals: StreamInternals;
  private readonly deadlineMs: number;
  private readonly limitMs: number;
  private server: Server | undefined;
  private peer: Socket | undefined;
  private handle: TcpHandle | undefined;
  private failure: Error | undefined;
  /** What the peer has received, and how many bytes of it. */
  private heard: string;
  private heardBytes: number;
  private hasPeerEnded: boolean;

  constructor(internals: StreamInternals, limitMs: number) {
    this.internals = internals;
    this.limitMs = limitMs;
    this.deadlineMs = performance.now() + limitMs;
    this.server = undefined;
    this.peer = undefined;
    this.handle = undefined;
    this.failure = undefined;
    this.heard = '';
    this.heardBytes = 0;
    this.hasPeerEnded = false;
  }

  async run(alter: (handle: TcpHandle) => void): Promise<void> {
    const { handle, peer } = await this.connect(alter);
    this.checkShape(handle, peer);
    const readBuffer = Buffer.alloc(64);
    const reads = this.checkRead(handle, readBuffer);
    await this.exchange(handle, peer, reads, readBuffer);
    await this.checkWrites(handle, peer);
    await this.checkEnds(handle, peer, reads);
  }

  cleanUp(): void {
    this.server?.close();
    this.peer?.destroy();
    try {
      this.handle?.close(() => {});
    } catch {
      // It has no close(), which is one of the reasons to be here.
    }
  }

  private async connect(
    alter: (handle: TcpHandle) => void,
  ): Promise<{ handle: TcpHandle; peer: Socket }> {
    const server = createServer();
    this.server = server;
    server.on('error', (error) => {
      this.failure ??= error;
    });
    server.listen({ port: 0, host: '127.0.0.1' });
    await this.until(() => server.listening, 'cannot listen on 127.0.0.1');
    const accepting = acceptingHandle(server);
    check(accepting !== undefined, 'a listening server has no onconnection');
    let accepted = 0;
    accepting.onconnection = (status, client) => {
      accepted++;
      if (status !== 0 || client === undefined) return;
      this.guarded(() => alter(client));
      this.handle = client;
    };
    const { port } = server.address() as AddressInfo;
    const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.peer = peer;
    peer.on('error', () => {});
    peer.on('data', (chunk) => {
      this.heardBytes += chunk.length;
      if (chunk.length < 64) this.heard += chunk.toString('latin1');
    });
    peer.on('end', () => {
      this.hasPeerEnded = true;
    });
    await this.until(
      () => this.handle !== undefined && peer.readyState === 'open',
      `onconnection was called ${accepted} times, without a handle`,
    );
    return { handle: this.handle as TcpHandle, peer };
  }

  private checkShape(handle: TcpHandle, peer: Socket): void {
    for (const method of METHODS) {
      check(typeof handle[method] === 'function', `a handle has no ${method}()`);
    }
    check(typeof handle.fd === 'number', 'a handle has no fd');
    const name: SocketName = {};
    check(handle.getpeername(name) === 0, 'getpeername() fails');
    check(
      name.address === '127.0.0.1' && name.port === peer.localPort,
      `getpeername() says ${name.address}:${name.port}, it is 127.0.0.1:${peer.localPort}`,
    );
    check(handle.setNoDelay(true) === 0, 'setNoDelay() fails');
    check(handle.setKeepAlive(true, 60) === 0, 'setKeepAlive() fails');
  }

  /** Each entry is the length of a read, or a negative error. */
  private checkRead(handle: TcpHandle, readBuffer: Buffer): number[] {
    const { streamBaseState, kReadBytesOrError } = this.internals;
    const reads: number[] = [];
    const probe = this;
    handle.onread = function () {
      probe.guarded(() => check(this === handle, 'onread is not called on its handle'));
      reads.push(streamBaseState[kReadBytesOrError] as number);
    };
    handle.useUserBuffer(readBuffer);
    check(handle.readStart() === 0, 'readStart() fails');
    return reads;
  }

  private async exchange(
    handle: TcpHandle,
    peer: Socket,
    reads: number[],
    readBuffer: Buffer,
  ): Promise<void> {
    peer.write('first');
    await this.until(() => reads.length > 0, 'onread is not called');
    check(reads[0] === 5, `a read of 5 bytes says ${reads[0]}`);
    check(readBuffer.toString('latin1', 0, 5) === 'first', 'a read does not use the given buffer');

    check(handle.readStop() === 0, 'readStop() fails');
    peer.write('second');
    this.write(handle, 'answer');
    await this.until(() => this.heard === 'answer', 'a write does not arrive');
    // By now the second would have been read, too: it was sent before the answer.
    await turn();
    check(reads.length === 1, 'readStop() does not stop reading');
    check(handle.readStart() === 0, 'readStart() fails the second time');
    await this.until(() => reads.length > 1, 'readStart() does not go on with reading');
    check(
      reads[1] === 6 && readBuffer.toString('latin1', 0, 6) === 'second',
      'what was not read while reading stood still is lost',
    );

    if (handle.fd < 0) return;
    check(writeSync(handle.fd, ' by descriptor') === 14, 'fd takes no bytes');
    this.write(handle, ' and handle');
    await this.until(
      () => this.heard.endsWith('handle'),
      'a write does not arrive after one by descriptor',
    );
    check(this.heard === 'answer by descriptor and handle', 'writes arrive in another order');
  }

  /** A write of few bytes: the kernel must have taken it when the call returns. */
  private write(handle: TcpHandle, text: string): void {
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = this.internals;
    const request = new WriteWrap();
    request.oncomplete = () => {
      this.failure ??= new Error('a write that the kernel took at once completes a second time');
    };
    // Neither value that the call may leave here.
    streamBaseState[kLastWriteWasAsync] = 7;
    check(handle.writeBuffer(request, Buffer.from(text)) === 0, 'writeBuffer() fails');
    check(
      streamBaseState[kLastWriteWasAsync] === 0,
      'writeBuffer() does not say that the kernel took the bytes at once',
    );
  }

  private async checkWrites(handle: TcpHandle, peer: Socket): Promise<void> {
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = this.internals;
    peer.pause();
    const before = this.heardBytes;
    const request = new WriteWrap();
    const completions: number[] = [];
    const probe = this;
    request.oncomplete = function (status) {
      probe.guarded(() => check(this === request, 'oncomplete is not called on its request'));
      completions.push(status);
    };
    // Pages that nobody has written to cost no memory.
    const bytes = Buffer.alloc(LARGE_BYTES);
    check(handle.writeBuffer(request, bytes) === 0, 'a large write fails');
    const isAsync = streamBaseState[kLastWriteWasAsync] !== 0;
    await turn();
    check(
      completions.length === 0 || isAsync,
      'writeBuffer() says that the kernel took a large write, and completes it later',
    );
    peer.resume();
    await this.until(
      () => this.heardBytes === before + LARGE_BYTES && (!isAsync || completions.length > 0),
      isAsync ? 'a queued write does not complete' : 'a large write does not arrive whole',
    );
    // The reference to `bytes` lives until here: libuv holds a bare pointer to them.
    check(bytes.length === LARGE_BYTES, 'a large write is cut');
    check(!isAsync || completions[0] === 0, `a queued write completes with ${completions[0]}`);
  }

  private async checkEnds(handle: TcpHandle, peer: Socket, reads: number[]): Promise<void> {
    const request = new this.internals.ShutdownWrap();
    let hasShutDown = false;
    const probe = this;
    request.oncomplete = function () {
      probe.guarded(() => check(this === request, 'oncomplete is not called on its shutdown'));
      hasShutDown = true;
    };
    check(handle.shutdown(request) >= 0, 'shutdown() fails');
    await this.until(() => hasShutDown && this.hasPeerEnded, 'shutdown() does not complete');
    const count = reads.length;
    peer.end();
    await this.until(() => reads.length > count, "onread is not called for the peer's end");
    check(reads[count] === EOF, `the peer's end is read as ${reads[count]}, not ${EOF}`);
    let hasClosed = false;
    this.handle = undefined;
    handle.close(function () {
      probe.guarded(() => check(this === handle, 'close() does not call back on its handle'));
      hasClosed = true;
    });
    await this.until(() => hasClosed, 'close() does not call back');
  }

  /** Runs part of a callback: what it throws must not reach the callback's caller, which is Node's C++. */
  private guarded(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  /** Turns of the loop until the condition holds; `otherwise` is what went wrong when it does not. */
  private async until(condition: () => boolean, otherwise: string): Promise<void> {
    for (;;) {
      // First: a process that stood still for longer than the limit has an answer waiting, perhaps.
      const isLate = performance.now() > this.deadlineMs;
      if (isLate) for (let i = 0; i < 3; i++) await turn();
      if (this.failure !== undefined) throw this.failure;
      if (condition()) return;
      if (isLate) throw new Error(`${otherwise} (within ${this.limitMs} ms)`);
      await turn();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
