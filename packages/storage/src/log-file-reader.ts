// Reads one txn log file, record by record. Whether it ends in a torn tail or in damage, log-end.ts decides.
//
// Must never judge by other files: their order is log-reader.ts's.

import { assertInvariant, TxnHeaderOffset, type Zxid } from '@zebu/protocol';
import type { BlockingFile } from './disk.ts';
import { FILE_HEADER_BYTES, LOG_MAGIC } from './file-header.ts';
import { judgeLogEnd, logDamage, type Residue } from './log-end.ts';
import {
  END_MARK,
  judgeRecord,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
  RecordOutcome,
  recordLength,
} from './log-record.ts';
import { StorageError } from './storage-error.ts';

/** `jute.maxbuffer` plus its extra size, doubled: far above what Java accepts by default. */
export const DEFAULT_MAX_ENTRY_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

export class LogFileReader {
  readonly path: string;
  readonly size: number;
  bytes: Buffer;
  start: number;
  end: number;
  zxid: Zxid;
  /** Of the current record; once `next` returned false, of the place where the next one would start. */
  offset: number;

  private readonly file: BlockingFile;
  private readonly maxEntryBytes: number;
  /** File offset of `bytes[0]`, and how many bytes are filled. */
  private base = 0;
  private filled = 0;
  /** Where the next record starts, in `bytes`. Invariant: at <= filled. */
  private at = 0;
  private outcome: RecordOutcome = RecordOutcome.RECORD;

  /** Throws StorageError when the file has no txn log's header. */
  constructor(
    disk: { openRead(path: string): BlockingFile },
    path: string,
    maxEntryBytes: number = DEFAULT_MAX_ENTRY_BYTES,
  ) {
    this.path = path;
    this.file = disk.openRead(path);
    this.size = this.file.size;
    this.maxEntryBytes = maxEntryBytes;
    this.bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.start = 0;
    this.end = 0;
    this.zxid = -1;
    this.offset = FILE_HEADER_BYTES;
    try {
      this.checkHeader();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Moves to the next record; false where the log ends, whole or not: ask `judgeEnd`. */
  next(): boolean {
    if (this.outcome !== RecordOutcome.RECORD) return false;
    this.need(RECORD_HEAD_BYTES);
    let maxLength = this.maxEntryBytes;
    if (this.filled - this.at >= RECORD_HEAD_BYTES) {
      maxLength = this.maxLength();
      const length = recordLength(this.bytes, this.at);
      if (length > 0 && length <= maxLength) this.need(length + RECORD_FRAME_BYTES);
    }
    const at = this.at;
    this.offset = this.base + at;
    this.outcome = judgeRecord(this.bytes, at, this.filled, maxLength);
    if (this.outcome !== RecordOutcome.RECORD) return false;

    this.start = at + RECORD_HEAD_BYTES;
    this.end = this.start + recordLength(this.bytes, at);
    this.at = this.end + 1;
    assertInvariant(this.at <= this.filled, 'a record ends beyond the bytes that were read');
    this.zxid = this.entryZxid();
    return true;
  }

  /** `next` returned false because nothing but zeros follows at once; what comes after them is not known. */
  get endsInZeros(): boolean {
    return this.outcome === RecordOutcome.END;
  }

  /** After the last record: see `judgeLogEnd`. */
  judgeEnd(): Residue | undefined {
    const length =
      this.filled - this.at >= RECORD_HEAD_BYTES ? recordLength(this.bytes, this.at) : 0;
    return judgeLogEnd({
      file: this.file,
      path: this.path,
      offset: this.offset,
      outcome: this.outcome,
      length,
    });
  }

  close(): void {
    this.file.close();
  }

  private checkHeader(): void {
    this.need(FILE_HEADER_BYTES);
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
    this.at = FILE_HEADER_BYTES;
  }

  private entryZxid(): Zxid {
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
  private maxLength(): number {
    const length = recordLength(this.bytes, this.at);
    const end = this.base + this.at + RECORD_HEAD_BYTES + length;
    if (length <= this.maxEntryBytes || end >= this.size) return this.maxEntryBytes;
    const mark = Buffer.alloc(1);
    this.file.read(mark, 0, 1, end);
    return mark[0] === END_MARK ? length : this.maxEntryBytes;
  }

  /** Makes `count` bytes from the next record on available in `bytes`, or all that the file has. */
  private need(count: number): void {
    const left = this.filled - this.at;
    if (left >= count || this.base + this.filled >= this.size) return;
    const capacity = Math.max(CHUNK_BYTES, count);
    const target = this.bytes.length === capacity ? this.bytes : Buffer.allocUnsafeSlow(capacity);
    this.bytes.copy(target, 0, this.at, this.filled);
    this.bytes = target;
    this.base += this.at;
    this.at = 0;
    this.filled = left + this.file.read(target, left, capacity - left, this.base + left);
  }
}
