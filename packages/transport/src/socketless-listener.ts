// A listening port without a socket: who accepts, which connections are open, and when all of them are closed.

import type { Acceptor, Connection, Listener } from './connection.ts';

export class SocketlessListener<C extends Connection> implements Listener {
  readonly port: number;
  readonly address: string;
  /** No bytes are exchanged for them. */
  readonly tlsHandshakes = 0;
  readonly accept: Acceptor;
  readonly open: Set<C>;
  private readonly unbind: () => void;
  private emptied: (() => void) | undefined;
  private allClosed: Promise<void> | undefined;

  /** `unbind` frees the address; it may be called more than once. */
  constructor(address: string, port: number, accept: Acceptor, unbind: () => void) {
    this.port = port;
    this.address = address;
    this.accept = accept;
    this.open = new Set();
    this.unbind = unbind;
    this.emptied = undefined;
    this.allClosed = undefined;
  }

  stopAccepting(): void {
    this.unbind();
  }

  close(): Promise<void> {
    this.unbind();
    this.allClosed ??= new Promise((resolve) => {
      if (this.open.size === 0) resolve();
      else this.emptied = resolve;
      for (const connection of this.open) connection.destroy();
    });
    return this.allClosed;
  }

  /** An accepted connection is closed. */
  wasClosed(connection: C): void {
    this.open.delete(connection);
    if (this.open.size === 0) this.emptied?.();
  }
}
