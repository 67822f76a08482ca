// Cuts the history of a learner where its leader says (TRUNC, disk.md 7.5).
//
// Everything is looked at before anything is changed: a snapshot that holds nothing above the zxid, the
// logs from there to the record of the zxid without a gap. Then, each step durable before the next:
//
//   snapshots above the cut   removed, newest first     ┐ a crash: the old history, or a part of it that
//   logs above the cut        removed, newest first     │ ends at or after the zxid, always whole
//   the log with the zxid     cut after its record      ┘
//
// In the other order a crash would leave a fuzzy snapshot of txns whose log is gone. Unlike Java's it never
// keeps a record or a snapshot above the zxid, which would bring the cut txns back (ZOOKEEPER-4837).

import { formatZxid, type Zxid } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import type { Disk } from './disk.ts';
import {
  type HistoryFile,
  logFiles,
  logsFrom,
  type SnapshotName,
  snapshotFiles,
} from './file-names.ts';
import { LogFileReader } from './log-file-reader.ts';
import { RECORD_FRAME_BYTES } from './log-record.ts';
import type { RecoveryProgress } from './recover.ts';
import { checkSnapshot } from './snapshot-check.ts';
import { StorageError } from './storage-error.ts';
import { follows } from './zxid-order.ts';

export interface TruncateOptions {
  readonly disk: Disk;
  readonly directory: DataDirectory;
  /** The last txn that stays. */
  readonly zxid: Zxid;
  readonly maxEntryBytes?: number;
}

export type TruncateResult =
  | { readonly outcome: 'truncated'; readonly removed: readonly string[] }
  /** Nothing was changed. The member discards its history and asks for that of the leader. */
  | { readonly outcome: 'notInHistory'; readonly reason: string };

interface Cut {
  readonly path: string;
  readonly offset: number;
}

/**
 * Drains like `recover`; durable when it returns. The log must be drained, and no snapshot under way;
 * afterwards the caller recovers anew. Throws StorageError for damage and for what the disk throws.
 */
export function* truncateHistory(
  options: TruncateOptions,
): Generator<RecoveryProgress, TruncateResult, void> {
  const { disk, directory, zxid } = options;
  const snapshots = snapshotFiles(
    disk.list(directory.snapshotDirectory),
    directory.snapshotDirectory,
  );
  const base = yield* findBase(options, snapshots);
  if (base === undefined) return notInHistory(zxid, 'no snapshot is whole and old enough');

  const logs = logFiles(disk.list(directory.logDirectory), directory.logDirectory);
  const cuts: Cut[] = [];
  let reached = base.zxid;
  for (const log of logsFrom(logs, base.zxid + 1)) {
    if (log.zxid > zxid) break;
    const found = yield* findCut(options, log, reached);
    if ('gap' in found) return notInHistory(zxid, found.gap);
    reached = found.reached;
    if (found.offset !== undefined) {
      cuts.push({ path: `${directory.logDirectory}/${log.name}`, offset: found.offset });
    }
  }
  if (reached !== zxid) return notInHistory(zxid, `the logs end at ${formatZxid(reached)}`);

  const removed = [
    ...remove(
      disk,
      directory.snapshotDirectory,
      snapshots.filter((snapshot) => snapshot.zxid > base.zxid),
    ),
    ...remove(
      disk,
      directory.logDirectory,
      logs.filter((log) => log.zxid > zxid),
    ),
  ];
  // Newest first here, too. There is more than one only where logs repeat each other (ZOOKEEPER-4712).
  for (const { path, offset } of cuts.reverse()) disk.truncate(path, offset);
  return { outcome: 'truncated', removed };
}

/** The newest snapshot that is whole and shows nothing of a txn above the zxid. */
function* findBase(
  { disk, directory, zxid }: TruncateOptions,
  snapshots: readonly SnapshotName[],
): Generator<RecoveryProgress, SnapshotName | undefined, void> {
  for (const snapshot of [...snapshots].reverse()) {
    if (snapshot.zxid > zxid) continue;
    const file = `${directory.snapshotDirectory}/${snapshot.name}`;
    const check = checkSnapshot(disk, file, snapshot);
    try {
      for (;;) {
        const step = check.next();
        if (step.done === true) {
          if (step.value <= zxid) return snapshot;
          break;
        }
        yield { stage: 'snapshot', file, ...step.value, entries: 0 };
      }
    } catch (error) {
      // A broken one is of no use, to the next recovery neither.
      if (!(error instanceof StorageError)) throw error;
    }
  }
  return undefined;
}

/** Entries between two yields. */
const SLICE_ENTRIES = 2_000;

/** Reads a log from `reached` on: how far it goes, and where its first record above the zxid begins. */
function* findCut(
  { disk, directory, zxid, maxEntryBytes }: TruncateOptions,
  log: HistoryFile,
  start: Zxid,
): Generator<
  RecoveryProgress,
  { readonly reached: Zxid; readonly offset: number | undefined } | { readonly gap: string },
  void
> {
  const path = `${directory.logDirectory}/${log.name}`;
  const reader = new LogFileReader(disk, path, maxEntryBytes);
  let reached = start;
  let entries = 0;
  try {
    while (reader.next()) {
      if (reader.zxid > zxid) return { reached, offset: reader.offset };
      if (reader.zxid > reached) {
        if (!follows(reader.zxid, reached)) {
          return { gap: `${formatZxid(reader.zxid)} comes after ${formatZxid(reached)}` };
        }
        reached = reader.zxid;
      }
      entries += 1;
      if (entries % SLICE_ENTRIES === 0) {
        const bytesRead = reader.offset + reader.end - reader.start + RECORD_FRAME_BYTES;
        yield { stage: 'log', file: path, bytesRead, totalBytes: reader.size, entries };
      }
    }
    if (reached < zxid) reader.judgeEnd();
    return { reached, offset: undefined };
  } finally {
    reader.close();
  }
}

/** Newest first, durably; returns the paths. */
function remove(disk: Disk, directory: string, files: readonly HistoryFile[]): string[] {
  const paths = files.map(({ name }) => `${directory}/${name}`).reverse();
  for (const path of paths) disk.unlink(path);
  if (paths.length > 0) disk.syncDirectory(directory);
  return paths;
}

function notInHistory(zxid: Zxid, why: string): TruncateResult {
  return { outcome: 'notInHistory', reason: `Cannot truncate to ${formatZxid(zxid)}: ${why}` };
}
