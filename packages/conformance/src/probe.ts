// A bare connection to a server for the disk and kill tests: attaches to sessions, pipelines requests, and
// reads a whole tree. It shares no codec with our server, so that it judges both servers alike.

import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { frame, OP, WireReader, WireWriter } from './differential/wire.ts';

/** What a server answered; `err` is 0 or a ZooKeeper error code. */
export interface Reply {
  err: number;
  zxid: bigint;
  body: WireReader;
}

/** What a client needs to attach to a session. */
export interface SessionKey {
  id: bigint;
  password: Buffer;
}

/** The connection ended before the answer came: the request may have been carried out or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export class Probe {
  readonly session: SessionKey;
  readonly timeoutMs: number;
  private readonly socket: Socket;
  /** Requests in order, those before answered answered: with tens of thousands, shift() is quadratic. */
  private pending: Array<{ resolve: (reply: Reply) => void; reject: (error: Error) => void }> = [];
  private answered = 0;
  private received: Buffer = Buffer.alloc(0);
  private lastXid = 0;
  private isClosed = false;

  /**
   * Opens a new session, or attaches to `session`. A refused session is a Probe with a `timeoutMs` of 0.
   * Throws ConnectionLost when the server ends the connection instead.
   */
  static async open(
    port: number,
    { session, timeoutMs = 30_000 }: { session?: SessionKey; timeoutMs?: number } = {},
  ): Promise<Probe> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const request = new WireWriter()
      .int(0)
      .long(0n)
      .int(timeoutMs)
      .long(session?.id ?? 0n);
    request.buffer(session?.password ?? Buffer.alloc(16)).byte(0);
    socket.write(frame(request.done()));
    return new Promise((resolve, reject) => {
      let received = Buffer.alloc(0);
      const onEnd = (error?: Error) =>
        reject(new ConnectionLost(error?.message ?? 'closed at once'));
      const onData = (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
        const end = 4 + received.readInt32BE(0);
        const answer = new WireReader(received, 8, end);
        const negotiated = answer.int();
        const id = answer.long();
        const password = Buffer.from(answer.buffer() ?? []);
        socket.off('data', onData).off('error', onEnd).off('close', onEnd);
        resolve(new Probe(socket, { id, password }, negotiated, received.subarray(end)));
      };
      socket
        .on('data', onData)
        .on('error', onEnd)
        .on('close', () => onEnd());
    });
  }

  private constructor(socket: Socket, session: SessionKey, timeoutMs: number, rest: Buffer) {
    this.socket = socket;
    this.session = session;
    this.timeoutMs = timeoutMs;
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => this.lose());
    socket.on('close', () => this.lose());
    if (rest.length > 0) this.take(rest);
  }

  /** Sends a request; answers come in the order of the requests. Rejects with ConnectionLost. */
  ask(op: number, body: Uint8Array = Buffer.alloc(0)): Promise<Reply> {
    const xid = op === OP.ping ? -2 : op === OP.auth ? -4 : ++this.lastXid;
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        reject(new ConnectionLost('closed before'));
        return;
      }
      this.pending.push({ resolve, reject });
      this.socket.write(frame(new WireWriter().int(xid).int(op).raw(body).done()));
    });
  }

  /** `scheme` is "digest" and the like; throws when it is refused. */
  async addAuth(scheme: string, credentials: string): Promise<void> {
    const body = new WireWriter().int(0).string(scheme).buffer(Buffer.from(credentials)).done();
    const { err } = await this.ask(OP.auth, body);
    if (err !== 0) throw new Error(`auth refused: ${err}`);
  }

  /** Ends the session. */
  async close(): Promise<void> {
    await this.ask(OP.closeSession).catch(() => {});
    this.drop();
  }

  /** Ends the connection and leaves the session. */
  drop(): void {
    this.socket.destroy();
    this.lose();
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    while (this.received.length >= 4) {
      const end = 4 + this.received.readInt32BE(0);
      if (this.received.length < end) return;
      const reader = new WireReader(this.received, 4, end);
      this.received = this.received.subarray(end);
      const xid = reader.int();
      const zxid = reader.long();
      const err = reader.int();
      if (xid !== -1) this.nextPending()?.resolve({ err, zxid, body: reader });
    }
  }

  private nextPending() {
    const next = this.pending[this.answered];
    if (next === undefined) return;
    this.answered++;
    if (this.answered === this.pending.length) {
      this.pending = [];
      this.answered = 0;
    }
    return next;
  }

  private lose(): void {
    this.isClosed = true;
    const lost = this.pending.slice(this.answered);
    this.pending = [];
    this.answered = 0;
    for (const { reject } of lost) reject(new ConnectionLost('closed'));
  }
}

