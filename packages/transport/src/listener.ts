// Accepts connections on one port, plain or TLS.

import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type {
  Acceptor,
  Connection,
  ConnectionHandler,
  Listener,
  ListenOptions,
} from './connection.ts';
import { firstReservedDescriptor, isReserveReached } from './descriptors.ts';
import { listenError, TransportError } from './errors.ts';
import { acceptHandles, type SharedStreams } from './handle-connection.ts';
import { SocketConnection } from './socket-connection.ts';
import type { StreamInternals } from './stream-internals.ts';
import { listenerTls } from './tls.ts';

/**
 * Resolves when the port is bound. Rejects with a TransportError that names address and port.
 * Without `internals`, and for TLS, connections are accepted through the public API alone.
 */
export function listen(
  options: ListenOptions,
  accept: Acceptor,
  shared: SharedStreams,
  internals: StreamInternals | undefined,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const about = { address: options.host ?? '::', port: options.port };
    const accepting = new Accepting();
    let server: Server;
    let tlsServer: TlsServer | undefined;
    try {
      ({ server, tlsServer } = createServers(options, accepting, (socket) =>
        acceptSocket(socket, accepting, accept, options, shared),
      ));
    } catch (error) {
      const detail = (error as Error).message;
      reject(new TransportError('BAD_TLS_SETTINGS', { ...about, detail, cause: error }));
      return;
    }
    server.once('error', (error) => reject(listenError(error, about.address, about.port)));
    server.listen(
      { port: options.port, host: options.host, backlog: options.backlog ?? 511 },
      () => {
        server.removeAllListeners('error');
        // A failed accept (too many open files) must not stop the process: the peer is not served.
        server.on('error', () => {});
        const { address, port } = server.address() as AddressInfo;
        if (options.tls === undefined && internals !== undefined) {
          acceptHandles(server, {
            internals,
            shared,
            keepAlive: options.keepAlive ?? false,
            localPort: port,
            mayUseReserve: options.mayUseReserve ?? false,
            accepted: (connection) => {
              accepting.open.add(connection);
              return accept(connection);
            },
            refused: () => options.onRefused?.(),
            closed: (connection) => accepting.wasClosed(connection),
          });
        }
        resolve({
          address,
          port,
          get tlsHandshakes() {
            return accepting.tlsHandshakes;
          },
          ...(tlsServer === undefined
            ? {}
            : { replaceTls: (tls) => tlsServer.setSecureContext(listenerTls(tls)) }),
          stopAccepting: () => void server.close(),
          close: () => {
            server.close();
            return accepting.closeAll();
          },
        });
      },
    );
  });
}

/** The connections that a listener has accepted and that are not closed yet. */
class Accepting {
  readonly open: Set<Connection>;
  tlsHandshakes: number;
  private emptied: (() => void) | undefined;
  private allClosed: Promise<void> | undefined;

  constructor() {
    this.open = new Set();
    this.tlsHandshakes = 0;
    this.emptied = undefined;
    this.allClosed = undefined;
  }

  wasClosed(connection: Connection): void {
    this.open.delete(connection);
    if (this.open.size === 0) this.emptied?.();
  }

  /** Ends all: what was written to them still arrives, unless a peer does not take it in time. */
  closeAll(): Promise<void> {
    this.allClosed ??= new Promise((resolve) => {
      if (this.open.size === 0) {
        resolve();
        return;
      }
      const timer = setTimeout(() => {
        for (const connection of this.open) connection.destroy();
      }, CLOSE_GRACE_MS);
      this.emptied = () => {
        clearTimeout(timer);
        resolve();
      };
      for (const connection of this.open) connection.end();
    });
    return this.allClosed;
  }
}

function acceptSocket(
  socket: Socket,
  accepting: Accepting,
  accept: Acceptor,
  options: ListenOptions,
  shared: SharedStreams,
): void {
  const connection = new SocketConnection(socket, {
    handler: NO_HANDLER,
    lingering: shared.lingering,
    secure: options.tls !== undefined,
    readByEvents: true,
  });
  accepting.open.add(connection);
  socket.once('close', () => accepting.wasClosed(connection));
  connection.handler = accept(connection);
}

/** How long a peer may take to read the last bytes and to say its own end. */
const CLOSE_GRACE_MS = 2000;

const NO_HANDLER: ConnectionHandler = { data() {}, drained() {}, closed() {} };

function createServers(
  options: ListenOptions,
  accepting: Accepting,
  onSocket: (socket: Socket) => void,
): { server: Server; tlsServer: TlsServer | undefined } {
  const { keepAlive = false } = options;
  const firstReserved =
    options.mayUseReserve === true ? Number.POSITIVE_INFINITY : firstReservedDescriptor();
  let admitted = onSocket;
  let tlsServer: TlsServer | undefined;
  if (options.tls !== undefined) {
    const { clientAuth } = options.tls;
    // Accepts nothing by itself: it is handed the sockets that are let in, before any work for TLS is done.
    const tls = createTlsServer(listenerTls(options.tls), (socket) => {
      if (clientAuth !== 'want' || !showsUntrusted(socket)) {
        onSocket(socket);
        return;
      }
      options.onTlsFailure?.(`the client's certificate: ${socket.authorizationError}`);
      socket.on('error', () => {});
      socket.destroy();
    });
    tlsServer = tls;
    // Node reports every socket once: as secure, or by tlsClientError whatever else became of its handshake.
    admitted = (socket) => {
      accepting.tlsHandshakes++;
      tls.emit('connection', socket);
    };
    tls.on('secureConnection', () => {
      accepting.tlsHandshakes--;
    });
    tls.on('tlsClientError', (error: Error) => {
      accepting.tlsHandshakes--;
      options.onTlsFailure?.(error.message);
    });
  }
  const server = createTcpServer({ noDelay: true, keepAlive }, (socket) => {
    if (!isReserveReached(firstReserved)) {
      admitted(socket);
      return;
    }
    socket.on('error', () => {});
    socket.destroy();
    options.onRefused?.();
  });
  return { server, tlsServer };
}

// OpenSSL ends a handshake for a certificate that is not trusted only where one is required.
function showsUntrusted(socket: TLSSocket): boolean {
  return !socket.authorized && socket.getPeerX509Certificate() !== undefined;
}
