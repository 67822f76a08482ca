// A client connection that costs as little CPU as Node allows, so that the server under test is what is
// measured even on few cores: one read buffer for all connections, replies read in place (their bodies are
// skipped, never decoded), no promise, object or timer per request.
//
// Timing and windows are the business of its ReplySink. It sends no pings: a session without traffic
// lives for `timeoutMs`.

import { connect, type Socket } from 'node:net';
import {
  ByteWriter,
  beginFrame,
  endFrame,
  getInt32,
  OpCode,
  PASSWORD_BYTES,
  writeConnectRequest,
  writeRequestHeader,
} from '@zebu/protocol';
import { type Address, formatAddress } from './server-info.ts';

/** What all connections of one driver share; each uses it only within one read event. */
export interface Scratch {
  readonly read: Buffer;
  readonly writer: ByteWriter;
}

/** Receives what arrives. Calls come in this order: readStart, reply..., readEnd. */
export interface ReplySink {
  readStart(): void;
  /** A whole reply or, with xid -1, a watch event. `bodyBytes` counts what followed its header. */
  reply(xid: number, error: number, bodyBytes: number): void;
  readEnd(): void;
  closed(reason: Error): void;
}

/** Every frame of a server begins with 20 bytes that matter here: its length, then xid, zxid and error. */
const HEAD_BYTES = 20;
const REPLY_HEADER_BYTES = 16;

export function createScratch(): Scratch {
  return { read: Buffer.allocUnsafeSlow(256 * 1024), writer: new ByteWriter(64 * 1024) };
}

export class RawConnection {
  /** The last xid that was used; a sink that takes the connection over continues from it. */
  xid = 0;
  sink: ReplySink | undefined;
  sessionId = 0n;
  /** What the server granted. */
  timeoutMs = 0;

  private readonly address: Address;
  private readonly scratch: Scratch;
  private readonly socket: Socket;
  /** The beginning of a head that a read event cut in two. */
  private readonly cutHead = Buffer.alloc(HEAD_BYTES);
  private cutHeadBytes = 0;
  /** Bytes of a body that are still to come. */
  private skip = 0;
  private body = 0;
  private lastXid = 0;
  private error = 0;
  private greeting: ((reason?: Error) => void) | undefined;
  private isClosing = false;

  /** Use `open`. */
  private constructor(address: Address, scratch: Scratch, greeting: (reason?: Error) => void) {
    this.address = address;
    this.scratch = scratch;
    this.greeting = greeting;
    const onread = { buffer: scratch.read, callback: (length: number) => this.read(length) };
    this.socket = connect({ ...address, noDelay: true, onread });
    this.socket.on('error', (error) => this.lost(error));
    this.socket.on('close', () => this.lost(new Error('The server closed the connection')));
  }

