// Tells a torn tail from damage, where the records of a log end (disk.md 7.2 and 14, decision 016).
//
// What a crash can leave behind: the sectors of the last, never acknowledged batch, each written or
// not. A preallocated sector that was not written reads as zeros, so
//   - zeros where a record should start, or bytes that end inside one, are the end of the log;
//   - a record that lacks whole sectors (zeros) is the end of the log too, unless good records lie
//     more than 16 MiB after it: no batch is as long;
//   - so is one without its end mark, when no good record lies after it;
//   - anything else that is wrong is damage to bytes that may have been acknowledged, and stops the start.
// A record may hold zeros of its own. So what one flipped bit explains, in any field, is damage, and so
// is a checksum that fits another length: neither is what lost sectors look like.
// Java ends a log silently at a missing end mark or a length of 0 and dies of every checksum error;
// this is stricter on the first and knows the second from a torn batch.

import { adler32 } from '@zebu/protocol';
import type { BlockingFile } from './disk.ts';
import { ZEROS_BYTES } from './log-padding.ts';
import {
  END_MARK,
  judgeRecord,
  MIN_ENTRY_BYTES,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
  RecordOutcome,
  recordLength,
} from './log-record.ts';
import { StorageError } from './storage-error.ts';

const CHUNK_BYTES = 256 * 1024;
const SECTOR_BYTES = 512;
const ADLER_MODULUS = 65_521;
/** More than one unsynced batch of ours or of Java's. What lies further after a hole was acknowledged. */
const MAX_UNSYNCED_BYTES = 16 * 1024 * 1024;

/** The place where the records of a log end. */
export interface LogEnd {
  readonly file: BlockingFile;
  readonly path: string;
  /** Offset after the last good record. */
  readonly offset: number;
  /** What stands there instead of another record, and its length field. */
  readonly outcome: RecordOutcome;
  readonly length: number;
}

/** What a crash left after the last good record. */
export interface Residue {
  readonly reason: string;
  /** Offset after the last byte of it that is not zero. */
  readonly end: number;
  /** Whole records with the right checksum in it. */
  readonly records: number;
}

