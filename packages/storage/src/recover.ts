// Brings a member's state back from disk (disk.md 7.1 and 7.3): the newest snapshot that verifies, then
// every txn after it.
//
// A synchronous generator, so that the server can let its event loop turn and print progress between
// slices, while the simulator just drains it. It knows neither sessions nor trees: a RecoveryTarget
// does. Each attempt at a snapshot gets a fresh target, so nothing of a broken one remains
// (Java reuses one tree across attempts).
//
// On return everything that was read is durable: entries that only the page cache held (the process
// was killed, not the machine) must not vanish later under entries acknowledged since.

import { formatZxid, type Zxid } from '@zebu/protocol';
import { type DataDirectory, hasInitializeMarker, takeInitializeMarker } from './data-directory.ts';
import type { Disk, FileKind } from './disk.ts';
import { aboutFile, type FileMessage } from './file-message.ts';
import {
  isTemporaryName,
  logFiles,
  type SnapshotCompression,
  type SnapshotName,
  snapshotFiles,
} from './file-names.ts';
import { findLeftOut, type LeftOutFile, leftOutError, leftOutWarnings } from './left-out-files.ts';
import { TxnLogReader } from './log-reader.ts';
import { finishReplacement } from './replace-history.ts';
import { setTailAside } from './set-aside.ts';
import { type SnapshotHandler, SnapshotReader, type SnapshotTrailer } from './snapshot-reader.ts';
import { feedSnapshotFile, looksValid } from './snapshot-source.ts';
import { StorageError, type StorageErrorCode } from './storage-error.ts';

/** Snapshots that are tried, newest first, as in Java's FileSnap.deserialize. */
const MAX_SNAPSHOTS = 100;
/** Entries between two yields. */
const SLICE_ENTRIES = 2_000;

/** State under construction. Whatever it throws while loading makes that snapshot count as broken. */
export interface RecoveryTarget extends SnapshotHandler {
  /** A snapshot of so many bytes on disk, compressed or not, is going to be loaded. */
  snapshotBegins?(fileBytes: number): void;
  /** The snapshot's seals are right. `zxid` is the one of its name, which replay starts after. */
  snapshotLoaded(zxid: Zxid, trailer: SnapshotTrailer): void;
  /**
   * One log entry, in file order; a repeated zxid comes again. `bytes` are valid during the call. A
   * throw stops the recovery with `BAD_ENTRY`.
   */
  applyEntry(bytes: Buffer, start: number, end: number, zxid: Zxid): void;
  /**
   * As `applyEntry`, for one above `applyUpToZxid`: it is durable here, and not known to be committed. Who
   * does not keep them reads them again with openTxnFeed.
   */
  holdEntry?(bytes: Buffer, start: number, end: number, zxid: Zxid): void;
}

export interface RecoverOptions<T extends RecoveryTarget> {
  disk: Disk;
  directory: DataDirectory;
  /** A fresh, empty state; called once per attempt. */
  createTarget: () => T;
  /** `zookeeper.snapshot.trust.empty`: logs without any snapshot are replayed from nothing. Default false. */
  trustEmptySnapshot?: boolean;
  /** `zookeeper.db.autocreate`: no data at all counts as an empty database. Default true. */
  autocreateDatabase?: boolean;
  /** Log entries up to this are expected; a longer one is read if it is whole. */
  maxEntryBytes?: number;
  /**
   * The last zxid known to be committed, -1 for none: what the log holds after it stays out of the state, so
   * that a leader may have it cut off (ZOOKEEPER-5094, 4837). The newest snapshot is loaded whatever its
   * zxid: a member that applies nothing uncommitted has none that shows any. Default: no bound.
   */
  applyUpToZxid?: Zxid;
  /**
   * False reads without changing the directory: nothing is cut, deleted or synced. For tools. Default true.
   */
  repair?: boolean;
}

export interface RecoveryProgress {
  readonly stage: 'snapshot' | 'log';
  readonly file: string;
  readonly bytesRead: number;
  readonly totalBytes: number;
  /** Entries applied so far. */
  readonly entries: number;
}

