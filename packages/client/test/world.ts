// A network, a clock and servers that do what the test says, all in memory and in virtual time.

import {
  ByteReader,
  ByteWriter,
  beginFrame,
  type ConnectRequest,
  type ConnectResponse,
  endFrame,
  FrameDecoder,
  OpCode,
  readConnectRequest,
  type Stat,
  writeConnectResponse,
  writeStat,
  Xid,
} from '@zebu/protocol';
import { type Connection, type Listener, memoryNetwork, type Network } from '@zebu/transport';
import type { ClientEnvironment } from '../src/environment.ts';
import { type Client, type ConnectOptions, connect } from '../src/index.ts';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class World {
  now = 0;
  readonly network: Network;
  readonly environment: ClientEnvironment;
  private readonly queue: (() => void)[] = [];
  private readonly timers = new Set<Timer>();

  constructor(cut?: (available: number) => number) {
    this.network = memoryNetwork({
      schedule: (callback) => this.queue.push(callback),
      ...(cut === undefined ? {} : { cut }),
    });
    this.environment = {
      network: this.network,
      now: () => this.now,
      setTimer: (callback, ms) => {
        const timer = { at: this.now + ms, callback };
        this.timers.add(timer);
        return timer;
      },
      clearTimer: (timer) => this.timers.delete(timer as Timer),
      random: () => 0.5,
      gather: (callback) => this.queue.push(callback),
    };
  }

  get runningTimers(): number {
    return this.timers.size;
  }

  /** Runs everything that needs no time. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 20; idle++) {
      const next = this.queue.shift();
      if (next !== undefined) {
        next();
        idle = 0;
      }
      await undefined;
    }
  }

  async advance(ms: number): Promise<void> {
    const until = this.now + ms;
    await this.settle();
    for (;;) {
      let first: Timer | undefined;
      for (const timer of this.timers) {
        if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
      }
      if (first === undefined) break;
      this.timers.delete(first);
      this.now = Math.max(this.now, first.at);
      first.callback();
      await this.settle();
    }
    this.now = until;
  }

  async serve(script: Script = {}, port = 2181, host = 'zk'): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    const listening = this.network.listen({ port, host }, (connection) =>
      server.accept(connection),
    );
    await this.settle();
    server.listener = await listening;
    return server;
  }

  connecting(options: Partial<ConnectOptions> = {}): Promise<Client> {
    return connect({
      servers: 'zk:2181',
      sessionTimeoutMs: 12_000,
      environment: this.environment,
      ...options,
    });
  }

  async connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const connecting = this.connecting(options);
    await this.settle();
    return connecting;
  }
}

/** A promise's outcome, once all that needs no time is through. */
export function watched<T>(promise: Promise<T>): { value?: T; error?: Error; isSettled: boolean } {
  const outcome: { value?: T; error?: Error; isSettled: boolean } = { isSettled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, isSettled: true }),
    (error) => Object.assign(outcome, { error, isSettled: true }),
  );
  return outcome;
}

export interface Script {
  /** The answer to a handshake; undefined says nothing. Default: a session of its own. */
  handshake?: (
    request: ConnectRequest,
    connection: ServerConnection,
  ) => ConnectResponse | undefined;
  /** What to do with a request. Default: nothing, the test answers. */
  request?: (request: ServerRequest) => void;
}

export interface ServerRequest {
  readonly connection: ServerConnection;
  readonly xid: number;
  readonly type: number;
  /** Stands after the header, on bytes of its own. */
  readonly body: ByteReader;
  readonly bytes: number;
}

export class ScriptedServer {
  script: Script;
  listener: Listener | undefined;
  readonly connections: ServerConnection[] = [];

  constructor(script: Script) {
    this.script = script;
  }

  get last(): ServerConnection {
    return this.connections.at(-1) as ServerConnection;
  }

  accept(connection: Connection): ServerConnection {
    const accepted = new ServerConnection(this, connection);
    this.connections.push(accepted);
    return accepted;
  }
}

let nextSession = 0x0100_0000_0000_0001n;

export class ServerConnection {
  readonly server: ScriptedServer;
  readonly connection: Connection;
  readonly requests: ServerRequest[] = [];
  /** How many times bytes came. */
  reads = 0;
  handshake: ConnectRequest | undefined;
  isClosed = false;
  isMute = false;
  zxid = 1;
  private readonly decoder = new FrameDecoder(0xfffff);

