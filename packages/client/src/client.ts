// The calls a user makes. Each is encoded when it is called, so calls are carried out in the order
// they were made, awaited or not. What is shared between views of the tree is the connection loop;
// a view adds its prefix on the way in and takes it off on the way out.

import { inspect } from 'node:util';
import {
  type Acl,
  AddWatchMode,
  type ByteReader,
  ByteWriter,
  type ClientInfo,
  ErrorCode,
  OpCode,
  readAclVector,
  readWhoAmIResponse,
  validatePath,
  WatcherType,
  writeMultiEnd,
  writeMultiHeader,
  writePathNumberRequest,
  writePathRequest,
  writePathVersionRequest,
  writePathWatchRequest,
  writeReconfigRequest,
  writeSetACLRequest,
  writeSetDataRequest,
} from '@zebu/protocol';
import { adviceOn } from './advice.ts';
import { type BulkOptions, DEFAULT_MAX_BYTES, sendInBulk } from './bulk.ts';
import {
  type Call,
  checkAcl,
  checkChange,
  checkData,
  checkOperations,
  checkOptions,
} from './check-options.ts';
import { type Host, parseConnectString } from './connect-string.ts';
import type { ConnectionLoop } from './connection-loop.ts';
import { type EnsembleConfig, parseConfig } from './ensemble-config.ts';
import { atCaller, serverError, ZkError } from './errors.ts';
import {
  type Created,
  type CreateSettings,
  createdFrom,
  createKind,
  type Data,
  isSessionBound,
  type Op,
  type Results,
  readMulti,
  toBytes,
  writeCreate,
  writeMulti,
} from './multi.ts';
import { createProtected, protectedPath, protectionId } from './protected-create.ts';
import type { OpOptions, RequestSpec } from './request.ts';
import type { Session, SessionTicket, State } from './session.ts';
import { formatSessionId, Stat } from './stat.ts';
import {
  type ClientListeners,
  type FailedAttempt,
  type ListenOptions,
  statesOf,
} from './states.ts';
import { type OneShotKind, type StreamKind, withoutChroot } from './watch-registry.ts';
import {
  DEFAULT_STREAM_BUFFER,
  type OneShot,
  OneShotWatch,
  StreamBuffer,
  type WatchStream,
} from './watch-stream.ts';

export interface ReadOptions extends OpOptions {
  /**
   * 'local' (the default): what the connected server knows, which may lag behind.
   * 'synced': at least all that was committed when the call was made, by a sync on the way.
   */
  readonly consistency?: 'local' | 'synced' | undefined;
}
export interface WatchableReadOptions extends ReadOptions {
  /** True sets a watch that fires once. `signal` is for the read alone. Default false. */
  readonly watch?: boolean | undefined;
}
export interface WatchedReadOptions extends ReadOptions {
  readonly watch: true;
}
export interface UnwatchedReadOptions extends ReadOptions {
  readonly watch?: false | undefined;
}
export interface CreateOptions extends OpOptions, CreateSettings {
  /** Creates missing parents, of this mode. Default: none, and NO_NODE says that one is missing. */
  readonly parents?: false | 'persistent' | 'container' | undefined;
  /**
   * Puts an id into the name, `_c_<id>-name` as Curator does, by which the znode is found again when the reply was
   * lost: the call then resolves with what there is, and never makes a second one. Default false.
   */
  readonly protected?: boolean | undefined;
}
export interface VersionOptions extends OpOptions {
  /** Only if this is the version now; default any. */
  readonly version?: number | undefined;
}
export interface DeleteOptions extends VersionOptions {
  /** A missing znode is no error. */
  readonly missingOk?: boolean | undefined;
  /** All below it too, each by a request of its own. */
  readonly recursive?: boolean | undefined;
}
/** Aborting `signal` ends the stream too, and takes the watch off the server. */
export interface WatchOptions extends OpOptions {
  /** All below the path too. */
  readonly recursive?: boolean | undefined;
  /** Events held for a slow reader before they collapse into a `resync`. Default 1,024. */
  readonly buffer?: number | undefined;
}

export interface CloseOptions {
  /** How long to wait for a connection. Default 5,000. */
  readonly timeoutMs?: number | undefined;
}