/** The requests that the tests send, as bodies for `Probe.ask`. */
export const body = {
  create(path: string, data: Buffer | null, flags = 0, acl: Acl[] = OPEN): Buffer {
    return aclInto(new WireWriter().string(path).buffer(data), acl).int(flags).done();
  },
  createTtl(path: string, data: Buffer | null, ttlMs: bigint): Buffer {
    return aclInto(new WireWriter().string(path).buffer(data), OPEN).int(5).long(ttlMs).done();
  },
  delete(path: string, version = -1): Buffer {
    return new WireWriter().string(path).int(version).done();
  },
  setData(path: string, data: Buffer | null, version = -1): Buffer {
    return new WireWriter().string(path).buffer(data).int(version).done();
  },
  setAcl(path: string, acl: Acl[], version = -1): Buffer {
    return aclInto(new WireWriter().string(path), acl).int(version).done();
  },
  read(path: string): Buffer {
    return new WireWriter().string(path).byte(0).done();
  },
  path(path: string): Buffer {
    return new WireWriter().string(path).done();
  },
  multi(operations: Array<[op: number, body: Buffer]>): Buffer {
    const writer = new WireWriter();
    for (const [op, bytes] of operations) writer.int(op).byte(0).int(-1).raw(bytes);
    return writer.int(-1).byte(1).int(-1).done();
  },
};

export interface Acl {
  perms: number;
  scheme: string;
  id: string;
}

const OPEN: Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];

function aclInto(writer: WireWriter, acl: Acl[]): WireWriter {
  writer.int(acl.length);
  for (const { perms, scheme, id } of acl) writer.int(perms).string(scheme).string(id);
  return writer;
}

/**
 * Every znode below `root` in one line each, sorted: data, all of its stat to the millisecond, ACL. What two
 * servers that serve the same directory must agree on. Needs a connection that may read everything.
 */
export async function walkExactly(probe: Probe, root = '/'): Promise<string[]> {
  const lines: string[] = [];
  let level = [root];
  while (level.length > 0) {
    const found = await Promise.all(level.map((path) => describe(probe, path)));
    lines.push(...found.map(({ line }) => line));
    level = found.flatMap(({ children }) => children);
  }
  return lines.sort();
}

async function describe(probe: Probe, path: string): Promise<{ line: string; children: string[] }> {
  const [data, acl, children] = await Promise.all([
    probe.ask(OP.getData, body.read(path)),
    probe.ask(OP.getACL, body.path(path)),
    probe.ask(OP.getChildren, body.read(path)),
  ]);
  if (data.err !== 0 || acl.err !== 0 || children.err !== 0) {
    return { line: `${path} errors ${data.err} ${acl.err} ${children.err}`, children: [] };
  }
  const bytes = data.body.buffer();
  const shown =
    bytes === null
      ? 'null'
      : `${bytes.length}:${createHash('sha1').update(bytes).digest('hex').slice(0, 12)}`;
  const stat = readStat(data.body);
  const entries: string[] = [];
  for (let count = acl.body.int(); count > 0; count--) {
    entries.push(`${acl.body.int()}:${acl.body.string()}:${acl.body.string()}`);
  }
  const names: string[] = [];
  for (let count = children.body.int(); count > 0; count--)
    names.push(children.body.string() ?? '');
  return {
    line: `${path} data=${shown} ${statText(stat)} acl=${entries.join(',')}`,
    children: names.map((name) => (path === '/' ? `/${name}` : `${path}/${name}`)),
  };
}

export interface ProbeStat {
  czxid: bigint;
  mzxid: bigint;
  ctime: bigint;
  mtime: bigint;
  version: number;
  cversion: number;
  aversion: number;
  ephemeralOwner: bigint;
  dataLength: number;
  numChildren: number;
  pzxid: bigint;
}

/** The stat that ends the answers to getData, exists and setData. */
export function readStat(reader: WireReader): ProbeStat {
  return {
    czxid: reader.long(),
    mzxid: reader.long(),
    ctime: reader.long(),
    mtime: reader.long(),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: reader.long(),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.long(),
  };
}

function statText(stat: ProbeStat): string {
  const zxids = [stat.czxid, stat.mzxid, stat.pzxid].map((zxid) => `0x${zxid.toString(16)}`);
  const versions = [stat.version, stat.cversion, stat.aversion];
  const owner = BigInt.asUintN(64, stat.ephemeralOwner).toString(16);
  return `zxids=${zxids.join(',')} times=${stat.ctime},${stat.mtime} versions=${versions.join(',')} owner=0x${owner} length=${stat.dataLength} children=${stat.numChildren}`;
}
