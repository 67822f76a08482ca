// One file of the txn log, from its making to its last batch:
//
//   made ahead    tmp-log.next-<n>...: header and preallocated size, synced
//   zeroAhead     zeros where records will be, a piece at a time, so that batches find blocks; a file
//                 that cannot be made or zeroed is removed at once
//   writeFirst    renamed to log.<hex>, then as write, and beside it the directory synced
//   write         extended if needed, then one durable write
//
// The file gets its name once header and size are durable: otherwise a crash could leave a newest log
// of 7 bytes, which must stop the next start because it looks like damage. The first batch counts once
// the name is durable, too: entries in a file without a name are lost (Java never syncs the directory).

import type { Zxid } from '@zebu/protocol';
import { type Disk, type DiskError, type Done, ignore, type WritableFile } from './disk.ts';
import { encodeFileHeader, FILE_HEADER_BYTES, LOG_MAGIC } from './file-header.ts';
import { logName, temporaryName } from './file-names.ts';
import { paddedSize, ZEROS_BYTES } from './log-padding.ts';

export interface LogFileWriterOptions {
  disk: Disk;
  /** The `version-2` directory of the logs. */
  directory: string;
  /** 0 or less switches preallocation off. */
  preAllocBytes: number;
  /** False: a batch counts once the kernel has it. */
  fsync: boolean;
}

/** `action` is what failed: a verb, for "Cannot <action> the txn log". */
export type BatchDone = (error?: DiskError, action?: string) => void;

export class LogFileWriter {
  /** With its current name. */
  path: string;
  /** Where the next batch goes. */
  position: number;
  /** It could not be made or zeroed before its first batch, and is removed. */
  isSpoiled: boolean;

  private readonly disk: Disk;
  private readonly directory: string;
  private readonly preAllocBytes: number;
  private readonly fsync: boolean;
  private readonly file: WritableFile;
  private isMade = false;
  private finalPath: string | undefined;
  /** Of the file, once it has its final name. */
  private identity: string | undefined;
  private isClosed = false;
  /** Zeros are to be written up to here. */
  private zerosEnd = 0;
  private isZeroing = false;
  /** What the batch still waits for: its write and, if it is the first one, the sync of the name. */
  private stepsLeft = 0;
  /** The size of the file, with preallocation. */
  private size: number;
  /** Up to here the file was written, with records or with zeros, or is being written. */
  private writtenTo: number;

  /** The batch that is being written. */
  private buffer: Buffer = EMPTY;
  private length = 0;
  private done: BatchDone = ignore;

  /** Begins to make the file; `n` tells it from others that have no name yet. */
  constructor(options: LogFileWriterOptions, n: number) {
    this.position = FILE_HEADER_BYTES;
    this.isSpoiled = false;
    this.disk = options.disk;
    this.directory = options.directory;
    this.preAllocBytes = options.preAllocBytes;
    this.fsync = options.fsync;
    const identity = this.disk.identity(this.directory);
    this.path = `${this.directory}/${temporaryName(`log.next-${n}`, identity)}`;
    this.size = FILE_HEADER_BYTES;
    this.writtenTo = FILE_HEADER_BYTES;
    this.file = this.disk.openWrite(this.path, { truncate: true, writeThrough: this.fsync });
    const header = encodeFileHeader(LOG_MAGIC, 0);
    // A failure is reported by the next operation.
    this.file.write(header, header.length, 0, ignore);
    this.extend(paddedSize(this.position, this.size, this.preAllocBytes));
    this.file.sync(this.afterMaking);
  }

  /** Writes zeros into a file that was made ahead, in whole pieces, up to `end` and not beyond its size. */
  zeroAhead(end: number): void {
    this.zerosEnd = end;
    this.zeroPiece();
  }

  /** No batch was written to it yet. After the first one, batches bring the zeros they need and report failures. */
  private get isAhead(): boolean {
    return this.finalPath === undefined && !this.isClosed;
  }

  private zeroPiece(): void {
    if (!this.isMade || this.isZeroing || !this.isAhead || !this.fsync) return;
    const start = this.writtenTo;
    const length = Math.min(ZEROS_BYTES, this.size - start);
    if (length === 0 || start + length > this.zerosEnd) return;
    this.isZeroing = true;
    this.writtenTo += length;
    this.file.writeDurable(ZEROS, length, start, this.afterZeros);
  }

  /** Names the file for its first txn, then writes as `write` does. */
  writeFirst(zxid: Zxid, buffer: Buffer, length: number, done: BatchDone): void {
    this.finalPath = `${this.directory}/${logName(zxid)}`;
    this.buffer = buffer;
    this.length = length;
    this.done = done;
    if (this.isMade) this.rename();
  }

  /**
   * Appends `buffer[0, length)` to what is there and makes it durable. Zeros may be put after it in
   * the buffer, up to ZEROS_BYTES. One write at a time.
   */
  write(buffer: Buffer, length: number, done: BatchDone): void {
    this.buffer = buffer;
    this.length = length;
    this.done = done;
    this.stepsLeft = 1;
    this.writeBatch();
  }