  constructor(server: ScriptedServer, connection: Connection) {
    this.server = server;
    this.connection = connection;
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.reads++;
    this.decoder.push(bytes, start, end, (frame, from, to) => {
      this.frame(Buffer.from(frame.subarray(from, to)));
      return true;
    });
  }

  drained(): void {}

  closed(): void {
    this.isClosed = true;
  }

  /** Op codes that came, pings left out. */
  get types(): number[] {
    return this.requests.map(({ type }) => type).filter((type) => type !== OpCode.ping);
  }

  /** Takes the oldest request that has not been taken. */
  take(type?: number): ServerRequest {
    const request = this.requests.shift();
    if (request === undefined || (type !== undefined && request.type !== type)) {
      throw new Error(`Expected a request of type ${type}, got ${request?.type}`);
    }
    return request;
  }

  reply(
    xid: number,
    errno = 0,
    write: (writer: ByteWriter) => void = () => {},
    zxid = ++this.zxid,
  ) {
    this.send(replyFrame(xid, zxid, errno, write));
  }

  event(type: number, path: string, zxid = ++this.zxid): void {
    this.send(
      replyFrame(Xid.notification, zxid, 0, (writer) => {
        writer.int32(type);
        writer.int32(3);
        writer.string(path);
      }),
    );
  }

  send(bytes: Buffer): void {
    this.connection.write(bytes, 0, bytes.length);
  }

  private frame(frame: Buffer): void {
    if (this.isMute) return;
    const body = new ByteReader(frame);
    if (this.handshake === undefined) {
      const request = readConnectRequest(body);
      this.handshake = request;
      const script = this.server.script.handshake ?? grantSession;
      const response = script(request, this);
      if (response === undefined) return;
      const writer = new ByteWriter();
      const mark = beginFrame(writer);
      writeConnectResponse(writer, response);
      endFrame(writer, mark);
      this.send(Buffer.from(writer.view()));
      if (response.timeoutMs === 0) this.connection.end();
      return;
    }
    const xid = body.int32();
    const type = body.int32();
    const request = { connection: this, xid, type, body, bytes: frame.length };
    this.requests.push(request);
    if (type === OpCode.ping) this.reply(Xid.ping, 0, undefined, this.zxid);
    else if (type === OpCode.closeSession) {
      this.reply(xid);
      this.connection.end();
    } else this.server.script.request?.(request);
  }
}

export function grantSession(request: ConnectRequest): ConnectResponse {
  return {
    protocolVersion: 0,
    timeoutMs: request.timeoutMs,
    sessionId: request.sessionId === 0n ? nextSession++ : request.sessionId,
    password: Buffer.alloc(16, 7),
    readOnly: false,
  };
}

export const refuseSession = (): ConnectResponse => ({
  protocolVersion: 0,
  timeoutMs: 0,
  sessionId: 0n,
  password: Buffer.alloc(16),
  readOnly: false,
});

export function replyFrame(
  xid: number,
  zxid: number,
  errno: number,
  write: (writer: ByteWriter) => void = () => {},
): Buffer {
  const writer = new ByteWriter();
  const mark = beginFrame(writer);
  writer.int32(xid);
  writer.int64(zxid);
  writer.int32(errno);
  write(writer);
  endFrame(writer, mark);
  return Buffer.from(writer.view());
}

export const STAT: Stat = {
  czxid: 1,
  mzxid: 2,
  ctime: 3,
  mtime: 4,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
  pzxid: 8,
};

/** A body of getData. */
export const znode = (data: string) => (writer: ByteWriter) => {
  writer.buffer(Buffer.from(data));
  writeStat(writer, STAT);
};

export const stat = (writer: ByteWriter): void => writeStat(writer, STAT);

/** Answers getData with its path, setData and exists with a Stat, all else with nothing. */
export function answerAll(request: ServerRequest): void {
  const { connection, xid, type, body } = request;
  if (type === OpCode.getData) connection.reply(xid, 0, znode(body.string() as string));
  else if (type === OpCode.setData || type === OpCode.exists) connection.reply(xid, 0, stat);
  else if (type === OpCode.getChildren2) {
    connection.reply(xid, 0, (writer) => {
      writer.stringVector(['child']);
      stat(writer);
    });
  } else connection.reply(xid);
}
