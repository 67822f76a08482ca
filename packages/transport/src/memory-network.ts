// The in-memory twin of the node network: the same contract without sockets, clock or randomness.
//
//   end A                              end B
//   write ─▶ [A.outgoing] ─▶ window ─▶ [B.incoming] ─▶ B.handler.data
//
// The window stands for the kernel's buffers: what fits is copied and taken; what does not stays in
// the writer's own buffer, uncopied, so that a writer who reuses a buffer it gave away shows up as
// corrupted bytes in a test. Every delivery goes through `schedule`, so the order of events is the
// caller's: a queue drained by hand, setImmediate, or a simulator's heap.

import type {
  Acceptor,
  Connection,
  ConnectionHandler,
  DialHandler,
  DialOptions,
  ListenOptions,
  Network,
} from './connection.ts';
import { TransportError } from './errors.ts';
import { SocketlessListener } from './socketless-listener.ts';
import { IncomingBytes, OutgoingBytes } from './stream-bytes.ts';

export interface MemoryNetworkOptions {
  /** Runs `callback` in a later turn; in the order of the calls. */
  readonly schedule: (callback: () => void) => void;
  /** Bytes in one direction that count as taken before the other end reads them. Default 65,536. */
  readonly windowBytes?: number;
  /** How many of the `available` bytes to hand over in one `data()`; 1 .. available. Default all. */
  readonly cut?: (available: number) => number;
}

/** A network of its own: listeners and dialers meet only within it. */
export function memoryNetwork(options: MemoryNetworkOptions): Network {
  const shared: Shared = {
    schedule: options.schedule,
    windowBytes: options.windowBytes ?? 65_536,
    cut: options.cut ?? ((available) => available),
  };
  const listeners = new Map<number, MemoryListener[]>();
  let nextPort = FIRST_EPHEMERAL_PORT;
  return {
    listen(listenOptions, accept) {
      const { host } = listenOptions;
      const port = listenOptions.port === 0 ? nextPort++ : listenOptions.port;
      const onPort = listeners.get(port) ?? [];
      if (onPort.some((other) => overlaps(other.host, host))) {
        const error = new TransportError('ADDRESS_IN_USE', { address: host ?? '::', port });
        return Promise.reject(error);
      }
      const listener = new MemoryListener(port, listenOptions, accept, () => {
        const left = (listeners.get(port) ?? []).filter((other) => other !== listener);
        listeners.set(port, left);
      });
      listeners.set(port, [...onPort, listener]);
      return Promise.resolve(listener);
    },
    dial(dialOptions, handler) {
      const connection = new MemoryConnection(shared, dialOptions, handler, nextPort++);
      shared.schedule(() => {
        const onPort = listeners.get(dialOptions.port) ?? [];
        connection.meet(onPort.find((other) => overlaps(other.host, dialOptions.host)));
      });
      return connection;
    },
  };
}

const FIRST_EPHEMERAL_PORT = 40_000;

interface Shared {
  readonly schedule: (callback: () => void) => void;
  readonly windowBytes: number;
  readonly cut: (available: number) => number;
}

/** An undefined host listens on all addresses. */
function overlaps(listening: string | undefined, other: string | undefined): boolean {
  return listening === undefined || other === undefined || listening === other;
}

class MemoryListener extends SocketlessListener<MemoryConnection> {
  /** Undefined: all addresses. */
  readonly host: string | undefined;
  readonly secure: boolean;

  constructor(port: number, options: ListenOptions, accept: Acceptor, unbind: () => void) {
    super(options.host ?? '::', port, accept, unbind);
    this.host = options.host;
    this.secure = options.tls !== undefined;
  }
}

type Phase = 'connecting' | 'open' | 'ending' | 'closed';

class MemoryConnection implements Connection {
  remoteAddress: string;
  remotePort: number;
  localPort: number;
  secure: boolean;
  handler: ConnectionHandler;
  private readonly shared: Shared;
  private peer: MemoryConnection | undefined;
  private listener: MemoryListener | undefined;
  private phase: Phase;
  private isPaused: boolean;
  private readonly outgoing: OutgoingBytes;
  private readonly incoming: IncomingBytes;
  /** The peer's end, or its death, comes after `incoming`. */
  private isHalfClosed: boolean;
  private isDelivering: boolean;
  private reason: Error | undefined;

