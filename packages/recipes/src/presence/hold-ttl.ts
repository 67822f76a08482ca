// A TTL znode that is kept from expiring. A child of its own is touched for that, so the keeping wakes nobody who
// watches the znode or its children. As Curator's PersistentTtlNode, with the same child.

import { type Client, type Data, type OpOptions, ZkError } from '@zebu/client';
import { inAnySession } from '../core/any-session.ts';
import type { CallLimit } from '../core/call-limit.ts';
import { CallLimit as Limit } from '../core/call-limit.ts';
import { Latest } from '../core/latest.ts';
import type { RecipeOptions } from '../core/options.ts';
import { childPath } from '../core/owned-znode.ts';
import { isPassing, pause, untilAnswered } from '../core/persistence.ts';
import { bytesOf, type Presence, type PresenceState } from './hold.ts';

interface TtlSettings {
  readonly acl: RecipeOptions['acl'];
  readonly ttlMs: number;
}

/** Touched three times in its life, so that one lost touch does not end it. */
const TOUCHES_PER_TTL = 3;
const RETRY_PAUSE_MS = 1000;

export async function holdWithTtl(
  zk: Client,
  path: string,
  data: Data,
  settings: TtlSettings,
  limit: CallLimit,
): Promise<Presence> {
  const presence = new TtlPresence(zk, path, data, settings);
  try {
    await limit.race(presence.write());
  } catch (error) {
    const disposing = presence[Symbol.asyncDispose]();
    if (limit.signal.aborted) void disposing.catch(() => {});
    else await disposing;
    throw error;
  }
  presence.keep();
  return presence;
}

class TtlPresence implements Presence {
  readonly path: string;
  private readonly zk: Client;
  private readonly settings: TtlSettings;
  private readonly touchPath: string;
  private readonly known: Latest<PresenceState>;
  private readonly stopping: AbortController;
  private readonly listening: Disposable;
  private wanted: Buffer;
  /** By the client's clock, when the touch that was answered last was sent; undefined before the first. */
  private touchedAt: number | undefined;
  private writing: Promise<void>;
  private keeping: Promise<void>;

  constructor(zk: Client, path: string, data: Data, settings: TtlSettings) {
    this.path = path;
    this.zk = zk;
    this.settings = settings;
    this.touchPath = childPath(path, 'touch');
    this.known = new Latest();
    this.stopping = new AbortController();
    this.wanted = bytesOf(data);
    this.touchedAt = undefined;
    this.writing = Promise.resolve();
    this.keeping = Promise.resolve();
    this.listening = zk.on('state', () => this.publish(undefined));
  }

  get live(): boolean {
    const { zk, touchedAt, settings } = this;
    return (
      touchedAt !== undefined &&
      zk.state.status === 'connected' &&
      zk.environment.now() < touchedAt + settings.ttlMs
    );
  }

  states(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<PresenceState> {
    return this.known.read(options?.signal);
  }

  /** Writes the data and touches; one at a time. */
  write(): Promise<void> {
    this.writing = this.writing.catch(() => {}).then(() => this.writeOnce());
    return this.writing;
  }

  async update(data: Data, options?: OpOptions): Promise<void> {
    using limit = new Limit(this.zk, 'update', this.path, options);
    limit.throwIfOver();
    this.wanted = bytesOf(data);
    await limit.race(this.write());
  }

  keep(): void {
    this.keeping = this.touchOn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { zk, path, touchPath, stopping } = this;
    if (!stopping.signal.aborted) {
      stopping.abort();
      this.listening[Symbol.dispose]();
      this.touchedAt = undefined;
      this.publish(undefined);
      this.known.finish();
    }
    await this.writing.catch(() => {});
    await this.keeping;
    try {
      for (const gone of [touchPath, path]) {
        await inAnySession(zk, () => zk.delete(gone, { missingOk: true, timeoutMs: 0 }));
      }
    } catch (error) {
      // What is left expires by itself; somebody else's children keep the znode.
      if (!ZkError.is(error, 'CLOSED', 'SESSION_EXPIRED', 'NOT_EMPTY')) throw error;
    }
  }

  private async touchOn(): Promise<void> {
    const { zk, settings } = this;
    const { signal } = this.stopping;
    for (;;) {
      await pause(zk, settings.ttlMs / TOUCHES_PER_TTL, signal);
      while (!signal.aborted) {
        try {
          await this.touch();
          break;
        } catch (error) {
          if (ZkError.is(error, 'NO_NODE')) {
            // It expired, or somebody deleted it.
            await this.write().catch(() => {});
          } else {
            this.publish(error as Error);
            if (ZkError.is(error, 'CLOSED', 'AUTH_FAILED')) return;
            await pause(zk, RETRY_PAUSE_MS, signal);
          }
        }
      }
      if (signal.aborted) return;
    }
  }

  private async writeOnce(): Promise<void> {
    const { zk, path, touchPath, settings } = this;
    const { signal } = this.stopping;
    const mode = { ttlMs: settings.ttlMs };
    const options = { mode, acl: settings.acl, signal, timeoutMs: 0 };
    for (;;) {
      signal.throwIfAborted();
      try {
        const { wanted } = this;
        await existing(() => zk.create(path, wanted, { ...options, parents: 'container' }));
        await existing(() => zk.create(touchPath, undefined, options));
        await this.touch();
        // Last, because it may have been there with other data, or update() came meanwhile.
        const { data } = await zk.get(path, { signal, timeoutMs: 0 });
        if (!data.equals(this.wanted)) {
          await zk.set(path, this.wanted, { signal, timeoutMs: 0 });
        }
        return;
      } catch (error) {
        if (!isPassing(error) && !ZkError.is(error, 'NO_NODE', 'SESSION_EXPIRED')) throw error;
        if (ZkError.is(error, 'SESSION_EXPIRED') && zk.state.status === 'expired') throw error;
        if (!ZkError.is(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) await pause(zk, 100, signal);
      }
    }
  }

  private async touch(): Promise<void> {
    const { zk, touchPath } = this;
    const { signal } = this.stopping;
    const sentAt = await untilAnswered(
      zk,
      async () => {
        const now = zk.environment.now();
        await zk.set(touchPath, '', { signal, timeoutMs: 0 });
        return now;
      },
      signal,
    );
    this.touchedAt = sentAt;
    this.publish(undefined);
  }

  private publish(error: Error | undefined): void {
    const { live } = this;
    const { current } = this.known;
    if (current?.live !== live || current.error !== error) this.known.set({ live, error });
  }
}

async function existing(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!ZkError.is(error, 'NODE_EXISTS')) throw error;
  }
}
