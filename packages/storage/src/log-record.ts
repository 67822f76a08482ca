// One record of a txn log (disk.md section 2):
//
//   long  checksum    Adler-32 of the entry alone, zero-extended; length and end mark are not covered
//   int   length      bytes of the entry, at least 32 (its TxnHeader)
//   ...   entry       TxnHeader, body, optional TxnDigest: the bytes of the PROPOSAL as they are
//   byte  end mark    0x42 'B'
//
// Zeros follow the last record of a preallocated file, so a length of 0 ends the log.

import { adler32, putInt32 } from '@zebu/protocol';

/** Bytes before the entry. */
export const RECORD_HEAD_BYTES = 12;
/** Bytes that a record takes besides its entry. */
export const RECORD_FRAME_BYTES = RECORD_HEAD_BYTES + 1;
export const END_MARK = 0x42;
/** A TxnHeader, which every entry starts with. */
export const MIN_ENTRY_BYTES = 32;

/**
 * Frames the entry that lies at `target[at + RECORD_HEAD_BYTES, ... + length)` already: writes what goes
 * before and after it. Returns the offset after the record. No allocation.
 */
export function frameRecord(target: Buffer, at: number, length: number): number {
  const start = at + RECORD_HEAD_BYTES;
  const end = start + length;
  putInt32(target, at, 0);
  putInt32(target, at + 4, adler32(target, start, end));
  putInt32(target, at + 8, length);
  target[end] = END_MARK;
  return end + 1;
}

/** What stands at a record boundary. */
export const RecordOutcome = {
  /** A whole record with the right checksum. */
  RECORD: 0,
  /** Length 0, or too few bytes for a length: nothing (more) was written here. */
  END: 1,
  /** The bytes end inside the record. */
  CUT: 2,
  /** The length is below 0, above the limit, or too short for a txn header. */
  BAD_LENGTH: 3,
  /** No end mark after the entry. */
  BAD_END_MARK: 4,
  /** The end mark is there, the checksum is another. */
  BAD_CHECKSUM: 5,
} as const;
export type RecordOutcome = (typeof RecordOutcome)[keyof typeof RecordOutcome];

/**
 * Judges the record at `bytes[at, end)`. `end` must be the end of the file, or so far away that any record
 * within `maxEntryBytes` is whole. For RECORD the entry is `recordLength` bytes at `at + RECORD_HEAD_BYTES`.
 */
export function judgeRecord(
  bytes: Buffer,
  at: number,
  end: number,
  maxEntryBytes: number,
): RecordOutcome {
  if (end - at < RECORD_HEAD_BYTES) return RecordOutcome.END;
  const length = recordLength(bytes, at);
  if (length === 0) return RecordOutcome.END;
  if (length < 0 || length > maxEntryBytes) return RecordOutcome.BAD_LENGTH;
  const start = at + RECORD_HEAD_BYTES;
  if (end - start <= length) return RecordOutcome.CUT;
  if (bytes[start + length] !== END_MARK) return RecordOutcome.BAD_END_MARK;
  // Entries under 32 bytes have no header: they are no entries, whatever their checksum.
  if (length < MIN_ENTRY_BYTES) return RecordOutcome.BAD_LENGTH;
  const sumHigh = bytes.readInt32BE(at);
  const sumLow = bytes.readUInt32BE(at + 4);
  return sumHigh === 0 && sumLow === adler32(bytes, start, start + length)
    ? RecordOutcome.RECORD
    : RecordOutcome.BAD_CHECKSUM;
}

/** The length field of the record at `at`. */
export function recordLength(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 8);
}
