// What a connection is to the packages above: bytes in, bytes out, one close. Must never know a
// frame, a session or a request, so that sockets, the in-memory twin and the simulator can all be one.

import type { LookupFunction } from 'node:net';

/** One byte stream between two ends. All methods may be called in any state and never throw. */
export interface Connection {
  /** IP address as the peer shows it; IPv4 in dotted form also on a dual-stack socket. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** True behind TLS. */
  readonly secure: boolean;
  /** DER of the certificate that the peer proved to own; undefined without one. */
  readonly peerCertificate: Uint8Array | undefined;
  /** Who is told what happens here. May be replaced at any time; the next call goes to the new one. */
  handler: ConnectionHandler;

  /**
   * Writes bytes[start, end). True: the bytes have been taken, the caller may reuse the buffer.
   * False: some wait in user space, and the connection owns the whole of `bytes` until `drained()`.
   * On a connection that is ending or closed the bytes are dropped, and the answer is true.
   */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Bytes that were written but have not been taken by the kernel (or, in memory, by the peer). */
  readonly queuedBytes: number;

  /** Stops `data()` until `resume()`; the peer then meets a full window. */
  pause(): void;
  resume(): void;

  /**
   * Flushes what is queued, then closes. `data()` is not called any more. What the peer still
   * sends is read and dropped for a moment, since closing a socket over unread bytes resets it,
   * and a reset takes away replies that the peer has not read yet.
   */
  end(): void;
  /** Closes at once, dropping what is queued. `closed(reason)` follows in a later turn. */
  destroy(reason?: Error): void;
}

/**
 * The owner's side of a connection. Calls never come from within one of the connection's own
 * methods: each starts a turn of its own. After `closed()` there are no more.
 */
export interface ConnectionHandler {
  /** Received bytes[start, end), valid only during the call: copy what must stay. */
  data(bytes: Buffer, start: number, end: number): void;
  /** All that was queued has been taken; buffers given to `write` are the caller's again. */
  drained(): void;
  /**
   * The peer has said its end, and may read on. True: the handler has more to say and ends the connection
   * itself; otherwise it is closed after what is queued. Not called for TLS.
   */
  ended?(): boolean;
  /** Exactly once. Undefined: an orderly end by either side; else what went wrong. */
  closed(reason?: Error): void;
}

/** The handler of a connection that we open. */
export interface DialHandler extends ConnectionHandler {
  /** The connection is up (with TLS: verified). If it fails, only `closed(reason)` is called. */
  connected(): void;
}

/** Where the bytes come from that TLS needs; PEM text or DER/PKCS12 bytes, never file names. */
export interface TlsOptions {
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** A PKCS12 store holding key and certificate chain, in place of `cert` and `key`. */
  readonly pfx?: Buffer;
  /** Certificates to trust, in place of Node's own list. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  readonly crl?: string | Buffer;
  /**
   * Listener: whether clients must ('need'), may ('want') or need not show a certificate. One that is shown
   * must be trusted.
   */
  readonly clientAuth?: 'none' | 'want' | 'need';
  /** Dialer: false accepts any certificate of the server. Default true. */
  readonly verify?: boolean;
  /** Dialer: the name to ask for and to verify. Default: the dialled host. */
  readonly serverName?: string;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers?: string;
  /** Listener: a handshake that takes longer ends the connection. Default 5,000. */
  readonly handshakeTimeoutMs?: number;
}

export interface ListenOptions {
  /** 0 lets the system choose; see `Listener.port`. */
  readonly port: number;
  /** Default: all addresses, IPv4 and IPv6. */
  readonly host?: string;
  /** Connections that may wait to be accepted. Default 511. */
  readonly backlog?: number;
  /** TCP keep-alive probes on accepted connections. Default false. */
  readonly keepAlive?: boolean;
  readonly tls?: TlsOptions;
  /** Accepts also with the last file descriptors, which are kept from clients: members of an ensemble. */
  readonly mayUseReserve?: boolean;
  /** A client was sent away, because the process needs the few file descriptors that are left. */
  readonly onRefused?: () => void;
  /** A TLS handshake failed: what the peer sent, what it proved to be, its leaving or its slowness. */
  readonly onTlsFailure?: (reason: string) => void;
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** Up to `connected()`, name resolution and TLS included. 0 or none: no limit of our own. */
  readonly connectTimeoutMs?: number;
  readonly keepAlive?: boolean;
  readonly tls?: TlsOptions;
  /** How sockets resolve the host's name, in place of Node's way. */
  readonly lookup?: LookupFunction;
}

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** TLS handshakes under way; 0 without TLS. */
  readonly tlsHandshakes: number;
  /** Of a TLS listener: keys and certificates for the connections that come from now on. Throws as OpenSSL does. */
  replaceTls?(tls: TlsOptions): void;
  /** Frees the port at once; accepted connections live on. */
  stopAccepting(): void;
  /** As stopAccepting(), and destroys the accepted connections; resolves when all are closed. */
  close(): Promise<void>;
}

/** Called for each accepted connection; reading starts when it has returned the handler. */
export type Acceptor = (connection: Connection) => ConnectionHandler;

export interface Network {
  /** Rejects with a TransportError: ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, PERMISSION, LISTEN_FAILED. */
  listen(options: ListenOptions, accept: Acceptor): Promise<Listener>;
  /** Returns at once; destroy() aborts the attempt. Failures arrive as `closed(TransportError)`. */
  dial(options: DialOptions, handler: DialHandler): Connection;
  /**
   * The beginning of one message to very many connections. The bytes must not change any more.
   * Missing where it would be no better than write(), and before the first listener.
   */
  readonly fanOut?: ((bytes: Buffer) => FanOut) | undefined;
}

/** One message on its way to very many connections. */
export interface FanOut {
  /** As write() on this connection now: what is written to it from now on arrives after it. */
  add(connection: Connection): void;
  /** Some tens of writes, once all are added. False: this was the last step. */
  step(): boolean;
}
