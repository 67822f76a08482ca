// A network in virtual time: hosts with an address each, connections between them that deliver late,
// in pieces, not at all for a while, or end in a reset; each byte stream itself stays in order.
//
//   write ─▶ [outgoing] ─▶ window ─▶ [pipe: latency, cuts] ─▶ [incoming] ─▶ handler.data
//
// It may: delay (each pipe for itself, so connections overtake one another), cut a stream at any byte,
// hold all that passes between two hosts while they are cut off, reset any connection and drop what
// was under way. It may not: lose, repeat or reorder bytes within a stream, since TCP does not.
// It keeps the contract of @zebu/transport, whose compliance suite it passes.

import {
  type Acceptor,
  type Connection,
  type ConnectionHandler,
  type DialHandler,
  type DialOptions,
  FanOutAtOnce,
  IncomingBytes,
  type Listener,
  type ListenOptions,
  type Network,
  OutgoingBytes,
  SocketlessListener,
  TransportError,
} from '@zebu/transport';
import type { Prng } from './prng.ts';
import type { SimProcess } from './sim-process.ts';

const FIRST_EPHEMERAL_PORT = 40_000;
/** After end(), what the peer still sends is dropped for this long; then the connection closes. */
const LINGER_MS = 2_000;

export interface SimNetworkOptions {
  readonly prng: Prng;
  /** One-way latency. Default 0.05 to 0.5 ms. */
  readonly latencyMs?: readonly [min: number, max: number];
  /** Bytes in one direction that count as taken before the other end reads them. Default 65,536. */
  readonly windowBytes?: number;
  /** Chance that bytes are handed over in pieces. Default 0.2. */
  readonly cutChance?: number | (() => number);
  /** Sees what each accepted connection is told to send, before it is sent; may change it. */
  readonly onServerWrite?: (end: SimConnection, bytes: Buffer) => Buffer;
  /** Sees what either end of a connection is told to send. */
  readonly onWrite?: (end: SimConnection, bytes: Buffer, start: number, stop: number) => void;
  /** Sees what is about to be handed to an accepted connection. */
  readonly onServerData?: (end: SimConnection, bytes: Buffer) => void;
}

export class SimNetwork {
  readonly options: SimNetworkOptions;
  readonly connections: Set<SimConnection>;
  /** Pipes that wait for a cut to heal; also of connections that are closed at the sending end. */
  readonly held: Set<Pipe>;
  private readonly listeners: SimListener[];
  private readonly cuts: Set<string>;
  /** By address of a host without power: ends that others still hold open. */
  private readonly halfOpen: Map<string, SimConnection[]>;
  private nextPort: number;

  constructor(options: SimNetworkOptions) {
    this.options = options;
    this.connections = new Set();
    this.held = new Set();
    this.listeners = [];
    this.cuts = new Set();
    this.halfOpen = new Map();
    this.nextPort = FIRST_EPHEMERAL_PORT;
  }

  /** The network as one process on the host with this address sees it. */
  host(address: string, process: SimProcess): Network {
    return {
      listen: (options, accept) => this.listen(address, process, options, accept),
      dial: (options, handler) => this.dial(address, process, options, handler),
      fanOut: (bytes) => new FanOutAtOnce(bytes),
    };
  }

  /** Nothing passes between the two hosts until `heal`; nobody is told. */
  cut(a: string, b: string): void {
    this.cuts.add(`${a}>${b}`);
    this.cuts.add(`${b}>${a}`);
  }

  /** What one host sends does not reach the other; the other way stays open. */
  cutOneWay(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.cuts.clear();
    for (const pipe of this.held) pipe.arm();
    this.held.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.size > 0 && this.cuts.has(`${from}>${to}`);
  }

  /** Both ends get a reset; what was under way is lost. */
  reset(connection: SimConnection): void {
    connection.reset();
    connection.peer?.reset();
  }

  /** The process died: its ends vanish without a callback, their peers get a reset. */
  crash(process: SimProcess): void {
    for (const listener of this.listeners.filter((one) => one.process === process)) {
      this.unbind(listener);
    }
    for (const connection of [...this.connections]) {
      if (connection.process !== process) continue;
      connection.vanish();
      connection.peer?.reset();
    }
  }

