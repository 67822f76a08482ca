import { assertInvariant, formatZxid, TxnHeaderOffset, type Zxid } from '@zebu/protocol';
import type { BlockingFile, Disk } from './disk.ts';
import { judgeLogEnd, logDamage, type Residue } from './log-end.ts';
import {
  END_MARK,
  judgeRecord,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
  RecordOutcome,
  recordLength,
} from './log-record.ts';
import {
  FILE_HEADER_BYTES,
  follows,
  LOG_MAGIC,
  logFiles,
  logsFrom,
  type SegmentFile,
} from './segment.ts';
import { StorageError } from './storage-error.ts';

// Reads txn logs in order. Whether one ends in a torn tail or in damage, log-end.ts decides.
//
// Zxids must be without a gap from the snapshot on; a jump is allowed only to the first txn of a
// higher epoch. Others' logs may repeat zxids (ZOOKEEPER-4394): those are handed out again.

/** `jute.maxbuffer` plus its extra size, doubled: far above what Java accepts by default. */
export const DEFAULT_MAX_ENTRY_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

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

  readonly #disk: Disk;
  readonly #options: TxnLogReaderOptions;
  readonly #maxEntryBytes: number;
  readonly #logs: readonly SegmentFile[];
  #index = 0;
  #segment: SegmentReader | undefined;
  /** Zxids handed out, as runs without a gap: [first, last, first, last, ...]. */
  readonly #runs: Zxid[] = [];

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
    this.#disk = options.disk;
    this.#options = options;
    this.#maxEntryBytes = options.maxEntryBytes ?? DEFAULT_MAX_ENTRY_BYTES;
    const all = logFiles(options.disk.list(options.directory));
    this.#logs = options.anyStart === true ? all : logsFrom(all, options.afterZxid + 1);
    this.files = this.#logs.map((file) => `${options.directory}/${file.name}`);
    this.totalBytes = this.files.reduce((sum, path) => sum + options.disk.size(path), 0);
  }

  /**
   * Moves to the next record. False at the end of the newest log. Throws StorageError on damage and on
   * a gap; the reader is then of no more use.
   */
  next(): boolean {
    for (;;) {
      if (this.#segment === undefined && !this.#openNext()) return false;
      const segment = this.#segment as SegmentReader;
      if (!segment.next()) {
        this.#endSegment(segment);
        continue;
      }
      this.zxid = segment.zxid;
      this.offset = segment.offset;
      if (segment.zxid <= this.#options.afterZxid) continue;
      this.#checkOrder(segment);
      this.bytes = segment.bytes;
      this.start = segment.start;
      this.end = segment.end;
      this.records += 1;
      return true;
    }
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#index = this.files.length;
  }

  #openNext(): boolean {
    const path = this.files[this.#index];
    if (path === undefined) return false;
    this.#index += 1;
    this.file = path;
    const newest = this.#index === this.files.length;
    if (newest && this.#disk.size(path) === 0) {
      this.emptyLog = path;
      return false;
    }
    this.#segment = new SegmentReader(this.#disk, path, this.#maxEntryBytes);
    return true;
  }

  #endSegment(segment: SegmentReader): void {
    const newest = this.#index === this.files.length;
    this.#segment = undefined;
    try {
      if (newest && this.#options.live === true) return;
      // Where the next log goes on with the next zxid, no record can be missing after the zeros.
      if (segment.endsInZeros && this.#nextLogZxid() === segment.zxid + 1) return;
      // An older log needs no warning: txns that the next log does not repeat show as a gap.
      const residue = segment.judgeEnd();
      if (newest && residue !== undefined) {
        this.tornTail = { file: segment.path, offset: segment.offset, ...residue };
      }
    } finally {
      this.bytesRead += segment.size;
      segment.close();
    }
  }

  #nextLogZxid(): Zxid | undefined {
    return this.#logs[this.#index]?.zxid;
  }

  #checkOrder(segment: SegmentReader): void {
    const zxid = segment.zxid;
    const runs = this.#runs;
    if (zxid > this.maxZxid) {
      const first = runs.length === 0;
      if (follows(zxid, this.maxZxid) || (first && this.#options.anyStart === true)) {
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
        file: segment.path,
        offset: segment.offset,
        zxid,
        remedy:
          'Put the missing log file back, or empty the data directory of this member and let it ' +
          'sync from the others',
      },
    );
  }
}

/** One log file, record by record. Knows nothing of other files. */
export class SegmentReader {
  readonly path: string;
  readonly size: number;
  bytes: Buffer;
  start: number;
  end: number;
  zxid: Zxid;
  /** Of the current record; once `next` returned false, of the place where the next one would start. */
  offset: number;

  readonly #file: BlockingFile;
  readonly #maxEntryBytes: number;
  /** File offset of `bytes[0]`, and how many bytes are filled. */
  #base = 0;
  #filled = 0;
  /** Where the next record starts, in `bytes`. Invariant: #at <= #filled. */
  #at = 0;
  #outcome: RecordOutcome = RecordOutcome.RECORD;

  /** Throws StorageError when the file has no txn log's header. */
  constructor(
    disk: { openRead(path: string): BlockingFile },
    path: string,
    maxEntryBytes: number = DEFAULT_MAX_ENTRY_BYTES,
  ) {
    this.path = path;
    this.#file = disk.openRead(path);
    this.size = this.#file.size;
    this.#maxEntryBytes = maxEntryBytes;
    this.bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.start = 0;
    this.end = 0;
    this.zxid = -1;
    this.offset = FILE_HEADER_BYTES;
    try {
      this.#checkHeader();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Moves to the next record; false where the log ends, whole or not: ask `judgeEnd`. */
  next(): boolean {
    if (this.#outcome !== RecordOutcome.RECORD) return false;
    this.#need(RECORD_HEAD_BYTES);
    let maxLength = this.#maxEntryBytes;
    if (this.#filled - this.#at >= RECORD_HEAD_BYTES) {
      maxLength = this.#maxLength();
      const length = recordLength(this.bytes, this.#at);
      if (length > 0 && length <= maxLength) this.#need(length + RECORD_FRAME_BYTES);
    }
    const at = this.#at;
    this.offset = this.#base + at;
    this.#outcome = judgeRecord(this.bytes, at, this.#filled, maxLength);
    if (this.#outcome !== RecordOutcome.RECORD) return false;

    this.start = at + RECORD_HEAD_BYTES;
    this.end = this.start + recordLength(this.bytes, at);
    this.#at = this.end + 1;
    assertInvariant(this.#at <= this.#filled, 'a record ends beyond the bytes that were read');
    this.zxid = this.#entryZxid();
    return true;
  }

  /** `next` returned false because nothing but zeros follows at once; what comes after them is not known. */
  get endsInZeros(): boolean {
    return this.#outcome === RecordOutcome.END;
  }

  /** After the last record: see `judgeLogEnd`. */
  judgeEnd(): Residue | undefined {
    const length =
      this.#filled - this.#at >= RECORD_HEAD_BYTES ? recordLength(this.bytes, this.#at) : 0;
    return judgeLogEnd({
      file: this.#file,
      path: this.path,
      offset: this.offset,
      outcome: this.#outcome,
      length,
    });
  }

  close(): void {
    this.#file.close();
  }

  #checkHeader(): void {
    this.#need(FILE_HEADER_BYTES);
    if (this.size < FILE_HEADER_BYTES) {
      throw new StorageError('SHORT_HEADER', `Txn log of ${this.size} bytes has no whole header`, {
        file: this.path,
        offset: 0,
        remedy:
          'Restore the file, or move it away if it is the newest log and a quorum has its txns',
      });
    }
    const magic = this.bytes.readUInt32BE(0);
    if (magic !== LOG_MAGIC) {
      throw new StorageError('BAD_MAGIC', `Not a txn log: magic 0x${magic.toString(16)}`, {
        file: this.path,
        offset: 0,
        remedy: 'Restore the file, or move it away if it does not belong here',
      });
    }
    this.#at = FILE_HEADER_BYTES;
  }

  #entryZxid(): Zxid {
    const at = this.start + TxnHeaderOffset.zxid;
    const high = this.bytes.readInt32BE(at);
    const zxid = high * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
    if (high < 0 || !Number.isSafeInteger(zxid)) {
      throw logDamage('BAD_ENTRY', `Epoch ${high >>> 0} is out of range`, this);
    }
    return zxid;
  }

  /**
   * The longest entry that may stand at the next record, whose head is there: one over the limit may be there if it ends inside
   * the file and shows its end mark. A member must read what it wrote: the limit is that of requests, and
   * a session with many ephemerals is closed by an entry longer than any request.
   */
  #maxLength(): number {
    const length = recordLength(this.bytes, this.#at);
    const end = this.#base + this.#at + RECORD_HEAD_BYTES + length;
    if (length <= this.#maxEntryBytes || end >= this.size) return this.#maxEntryBytes;
    const mark = Buffer.alloc(1);
    this.#file.read(mark, 0, 1, end);
    return mark[0] === END_MARK ? length : this.#maxEntryBytes;
  }

  /** Makes `count` bytes from the next record on available in `bytes`, or all that the file has. */
  #need(count: number): void {
    const left = this.#filled - this.#at;
    if (left >= count || this.#base + this.#filled >= this.size) return;
    const capacity = Math.max(CHUNK_BYTES, count);
    const target = this.bytes.length === capacity ? this.bytes : Buffer.allocUnsafeSlow(capacity);
    this.bytes.copy(target, 0, this.#at, this.#filled);
    this.bytes = target;
    this.#base += this.#at;
    this.#at = 0;
    this.#filled = left + this.#file.read(target, left, capacity - left, this.#base + left);
  }
}

const EMPTY = Buffer.alloc(0);
