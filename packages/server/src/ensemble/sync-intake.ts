// A learner's database while its leader brings it up to date: another history in place of its own (SNAP), or its
// own cut (TRUNC). Nothing of it is shown to anybody before it is whole and durable.
//
//   SNAP   stream ─► SnapshotSpool ─► a new Database, and a file ─► adoptSnapshot: the directory's only history
//   TRUNC  truncateHistory ─► recovered anew from disk

import type { Zxid } from '@zebu/protocol';
import {
  adoptSnapshot,
  type DataDirectory,
  discardHistory,
  type EpochFiles,
  markDiscarded,
  SnapshotSpool,
  type SnapshotTrailer,
  truncateHistory,
} from '@zebu/storage';
import { maxEntryBytes, type ServerConfig } from '../config/server-config.ts';
import type { Database } from '../database.ts';
import { newDatabase, recoverDatabase, runInSlices } from '../directory/database-recovery.ts';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';

export interface SyncIntakeOptions {
  readonly environment: Environment;
  readonly config: ServerConfig;
  readonly directory: DataDirectory;
  readonly epochs: EpochFiles;
  readonly metrics: ServerMetrics;
  /** Writes what every member writes for itself: /zookeeper/config. */
  readonly prepare: (database: Database) => void;
  /** An empty history begins with a snapshot. */
  readonly writeFirstSnapshot: (database: Database, done: (error?: Error) => void) => void;
  /** The disk failed, or holds what must not be served. */
  readonly fail: (error: Error) => void;
}

interface Intake {
  readonly zxid: Zxid;
  readonly database: Database;
  readonly spool: SnapshotSpool;
  /** Called when the spool takes bytes again. */
  onReady: (() => void) | undefined;
}

export class SyncIntake {
  private readonly options: SyncIntakeOptions;
  private intake: Intake | undefined;
  /** A snapshot is being made this member's history: nothing else may touch the directory. */
  private adopting: Intake | undefined;
  private onAdopted: ((zxid: Zxid) => void) | undefined;

  constructor(options: SyncIntakeOptions) {
    this.options = options;
    this.intake = undefined;
    this.adopting = undefined;
    this.onAdopted = undefined;
  }

  // ---- SNAP ---------------------------------------------------------------------------------

  /** A snapshot's stream follows; its zxid is the packet's. */
  begin(zxid: Zxid): void {
    this.abort();
    const { environment, config, directory } = this.options;
    const database = newDatabase(config, environment);
    const intake: Intake = {
      zxid,
      database,
      spool: new SnapshotSpool({
        disk: environment.disk,
        directory: directory.snapshotDirectory,
        zxid,
        handler: database,
        name: 'the leader',
        onReady: () => {
          const { onReady } = intake;
          intake.onReady = undefined;
          onReady?.();
        },
      }),
      onReady: undefined,
    };
    this.intake = intake;
  }

  /**
   * Loads and spools bytes[start, end). Returns the offset after the last byte that belongs to the stream, whether it
   * is over, and whether the spool wants no more for now. Throws StorageError for a stream that is damaged.
   */
  feed(
    bytes: Buffer,
    start: number,
    end: number,
  ): { used: number; isDone: boolean; isFull: boolean } {
    const { intake } = this;
    if (intake === undefined) return { used: end, isDone: false, isFull: false };
    const { spool } = intake;
    const used = start + spool.feed(bytes, start, end);
    return { used, isDone: spool.isDone, isFull: !spool.isReady && !spool.isDone };
  }

  /** Calls `ready` once the spool takes bytes again. */
  whenReady(ready: () => void): void {
    if (this.intake !== undefined) this.intake.onReady = ready;
  }

  /**
   * The stream is whole: makes it this member's history, and calls `done` once that is durable. After an abort() it is
   * not called.
   */
  install(done: (database: Database, zxid: Zxid) => void): void {
    const { intake } = this;
    if (intake === undefined) return;
    const { environment, directory, epochs, prepare, fail } = this.options;
    intake.spool.finish();
    intake.database.snapshotLoaded(intake.zxid, NO_TRAILER);
    this.adopting = intake;
    adoptSnapshot({
      disk: environment.disk,
      directory,
      spool: intake.spool.writer,
      epochs,
      done: (error) => {
        if (error !== undefined) {
          fail(error);
          return;
        }
        this.adopting = undefined;
        const { onAdopted } = this;
        this.onAdopted = undefined;
        if (this.intake !== intake) {
          onAdopted?.(intake.zxid);
          return;
        }
        this.intake = undefined;
        prepare(intake.database);
        done(intake.database, intake.zxid);
      },
    });
  }

  /** Whether a stream has begun and is not installed. */
  get isBusy(): boolean {
    return this.intake !== undefined;
  }

  /**
   * Gives up a stream that is not installed: the directory holds what it held before. A history that is being replaced
   * by it is replaced all the same: see whenAtRest().
   */
  abort(): void {
    const { intake } = this;
    if (intake === undefined) return;
    this.intake = undefined;
    if (intake !== this.adopting) intake.spool.abort();
  }

  /** Calls `next` once nothing is done in the directory, with the zxid at which a history ends that was replaced now. */
  whenAtRest(next: (replacedAt: Zxid | undefined) => void): void {
    if (this.adopting === undefined) next(undefined);
    else this.onAdopted = next;
  }

  // ---- TRUNC --------------------------------------------------------------------------------

  /** Cuts the history; `done` gets the database as it is then, or undefined where it does not hold the zxid. */
  truncate(zxid: Zxid, done: (database: Database | undefined) => void): void {
    const { environment, config, directory, fail } = this.options;
    const steps = truncateHistory({
      disk: environment.disk,
      directory,
      zxid,
      maxEntryBytes: maxEntryBytes(config),
    });
    runInSlices(
      environment,
      steps,
      () => {},
      (error, result) => {
        if (error !== undefined) fail(error);
        else if (result?.outcome === 'truncated') this.reload(done);
        else {
          environment.logger.warn('The log cannot be cut where the leader says', {
            reason: result?.reason,
          });
          done(undefined);
        }
      },
    );
  }

  /** The database as the disk holds it. */
  reload(done: (database: Database) => void): void {
    const { environment, config, directory, metrics, prepare, fail } = this.options;
    recoverDatabase({ environment, config, directory, metrics }, (error, result) => {
      if (result === undefined) {
        fail(error ?? new Error('Nothing was recovered'));
        return;
      }
      prepare(result.target);
      done(result.target);
    });
  }

  /** Throws the whole history away: a member that cannot follow its leader with it joins as an empty one. */
  discard(done: (database: Database) => void): void {
    const { environment, config, directory, prepare, writeFirstSnapshot, fail } = this.options;
    // Before anything is removed: what is left then must not be counted, after a crash neither.
    markDiscarded(environment.disk, directory.snapshotDirectory);
    discardHistory({
      disk: environment.disk,
      directory,
      done: (error) => {
        if (error !== undefined) {
          fail(error);
          return;
        }
        const database = newDatabase(config, environment);
        prepare(database);
        writeFirstSnapshot(database, (snapshotError) => {
          if (snapshotError === undefined) done(database);
          else fail(snapshotError);
        });
      },
    });
  }
}

/** What a leader sends has neither a digest nor a last zxid in it. */
const NO_TRAILER: SnapshotTrailer = Object.freeze({
  digest: undefined,
  lastProcessedZxid: undefined,
});
