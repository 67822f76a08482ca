// The client's calls, of one view of the tree. What is shared between views is the connection loop.

import { inspect } from 'node:util';
import {
  type Acl,
  ByteWriter,
  type ClientInfo,
  OpCode,
  readAclVector,
  readWhoAmIResponse,
  writeMultiEnd,
  writeMultiHeader,
  writePathRequest,
  writePathWatchRequest,
  writeReconfigRequest,
  writeSetACLRequest,
  writeSetDataRequest,
} from '@zebu/protocol';
import { readChildren, readExistence, readMultiRead, readStat, readZnode } from './answers.ts';
import { type BulkOptions, DEFAULT_MAX_BYTES, sendInBulk } from './bulk.ts';
import {
  checkAcl,
  checkChange,
  checkData,
  checkOperations,
  checkOptions,
} from './check-options.ts';
import type {
  Children,
  Client,
  CloseOptions,
  CreateOptions,
  DeleteOptions,
  Existence,
  ReadOptions,
  ReconfigChange,
  UnwatchedReadOptions,
  VersionOptions,
  WatchableReadOptions,
  Watched,
  WatchedReadOptions,
  WatchOptions,
  Znode,
} from './client.ts';
import type { ConnectionLoop } from './connection-loop.ts';
import { createZnode } from './creates.ts';
import { deleteTree, deleteZnode } from './deletes.ts';
import { type EnsembleConfig, parseConfig } from './ensemble-config.ts';
import type { ClientEnvironment } from './environment.ts';
import { atCaller, ZkError } from './errors.ts';
import {
  type Created,
  type Data,
  isSessionBound,
  type Op,
  type Results,
  readMulti,
  toBytes,
  writeMulti,
} from './multi.ts';
import { openStream } from './open-stream.ts';
import { badPath, pathProblem, refuse } from './paths.ts';
import type { OpOptions, RequestSpec } from './request.ts';
import { type Servers, serversFrom } from './servers.ts';
import type { Session, SessionTicket, State } from './session.ts';
import { formatSessionId, Stat } from './stat.ts';
import {
  type ClientListeners,
  type FailedAttempt,
  type ListenOptions,
  statesOf,
} from './states.ts';
import { ViewRequests } from './view-requests.ts';
import type { WatchStream } from './watch-stream.ts';

/** The header that ends a multi. */
const MULTI_END_BYTES = 9;
/** Of a multi beside its operations: xid, op code, and that header. */
const MULTI_OVERHEAD_BYTES = 4 + 4 + MULTI_END_BYTES;
const CONFIG_PATH = '/zookeeper/config';
export class ClientView implements Client {
  readonly chrootPath: string;
  private readonly loop: ConnectionLoop;
  private readonly listeners: ClientListeners;
  private readonly requests: ViewRequests;

  constructor(loop: ConnectionLoop, listeners: ClientListeners, chrootPath: string) {
    this.loop = loop;
    this.listeners = listeners;
    this.chrootPath = chrootPath;
    this.requests = new ViewRequests(loop, chrootPath);
  }

  get state(): State {
    return this.loop.state;
  }

  get environment(): ClientEnvironment {
    return this.loop.environment;
  }

  get session(): Session {
    // connect() gives a client away only once it has a session.
    return this.loop.session as Session;
  }

  async create(path: string, data?: Data, options?: CreateOptions): Promise<Created> {
    checkOptions('create', options);
    checkData('create', data, true);
    return await createZnode({ requests: this.requests, client: this }, path, data, options);
  }

  get(path: string, options: WatchedReadOptions): Promise<Znode & Watched>;
  get(path: string, options?: UnwatchedReadOptions): Promise<Znode>;
  get(path: string, options?: WatchableReadOptions): Promise<Znode & Partial<Watched>>;
  get(path: string, options?: WatchableReadOptions): Promise<Znode & Partial<Watched>> {
    return this.requests.read(OpCode.getData, 'get', path, options, 'data', readZnode);
  }

