// Txns as they stand in the logs on disk, for a learner that is too far behind for the committed log
// (DIFF). A leader that serves reads on the thread pool, a chunk at a time, and looks at the bytes of one
// chunk per turn of its loop; the log goes on being written and rolled meanwhile.
//
// What is handed out is contiguous, and it is known what it follows: `previousZxid` of the first chunk is
// the last txn of this history at or before `fromZxid`, from the record itself, or from the snapshot under
// the logs. Where that cannot be shown the logs do not reach back (ZOOKEEPER-2418, 4352): then the learner
// needs a snapshot. So it does where the logs have a seam, from a snapshot that another server got from
// its leader: what lies before a seam may be proposals that never were committed (disk.md 14).
//
// Files are read through the page cache, where what was logged lately still is, without reading ahead.

import { counterOf, epochOf, formatZxid, TxnHeaderOffset, type Zxid } from '@zebu/protocol';
import type { DataDirectory } from './data-directory.ts';
import type { Disk, DiskError, ReadableFile } from './disk.ts';
import { FILE_HEADER_BYTES, LOG_MAGIC } from './file-header.ts';
import { logFiles, logName, logsFrom, snapshotFiles, snapshotName } from './file-names.ts';
import { logDamage } from './log-end.ts';
import { DEFAULT_MAX_ENTRY_BYTES } from './log-file-reader.ts';
import {
  judgeRecord,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
  RecordOutcome,
  recordLength,
} from './log-record.ts';
import type { Pin, Pins } from './pins.ts';
import { StorageError } from './storage-error.ts';
import { follows } from './zxid-order.ts';

const CHUNK_BYTES = 256 * 1024;
/** A record has at least 45 bytes. */
const MAX_RECORDS = Math.ceil(CHUNK_BYTES / 45);

export interface TxnFeedOptions {
  readonly disk: Disk;
  readonly directory: DataDirectory;
  /** The last txn of the learner. */
  readonly fromZxid: Zxid;
  /** The last one to hand out. It must be durable in the log, and committed. */
  readonly toZxid: Zxid;
  /**
   * Those that purge is told of: what is still to be read stays. Without them a log could go that ends an
   * epoch, and what follows it would look as if it followed the log before.
   */
  readonly pins: Pins;
  /** Entries up to this are expected; a longer one is read if it is whole. Default 4 MiB. */
  readonly maxEntryBytes?: number;
}

export interface TxnFeedChunk {
  readonly kind: 'txns';
  /** Entry i is `bytes[starts[i], ends[i])`: header, body and digest as they were logged. */
  readonly bytes: Buffer;
  readonly count: number;
  readonly zxids: Float64Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** The txn before the first of these. Not `fromZxid`, in the first chunk, if this history has no such txn. */
  readonly previousZxid: Zxid;
}

export type TxnFeedOutcome =
  | TxnFeedChunk
  /** `toZxid` was handed out, or there is nothing between the two. `raise` lets it go on. */
  | { readonly kind: 'end'; readonly lastZxid: Zxid }
  /** The logs do not reach back to `fromZxid`, have a gap or a seam, or end before `toZxid`. It stays so. */
  | { readonly kind: 'unreachable'; readonly oldestZxid: Zxid; readonly reason: string }
  /** A disk error, or damage. It stays so. */
  | { readonly kind: 'failed'; readonly error: StorageError };

/** Begins to feed; reads nothing but the names of files yet. Throws what listing the directories throws. */
export function openTxnFeed(options: TxnFeedOptions): TxnFeed {
  return new TxnFeed(options);
}

/** Use openTxnFeed. */
export class TxnFeed {
  private readonly disk: Disk;
  private readonly directory: DataDirectory;
  private readonly fromZxid: Zxid;
  private readonly maxEntryBytes: number;
  private readonly pin: Pin;
  private toZxid: Zxid;
  /** The last txn passed; undefined before it is known what the first one follows. */
  private lastZxid: Zxid | undefined;

