// Gives a member another history in place of its own: the snapshot that a leader sent (SNAP), or none.
//
// Own logs may end in proposals of a dead epoch, above or below the new snapshot, and own snapshots may
// be newer by name. Half of either history beside half of the other is a third one, so there is one
// moment before which a start finds the old history whole, and after which it finds only the new one:
// the durable appearance of the file `pending-replacement`.
//
//   spool tmp-snapshot.<hex>, synced    ┐ a crash: the old history, the spool is removed
//   currentEpoch.tmp, if needed         ┘
//   pending-replacement, synced         ── the moment
//   spool renamed to snapshot.<hex>     ┐
//   own logs and snapshots removed      │ a crash: `finishReplacement` goes on at the next start
//   pending-replacement removed         ┘
//
// Apache's servers do not know that file. If one of them ran on this directory in between, the file is
// void: it lists what it found, and a log or snapshot that it does not list is history written since.

import { epochOf } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import { type Disk, type DiskError, ignore } from './disk.ts';
import type { EpochFiles } from './epoch-file.ts';
import { aboutFile, type FileMessage } from './file-message.ts';
import { logFiles, snapshotFiles, temporaryName } from './file-names.ts';
import type { SnapshotWriter } from './snapshot-file.ts';
import { StorageError } from './storage-error.ts';

/** In the directory of the snapshots. */
const REPLACEMENT_NAME = 'pending-replacement';

interface Replacement {
  /** Name of the snapshot that stays. Undefined: none stays. */
  readonly snapshot: string | undefined;
  /** The name that it has at first. */
  readonly spool: string | undefined;
  /** Names of the logs and snapshots to remove. */
  readonly logs: readonly string[];
  readonly snapshots: readonly string[];
}

type Step = readonly ['rename' | 'unlink' | 'sync', path: string, to?: string];

export interface AdoptSnapshotOptions {
  readonly disk: Disk;
  readonly directory: DataDirectory;
  /** Was given sections 2 to 4 as the leader sent them, and `seal`. It is finished here. */
  readonly spool: SnapshotWriter;
  /** The acceptedEpoch must cover the snapshot's epoch, as it does since LEADERINFO. */
  readonly epochs: EpochFiles;
  readonly done: (error?: StorageError) => void;
}

/**
 * Makes the spooled snapshot the directory's only history, durably when `done` is called without an error.
 * To be done before NEWLEADER is acknowledged (disk.md 14 and 15). The log must be drained, and no other
 * snapshot under way; the next append follows the snapshot's zxid. After an error either history may be
 * there, which a recovery settles.
 */
export function adoptSnapshot(options: AdoptSnapshotOptions): void {
  const { disk, directory, spool, epochs, done } = options;
  const epoch = epochOf(spool.zxid);
  spool.complete((error) => {
    if (error !== undefined) {
      done(error);
      return;
    }
    const replace = (epochError?: StorageError): void => {
      if (epochError === undefined) replaceHistory(disk, directory, spool, done);
      else done(epochError);
    };
    // A start refuses data of an epoch above currentEpoch, unless it finds this (disk.md 7.4).
    if (epoch > epochs.currentEpoch) epochs.prepare(epoch, replace);
    else replace();
  });
}

export interface DiscardHistoryOptions {
  readonly disk: Disk;
  readonly directory: DataDirectory;
  readonly done: (error?: StorageError) => void;
}

/**
 * Removes every log and snapshot: what a member does whose history cannot be truncated to the leader's.
 * It joins again as one without history, with zxid 0, and must not be counted before it is synced. Its
 * epoch files stay. The log must be drained.
 */
export function discardHistory({ disk, directory, done }: DiscardHistoryOptions): void {
  replaceHistory(disk, directory, undefined, done);
}

