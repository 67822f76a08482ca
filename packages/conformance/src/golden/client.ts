// A connection to Apache's server whose frames are kept, and how it opens.

import { connect as connectSocket, type Socket } from 'node:net';
import type { Draft } from '../differential/requests.ts';
import { encodeRequest } from '../differential/script.ts';
import { frame, WireReader, WireWriter } from '../differential/wire.ts';
import { hex, replyBody, type Value } from './values.ts';

export interface Exchange {
  name: string;
  op: number;
  /** Frames, length prefix included, in hex. */
  request: string;
  requestValue: Value;
  reply: string;
  replyValue: Value;
}

export interface ConnectOptions {
  timeoutMs: number;
  sessionId?: bigint;
  password?: Buffer | null;
  readOnly?: boolean;
}

export function connectPayload(options: ConnectOptions): { payload: Buffer; value: Value } {
  const { timeoutMs, sessionId = 0n, password = Buffer.alloc(16), readOnly } = options;
  const writer = new WireWriter().int(0).long(0n).int(timeoutMs).long(sessionId).buffer(password);
  if (readOnly !== undefined) writer.byte(readOnly ? 1 : 0);
  return {
    payload: writer.done(),
    value: {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs,
      sessionId,
      password: hex(password),
      ...(readOnly === undefined ? {} : { readOnly }),
    },
  };
}

/** One connection whose frames are kept. */
export class GoldenClient {
  readonly events: Value[] = [];
  sessionId = 0n;
  password: Buffer = Buffer.alloc(16);
  private readonly socket: Socket;
  private readonly frames: Buffer[] = [];
  private tail: Buffer = Buffer.alloc(0);
  private wake: (() => void) | undefined;
  private xid = 0;

  constructor(port: number) {
    this.socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => {
      this.tail = Buffer.concat([this.tail, chunk]);
      while (this.tail.length >= 4 && this.tail.length >= 4 + this.tail.readInt32BE(0)) {
        const end = 4 + this.tail.readInt32BE(0);
        this.frames.push(Buffer.from(this.tail.subarray(0, end)));
        this.tail = this.tail.subarray(end);
      }
      this.wake?.();
    });
  }

  async open(
    { payload, value }: { payload: Buffer; value: Value },
    name = 'a long timeout',
  ): Promise<Value> {
    this.socket.write(frame(payload));
    const reply = await this.frame();
    const reader = new WireReader(reply, 4);
    const protocolVersion = reader.int();
    const timeoutMs = reader.int();
    this.sessionId = reader.long();
    this.password = Buffer.from(reader.buffer() ?? '');
    const readOnly = reader.remaining > 0 ? { readOnly: reader.byte() !== 0 } : {};
    return {
      name,
      request: frame(payload).toString('hex'),
      requestValue: value,
      reply: reply.toString('hex'),
      replyValue: {
        protocolVersion,
        timeoutMs,
        sessionId: this.sessionId,
        password: hex(this.password),
        ...readOnly,
      },
    };
  }

  async ask(name: string, draft: Draft, requestValue: Value, xid = ++this.xid): Promise<Exchange> {
    const request = frame(encodeRequest({ ...draft, xid }, BigInt));
    this.socket.write(request);
    for (;;) {
      const reply = await this.frame();
      const reader = new WireReader(reply, 4);
      const header = { xid: reader.int(), zxid: Number(reader.long()), error: reader.int() };
      if (header.xid === -1) {
        const event = { type: reader.int(), state: reader.int(), path: reader.string() };
        this.events.push({
          name: `before the reply to: ${name}`,
          frame: reply.toString('hex'),
          header,
          event,
        });
        continue;
      }
      const body = header.error === 0 ? replyBody(draft.op, reader) : {};
      return {
        name,
        op: draft.op,
        request: request.toString('hex'),
        requestValue: { header: { xid, type: draft.op }, body: requestValue },
        reply: reply.toString('hex'),
        replyValue: { header, body },
      };
    }
  }

  close(): void {
    this.socket.destroy();
  }

  private async frame(): Promise<Buffer> {
    while (this.frames.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.frames.shift() as Buffer;
  }
}