  exists(path: string, options: WatchedReadOptions): Promise<Existence & Watched>;
  exists(path: string, options?: UnwatchedReadOptions): Promise<Stat | undefined>;
  exists(
    path: string,
    options?: WatchableReadOptions,
  ): Promise<(Existence & Watched) | Stat | undefined>;
  async exists(
    path: string,
    options?: WatchableReadOptions,
  ): Promise<(Existence & Watched) | Stat | undefined> {
    const found = await this.requests.read(
      OpCode.exists,
      'exists',
      path,
      options,
      'data',
      readExistence,
    );
    const { watch } = found;
    return watch === undefined ? found.stat : { stat: found.stat, watch };
  }

  children(path: string, options: WatchedReadOptions): Promise<Children & Watched>;
  children(path: string, options?: UnwatchedReadOptions): Promise<Children>;
  children(path: string, options?: WatchableReadOptions): Promise<Children & Partial<Watched>>;
  children(path: string, options?: WatchableReadOptions): Promise<Children & Partial<Watched>> {
    return this.requests.read(
      OpCode.getChildren2,
      'children',
      path,
      options,
      'child',
      readChildren,
    );
  }

  async set(path: string, data: Data, options?: VersionOptions): Promise<Stat> {
    checkData('set', data, false);
    return await this.requests.write(
      OpCode.setData,
      'set',
      path,
      options,
      readStat,
      (writer, full) =>
        writeSetDataRequest(writer, {
          path: full,
          data: toBytes(data),
          version: options?.version ?? -1,
        }),
    );
  }

  async delete(path: string, options?: DeleteOptions): Promise<void> {
    checkOptions('delete', options);
    if (options?.recursive === true) return deleteTree(this.requests, path, options);
    await deleteZnode(this.requests, path, options);
  }

  async update(
    path: string,
    change: (znode: Znode) => Data | undefined,
    options?: OpOptions,
  ): Promise<Stat> {
    checkOptions('update', options);
    for (;;) {
      const znode = await this.get(path, options);
      const data = change(znode);
      if (data === undefined) return znode.stat;
      try {
        return await this.set(path, data, { ...options, version: znode.stat.version });
      } catch (error) {
        if (!ZkError.is(error, 'BAD_VERSION')) throw error;
        // Somebody else was faster. A local server may lag behind that write: catch up first.
        await this.sync(path, options);
      }
    }
  }

  getAcl(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly acl: readonly Acl[]; readonly stat: Stat }> {
    return this.requests.query(
      OpCode.getACL,
      'getAcl',
      path,
      options,
      writePathRequest,
      (reader) => ({
        acl: readAclVector(reader) ?? [],
        stat: new Stat(reader),
      }),
    );
  }