export interface RecoveryResult<T> {
  readonly target: T;
  /** The highest zxid recovered; 0 for an empty database; -1 when there is no data and none may be assumed. */
  readonly zxid: Zxid;
  /** The highest zxid that is in the state; below `zxid` if `applyUpToZxid` was given and is. */
  readonly appliedZxid: Zxid;
  /** Path of the snapshot that was loaded. */
  readonly snapshotFile: string | undefined;
  readonly snapshotZxid: Zxid | undefined;
  /** Entries applied from logs, and how many of them repeated a zxid. */
  readonly entries: number;
  readonly repeatedEntries: number;
  /** An empty database: the caller should write snapshot.0 before it serves. */
  readonly needsSnapshot: boolean;
  /** Replayed without a snapshot: a learner must write one after its first sync (ZOOKEEPER-3781). */
  readonly trustedEmptySnapshot: boolean;
  /** What an operator should read: skipped snapshots, a cut tail. One sentence each, which names the file. */
  readonly warnings: readonly string[];
}

/** Throws StorageError for all that must stop a start. */
export function* recover<T extends RecoveryTarget>(
  options: RecoverOptions<T>,
): Generator<RecoveryProgress, RecoveryResult<T>, void> {
  try {
    return yield* recoverFrom(options);
  } catch (error) {
    if (!(error instanceof StorageError) || !MISSING_DATA.has(error.code)) throw error;
    // What is missing may lie there under another name.
    const leftOut = yield* leftOutFiles(options, -1);
    if (leftOut.length === 0) throw error;
    const files = leftOut.map(({ path, finding }) => `${path} ${finding}`).join('; ');
    throw error.withHint(`What is missing may be here: ${files}`);
  }
}

/** Errors that a file which was left out may explain. */
const MISSING_DATA: ReadonlySet<StorageErrorCode> = new Set([
  'GAP_IN_LOG',
  'HISTORY_CUT',
  'NO_SNAPSHOT_FOR_LOGS',
  'NO_VALID_SNAPSHOT',
]);

