// A Connection straight on libuv's stream handle, for accepted TCP sockets.
//
// Together with stream-internals.ts this is the one file that uses what Node does not document: the accept
// callback of a server's handle, the handle's own methods and process.binding('stream_wrap'). It is here
// because it pays (packages/transport/bench/accepted.ts, Node 24.21, medians of 5): 7.4 us of CPU per
// request and 0.5 KB per idle connection, where net.Socket takes 10.1 us and 1.5 KB with 'data' events,
// 8.7 us and 2.4 KB with `onread`. Where a runtime's handles behave otherwise (stream-internals.ts tries
// them), or the operator says so, listener.ts takes SocketConnection instead; both pass the same
// compliance suite.
//
// Reads go into one buffer shared by all connections. That is safe because libuv allocates, reads
// and calls back in one go, and JavaScript never runs the loop from within a callback: no other
// socket can read before the handler has returned.

import type { Server } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import type { Connection, ConnectionHandler } from './connection.ts';
import { firstReservedDescriptor } from './descriptors.ts';
import { plainAddress, socketError, TransportError } from './errors.ts';
import { type Recipient, type SharedFanOut, UNKNOWN } from './fan-out.ts';
import { writeToDescriptor } from './fan-out-memory.ts';
import type { Leaving } from './leaving.ts';
import type { Lingering } from './lingering.ts';
import {
  acceptingHandle,
  EOF,
  type ShutdownRequest,
  type SocketName,
  type StreamInternals,
  type TcpHandle,
  type WriteRequest,
} from './stream-internals.ts';

/** What accepted connections of one network share. */
export interface SharedStreams {
  /** Kept referenced by every connection: libuv holds a bare pointer to it. */
  readonly readBuffer: Buffer;
  readonly lingering: Lingering;
  readonly leaving: Leaving;
}

/** A handle knows its connection, so that the callbacks below are shared by all. */
interface OwnedHandle extends TcpHandle {
  connection: HandleConnection;
}
interface OwnedWrite extends WriteRequest {
  connection: HandleConnection | undefined;
  /** Keeps the bytes alive while libuv points into them. */
  bytes: Buffer | undefined;
}
interface OwnedShutdown extends ShutdownRequest {
  connection: HandleConnection | undefined;
}

/**
 * Takes over the accepting of a listening server: `accepted` is called instead of its 'connection'
 * event. A client whose descriptor the rest of the process needs is sent away (`refused`). False, and nothing
 * changed, where that is not possible.
 */
export function acceptHandles(
  server: Server,
  options: {
    internals: StreamInternals;
    shared: SharedStreams;
    keepAlive: boolean;
    localPort: number;
    mayUseReserve: boolean;
    accepted: (connection: HandleConnection) => ConnectionHandler;
    refused: () => void;
    closed: (connection: HandleConnection) => void;
  },
): boolean {
  const handle = acceptingHandle(server);
  if (handle === undefined) return false;
  const streams = new Streams(options);
  const { accepted, refused } = options;
  const firstReserved = options.mayUseReserve
    ? Number.POSITIVE_INFINITY
    : firstReservedDescriptor();
  handle.onconnection = (status, client) => {
    // Out of file descriptors, or the peer is gone already: there is nobody to tell.
    if (status !== 0 || client === undefined) return;
    if (client.fd >= firstReserved) {
      client.close(() => {});
      refused();
      return;
    }
    const connection = streams.open(client as OwnedHandle, options.localPort);
    if (connection !== undefined) connection.start(accepted(connection));
  };
  return true;
}

/** How long a connection is idle before keep-alive probes start. */
const KEEP_ALIVE_DELAY_SECONDS = 60;

class Streams {
  readonly shared: SharedStreams;
  readonly internals: StreamInternals;
  readonly closed: (connection: HandleConnection) => void;
  private readonly keepAlive: boolean;
  /**
   * The request object of the next write. A write that the kernel takes at once leaves it
   * untouched, so one object serves nearly all writes.
   */
  private spare: OwnedWrite;

  constructor(options: {
    internals: StreamInternals;
    shared: SharedStreams;
    keepAlive: boolean;
    closed: (connection: HandleConnection) => void;
  }) {
    this.internals = options.internals;
    this.shared = options.shared;
    this.keepAlive = options.keepAlive;
    this.closed = options.closed;
    this.spare = this.newRequest();
  }

  open(handle: OwnedHandle, localPort: number): HandleConnection | undefined {
    const peer: SocketName = {};
    if (handle.getpeername(peer) !== 0) {
      // Reset between the handshake and our accept.
      handle.close(() => {});
      return undefined;
    }
    handle.setNoDelay(true);
    if (this.keepAlive) handle.setKeepAlive(true, KEEP_ALIVE_DELAY_SECONDS);
    return new HandleConnection(this, handle, peer, localPort);
  }

