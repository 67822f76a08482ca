// The txn log, written with group commit:
//
//   append ──► filling batch ──► sealed batches ──► one write in flight ──► onDurable(lastZxid)
//              (one copy,         (full, or a        (durable write of a whole
//               framed in place)   roll after it)     batch, log-file-writer.ts)
//
// At most one batch is being written at a time, and beside it zeros into the next file. Entries that are
// appended meanwhile go into the next batch. Its write starts the moment this one completes: it never waits
// for more entries.
//
// It must never report an entry that is not on stable storage, nor anything at all after a failed
// write or sync: what the file then holds is unknown, and a sync that is repeated may succeed
// without having written (ZOOKEEPER-4882). The only way on is a restart from disk.

import { assertInvariant, copyBytes, counterOf, formatZxid, type Zxid } from '@zebu/protocol';
import type { Disk, DiskError } from './disk.ts';
import { type BatchDone, LogFileWriter, type LogFileWriterOptions } from './log-file-writer.ts';
import { DEFAULT_PREALLOC_BYTES, ZEROS_BYTES } from './log-padding.ts';
import {
  frameRecord,
  MIN_ENTRY_BYTES,
  RECORD_FRAME_BYTES,
  RECORD_HEAD_BYTES,
} from './log-record.ts';
import { StorageError } from './storage-error.ts';
import { follows } from './zxid-order.ts';

/** Room of a batch buffer: about 2,000 entries of 250 bytes. */
const BATCH_BYTES = 512 * 1024;
/** Room of the buffer of a longer entry: the largest of jute.maxbuffer's default. One longer still gets its own. */
const LONG_BATCH_BYTES = 1152 * 1024;
/** Empty buffers that are kept: one filling, one in flight, one to spare. */
const SPARE_BATCHES = 3;
/** Long ones: one filling, one in flight. */
const SPARE_LONG_BATCHES = 2;

export interface TxnLogWriterOptions {
  disk: Disk;
  /** The `version-2` directory of the logs. It must exist. */
  directory: string;
  /** The highest zxid that is durable already; -1 for none. The first append must follow it (see `append`). */
  lastZxid: Zxid;
  /** Which life of the log this writer is (log-lives.ts); every completion names it. Default 1. */
  life?: number;
  /** Files that earlier lives made: temporary names are not used twice in one process. Default 0. */
  filesBefore?: number;
  /** `zookeeper.preAllocSize` in bytes; 0 or less switches preallocation off. Default 64 MiB. */
  preAllocBytes?: number;
  /** `zookeeper.txnLogSizeLimitInKb` in bytes: after a longer file comes a new one. Default 0: no limit. */
  fileLimitBytes?: number;
  /** False is `forceSync=no`: entries are "durable" once the kernel has them. Default true. */
  fsync?: boolean;
  /** Every entry up to `zxid` is on stable storage. Called once per batch. */
  onDurable: (zxid: Zxid, life: number) => void;
  /** Called once; from then on nothing is written or reported. */
  onFailure: (error: StorageError, life: number) => void;
  /**
   * A batch of `txns` entries is durable; the first of them had waited `queuedMs` when the write began, which took
   * `writeMs`. Called once per batch.
   */
  onBatch?: (txns: number, queuedMs: number, writeMs: number) => void;
  /** `fsync.warningthresholdms`. Default 1000. */
  slowSyncMs?: number;
  /** A durable write took longer than `slowSyncMs`. */
  onSlowSync?: (durationMs: number, bytes: number, file: string) => void;
  /** Milliseconds, monotonic. Default performance.now. */
  now?: () => number;
}

interface Batch {
  /** Room for `room` bytes of records, and for zeros after them. */
  buffer: Buffer;
  room: number;
  length: number;
  firstZxid: Zxid;
  lastZxid: Zxid;
  txns: number;
  /** When the first entry came. */
  startedMs: number;
  /** The batch goes to a new file. */
  startsFile: boolean;
}

export class TxnLogWriter {
  readonly life: number;
  /** The last zxid appended. */
  appendedZxid: Zxid;
  /** Invariant: durableZxid <= appendedZxid. */
  durableZxid: Zxid;
  /** Entries appended since the last `roll`. */
  txnsSinceRoll: number;
  /** Bytes of records appended since the last `roll`. */
  bytesSinceRoll: number;
  /** Bytes of records appended and not yet durable: what a caller's backpressure should look at. */
  pendingBytes: number;
  /** Completed batch writes, their total time, and the longest. */
  syncCount: number;
  syncMsTotal: number;
  syncMsMax: number;
  /** The error that stopped the writer. */
  failure: StorageError | undefined;

