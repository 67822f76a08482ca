// How the calls of one view become requests: its prefix goes on paths on the way in and comes off on
// the way out, options are checked, reads may be synced and may leave watches.

import {
  type ByteReader,
  type ByteWriter,
  ErrorCode,
  OpCode,
  WatcherType,
  writePathNumberRequest,
  writePathRequest,
  writePathWatchRequest,
} from '@zebu/protocol';
import { adviceOn } from './advice.ts';
import type { Call } from './check-options.ts';
import type { ReadOptions, WatchableReadOptions, Watched } from './client.ts';
import type { ConnectionLoop } from './connection-loop.ts';
import { atCaller } from './errors.ts';
import { refuse } from './paths.ts';
import type { OpOptions, RequestSpec } from './request.ts';
import { type OneShotKind, type StreamKind, withoutChroot } from './watch-registry.ts';
import { type OneShot, OneShotWatch } from './watch-stream.ts';

export class ViewRequests {
  /** '' for the whole tree. */
  readonly chrootPath: string;
  readonly loop: ConnectionLoop;

  constructor(loop: ConnectionLoop, chrootPath: string) {
    this.loop = loop;
    this.chrootPath = chrootPath;
  }

  /** A write of one path; `pathForm` of 'sequential' lets the path end where a number follows. */
  write<T>(
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
  query<T>(
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
  read<T extends object>(
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
            expect: () => this.loop.watches.expect(kind, full).settled,
          }
        : {}),
    };
    return this.consistently(spec, path, options);
  }

  adviceFor(type: number, path: string): (errno: number) => string | undefined {
    return (errno) => adviceOn(errno, { type, path, chroot: this.chrootPath });
  }

  /** Puts a sync in front of the read if that is wanted, both on one connection. */
  consistently<T>(
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

  syncSpec(path: string): RequestSpec<void> {
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

  private leaveWatch(kind: OneShotKind, full: string): OneShot {
    const { watches } = this.loop;
    const watch = new OneShotWatch((disposed) => {
      if (watches.removeOneShot(kind, full, disposed)) this.removeIfUnused(kind, full);
    });
    watches.addOneShot(kind, full, { watch, chroot: this.chrootPath });
    return watch;
  }

  /** Takes the server's watch away when nobody here needs it any more; never fails. */
  async removeIfUnused(kind: OneShotKind | StreamKind, full: string): Promise<void> {
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

  fullPath(path: string): string {
    if (this.chrootPath === '') return path;
    return path === '/' ? this.chrootPath : this.chrootPath + path;
  }

  viewPath(full: string): string {
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