/** A znode's data, a copy of its own, and its Stat. */
export interface Znode {
  readonly data: Buffer;
  readonly stat: Stat;
}
export interface Children {
  /** In no order. */
  readonly names: readonly string[];
  readonly stat: Stat;
}
export interface Existence {
  readonly stat: Stat | undefined;
}
export interface Watched {
  readonly watch: OneShot;
}

/** A session with an ensemble, or a view of a part of its tree. */
export interface Client extends AsyncDisposable {
  readonly state: State;
  /**
   * The current session; after its end and until the next, the one that has ended. What a create made belongs to
   * Created.session, which may be the next one.
   */
  readonly session: Session;
  /** '' for the whole tree, else the path that this view calls `/`. */
  readonly chrootPath: string;

  create(path: string, data?: Data, options?: CreateOptions): Promise<Created>;
  get(path: string, options: WatchedReadOptions): Promise<Znode & Watched>;
  get(path: string, options?: UnwatchedReadOptions): Promise<Znode>;
  get(path: string, options?: WatchableReadOptions): Promise<Znode & Partial<Watched>>;
  exists(path: string, options: WatchedReadOptions): Promise<Existence & Watched>;
  exists(path: string, options?: UnwatchedReadOptions): Promise<Stat | undefined>;
  exists(
    path: string,
    options?: WatchableReadOptions,
  ): Promise<(Existence & Watched) | Stat | undefined>;
  children(path: string, options: WatchedReadOptions): Promise<Children & Watched>;
  children(path: string, options?: UnwatchedReadOptions): Promise<Children>;
  children(path: string, options?: WatchableReadOptions): Promise<Children & Partial<Watched>>;
  set(path: string, data: Data, options?: VersionOptions): Promise<Stat>;
  delete(path: string, options?: DeleteOptions): Promise<void>;
  /** Reads, changes, and writes if nobody else did meanwhile; else again. Undefined: leave it. */
  update(
    path: string,
    change: (znode: Znode) => Data | undefined,
    options?: OpOptions,
  ): Promise<Stat>;
  getAcl(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly acl: readonly Acl[]; readonly stat: Stat }>;
  /** `version` is the ACL's own: Stat.aversion. */
  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat>;
  /** All or nothing; throws MultiError that tells which operation was refused. */
  multi<const T extends readonly Op[]>(ops: T, options?: OpOptions): Promise<Results<T>>;
  /**
   * Many operations as a series of multis, each of which is all or nothing; yields the results of each. Sends only
   * while it is read: `for await (const results of zk.bulk(ops))`.
   */
  bulk(
    ops: Iterable<Op> | AsyncIterable<Op>,
    options?: BulkOptions,
  ): AsyncIterable<readonly unknown[]>;
  /** Reads of one moment; a znode that cannot be read is its own error, not the call's. */
  multiRead(paths: readonly string[], options?: ReadOptions): Promise<(Znode | ZkError)[]>;
  /** Waits until the connected server has all that was committed when it was asked. */
  sync(path?: string, options?: OpOptions): Promise<void>;
  /** Watches until disposed; set again on each connection, and says `resync` then. */
  watch(path: string, options?: WatchOptions): Promise<WatchStream>;
  /** How many znodes are below the path. */
  descendantsCount(path: string, options?: ReadOptions): Promise<number>;
  /** This session's ephemeral znodes at and below the prefix (default: all). */
  ephemerals(prefix?: string, options?: ReadOptions): Promise<readonly string[]>;
  /** Shows credentials, now and on every later connection. */
  addAuth(scheme: string, auth: Uint8Array | string): Promise<void>;
  whoAmI(options?: OpOptions): Promise<readonly ClientInfo[]>;
  config(options?: ReadOptions): Promise<EnsembleConfig>;
  reconfig(change: ReconfigChange, options?: OpOptions): Promise<EnsembleConfig>;