  private readonly fileOptions: LogFileWriterOptions;
  private readonly fileLimitBytes: number;
  private readonly onDurable: TxnLogWriterOptions['onDurable'];
  private readonly onBatch: TxnLogWriterOptions['onBatch'];
  private readonly onFailure: TxnLogWriterOptions['onFailure'];
  private readonly slowSyncMs: number;
  private readonly onSlowSync: TxnLogWriterOptions['onSlowSync'];
  private readonly now: () => number;

  private filling: Batch;
  private readonly sealed: Batch[] = [];
  private readonly spare: Batch[] = [];
  private readonly spareLong: Batch[] = [];
  private inFlight: Batch | undefined;
  private startedMs = 0;

  private file: LogFileWriter | undefined;
  /** Made ahead, for the next roll. */
  private next: LogFileWriter | undefined;
  /** The file's position when `next` was begun; for each byte from there on so many of it are zeroed. */
  private preparedAt = 0;
  private zerosPerByte = 0;
  private madeFiles: number;
  private closing: ((error?: StorageError) => void) | undefined;
  private closed = false;
  private isAbandoned = false;

  constructor(options: TxnLogWriterOptions) {
    this.life = options.life ?? 1;
    this.appendedZxid = options.lastZxid;
    this.durableZxid = options.lastZxid;
    this.txnsSinceRoll = 0;
    this.bytesSinceRoll = 0;
    this.pendingBytes = 0;
    this.syncCount = 0;
    this.syncMsTotal = 0;
    this.syncMsMax = 0;
    this.failure = undefined;
    this.fileOptions = {
      disk: options.disk,
      directory: options.directory,
      preAllocBytes: options.preAllocBytes ?? DEFAULT_PREALLOC_BYTES,
      fsync: options.fsync ?? true,
    };
    this.fileLimitBytes = options.fileLimitBytes ?? 0;
    this.onDurable = options.onDurable;
    this.onBatch = options.onBatch;
    this.onFailure = options.onFailure;
    this.slowSyncMs = options.slowSyncMs ?? 1000;
    this.onSlowSync = options.onSlowSync;
    this.now = options.now ?? (() => performance.now());
    this.filling = newBatch(BATCH_BYTES);
    this.madeFiles = options.filesBefore ?? 0;
  }

  /** Files made by this life and those before it: `filesBefore` of the next. */
  get filesMade(): number {
    return this.madeFiles;
  }

  /**
   * Adds `entry[start, end)` (a whole log entry, TxnHeader first) to the current batch; the bytes are
   * copied, `flush` starts the write. Throws StorageError when `zxid` may not follow the last one, after
   * a failure and after `close`. No allocation, unless a batch fills up.
   *
   * (e, c) is followed by (e, c + 1) or by the first txn of a higher epoch, (e', 1): failed requests are
   * logged too, and every leader counts from 1. Apache allows more: FileTxnLog.append writes any zxid and
   * warns of one that does not rise; ZKDatabase.addCommittedProposal and Learner.enforceContinuousProposal
   * refuse a gap within an epoch, but take any counter of a higher one.
   */
  append(zxid: Zxid, entry: Buffer, start: number, end: number): void {
    if (this.failure !== undefined) {
      throw new StorageError('WRITER_CLOSED', 'The txn log stopped after an error', {
        file: this.fileOptions.directory,
        cause: this.failure,
      });
    }
    if (this.closed) {
      const file = this.fileOptions.directory;
      throw new StorageError('WRITER_CLOSED', 'The txn log is closed', { file });
    }
    if (zxid !== this.appendedZxid + 1 || counterOf(zxid) === 0) this.checkJump(zxid);
    const length = end - start;
    if (length < MIN_ENTRY_BYTES) throw new RangeError(`Entry of ${length} bytes has no header`);

    const framed = length + RECORD_FRAME_BYTES;
    let batch = this.filling;
    if (batch.length + framed > batch.room) batch = this.makeRoom(framed);
    if (batch.length === 0) {
      batch.firstZxid = zxid;
      batch.txns = 0;
      batch.startedMs = this.now();
    }
    copyBytes(entry, start, end, batch.buffer, batch.length + RECORD_HEAD_BYTES);
    batch.length = frameRecord(batch.buffer, batch.length, length);
    batch.lastZxid = zxid;
    batch.txns += 1;

    this.appendedZxid = zxid;
    this.txnsSinceRoll += 1;
    this.bytesSinceRoll += framed;
    this.pendingBytes += framed;
  }