  private file: ReadableFile | undefined;
  private path: string;
  private fileZxid: Zxid = -1;
  /** `bytes[0, filled)` is what stands in the file from `base` on; the next record begins at `at`. */
  private bytes: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private base = 0;
  private filled = 0;
  private at = 0;
  /** What ended the records was read again: it is not only that it was written since. */
  private isReread = false;
  private isHeaderRead = false;

  private readonly zxids = new Float64Array(MAX_RECORDS);
  private readonly starts = new Int32Array(MAX_RECORDS);
  private readonly ends = new Int32Array(MAX_RECORDS);
  private over: TxnFeedOutcome | undefined;
  private callback: ((outcome: TxnFeedOutcome) => void) | undefined;
  private isClosed = false;

  constructor(options: TxnFeedOptions) {
    this.disk = options.disk;
    this.directory = options.directory;
    this.fromZxid = options.fromZxid;
    this.toZxid = options.toZxid;
    this.maxEntryBytes = options.maxEntryBytes ?? DEFAULT_MAX_ENTRY_BYTES;
    this.path = options.directory.logDirectory;
    // Before the names are listed: purge must not come between.
    this.pin = options.pins.pin(options.fromZxid);
    try {
      this.findFirst();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Asks for the next outcome; `callback` is called later, once. One call at a time. What a chunk shows is
   * valid until the next call of `next`.
   */
  next(callback: (outcome: TxnFeedOutcome) => void): void {
    if (this.callback !== undefined) throw new Error('The feed was asked already');
    if (this.isClosed) throw new Error('The feed is closed');
    this.callback = callback;
    if (this.over !== undefined || this.isAtEnd) {
      this.later(() => this.answer(this.ended()));
      return;
    }
    this.read();
  }

  /** More txns are durable and committed by now. */
  raise(toZxid: Zxid): void {
    if (toZxid > this.toZxid) this.toZxid = toZxid;
  }

  /** Gives back its file, memory and pin; a callback that is outstanding is not called. */
  close(): void {
    this.isClosed = true;
    this.callback = undefined;
    this.file?.close();
    this.file = undefined;
    this.pin.release();
  }

  /** There is nothing to read: the cheapest thing that the disk calls back for. */
  private later(then: () => void): void {
    if (this.file === undefined) {
      this.disk.syncDirectoryAsync(this.directory.logDirectory, then);
    } else {
      this.file.readAsync(Buffer.alloc(1), 0, 1, 0, then);
    }
  }

  private get isAtEnd(): boolean {
    return this.lastZxid !== undefined && this.lastZxid >= this.toZxid;
  }

  private ended(): TxnFeedOutcome {
    return this.over ?? { kind: 'end', lastZxid: this.lastZxid ?? this.fromZxid };
  }

  /** The log to begin with, or why there is none. */
  private findFirst(): void {
    const { logDirectory, snapshotDirectory } = this.directory;
    const logs = logFiles(this.disk.list(logDirectory), logDirectory);
    const snapshots = snapshotFiles(this.disk.list(snapshotDirectory), snapshotDirectory);
    const from = this.fromZxid;
    const next = logs.find(({ zxid }) => zxid === from + 1);
    if (next !== undefined && snapshots.some(({ zxid }) => zxid === from)) {
      this.lastZxid = from;
      this.open(next.zxid);
      return;
    }
    const first = logsFrom(logs, from + 1)[0];
    if (first !== undefined && first.zxid <= from) {
      this.open(first.zxid);
      return;
    }
    // No log begins at or before it. The history under the first log is that of the snapshot just under it.
    const base = snapshots.reverse().find(({ zxid }) => first !== undefined && zxid < first.zxid);
    const isShown =
      base !== undefined &&
      base.zxid <= from &&
      first !== undefined &&
      follows(first.zxid, base.zxid);
    if (!isShown) {
      this.over = this.unreachable(
        first === undefined ? 'there are no logs' : `the oldest log is ${logName(first.zxid)}`,
        first?.zxid ?? -1,
      );
      return;
    }
    this.lastZxid = base.zxid;
    this.open(first.zxid);
  }

  private open(zxid: Zxid): void {
    this.file?.close();
    this.file = undefined;
    this.fileZxid = zxid;
    this.path = `${this.directory.logDirectory}/${logName(zxid)}`;
    this.base = 0;
    this.filled = 0;
    this.at = 0;
    this.isReread = false;
    this.isHeaderRead = false;
    try {
      this.file = this.disk.openRead(this.path);
    } catch (error) {
      this.over =
        (error as DiskError).code === 'ENOENT'
          ? this.unreachable(`${logName(zxid)} was purged`, zxid)
          : this.failed(error as DiskError);
    }
  }

  /** Fills the buffer from the file, after what is left in it. */
  private read(): void {
    const file = this.file as ReadableFile;
    this.bytes.copyWithin(0, this.at, this.filled);
    this.base += this.at;
    this.filled -= this.at;
    this.at = 0;
    const room = this.bytes.length - this.filled;
    file.readAsync(this.bytes, this.filled, room, this.base + this.filled, (error, bytes) => {
      if (this.isClosed) return;
      if (error !== undefined) {
        this.over = this.failed(error);
        this.answer(this.over);
        return;
      }
      this.filled += bytes;
      this.take(bytes < room);
    });
  }

  /** Hands out the whole records of the buffer, or goes on reading. `isAll`: the file ends with it. */
  private take(isAll: boolean): void {
    if (!this.isHeaderRead && !this.takeHeader()) {
      this.answer(this.ended());
      return;
    }
    let first = this.lastZxid;
    let count = 0;
    let outcome: RecordOutcome = RecordOutcome.RECORD;
    while (!this.isAtEnd && count < MAX_RECORDS) {
      const at = this.at;
      outcome = this.judge(at);
      if (outcome !== RecordOutcome.RECORD) break;
      const start = at + RECORD_HEAD_BYTES;
      const end = start + recordLength(this.bytes, at);
      const zxid = this.zxidAt(start);
      const last = this.lastZxid;
      if (last === undefined || zxid > last) {
        if (zxid > this.fromZxid) {
          if (!this.mayFollow(zxid, last)) break;
          if (zxid > this.toZxid) {
            this.over = this.unreachable(`${formatZxid(this.toZxid)} is not in the logs`);
            break;
          }
          if (count === 0) first = last;
          this.zxids[count] = zxid;
          this.starts[count] = start;
          this.ends[count] = end;
          count += 1;
        }
        this.lastZxid = zxid;
        this.isReread = false;
      }
      this.at = end + 1;
    }
    if (count > 0) {
      this.pin.moveTo(this.lastZxid as Zxid);
      this.answer({
        kind: 'txns',
        bytes: this.bytes,
        count,
        zxids: this.zxids,
        starts: this.starts,
        ends: this.ends,
        previousZxid: first as Zxid,
      });
      return;
    }
    if (this.over !== undefined || this.isAtEnd) this.answer(this.ended());
    else this.goOn(outcome, isAll);
  }

  /** No whole record is in the buffer. */
  private goOn(outcome: RecordOutcome, isAll: boolean): void {
    const left = this.filled - this.at;
    const isCut = left < RECORD_HEAD_BYTES || outcome === RecordOutcome.CUT;
    if (isCut && !isAll) {
      if (left >= RECORD_HEAD_BYTES) this.growFor(recordLength(this.bytes, this.at));
      this.read();
      return;
    }
    if (!this.isReread) {
      // It may have been written since it was read.
      this.isReread = true;
      this.filled = this.at;
      this.read();
      return;
    }
    const next = logFiles(
      this.disk.list(this.directory.logDirectory),
      this.directory.logDirectory,
    ).find(({ zxid }) => zxid > this.fileZxid);
    if (next !== undefined && !this.isSeam(next.zxid)) {
      this.open(next.zxid);
      if (this.over === undefined) {
        this.read();
        return;
      }
    } else if (next !== undefined) {
      this.over = this.unreachable(
        `before ${logName(next.zxid)} the history was replaced by a snapshot`,
        next.zxid,
      );
    } else if (outcome === RecordOutcome.END || outcome === RecordOutcome.CUT) {
      this.over = this.unreachable(`the logs end at ${formatZxid(this.lastZxid ?? -1)}`);
    } else {
      const offset = this.base + this.at;
      const code = outcome === RecordOutcome.BAD_LENGTH ? 'BAD_LENGTH' : 'BAD_CHECKSUM';
      const error = logDamage(code, 'No whole record', { path: this.path, offset });
      this.over = { kind: 'failed', error };
    }
    this.answer(this.ended());
  }

  /** Where a log begins an epoch of which a snapshot without any txn exists, a leader may have sent that. */
  private isSeam(zxid: Zxid): boolean {
    if (counterOf(zxid) !== 1 || epochOf(zxid) === 0) return false;
    const { snapshotDirectory } = this.directory;
    return snapshotFiles(this.disk.list(snapshotDirectory), snapshotDirectory).some(
      ({ name }) =>
        name === snapshotName(zxid - 1) || name.startsWith(`${snapshotName(zxid - 1)}.`),
    );
  }

  private mayFollow(zxid: Zxid, last: Zxid | undefined): boolean {
    if (last !== undefined && follows(zxid, last)) return true;
    this.over = this.unreachable(
      last === undefined
        ? `the first txn is ${formatZxid(zxid)}`
        : `${formatZxid(zxid)} comes after ${formatZxid(last)}`,
      zxid,
    );
    return false;
  }

  private takeHeader(): boolean {
    const isLog =
      this.filled >= FILE_HEADER_BYTES && this.bytes.readUInt32BE(this.at) === LOG_MAGIC;
    if (isLog) {
      this.at = FILE_HEADER_BYTES;
      this.isHeaderRead = true;
      return true;
    }
    this.over = {
      kind: 'failed',
      error: new StorageError('BAD_MAGIC', 'Not a txn log', { file: this.path, offset: 0 }),
    };
    return false;
  }

  private judge(at: number): RecordOutcome {
    const left = this.filled - at;
    if (left < RECORD_HEAD_BYTES) return RecordOutcome.END;
    return judgeRecord(this.bytes, at, this.filled, this.maxLength(at));
  }

  /** A member must read what it wrote: an entry over the limit is taken if all of it is in the file. */
  private maxLength(at: number): number {
    const length = recordLength(this.bytes, at);
    if (length <= this.maxEntryBytes) return this.maxEntryBytes;
    const end = this.base + at + length + RECORD_FRAME_BYTES;
    // It may have grown since it was opened.
    return end <= this.disk.size(this.path) ? length : this.maxEntryBytes;
  }

  private growFor(length: number): void {
    const needed = length + RECORD_FRAME_BYTES;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(needed);
    this.bytes.copy(grown, 0, this.at, this.filled);
    this.base += this.at;
    this.filled -= this.at;
    this.at = 0;
    this.bytes = grown;
  }

  private zxidAt(start: number): Zxid {
    const at = start + TxnHeaderOffset.zxid;
    return this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
  }

  private unreachable(reason: string, oldestZxid: Zxid = this.fileZxid): TxnFeedOutcome {
    const from = formatZxid(this.fromZxid);
    return { kind: 'unreachable', oldestZxid, reason: `Txns after ${from}: ${reason}` };
  }

  private failed(error: DiskError): TxnFeedOutcome {
    return {
      kind: 'failed',
      error: new StorageError('DISK_FAILED', `Cannot read a txn log: ${error.message}`, {
        file: this.path,
        cause: error,
      }),
    };
  }

  private answer(outcome: TxnFeedOutcome): void {
    const callback = this.callback;
    this.callback = undefined;
    callback?.(outcome);
  }
}