/** Undefined when the log simply ends. Throws StorageError when bytes are damaged. */
export function judgeLogEnd(end: LogEnd): Residue | undefined {
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
  private readonly end: LogEnd;
  private readonly file: BlockingFile;
  private readonly offset: number;
  private readonly size: number;
  private readonly chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);

  constructor(end: LogEnd) {
    this.end = end;
    this.file = end.file;
    this.offset = end.offset;
    this.size = end.file.size;
  }

  judge(): Residue | undefined {
    const { length } = this.end;
    const recordEnd = this.offset + RECORD_FRAME_BYTES + length;
    switch (this.end.outcome) {
      case RecordOutcome.RECORD:
        return undefined;
      case RecordOutcome.END:
        if (this.lastNonZero(this.offset) < 0) return undefined;
        if (this.size - this.offset < RECORD_HEAD_BYTES) {
          return this.residue('The file ends inside a record');
        }
        if (this.fitsOtherLength()) throw this.damage('BAD_LENGTH', `Wrong length ${length}`);
        return this.residue('Zeros, and after them bytes of a write that was never acknowledged');
      case RecordOutcome.CUT:
        if (this.fitsOtherLength()) throw this.damage('BAD_LENGTH', `Wrong length ${length}`);
        return this.residue('The file ends inside a record');
      case RecordOutcome.BAD_END_MARK:
        if (this.fitsOtherLength()) throw this.damage('BAD_LENGTH', `Wrong length ${length}`);
        if (this.isEndMarkDamaged()) throw this.damage('BAD_END_MARK', 'Wrong end mark');
        if (this.lastNonZero(recordEnd) < 0) {
          return this.residue('The last record has no end mark');
        }
        if (!this.lacksSectors(recordEnd) && this.findRecord(this.offset + 1) !== undefined) {
          throw this.damage('BAD_END_MARK', 'No end mark');
        }
        return this.residue('The last write is not whole');
      case RecordOutcome.BAD_CHECKSUM:
        if (!this.lacksSectors(recordEnd) || this.isOneBitOff()) {
          throw this.damage('BAD_CHECKSUM', 'Checksum mismatch');
        }
        return this.residue('The last write is not whole');
      case RecordOutcome.BAD_LENGTH:
        if (
          length < 0 ||
          recordEnd > this.size ||
          this.fitsOtherLength() ||
          !this.lacksSectors(recordEnd)
        ) {
          throw this.damage('BAD_LENGTH', `Unreasonable length ${length}`);
        }
        return this.residue('The last write is not whole');
    }
  }

  /** True when a part of the record lies in a sector of which nothing was written. */
  private lacksSectors(recordEnd: number): boolean {
    const end = Math.min(recordEnd, this.size);
    const sector = Buffer.alloc(SECTOR_BYTES);
    let from = this.offset;
    while (from < end) {
      const to = Math.min(end, from - (from % SECTOR_BYTES) + SECTOR_BYTES);
      const got = this.file.read(sector, 0, to - from, from);
      // The first four bytes of a record are zeros in any case: they prove nothing.
      const informative = from === this.offset ? got - 4 : got;
      if (informative > 0 && isZero(sector, 0, got)) return true;
      from = to;
    }
    return false;
  }

  /**
   * True when the checksum and an end mark fit an entry of another length: then the length is what is
   * damaged, and whole records may follow it. (Of a torn length the entry is lost, too.)
   */
  private fitsOtherLength(): boolean {
    // To the last byte there is: entries over the limit exist (see LogFileReader).
    const bytes = this.read(this.offset, this.lastNonZero(this.offset) + 1 - this.offset);
    if (bytes.length < RECORD_FRAME_BYTES + MIN_ENTRY_BYTES) return false;
    const checksum = bytes.readUInt32BE(4);
    let at = RECORD_HEAD_BYTES + MIN_ENTRY_BYTES;
    let sum = adler32(bytes, RECORD_HEAD_BYTES, at);
    for (; at < bytes.length; at += 1) {
      const isOther = at !== RECORD_HEAD_BYTES + this.end.length;
      if (sum === checksum && bytes[at] === END_MARK && isOther) return true;
      sum = adler32(bytes, at, at + 1, sum);
    }
    return false;
  }

  /** The entry is whole, and its end mark is neither right nor lost with a sector of its own. */
  private isEndMarkDamaged(): boolean {
    const record = this.read(this.offset, RECORD_FRAME_BYTES + this.end.length);
    const at = record.length - 1;
    if (record.readUInt32BE(4) !== adler32(record, RECORD_HEAD_BYTES, at)) return false;
    return record[at] !== 0;
  }

  /** True when one flipped bit, of the checksum or of the entry, explains why they do not fit. */
  private isOneBitOff(): boolean {
    const record = this.read(this.offset, RECORD_HEAD_BYTES + this.end.length);
    // A lost sector would have made these zero, which they are in any case.
    if (record.readInt32BE(0) !== 0) return true;
    const wanted = record.readUInt32BE(4);
    const found = adler32(record, RECORD_HEAD_BYTES, record.length);
    // Where a sector ends inside the checksum, what is missing of it may have been lost with either part.
    const isWhole = SECTOR_BYTES - (this.offset % SECTOR_BYTES) >= 8;
    if (isWhole && isPowerOfTwo(wanted ^ found)) return true;

    // Adler-32: a byte that grows by d, n bytes before the end, adds d to the low half and d * n to
    // the high half, modulo 65521.
    const low = modulo((wanted & 0xffff) - (found & 0xffff));
    const high = modulo((wanted >>> 16) - (found >>> 16));
    const change = low <= 128 ? low : low - ADLER_MODULUS;
    if (!isPowerOfTwo(Math.abs(change))) return false;
    for (let at = RECORD_HEAD_BYTES; at < record.length; at += 1) {
      if (modulo(change * (record.length - at)) !== high) continue;
      const byte = record[at] as number;
      if (byte + change === (byte ^ Math.abs(change))) return true;
    }
    return false;
  }

  /** `count` bytes from `position` on, or all that the file has. */
  private read(position: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(count, this.size - position)));
    return bytes.subarray(0, this.file.read(bytes, 0, bytes.length, position));
  }

  /** Offset of the last byte that is not zero, from `from` on; -1 if there is none. */
  private lastNonZero(from: number): number {
    // The usual end of a preallocated log: nothing but the writer's zeros was ever written after it. To
    // find that out by reading 64 MiB of holes takes up to 150 ms on a cold start. A log that was zeroed
    // ahead is read whole after a crash: records after a hole would not be told from its zeros otherwise.
    const slack = ZEROS_BYTES + CHUNK_BYTES;
    const isSparse = this.file.allocatedBytes <= from + slack;
    const zerosEnd = isSparse ? from + 2 * slack : this.size;
    const chunk = this.chunk;
    let last = -1;
    for (let position = from; position < this.size; position += CHUNK_BYTES) {
      if (last < 0 && position >= zerosEnd) break;
      const got = this.file.read(chunk, 0, Math.min(CHUNK_BYTES, this.size - position), position);
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

  /**
   * What follows. What a crash explains does not reach further than a batch: whole records after that
   * were acknowledged.
   */
  private residue(reason: string): Residue {
    const limit = this.offset + MAX_UNSYNCED_BYTES;
    let records = 0;
    let lastEnd = this.offset;
    let record = this.findRecord(this.offset + 1);
    while (record !== undefined) {
      if (record.start >= limit) {
        throw this.damage(
          'HOLE_IN_LOG',
          `Unreadable, and more than ${MAX_UNSYNCED_BYTES} bytes of log follow it,`,
        );
      }
      records += 1;
      lastEnd = record.end;
      record = this.findRecord(record.end);
    }
    // A file that was copied without its holes may look as if nothing followed the first of them.
    const end = Math.max(lastEnd, this.lastNonZero(lastEnd) + 1);
    return { reason, end, records };
  }

  /** The first whole record with a right checksum that starts at or after `from`. */
  private findRecord(from: number): { start: number; end: number } | undefined {
    // The usual place is looked at first: a whole record is followed by another one.
    const next = this.recordAt(from);
    if (next !== undefined) return next;
    const chunk = this.chunk;
    // Chunks overlap by one byte less than a head, so that no head is missed.
    for (let base = from; base < this.size; base += CHUNK_BYTES - RECORD_HEAD_BYTES + 1) {
      const got = this.file.read(chunk, 0, Math.min(CHUNK_BYTES, this.size - base), base);
      if (isZero(chunk, 0, got)) continue;
      for (let at = 0; at + RECORD_HEAD_BYTES <= got; at += 1) {
        // A checksum has four zero bytes in front, and lengths are small: few places pass.
        if (chunk[at + 8] !== 0 || chunk.readInt32BE(at) !== 0) continue;
        const record = this.recordAt(base + at);
        if (record !== undefined) return record;
      }
    }
    return undefined;
  }

  private recordAt(start: number): { start: number; end: number } | undefined {
    const head = this.read(start, RECORD_HEAD_BYTES);
    if (head.length < RECORD_HEAD_BYTES) return undefined;
    const length = recordLength(head, 0);
    if (length < MIN_ENTRY_BYTES || start + length > this.size) return undefined;
    const record = this.read(start, length + RECORD_FRAME_BYTES);
    if (judgeRecord(record, 0, record.length, length) !== RecordOutcome.RECORD) {
      return undefined;
    }
    return { start, end: start + record.length };
  }

  private damage(code: Parameters<typeof logDamage>[0], what: string): StorageError {
    return logDamage(code, what, this.end);
  }
}

function isPowerOfTwo(bits: number): boolean {
  return bits !== 0 && (bits & (bits - 1)) === 0;
}

function modulo(n: number): number {
  return ((n % ADLER_MODULUS) + ADLER_MODULUS) % ADLER_MODULUS;
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