  /**
   * The log that batches go to, if another file, or none, has its name now: what is written to it would not
   * be found again. Looks at the disk.
   */
  lostFile(): string | undefined {
    return this.file?.isLost() === true ? this.file.path : undefined;
  }

  /** Starts writing what was appended, unless a write is in flight: then it follows by itself. */
  flush(): void {
    if (this.inFlight === undefined) this.writeNext();
  }

  /**
   * `share` (0 to 1) of the way to the next roll is done: makes the next file ahead, so that the
   * roll is short, and on the rest of the way zeros as much of it as this one is going to be long. Asked
   * again, it does nothing. A failure before the roll costs the head start alone; once a batch waits for the
   * file it stops the log as any other does. A roll by fileLimitBytes is not prepared for,
   * and takes the file that is there.
   */
  prepareRoll(share: number): void {
    if (this.closed || this.failure !== undefined || this.next !== undefined) return;
    this.next = this.makeFile();
    this.preparedAt = this.file?.position ?? 0;
    this.zerosPerByte = 1 / Math.max(1 - share, 0.01);
  }

  /**
   * The next append goes to a new file, named for it. Resets txnsSinceRoll and bytesSinceRoll.
   * No log is there before there is an entry for it.
   */
  roll(): void {
    this.txnsSinceRoll = 0;
    this.bytesSinceRoll = 0;
    if (this.filling.length > 0) this.seal();
    this.filling.startsFile = true;
  }

  /** Writes what is pending, then closes the file. `done` gets the failure, if there is or was one. */
  close(done: (error?: StorageError) => void): void {
    this.closed = true;
    this.closing = done;
    if (this.inFlight === undefined) this.writeNext();
  }

  /**
   * Ends at once: what is pending is not written, nothing more is reported, and no file is made, named or
   * removed. For a server whose directory is no longer its own.
   */
  abandon(): void {
    this.closed = true;
    this.isAbandoned = true;
    this.file?.close();
    this.next?.close();
  }

  /** The zxid does not simply count on: throws unless it begins a higher epoch. */
  private checkJump(zxid: Zxid): void {
    const last = this.appendedZxid;
    if (counterOf(zxid) !== 0 && follows(zxid, last)) return;
    throw new StorageError(
      zxid <= last ? 'ZXID_NOT_INCREASING' : 'ZXID_GAP',
      `Append of zxid ${formatZxid(zxid)} after ${formatZxid(last)}`,
      { file: this.fileOptions.directory, zxid },
    );
  }

  private makeRoom(framed: number): Batch {
    if (this.filling.length > 0) this.seal();
    if (framed > this.filling.room) {
      const startsFile = this.filling.startsFile;
      this.recycle(this.filling);
      this.filling = this.longBatch(framed);
      this.filling.startsFile = startsFile;
    }
    return this.filling;
  }

  private seal(): void {
    this.sealed.push(this.filling);
    this.filling = this.spare.pop() ?? newBatch(BATCH_BYTES);
  }

  private longBatch(framed: number): Batch {
    if (framed > LONG_BATCH_BYTES) return newBatch(framed);
    return this.spareLong.pop() ?? newBatch(LONG_BATCH_BYTES);
  }

  private recycle(batch: Batch): void {
    batch.length = 0;
    batch.startsFile = false;
    if (batch.room === BATCH_BYTES) {
      if (this.spare.length < SPARE_BATCHES) this.spare.push(batch);
    } else if (batch.room === LONG_BATCH_BYTES) {
      if (this.spareLong.length < SPARE_LONG_BATCHES) this.spareLong.push(batch);
    }
  }

