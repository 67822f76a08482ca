// Puts items once. The server names an item, so the reply that is lost takes the name along; what tells whether the
// item is there is a znode of this producer, whose version grows in the same multi with each item.
//
//   multi( set producers/<id> at version n, create entries/entry-100- )     reply lost
//   version is n + 1: the item is there.   version is n: it is not, and a second try at version n cannot make two.
//
// The producer's znode is ephemeral, and lives as long as the session: of an item whose session has ended before the
// question could be asked, nobody knows.

import { type Client, MultiError, type Session, ZkError } from '@zebu/client';
import type { CallLimit } from '../core/call-limit.ts';
import type { RecipeOptions } from '../core/options.ts';
import { childPath, znodeId } from '../core/owned-znode.ts';
import { isPassing, pause, untilAnswered, untilSessionEnds } from '../core/persistence.ts';
import { orMissing } from '../core/read.ts';

export const PRODUCERS = 'producers';
const BUSY_PAUSE_MS = 100;

export interface NewItem {
  /** The path up to the number that the server appends. */
  readonly path: string;
  readonly data: Uint8Array;
}

interface Mark {
  readonly path: string;
  readonly session: Session;
  version: number;
}

/** The version of the mark was not the one that we know. */
function isRefusedMark(error: ZkError): boolean {
  return error instanceof MultiError && error.index === 0;
}

export class Producer {
  private readonly zk: Client;
  private readonly directory: string;
  private readonly acl: RecipeOptions['acl'];
  /** Creates what is missing of the queue's directories. */
  private readonly makeDirectories: (signal: AbortSignal | undefined) => Promise<void>;
  private mark: Mark | undefined;
  private turn: Promise<unknown>;

  constructor(
    zk: Client,
    path: string,
    acl: RecipeOptions['acl'],
    makeDirectories: (signal: AbortSignal | undefined) => Promise<void>,
  ) {
    this.zk = zk;
    this.directory = childPath(path, PRODUCERS);
    this.acl = acl;
    this.makeDirectories = makeDirectories;
    this.mark = undefined;
    this.turn = Promise.resolve();
  }

  /** Returns the item's path. One at a time: the second needs the version that the first leaves. */
  async put(item: NewItem, limit: CallLimit): Promise<string> {
    const before = this.turn;
    let done: () => void = () => {};
    this.turn = new Promise<void>((resolve) => {
      done = resolve;
    });
    try {
      await limit.race(before);
      return await this.putOnce(item, limit);
    } finally {
      void before.then(done);
    }
  }

  async dispose(): Promise<void> {
    await this.turn;
    const { zk, mark } = this;
    if (mark === undefined) return;
    this.mark = undefined;
    await untilSessionEnds(mark.session, () =>
      untilAnswered(zk, () => {
        mark.session.signal.throwIfAborted();
        return zk.delete(mark.path, { missingOk: true, timeoutMs: 0 });
      }),
    );
  }

  private async putOnce(item: NewItem, limit: CallLimit): Promise<string> {
    const { zk, acl } = this;
    const { signal } = limit;
    /** The error of a try whose reply was lost, and which may have been carried out. */
    let lost: ZkError | undefined;
    for (;;) {
      if (signal.aborted) throw lost ?? limit.error;
      const mark = await this.currentMark(limit);
      try {
        const [stat, created] = await zk.multi(
          [
            // What is set is what the item is found by: its number is not known yet.
            { op: 'set', path: mark.path, data: '', version: mark.version },
            { op: 'create', path: item.path, data: item.data, options: { sequential: true, acl } },
          ],
          { signal, timeoutMs: 0 },
        );
        mark.version = stat.version;
        return created.path;
      } catch (error) {
        if (!ZkError.is(error)) throw error;
        if (error.outcome === 'unknown') {
          // Of this call nobody asks any more, so the mark's version is unknown too.
          if (signal.aborted || ZkError.is(error, 'CLOSED')) {
            this.forget(mark);
            throw error;
          }
          lost ??= error;
        }
        if (lost !== undefined && (error.outcome === 'unknown' || isRefusedMark(error))) {
          const found = await this.find(item, mark, lost, limit);
          if (found !== undefined) return found;
          continue;
        }
        if (signal.aborted) throw lost ?? limit.error;
        await this.mend(error, mark, signal);
      }
    }
  }

