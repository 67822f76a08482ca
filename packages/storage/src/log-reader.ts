// Reads all txn logs of a directory, in order.
//
// Zxids must be without a gap from the snapshot on; a jump is allowed only to the first txn of a
// higher epoch. Others' logs may repeat zxids (ZOOKEEPER-4394): those are handed out again.

import { formatZxid, type Zxid } from '@zebu/protocol';
import type { Disk } from './disk.ts';
import { type HistoryFile, logFiles, logsFrom } from './file-names.ts';
import type { Residue } from './log-end.ts';
import { DEFAULT_MAX_ENTRY_BYTES, LogFileReader } from './log-file-reader.ts';
import { StorageError } from './storage-error.ts';
import { follows } from './zxid-order.ts';

/** Where and why a log was given up before its last byte, and what lies there. */
export interface TornTail extends Residue {
  readonly file: string;
  /** Offset after the last good record. */
  readonly offset: number;
}

export interface TxnLogReaderOptions {
  disk: Disk;
  /** The `version-2` directory of the logs. */
  directory: string;
  /** Records up to this zxid are skipped; the first one after it must follow it without a gap. */
  afterZxid: Zxid;
  /** True lets the first record have any zxid: a replay without a snapshot. Default false. */
  anyStart?: boolean;
  /**
   * True reads a log that is being written: whatever is unfinished is the end. Nothing is then reported
   * as torn or damaged at the end of the newest log. Default false.
   */
  live?: boolean;
  /** Entries up to this are expected; a longer one is read if it is whole. Default 4 MiB. */
  maxEntryBytes?: number;
}

/** Pulls records one by one. Synchronous; reads 256 KiB at a time; holds one open file. */
export class TxnLogReader {
  /** The current entry is `bytes[start, end)`, valid until the next call of `next`. */
  bytes: Buffer;
  start: number;
  end: number;
  zxid: Zxid;
  /** File and offset of the current record, for messages. */
  file: string;
  offset: number;

  /** The highest zxid handed out, `afterZxid` before the first. */
  maxZxid: Zxid;
  /** Records handed out, and those of them whose zxid came before. */
  records: number;
  repeated: number;
  /** Bytes of log files passed, of `totalBytes`. */
  bytesRead: number;
  readonly totalBytes: number;
  /** The logs that are read, in order: paths. */
  readonly files: readonly string[];
  /** Set once `next` has returned false, if the newest log ends in the leftovers of a crash. */
  tornTail: TornTail | undefined;
  /** The newest log, if it is empty: it may be deleted. */
  emptyLog: string | undefined;

  private readonly disk: Disk;
  private readonly options: TxnLogReaderOptions;
  private readonly maxEntryBytes: number;
  private readonly logs: readonly HistoryFile[];
  private index = 0;
  private current: LogFileReader | undefined;
  /** Zxids handed out, as runs without a gap: [first, last, first, last, ...]. */
  private readonly runs: Zxid[] = [];

  constructor(options: TxnLogReaderOptions) {
    this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
    this.zxid = -1;
    this.file = options.directory;
    this.offset = 0;
    this.maxZxid = options.afterZxid;
    this.records = 0;
    this.repeated = 0;
    this.bytesRead = 0;
    this.tornTail = undefined;
    this.emptyLog = undefined;
    this.disk = options.disk;
    this.options = options;
    this.maxEntryBytes = options.maxEntryBytes ?? DEFAULT_MAX_ENTRY_BYTES;
    const all = logFiles(options.disk.list(options.directory), options.directory);
    this.logs = options.anyStart === true ? all : logsFrom(all, options.afterZxid + 1);
    this.files = this.logs.map((file) => `${options.directory}/${file.name}`);
    this.totalBytes = this.files.reduce((sum, path) => sum + options.disk.size(path), 0);
  }

  /**
   * Moves to the next record. False at the end of the newest log. Throws StorageError on damage and on
   * a gap; the reader is then of no more use.
   */
  next(): boolean {
    for (;;) {
      if (this.current === undefined && !this.openNext()) return false;
      const file = this.current as LogFileReader;
      if (!file.next()) {
        this.endFile(file);
        continue;
      }
      this.zxid = file.zxid;
      this.offset = file.offset;
      if (file.zxid <= this.options.afterZxid) continue;
      this.checkOrder(file);
      this.bytes = file.bytes;
      this.start = file.start;
      this.end = file.end;
      this.records += 1;
      return true;
    }
  }

  close(): void {
    this.current?.close();
    this.current = undefined;
    this.index = this.files.length;
  }

  private openNext(): boolean {
    const path = this.files[this.index];
    if (path === undefined) return false;
    this.index += 1;
    this.file = path;
    const newest = this.index === this.files.length;
    if (newest && this.disk.size(path) === 0) {
      this.emptyLog = path;
      return false;
    }
    this.current = new LogFileReader(this.disk, path, this.maxEntryBytes);
    return true;
  }

  private endFile(file: LogFileReader): void {
    const newest = this.index === this.files.length;
    this.current = undefined;
    try {
      if (newest && this.options.live === true) return;
      // Where the next log goes on with the next zxid, no record can be missing after the zeros.
      if (file.endsInZeros && this.nextLogZxid() === file.zxid + 1) return;
      // An older log needs no warning: txns that the next log does not repeat show as a gap.
      const residue = file.judgeEnd();
      if (newest && residue !== undefined) {
        this.tornTail = { file: file.path, offset: file.offset, ...residue };
      }
    } finally {
      this.bytesRead += file.size;
      file.close();
    }
  }

  private nextLogZxid(): Zxid | undefined {
    return this.logs[this.index]?.zxid;
  }

  private checkOrder(file: LogFileReader): void {
    const zxid = file.zxid;
    const runs = this.runs;
    if (zxid > this.maxZxid) {
      const first = runs.length === 0;
      if (follows(zxid, this.maxZxid) || (first && this.options.anyStart === true)) {
        if (first || zxid !== this.maxZxid + 1) runs.push(zxid, zxid);
        else runs[runs.length - 1] = zxid;
        this.maxZxid = zxid;
        return;
      }
    } else {
      for (let i = 0; i < runs.length; i += 2) {
        if (zxid >= (runs[i] as Zxid) && zxid <= (runs[i + 1] as Zxid)) {
          this.repeated += 1;
          return;
        }
      }
    }
    throw new StorageError(
      'GAP_IN_LOG',
      `Txns are missing: zxid ${formatZxid(zxid)} comes after ${formatZxid(this.maxZxid)}`,
      {
        file: file.path,
        offset: file.offset,
        zxid,
        remedy:
          'Put the missing log file back, or empty the data directory of this member and let it ' +
          'sync from the others',
      },
    );
  }
}

const EMPTY = Buffer.alloc(0);
