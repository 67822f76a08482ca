// The names of txn log files and snapshots (disk.md section 1).
//
//   log.<hex>                      hex: zxid of the first txn written to it
//   snapshot.<hex>[.gz|.snappy]    hex: last processed zxid when its writing began
//
// hex is lower case and unpadded, as Java's Long.toHexString gives it.

import type { Zxid } from '@zebu/protocol';
import { StorageError } from './storage-error.ts';

export type SnapshotCompression = '' | 'gz' | 'snappy';

/** A txn log file or a snapshot, as its name tells. */
export interface HistoryFile {
  readonly name: string;
  readonly zxid: Zxid;
}

export interface SnapshotName extends HistoryFile {
  readonly compression: SnapshotCompression;
}

export function logName(zxid: Zxid): string {
  return `log.${zxid.toString(16)}`;
}

export function snapshotName(zxid: Zxid, compression: SnapshotCompression = ''): string {
  return `snapshot.${zxid.toString(16)}${compression === '' ? '' : `.${compression}`}`;
}

/**
 * The name of a log or snapshot while it is being made: neither we nor Java's readers take it for one.
 * (Java's own `snapshot.<hex>.tmp` it may take for a snapshot.) `identity` is that of the directory, as
 * `Disk.identity` gives it. It is part of the name, so that a server whose directory was moved away cannot
 * rename a file of the directory that has its path now. One that is no file name (a path) is left out.
 */
export function temporaryName(name: string, identity?: string): string {
  return `tmp-${name}${identity === undefined || /[^\w-]/.test(identity) ? '' : `-of-${identity}`}`;
}

export function isTemporaryName(name: string): boolean {
  return /^tmp-(?:(?:log|snapshot)\.|pending-replacement$)/.test(name);
}

/** The name of what recovery cut off `log` at `offset`, the `n`-th time: no reader takes it for a log. */
export function cutName(log: string, offset: number, n: number): string {
  return `cut-${log}-${offset}${n === 1 ? '' : `-${n}`}`;
}

export function isCutName(name: string): boolean {
  return name.startsWith('cut-log.');
}

export function isLogName(name: string): boolean {
  return name.startsWith('log.');
}

export function isSnapshotName(name: string): boolean {
  return name.startsWith('snapshot.');
}

/** Undefined for any other file, `*.tmp` and the like included. */
export function parseLogName(name: string, directory?: string): HistoryFile | undefined {
  const match = /^log\.([0-9a-fA-F]+)$/.exec(name);
  return match === null
    ? undefined
    : { name, zxid: parseHexZxid(match[1] as string, name, directory) };
}

/**
 * Undefined for any other file. `snapshot.<hex>.tmp`, which Apache leaves behind when it dies in a
 * learner's snapshot, is none: Java may take it for one, we never do.
 */
export function parseSnapshotName(name: string, directory?: string): SnapshotName | undefined {
  const match = /^snapshot\.([0-9a-fA-F]+)(?:\.(gz|snappy))?$/.exec(name);
  if (match === null) return undefined;
  return {
    name,
    zxid: parseHexZxid(match[1] as string, name, directory),
    compression: (match[2] ?? '') as SnapshotCompression,
  };
}

/** Log files among the names, ascending by zxid. An error about one names it in `directory`, if that is given. */
export function logFiles(names: readonly string[], directory?: string): HistoryFile[] {
  return sorted(names, (name) => parseLogName(name, directory));
}

/** Snapshots among the names, ascending by zxid; `directory` as above. */
export function snapshotFiles(names: readonly string[], directory?: string): SnapshotName[] {
  return sorted(names, (name) => parseSnapshotName(name, directory));
}

/** The logs a replay from `zxid` on needs: all that start at or after it, and the newest one before. */
export function logsFrom(logs: readonly HistoryFile[], zxid: Zxid): HistoryFile[] {
  let first = 0;
  for (let i = 0; i < logs.length; i += 1) {
    if ((logs[i] as HistoryFile).zxid < zxid) first = i;
  }
  return logs.slice(first);
}

function sorted<T extends HistoryFile>(
  names: readonly string[],
  parse: (name: string) => T | undefined,
): T[] {
  const files: T[] = [];
  for (const name of names) {
    const file = parse(name);
    if (file !== undefined) files.push(file);
  }
  return files.sort((a, b) => a.zxid - b.zxid);
}

function parseHexZxid(hex: string, name: string, directory: string | undefined): Zxid {
  const zxid = Number.parseInt(hex, 16);
  if (!Number.isSafeInteger(zxid)) {
    throw new StorageError('BAD_FILE_NAME', `Zxid 0x${hex} has an epoch over ${2 ** 21}`, {
      file: directory === undefined ? name : `${directory}/${name}`,
      remedy: 'Move the file away if it does not belong here',
    });
  }
  return zxid as Zxid;
}