  /** Prepares the next try after one that was not carried out; throws where none would help. */
  private async mend(error: ZkError, mark: Mark, signal: AbortSignal): Promise<void> {
    if (error instanceof MultiError) {
      // The mark is gone or older than we think; or the directory of the items is gone.
      if (isRefusedMark(error)) this.forget(mark);
      else if (ZkError.is(error.cause, 'NO_NODE')) await this.makeDirectories(signal);
      else throw error.cause;
      return;
    }
    if (ZkError.is(error, 'SESSION_EXPIRED') && mark.session.signal.aborted) {
      // Not sent, and the client may have no further session: the next call says so.
      if (this.zk.state.status === 'expired') throw error;
      return;
    }
    if (!isPassing(error)) throw error;
    if (error.code !== 'CONNECTION_LOSS') await pause(this.zk, BUSY_PAUSE_MS, signal);
  }

  /** The path of the item if it is there; undefined if it surely is not. Else throws `error`. */
  private async find(
    item: NewItem,
    mark: Mark,
    error: ZkError,
    limit: CallLimit,
  ): Promise<string | undefined> {
    const { zk } = this;
    const { signal } = limit;
    try {
      const stat = await orMissing(
        untilAnswered(
          zk,
          async () => {
            await zk.sync(mark.path, { signal, timeoutMs: 0 });
            return await zk.exists(mark.path, { signal, timeoutMs: 0 });
          },
          signal,
        ),
      );
      if (stat === undefined || stat.ephemeralOwner !== zk.session.id) throw error;
      if (stat.version === mark.version) return undefined;
      mark.version = stat.version;
      return await this.pathOf(item, stat.mzxid, signal);
    } catch (cause) {
      this.forget(mark);
      throw signal.aborted || ZkError.is(cause) ? error : cause;
    }
  }

  /** The item that was created in the txn `zxid`; its bare prefix if it was consumed meanwhile. */
  private async pathOf(item: NewItem, zxid: number, signal: AbortSignal): Promise<string> {
    const { zk } = this;
    const slash = item.path.lastIndexOf('/');
    const directory = item.path.slice(0, slash);
    const prefix = item.path.slice(slash + 1);
    const children = await orMissing(
      untilAnswered(zk, () => zk.children(directory, { signal, timeoutMs: 0 }), signal),
    );
    const names = (children?.names ?? []).filter((name) => name.startsWith(prefix));
    for (const name of names) {
      const path = childPath(directory, name);
      const stat = await untilAnswered(zk, () => zk.exists(path, { signal, timeoutMs: 0 }), signal);
      if (stat?.czxid === zxid) return path;
    }
    return item.path;
  }

  private forget(mark: Mark): void {
    if (this.mark !== mark) return;
    this.mark = undefined;
    const { zk } = this;
    // If its session lives on, so does the znode.
    void untilSessionEnds(mark.session, () =>
      untilAnswered(zk, () => {
        mark.session.signal.throwIfAborted();
        return zk.delete(mark.path, { missingOk: true, timeoutMs: 0 });
      }),
    ).catch(() => {});
  }

  private async currentMark(limit: CallLimit): Promise<Mark> {
    const { zk, directory, acl } = this;
    const { signal } = limit;
    if (this.mark !== undefined && !this.mark.session.signal.aborted) return this.mark;
    for (;;) {
      limit.throwIfOver();
      const wasOver = zk.session.signal.aborted;
      // A name of its own each time: what a lost create has made is empty, and goes with the session.
      const path = childPath(
        directory,
        znodeId(() => zk.environment.random()),
      );
      try {
        const { session, stat } = await zk.create(path, undefined, {
          mode: 'ephemeral',
          acl,
          signal,
          timeoutMs: 0,
        });
        this.mark = { path, session, version: stat.version };
        return this.mark;
      } catch (error) {
        if (signal.aborted) throw limit.error;
        if (ZkError.is(error, 'NO_NODE')) await this.makeDirectories(signal);
        else if (ZkError.is(error) && error.outcome === 'unknown' && error.code !== 'CLOSED') {
          this.forgetPath(path, zk.session);
        } else if (!(ZkError.is(error, 'SESSION_EXPIRED') && !wasOver) && !isPassing(error)) {
          throw error;
        }
      }
    }
  }

  private forgetPath(path: string, session: Session): void {
    const { zk } = this;
    void untilSessionEnds(session, () =>
      untilAnswered(zk, () => {
        session.signal.throwIfAborted();
        return zk.delete(path, { missingOk: true, timeoutMs: 0 });
      }),
    ).catch(() => {});
  }
}