  /** A view that calls `path` its root; it shares the session, and need not be closed. */
  chroot(path: string): Client;
  on(event: 'state', listener: (state: State) => void, options?: ListenOptions): Disposable;
  /** Called for each session that follows the one of connect(). */
  on(event: 'session', listener: (session: Session) => void, options?: ListenOptions): Disposable;
  /** Called for each server that could not be reached while the client looks for a connection. */
  on(
    event: 'attempt',
    listener: (failed: FailedAttempt) => void,
    options?: ListenOptions,
  ): Disposable;
  /** The state now and each later one; a slow reader sees the latest only. */
  states(options?: ListenOptions): AsyncIterable<State>;
  /** From now on these, as in connect(). A connection to one that is not among them is given up for another. */
  setServers(servers: string | readonly string[]): void;
  /** Leaves the session alive for whoever resumes it, and closes this client. */
  detach(): SessionTicket;
  /**
   * Ends the session, behind all calls made before. Without a connection it waits for one, at most
   * `timeoutMs` (default 5,000); then the session is left to expire.
   */
  close(options?: CloseOptions): Promise<void>;
  /** The state, the session's id and the chroot; no secrets. As what is printed. */
  toJSON(): Record<string, unknown>;
}

export type ReconfigChange =
  | {
      readonly join?: readonly string[] | undefined;
      readonly leave?: readonly number[] | undefined;
      /** Only if this is the config's version now. */
      readonly version?: bigint | undefined;
    }
  | { readonly members: readonly string[]; readonly version?: bigint | undefined };

/** The header that ends a multi. */
const MULTI_END_BYTES = 9;
/** Of a multi beside its operations: xid, op code, and that header. */
const MULTI_OVERHEAD_BYTES = 4 + 4 + MULTI_END_BYTES;
const CONFIG_PATH = '/zookeeper/config';
/** How often a create with parents starts over because a container vanished meanwhile. */
const PARENT_ATTEMPTS = 5;
/** Children of one parent that a recursive delete works on at a time. */
const DELETES_IN_FLIGHT = 256;

export class ClientView implements Client {
  readonly chrootPath: string;
  private readonly loop: ConnectionLoop;
  private readonly listeners: ClientListeners;

  constructor(loop: ConnectionLoop, listeners: ClientListeners, chrootPath: string) {
    this.loop = loop;
    this.listeners = listeners;
    this.chrootPath = chrootPath;
  }

  get state(): State {
    return this.loop.state;
  }

  get session(): Session {
    // connect() gives a client away only once it has a session.
    return this.loop.session as Session;
  }

  async create(path: string, data?: Data, options?: CreateOptions): Promise<Created> {
    checkOptions('create', options);
    checkData('create', data, true);
    return await (options?.parents === undefined || options.parents === false
      ? this.createOne(path, data, options)
      : this.createWithParents(path, data, options, options.parents));
  }

  get(path: string, options: WatchedReadOptions): Promise<Znode & Watched>;
  get(path: string, options?: UnwatchedReadOptions): Promise<Znode>;
  get(path: string, options?: WatchableReadOptions): Promise<Znode & Partial<Watched>>;
  get(path: string, options?: WatchableReadOptions): Promise<Znode & Partial<Watched>> {
    return this.read(OpCode.getData, 'get', path, options, 'data', readZnode);
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
    const found = await this.read(OpCode.exists, 'exists', path, options, 'data', readExistence);
    const { watch } = found;
    return watch === undefined ? found.stat : { stat: found.stat, watch };
  }

  children(path: string, options: WatchedReadOptions): Promise<Children & Watched>;
  children(path: string, options?: UnwatchedReadOptions): Promise<Children>;
  children(path: string, options?: WatchableReadOptions): Promise<Children & Partial<Watched>>;
  children(path: string, options?: WatchableReadOptions): Promise<Children & Partial<Watched>> {
    return this.read(OpCode.getChildren2, 'children', path, options, 'child', readChildren);
  }

  async set(path: string, data: Data, options?: VersionOptions): Promise<Stat> {
    checkData('set', data, false);
    return await this.write(OpCode.setData, 'set', path, options, readStat, (writer, full) =>
      writeSetDataRequest(writer, {
        path: full,
        data: toBytes(data),
        version: options?.version ?? -1,
      }),
    );
  }

  async delete(path: string, options?: DeleteOptions): Promise<void> {
    checkOptions('delete', options);
    if (options?.recursive === true) return this.deleteTree(path, options);
    await this.deleteOne(path, options);
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
    return this.query(OpCode.getACL, 'getAcl', path, options, writePathRequest, (reader) => ({
      acl: readAclVector(reader) ?? [],
      stat: new Stat(reader),
    }));
  }

