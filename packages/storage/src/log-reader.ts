import { adler32, formatZxid, TxnHeaderOffset, type Zxid } from '@zebu/protocol';
import type { Disk, ReadableFile } from './disk.ts';
import {
  END_MARK,
  judgeRecord,
  MIN_ENTRY_BYTES,
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
  ZEROS_BYTES,
} from './segment.ts';
import { StorageError } from './storage-error.ts';

// Reads txn logs in order and tells a torn tail from damage (disk.md 7.2 and 14, measured.md "Disk door").
//
// What a crash can leave behind: the sectors of the last, never acknowledged batch, each written or
// not. A preallocated sector that was not written reads as zeros, so
//   - zeros where a record should start, or bytes that end inside one, are the end of the log;
//   - a record that lacks whole sectors (zeros) is the end of the log too, unless good records lie
//     more than 16 MiB behind it: no batch is as long;
//   - so is one without its end mark, when no good record lies behind it;
//   - anything else that is wrong is damage to bytes that may have been acknowledged, and stops the start.
// Java ends a log silently at a missing end mark and dies of every checksum error; this is stricter
// on the first and knows the second from a torn batch.
//
// Zxids must be without a gap from the snapshot on; a jump is allowed only to the first txn of a
// higher epoch. Others' logs may repeat zxids (ZOOKEEPER-4394): those are handed out again.

/** `jute.maxbuffer` plus its extra size, doubled: far above what Java accepts by default. */
export const DEFAULT_MAX_ENTRY_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const SECTOR_BYTES = 512;
/** More than one unsynced batch of ours or of Java's. What lies further behind a hole was acknowledged. */
const MAX_UNSYNCED_BYTES = 16 * 1024 * 1024;

/** Where and why a log was given up before its last byte: nothing acknowledged is behind it. */
export interface TornTail {
  readonly file: string;
  /** Offset behind the last good record. */
  readonly offset: number;
  readonly reason: string;
}

