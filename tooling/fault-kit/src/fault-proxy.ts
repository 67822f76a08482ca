// A TCP proxy between clients and one server that understands the client protocol: it knows which request a frame is,
// and which request a reply belongs to. So a test can say "lose the reply of the third create", which is a write that
// was carried out and whose caller does not know.
//
//   client ──frames──▶ request fate ──▶ server
//   client ◀──────── reply fate ◀──frames── server
//
// Without faults it forwards frames whole and in order. It never changes a byte.

import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { ByteReader, FrameDecoder, OpCode, Xid } from '@zebu/protocol';

export interface ProxiedRequest {
  /** Counts connections, from 1. */
  readonly connection: number;
  /** Counts requests of all connections, from 1; 0 for those that are none of the user's calls (see `isCall`). */
  readonly index: number;
  readonly xid: number;
  readonly type: number;
  /** As in OpCode: 'create2', 'getChildren2', 'multi' ... */
  readonly name: string;
  /** Of the requests that begin with one. */
  readonly path: string | undefined;
  /** A user's call: no ping, credentials, setWatches or closeSession. */
  readonly isCall: boolean;
}

export interface ProxiedReply {
  readonly request: ProxiedRequest;
  readonly zxid: number;
  readonly errno: number;
}

/** A watch event. */
export interface ProxiedEvent {
  readonly connection: number;
  /** Of the protocol: 1 created, 2 deleted, 3 changed, 4 children. */
  readonly type: number;
  readonly path: string;
}

/**
 * 'cut': the server never sees it, and the connection is closed. 'cut-mid-frame': the server sees half of it.
 * 'forward-and-cut': the server sees it, and the connection is closed before there is a reply.
 */
export type RequestFate = 'forward' | 'cut' | 'cut-mid-frame' | 'forward-and-cut';
/** 'lose': the client never sees it, and the connection is closed. 'lose-mid-frame': it sees half of it. */
export type ReplyFate = 'forward' | 'lose' | 'lose-mid-frame';

export type Direction = 'to-server' | 'to-client';

const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const NAMES = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]));
const PATHLESS: readonly number[] = [OpCode.multi, OpCode.multiRead, OpCode.closeSession];

