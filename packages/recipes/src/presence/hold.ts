// An ephemeral znode that outlives sessions: while its holder lives, it is created again in each session.
//
// Everything that may change it goes through one loop: it looks at the znode, takes one step towards what is wanted,
// and looks again. So a reply that was lost, an expired session and an update at the same time need no cases of
// their own.
//
//   znode                                        step
//   none                                         create
//   ours, with our data                          done
//   ours, with older data                        set, by version
//   of an earlier session of ours                delete and create, in one multi
//   of somebody else                             conflict: wait until it is gone

import {
  type Client,
  type Data,
  type Session,
  type WatchStream,
  ZkError,
  type Znode,
} from '@zebu/client';
import { CallLimit } from '../core/call-limit.ts';
import { establishWatch } from '../core/follow.ts';
import { Latest } from '../core/latest.ts';
import { type OpOptions, type RecipeOptions, recipeSettings } from '../core/options.ts';
import { isPassing, pause, untilSessionEnds } from '../core/persistence.ts';
import { readZnode } from '../core/read.ts';
import { holdWithTtl } from './hold-ttl.ts';

export interface PresenceState {
  readonly live: boolean;
  /** Why it is not live, where that is more than a lost connection or session. */
  readonly error: Error | undefined;
}

export interface Presence extends AsyncDisposable {
  readonly path: string;
  /** There is a connection, and the znode was there and ours when it was last looked at. */
  readonly live: boolean;
  /** The state now and each later one; a slow reader sees the newest only. */
  states(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<PresenceState>;
  /** Resolves when the znode holds the data. Later sessions create it with the newest. */
  update(data: Data, options?: OpOptions): Promise<void>;
  /** Deletes the znode, across lost connections; resolves when it is gone, or its session. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HoldOptions extends Pick<RecipeOptions, 'acl'> {
  /**
   * If the path is somebody else's: 'fail' (the default) rejects with a HeldByOtherError, 'wait' waits until it is
   * free, as a process that was restarted has to until its last session expires. Once held, it is always waited.
   */
  readonly onConflict?: 'fail' | 'wait' | undefined;
  /**
   * Holds a TTL znode instead, which outlives the connection and a restart for this long: for what should not blink.
   * The server needs `zookeeper.extendedTypesEnabled`.
   */
  readonly ttlMs?: number | undefined;
  /** Limits the first creation, not the presence. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The path is taken: by a session that is not ours, or by a znode that is not ephemeral. */
export class HeldByOtherError extends Error {
  readonly path: string;
  /** 0 for a znode that is not ephemeral. */
  readonly owner: bigint;

  constructor(path: string, owner: bigint) {
    const holder =
      owner === 0n
        ? 'a znode that is not ephemeral'
        : `session 0x${BigInt.asUintN(64, owner).toString(16)}`;
    super(`${path} is held by ${holder}`);
    this.name = 'HeldByOtherError';
    this.path = path;
    this.owner = owner;
  }
}

/** Resolves once the znode is there. Missing parents are created, as containers. */
export async function hold(
  zk: Client,
  path: string,
  data: Data,
  options: HoldOptions = {},
): Promise<Presence> {
  const { acl } = recipeSettings('hold', options, ['onConflict', 'ttlMs', 'signal', 'timeoutMs']);
  using limit = new CallLimit(zk, 'hold', path, options);
  if (options.ttlMs !== undefined) {
    return await holdWithTtl(zk, path, data, { acl, ttlMs: options.ttlMs }, limit);
  }
  limit.throwIfOver();
  const establishing = establishWatch(zk, path);
  let stream: WatchStream;
  try {
    stream = await limit.race(establishing);
  } catch (error) {
    void establishing.then((late) => late[Symbol.asyncDispose]()).catch(() => {});
    throw error;
  }
  const presence = new EphemeralPresence(zk, path, bytesOf(data), acl, stream);
  try {
    await limit.race(presence.start(options.onConflict ?? 'fail'));
  } catch (error) {
    // The caller goes on at once; what was or is being created is deleted as soon as there is a connection.
    const disposing = presence[Symbol.asyncDispose]();
    if (limit.signal.aborted) void disposing.catch(() => {});
    else await disposing;
    throw error;
  }
  return presence;
}

interface Waiter {
  readonly revision: number;
  /** Whether a conflict is its end. */
  readonly failsOnConflict: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const RETRY_PAUSE_MS = 1000;

class EphemeralPresence implements Presence {
  readonly path: string;
  private readonly zk: Client;
  private readonly acl: RecipeOptions['acl'];
  private readonly stream: WatchStream;
  private readonly known: Latest<PresenceState>;
  private readonly stopping: AbortController;
  private readonly listening: Disposable[];
  private wanted: Buffer;
  /** Counts what was wanted; `written` of them is in the znode. */
  private revision: number;
  private written: number;
  private waiters: Waiter[];
  /** Our znode: when it was created, and in which session. */
  private czxid: number;
  private owner: Session | undefined;
  /** Sessions of this client that our znode has been, or may have been, created in. */
  private readonly ownSessions: Set<bigint>;
  /** The reply of a create was lost: a znode of one of our sessions is ours. */
  private mayExist: boolean;
  private isVerified: boolean;
  private isDirty: boolean;
  private isOver: boolean;
  private wake: (() => void) | undefined;
  private work: Promise<unknown>;
  private disposing: Promise<void> | undefined;

  constructor(
    zk: Client,
    path: string,
    data: Buffer,
    acl: RecipeOptions['acl'],
    stream: WatchStream,
  ) {
    this.path = path;
    this.zk = zk;
    this.acl = acl;
    this.stream = stream;
    this.known = new Latest();
    this.stopping = new AbortController();
    this.listening = [];
    this.wanted = data;
    this.revision = 1;
    this.written = 0;
    this.waiters = [];
    this.czxid = -1;
    this.owner = undefined;
    this.ownSessions = new Set();
    this.mayExist = false;
    this.isVerified = false;
    this.isDirty = true;
    this.isOver = false;
    this.wake = undefined;
    this.work = Promise.resolve();
    this.disposing = undefined;
  }

  /** Begins to hold. Resolves when the znode is there. */
  start(onConflict: 'fail' | 'wait'): Promise<void> {
    this.listening.push(
      this.zk.on('state', ({ status }) => {
        if (status !== 'connected') this.unverified(undefined);
      }),
      this.zk.on('session', () => this.look()),
    );
    this.work = Promise.all([this.hear(), this.keep()]);
    return this.whenWritten(onConflict === 'fail');
  }

  get live(): boolean {
    return this.isVerified && this.zk.state.status === 'connected';
  }

  states(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<PresenceState> {
    return this.known.read(options?.signal);
  }

  async update(data: Data, options?: OpOptions): Promise<void> {
    using limit = new CallLimit(this.zk, 'update', this.path, options);
    limit.throwIfOver();
    this.wanted = bytesOf(data);
    this.revision++;
    this.look();
    await limit.race(this.whenWritten(true));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposing ??= this.dispose();
    return this.disposing;
  }

  private whenWritten(failsOnConflict: boolean): Promise<void> {
    if (this.isOver) return Promise.reject(this.closedError());
    return new Promise((resolve, reject) => {
      this.waiters.push({ revision: this.revision, failsOnConflict, resolve, reject });
    });
  }

  private look(): void {
    this.isDirty = true;
    this.wake?.();
  }

  private async hear(): Promise<void> {
    try {
      for await (const item of this.stream) {
        // Our own create and our own sets are no news; nor is what others write into it.
        const isNews = item.type === 'deleted' || item.type === 'resync';
        if (isNews || (item.type === 'created' && item.zxid !== this.czxid)) this.look();
      }
      this.end(this.closedError());
    } catch (error) {
      this.end(error);
    }
  }

  private async keep(): Promise<void> {
    for (;;) {
      while (!this.isDirty && !this.isOver) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (this.isOver) return;
      this.isDirty = false;
      try {
        while (!this.isOver && !(await this.step())) {}
      } catch (error) {
        if (this.isOver) return;
        this.unverified(error as Error);
        this.rejectWaiters(error, () => true);
        if (ZkError.is(error, 'CLOSED', 'AUTH_FAILED')) return;
        // Refused: by an ACL, a quota. No event tells when that changes.
        await pause(this.zk, RETRY_PAUSE_MS, this.stopping.signal);
        this.isDirty = true;
      }
    }
  }

  /** True when there is nothing more to do until something happens. */
  private async step(): Promise<boolean> {
    const { zk, path } = this;
    const znode = await readZnode(zk, path, this.stopping.signal);
    const { session } = zk;
    if (znode === undefined) return this.create(undefined);
    const { ephemeralOwner, czxid, version } = znode.stat;
    const isOurs = this.isOurs(znode);
    if (isOurs && ephemeralOwner === session.id && !session.signal.aborted) {
      this.mayExist = false;
      this.czxid = czxid;
      this.owner = session;
      const { revision, wanted } = this;
      if (this.written !== revision && !znode.data.equals(wanted)) return this.set(version);
      this.written = revision;
      this.verified();
      return true;
    }
    // A session that is over, whether or not the server knows it yet, takes its znode along.
    if (isOurs && ephemeralOwner !== session.id) return this.create(version);
    if (isOurs) return false;
    const conflict = new HeldByOtherError(path, ephemeralOwner);
    this.unverified(conflict);
    this.rejectWaiters(conflict, ({ failsOnConflict }) => failsOnConflict);
    return true;
  }

  private isOurs({ stat }: Znode): boolean {
    return (
      this.ownSessions.has(stat.ephemeralOwner) && (stat.czxid === this.czxid || this.mayExist)
    );
  }

  /** `replaced` is the version of a znode to delete first, in the same txn. */
  private async create(replaced: number | undefined): Promise<boolean> {
    const { zk, path, acl, revision, wanted } = this;
    const options = { mode: 'ephemeral', acl } as const;
    const limits = { signal: this.stopping.signal, timeoutMs: 0 };
    // A create that waits for a connection may be carried out in the next session, so that one is noted afterwards.
    const before = zk.session;
    try {
      const created =
        replaced === undefined
          ? await zk.create(path, wanted, { ...options, ...limits, parents: 'container' })
          : (
              await zk.multi(
                [
                  { op: 'delete', path, version: replaced },
                  { op: 'create', path, data: wanted, options },
                ],
                limits,
              )
            )[1];
      this.czxid = created.stat.czxid;
      this.owner = created.session;
      this.ownSessions.add(created.session.id);
      this.mayExist = false;
      this.written = revision;
      this.verified();
      // update() may have come meanwhile.
      return this.revision === revision;
    } catch (error) {
      if (!ZkError.is(error)) throw error;
      if (error.outcome === 'unknown') {
        this.mayExist = true;
        this.ownSessions.add(before.id).add(zk.session.id);
      }
      return await this.mayGoOn(error, before);
    }
  }

  private async set(version: number): Promise<boolean> {
    const { zk, path, wanted, revision } = this;
    const before = zk.session;
    try {
      await zk.set(path, wanted, { version, signal: this.stopping.signal, timeoutMs: 0 });
      this.written = revision;
      this.verified();
      return this.revision === revision;
    } catch (error) {
      if (!ZkError.is(error)) throw error;
      return await this.mayGoOn(error, before);
    }
  }

  /** False: look again, and take the next step. Throws what no next step would change. */
  private async mayGoOn(error: ZkError, before: Session): Promise<false> {
    const cause = error.code === 'MULTI_FAILED' ? error.cause : error;
    if (ZkError.is(cause, 'NODE_EXISTS', 'NO_NODE', 'BAD_VERSION')) return false;
    if (error.outcome === 'unknown' && error.code !== 'CLOSED') return false;
    // The end of a session may be the client's end too: then the read says so.
    if (error.code === 'SESSION_EXPIRED' && before.signal.aborted) return false;
    if (!isPassing(error)) throw error;
    if (error.code !== 'CONNECTION_LOSS') await pause(this.zk, 100, this.stopping.signal);
    return false;
  }

  private verified(): void {
    if (this.isOver) return;
    this.isVerified = true;
    this.publish(undefined);
    const { written } = this;
    const done = this.waiters.filter(({ revision }) => revision <= written);
    this.waiters = this.waiters.filter(({ revision }) => revision > written);
    for (const { resolve } of done) resolve();
  }

  private unverified(error: Error | undefined): void {
    this.isVerified = false;
    this.publish(error);
  }

  private publish(error: Error | undefined): void {
    const { current } = this.known;
    const { live } = this;
    if (current?.live === live && current.error === error) return;
    this.known.set({ live, error });
  }

  private rejectWaiters(error: unknown, which: (waiter: Waiter) => boolean): void {
    const failed = this.waiters.filter(which);
    this.waiters = this.waiters.filter((waiter) => !which(waiter));
    for (const { reject } of failed) reject(error);
  }

  /** No more steps. What a write that is on its way makes is deleted by dispose(). */
  private end(error: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isVerified = false;
    for (const one of this.listening) one[Symbol.dispose]();
    this.stopping.abort();
    this.publish(undefined);
    this.known.finish();
    this.rejectWaiters(error, () => true);
    this.wake?.();
  }

  private async dispose(): Promise<void> {
    this.end(this.closedError());
    await this.stream[Symbol.asyncDispose]();
    await this.work;
    const { session } = this.zk;
    if (this.owner !== undefined || this.mayExist) {
      await untilSessionEnds(session, () => this.deleteOwn(session.signal));
    }
  }

  /** Never somebody else's: the path may have changed hands. */
  private async deleteOwn(signal: AbortSignal): Promise<void> {
    const { zk, path } = this;
    for (;;) {
      signal.throwIfAborted();
      const znode = await readZnode(zk, path, signal, 'synced');
      if (znode === undefined || !this.isOurs(znode)) return;
      try {
        await zk.delete(path, { version: znode.stat.version, missingOk: true, timeoutMs: 0 });
        return;
      } catch (error) {
        if (!isPassing(error) && !ZkError.is(error, 'BAD_VERSION')) throw error;
        if (ZkError.is(error, 'THROTTLED', 'TIMEOUT')) await pause(zk, 100);
      }
    }
  }

  private closedError(): ZkError {
    const { path } = this;
    return new ZkError('CLOSED', {
      op: 'hold',
      path,
      outcome: 'failed',
      detail: 'it is held no more',
    });
  }
}

/** A copy of its own: it is written again in each session. */
export function bytesOf(data: Data): Buffer {
  if (data === null) return Buffer.alloc(0);
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : Buffer.from(data);
}
