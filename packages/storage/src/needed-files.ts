// Which files the next recovery is going to need, so that a running server can notice when somebody deletes
// one: what it holds in memory is then the only copy.

import type { Zxid } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import type { Disk } from './disk.ts';
import {
  type HistoryFile,
  logFiles,
  logsFrom,
  type SnapshotName,
  snapshotFiles,
} from './file-names.ts';

/** What a recovery would read, by the names in the directory. */
export interface NeededFiles {
  /** The newest one. */
  readonly snapshot: SnapshotName | undefined;
  /** Ascending. */
  readonly logs: readonly HistoryFile[];
  /** Where the history ended. */
  readonly lastZxid: Zxid;
}

/** Looks at the directory. `lastZxid` is the newest txn that is durable. */
export function neededFiles(disk: Disk, directory: DataDirectory, lastZxid: Zxid): NeededFiles {
  const snapshot = snapshotFiles(
    disk.list(directory.snapshotDirectory),
    directory.snapshotDirectory,
  ).at(-1);
  const logs = logFiles(disk.list(directory.logDirectory), directory.logDirectory);
  return { snapshot, logs: logsFrom(logs, (snapshot?.zxid ?? -1) + 1), lastZxid };
}

/**
 * The path of a file that was needed at the time of `before` and is gone now, unless a newer snapshot holds
 * all that was in it. Pure.
 */
export function missingFile(
  before: NeededFiles,
  now: NeededFiles,
  directory: DataDirectory,
): string | undefined {
  const { snapshot } = before;
  if (snapshot === undefined) return undefined;
  const newest = now.snapshot;
  if (newest === undefined || newest.zxid < snapshot.zxid) {
    return `${directory.snapshotDirectory}/${snapshot.name}`;
  }
  const present = new Set(now.logs.map(({ name }) => name));
  const lost = before.logs.find(({ name }, i) => {
    const lastZxid = (before.logs[i + 1]?.zxid ?? before.lastZxid + 1) - 1;
    return lastZxid > newest.zxid && !present.has(name);
  });
  return lost && `${directory.logDirectory}/${lost.name}`;
}