function* recoverFrom<T extends RecoveryTarget>(
  options: RecoverOptions<T>,
): Generator<RecoveryProgress, RecoveryResult<T>, void> {
  const { disk, directory } = options;
  const repair = options.repair ?? true;
  const warnings: FileMessage[] = [];
  if (repair) {
    const finished = finishReplacement(disk, directory);
    if (finished !== undefined) warnings.push(finished);
    removeTemporaries(disk, directory);
  }

  const snapshots = snapshotFiles(
    disk.list(directory.snapshotDirectory),
    directory.snapshotDirectory,
  ).reverse();
  const plausible: SnapshotName[] = [];
  const broken: SnapshotName[] = [];
  for (const snapshot of snapshots) {
    const path = `${directory.snapshotDirectory}/${snapshot.name}`;
    if (plausible.length === MAX_SNAPSHOTS) break;
    const kind = disk.kind(path);
    if (kind !== 'file') {
      // It says nothing about txns: no server makes such a thing.
      warnings.push(aboutFile('Skipped snapshot ', path, `: it is ${describeKind(kind)}`));
    } else if (looksValid(disk, path, snapshot.compression)) {
      plausible.push(snapshot);
    } else {
      broken.push(snapshot);
      warnings.push(aboutFile('Skipped snapshot ', path, ': it is cut short'));
    }
  }

  let target: T | undefined;
  let loaded: SnapshotName | undefined;
  for (const snapshot of plausible) {
    target = options.createTarget();
    const path = `${directory.snapshotDirectory}/${snapshot.name}`;
    try {
      yield* loadSnapshot(disk, path, snapshot, target);
      loaded = snapshot;
      break;
    } catch (error) {
      if (isDiskError(error)) throw error;
      broken.push(snapshot);
      warnings.push(aboutFile('Skipped snapshot ', path, `: ${(error as Error).message}`));
    }
  }
  if (loaded === undefined && plausible.length > 0) {
    throw new StorageError(
      'NO_VALID_SNAPSHOT',
      `None of ${plausible.length} snapshots can be read; the newest: ${warnings.at(-plausible.length)}`,
      {
        file: directory.snapshotDirectory,
        remedy:
          'Restore a snapshot from a backup, or empty the data directory of this member and let it ' +
          'sync from the others',
      },
    );
  }

  const logs = logFiles(disk.list(directory.logDirectory), directory.logDirectory);
  for (const log of logs) checkIsFile(disk, `${directory.logDirectory}/${log.name}`);
  const initialize = repair && hasInitializeMarker(disk, directory.dataLogDir);
  const takeMarker = (): void => {
    if (initialize) takeInitializeMarker(disk, directory.dataLogDir);
  };
  if (loaded === undefined) {
    // A server that died in its very first snapshot leaves a broken snapshot.0 and nothing else.
    if (logs.length === 0 && broken.every((snapshot) => snapshot.zxid === 0)) {
      const empty = initialize || (options.autocreateDatabase ?? true);
      const zxid = empty ? 0 : -1;
      warnings.push(...(yield* checkLeftOut(options, zxid)));
      takeMarker();
      return {
        target: options.createTarget(),
        zxid,
        appliedZxid: zxid,
        snapshotFile: undefined,
        snapshotZxid: undefined,
        entries: 0,
        repeatedEntries: 0,
        needsSnapshot: empty,
        trustedEmptySnapshot: false,
        warnings,
      };
    }
    if (options.trustEmptySnapshot !== true) {
      throw new StorageError('NO_SNAPSHOT_FOR_LOGS', 'No valid snapshot, but there is data', {
        file: directory.snapshotDirectory,
        remedy:
          'Restore a snapshot. Only when upgrading from ZooKeeper 3.4, which wrote none at first, set ' +
          'snapshot.trust.empty=true for one start',
      });
    }
    target = options.createTarget();
  }

  const state = target as T;
  const reader = new TxnLogReader({
    disk,
    directory: directory.logDirectory,
    afterZxid: loaded?.zxid ?? 0,
    anyStart: loaded === undefined,
    ...(options.maxEntryBytes === undefined ? {} : { maxEntryBytes: options.maxEntryBytes }),
  });
  const applyUpToZxid = options.applyUpToZxid ?? Number.POSITIVE_INFINITY;
  let appliedZxid = reader.maxZxid;
  try {
    appliedZxid = yield* replay(reader, state, applyUpToZxid);
  } finally {
    reader.close();
  }
  checkNotCut(reader.maxZxid, broken, directory);
  // Before anything is cut, deleted or taken: a start that ends here has changed nothing.
  warnings.push(...(yield* checkLeftOut(options, reader.maxZxid)));
  takeMarker();

  const { tornTail } = reader;
  if (tornTail !== undefined) {
    const { file, offset, reason } = tornTail;
    const end = ` ends at offset ${offset} in a write that was never acknowledged: ${reason}`;
    warnings.push(aboutFile('Txn log ', file, end));
    if (tornTail.records > 0) {
      const txns = `${tornTail.records} whole txns of that write are`;
      const bytes = `${tornTail.end - offset} bytes`;
      const advice =
        '; after a crash of the machine that is as it should be, without one ' +
        'the log was damaged: compare with the other members or a backup';
      warnings.push(
        repair
          ? aboutFile(
              `${txns} cut off, ${bytes}, and kept in `,
              setTailAside(disk, tornTail),
              advice,
            )
          : aboutFile(
              `${txns} left out, ${bytes}, and stay in `,
              file,
              `: nothing is cut${advice}`,
            ),
      );
    }
  }
  if (repair) {
    repairLogs(disk, directory, reader);
    for (const file of reader.files) if (disk.exists(file)) disk.syncFile(file);
    if (loaded !== undefined) disk.syncFile(`${directory.snapshotDirectory}/${loaded.name}`);
    disk.syncDirectory(directory.logDirectory);
    disk.syncDirectory(directory.snapshotDirectory);
  }
  return {
    target: state,
    zxid: reader.maxZxid,
    appliedZxid,
    snapshotFile: loaded && `${directory.snapshotDirectory}/${loaded.name}`,
    snapshotZxid: loaded?.zxid,
    entries: reader.records,
    repeatedEntries: reader.repeated,
    needsSnapshot: false,
    trustedEmptySnapshot: loaded === undefined,
    warnings,
  };
}

/** Reads one whole snapshot into `target`, checking its seals. Throws StorageError when it is broken. */
export function* loadSnapshot(
  disk: Disk,
  path: string,
  snapshot: { zxid: Zxid; compression: SnapshotCompression },
  target: SnapshotHandler & Pick<RecoveryTarget, 'snapshotBegins' | 'snapshotLoaded'>,
): Generator<RecoveryProgress, void, void> {
  const reader = new SnapshotReader({ kind: 'file', handler: target, name: path });
  let fileBytes = 0;
  const steps = feedSnapshotFile(disk, path, snapshot.compression, reader, (bytes) => {
    fileBytes = bytes;
    target.snapshotBegins?.(bytes);
  });
  for (const { bytesRead, totalBytes } of steps) {
    yield { stage: 'snapshot', file: path, bytesRead, totalBytes, entries: 0 };
  }
  target.snapshotLoaded(snapshot.zxid, reader.finish());
  // It says when the snapshot was loaded and the log begins.
  yield { stage: 'snapshot', file: path, bytesRead: fileBytes, totalBytes: fileBytes, entries: 0 };
}

