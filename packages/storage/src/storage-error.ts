// How storage says that something is wrong on disk: with the file, the place in it, and what an operator can do.

import type { Zxid } from '@zebu/protocol';

/**
 * What may be wrong with a directory, a file or a disk. Each stops what was being done; none is retried.
 *
 * | code | meaning |
 * |---|---|
 * | `DISK_FAILED` | a write, sync or other call failed: errno and path are in the message |
 * | `WRITER_CLOSED` | an append after `close` or after a failure |
 * | `ZXID_NOT_INCREASING` | an append whose zxid is not above the last one |
 * | `ZXID_GAP` | an append that leaves out a zxid of its epoch |
 * | `BAD_MAGIC` | the file does not start as a txn log or snapshot does |
 * | `SHORT_HEADER` | the file ends inside its header |
 * | `BAD_LENGTH` | a record's length is impossible |
 * | `BAD_CHECKSUM` | bytes do not match their checksum |
 * | `BAD_END_MARK` | a record with records after it lacks its end mark |
 * | `BAD_ENTRY` | an entry with a right checksum that cannot be decoded or applied |
 * | `HOLE_IN_LOG` | zeros or a torn record, followed by more than one unsynced batch can explain |
 * | `GAP_IN_LOG` | zxids are missing between two records |
 * | `BAD_SNAPSHOT` | the snapshot is cut short or malformed |
 * | `NO_VALID_SNAPSHOT` | every snapshot is damaged |
 * | `HISTORY_CUT` | the logs end before a damaged snapshot's zxid: acknowledged txns are missing |
 * | `FILE_LEFT_OUT` | a log or snapshot that is not read, for its name or its place, reaches beyond what is |
 * | `NO_SNAPSHOT_FOR_LOGS` | there are logs but no snapshot under them |
 * | `BAD_EPOCH_FILE` | an epoch file cannot be read or contradicts the data |
 * | `BAD_DATA_DIRECTORY` | the directory is missing, not writable, or holds the other kind of file |
 * | `NOT_A_FILE` | a directory, or what else is no file, has the name of a log |
 * | `BAD_FILE_NAME` | a log or snapshot is named for a zxid that cannot be |
 * | `DIRECTORY_IN_USE` | another server of this machine has the directory |
 * | `BAD_MYID` | the myid file is missing or not a number |
 */
export type StorageErrorCode =
  | 'DISK_FAILED'
  | 'WRITER_CLOSED'
  | 'ZXID_NOT_INCREASING'
  | 'ZXID_GAP'
  | 'BAD_MAGIC'
  | 'SHORT_HEADER'
  | 'BAD_LENGTH'
  | 'BAD_CHECKSUM'
  | 'BAD_END_MARK'
  | 'BAD_ENTRY'
  | 'HOLE_IN_LOG'
  | 'GAP_IN_LOG'
  | 'BAD_SNAPSHOT'
  | 'NO_VALID_SNAPSHOT'
  | 'HISTORY_CUT'
  | 'FILE_LEFT_OUT'
  | 'NO_SNAPSHOT_FOR_LOGS'
  | 'BAD_EPOCH_FILE'
  | 'BAD_DATA_DIRECTORY'
  | 'NOT_A_FILE'
  | 'BAD_FILE_NAME'
  | 'DIRECTORY_IN_USE'
  | 'BAD_MYID';

export interface StorageErrorDetails {
  /** The file or directory that is wrong. */
  file: string;
  /** Byte offset in `file` of the record or section that is wrong. */
  offset?: number;
  /** What an operator can do about it: one sentence, without a full stop. */
  remedy?: string;
  zxid?: Zxid;
  cause?: unknown;
}

/** Names file, offset and remedy in its message, so that printing it is enough. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly file: string;
  readonly offset: number | undefined;
  readonly remedy: string | undefined;
  readonly zxid: Zxid | undefined;
  private readonly what: string;

  constructor(code: StorageErrorCode, what: string, details: StorageErrorDetails) {
    const { file, offset } = details;
    const place = offset === undefined ? file : `${file}, offset ${offset}`;
    // A sentence that begins with the path has said where.
    const where = what.startsWith(`${file} `) && offset === undefined ? '' : ` (${place})`;
    const remedy = details.remedy === undefined ? '' : `. ${details.remedy}`;
    super(`${what}${where}${remedy}`, { cause: details.cause });
    this.what = what;
    this.code = code;
    this.file = file;
    this.offset = offset;
    this.remedy = details.remedy;
    this.zxid = details.zxid;
  }

  /** The same error with another sentence in its remedy. */
  withHint(hint: string): StorageError {
    const { file, offset, zxid, cause } = this;
    return new StorageError(this.code, this.what, {
      file,
      ...(offset === undefined ? {} : { offset }),
      ...(zxid === undefined ? {} : { zxid }),
      ...(cause === undefined ? {} : { cause }),
      remedy: this.remedy === undefined ? hint : `${this.remedy}. ${hint}`,
    });
  }
}
