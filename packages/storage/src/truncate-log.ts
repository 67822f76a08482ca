import { formatZxid, type Zxid } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import type { Disk, DiskError } from './disk.ts';
import { SegmentReader } from './log-reader.ts';
import { logFiles, logsFrom, snapshotFiles } from './segment.ts';
import { looksValid } from './snapshot-input.ts';
import { StorageError } from './storage-error.ts';

// What a learner does to its history at a leader's word (disk.md 7.5 and 14). The log writer must be
// closed; afterwards the caller recovers anew from disk.

/**
 * Cuts every txn after `zxid` from logs and snapshots, durably. Throws StorageError `CANNOT_TRUNCATE`,
 * with nothing changed, when the history does not hold `zxid`: the caller then asks for a snapshot.
 * Synchronous: reads one log file; a learner that syncs serves nobody.
 *
 * Unlike Java it never keeps a record above `zxid`, and it removes newer snapshots, which would bring
 * the cut txns back (ZOOKEEPER-4837).
 */
export function truncateHistory(
  disk: Disk,
  directory: DataDirectory,
  zxid: Zxid,
  maxEntryBytes?: number,
): void {
  const logs = logsFrom(logFiles(disk.list(directory.logDirectory)), zxid + 1);
  const snapshots = snapshotFiles(disk.list(directory.snapshotDirectory)).filter((snapshot) =>
    looksValid(disk, `${directory.snapshotDirectory}/${snapshot.name}`, snapshot.compression),
  );
  const oldest = snapshots[0];
  if (oldest === undefined || oldest.zxid > zxid) {
    throw cannot(directory, zxid, 'no snapshot is old enough');
  }

  // Only the first of these can hold records at or below `zxid`, unless its zxids repeat.
  const first = logs[0];
  let cutPath: string | undefined;
  let cutOffset = 0;
  let found = snapshots.some((snapshot) => snapshot.zxid === zxid);
  if (first !== undefined && first.zxid <= zxid) {
    cutPath = `${directory.logDirectory}/${first.name}`;
    const reader = new SegmentReader(disk, cutPath, maxEntryBytes);
    try {
      let more = reader.next();
      while (more && reader.zxid <= zxid) {
        if (reader.zxid === zxid) found = true;
        more = reader.next();
      }
      cutOffset = reader.offset;
      if (!more) reader.judgeEnd();
    } finally {
      reader.close();
    }
  }
  if (!found) throw cannot(directory, zxid, 'it is not in the logs');

  // Newest first, so that a crash on the way leaves a shorter history and never a gap.
  for (const log of logs.reverse()) {
    const path = `${directory.logDirectory}/${log.name}`;
    if (path !== cutPath) disk.unlink(path);
  }
  disk.syncDirectory(directory.logDirectory);
  if (cutPath !== undefined) disk.truncate(cutPath, cutOffset);
  let removed = false;
  for (const snapshot of snapshotFiles(disk.list(directory.snapshotDirectory)).reverse()) {
    if (snapshot.zxid <= zxid) break;
    disk.unlink(`${directory.snapshotDirectory}/${snapshot.name}`);
    removed = true;
  }
  if (removed) disk.syncDirectory(directory.snapshotDirectory);
}

/**
 * After a snapshot at `zxid` from the leader is durable: deletes every log and every snapshot of another
 * zxid. What they hold may be a dead epoch's proposals, and no record may follow those (disk.md 14).
 * Must be done before NEWLEADER is acknowledged.
 */
export function discardHistoryExcept(
  disk: Disk,
  directory: DataDirectory,
  zxid: Zxid,
  done: (error?: StorageError) => void,
): void {
  const paths = [
    // Logs first: a snapshot without its logs is a shorter history, logs without their snapshot none.
    ...logFiles(disk.list(directory.logDirectory))
      .map((log) => `${directory.logDirectory}/${log.name}`)
      .reverse(),
    ...snapshotFiles(disk.list(directory.snapshotDirectory))
      .filter((snapshot) => snapshot.zxid !== zxid)
      .map((snapshot) => `${directory.snapshotDirectory}/${snapshot.name}`),
  ];
  const fail = (error: DiskError): void =>
    done(
      new StorageError('DISK_FAILED', `Cannot discard old history: ${error.message}`, {
        file: error.path ?? directory.logDirectory,
        cause: error,
      }),
    );
  const next = (error?: DiskError): void => {
    if (error !== undefined) {
      fail(error);
      return;
    }
    const path = paths.shift();
    if (path !== undefined) {
      disk.unlinkAsync(path, next);
      return;
    }
    disk.syncDirectoryAsync(directory.logDirectory, (logError) => {
      if (logError !== undefined) {
        fail(logError);
        return;
      }
      disk.syncDirectoryAsync(directory.snapshotDirectory, (snapshotError) => {
        if (snapshotError !== undefined) fail(snapshotError);
        else done();
      });
    });
  };
  next();
}

function cannot(directory: DataDirectory, zxid: Zxid, why: string): StorageError {
  return new StorageError('CANNOT_TRUNCATE', `Cannot truncate to ${formatZxid(zxid)}: ${why}`, {
    file: directory.logDirectory,
    zxid,
  });
}
