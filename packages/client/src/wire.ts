// One connection to one server, from the dial to the close: handshake, frames out, replies in.
// It lives once. What outlives it (session, requests, watches) is the connection loop's, so nothing
// of a broken connection, half a frame least of all, can reach the next one.

import {
  ByteReader,
  ByteWriter,
  beginFrame,
  type ConnectRequest,
  type ConnectResponse,
  endFrame,
  FrameDecoder,
  OpCode,
  readConnectResponse,
  writeConnectRequest,
  Xid,
} from '@zebu/protocol';
import type { Connection, DialHandler, TlsOptions } from '@zebu/transport';
import type { ClientEnvironment } from './environment.ts';
import type { Host } from './host-provider.ts';

/** What the connection loop hears. None of it may throw. */
export interface WireOwner {
  /** The server's answer to the handshake; the session may be refused in it. */
  established(wire: Wire, response: ConnectResponse): void;
  /** A reply or a notification; the reader stands after its header. */
  received(wire: Wire, xid: number, zxid: number, errno: number, reader: ByteReader): void;
  /** All that was in `out` is on its way. */
  flushed(wire: Wire): void;
  /** The kernel has taken what had to wait for it. */
  relieved(wire: Wire): void;
  /** Exactly once, and nothing after it. */
  closed(wire: Wire, reason: Error | undefined): void;
}

export interface WireOptions {
  readonly environment: ClientEnvironment;
  readonly host: Host;
  readonly tls: TlsOptions | undefined;
  /** Dial and handshake together. */
  readonly attemptTimeoutMs: number;
  readonly maxReplyBytes: number;
  readonly number: number;
  readonly handshake: ConnectRequest;
  readonly owner: WireOwner;
}

const FIRST_OUT_BYTES = 4096;
/** Buffers that grew beyond this are not kept for the next flush. */
const KEPT_OUT_BYTES = 256 * 1024;
/** While so much waits for the kernel, no more is handed over. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** The constructor throws if the TLS options cannot be used. */
export class Wire implements DialHandler {
  readonly host: Host;
  readonly number: number;
  /** Frames that go out with the next flush. */
  out: ByteWriter;
  isEstablished: boolean;
  /** The server has said that nothing of what it has not answered was carried out, or will be. */
  isDismissed: boolean;
  /**
   * When an answer, or a piece of one, last came; by the environment's clock, as `lastSentAt`. A watch's event answers
   * nothing: it also comes from a server that hears no more of us, where our session runs out.
   */
  lastAnswerAt: number;
  lastSentAt: number;
  private readonly options: WireOptions;
  private readonly connection: Connection;
  private readonly decoder: FrameDecoder;
  private readonly reader: ByteReader;
  private readonly sink: (bytes: Buffer, start: number, end: number) => boolean;
  /** Frames of the bytes that are being read: events, and all. */
  private events: number;
  private frames: number;
  private attemptTimer: unknown;
  private isFlushAsked: boolean;
  private isClosed: boolean;
  private reason: Error | undefined;

  constructor(options: WireOptions) {
    const { environment, host, tls } = options;
    this.options = options;
    this.host = host;
    this.number = options.number;
    this.out = new ByteWriter(FIRST_OUT_BYTES);
    this.isEstablished = false;
    this.isDismissed = false;
    this.lastAnswerAt = 0;
    this.lastSentAt = 0;
    this.events = 0;
    this.frames = 0;
    this.decoder = new FrameDecoder(options.maxReplyBytes);
    this.reader = new ByteReader();
    this.reader.maxLength = options.maxReplyBytes;
    this.sink = (bytes, start, end) => this.frame(bytes, start, end);
    this.isFlushAsked = false;
    this.isClosed = false;
    this.reason = undefined;
    const address = { host: host.host, port: host.port };
    this.connection = environment.network.dial(
      tls === undefined ? address : { ...address, tls },
      this,
    );
    this.attemptTimer = environment.setTimer(
      () => this.destroy(new Error(`No answer within ${options.attemptTimeoutMs} ms`)),
      options.attemptTimeoutMs,
    );
  }

  /** Bytes that wait in user space. */
  get queuedBytes(): number {
    return this.out.offset + this.connection.queuedBytes;
  }

  /** Sends what is in `out` at the end of this turn, together with what still joins it. */
  flushSoon(): void {
    if (this.isFlushAsked) return;
    this.isFlushAsked = true;
    this.options.environment.gather(() => this.flush());
  }

  ping(): void {
    const mark = beginFrame(this.out);
    this.out.int32(Xid.ping);
    this.out.int32(OpCode.ping);
    endFrame(this.out, mark);
    this.flushSoon();
  }

  /** Flushes, then closes. */
  end(): void {
    this.flush();
    this.connection.end();
  }

  destroy(reason?: Error): void {
    this.reason ??= reason;
    this.connection.destroy(reason);
  }

  connected(): void {
    const { environment, handshake } = this.options;
    const mark = beginFrame(this.out);
    writeConnectRequest(this.out, handshake);
    endFrame(this.out, mark);
    this.lastAnswerAt = environment.now();
    this.flush();
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.events = 0;
    this.frames = 0;
    try {
      this.decoder.push(bytes, start, end, this.sink);
      // Without a whole frame it is a piece of an answer: events are small.
      if (this.events === 0 || this.events < this.frames) {
        this.lastAnswerAt = this.options.environment.now();
      }
    } catch (error) {
      // Bytes that make no sense: whatever follows makes none either.
      this.destroy(error as Error);
    }
  }

  drained(): void {
    this.flushSoon();
    if (!this.isClosed) this.options.owner.relieved(this);
  }

  closed(reason?: Error): void {
    this.isClosed = true;
    this.options.environment.clearTimer(this.attemptTimer);
    this.options.owner.closed(this, this.reason ?? reason);
  }

  private frame(bytes: Buffer, start: number, end: number): boolean {
    if (this.isClosed || this.reason !== undefined) return false;
    const { owner, environment } = this.options;
    const reader = this.reader.reset(bytes, start, end);
    if (this.isEstablished) {
      const xid = reader.int32();
      this.frames++;
      if (xid === Xid.notification) this.events++;
      const zxid = reader.int64();
      owner.received(this, xid, zxid, reader.int32(), reader);
    } else {
      const response = readConnectResponse(reader);
      environment.clearTimer(this.attemptTimer);
      this.isEstablished = true;
      this.lastAnswerAt = environment.now();
      // The password is a view of the read buffer.
      owner.established(this, { ...response, password: Buffer.from(response.password) });
    }
    return true;
  }

  private flush(): void {
    this.isFlushAsked = false;
    const { out, connection } = this;
    if (this.isClosed || out.offset === 0 || connection.queuedBytes > HIGH_WATER_BYTES) return;
    const taken = connection.write(out.bytes, 0, out.offset);
    this.lastSentAt = this.options.environment.now();
    // What the kernel did not take now belongs to the connection.
    if (taken && out.bytes.length <= KEPT_OUT_BYTES) out.reset();
    else this.out = new ByteWriter(FIRST_OUT_BYTES);
    this.options.owner.flushed(this);
  }
}
