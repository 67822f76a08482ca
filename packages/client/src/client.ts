// What a user calls: the client, and the options and results of its calls. Each call is encoded when it
// is made, so calls are carried out in the order they were made, awaited or not.

import type { Acl, ClientInfo } from '@zebu/protocol';
import type { BulkOptions } from './bulk.ts';
import type { EnsembleConfig } from './ensemble-config.ts';
import type { ClientEnvironment } from './environment.ts';
import type { ZkError } from './errors.ts';
import type { Created, CreateSettings, Data, Op, Results } from './multi.ts';
import type { OpOptions } from './request.ts';
import type { Servers } from './servers.ts';
import type { Session, SessionTicket, State } from './session.ts';
import type { Stat } from './stat.ts';
import type { FailedAttempt, ListenOptions } from './states.ts';
import type { OneShot, WatchStream } from './watch-stream.ts';

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
  /** The clock that `session.safeUntil` is of, and what else it runs on: for recipes, which should run on the same. */
  readonly environment: ClientEnvironment;

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
  /**
   * From now on these, as in connect(). A connection to one that is not among them is given up for another; a
   * HostProvider is asked once the connection is lost.
   */
  setServers(servers: Servers): void;
  /**
   * Resolves at once, or when no more than half of `maxQueuedBytes` waits to be sent: await it between calls that are
   * not awaited themselves, and none fails with QUEUE_FULL. Rejects when the client is closed.
   */
  drained(options?: ListenOptions): Promise<void>;
  /** Leaves the session alive for the one that resumes it, and closes this client. */
  detach(): SessionTicket;
  /**
   * Ends the session, after all calls made before. Without a connection it waits for one, at most
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
