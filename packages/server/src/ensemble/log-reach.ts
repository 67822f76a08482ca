// Whether the logs on disk can bring a learner up to date, and whether that costs less than a snapshot.
// Source: ZKDatabase.calculateTxnLogSizeLimit, .getProposalsFromTxnLog (3.9.5).

import type { Zxid } from '@zebu/protocol';
import { type DataDirectory, type Disk, logFiles, openTxnFeed, snapshotFiles } from '@zebu/storage';
import type { Member } from '../member.ts';

/** What the logs give for a learner: as SyncFacts of @zebu/zab has it. */
export interface LogReach {
  readonly logAfterZxid: Zxid;
  readonly floorZxid: Zxid;
  readonly ceilingZxid: Zxid;
}

/** Whether the logs from the learner's zxid on are at most `factor` times as large as the newest snapshot. */
export function areLogsWorthIt(
  disk: Disk,
  directory: DataDirectory,
  learnerZxid: Zxid,
  factor: number,
): boolean {
  if (factor < 0) return false;
  const { logDirectory, snapshotDirectory } = directory;
  const snapshot = snapshotFiles(disk.list(snapshotDirectory)).at(-1);
  if (snapshot === undefined) return false;
  const limit = factor * disk.size(`${snapshotDirectory}/${snapshot.name}`);
  const logs = logFiles(disk.list(logDirectory));
  let first = 0;
  for (let i = 0; i < logs.length; i++) {
    if ((logs[i] as { zxid: Zxid }).zxid <= learnerZxid + 1) first = i;
  }
  let bytes = 0;
  for (const { name } of logs.slice(first)) bytes += disk.size(`${logDirectory}/${name}`);
  return bytes <= limit;
}

/** Calls `done` with what the logs give from the learner's zxid on; nothing where they do not reach back. */
export function askLogs(
  member: Member,
  directory: DataDirectory,
  range: { readonly fromZxid: Zxid; readonly toZxid: Zxid },
  done: (reach: LogReach | undefined) => void,
): void {
  const feed = openTxnFeed({
    disk: member.environment.disk,
    directory,
    pins: member.pins,
    ...range,
  });
  feed.next((outcome) => {
    member.turns.readClock();
    const reach =
      outcome.kind === 'txns'
        ? {
            logAfterZxid: outcome.previousZxid,
            floorZxid: outcome.previousZxid,
            ceilingZxid: outcome.zxids[0] as Zxid,
          }
        : undefined;
    if (outcome.kind === 'unreachable') {
      member.environment.logger.info('The logs do not reach back to a learner', {
        reason: outcome.reason,
      });
    }
    feed.close();
    done(reach);
  });
}