  /** Connects and makes a session. Rejects when the server refuses either. */
  static open(
    address: Address,
    { scratch, timeoutMs = 60_000 }: { scratch: Scratch; timeoutMs?: number },
  ): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const connection: RawConnection = new RawConnection(address, scratch, (reason) => {
        if (reason === undefined) resolve(connection);
        else reject(reason);
      });
      const writer = new ByteWriter(64);
      const mark = beginFrame(writer);
      writeConnectRequest(writer, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs,
        sessionId: 0n,
        password: new Uint8Array(PASSWORD_BYTES),
        readOnly: false,
      });
      endFrame(writer, mark);
      connection.socket.write(writer.view());
    });
  }

  /** Sends and empties what `writer` holds, which may be used again at once. */
  send(writer: ByteWriter): void {
    if (writer.offset === 0) return;
    this.socket.write(Buffer.from(writer.view()));
    writer.reset();
  }

  /** Ends the session and waits until the server has closed the connection, 5 seconds at most. */
  close(): Promise<void> {
    if (this.isClosing) return Promise.resolve();
    this.isClosing = true;
    const request = new ByteWriter(16);
    const mark = beginFrame(request);
    writeRequestHeader(request, { xid: ++this.xid, type: OpCode.closeSession });
    endFrame(request, mark);
    this.socket.write(request.view());
    return new Promise((resolve) => {
      this.socket.setTimeout(5000, () => this.socket.destroy());
      this.socket.once('close', () => resolve());
    });
  }

  /** Cuts the connection. Its session lives on until the server expires it. */
  destroy(): void {
    this.isClosing = true;
    this.socket.destroy();
  }

  /** Pauses or resumes reading. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  private read(length: number): boolean {
    const bytes = this.scratch.read;
    const sink = this.isClosing ? undefined : this.sink;
    sink?.readStart();
    let at = 0;
    for (;;) {
      if (this.skip > 0) {
        const skipped = Math.min(this.skip, length - at);
        this.skip -= skipped;
        at += skipped;
        if (this.skip > 0) break;
        sink?.reply(this.lastXid, this.error, this.body);
      }
      const missing = HEAD_BYTES - this.cutHeadBytes;
      if (length - at < missing) {
        bytes.copy(this.cutHead, this.cutHeadBytes, at, length);
        this.cutHeadBytes += length - at;
        break;
      }
      if (this.cutHeadBytes > 0) {
        bytes.copy(this.cutHead, this.cutHeadBytes, at, at + missing);
        this.cutHeadBytes = 0;
        this.head(this.cutHead, 0);
      } else {
        this.head(bytes, at);
      }
      at += missing;
      if (this.isClosing) break;
      if (this.skip === 0) sink?.reply(this.lastXid, this.error, 0);
    }
    sink?.readEnd();
    return true;
  }

  private head(bytes: Buffer, at: number): void {
    const body = getInt32(bytes, at) - REPLY_HEADER_BYTES;
    if (body < 0) {
      this.lost(new Error(`A frame of ${body + REPLY_HEADER_BYTES} bytes is no reply`));
      this.socket.destroy();
      return;
    }
    this.skip = body;
    this.body = body;
    if (this.greeting !== undefined) {
      this.greeted(bytes, at);
      return;
    }
    this.lastXid = getInt32(bytes, at + 4);
    this.error = getInt32(bytes, at + 16);
  }

  /** ConnectResponse: int protocolVersion, int timeOut, long sessionId, then what is skipped. */
  private greeted(bytes: Buffer, at: number): void {
    const greeting = this.greeting;
    this.greeting = undefined;
    this.timeoutMs = getInt32(bytes, at + 8);
    this.sessionId = bytes.readBigInt64BE(at + 12);
    if (this.timeoutMs > 0) greeting?.();
    else greeting?.(new Error(`${formatAddress(this.address)} refused a new session`));
  }

  private lost(reason: Error): void {
    if (this.isClosing) return;
    this.isClosing = true;
    const named = new Error(`${formatAddress(this.address)}: ${reason.message}`);
    const greeting = this.greeting;
    this.greeting = undefined;
    if (greeting !== undefined) greeting(named);
    else this.sink?.closed(named);
  }
}

/**
 * Opens `count` connections, spread evenly over the addresses, at most 32 at a time: a server's accept
 * queue is short (Apache's: 50).
 */
export async function openConnections(
  addresses: readonly Address[],
  count: number,
  options: { scratch: Scratch; timeoutMs?: number },
): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  let started = 0;
  let failure: Error | undefined;
  const openSome = async () => {
    while (started < count && failure === undefined) {
      const address = addresses[started++ % addresses.length] as Address;
      try {
        connections.push(await RawConnection.open(address, options));
      } catch (error) {
        failure ??= error as Error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(32, count) }, openSome));
  if (failure === undefined) return connections;
  for (const connection of connections) connection.destroy();
  if (connections.length === 0) throw failure;
  throw new Error(
    `${failure.message}; ${connections.length} of ${count} connections were open. Servers limit ` +
      'those of one address: maxClientCnxns in zoo.cfg, 60 by default, 0 for no limit',
    { cause: failure },
  );
}
