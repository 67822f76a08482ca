// Deletes what no recovery from the newest `retainCount` snapshots needs (disk.md section 8).

import type { DataDirectory } from './data-directory.ts';
import type { Disk, DiskError } from './disk.ts';
import {
  type HistoryFile,
  logFiles,
  parseSnapshotName,
  type SnapshotName,
  snapshotFiles,
} from './file-names.ts';
import { Pins } from './pins.ts';
import { looksValid } from './snapshot-source.ts';
import { StorageError } from './storage-error.ts';

/** Java's minimum and default of `autopurge.snapRetainCount`. */
export const MIN_RETAIN_COUNT = 3;

export interface PurgePlan {
  /** Names, in the order in which they may be deleted. */
  readonly snapshots: readonly string[];
  readonly logs: readonly string[];
}

/**
 * Pure. `snapshots` and `logs` ascend by zxid; `isValid` is asked newest first, and only as often as needed.
 * X is the zxid of the N-th newest valid snapshot, or of the oldest valid one: everything before X
 * goes, but the newest log that starts at or before X stays, since it may hold X + 1. X is never above
 * `pinnedZxid`.
 */
export function planPurge(
  snapshots: readonly SnapshotName[],
  logs: readonly HistoryFile[],
  retainCount: number,
  isValid: (snapshot: SnapshotName) => boolean,
  pinnedZxid: number = Number.POSITIVE_INFINITY,
): PurgePlan {
  const wanted = Math.max(MIN_RETAIN_COUNT, retainCount);
  let kept = 0;
  let oldestKept: number | undefined;
  for (let i = snapshots.length - 1; i >= 0 && kept < wanted; i -= 1) {
    const snapshot = snapshots[i] as SnapshotName;
    if (!isValid(snapshot)) continue;
    kept += 1;
    oldestKept = snapshot.zxid;
  }
  // Without a valid snapshot nothing is safe to delete.
  if (oldestKept === undefined) return { snapshots: [], logs: [] };
  const limit = Math.min(oldestKept, pinnedZxid);
  let firstKeptLog = 0;
  for (let i = 0; i < logs.length; i += 1) {
    if ((logs[i] as HistoryFile).zxid <= limit) firstKeptLog = i;
  }
  return {
    snapshots: snapshots.filter((snapshot) => snapshot.zxid < limit).map((file) => file.name),
    logs: logs.slice(0, firstKeptLog).map((file) => file.name),
  };
}

/**
 * Purges without blocking; `done` gets the paths deleted, also along with an error. A pin that is set on the
 * way keeps what it needs of what is still there. Not to run while history is truncated or replaced.
 */
export function purge(
  disk: Disk,
  directory: DataDirectory,
  retainCount: number,
  done: (error: StorageError | undefined, deleted: readonly string[]) => void,
  pins: Pins = new Pins(),
): void {
  const logs = logFiles(disk.list(directory.logDirectory), directory.logDirectory);
  const plan = planPurge(
    snapshotFiles(disk.list(directory.snapshotDirectory), directory.snapshotDirectory),
    logs,
    retainCount,
    (snapshot) =>
      looksValid(disk, `${directory.snapshotDirectory}/${snapshot.name}`, snapshot.compression),
    pins.lowestZxid,
  );
  // Oldest snapshots first, durably, then the logs under them: no snapshot is ever without its logs.
  // A power cut may bring names back, in each directory for itself; those of an earlier purge, too.
  const paths = [
    ...plan.snapshots.map((name) => `${directory.snapshotDirectory}/${name}`),
    ...plan.logs.map((name) => `${directory.logDirectory}/${name}`),
  ];
  const deleted: string[] = [];
  /** What is deleted next, ascending by zxid: a later pin ends it where it is needed. */
  const isPinned = (index: number): boolean => {
    const pinned = pins.lowestZxid;
    const log = index - plan.snapshots.length;
    if (log < 0) return (parseSnapshotName(plan.snapshots[index] as string)?.zxid ?? 0) >= pinned;
    // Needed when the next log starts after the txn that follows the pin.
    return (logs[log + 1]?.zxid ?? Number.POSITIVE_INFINITY) > pinned;
  };
  let areSnapshotsGone = plan.logs.length === 0;
  const next = (error?: DiskError): void => {
    if (error !== undefined && error.code !== 'ENOENT') {
      done(
        new StorageError('DISK_FAILED', `Cannot purge: ${error.message}`, {
          file: error.path ?? directory.logDirectory,
          cause: error,
        }),
        deleted,
      );
      return;
    }
    if (!areSnapshotsGone && deleted.length === plan.snapshots.length) {
      areSnapshotsGone = true;
      disk.syncDirectoryAsync(directory.snapshotDirectory, next);
      return;
    }
    const path = paths[deleted.length];
    if (path === undefined || isPinned(deleted.length)) {
      done(undefined, deleted);
      return;
    }
    deleted.push(path);
    disk.unlinkAsync(path, next);
  };
  next();
}
