// A client that knows frames and keeps every one it gets, in order.

import {
  ByteReader,
  ByteWriter,
  type ConnectResponse,
  errorName,
  FrameDecoder,
  OpCode,
  readConnectResponse,
  readWatcherEvent,
  writeConnectRequest,
  Xid,
} from '@zebu/protocol';
import type { Connection, DialHandler, Network } from '@zebu/transport';
import type { Ask } from './asks.ts';

export interface Frame {
  readonly xid: number;
  readonly zxid: number;
  readonly error: number;
  readonly body: Buffer;
}

export interface ConnectOptions {
  readonly timeoutMs?: number;
  readonly sessionId?: bigint;
  readonly password?: Uint8Array | null;
  readonly lastZxidSeen?: bigint;
  /** Null leaves the byte out, as clients before 3.4 do. */
  readonly readOnly?: boolean | null;
}

const EVENT_NAMES = ['', 'created', 'deleted', 'changed', 'children'];

export class RawClient implements DialHandler {
  readonly transport: Connection;
  readonly frames: Frame[] = [];
  /** The answer to the handshake and its length, once it came. */
  session: ConnectResponse | undefined;
  sessionBytes = 0;
  isClosed = false;
  /** The answer to a four-letter word so far; undefined while none was asked. */
  text: string | undefined;
  private nextXid = 1;
  private seen = 0;
  private readonly decoder = new FrameDecoder(0x7fffffff);
  private readonly run: () => void;

  constructor(network: Network, port: number, run: () => void) {
    this.run = run;
    this.transport = network.dial({ host: 'server', port }, this);
  }

  connected(): void {}

  data(bytes: Buffer, start: number, end: number): void {
    if (this.text !== undefined) {
      this.text += bytes.toString('utf8', start, end);
      return;
    }
    this.decoder.push(bytes, start, end, (frame, from, to) => {
      this.take(Buffer.from(frame.subarray(from, to)));
      return true;
    });
  }

  drained(): void {}

  closed(): void {
    this.isClosed = true;
  }

  private take(frame: Buffer): void {
    const reader = new ByteReader(frame, 0, frame.length);
    if (this.session === undefined) {
      this.session = readConnectResponse(reader);
      this.sessionBytes = frame.length;
      return;
    }
    this.frames.push({
      xid: reader.int32(),
      zxid: reader.int64(),
      error: reader.int32(),
      body: frame.subarray(reader.offset),
    });
  }

  /** Sends the handshake. Without options: a new session of 10 s. */
  connect(options: ConnectOptions = {}): this {
    const writer = new ByteWriter(64);
    writer.int32(0);
    writeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: options.lastZxidSeen ?? 0n,
      timeoutMs: options.timeoutMs ?? 10_000,
      sessionId: options.sessionId ?? 0n,
      password: options.password === undefined ? Buffer.alloc(16) : options.password,
      readOnly: options.readOnly === null ? undefined : (options.readOnly ?? false),
    });
    writer.patchInt32(0, writer.offset - 4);
    return this.sendBytes(writer.bytes.subarray(0, writer.offset));
  }

  /** Asks a four-letter word in place of a handshake. */
  askWord(word: string): this {
    this.text = '';
    return this.sendBytes(Buffer.from(word));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): this {
    // The transport owns what it is given.
    const copy = Buffer.from(bytes);
    this.transport.write(copy, 0, copy.length);
    return this;
  }

  /** Sends requests with the next xids, in one write; returns the last xid. */
  send(...asks: readonly Ask[]): number {
    const xidOf = ({ type }: Ask): number => (type === OpCode.ping ? Xid.ping : this.nextXid++);
    this.sendBytes(Buffer.concat(asks.map((one) => frameOf(xidOf(one), one))));
    return this.nextXid - 1;
  }

  sendWithXid(xid: number, one: Ask): this {
    return this.sendBytes(frameOf(xid, one));
  }

  /** Sends one request, lets the server work, and returns the reply. */
  call(one: Ask): Frame {
    const xid = one.type === OpCode.ping ? Xid.ping : this.nextXid++;
    this.sendWithXid(xid, one);
    this.run();
    const reply = this.frames.findLast((frame) => frame.xid === xid);
    if (reply === undefined) throw new Error(`No reply to request ${xid} of type ${one.type}`);
    return reply;
  }

  /** The name of the error that the server answers with. */
  errorOf(one: Ask): string {
    return errorName(this.call(one).error) ?? '?';
  }

  /** Sends requests, lets the server work, and fails unless all are answered OK. */
  must(...asks: Ask[]): void {
    for (const one of asks) {
      const error = this.errorOf(one);
      if (error !== 'OK') throw new Error(`Request of type ${one.type}: ${error}`);
    }
  }

  /** What came since the last call, a line each: `#3 OK` for replies, `changed /a` for events. */
  lines(): string[] {
    this.run();
    const fresh = this.frames.slice(this.seen);
    this.seen = this.frames.length;
    return fresh.map((frame) =>
      frame.xid === Xid.notification
        ? describeEvent(frame)
        : `#${frame.xid} ${errorName(frame.error)}`,
    );
  }

  /** As lines(), events only. */
  events(): string[] {
    return this.lines().filter((line) => !line.startsWith('#'));
  }
}

function frameOf(xid: number, { type, body }: Ask): Buffer {
  const frame = Buffer.alloc(12 + body.length);
  frame.writeInt32BE(8 + body.length, 0);
  frame.writeInt32BE(xid, 4);
  frame.writeInt32BE(type, 8);
  body.copy(frame, 12);
  return frame;
}

/** A reader over the body of a reply. */
export function bodyOf(frame: Frame): ByteReader {
  return new ByteReader(frame.body, 0, frame.body.length);
}

function describeEvent(frame: Frame): string {
  const { type, path } = readWatcherEvent(bodyOf(frame));
  return `${EVENT_NAMES[type]} ${path}`;
}