function replaceHistory(
  disk: Disk,
  directory: DataDirectory,
  spool: Pick<SnapshotWriter, 'name' | 'temporaryName'> | undefined,
  done: (error?: StorageError) => void,
): void {
  const replacement: Replacement = {
    snapshot: spool?.name,
    spool: spool?.temporaryName,
    logs: logFiles(disk.list(directory.logDirectory), directory.logDirectory).map(
      ({ name }) => name,
    ),
    snapshots: snapshotFiles(
      disk.list(directory.snapshotDirectory),
      directory.snapshotDirectory,
    ).map(({ name }) => name),
  };
  const fail = (error: DiskError): void =>
    done(
      new StorageError('DISK_FAILED', `Cannot replace the history: ${error.message}`, {
        file: error.path ?? directory.snapshotDirectory,
        cause: error,
        remedy: 'Check the disk, then restart the server',
      }),
    );
  const temporary = `${directory.snapshotDirectory}/${temporaryName(REPLACEMENT_NAME)}`;
  const bytes = Buffer.from(JSON.stringify(replacement));
  const file = disk.openWrite(temporary, { truncate: true });
  // A failed write fails the sync after it.
  file.write(bytes, bytes.length, 0, ignore);
  file.sync((error) => {
    file.close();
    if (error !== undefined) {
      fail(error);
      return;
    }
    const { snapshotDirectory } = directory;
    const announce: Step[] = [
      ['rename', temporary, `${snapshotDirectory}/${REPLACEMENT_NAME}`],
      ['sync', snapshotDirectory],
    ];
    const steps = [...announce, ...stepsOf(replacement, directory)];
    const next = (stepError?: DiskError): void => {
      if (stepError !== undefined) {
        fail(stepError);
        return;
      }
      const step = steps.shift();
      if (step === undefined) {
        done();
        return;
      }
      const [kind, path, to] = step;
      if (kind === 'rename') disk.renameAsync(path, to as string, next);
      else if (kind === 'unlink') disk.unlinkAsync(path, next);
      else disk.syncDirectoryAsync(path, next);
    };
    next();
  });
}

/**
 * Carries out, or drops, a replacement that was begun before a crash. Recovery calls it before it looks at
 * anything else. Returns what an operator should read; undefined when there is nothing to do.
 */
export function finishReplacement(disk: Disk, directory: DataDirectory): FileMessage | undefined {
  const { snapshotDirectory, logDirectory } = directory;
  const path = `${snapshotDirectory}/${REPLACEMENT_NAME}`;
  if (!disk.exists(path)) return undefined;
  const replacement = parse(disk.readFile(path), path);
  const stays = replacement.snapshot;
  const stranger =
    logFiles(disk.list(logDirectory), logDirectory).find(
      ({ name }) => !replacement.logs.includes(name),
    ) ??
    snapshotFiles(disk.list(snapshotDirectory), snapshotDirectory).find(
      ({ name }) => name !== stays && !replacement.snapshots.includes(name),
    );
  const isThere = (name: string): boolean => disk.exists(`${snapshotDirectory}/${name}`);
  const { spool } = replacement;
  const isSpooled =
    stays === undefined || (spool !== undefined && isThere(spool)) || isThere(stays);
  if (stranger !== undefined || !isSpooled) {
    disk.unlink(path);
    disk.syncDirectory(snapshotDirectory);
    const why = stranger === undefined ? `${stays} is gone` : `${stranger.name} was written since`;
    return aboutFile('Dropped the replacement of the history that ', path, ` had begun: ${why}`);
  }
  for (const [kind, from, to] of stepsOf(replacement, directory)) {
    if (kind === 'sync') disk.syncDirectory(from);
    else if (disk.exists(from)) {
      if (kind === 'rename') disk.rename(from, to as string);
      else disk.unlink(from);
    }
  }
  const left = ` had begun: ${stays ?? 'nothing'} is left`;
  return aboutFile('Finished the replacement of the history that ', path, left);
}

/** What is to be done once the file is durable; each step may be done again. */
function stepsOf(replacement: Replacement, directory: DataDirectory): Step[] {
  const { snapshotDirectory, logDirectory } = directory;
  const { snapshot, spool, logs, snapshots } = replacement;
  const steps: Step[] = [];
  if (snapshot !== undefined && spool !== undefined) {
    steps.push(
      ['rename', `${snapshotDirectory}/${spool}`, `${snapshotDirectory}/${snapshot}`],
      ['sync', snapshotDirectory],
    );
  }
  for (const name of logs) steps.push(['unlink', `${logDirectory}/${name}`]);
  steps.push(['sync', logDirectory]);
  for (const name of snapshots) {
    if (name !== snapshot) steps.push(['unlink', `${snapshotDirectory}/${name}`]);
  }
  steps.push(
    ['sync', snapshotDirectory],
    ['unlink', `${snapshotDirectory}/${REPLACEMENT_NAME}`],
    ['sync', snapshotDirectory],
  );
  return steps;
}

function parse(bytes: Buffer, path: string): Replacement {
  try {
    const { snapshot, spool, logs, snapshots } = JSON.parse(bytes.toString()) as Replacement;
    if (logs.every(isString) && snapshots.every(isString)) {
      return { snapshot, spool, logs, snapshots };
    }
  } catch {
    // Below.
  }
  throw new StorageError('BAD_DATA_DIRECTORY', 'Not the record of a replaced history', {
    file: path,
    remedy: 'Empty the data directory of this member and let it sync from the others',
  });
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}
