// A Connection over Node's public net.Socket and tls.TLSSocket: every dialled one, every TLS one,
// and accepted ones where handle-connection.ts cannot be used.
//
// Listeners are shared functions that find the connection through a symbol on the socket, so a
// connection costs no closure.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Connection, ConnectionHandler, DialHandler } from './connection.ts';
import { plainAddress, socketError, TransportError } from './errors.ts';
import type { Lingering } from './lingering.ts';

const OWNER = Symbol('zebu.connection');
interface OwnedSocket extends Socket {
  [OWNER]: SocketConnection;
}

export class SocketConnection implements Connection {
  readonly secure: boolean;
  handler: ConnectionHandler;
  private readonly socket: Socket;
  private readonly lingering: Lingering;
  private address: string;
  private port: number;
  private ownPort: number;
  private isConnected: boolean;
  private isPaused: boolean;
  /** end() was called: nothing is written or handed over any more. */
  private isEnding: boolean;
  private isDestroyed: boolean;
  private awaitsDrain: boolean;
  private reason: Error | undefined;
  private connectTimer: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    options: {
      handler: ConnectionHandler;
      lingering: Lingering;
      secure: boolean;
      /** Present for a socket that still has to connect. */
      dial?: { address: string; port: number; connectTimeoutMs: number };
      /** False when the socket was made with `onread`, which calls receivedInto(). */
      readByEvents: boolean;
    },
  ) {
    this.socket = socket;
    this.lingering = options.lingering;
    this.secure = options.secure;
    this.handler = options.handler;
    this.isPaused = false;
    this.isEnding = false;
    this.isDestroyed = false;
    this.awaitsDrain = false;
    this.reason = undefined;
    this.connectTimer = undefined;
    this.isConnected = options.dial === undefined;
    this.address = options.dial?.address ?? plainAddress(socket.remoteAddress);
    this.port = options.dial?.port ?? socket.remotePort ?? 0;
    this.ownPort = socket.localPort ?? 0;
    (socket as OwnedSocket)[OWNER] = this;
    if (options.readByEvents) socket.on('data', onData);
    socket.on('error', onError);
    socket.on('close', onClose);
    if (options.dial !== undefined) {
      socket.once(this.secure ? 'secureConnect' : 'connect', onConnected);
      if (options.dial.connectTimeoutMs > 0) {
        this.connectTimer = setTimeout(onConnectTimeout, options.dial.connectTimeoutMs, this);
      }
    }
  }

  get remoteAddress(): string {
    return this.address;
  }

  get remotePort(): number {
    return this.port;
  }

  get localPort(): number {
    return this.ownPort;
  }

  get peerCertificate(): Uint8Array | undefined {
    if (!this.secure || !(this.socket as TLSSocket).authorized) return undefined;
    return (this.socket as TLSSocket).getPeerX509Certificate()?.raw;
  }

  get queuedBytes(): number {
    return this.isDestroyed ? 0 : this.socket.writableLength;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.isEnding || this.isDestroyed || start === end) return true;
    const { socket } = this;
    socket.write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    // A write that the kernel took at once is accounted for before write() returns, so a length of
    // zero says that nobody holds the buffer any more. A partial write keeps its full length.
    if (socket.writableLength === 0) return true;
    if (!this.awaitsDrain) {
      this.awaitsDrain = true;
      this.askForDrain();
    }
    return false;
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.socket.resume();
  }

  end(): void {
    if (this.isEnding || this.isDestroyed) return;
    this.isEnding = true;
    if (!this.isConnected) {
      this.destroy();
      return;
    }
    this.socket.end();
    // Read on, to drop what comes: see Connection.end.
    this.socket.resume();
    this.lingering.add(this);
  }

  destroy(reason?: Error): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.reason ??= reason;
    this.socket.destroy();
  }

  /** One read. False stops libuv from reading on. */
  received(bytes: Buffer, length: number): boolean {
    if (this.isEnding || this.isDestroyed) return true;
    this.handler.data(bytes, 0, length);
    return !this.isPaused;
  }

  /** One read into a shared buffer, by net.connect({ onread }). False stops libuv from reading on. */
  receivedInto(buffer: Buffer, length: number): boolean {
    const goOn = this.received(buffer, length);
    if (length === buffer.length) this.yieldReading();
    return goOn;
  }

  /** Reads no more in this turn of the loop: others get theirs first. */
  yieldReading(): void {
    if (this.isDestroyed || this.isEnding || this.isPaused) return;
    this.socket.pause();
    setImmediate(continueReading, this);
  }

  /** @internal Called by the shared listeners below. */
  continued(): void {
    if (!this.isPaused && !this.isDestroyed) this.socket.resume();
  }

  /** @internal */
  connected(): void {
    clearTimeout(this.connectTimer);
    this.connectTimer = undefined;
    if (this.isDestroyed) return;
    this.isConnected = true;
    this.address = plainAddress(this.socket.remoteAddress);
    this.port = this.socket.remotePort ?? this.port;
    this.ownPort = this.socket.localPort ?? 0;
    (this.handler as DialHandler).connected();
  }

  /** @internal */
  timedOut(): void {
    this.destroy(new TransportError('CONNECT_TIMEOUT', { address: this.address, port: this.port }));
  }

  /** @internal */
  failed(error: Error): void {
    this.reason ??= socketError(error, {
      address: this.address,
      port: this.port,
      connected: this.isConnected,
      secure: this.secure,
    });
  }

  /** @internal */
  wasClosed(): void {
    clearTimeout(this.connectTimer);
    this.isDestroyed = true;
    this.lingering.delete(this);
    this.handler.closed(this.reason);
  }

  /** The empty write's callback comes when all before it is out; 'drain' would wait for a threshold. */
  private askForDrain(): void {
    if (this.secure && IS_DENO) setTimeout(onDrainAsked, DENO_POLL_MS, this);
    else this.socket.write(EMPTY, () => this.drainAsked());
  }

  /** @internal */
  drainAsked(): void {
    if (this.isDestroyed) return;
    if (this.socket.writableLength > 0) {
      this.askForDrain();
      return;
    }
    this.awaitsDrain = false;
    if (!this.isEnding) this.handler.drained();
  }
}

const EMPTY = Buffer.alloc(0);

/** Its TLS sockets fail an empty write, with EPERM (2.9.6): they are asked now and then instead. */
const IS_DENO = 'deno' in process.versions;
const DENO_POLL_MS = 1;

function onDrainAsked(connection: SocketConnection): void {
  connection.drainAsked();
}

/** Node's own read size: a read of this many bytes may have left more in the kernel. */
export const READ_BYTES = 65_536;

function onData(this: Socket, chunk: Buffer): void {
  const connection = (this as OwnedSocket)[OWNER];
  connection.received(chunk, chunk.length);
  if (chunk.length >= READ_BYTES) connection.yieldReading();
}

function onConnected(this: Socket): void {
  (this as OwnedSocket)[OWNER].connected();
}

function onConnectTimeout(connection: SocketConnection): void {
  connection.timedOut();
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[OWNER].failed(error);
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[OWNER].wasClosed();
}

function continueReading(connection: SocketConnection): void {
  connection.continued();
}
