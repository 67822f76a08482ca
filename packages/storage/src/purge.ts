import type { DataDirectory } from './data-directory.ts';
import type { Disk, DiskError } from './disk.ts';
import { logFiles, type SegmentFile, type SnapshotName, snapshotFiles } from './segment.ts';
import { looksValid } from './snapshot-input.ts';
import { StorageError } from './storage-error.ts';

// Deletes what no recovery from the newest `retainCount` snapshots needs (disk.md section 8).

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
 * goes, but the newest log that starts at or before X stays, since it may hold X + 1.
 */
export function planPurge(
  snapshots: readonly SnapshotName[],
  logs: readonly SegmentFile[],
  retainCount: number,
  isValid: (snapshot: SnapshotName) => boolean,
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
  const limit = oldestKept;
  let firstKeptLog = 0;
  for (let i = 0; i < logs.length; i += 1) {
    if ((logs[i] as SegmentFile).zxid <= limit) firstKeptLog = i;
  }
  return {
    snapshots: snapshots.filter((snapshot) => snapshot.zxid < limit).map((file) => file.name),
    logs: logs.slice(0, firstKeptLog).map((file) => file.name),
  };
}

/** Purges without blocking; `done` gets the paths deleted, also along with an error. */
export function purge(
  disk: Disk,
  directory: DataDirectory,
  retainCount: number,
  done: (error: StorageError | undefined, deleted: readonly string[]) => void,
): void {
  const plan = planPurge(
    snapshotFiles(disk.list(directory.snapshotDirectory)),
    logFiles(disk.list(directory.logDirectory)),
    retainCount,
    (snapshot) =>
      looksValid(disk, `${directory.snapshotDirectory}/${snapshot.name}`, snapshot.compression),
  );
  // Oldest snapshots first, durably, then the logs under them: no snapshot is ever without its logs.
  // A power cut may bring names back, in each directory for itself; those of an earlier purge, too.
  const paths = [
    ...plan.snapshots.map((name) => `${directory.snapshotDirectory}/${name}`),
    ...plan.logs.map((name) => `${directory.logDirectory}/${name}`),
  ];
  const deleted: string[] = [];
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
    if (path === undefined) {
      done(undefined, deleted);
      return;
    }
    deleted.push(path);
    disk.unlinkAsync(path, next);
  };
  next();
}