export class FaultProxy implements AsyncDisposable {
  /** Asked for each request, pings left out. */
  onRequest: (request: ProxiedRequest) => RequestFate;
  onReply: (reply: ProxiedReply) => ReplyFate;
  onEvent: (event: ProxiedEvent) => ReplyFate;
  /** All requests that came, pings left out. */
  readonly requests: ProxiedRequest[];
  readonly events: ProxiedEvent[];
  /** The server is down for clients: their connections are closed as soon as they are accepted. */
  private isDown: boolean;
  private readonly target: { readonly host: string; readonly port: number };
  private readonly listener: Server;
  private readonly open: Set<Passage>;
  private readonly blackHoles: Set<Direction>;
  private readonly held: Set<Direction>;
  private connections: number;
  private calls: number;
  private readonly waiting: Set<() => void>;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.onRequest = () => 'forward';
    this.onReply = () => 'forward';
    this.onEvent = () => 'forward';
    this.requests = [];
    this.events = [];
    this.isDown = false;
    this.target = target;
    this.open = new Set();
    this.blackHoles = new Set();
    this.held = new Set();
    this.connections = 0;
    this.calls = 0;
    this.waiting = new Set();
    this.listener = createServer((client) => this.accept(client));
  }

  /** Listens on a free port of the loopback. */
  static async start(server: {
    readonly host?: string;
    readonly port: number;
  }): Promise<FaultProxy> {
    const proxy = new FaultProxy({ host: server.host ?? '127.0.0.1', port: server.port });
    await new Promise<void>((resolve, reject) => {
      proxy.listener.once('error', reject);
      proxy.listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as { port: number }).port;
  }

  get connectString(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many connections there have been. */
  get connectionCount(): number {
    return this.connections;
  }

  /** How many requests of users there have been; see ProxiedRequest.isCall. */
  get callCount(): number {
    return this.calls;
  }

  get openConnections(): number {
    return this.open.size;
  }

  /** Forwards everything from now on; what a black hole has swallowed parts of is cut. */
  heal(): void {
    this.onRequest = () => 'forward';
    this.onReply = () => 'forward';
    this.onEvent = () => 'forward';
    this.isDown = false;
    if (this.blackHoles.size > 0) this.cut();
    this.blackHoles.clear();
    for (const direction of [...this.held]) this.release(direction);
  }

  /** Closes all connections. */
  cut(): void {
    for (const passage of [...this.open]) passage.destroy();
  }

  /** Closes all connections, and each new one at once, until `heal`. */
  down(): void {
    this.isDown = true;
    this.cut();
  }

  /** Ends `down`. */
  up(): void {
    this.isDown = false;
  }

  /** Swallows all bytes of one direction, with the connections open, until `heal`. */
  blackHole(direction: Direction): void {
    this.blackHoles.add(direction);
  }

  /** Keeps the frames of one direction, in order, until `release`. */
  hold(direction: Direction): void {
    this.held.add(direction);
  }

  release(direction: Direction): void {
    this.held.delete(direction);
    for (const passage of [...this.open]) passage.flush(direction);
  }

  /** Resolves with the first request, of those that have come and those to come, that matches. */
  request(matches: (request: ProxiedRequest) => boolean): Promise<ProxiedRequest> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.requests.find(matches);
        if (found === undefined) return;
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  // --- What passages ask ---------------------------------------------------------------------

  swallows(direction: Direction): boolean {
    return this.blackHoles.has(direction);
  }

  holds(direction: Direction): boolean {
    return this.held.has(direction);
  }

  count(request: Omit<ProxiedRequest, 'index'>): ProxiedRequest {
    const counted = { ...request, index: request.isCall ? ++this.calls : 0 };
    this.requests.push(counted);
    for (const look of [...this.waiting]) look();
    return counted;
  }

  closed(passage: Passage): void {
    this.open.delete(passage);
  }

  private accept(client: Socket): void {
    this.connections++;
    if (this.isDown) {
      client.on('error', () => {});
      client.destroy();
      return;
    }
    this.open.add(new Passage(this, client, dial(this.target), this.connections));
  }
}

/** One client's connection, and the one to the server that stands for it. */
class Passage {
  private readonly proxy: FaultProxy;
  private readonly number: number;
  private readonly sockets: { readonly [D in Direction]: Socket };
  private readonly decoders: { readonly [D in Direction]: FrameDecoder };
  private readonly kept: { readonly [D in Direction]: Buffer[] };
  /** Of handshakes, which come first in each direction and are not numbered. */
  private readonly isIntroduced: { [D in Direction]: boolean };
  /** Requests without a reply, in order. */
  private readonly pending: ProxiedRequest[];
  private isClosed: boolean;
  /** The last bytes are on their way; nothing may follow them. */
  private isEnding: boolean;

  constructor(proxy: FaultProxy, client: Socket, server: Socket, number: number) {
    this.proxy = proxy;
    this.number = number;
    // Keyed by where they lead.
    this.sockets = { 'to-client': client, 'to-server': server };
    this.decoders = {
      'to-client': new FrameDecoder(MAX_FRAME_BYTES),
      'to-server': new FrameDecoder(MAX_FRAME_BYTES),
    };
    this.kept = { 'to-client': [], 'to-server': [] };
    this.isIntroduced = { 'to-client': false, 'to-server': false };
    this.pending = [];
    this.isClosed = false;
    this.isEnding = false;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.destroy());
      socket.on('close', () => this.destroy());
    }
    client.on('data', (chunk: Buffer) => this.received('to-server', chunk));
    server.on('data', (chunk: Buffer) => this.received('to-client', chunk));
    client.on('end', () => this.ended('to-server'));
    server.on('end', () => this.ended('to-client'));
  }

  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.proxy.closed(this);
    for (const socket of Object.values(this.sockets)) socket.destroy();
  }

  /** Sends what was held. */
  flush(direction: Direction): void {
    for (const frame of this.kept[direction].splice(0)) this.pass(direction, frame);
  }

  private received(direction: Direction, chunk: Buffer): void {
    if (this.isClosed || this.isEnding || this.proxy.swallows(direction)) return;
    this.decoders[direction].push(chunk, 0, chunk.length, (bytes, start, end) => {
      // The decoder gives the body; its length stands in the four bytes before.
      const frame = Buffer.alloc(4 + end - start);
      frame.writeInt32BE(end - start);
      bytes.copy(frame, 4, start, end);
      if (this.proxy.holds(direction)) this.kept[direction].push(frame);
      else this.pass(direction, frame);
      return !this.isClosed && !this.isEnding;
    });
  }

  private ended(direction: Direction): void {
    // The other side is to see the end, unless it is to see nothing.
    if (!this.proxy.swallows(direction)) this.sockets[direction].end();
  }

  private pass(direction: Direction, frame: Buffer): void {
    if (this.isClosed || this.isEnding) return;
    if (!this.isIntroduced[direction]) {
      this.isIntroduced[direction] = true;
      this.sockets[direction].write(frame);
    } else if (direction === 'to-server') {
      this.passRequest(frame);
    } else {
      this.passReply(frame);
    }
  }

  private passRequest(frame: Buffer): void {
    const reader = new ByteReader(frame.subarray(4));
    const xid = reader.int32();
    const type = reader.int32();
    if (xid === Xid.ping) {
      this.sockets['to-server'].write(frame);
      return;
    }
    const isCall = xid > 0 && type !== OpCode.closeSession;
    const hasPath = isCall && !PATHLESS.includes(type) && frame.length > 12;
    const request = this.proxy.count({
      connection: this.number,
      xid,
      type,
      name: NAMES.get(type) ?? String(type),
      path: hasPath ? (reader.string() ?? undefined) : undefined,
      isCall,
    });
    this.pending.push(request);
    const socket = this.sockets['to-server'];
    switch (this.proxy.onRequest(request)) {
      case 'forward':
        socket.write(frame);
        break;
      case 'cut':
        this.destroy();
        break;
      case 'cut-mid-frame':
        this.endWith(socket, frame.subarray(0, frame.length >> 1));
        break;
      case 'forward-and-cut':
        this.endWith(socket, frame);
        break;
    }
  }

  private passReply(frame: Buffer): void {
    const reader = new ByteReader(frame.subarray(4));
    const xid = reader.int32();
    const zxid = reader.int64();
    const errno = reader.int32();
    const socket = this.sockets['to-client'];
    let fate: ReplyFate = 'forward';
    if (xid === Xid.notification) {
      const type = reader.int32();
      reader.int32();
      const event = { connection: this.number, type, path: reader.string() ?? '' };
      this.proxy.events.push(event);
      fate = this.proxy.onEvent(event);
    } else if (xid !== Xid.ping) {
      const request = this.pending.shift();
      if (request?.xid !== xid) {
        throw new Error(`The reply for xid ${xid} came where that of ${request?.xid} was due`);
      }
      fate = this.proxy.onReply({ request, zxid, errno });
    }
    if (fate === 'forward') socket.write(frame);
    else if (fate === 'lose') this.destroy();
    else this.endWith(socket, frame.subarray(0, frame.length >> 1));
  }

  /** Sends the last bytes, and closes both sides once they have left. */
  private endWith(socket: Socket, bytes: Buffer): void {
    this.isEnding = true;
    socket.write(bytes, () => this.destroy());
  }
}