  /**
   * The host of this process has no power: nobody is told. What is sent to it is lost, until the host is back and
   * knows nothing of the connection.
   */
  losePower(process: SimProcess, address: string): void {
    const ends = this.halfOpen.get(address) ?? [];
    this.halfOpen.set(address, ends);
    for (const listener of this.listeners.filter((one) => one.process === process)) {
      this.unbind(listener);
    }
    for (const connection of [...this.connections]) {
      if (connection.process !== process) continue;
      const { peer } = connection;
      connection.losePower();
      if (peer !== undefined) ends.push(peer);
    }
  }

  isWithoutPower(address: string): boolean {
    return this.halfOpen.has(address);
  }

  /** The host has its power again: who still holds a connection to it gets a reset. */
  hasPower(address: string): void {
    const others = this.halfOpen.get(address) ?? [];
    this.halfOpen.delete(address);
    for (const end of others) end.process.schedule(this.latency(), () => end.reset());
  }

  latency(): number {
    const [min, max] = this.options.latencyMs ?? [0.05, 0.5];
    return this.options.prng.between(min, max);
  }

  unbind(listener: SimListener): void {
    const at = this.listeners.indexOf(listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  listenerAt(address: string, port: number): SimListener | undefined {
    return this.listeners.find((one) => one.address === address && one.port === port);
  }

  private listen(
    address: string,
    process: SimProcess,
    options: ListenOptions,
    accept: Acceptor,
  ): Promise<Listener> {
    const port = options.port === 0 ? this.nextPort++ : options.port;
    if (this.listenerAt(address, port) !== undefined) {
      return Promise.reject(new TransportError('ADDRESS_IN_USE', { address, port }));
    }
    const listener = new SimListener(this, process, address, port, accept);
    this.listeners.push(listener);
    return Promise.resolve(listener);
  }

  private dial(
    address: string,
    process: SimProcess,
    options: DialOptions,
    handler: DialHandler,
  ): Connection {
    const connection = new SimConnection(this, process, {
      localAddress: address,
      localPort: this.nextPort++,
      remoteAddress: options.host,
      remotePort: options.port,
      handler,
    });
    connection.connect(options.connectTimeoutMs ?? 0);
    return connection;
  }
}

/** TLS is not simulated. */
export class SimListener extends SocketlessListener<SimConnection> {
  readonly process: SimProcess;

  constructor(
    network: SimNetwork,
    process: SimProcess,
    host: string,
    port: number,
    accept: Acceptor,
  ) {
    super(host, port, accept, () => network.unbind(this));
    this.process = process;
  }
}

/** What travels from one end to the other: in order, each step with its latency. */
class Pipe {
  private readonly queue: { readonly atMs: number; readonly arrive: () => void }[];
  private readonly from: SimConnection;
  private isArmed: boolean;
  private lastMs: number;

  constructor(from: SimConnection) {
    this.from = from;
    this.queue = [];
    this.isArmed = false;
    this.lastMs = 0;
  }

  send(arrive: () => void): void {
    const { network, process } = this.from;
    const atMs = Math.max(this.lastMs, process.scheduler.nowMs + network.latency());
    this.lastMs = atMs;
    this.queue.push({ atMs, arrive });
    this.arm();
  }

  drop(): void {
    this.queue.length = 0;
  }

  arm(): void {
    const { network, process, localAddress, remoteAddress } = this.from;
    const next = this.queue[0];
    if (this.isArmed || next === undefined) return;
    if (network.isCut(localAddress, remoteAddress)) {
      network.held.add(this);
      return;
    }
    this.isArmed = true;
    // Bytes on their way arrive even if the process that sent them dies.
    process.scheduler.schedule(next.atMs - process.scheduler.nowMs, () => {
      this.isArmed = false;
      if (!network.isCut(localAddress, remoteAddress)) this.queue.shift()?.arrive();
      this.arm();
    });
  }
}

type Phase = 'connecting' | 'open' | 'ending' | 'closed';

/** One end of a connection. */
export class SimConnection implements Connection {
  readonly network: SimNetwork;
  readonly process: SimProcess;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly secure = false;
  readonly peerCertificate = undefined;
  readonly pipe: Pipe;
  handler: ConnectionHandler;
  peer: SimConnection | undefined;
  private listener: SimListener | undefined;
  private phase: Phase;
  private isPaused: boolean;
  private readonly outgoing: OutgoingBytes;
  /** Bytes sent and not known to be read: what the window holds. */
  private unreadBytes: number;
  private readonly incoming: IncomingBytes;
  /** The peer closes after what is in `incoming`. */
  private isHalfClosed: boolean;
  private isDelivering: boolean;
  private finSent: boolean;
  /** What is sent here is not even acknowledged. */
  private isWithoutPower: boolean;

  constructor(
    network: SimNetwork,
    process: SimProcess,
    about: {
      localAddress: string;
      localPort: number;
      remoteAddress: string;
      remotePort: number;
      handler: ConnectionHandler;
    },
  ) {
    this.network = network;
    this.process = process;
    this.localAddress = about.localAddress;
    this.localPort = about.localPort;
    this.remoteAddress = about.remoteAddress;
    this.remotePort = about.remotePort;
    this.handler = about.handler;
    this.pipe = new Pipe(this);
    this.peer = undefined;
    this.listener = undefined;
    this.phase = 'connecting';
    this.isPaused = false;
    this.outgoing = new OutgoingBytes();
    this.unreadBytes = 0;
    this.incoming = new IncomingBytes();
    this.isHalfClosed = false;
    this.isDelivering = false;
    this.finSent = false;
    this.isWithoutPower = false;
    network.connections.add(this);
  }

  get queuedBytes(): number {
    return this.outgoing.count;
  }

  get isOpen(): boolean {
    return this.phase === 'open';
  }

  /** An accepted connection, not one that was dialled. */
  get isServerEnd(): boolean {
    return this.listener !== undefined;
  }

  connect(timeoutMs: number): void {
    if (timeoutMs > 0) {
      this.process.schedule(timeoutMs, () => {
        if (this.phase === 'connecting') this.destroy(this.failure('CONNECT_TIMEOUT'));
      });
    }
    this.pipe.send(() => {
      const listener = this.network.listenerAt(this.remoteAddress, this.remotePort);
      if (this.phase !== 'connecting' || this.network.isWithoutPower(this.remoteAddress)) return;
      if (listener === undefined) {
        // Refused: that answer has its latency, too.
        this.process.schedule(this.network.latency(), () => {
          if (this.phase === 'connecting') this.destroy(this.failure('CONNECT_FAILED'));
        });
        return;
      }
      listener.process.schedule(0, () => this.meet(listener));
    });
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if ((this.phase !== 'open' && this.phase !== 'connecting') || start === end) return true;
    let part = bytes.subarray(start, end);
    const { onServerWrite, onWrite } = this.network.options;
    onWrite?.(this, bytes, start, end);
    if (this.isServerEnd && onServerWrite !== undefined) part = onServerWrite(this, part);
    if (part.length === 0) return true;
    this.outgoing.push(part);
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
      this.process.schedule(LINGER_MS, () => {
        if (this.queuedBytes === 0) this.destroy();
      });
    }
  }

  destroy(reason?: Error): void {
    if (this.phase === 'closed') return;
    this.sendFin();
    this.close(reason);
  }

  /** The other side or the network reset the connection. */
  reset(): void {
    if (this.phase === 'closed') return;
    this.pipe.drop();
    this.close(this.failure('CONNECTION_RESET'));
  }

  losePower(): void {
    this.isWithoutPower = true;
    this.vanish();
  }

  /** The process that owned this end does not exist any more. */
  vanish(): void {
    if (this.phase === 'closed') return;
    this.pipe.drop();
    this.forget();
  }

  private meet(listener: SimListener): void {
    const { network } = this;
    if (this.phase !== 'connecting') return;
    const accepted = new SimConnection(network, listener.process, {
      localAddress: this.remoteAddress,
      localPort: this.remotePort,
      remoteAddress: this.localAddress,
      remotePort: this.localPort,
      handler: NO_HANDLER,
    });
    accepted.listener = listener;
    accepted.phase = 'open';
    accepted.peer = this;
    listener.open.add(accepted);
    this.peer = accepted;
    accepted.pipe.send(() => {
      if (this.phase !== 'connecting') return;
      this.process.schedule(0, () => {
        if (this.phase !== 'connecting') return;
        this.phase = 'open';
        (this.handler as DialHandler).connected();
        this.fill();
        this.deliverLater();
      });
    });
    accepted.handler = listener.accept(accepted);
  }

  /** Moves queued bytes into the window as far as it goes; a partly taken write stays whole. */
  private fill(): void {
    const { peer } = this;
    if (peer === undefined || this.phase === 'connecting') return;
    const windowBytes = this.network.options.windowBytes ?? 65_536;
    while (this.outgoing.count > 0) {
      const room = windowBytes - this.unreadBytes;
      // Avoid silly window syndrome (RFC 1122, 4.2.3.4): send nothing until a quarter of the window is free.
      if (room < Math.min(this.outgoing.nextLength, windowBytes >> 2)) break;
      const taken = this.outgoing.take(room);
      this.unreadBytes += taken.length;
      this.pipe.send(() => peer.receive(taken));
    }
    if (this.phase === 'ending' && this.queuedBytes === 0) this.sendFin();
  }

  private sendFin(): void {
    const { peer } = this;
    if (this.finSent || peer === undefined) return;
    this.finSent = true;
    this.pipe.send(() => {
      peer.isHalfClosed = true;
      peer.deliverLater();
    });
  }

  private receive(bytes: Buffer): void {
    if (this.phase === 'closed') {
      // This end is closed: drop the bytes, and free the window.
      if (!this.isWithoutPower) this.peer?.drained(bytes.length);
      return;
    }
    this.incoming.push(bytes);
    this.deliverLater();
  }

  private deliverLater(): void {
    if (this.isDelivering || this.phase === 'closed' || this.phase === 'connecting') return;
    // Ending: what still comes is read and dropped.
    if (this.isPaused && this.phase === 'open') return;
    if (this.incoming.count === 0 && !this.isHalfClosed) return;
    this.isDelivering = true;
    this.process.schedule(0, () => this.deliver());
  }

  private deliver(): void {
    this.isDelivering = false;
    if (this.phase === 'closed' || (this.isPaused && this.phase === 'open')) return;
    const available = this.incoming.count;
    if (available > 0) {
      const { prng, cutChance = 0.2, onServerData } = this.network.options;
      const chance = typeof cutChance === 'number' ? cutChance : cutChance();
      const length = prng.chance(chance) ? 1 + prng.below(available) : available;
      this.incoming.take(length, (bytes) => {
        if (this.phase !== 'open') return;
        if (this.isServerEnd) onServerData?.(this, bytes);
        this.handler.data(bytes, 0, length);
      });
      const { peer } = this;
      if (peer !== undefined) this.pipe.send(() => peer.drained(length));
    } else if (this.isHalfClosed) {
      if (this.queuedBytes === 0) this.destroy();
      else this.end();
      return;
    }
    this.deliverLater();
  }

  /** The peer has read so many of the bytes sent. */
  private drained(length: number): void {
    this.unreadBytes -= length;
    if (this.queuedBytes === 0 || this.phase === 'closed') return;
    this.fill();
    if (this.queuedBytes > 0) return;
    if (this.phase === 'ending' && this.isHalfClosed) this.deliverLater();
    if (this.phase !== 'open') return;
    this.process.schedule(0, () => {
      if (this.phase === 'open' && this.queuedBytes === 0) this.handler.drained();
    });
  }

  private close(reason: Error | undefined): void {
    this.forget();
    this.process.schedule(0, () => {
      this.listener?.wasClosed(this);
      this.handler.closed(reason);
    });
  }

  private forget(): void {
    this.phase = 'closed';
    this.outgoing.clear();
    this.incoming.clear();
    this.network.connections.delete(this);
  }

  private failure(code: 'CONNECT_TIMEOUT' | 'CONNECT_FAILED' | 'CONNECTION_RESET'): TransportError {
    return new TransportError(code, { address: this.remoteAddress, port: this.remotePort });
  }
}

const NO_HANDLER: ConnectionHandler = Object.freeze({ data() {}, drained() {}, closed() {} });