  async setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    checkAcl('setAcl', acl);
    return await this.write(OpCode.setACL, 'setAcl', path, options, readStat, (writer, full) =>
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
        encode: (writer) => writeMulti(writer, ops, (path) => this.fullPath(path)),
        decode: (reader, _, zxid) =>
          readMulti(reader, ops, {
            viewPath: (path) => this.viewPath(path),
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
          writeMulti(scratch.reset(), [op], (path) => this.fullPath(path));
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
          writePathWatchRequest(writer, { path: this.fullPath(path), watch: false });
        }
        writeMultiEnd(writer);
      },
      decode: (reader, _, zxid) => readMultiRead(reader, paths, zxid),
    };
    return await this.consistently(spec, '/', options);
  }

  async sync(path = '/', options?: OpOptions): Promise<void> {
    const refusal = refuse('sync', path, options, false);
    if (refusal !== undefined) throw refusal;
    await this.loop.calls.call(this.syncSpec(path), options);
  }

  async watch(path: string, options?: WatchOptions): Promise<WatchStream> {
    const refusal = refuse('watch', path, options, false);
    if (refusal !== undefined) throw refusal;
    const kind: StreamKind = options?.recursive === true ? 'recursive' : 'persistent';
    const full = this.fullPath(path);
    const { watches } = this.loop;
    const stream = new StreamBuffer({
      path,
      recursive: kind === 'recursive',
      limit: Math.max(options?.buffer ?? DEFAULT_STREAM_BUFFER, 1),
      dispose: (disposed) => this.unwatch(kind, full, disposed),
    });
    const onAbort = (): void => {
      stream.stop();
      void this.unwatch(kind, full, stream);
    };
    const { settled } = watches.expect(kind, full);
    await this.loop.calls.call(
      {
        type: OpCode.addWatch,
        op: 'watch',
        path,
        // Setting a watch twice is setting it once.
        isRead: true,
        isSessionBound: true,
        encode: (writer) =>
          writePathNumberRequest(writer, {
            path: full,
            value:
              kind === 'recursive' ? AddWatchMode.persistentRecursive : AddWatchMode.persistent,
          }),
        decode: () => {
          watches.addStream(kind, full, { watch: stream, chroot: this.chrootPath });
          const signal = options?.signal;
          if (signal !== undefined) stream.endWith(this.loop.aborts.onAbort(signal, onAbort));
          stream.push({ type: 'resync', reason: 'established' });
        },
        abandoned: () => this.removeIfUnused(kind, full),
        finished: settled,
      },
      options,
    );
    return stream;
  }

  descendantsCount(path: string, options?: ReadOptions): Promise<number> {
    return this.query(
      OpCode.getAllChildrenNumber,
      'descendantsCount',
      path,
      options,
      writePathRequest,
      (reader) => reader.int32(),
    );
  }

  ephemerals(prefix = '/', options?: ReadOptions): Promise<readonly string[]> {
    return this.query(
      OpCode.getEphemerals,
      'ephemerals',
      prefix,
      options,
      writePathRequest,
      (reader) => {
        const base = this.fullPath(prefix);
        const below = base === '/' ? '/' : `${base}/`;
        // The server compares text: /app is a prefix of /apple too.
        return (reader.stringVector() ?? [])
          .filter((path) => path === base || path.startsWith(below))
          .map((path) => this.viewPath(path));
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
    const full = this.fullPath(path);
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

  setServers(servers: string | readonly string[]): void {
    checkOptions('setServers', { servers });
    const text = typeof servers === 'string' ? servers : servers.join(',');
    const { hosts, chroot, isTls } = parseConnectString(text);
    const detail =
      chroot !== ''
        ? 'the chroot of a client cannot change'
        : isTls && !this.loop.isTls
          ? 'a client without TLS cannot change to it'
          : undefined;
    if (detail !== undefined) {
      throw new ZkError('BAD_ARGUMENTS', { op: 'setServers', outcome: 'not-sent', detail });
    }
    this.loop.setHosts(hosts as Host[]);
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

  // --- How calls become requests -------------------------------------------------------------

  /** A write of one path; `pathForm` of 'sequential' lets the path end where a number follows. */
  private write<T>(
    type: number,
    op: Call,
    path: string,
    options: OpOptions | undefined,
    decode: (reader: ByteReader) => T,
    encode: (writer: ByteWriter, full: string) => void,
    kind: { isSequential: boolean; isSessionBound: boolean } = PLAIN,
  ): Promise<T> {
    const refusal = refuse(op, path, options, kind.isSequential);
    if (refusal !== undefined) return Promise.reject(refusal);
    const full = this.fullPath(path);
    return this.loop.calls.call(
      {
        type,
        op,
        path,
        isRead: false,
        isSessionBound: kind.isSessionBound,
        advice: this.adviceFor(type, path),
        encode: (writer) => encode(writer, full),
        decode,
      },
      options,
    );
  }

  /** A read of one path, without a watch. */
  private query<T>(
    type: number,
    op: Call,
    path: string,
    options: ReadOptions | undefined,
    encode: (writer: ByteWriter, full: string) => void,
    decode: (reader: ByteReader) => T,
    isBoundToSession = false,
  ): Promise<T> {
    const refusal = refuse(op, path, options, false);
    if (refusal !== undefined) return Promise.reject(refusal);
    const full = this.fullPath(path);
    const spec: RequestSpec<T> = {
      type,
      op,
      path,
      isRead: true,
      isSessionBound: isBoundToSession,
      advice: this.adviceFor(type, path),
      encode: (writer) => encode(writer, full),
      decode,
    };
    return this.consistently(spec, path, options);
  }

  /** A read that may leave a one-shot watch. */
  private read<T extends object>(
    type: number,
    op: Call,
    path: string,
    options: WatchableReadOptions | undefined,
    kind: OneShotKind,
    decode: (reader: ByteReader, errno: number) => T,
  ): Promise<T & Partial<Watched>> {
    const refusal = refuse(op, path, options, false);
    if (refusal !== undefined) return Promise.reject(refusal);
    const full = this.fullPath(path);
    const watch = options?.watch === true;
    const spec: RequestSpec<T & Partial<Watched>> = {
      type,
      op,
      path,
      isRead: true,
      isSessionBound: watch,
      advice: this.adviceFor(type, path),
      ...(type === OpCode.exists ? { answerErrno: ErrorCode.NONODE } : {}),
      encode: (writer) => writePathWatchRequest(writer, { path: full, watch }),
      decode: watch
        ? (reader, errno) => {
            const value = decode(reader, errno);
            return {
              ...value,
              watch: this.leaveWatch(errno === ErrorCode.OK ? kind : 'exist', full),
            };
          }
        : decode,
      ...(watch
        ? {
            abandoned: () => this.removeIfUnused(kind, full),
            finished: this.loop.watches.expect(kind, full).settled,
          }
        : {}),
    };
    return this.consistently(spec, path, options);
  }

  private adviceFor(type: number, path: string): (errno: number) => string | undefined {
    return (errno) => adviceOn(errno, { type, path, chroot: this.chrootPath });
  }

  /** Puts a sync in front of the read if that is wanted, both on one connection. */
  private consistently<T>(
    spec: RequestSpec<T>,
    path: string,
    options: ReadOptions | undefined,
  ): Promise<T> {
    return options?.consistency === 'synced'
      ? this.loop.calls.inTurn(spec, options, () => this.synced(spec, path, options))
      : this.loop.calls.call(spec, options);
  }

  private async synced<T>(spec: RequestSpec<T>, path: string, options: ReadOptions): Promise<T> {
    for (;;) {
      // The pair leaves back to back. A connection lost in between may bring the read to a server
      // that lags behind what the sync waited for: then both start over.
      const sync = this.loop.calls.tracked({ ...this.syncSpec(path), isRead: true }, options);
      const read = this.loop.calls.tracked(spec, options);
      const [synced, result] = await Promise.allSettled([sync.promise, read.promise]);
      if (synced.status === 'rejected') throw atCaller(synced.reason);
      if (result.status === 'rejected') throw atCaller(result.reason);
      if (sync.request?.wireNumber === read.request?.wireNumber) return result.value;
    }
  }

  private syncSpec(path: string): RequestSpec<void> {
    const full = this.fullPath(path);
    return {
      type: OpCode.sync,
      op: 'sync',
      path,
      isRead: false,
      isSessionBound: false,
      encode: (writer) => writePathRequest(writer, full),
      decode: () => undefined,
    };
  }

  private async createOne(
    path: string,
    data: Data | undefined,
    options: CreateOptions | undefined,
  ): Promise<Created> {
    if (options?.protected !== true) return await this.createOnce(path, data, options);
    const problem = pathProblem(path, options.sequential === true);
    if (problem !== undefined) throw badPath('create', path, problem);
    const { signal, timeoutMs, retry } = options;
    const reading = { signal, timeoutMs, retry };
    const { environment } = this.loop;
    return await createProtected(
      {
        create: (full) => this.createOnce(full, data, options),
        children: async (parent) =>
          (await this.children(parent, { ...reading, consistency: 'synced' })).names,
        exists: (full) => this.exists(full, reading),
        session: () => this.session,
      },
      protectedPath(
        path,
        protectionId(() => environment.random()),
      ),
      options.mode === 'ephemeral',
    );
  }

  private createOnce(
    path: string,
    data: Data | undefined,
    options: CreateOptions | undefined,
  ): Promise<Created> {
    let type: number;
    try {
      type = createKind(options).type;
    } catch (error) {
      return Promise.reject(badPath('create', path, (error as Error).message));
    }
    return this.write(
      type,
      'create',
      path,
      options,
      (reader) =>
        createdFrom(path, this.viewPath(reader.string() ?? ''), new Stat(reader), this.session),
      (writer, full) => writeCreate(writer, full, data, options),
      {
        isSequential: options?.sequential === true,
        isSessionBound: options?.mode === 'ephemeral',
      },
    );
  }

  private async createWithParents(
    path: string,
    data: Data | undefined,
    options: CreateOptions,
    mode: 'persistent' | 'container',
  ): Promise<Created> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.createOne(path, data, options);
      } catch (error) {
        if (!ZkError.is(error, 'NO_NODE') || attempt === PARENT_ATTEMPTS) throw error;
      }
      const { acl, signal, timeoutMs } = options;
      const parentOptions = { mode, acl, signal, timeoutMs };
      // From the root down, all at once: they are carried out in this order.
      const creating = ancestorsOf(path).map((ancestor) =>
        this.createOne(ancestor, undefined, parentOptions).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      for (const error of await Promise.all(creating)) {
        if (error !== undefined && !ZkError.is(error, 'NODE_EXISTS', 'NO_NODE')) throw error;
      }
    }
  }

  private async deleteOne(path: string, options: DeleteOptions | undefined): Promise<void> {
    const version = options?.version ?? -1;
    try {
      await this.write(
        OpCode.delete,
        'delete',
        path,
        options,
        () => undefined,
        (writer, full) => writePathVersionRequest(writer, { path: full, version }),
      );
    } catch (error) {
      if (options?.missingOk !== true || !ZkError.is(error, 'NO_NODE')) throw error;
    }
  }

  private async deleteTree(path: string, options: DeleteOptions): Promise<void> {
    const { version: _, ...below } = options;
    const { signal, timeoutMs, retry } = options;
    for (;;) {
      let names: readonly string[];
      try {
        ({ names } = await this.children(path, { signal, timeoutMs, retry }));
      } catch (error) {
        if (options.missingOk === true && ZkError.is(error, 'NO_NODE')) return;
        throw error;
      }
      const prefix = path === '/' ? '/' : `${path}/`;
      for (let i = 0; i < names.length; i += DELETES_IN_FLIGHT) {
        const some = names.slice(i, i + DELETES_IN_FLIGHT);
        await Promise.all(
          some.map((name) => this.deleteTree(prefix + name, { ...below, missingOk: true })),
        );
      }
      try {
        await this.deleteOne(path, options);
        return;
      } catch (error) {
        // A child was created meanwhile.
        if (!ZkError.is(error, 'NOT_EMPTY')) throw error;
      }
    }
  }

  // --- Watches -------------------------------------------------------------------------------

  private leaveWatch(kind: OneShotKind, full: string): OneShot {
    const { watches } = this.loop;
    const watch = new OneShotWatch((disposed) => {
      if (watches.removeOneShot(kind, full, disposed)) this.removeIfUnused(kind, full);
    });
    watches.addOneShot(kind, full, { watch, chroot: this.chrootPath });
    return watch;
  }

  private async unwatch(kind: StreamKind, full: string, stream: StreamBuffer): Promise<void> {
    stream.finish();
    if (this.loop.watches.removeStream(kind, full, stream)) await this.removeIfUnused(kind, full);
  }

  /** Takes the server's watch away when nobody here needs it any more; never fails. */
  private async removeIfUnused(kind: OneShotKind | StreamKind, full: string): Promise<void> {
    if (!this.loop.watches.isUnused(kind, full) || !this.loop.isConnected) return;
    const removing = this.loop.calls.call(
      {
        type: OpCode.removeWatches,
        op: 'unwatch',
        path: this.viewPath(full),
        isRead: false,
        isSessionBound: true,
        encode: (writer) =>
          writePathNumberRequest(writer, { path: full, value: WATCHER_TYPES[kind] }),
        decode: () => undefined,
      },
      undefined,
    );
    // NO_WATCHER: it has fired meanwhile. A lost connection takes the watch along.
    await removing.catch(() => {});
  }

  private fullPath(path: string): string {
    if (this.chrootPath === '') return path;
    return path === '/' ? this.chrootPath : this.chrootPath + path;
  }

  private viewPath(full: string): string {
    return withoutChroot(this.chrootPath, full);
  }
}

const PLAIN = { isSequential: false, isSessionBound: false };

const WATCHER_TYPES: { readonly [K in OneShotKind | StreamKind]: number } = {
  data: WatcherType.data,
  exist: WatcherType.data,
  child: WatcherType.children,
  persistent: WatcherType.persistent,
  recursive: WatcherType.persistentRecursive,
};

/** Why this is no path. The name of a sequential znode may be empty: its number is still to come. */
function pathProblem(path: string, isSequential: boolean): string | undefined {
  if (typeof path !== 'string') return `a path is a string, not ${typeof path}`;
  return validatePath(isSequential ? `${path}1` : path);
}

/** Why this call cannot be made: a TypeError for its options, BAD_ARGUMENTS for its path. */
function refuse(
  op: Call,
  path: string,
  options: unknown,
  isSequential: boolean,
): Error | undefined {
  try {
    checkOptions(op, options);
  } catch (error) {
    return error as TypeError;
  }
  const problem = pathProblem(path, isSequential);
  return problem === undefined ? undefined : badPath(op, path, problem);
}

function badPath(op: string, path: string, detail: string): ZkError {
  return new ZkError('BAD_ARGUMENTS', { op, path, outcome: 'not-sent', detail });
}

/** "/a/b/c" has "/a" and "/a/b". */
function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    ancestors.push(path.slice(0, at));
  }
  return ancestors;
}

function readZnode(reader: ByteReader): Znode {
  // A copy: a view would keep the whole read alive, and change with the next one.
  const view = reader.buffer();
  const data = view === null ? Buffer.alloc(0) : Buffer.from(view);
  return { data, stat: new Stat(reader) };
}

function readStat(reader: ByteReader): Stat {
  return new Stat(reader);
}

function readExistence(reader: ByteReader, errno: number): Existence {
  return { stat: errno === ErrorCode.OK ? new Stat(reader) : undefined };
}

function readChildren(reader: ByteReader): Children {
  return { names: reader.stringVector() ?? [], stat: new Stat(reader) };
}

function readMultiRead(
  reader: ByteReader,
  paths: readonly string[],
  zxid: number,
): (Znode | ZkError)[] {
  const results: (Znode | ZkError)[] = [];
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (done) return results;
    const path = paths[results.length];
    if (type === OpCode.getData) results.push(readZnode(reader));
    else if (type === OpCode.error) {
      results.push(serverError(reader.int32(), { op: 'multiRead', path, zxid }));
    } else throw new Error(`A multiRead's reply holds a result of type ${type}`);
  }
}
