import type { Zxid } from '@zebu/protocol';
import { StorageError } from './storage-error.ts';

// File names, header and size of txn log files, and the names of snapshots (disk.md sections 1 and 2).
//
//   log.<hex>                      hex: zxid of the first txn written to it
//   snapshot.<hex>[.gz|.snappy]    hex: last processed zxid when its writing began
//
// hex is lower case and unpadded, as Java's Long.toHexString gives it.

export const LOG_MAGIC = 0x5a4b4c47; // "ZKLG"
export const SNAPSHOT_MAGIC = 0x5a4b534e; // "ZKSN"
/** Bytes of the header of either file: int magic, int version, long dbid. */
export const FILE_HEADER_BYTES = 16;
const FORMAT_VERSION = 2;
/** Java's default of `zookeeper.preAllocSize`. */
export const DEFAULT_PREALLOC_BYTES = 65536 * 1024;
/** A log grows when fewer bytes than this are left (FilePadding.calculateFileSizeWithPadding). */
const PADDING_MARGIN_BYTES = 4096;

export type SnapshotCompression = '' | 'gz' | 'snappy';

export interface SegmentFile {
  readonly name: string;
  readonly zxid: Zxid;
}

export interface SnapshotName extends SegmentFile {
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
export function parseLogName(name: string): SegmentFile | undefined {
  const match = /^log\.([0-9a-fA-F]+)$/.exec(name);
  return match === null ? undefined : { name, zxid: parseHexZxid(match[1] as string, name) };
}

/**
 * Undefined for any other file. `snapshot.<hex>.tmp`, which Apache leaves behind when it dies in a
 * learner's snapshot, is none: Java may take it for one, we never do.
 */
export function parseSnapshotName(name: string): SnapshotName | undefined {
  const match = /^snapshot\.([0-9a-fA-F]+)(?:\.(gz|snappy))?$/.exec(name);
  if (match === null) return undefined;
  return {
    name,
    zxid: parseHexZxid(match[1] as string, name),
    compression: (match[2] ?? '') as SnapshotCompression,
  };
}

/** Log files among the names, ascending by zxid. */
export function logFiles(names: readonly string[]): SegmentFile[] {
  return sorted(names, parseLogName);
}

/** Snapshots among the names, ascending by zxid. */
export function snapshotFiles(names: readonly string[]): SnapshotName[] {
  return sorted(names, parseSnapshotName);
}

/** The logs a replay from `zxid` on needs: all that start at or after it, and the newest one before. */
export function logsFrom(logs: readonly SegmentFile[], zxid: Zxid): SegmentFile[] {
  let first = 0;
  for (let i = 0; i < logs.length; i += 1) {
    if ((logs[i] as SegmentFile).zxid < zxid) first = i;
  }
  return logs.slice(first);
}

/** Writes the 16 bytes of a file header. */
export function encodeFileHeader(magic: number, dbid: number): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeInt32BE(magic, 0);
  header.writeInt32BE(FORMAT_VERSION, 4);
  header.writeBigInt64BE(BigInt(dbid), 8);
  return header;
}

/**
 * Zeros that go along with the first batch that reaches a part of a segment which was never written. Its
 * blocks are allocated by that write; what is written after it falls on allocated blocks and changes no
 * metadata (decision 018).
 */
export const ZEROS_BYTES: number = 512 * 1024;

/**
 * The size a log file should have before bytes are written at `position` of a file of `size` bytes.
 * The same as it has when there is room enough. FilePadding.calculateFileSizeWithPadding.
 */
export function paddedSize(position: number, size: number, preAllocBytes: number): number {
  if (preAllocBytes <= 0 || position + PADDING_MARGIN_BYTES < size) return size;
  if (position > size) {
    const wanted = position + preAllocBytes;
    return wanted - (wanted % preAllocBytes);
  }
  return size + preAllocBytes;
}

/** True when a record with zxid `next` may directly follow one with zxid `previous`. */
export function follows(next: Zxid, previous: Zxid): boolean {
  if (next === previous + 1) return true;
  const epoch = Math.floor(next / 2 ** 32);
  return epoch > Math.floor(previous / 2 ** 32) && next === epoch * 2 ** 32 + 1;
}

function sorted<T extends SegmentFile>(
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

function parseHexZxid(hex: string, name: string): Zxid {
  const zxid = Number.parseInt(hex, 16);
  if (!Number.isSafeInteger(zxid)) {
    throw new StorageError('BAD_FILE_NAME', `Zxid 0x${hex} has an epoch over ${2 ** 21}`, {
      file: name,
      remedy: 'Move the file away if it does not belong here',
    });
  }
  return zxid as Zxid;
}
