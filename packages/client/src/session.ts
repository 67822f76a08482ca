// The session as its owner sees it.

import { inspect } from 'node:util';
import type { ZkError } from './errors.ts';
import { formatSessionId } from './stat.ts';

/** What another client needs to take a session over. The password is all that it takes. */
export interface SessionTicket {
  readonly id: bigint;
  readonly password: Uint8Array;
}

/** A ticket that is printed, and put into JSON, without its password. */
export class DetachedSession implements SessionTicket {
  readonly id: bigint;
  readonly password: Uint8Array;

  constructor({ id, password }: SessionTicket) {
    this.id = id;
    this.password = password;
  }

  toJSON(): Record<string, string> {
    return { id: formatSessionId(this.id), password: '(secret)' };
  }

  [inspect.custom](): string {
    return `SessionTicket { id: ${formatSessionId(this.id)}, password: (secret) }`;
  }
}

export interface Session extends SessionTicket {
  /** As negotiated with the server. */
  readonly timeoutMs: number;
  /** 1 for the first session of a client, then counting. */
  readonly generation: number;
  /** Aborts with SessionExpiredError, or with CLOSED, when the session is over. */
  readonly signal: AbortSignal;
  /**
   * Until when (performance.now()) the server keeps the session if it hears nothing more: the time
   * of the last request that was answered, plus the timeout. An estimate with an ensemble, zebu's and Apache's
   * alike: followers answer pings themselves, and a follower may be cut off from the leader that counts the time.
   */
  readonly safeUntil: number;
  /** Without the password, as what is printed. */
  toJSON(): Record<string, string | number | boolean>;
}

/** The client's own side of a Session. */
export class ClientSession implements Session {
  readonly id: bigint;
  readonly password: Uint8Array;
  readonly generation: number;
  /** Made by a server without a quorum: no other server knows it. */
  readonly isOfReadOnly: boolean;
  timeoutMs: number;
  safeUntil: number;
  private readonly controller: AbortController;

  constructor(ticket: SessionTicket, generation: number, isOfReadOnly: boolean) {
    this.id = ticket.id;
    this.password = ticket.password;
    this.generation = generation;
    this.isOfReadOnly = isOfReadOnly;
    this.timeoutMs = 0;
    this.safeUntil = 0;
    this.controller = new AbortController();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get isOver(): boolean {
    return this.controller.signal.aborted;
  }

  end(error: ZkError): void {
    this.controller.abort(error);
  }

  toJSON(): Record<string, string | number | boolean> {
    const { generation, timeoutMs, isOver } = this;
    return { id: formatSessionId(this.id), generation, timeoutMs, isOver };
  }

  [inspect.custom](): string {
    const over = this.isOver ? ', over' : '';
    return `Session { ${formatSessionId(this.id)}, generation ${this.generation}, ${this.timeoutMs} ms${over} }`;
  }
}

export type State =
  /** No connection: on the way to a first or a new session. */
  | { readonly status: 'connecting' }
  | { readonly status: 'connected'; readonly server: string; readonly readOnly: boolean }
  /** The connection is lost; the session may live on. */
  | { readonly status: 'suspended' }
  /** The session is over. With onExpire 'renew' a new one follows, else this is the end. */
  | { readonly status: 'expired' }
  /** A server refused credentials that it took before: the end. */
  | { readonly status: 'auth-failed' }
  | { readonly status: 'closed' };