  async setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    checkAcl('setAcl', acl);
    return await this.requests.write(
      OpCode.setACL,
      'setAcl',
      path,
      options,
      readStat,
      (writer, full) =>
        writeSetACLRequest(writer, { path: full, acl, version: options?.version ?? -1 }),
    );
  }

  async multi<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>> {
    checkOptions('multi', options);
    checkOperations(ops);
    for (const [index, op] of ops.entries()) {
      const isSequential = op.op === 'create' && op.options?.sequential === true;
      const reason = pathProblem(op.path, isSequential);
      if (reason !== undefined) {
        throw badPath('multi', op.path, `operation ${index}: ${reason}`);
      }
    }
    return await this.loop.calls.call<Results<T>>(
      {
        type: OpCode.multi,
        op: 'multi',
        isRead: false,
        isSessionBound: isSessionBound(ops),
        encode: (writer) => writeMulti(writer, ops, (path) => this.requests.fullPath(path)),
        decode: (reader, _, zxid) =>
          readMulti(reader, ops, {
            viewPath: (path) => this.requests.viewPath(path),
            chroot: this.chrootPath,
            zxid,
            session: this.session,
          }) as unknown as Results<T>,
      },
      options,
    );
  }

  bulk(
    ops: Iterable<Op> | AsyncIterable<Op>,
    options: BulkOptions = {},
  ): AsyncIterable<readonly unknown[]> {
    checkOptions('bulk', options);
    const { signal, timeoutMs, retry } = options;
    const most = this.loop.maxPacketBytes - MULTI_OVERHEAD_BYTES;
    const maxBytes = Math.min(options.maxBytes ?? DEFAULT_MAX_BYTES, most);
    const scratch = new ByteWriter();
    return sendInBulk(
      ops,
      { ...options, maxBytes },
      {
        sizeOf: (op) => {
          checkOperations([op]);
          writeMulti(scratch.reset(), [op], (path) => this.requests.fullPath(path));
          return scratch.offset - MULTI_END_BYTES;
        },
        send: (some) => this.multi(some, { signal, timeoutMs, retry }),
      },
    );
  }

  async multiRead(paths: readonly string[], options?: ReadOptions): Promise<(Znode | ZkError)[]> {
    checkOptions('multiRead', options);
    const bad = paths.find((path) => pathProblem(path, false) !== undefined);
    if (bad !== undefined) {
      throw badPath('multiRead', bad, pathProblem(bad, false) as string);
    }
    const spec: RequestSpec<(Znode | ZkError)[]> = {
      type: OpCode.multiRead,
      op: 'multiRead',
      isRead: true,
      isSessionBound: false,
      encode: (writer) => {
        for (const path of paths) {
          writeMultiHeader(writer, OpCode.getData, false, -1);
          writePathWatchRequest(writer, { path: this.requests.fullPath(path), watch: false });
        }
        writeMultiEnd(writer);
      },
      decode: (reader, _, zxid) => readMultiRead(reader, paths, zxid),
    };
    return await this.requests.consistently(spec, '/', options);
  }

  async sync(path = '/', options?: OpOptions): Promise<void> {
    const refusal = refuse('sync', path, options, false);
    if (refusal !== undefined) throw refusal;
    await this.loop.calls.call(this.requests.syncSpec(path), options);
  }

  watch(path: string, options?: WatchOptions): Promise<WatchStream> {
    return openStream(this.requests, path, options);
  }

  descendantsCount(path: string, options?: ReadOptions): Promise<number> {
    return this.requests.query(
      OpCode.getAllChildrenNumber,
      'descendantsCount',
      path,
      options,
      writePathRequest,
      (reader) => reader.int32(),
    );
  }

  ephemerals(prefix = '/', options?: ReadOptions): Promise<readonly string[]> {
    return this.requests.query(
      OpCode.getEphemerals,
      'ephemerals',
      prefix,
      options,
      writePathRequest,
      (reader) => {
        const base = this.requests.fullPath(prefix);
        const below = base === '/' ? '/' : `${base}/`;
        // The server compares text: /app is a prefix of /apple too.
        return (reader.stringVector() ?? [])
          .filter((path) => path === base || path.startsWith(below))
          .map((path) => this.requests.viewPath(path));
      },
      true,
    );
  }

  async addAuth(scheme: string, auth: Uint8Array | string): Promise<void> {
    if (typeof scheme !== 'string' || !(typeof auth === 'string' || auth instanceof Uint8Array)) {
      throw new TypeError('addAuth() takes a scheme, and a string or bytes');
    }
    try {
      await this.loop.addAuth(scheme, typeof auth === 'string' ? Buffer.from(auth) : auth);
    } catch (error) {
      throw atCaller(error);
    }
  }

  async whoAmI(options?: OpOptions): Promise<readonly ClientInfo[]> {
    checkOptions('whoAmI', options);
    return await this.loop.calls.call(
      {
        type: OpCode.whoAmI,
        op: 'whoAmI',
        isRead: true,
        isSessionBound: false,
        encode: () => {},
        decode: readWhoAmIResponse,
      },
      options,
    );
  }

  async config(options?: ReadOptions): Promise<EnsembleConfig> {
    checkOptions('config', options);
    const root = this.chrootPath === '' ? this : new ClientView(this.loop, this.listeners, '');
    const { data } = await root.get(CONFIG_PATH, options);
    return parseConfig(data.toString('utf8'));
  }

  async reconfig(change: ReconfigChange, options?: OpOptions): Promise<EnsembleConfig> {
    checkOptions('reconfig', options);
    checkChange(change);
    const request =
      'members' in change
        ? { joiningServers: null, leavingServers: null, newMembers: change.members.join(',') }
        : {
            joiningServers: change.join?.join(',') ?? null,
            leavingServers: change.leave?.join(',') ?? null,
            newMembers: null,
          };
    return await this.loop.calls.call(
      {
        type: OpCode.reconfig,
        op: 'reconfig',
        isRead: false,
        isSessionBound: false,
        encode: (writer) =>
          writeReconfigRequest(writer, { ...request, curConfigId: change.version ?? -1n }),
        decode: (reader) => parseConfig(readZnode(reader).data.toString('utf8')),
      },
      options,
    );
  }

  chroot(path: string): Client {
    const problem = pathProblem(path, false);
    if (problem !== undefined) throw badPath('chroot', path, problem);
    const full = this.requests.fullPath(path);
    return new ClientView(this.loop, this.listeners, full === '/' ? '' : full);
  }

  on(event: 'state', listener: (state: State) => void, options?: ListenOptions): Disposable;
  on(event: 'session', listener: (session: Session) => void, options?: ListenOptions): Disposable;
  on(
    event: 'attempt',
    listener: (failed: FailedAttempt) => void,
    options?: ListenOptions,
  ): Disposable;
  on(
    event: keyof ClientListeners,
    listener: ((state: State) => void) & ((session: Session) => void) & (() => void),
    options?: ListenOptions,
  ): Disposable {
    checkOptions('on', options);
    const listeners = Object.hasOwn(this.listeners, event) ? this.listeners[event] : undefined;
    if (listeners === undefined) {
      const known = Object.keys(this.listeners).join(', ');
      throw new TypeError(`on() knows no event ${JSON.stringify(event)}; it knows ${known}`);
    }
    return listeners.add(listener, options);
  }

  states(options?: ListenOptions): AsyncIterable<State> {
    checkOptions('states', options);
    const current = () => ({ state: this.loop.state, isLast: this.loop.isOver });
    return statesOf(current, this.listeners.state, options);
  }

  setServers(servers: Servers): void {
    checkOptions('setServers', { servers });
    const { source, chroot, isTls } = serversFrom(servers, this.loop.environment);
    const detail =
      chroot !== ''
        ? 'the chroot of a client cannot change'
        : isTls && !this.loop.isTls
          ? 'a client without TLS cannot change to it'
          : undefined;
    if (detail !== undefined) {
      throw new ZkError('BAD_ARGUMENTS', { op: 'setServers', outcome: 'not-sent', detail });
    }
    this.loop.setServers(source);
  }

  async drained(options?: ListenOptions): Promise<void> {
    checkOptions('drained', options);
    try {
      await this.loop.drained(options?.signal);
    } catch (error) {
      throw atCaller(error);
    }
  }

  detach(): SessionTicket {
    return this.loop.detach() as SessionTicket;
  }

  async close(options?: CloseOptions): Promise<void> {
    checkOptions('close', options);
    await this.loop.close(options?.timeoutMs);
  }

  toJSON(): Record<string, unknown> {
    const { state, session, chrootPath } = this;
    return { state, session, chroot: chrootPath };
  }

  [inspect.custom](): string {
    const { state, chrootPath } = this;
    const where = state.status === 'connected' ? ` to ${state.server}` : '';
    const root = chrootPath === '' ? '' : `, chroot ${chrootPath}`;
    return `Client { ${state.status}${where}, session ${formatSessionId(this.session.id)}${root} }`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
