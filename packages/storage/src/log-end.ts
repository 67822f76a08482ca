import { adler32 } from '@zebu/protocol';
import type { ReadableFile } from './disk.ts';
import {
  END_MARK,
  judgeRecord,
  MIN_ENTRY_BYTES,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
  RecordOutcome,
  recordLength,
} from './log-record.ts';
import { ZEROS_BYTES } from './segment.ts';
import { StorageError } from './storage-error.ts';

// Tells a torn tail from damage, where the records of a log end (disk.md 7.2 and 14, decision 016).
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

const CHUNK_BYTES = 256 * 1024;
const SECTOR_BYTES = 512;
/** More than one unsynced batch of ours or of Java's. What lies further behind a hole was acknowledged. */
const MAX_UNSYNCED_BYTES = 16 * 1024 * 1024;

/** The place where the records of a log end. */
export interface LogEnd {
  readonly file: ReadableFile;
  readonly path: string;
  /** Offset behind the last good record. */
  readonly offset: number;
  /** What stands there instead of another record, and its length field. */
  readonly outcome: RecordOutcome;
  readonly length: number;
  readonly maxEntryBytes: number;
}

/**
 * Undefined when the log simply ends, the reason when it ends in what a crash left behind. Throws
 * StorageError when bytes are damaged.
 */
export function judgeLogEnd(end: LogEnd): string | undefined {
  return new Judge(end).judge();
}

/** The error of a log whose bytes were damaged at `offset`. */
export function logDamage(
  code: 'BAD_END_MARK' | 'BAD_CHECKSUM' | 'BAD_LENGTH' | 'BAD_ENTRY' | 'HOLE_IN_LOG',
  what: string,
  { path, offset }: { path: string; offset: number },
): StorageError {
  return new StorageError(code, `${what} in a txn log record`, {
    file: path,
    offset,
    remedy:
      "Repair the file with Apache's zkTxnLogToolkit.sh -r, or empty the data directory of this " +
      'member and let it sync from the others',
  });
}

class Judge {
  readonly #end: LogEnd;
  readonly #file: ReadableFile;
  readonly #offset: number;
  readonly #size: number;

  constructor(end: LogEnd) {
    this.#end = end;
    this.#file = end.file;
    this.#offset = end.offset;
    this.#size = end.file.size;
  }

  judge(): string | undefined {
    const { length } = this.#end;
    const recordEnd = this.#offset + RECORD_FRAME_BYTES + length;
    switch (this.#end.outcome) {
      case RecordOutcome.RECORD:
        return undefined;
      case RecordOutcome.END: {
        if (this.#lastNonZero(this.#offset) < 0) return undefined;
        if (this.#size - this.#offset < RECORD_HEAD_BYTES) return 'The file ends inside a record';
        this.#limitResidue();
        return 'Zeros, and behind them bytes of a write that was never acknowledged';
      }
      case RecordOutcome.CUT:
        if (this.#fitsShorter(this.#size))
          throw logDamage('BAD_LENGTH', `Wrong length ${length}`, this.#end);
        return 'The file ends inside a record';
      case RecordOutcome.BAD_END_MARK: {
        if (this.#fitsShorter(recordEnd))
          throw logDamage('BAD_LENGTH', `Wrong length ${length}`, this.#end);
        if (this.#lastNonZero(recordEnd) < 0) return 'The last record has no end mark';
        if (!this.#lacksSectors(recordEnd) && this.#hasRecordFrom(this.#offset + 1)) {
          throw logDamage('BAD_END_MARK', 'No end mark', this.#end);
        }
        this.#limitResidue();
        return 'The last write is not whole';
      }
      case RecordOutcome.BAD_CHECKSUM:
        if (!this.#lacksSectors(recordEnd))
          throw logDamage('BAD_CHECKSUM', 'Checksum mismatch', this.#end);
        this.#limitResidue();
        return 'The last write is not whole';
      case RecordOutcome.BAD_LENGTH:
        if (
          length < 0 ||
          recordEnd > this.#size ||
          this.#fitsShorter(recordEnd) ||
          !this.#lacksSectors(recordEnd)
        ) {
          throw logDamage('BAD_LENGTH', `Unreasonable length ${length}`, this.#end);
        }
        this.#limitResidue();
        return 'The last write is not whole';
    }
  }

  /** True when a part of the record lies in a sector of which nothing was written. */
  #lacksSectors(recordEnd: number): boolean {
    const end = Math.min(recordEnd, this.#size);
    const sector = Buffer.alloc(SECTOR_BYTES);
    let from = this.#offset;
    while (from < end) {
      const to = Math.min(end, from - (from % SECTOR_BYTES) + SECTOR_BYTES);
      const got = this.#file.read(sector, 0, to - from, from);
      // The first four bytes of a record are zeros in any case: they prove nothing.
      const informative = from === this.#offset ? got - 4 : got;
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
    const bytes = Buffer.alloc(Math.min(recordEnd, this.#size) - this.#offset);
    const got = this.#file.read(bytes, 0, bytes.length, this.#offset);
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
    const end = isSparse ? Math.min(this.#size, from + 2 * slack) : this.#size;
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
    if (!this.#hasRecordFrom(this.#offset + MAX_UNSYNCED_BYTES)) return;
    throw logDamage(
      'HOLE_IN_LOG',
      `Unreadable, and more than ${MAX_UNSYNCED_BYTES} bytes of log are behind it,`,
      this.#end,
    );
  }

  /** True when a whole record with a right checksum starts anywhere at or behind `from`. */
  #hasRecordFrom(from: number): boolean {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    // Chunks overlap by one byte less than a head, so that no head is missed.
    for (let base = from; base < this.#size; base += CHUNK_BYTES - RECORD_HEAD_BYTES + 1) {
      const got = this.#file.read(chunk, 0, Math.min(CHUNK_BYTES, this.#size - base), base);
      if (isZero(chunk, 0, got)) continue;
      for (let at = 0; at + RECORD_HEAD_BYTES <= got; at += 1) {
        // A checksum has four zero bytes in front, and lengths are small: few places pass.
        if (chunk[at + 8] !== 0 || chunk.readInt32BE(at) !== 0) continue;
        const length = recordLength(chunk, at);
        if (length < MIN_ENTRY_BYTES || length > this.#end.maxEntryBytes) continue;
        const record = Buffer.alloc(Math.min(length + RECORD_FRAME_BYTES, this.#size - base - at));
        this.#file.read(record, 0, record.length, base + at);
        const outcome = judgeRecord(record, 0, record.length, this.#end.maxEntryBytes);
        if (outcome === RecordOutcome.RECORD) return true;
      }
    }
    return false;
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

const ZEROS = Buffer.alloc(64 * 1024);