/** Returns the highest zxid that is in the state. */
function* replay(
  reader: TxnLogReader,
  target: RecoveryTarget,
  applyUpToZxid: number,
): Generator<RecoveryProgress, Zxid, void> {
  let left = SLICE_ENTRIES;
  let appliedZxid = reader.maxZxid;
  while (reader.next()) {
    const { bytes, start, end, zxid } = reader;
    try {
      if (zxid <= applyUpToZxid) {
        target.applyEntry(bytes, start, end, zxid);
        appliedZxid = reader.maxZxid;
      } else {
        target.holdEntry?.(bytes, start, end, zxid);
      }
    } catch (error) {
      throw new StorageError(
        'BAD_ENTRY',
        `Cannot apply txn ${formatZxid(reader.zxid)}: ${(error as Error).message}`,
        {
          file: reader.file,
          offset: reader.offset,
          zxid: reader.zxid,
          cause: error,
          remedy: 'Empty the data directory of this member and let it sync from the others',
        },
      );
    }
    left -= 1;
    if (left === 0) {
      left = SLICE_ENTRIES;
      yield {
        stage: 'log',
        file: reader.file,
        bytesRead: reader.bytesRead,
        totalBytes: reader.totalBytes,
        entries: reader.records,
      };
    }
  }
  return appliedZxid;
}

// A snapshot named Z says that txns up to Z were processed, so they were durable in the log. If it is
// broken and the logs end before Z, acknowledged txns are gone: serving less in silence is worse.
function checkNotCut(zxid: Zxid, broken: readonly SnapshotName[], directory: DataDirectory): void {
  for (const snapshot of broken) {
    if (snapshot.zxid <= zxid) continue;
    throw new StorageError(
      'HISTORY_CUT',
      `Snapshot ${snapshot.name} is broken, and without it the data ends at ${formatZxid(zxid)}`,
      {
        file: `${directory.snapshotDirectory}/${snapshot.name}`,
        zxid: snapshot.zxid,
        remedy:
          'Put the missing logs back, or empty the data directory of this member and let it sync; ' +
          'move the snapshot away only to serve the older data',
      },
    );
  }
}

/** Returns warnings. Throws `FILE_LEFT_OUT` when a file that is not read reaches beyond `zxid`. */
function* checkLeftOut<T extends RecoveryTarget>(
  options: RecoverOptions<T>,
  zxid: Zxid,
): Generator<RecoveryProgress, FileMessage[], void> {
  const files = yield* leftOutFiles(options, zxid);
  const error = leftOutError(files, zxid);
  if (error !== undefined) throw error;
  return leftOutWarnings(files, zxid);
}

function* leftOutFiles<T extends RecoveryTarget>(
  { disk, directory }: RecoverOptions<T>,
  zxid: Zxid,
): Generator<RecoveryProgress, LeftOutFile[], void> {
  const search = findLeftOut({ disk, directory, zxid });
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
    yield { stage: 'log', file: step.value, bytesRead: 0, totalBytes: 0, entries: 0 };
  }
}

function checkIsFile(disk: Disk, path: string): void {
  const kind = disk.kind(path);
  if (kind === 'file') return;
  throw new StorageError('NOT_A_FILE', `A txn log must be a file, this is ${describeKind(kind)}`, {
    file: path,
    remedy: 'Move it out of the data directory',
  });
}

function describeKind(kind: FileKind | undefined): string {
  if (kind === 'directory') return 'a directory';
  return kind === undefined ? 'a link to nothing' : 'neither file nor directory';
}

/** Cuts off what a crash left after the last record, and deletes an empty newest log, as 3.9.5 does. */
function repairLogs(disk: Disk, directory: DataDirectory, reader: TxnLogReader): void {
  if (reader.tornTail !== undefined) disk.truncate(reader.tornTail.file, reader.tornTail.offset);
  if (reader.emptyLog !== undefined) {
    disk.unlink(reader.emptyLog);
    disk.syncDirectory(directory.logDirectory);
  }
}

function removeTemporaries(disk: Disk, directory: DataDirectory): void {
  for (const path of new Set([directory.snapshotDirectory, directory.logDirectory])) {
    for (const name of disk.list(path)) {
      const isFile = isTemporaryName(name) && disk.kind(`${path}/${name}`) === 'file';
      if (isFile) disk.unlink(`${path}/${name}`);
    }
  }
}

function isDiskError(error: unknown): boolean {
  return typeof (error as { syscall?: unknown }).syscall === 'string';
}