  get lastRead(): number {
    return this.internals.streamBaseState[this.internals.kReadBytesOrError] as number;
  }

  /** Writes at once what the kernel takes. Returns a negative error, or the bytes now queued. */
  write(connection: HandleConnection, handle: OwnedHandle, bytes: Buffer): number {
    const request = this.spare;
    const error = handle.writeBuffer(request, bytes);
    if (error !== 0) return error;
    if (this.internals.streamBaseState[this.internals.kLastWriteWasAsync] === 0) return 0;
    request.connection = connection;
    request.bytes = bytes;
    this.spare = this.newRequest();
    return bytes.length;
  }

  private newRequest(): OwnedWrite {
    const request = new this.internals.WriteWrap() as OwnedWrite;
    request.oncomplete = onWritten as WriteRequest['oncomplete'];
    request.connection = undefined;
    request.bytes = undefined;
    return request;
  }
}

export class HandleConnection implements Recipient {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  handler: ConnectionHandler;
  /** Bytes of the writes under way, counted whole until each is done: that is what they hold. */
  queuedBytes: number;
  private readonly streams: Streams;
  private readonly handle: OwnedHandle;
  private readonly fd: number;
  private phase: number;
  private isPaused: boolean;
  /** The peer said its end. */
  private isHalfClosed: boolean;
  private reason: Error | undefined;
  /** Whose bytes are perhaps not written yet: they come before anything else. */
  private fanOut: SharedFanOut | undefined;
  private place: number;

  constructor(streams: Streams, handle: OwnedHandle, peer: SocketName, localPort: number) {
    this.remoteAddress = plainAddress(peer.address);
    this.remotePort = peer.port ?? 0;
    this.localPort = localPort;
    this.handler = NO_HANDLER;
    this.queuedBytes = 0;
    this.streams = streams;
    this.handle = handle;
    this.fd = handle.fd;
    this.phase = OPEN;
    this.isPaused = false;
    this.isHalfClosed = false;
    this.reason = undefined;
    this.fanOut = undefined;
    this.place = 0;
    handle.connection = this;
    handle.onread = onRead as TcpHandle['onread'];
    handle.useUserBuffer(streams.shared.readBuffer);
  }

  get secure(): boolean {
    return false;
  }

  get peerCertificate(): undefined {
    return undefined;
  }

  start(handler: ConnectionHandler): void {
    this.handler = handler;
    if (this.phase !== CLOSED && !this.isPaused) this.handle.readStart();
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    this.finishFanOut();
    if (this.phase !== OPEN || start === end) return true;
    const whole = start === 0 && end === bytes.length;
    const queued = this.streams.write(
      this,
      this.handle,
      whole ? bytes : bytes.subarray(start, end),
    );
    if (queued === 0) return true;
    if (queued < 0) {
      this.fail(queued);
      return true;
    }
    this.queuedBytes += queued;
    return false;
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    if (this.phase === OPEN) this.handle.readStop();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (this.phase === OPEN) this.handle.readStart();
  }

  end(): void {
    this.finishFanOut();
    if (this.phase !== OPEN) return;
    this.phase = ENDING;
    const request = new this.streams.internals.ShutdownWrap() as OwnedShutdown;
    request.oncomplete = onShutdown as unknown as ShutdownRequest['oncomplete'];
    request.connection = this;
    // libuv shuts down after the writes that are queued. Not connected any more: just close.
    if (this.handle.shutdown(request) < 0) {
      this.destroy();
      return;
    }
    // Read on, to drop what comes: see Connection.end.
    if (!this.isHalfClosed) this.handle.readStart();
    this.streams.shared.lingering.add(this);
  }

  destroy(reason?: Error): void {
    if (this.phase === CLOSED) return;
    const { fanOut } = this;
    // Its descriptor may be another's as soon as the handle is closed.
    const written = fanOut?.takeBack(this.place);
    this.fanOut = undefined;
    this.phase = CLOSED;
    this.reason = reason;
    this.queuedBytes = 0;
    if (fanOut === undefined || written !== UNKNOWN) {
      this.handle.close(onClosed as () => void);
      return;
    }
    this.handle.readStop();
    fanOut.whenThreadEnded(() => this.handle.close(onClosed as () => void));
  }

  joinFanOut(fanOut: SharedFanOut, place: number): boolean {
    this.finishFanOut();
    if (this.phase !== OPEN) return false;
    this.fanOut = fanOut;
    this.place = place;
    return true;
  }

