// A session for single requests whose replies are read: one at a time, with promises. The load does not use it.

import { connect, type Socket } from 'node:net';
import {
  ByteReader,
  ByteWriter,
  beginFrame,
  endFrame,
  OpCode,
  PASSWORD_BYTES,
  type ReplyHeader,
  readReplyHeader,
  writeConnectRequest,
  writePathWatchRequest,
  writeRequestHeader,
  Xid,
} from '@zebu/protocol';
import type { Address } from './server-info.ts';

/** A reply; `body` stands at what follows the header. */
export interface Reply extends ReplyHeader {
  readonly body: ByteReader;
}

export class PlainSession {
  private readonly socket: Socket;
  private chunks: Buffer[] = [];
  private received = 0;
  private waiting:
    | { resolve: (frame: Buffer) => void; reject: (reason: Error) => void }
    | undefined;
  private broken: Error | undefined;
  private xid = 0;

  private constructor(address: Address, signal: AbortSignal | undefined) {
    this.socket = connect({ ...address, noDelay: true, ...(signal && { signal }) });
    this.socket.on('data', (bytes: Buffer) => this.data(bytes));
    this.socket.on('error', (error) => this.break(error));
    this.socket.on('close', () => this.break(new Error('The server closed the connection')));
  }

  /** Rejects when the server cannot be reached or answers nothing, or when `signal` aborts. */
  static async open(address: Address, signal?: AbortSignal): Promise<PlainSession> {
    const session = new PlainSession(address, signal);
    const writer = new ByteWriter(64);
    const mark = beginFrame(writer);
    writeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: 60_000,
      sessionId: 0n,
      password: new Uint8Array(PASSWORD_BYTES),
      readOnly: false,
    });
    endFrame(writer, mark);
    await session.exchange(writer);
    return session;
  }

  async ask(type: number, writeBody: (writer: ByteWriter) => void): Promise<Reply> {
    const writer = new ByteWriter();
    const mark = beginFrame(writer);
    writeRequestHeader(writer, { xid: ++this.xid, type });
    writeBody(writer);
    endFrame(writer, mark);
    for (;;) {
      const body = new ByteReader();
      const frame = await this.exchange(writer);
      body.reset(frame, 0, frame.length);
      const header = readReplyHeader(body);
      if (header.xid !== Xid.notification) return { ...header, body };
      writer.reset();
    }
  }

  /** The names below a path; undefined when there is no such znode. */
  async children(path: string): Promise<string[] | undefined> {
    const { error, body } = await this.ask(OpCode.getChildren, (writer) =>
      writePathWatchRequest(writer, { path, watch: false }),
    );
    return error === 0 ? (body.stringVector() ?? []) : undefined;
  }

  async close(): Promise<void> {
    await this.ask(OpCode.closeSession, () => {}).catch(() => {});
    this.socket.destroy();
  }

  /** Sends what the writer holds and resolves to the next frame that comes. */
  private exchange(writer: ByteWriter): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.broken !== undefined) return reject(this.broken);
      this.waiting = { resolve, reject };
      if (writer.offset > 0) this.socket.write(Buffer.from(writer.view()));
      this.deliver();
    });
  }

  private data(bytes: Buffer): void {
    this.chunks.push(bytes);
    this.received += bytes.length;
    this.deliver();
  }

  private deliver(): void {
    if (this.waiting === undefined || this.received < 4) return;
    // Long replies come in many chunks: joined once, when the last one is here.
    if ((this.chunks[0] as Buffer).length < 4) this.chunks = [Buffer.concat(this.chunks)];
    const end = 4 + (this.chunks[0] as Buffer).readInt32BE(0);
    if (this.received < end) return;
    const bytes = Buffer.concat(this.chunks);
    const frame = bytes.subarray(4, end);
    this.chunks = [bytes.subarray(end)];
    this.received -= end;
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve(frame);
  }

  private break(reason: Error): void {
    this.broken = reason;
    this.waiting?.reject(reason);
    this.waiting = undefined;
  }
}