export interface TxnLogReaderOptions {
  disk: Disk;
  /** The `version-2` directory of the logs. */
  directory: string;
  /** Records up to this zxid are skipped; the first one behind it must follow it without a gap. */
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
    const files = options.anyStart === true ? all : logsFrom(all, options.afterZxid + 1);
    this.files = files.map((file: SegmentFile) => `${options.directory}/${file.name}`);
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
      const reason = segment.judgeEnd();
      if (newest && reason !== undefined) {
        this.tornTail = { file: segment.path, offset: segment.offset, reason };
      }
    } finally {
      this.bytesRead += segment.size;
      segment.close();
    }
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

  readonly #file: ReadableFile;
  readonly #maxEntryBytes: number;
  /** File offset of `bytes[0]`, and how many bytes are filled. */
  #base = 0;
  #filled = 0;
  /** Where the next record starts, in `bytes`. Invariant: #at <= #filled. */
  #at = 0;
  #outcome: RecordOutcome = RecordOutcome.RECORD;

  /** Throws StorageError when the file has no txn log's header. */
  constructor(disk: Disk, path: string, maxEntryBytes: number = DEFAULT_MAX_ENTRY_BYTES) {
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
    this.zxid = this.#entryZxid();
    return true;
  }

  /**
   * After the last record: undefined when the log simply ends, the reason when it ends in what a crash
   * left behind, and a StorageError is thrown when bytes are damaged.
   */
  judgeEnd(): string | undefined {
    const length =
      this.#filled - this.#at >= RECORD_HEAD_BYTES ? recordLength(this.bytes, this.#at) : 0;
    const recordEnd = this.offset + RECORD_FRAME_BYTES + length;
    switch (this.#outcome) {
      case RecordOutcome.RECORD:
        return undefined;
      case RecordOutcome.END: {
        const residueEnd = this.#lastNonZero(this.offset);
        if (residueEnd < 0) return undefined;
        if (this.size - this.offset < RECORD_HEAD_BYTES) return 'The file ends inside a record';
        this.#limitResidue();
        return 'Zeros, and behind them bytes of a write that was never acknowledged';
      }
      case RecordOutcome.CUT:
        if (this.#fitsShorter(this.size))
          throw this.#damage('BAD_LENGTH', `Wrong length ${length}`);
        return 'The file ends inside a record';
      case RecordOutcome.BAD_END_MARK: {
        if (this.#fitsShorter(recordEnd))
          throw this.#damage('BAD_LENGTH', `Wrong length ${length}`);
        if (this.#lastNonZero(recordEnd) < 0) return 'The last record has no end mark';
        if (!this.#lacksSectors(recordEnd) && this.#hasRecordFrom(this.offset + 1)) {
          throw this.#damage('BAD_END_MARK', 'No end mark');
        }
        this.#limitResidue();
        return 'The last write is not whole';
      }
      case RecordOutcome.BAD_CHECKSUM:
        if (!this.#lacksSectors(recordEnd)) throw this.#damage('BAD_CHECKSUM', 'Checksum mismatch');
        this.#limitResidue();
        return 'The last write is not whole';
      case RecordOutcome.BAD_LENGTH:
        if (
          length < 0 ||
          recordEnd > this.size ||
          this.#fitsShorter(recordEnd) ||
          !this.#lacksSectors(recordEnd)
        ) {
          throw this.#damage('BAD_LENGTH', `Unreasonable length ${length}`);
        }
        this.#limitResidue();
        return 'The last write is not whole';
    }
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
      throw this.#damage('BAD_ENTRY', `Epoch ${high >>> 0} is out of range`);
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

  /** True when a part of the record lies in a sector of which nothing was written. */
  #lacksSectors(recordEnd: number): boolean {
    const end = Math.min(recordEnd, this.size);
    const sector = Buffer.alloc(SECTOR_BYTES);
    let from = this.offset;
    while (from < end) {
      const to = Math.min(end, from - (from % SECTOR_BYTES) + SECTOR_BYTES);
      const got = this.#file.read(sector, 0, to - from, from);
      // The first four bytes of a record are zeros in any case: they prove nothing.
      const informative = from === this.offset ? got - 4 : got;
      if (informative > 0 && isZero(sector, 0, got)) return true;
      from = to;
    }
    return false;
  }

  /**
   * True when the checksum and an end mark fit a shorter entry: then the length is what is damaged, and
   * whole records may be behind it. (A torn length only loses bits, so it is never too long.)
   */
  #fitsShorter(recordEnd: number): boolean {
    const bytes = Buffer.alloc(Math.min(recordEnd, this.size) - this.offset);
    const got = this.#file.read(bytes, 0, bytes.length, this.offset);
    if (got < RECORD_FRAME_BYTES + MIN_ENTRY_BYTES) return false;
    const checksum = bytes.readUInt32BE(4);
    let at = RECORD_HEAD_BYTES + MIN_ENTRY_BYTES;
    let sum = adler32(bytes, RECORD_HEAD_BYTES, at);
    for (; at < got; at += 1) {
      if (sum === checksum && bytes[at] === END_MARK) return true;
      sum = adler32(bytes, at, at + 1, sum);
    }
    return false;
  }

  /** Offset of the last byte that is not zero, from `from` on; -1 if there is none. */
  #lastNonZero(from: number): number {
    // The usual end of a preallocated log: nothing but the writer's zeros was ever written behind it. To
    // find that out by reading 64 MiB of holes takes up to 150 ms on a cold start.
    const slack = ZEROS_BYTES + CHUNK_BYTES;
    const isSparse = this.#file.allocatedBytes <= from + slack;
    const end = isSparse ? Math.min(this.size, from + 2 * slack) : this.size;
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    let last = -1;
    for (let position = from; position < end; position += CHUNK_BYTES) {
      const got = this.#file.read(chunk, 0, Math.min(CHUNK_BYTES, end - position), position);
      if (got === 0) break;
      if (isZero(chunk, 0, got)) continue;
      for (let i = got - 1; i >= 0; i -= 1) {
        if (chunk[i] !== 0) {
          last = position + i;
          break;
        }
      }
    }
    return last;
  }

  /** What a crash explains does not reach further: whole records behind that were acknowledged. */
  #limitResidue(): void {
    if (!this.#hasRecordFrom(this.offset + MAX_UNSYNCED_BYTES)) return;
    throw this.#damage(
      'HOLE_IN_LOG',
      `Unreadable, and more than ${MAX_UNSYNCED_BYTES} bytes of log are behind it,`,
    );
  }

  /** True when a whole record with a right checksum starts anywhere at or behind `from`. */
  #hasRecordFrom(from: number): boolean {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    // Chunks overlap by one byte less than a head, so that no head is missed.
    for (let base = from; base < this.size; base += CHUNK_BYTES - RECORD_HEAD_BYTES + 1) {
      const got = this.#file.read(chunk, 0, Math.min(CHUNK_BYTES, this.size - base), base);
      if (isZero(chunk, 0, got)) continue;
      for (let at = 0; at + RECORD_HEAD_BYTES <= got; at += 1) {
        // A checksum has four zero bytes in front, and lengths are small: few places pass.
        if (chunk[at + 8] !== 0 || chunk.readInt32BE(at) !== 0) continue;
        const length = recordLength(chunk, at);
        if (length < MIN_ENTRY_BYTES || length > this.#maxEntryBytes) continue;
        const record = Buffer.alloc(Math.min(length + RECORD_FRAME_BYTES, this.size - base - at));
        this.#file.read(record, 0, record.length, base + at);
        const outcome = judgeRecord(record, 0, record.length, this.#maxEntryBytes);
        if (outcome === RecordOutcome.RECORD) return true;
      }
    }
    return false;
  }

  #damage(
    code: 'BAD_END_MARK' | 'BAD_CHECKSUM' | 'BAD_LENGTH' | 'BAD_ENTRY' | 'HOLE_IN_LOG',
    what: string,
  ): StorageError {
    return new StorageError(code, `${what} in a txn log record`, {
      file: this.path,
      offset: this.offset,
      remedy:
        "Repair the file with Apache's zkTxnLogToolkit.sh -r, or empty the data directory of this " +
        'member and let it sync from the others',
    });
  }
}

function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    const count = Math.min(ZEROS.length, end - at);
    if (bytes.compare(ZEROS, 0, count, at, at + count) !== 0) return false;
    at += count;
  }
  return true;
}

const EMPTY = Buffer.alloc(0);
const ZEROS = Buffer.alloc(64 * 1024);
