// The session that commands run in, and the watches that they left. One for a one-shot command; the interactive session
// keeps it from prompt to prompt.

import {
  type Client,
  connect,
  type OneShot,
  type WatchEvent,
  type WatchStream,
  ZkError,
} from '@zebu/client';
import { CommandError } from './command-error.ts';
import type { Target } from './target.ts';

export type OneShotKind = 'data' | 'children';
export type StreamKind = 'persistent' | 'recursive';
export type WatchKind = OneShotKind | StreamKind;

export interface SessionListener {
  /** A watch fired. */
  event(event: WatchEvent): void;
  /** Something that the user should know of the watches: events may be missing, a watch is gone. */
  note(text: string): void;
}

interface Held {
  readonly kind: WatchKind;
  readonly path: string;
  readonly remove: () => Promise<void>;
  /** Settles when the watch can fire no more. */
  readonly over: Promise<void>;
}

export class CliSession {
  target: Target;
  private readonly listener: SessionListener;
  private root: Client | undefined;
  private view: Client | undefined;
  private watches: Map<string, Held>;
  private batch: { source: string; event: WatchEvent }[];

  constructor(target: Target, listener: SessionListener) {
    this.target = target;
    this.listener = listener;
    this.root = undefined;
    this.view = undefined;
    this.watches = new Map();
    this.batch = [];
  }

  /** Undefined before connect() and after close(). */
  get client(): Client | undefined {
    return this.view;
  }

  /** The tree below the chroot. Throws a CommandError without a connection. */
  get zk(): Client {
    return this.view ?? notConnected();
  }

  /** The whole tree. */
  get whole(): Client {
    return this.root ?? notConnected();
  }

  /** Ends the session there was, and begins one with the target; see openClient(). */
  async connect(target: Target, signal: AbortSignal, onExpire: 'renew' | 'close'): Promise<Client> {
    await this.close();
    this.target = target;
    this.root = await openClient(target, signal, onExpire);
    const { chroot } = target.list;
    this.view = chroot === '' ? this.root : this.root.chroot(chroot);
    return this.root;
  }

  async close(): Promise<void> {
    const root = this.root;
    this.root = undefined;
    this.view = undefined;
    this.watches.clear();
    await root?.close({ timeoutMs: 2000 });
  }

  /** Keeps a watch that a read has left. A second one of the same kind and path is the same watch, as in zkCli. */
  hold(kind: OneShotKind, path: string, watch: OneShot): void {
    const key = `${kind} ${path}`;
    if (this.watches.has(key)) {
      watch[Symbol.dispose]();
      return;
    }
    const over = watch.event
      .then(
        (event) => this.fired(key, event),
        (error: unknown) => this.lost(kind, path, error),
      )
      .finally(() => {
        if (this.watches.get(key)?.over === over) this.watches.delete(key);
      });
    const remove = async (): Promise<void> => {
      watch[Symbol.dispose]();
    };
    this.watches.set(key, { kind, path, remove, over });
  }

  holdStream(stream: WatchStream): void {
    const { path } = stream;
    const kind = stream.recursive ? 'recursive' : 'persistent';
    const key = `${kind} ${path}`;
    if (this.watches.has(key)) {
      void stream[Symbol.asyncDispose]();
      return;
    }
    const follow = async (): Promise<void> => {
      for await (const item of stream) {
        if (item.type !== 'resync') this.fired(key, item);
        else if (item.reason !== 'established') {
          this.listener.note(`the watch of ${path} was set again: events may have been missed`);
        }
      }
    };
    const over = follow().catch((error: unknown) => this.lost(kind, path, error));
    const remove = async (): Promise<void> => {
      await stream[Symbol.asyncDispose]();
    };
    this.watches.set(key, { kind, path, remove, over });
  }

  /** Takes watches of these kinds off a path. Throws NO_WATCHER, as zkCli's removewatches says it, if there are none. */
  async removeWatches(path: string, kinds: readonly WatchKind[]): Promise<void> {
    const held = kinds.flatMap((kind) => this.watches.get(`${kind} ${path}`) ?? []);
    if (held.length === 0) {
      throw new CommandError('failed', `KeeperErrorCode = No such watcher for ${path}`, {
        path,
        code: 'NO_WATCHER',
      });
    }
    for (const one of held) {
      this.watches.delete(`${one.kind} ${one.path}`);
      await one.remove();
    }
  }

  /** Resolves when every watch has fired, or can fire no more. */
  async watchesOver(): Promise<void> {
    while (this.watches.size > 0) {
      await Promise.all([...this.watches.values()].map(({ over }) => over));
    }
    this.deliver();
  }

  get hasWatches(): boolean {
    return this.watches.size > 0;
  }

  private lost(kind: WatchKind, path: string, error: unknown): void {
    if (ZkError.is(error, 'ABORTED', 'CLOSED')) return;
    const why = error instanceof Error ? error.message : String(error);
    this.listener.note(`the ${kind} watch of ${path} is gone: ${why}`);
  }

  // One change may fire several watches (a data and a child watch of a znode that is deleted). zkCli has one watcher
  // for all of them and prints one event; so what comes together is compared before it is told.
  private fired(source: string, event: WatchEvent): void {
    this.batch.push({ source, event });
    if (this.batch.length === 1) setImmediate(() => this.deliver());
  }

  private deliver(): void {
    const batch = this.batch;
    this.batch = [];
    const told = new Map<string, Map<string, number>>();
    for (const { source, event } of batch) {
      const key = `${event.type} ${event.zxid} ${event.path}`;
      const counts = told.get(key) ?? new Map<string, number>();
      told.set(key, counts);
      const most = Math.max(0, ...counts.values());
      const mine = (counts.get(source) ?? 0) + 1;
      counts.set(source, mine);
      if (mine > most) this.listener.event(event);
    }
  }
}

/**
 * A client of the whole tree of a cluster. On a terminal the first server that cannot be reached is told of at once,
 * since the others, and later attempts, may take a while. Throws what connect() does.
 *
 * With 'close' whatever is asked fails once the session is over, which is after 4/3 of its timeout without any server.
 */
export async function openClient(
  target: Target,
  signal: AbortSignal,
  onExpire: 'renew' | 'close' = 'close',
): Promise<Client> {
  const { list, tls, auth, sessionTimeoutMs, readOnly } = target;
  let isSilent = process.stderr.isTTY !== true;
  const client = await connect({
    servers: list.servers,
    sessionTimeoutMs,
    readOnly,
    onExpire,
    auth,
    signal,
    onAttempt: ({ server, error }) => {
      if (isSilent) return;
      isSilent = true;
      const what = error.message.includes(server) ? error.message : `${server}: ${error.message}`;
      process.stderr.write(`${what}; trying on\n`);
    },
    ...(tls === undefined ? {} : { tls }),
  });
  isSilent = true;
  return client;
}

function notConnected(): never {
  throw new CommandError('no-connection', 'Not connected', { hint: 'connect begins a session' });
}