  constructor(shared: Shared, target: DialOptions, handler: ConnectionHandler, localPort: number) {
    this.remoteAddress = target.host;
    this.remotePort = target.port;
    this.localPort = localPort;
    this.secure = target.tls !== undefined;
    this.handler = handler;
    this.shared = shared;
    this.peer = undefined;
    this.listener = undefined;
    this.phase = 'connecting';
    this.isPaused = false;
    this.outgoing = new OutgoingBytes();
    this.incoming = new IncomingBytes();
    this.isHalfClosed = false;
    this.isDelivering = false;
    this.reason = undefined;
  }

  /** Bytes written that the window has no room for. */
  get queuedBytes(): number {
    return this.outgoing.count;
  }

  get peerCertificate(): undefined {
    return undefined;
  }

  /** Called for the dialling end when its attempt has found, or not found, a listener. */
  meet(listener: MemoryListener | undefined): void {
    if (this.phase !== 'connecting') return;
    const about = { address: this.remoteAddress, port: this.remotePort };
    if (listener === undefined) {
      this.destroy(
        new TransportError('CONNECT_FAILED', { ...about, detail: 'connection refused' }),
      );
      return;
    }
    if (listener.secure !== this.secure) {
      this.destroy(new TransportError('TLS_FAILED', about));
      return;
    }
    const accepted = new MemoryConnection(
      this.shared,
      { host: '127.0.0.1', port: this.localPort },
      NO_HANDLER,
      this.remotePort,
    );
    accepted.secure = this.secure;
    accepted.listener = listener;
    accepted.phase = 'open';
    accepted.peer = this;
    this.peer = accepted;
    this.phase = 'open';
    listener.open.add(accepted);
    accepted.handler = listener.accept(accepted);
    // The acceptor may have written or closed already; what it sent arrives after connected().
    (this.handler as DialHandler).connected();
    this.fill();
    accepted.deliverLater();
    this.deliverLater();
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if ((this.phase !== 'open' && this.phase !== 'connecting') || start === end) return true;
    this.outgoing.push(bytes.subarray(start, end));
    this.fill();
    return this.queuedBytes === 0;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.deliverLater();
  }

  end(): void {
    if (this.phase === 'connecting') {
      this.destroy();
    } else if (this.phase === 'open') {
      this.phase = 'ending';
      this.fill();
      this.deliverLater();
    }
  }

  destroy(reason?: Error): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.reason = reason;
    this.outgoing.clear();
    this.incoming.clear();
    this.peer?.halfClose();
    this.shared.schedule(() => {
      this.listener?.wasClosed(this);
      this.handler.closed(this.reason);
    });
  }

  /** Moves queued bytes into the window as far as it goes; a partly taken write stays whole. */
  private fill(): void {
    const { peer } = this;
    if (peer === undefined) return;
    if (peer.phase === 'closed') {
      this.outgoing.clear();
      return;
    }
    while (this.outgoing.count > 0) {
      const room = this.shared.windowBytes - peer.incoming.count;
      if (room <= 0) break;
      peer.incoming.push(this.outgoing.take(room));
    }
    peer.deliverLater();
    if (this.phase === 'ending' && this.queuedBytes === 0) peer.halfClose();
  }

  private halfClose(): void {
    this.isHalfClosed = true;
    this.deliverLater();
  }

  private deliverLater(): void {
    if (this.isDelivering || this.phase === 'closed' || this.phase === 'connecting') return;
    // Ending: what still comes is read and dropped.
    if (this.isPaused && this.phase === 'open') return;
    if (this.incoming.count === 0 && !this.isHalfClosed) return;
    this.isDelivering = true;
    this.shared.schedule(() => this.deliver());
  }

  private deliver(): void {
    this.isDelivering = false;
    if (this.phase === 'closed' || (this.isPaused && this.phase === 'open')) return;
    const available = this.incoming.count;
    if (available > 0) {
      const length = Math.min(Math.max(this.shared.cut(available), 1), available);
      this.incoming.take(length, (bytes) => {
        if (this.phase === 'open') this.handler.data(bytes, 0, length);
      });
      this.peer?.windowOpened();
    } else if (this.isHalfClosed) {
      if (this.queuedBytes === 0) this.destroy();
      else this.end();
      return;
    }
    this.deliverLater();
  }

  private windowOpened(): void {
    if (this.queuedBytes === 0) return;
    this.fill();
    if (this.queuedBytes > 0) return;
    if (this.phase === 'ending' && this.isHalfClosed) this.deliverLater();
    if (this.phase !== 'open') return;
    this.shared.schedule(() => {
      if (this.phase === 'open' && this.queuedBytes === 0) this.handler.drained();
    });
  }
}

const NO_HANDLER: ConnectionHandler = { data() {}, drained() {}, closed() {} };