  /** What a fan-out has for this connection is written before anything else. */
  private finishFanOut(): void {
    if (this.fanOut !== undefined) this.leaveFanOut(this.fanOut);
  }

  descriptorFor(fanOut: SharedFanOut): number {
    // What libuv holds back must go first.
    return this.fanOut === fanOut && this.queuedBytes === 0 ? this.fd : -1;
  }

  leaveFanOut(fanOut: SharedFanOut): boolean {
    if (this.fanOut !== fanOut) return false;
    const fd = this.descriptorFor(fanOut);
    this.fanOut = undefined;
    const { bytes } = fanOut;
    let written = fanOut.takeBack(this.place);
    if (written === bytes.length) return false;
    if (written === UNKNOWN) {
      this.fanOut = fanOut;
      this.destroy(lostEvent(this));
      return false;
    }
    // As the second thread does: a third of a microsecond less than through the handle, which pays with thousands.
    if (written === 0 && fd >= 0) written = writeToDescriptor(fd, bytes, bytes.length);
    this.write(bytes, written, bytes.length);
    return true;
  }

  /** @internal One read: its length, 0 for nothing, or a negative error of libuv. */
  received(): void {
    const length = this.streams.lastRead;
    if (length <= 0) {
      if (length < 0) this.readEnded(length);
      return;
    }
    const { readBuffer } = this.streams.shared;
    if (this.phase === OPEN) this.handler.data(readBuffer, 0, length);
    // A full buffer says that more is waiting, and libuv would read on up to 32 times. Others get
    // their turn first, or one client that pipelines would starve all.
    if (length === readBuffer.length && this.phase !== CLOSED && !this.isPaused) {
      this.handle.readStop();
      setImmediate(readOn, this);
    }
  }

  /** @internal */
  readOn(): void {
    if (this.phase === ENDING || (this.phase === OPEN && !this.isPaused)) this.handle.readStart();
  }

  /** @internal */
  written(length: number, status: number): void {
    if (this.phase === CLOSED) return;
    if (status < 0) {
      this.fail(status);
      return;
    }
    this.queuedBytes -= length;
    if (this.queuedBytes === 0 && this.phase === OPEN) this.handler.drained();
  }

  /** @internal All is flushed and our end is said. */
  wasShutDown(): void {
    if (this.isHalfClosed) this.destroy();
  }

  /** @internal */
  wasClosed(): void {
    this.streams.shared.lingering.delete(this);
    this.streams.closed(this);
    this.handler.closed(this.reason);
  }

  private readEnded(error: number): void {
    if (error !== EOF) {
      this.fail(error);
      return;
    }
    this.isHalfClosed = true;
    this.streams.shared.leaving.add(this);
  }

  /** @internal The peer says no more but may still read: flush, then close. */
  leave(): void {
    if (this.phase === OPEN && this.handler.ended?.() === true) return;
    this.finishFanOut();
    if (this.queuedBytes === 0) this.destroy();
    else this.end();
  }

  private fail(error: number): void {
    // After our own end a reset is the peer's way of closing.
    this.destroy(this.phase === ENDING ? undefined : systemError(this, error));
  }
}

const OPEN = 0;
/** end() was called, or the peer ended while bytes were queued. */
const ENDING = 1;
/** The handle is closing or closed. */
const CLOSED = 2;

const NO_HANDLER: ConnectionHandler = { data() {}, drained() {}, closed() {} };

function onRead(this: OwnedHandle): void {
  this.connection.received();
}

function onWritten(this: OwnedWrite, status: number): void {
  const { connection, bytes } = this;
  this.connection = undefined;
  this.bytes = undefined;
  if (connection !== undefined && bytes !== undefined) connection.written(bytes.length, status);
}

function onShutdown(this: OwnedShutdown): void {
  const { connection } = this;
  this.connection = undefined;
  connection?.wasShutDown();
}

function onClosed(this: OwnedHandle): void {
  this.connection.wasClosed();
}

function lostEvent(connection: Connection): TransportError {
  return new TransportError('IO_FAILED', {
    address: connection.remoteAddress,
    port: connection.remotePort,
    detail: 'the second thread ended in the middle of a write',
  });
}

function readOn(connection: HandleConnection): void {
  connection.readOn();
}

function systemError(connection: Connection, errno: number): Error {
  const [code, description] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error'];
  return socketError(Object.assign(new Error(`${code}: ${description}`), { code, errno }), {
    address: connection.remoteAddress,
    port: connection.remotePort,
    connected: true,
    secure: false,
  });
}
