// SASL on a new connection, before anything else is sent on it: tokens go back and forth until the
// mechanism has no more to say.

import { type ByteReader, beginFrame, ErrorCode, endFrame, OpCode } from '@zebu/protocol';
import { serverError, ZkError } from './errors.ts';
import type { Wire } from './wire.ts';

/** A way to prove who one is. DIGEST-MD5 is digestMd5(); others, such as GSSAPI, can be plugged in. */
export interface SaslMechanism {
  /** As in "GSSAPI": for messages. */
  readonly name: string;
  /** One exchange, with this server. Called for each connection. */
  begin(server: { readonly host: string; readonly port: number }): SaslExchange;
}

export interface SaslExchange {
  /**
   * What to say to the server's token, which has no bytes at first, and where the server sends none. Undefined: the
   * exchange is complete, nothing more is sent. Throws, or rejects, if it cannot go on: the next server is tried.
   */
  next(token: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

export interface SaslOwner {
  saslDone(wire: Wire): void;
  /** The server does not take who we are; it closes the connection now. */
  saslRefused(error: ZkError): void;
  /** Gives up the connection. */
  drop(reason: Error): void;
}

/** The exchange on one connection. */
export class SaslLogin {
  private readonly mechanism: SaslMechanism;
  private readonly exchange: SaslExchange;
  private readonly wire: Wire;
  private readonly owner: SaslOwner;
  private readonly takeXid: () => number;
  /** Of the token whose reply is missing. */
  private xid: number | undefined;
  private isOver: boolean;

  /** Throws what the mechanism throws. */
  constructor(mechanism: SaslMechanism, wire: Wire, owner: SaslOwner, takeXid: () => number) {
    this.mechanism = mechanism;
    this.wire = wire;
    this.owner = owner;
    this.takeXid = takeXid;
    this.xid = undefined;
    this.isOver = false;
    this.exchange = mechanism.begin({ host: wire.host.host, port: wire.host.port });
  }

  start(): void {
    void this.answer(Buffer.alloc(0));
  }

  /** The connection is lost: whatever the mechanism says now is for nobody. */
  stop(): void {
    this.isOver = true;
  }

  /** False if the reply is not one of this exchange. */
  received(xid: number, errno: number, reader: ByteReader): boolean {
    if (this.isOver || xid !== this.xid) return false;
    this.xid = undefined;
    if (errno === ErrorCode.OK) {
      // A copy: the reader's bytes are those of the socket.
      void this.answer(Buffer.from(reader.buffer() ?? Buffer.alloc(0)));
      return true;
    }
    this.isOver = true;
    const cause = serverError(errno, { op: 'sasl' });
    const detail = `SASL ${this.mechanism.name}: ${cause.message}`;
    this.owner.saslRefused(
      new ZkError('AUTH_FAILED', { op: 'connect', outcome: 'failed', detail, cause }),
    );
    return true;
  }

  private async answer(token: Uint8Array): Promise<void> {
    try {
      const answer = await this.exchange.next(token);
      if (this.isOver) return;
      if (answer !== undefined) return this.send(answer);
      this.isOver = true;
    } catch (error) {
      if (this.isOver) return;
      this.isOver = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.owner.drop(new Error(`SASL ${this.mechanism.name}: ${reason}`, { cause: error }));
      return;
    }
    this.owner.saslDone(this.wire);
  }

  private send(token: Uint8Array): void {
    const { out } = this.wire;
    this.xid = this.takeXid();
    const mark = beginFrame(out);
    out.int32(this.xid);
    out.int32(OpCode.sasl);
    out.buffer(Buffer.from(token.buffer, token.byteOffset, token.byteLength));
    endFrame(out, mark);
    this.wire.flushSoon();
  }
}