  /** The file stays as it is, and keeps its current name. */
  close(done?: Done): void {
    this.isClosed = true;
    this.file.close(done);
  }

  /**
   * Closes the newest log of a server that stops: zeros that it did not come to use are holes again, so
   * that the next start need not read them (log-end.ts).
   */
  closeLast(done: Done): void {
    if (this.writtenTo - this.position > ZEROS_BYTES) {
      this.file.resize(this.position, ignore);
      this.file.resize(this.size, ignore);
    }
    this.close(done);
  }

  /** True when another file, or none, has the name of this one. */
  isLost(): boolean {
    return this.identity !== undefined && this.disk.identity(this.path) !== this.identity;
  }

  /** Removes what was made ahead and never begun. */
  discard(done: Done = ignore): void {
    this.close(() => this.disk.unlinkAsync(this.path, () => done()));
  }

  private readonly afterMaking = (error?: DiskError): void => {
    if (this.isClosed) return;
    this.isMade = error === undefined;
    if (this.finalPath === undefined) {
      this.spoilOn(error);
      // A batch may have asked for zeros while the file was being made.
      this.zeroPiece();
    } else if (error === undefined) this.rename();
    else this.done(error, 'make a file of');
  };

  private readonly afterZeros = (error?: DiskError): void => {
    this.isZeroing = false;
    if (this.isAhead) this.spoilOn(error);
    this.zeroPiece();
  };

  /** Its space is given back to a full disk: the log in use may need it. */
  private spoilOn(error: DiskError | undefined): void {
    if (error === undefined) return;
    this.isSpoiled = true;
    this.discard();
  }

  private rename(): void {
    const from = this.path;
    this.path = this.finalPath as string;
    this.disk.renameAsync(from, this.path, this.afterRename);
  }

  private readonly afterRename = (error?: DiskError): void => {
    if (this.isClosed) return;
    if (error !== undefined) {
      this.done(error, 'name a file of');
      return;
    }
    this.identity = this.disk.identity(this.path);
    this.stepsLeft = this.fsync ? 2 : 1;
    if (this.fsync) this.disk.syncDirectoryAsync(this.directory, this.afterDirectory);
    this.writeBatch();
  };

  private readonly afterDirectory = (error?: DiskError): void => {
    if (error !== undefined) this.fail(error, 'sync the directory of');
    else this.endStep();
  };

  private writeBatch(): void {
    const buffer = this.buffer;
    const length = this.length;
    const size = this.neededSize(length);
    if (size > this.size) {
      // Durable beforehand: the writes inside it then change no metadata.
      this.extend(size);
      this.file.sync(ignore);
    }
    if (this.fsync) {
      const padded = this.pad(buffer, length);
      this.file.writeDurable(buffer, padded, this.position, this.afterWrite);
    } else {
      this.file.write(buffer, length, this.position, this.afterWrite);
    }
  }

  private readonly afterWrite = (error?: DiskError): void => {
    if (error !== undefined) {
      this.fail(error, 'write and sync');
      return;
    }
    this.position += this.length;
    if (this.position > this.size) this.size = this.position;
    this.endStep();
  };

  private endStep(): void {
    this.stepsLeft -= 1;
    if (this.stepsLeft === 0) this.done();
  }

  private fail(error: DiskError, action: string): void {
    const done = this.done;
    // Of a first batch the other step may still be under way.
    this.done = ignore;
    done(error, action);
  }

  /**
   * Java looks at the position before a batch only; this also makes room for all of it, so that what a
   * crash leaves of a huge entry always lies inside the file.
   */
  private neededSize(length: number): number {
    const size = paddedSize(this.position, this.size, this.preAllocBytes);
    const end = this.position + length;
    return end > size ? paddedSize(end, size, this.preAllocBytes) : size;
  }

  private extend(size: number): void {
    if (size <= this.size) return;
    this.size = size;
    this.file.resize(size, ignore);
  }

  /** Puts zeros after the records where these reach blocks that were never written; returns the bytes to write. */
  private pad(buffer: Buffer, length: number): number {
    const end = this.position + length;
    if (end <= this.writtenTo) return length;
    // A batch as long as they are would cost more by them than the next one saves.
    if (length >= ZEROS_BYTES) {
      this.writtenTo = end;
      return length;
    }
    // Nothing beyond the size: without preallocation the file ends with its last record.
    const zeros = Math.max(0, Math.min(ZEROS_BYTES, this.size - end));
    buffer.fill(0, length, length + zeros);
    this.writtenTo = end + zeros;
    return length + zeros;
  }
}

const EMPTY = Buffer.alloc(0);
/** Never written to, so that the system need not give it memory. */
const ZEROS = Buffer.alloc(ZEROS_BYTES);