  /** Must be called with no write in flight. */
  private writeNext(): void {
    if (this.isAbandoned) return;
    if (this.failure !== undefined) {
      this.finishClose();
      return;
    }
    let batch = this.sealed.shift();
    if (batch === undefined) {
      if (this.filling.length === 0) {
        this.finishClose();
        return;
      }
      this.seal();
      batch = this.sealed.shift() as Batch;
    }
    this.inFlight = batch;
    this.startedMs = this.now();
    const { buffer, length } = batch;
    const used = this.file?.position ?? 0;
    const isFull = this.fileLimitBytes > 0 && used > this.fileLimitBytes;
    if (this.file === undefined || batch.startsFile || isFull) {
      this.file?.close();
      this.file = this.takeNext();
      this.file.writeFirst(batch.firstZxid, buffer, length, this.afterBatch);
    } else {
      this.file.write(buffer, length, this.afterBatch);
    }
  }

  private takeNext(): LogFileWriter {
    const next = this.next;
    this.next = undefined;
    return next === undefined || next.isSpoiled ? this.makeFile() : next;
  }

  private makeFile(): LogFileWriter {
    this.madeFiles += 1;
    return new LogFileWriter(this.fileOptions, this.madeFiles);
  }

  /** As the batches go on, so do the zeros: a disk that is busy with many gets no more of these at once. */
  private zeroAhead(): void {
    if (this.next === undefined || this.file === undefined) return;
    const written = this.file.position - this.preparedAt;
    this.next.zeroAhead(written * this.zerosPerByte);
  }

  private readonly afterBatch: BatchDone = (error, action = ''): void => {
    if (this.isAbandoned) return;
    const batch = this.inFlight as Batch;
    if (error !== undefined) {
      this.fail(error, action, batch.length);
      return;
    }
    const durationMs = this.now() - this.startedMs;
    const bytes = batch.length;
    const { lastZxid: zxid, txns } = batch;
    const queuedMs = this.startedMs - batch.startedMs;
    const { path } = this.file as LogFileWriter;
    assertInvariant(zxid > this.durableZxid, 'the durable zxid does not rise');
    assertInvariant(zxid <= this.appendedZxid, 'the durable zxid is beyond the appended one');
    this.durableZxid = zxid;
    this.pendingBytes -= bytes;
    this.syncCount += 1;
    this.syncMsTotal += durationMs;
    if (durationMs > this.syncMsMax) this.syncMsMax = durationMs;
    this.inFlight = undefined;
    this.recycle(batch);
    // The next write starts before the callbacks run.
    this.writeNext();
    this.zeroAhead();
    this.onBatch?.(txns, queuedMs, durationMs);
    if (durationMs > this.slowSyncMs) {
      this.onSlowSync?.(durationMs, bytes, path);
    }
    this.onDurable(zxid, this.life);
  };

  private fail(error: DiskError, action: string, bytes: number): void {
    this.failure = new StorageError(
      'DISK_FAILED',
      `Cannot ${action} the txn log: ${error.code ?? 'error'} (${error.message}), ${bytes} bytes; ` +
        `entries after ${formatZxid(this.durableZxid)} are not durable`,
      {
        file: this.file?.path ?? this.fileOptions.directory,
        ...(this.file === undefined ? {} : { offset: this.file.position }),
        cause: error,
        remedy:
          error.code === 'ENOSPC'
            ? 'Free space on this disk, then restart the server'
            : 'Check the disk, then restart the server',
      },
    );
    this.inFlight = undefined;
    this.sealed.length = 0;
    const failure = this.failure;
    this.onFailure(failure, this.life);
    this.finishClose();
  }

  private finishClose(): void {
    const done = this.closing;
    if (done === undefined) return;
    this.closing = undefined;
    const file = this.file;
    const next = this.next;
    this.file = undefined;
    this.next = undefined;
    const { disk, directory } = this.fileOptions;
    const end = (): void => done(this.failure);
    const isNextThere = next !== undefined && !next.isSpoiled;
    const dropNext = isNextThere ? () => next.discard(end) : end;
    // No file to close: syncing the directory is how the disk calls back later, in the simulator too.
    if (file === undefined) disk.syncDirectoryAsync(directory, () => dropNext());
    else if (this.failure === undefined) file.closeLast(dropNext);
    else file.close(dropNext);
  }
}

function newBatch(room: number): Batch {
  return {
    buffer: Buffer.allocUnsafeSlow(room + ZEROS_BYTES),
    room,
    length: 0,
    firstZxid: 0,
    lastZxid: 0,
    txns: 0,
    startedMs: 0,
    startsFile: false,
  };
}
