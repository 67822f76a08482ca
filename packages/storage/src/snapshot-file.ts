// Writes a snapshot in pieces, between other work of the event loop:
//
//   write(bytes) ──► filling chunk ──► summed ──► compressed ──► written ──► recycled
//                    (one copy)                   (gz: thread pool)  (tmp-snapshot.<hex>)
//
// `finish` syncs the file, renames it to `snapshot.<hex>` and syncs the directory: a snapshot that can be
// seen is whole. Java writes the final name without a sync.
//
// A fuzzy snapshot holds effects of txns after its zxid. Before `finish` the caller must wait until
// all txns applied while it was written are durable in the log (TxnLogWriter.durableZxid): otherwise
// a power cut could leave a snapshot with effects of txns that never were.

import { constants, crc32, deflateRaw } from 'node:zlib';
import { adler32, copyBytes, putInt32, type Zxid } from '@zebu/protocol';
import { type Disk, type DiskError, type Done, ignore, type WritableFile } from './disk.ts';
import { encodeFileHeader, SNAPSHOT_MAGIC } from './file-header.ts';
import { type SnapshotCompression, snapshotName, temporaryName } from './file-names.ts';
import { CHUNK_BYTES, giveChunk, takeChunk } from './page-memory.ts';
import {
  encodeSnappyHeader,
  maxCompressedLength,
  SNAPPY_BLOCK_BYTES,
  SnappyCompressor,
} from './snappy.ts';
import { StorageError } from './storage-error.ts';

/** Chunks under way at which `write` asks to wait. */
const MAX_CHUNKS = 3;
/**
 * The file is synced whenever it has grown by this: a sync of the log, on the same disk, waits until what was
 * written before it is on the disk, too (8 ms for 2 MB, 2 ms for this; bench/drivers/disk.c).
 */
const SYNC_BYTES = 512 * 1024;
/** Compresses four times as fast as Java's default level, a few per cent worse. */
const GZIP_LEVEL = 1;

export interface SnapshotWriterOptions {
  disk: Disk;
  /** The `version-2` directory of the snapshots. */
  directory: string;
  /** Last processed zxid before the first byte of the tree was walked. */
  zxid: Zxid;
  /** `zookeeper.snapshot.compression.method`. Default ''. */
  compression?: SnapshotCompression;
  /** `write` may go on after it had returned false; also called once after a failure. */
  onReady?: () => void;
}

export class SnapshotWriter {
  readonly zxid: Zxid;
  /** Final name of the file, with suffix. */
  readonly name: string;
  readonly path: string;
  /** Uncompressed bytes given to `write` and `seal`, header included. */
  bytesWritten: number;
  /** Bytes on disk so far, compressed or not. */
  fileBytes: number;
  /** Set when something failed; `finish` reports it too. `write` may be called still and does nothing. */
  failure: StorageError | undefined;

  private readonly disk: Disk;
  private readonly directory: string;
  /** Name of the file until it is finished. */
  readonly temporaryName: string;
  private readonly temporaryPath: string;
  private readonly compression: SnapshotCompression;
  private readonly onReady: (() => void) | undefined;
  private readonly file: WritableFile;
  private readonly snappy: SnappyCompressor | undefined;

  private chunk: Buffer;
  private length = 0;
  /** Bytes of the chunk below this are in `sum`. */
  private summed = 0;
  private sum = 1;
  private crc = 0;
  /** Full chunks that wait for the compressor, oldest first. */
  private readonly waiting: { chunk: Buffer; length: number; last: boolean }[] = [];
  private compressing = false;
  /** Chunks full, compressing or being written. */
  private underWay = 0;
  private wantsReady = false;
  private finishing: Done | undefined;
  /** It is to get its final name. */
  private isNamed = true;
  private ended = false;
  /** Size of the file when a sync of it was last asked for. */
  private syncedBytes = 0;

  /** Starts `tmp-snapshot.<hex>` with the file header in it. */
  constructor(options: SnapshotWriterOptions) {
    this.compression = options.compression ?? '';
    this.zxid = options.zxid;
    this.name = snapshotName(options.zxid, this.compression);
    this.path = `${options.directory}/${this.name}`;
    this.bytesWritten = 0;
    this.fileBytes = 0;
    this.failure = undefined;
    this.disk = options.disk;
    this.directory = options.directory;
    const { disk, directory } = options;
    this.temporaryName = temporaryName(this.name, disk.identity(directory));
    this.temporaryPath = `${directory}/${this.temporaryName}`;
    this.onReady = options.onReady;
    this.file = options.disk.openWrite(this.temporaryPath, {
      truncate: true,
      uncached: this.compression === '',
    });
    this.snappy = this.compression === 'snappy' ? new SnappyCompressor() : undefined;
    this.chunk = takeChunk();
    if (this.compression === 'gz') this.put(GZIP_HEADER, GZIP_HEADER.length, undefined);
    if (this.compression === 'snappy') {
      const header = encodeSnappyHeader();
      this.put(header, header.length, undefined);
    }
    const header = encodeFileHeader(SNAPSHOT_MAGIC, -1);
    this.write(header, 0, header.length);
  }

  /** True while more may be written without waiting for `onReady`. */
  get ready(): boolean {
    return this.underWay < MAX_CHUNKS;
  }

  /**
   * Appends `bytes[start, end)`, which are copied. They are always taken; false asks the caller to wait
   * for `onReady` before the next call.
   */
  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.ended) throw new Error('Snapshot was finished or aborted');
    let from = start;
    while (from < end) {
      const count = Math.min(end - from, CHUNK_BYTES - this.length);
      copyBytes(bytes, from, from + count, this.chunk, this.length);
      this.length += count;
      from += count;
      if (this.length === CHUNK_BYTES) this.passChunk(false);
    }
    this.bytesWritten += end - start;
    if (this.ready || this.failure !== undefined) return true;
    this.wantsReady = true;
    return false;
  }

  /** Appends a seal: the Adler-32 of all bytes so far, and the path "/". */
  seal(): void {
    this.sumChunk();
    const seal = Buffer.alloc(13);
    putInt32(seal, 4, this.sum);
    putInt32(seal, 8, 1);
    seal[12] = 0x2f;
    this.write(seal, 0, seal.length);
  }

  /** Makes the snapshot durable and visible, then calls `done`; on failure the temporary file is removed. */
  finish(done: (error?: StorageError) => void): void {
    this.end(done, true);
  }

  /** As `finish`, but the file keeps its temporary name: for adoptSnapshot, which renames it. */
  complete(done: (error?: StorageError) => void): void {
    this.end(done, false);
  }

  private end(done: (error?: StorageError) => void, isNamed: boolean): void {
    this.ended = true;
    this.finishing = done as Done;
    this.isNamed = isNamed;
    this.passChunk(true);
    this.endIfDrained();
  }

  /** Gives the snapshot up and removes the temporary file. */
  abort(done?: () => void): void {
    if (!this.ended) giveChunk(this.chunk);
    this.ended = true;
    this.failure ??= new StorageError('DISK_FAILED', 'Snapshot was aborted', { file: this.path });
    this.remove(() => done?.());
  }

  private sumChunk(): void {
    this.sum = adler32(this.chunk, this.summed, this.length, this.sum);
    this.summed = this.length;
  }

  private passChunk(last: boolean): void {
    this.sumChunk();
    this.underWay += 1;
    this.waiting.push({ chunk: this.chunk, length: this.length, last });
    this.chunk = last ? this.chunk : takeChunk();
    this.length = 0;
    this.summed = 0;
    this.compressNext();
  }

  private compressNext(): void {
    if (this.compressing) return;
    const next = this.waiting.shift();
    if (next === undefined) return;
    const { chunk, length, last } = next;
    if (this.failure !== undefined) {
      this.recycle(chunk);
      this.compressNext();
      return;
    }
    switch (this.compression) {
      case 'gz':
        this.deflate(chunk, length, last);
        return;
      case 'snappy': {
        const compressed = this.compressSnappy(chunk, length);
        this.put(compressed, compressed.length, chunk);
        break;
      }
      default:
        this.put(chunk, length, chunk);
    }
    this.compressNext();
  }

  // Each chunk is deflated on its own and ends on a whole byte, so the pieces can be joined into one gzip
  // member; that costs under 1 % in size and needs no stream.
  private deflate(chunk: Buffer, length: number, last: boolean): void {
    this.compressing = true;
    this.crc = crc32(chunk.subarray(0, length), this.crc);
    const finishFlush = last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    deflateRaw(
      chunk.subarray(0, length),
      { level: GZIP_LEVEL, finishFlush },
      (error, compressed) => {
        this.compressing = false;
        if (error !== null) this.fail(error);
        if (this.failure !== undefined) {
          this.recycle(chunk);
        } else {
          this.put(compressed, compressed.length, chunk);
          if (last) {
            const trailer = Buffer.alloc(8);
            trailer.writeUInt32LE(this.crc, 0);
            trailer.writeUInt32LE(this.bytesWritten >>> 0, 4);
            this.put(trailer, trailer.length, undefined);
          }
        }
        this.compressNext();
      },
    );
  }

  private compressSnappy(chunk: Buffer, length: number): Buffer {
    const snappy = this.snappy as SnappyCompressor;
    const blocks = Math.ceil(length / SNAPPY_BLOCK_BYTES);
    const target = Buffer.allocUnsafe(blocks * (4 + maxCompressedLength(SNAPPY_BLOCK_BYTES)));
    let to = 0;
    for (let start = 0; start < length; start += SNAPPY_BLOCK_BYTES) {
      const end = Math.min(length, start + SNAPPY_BLOCK_BYTES);
      const blockEnd = snappy.compress(chunk, start, end, target, to + 4);
      putInt32(target, to, blockEnd - to - 4);
      to = blockEnd;
    }
    return target.subarray(0, to);
  }

  /** Writes bytes to the file, then recycles the chunk they came from. */
  private put(bytes: Buffer, length: number, chunk: Buffer | undefined): void {
    const position = this.fileBytes;
    this.fileBytes += length;
    if (chunk === undefined) this.underWay += 1;
    this.file.write(bytes, length, position, (error) => {
      if (error !== undefined) this.fail(error);
      this.recycle(chunk);
    });
    if (this.fileBytes - this.syncedBytes < SYNC_BYTES) return;
    this.syncedBytes = this.fileBytes;
    // A failure here fails all later operations on the same file.
    this.file.sync(ignore);
  }

  private recycle(chunk: Buffer | undefined): void {
    this.underWay -= 1;
    if (chunk !== undefined) giveChunk(chunk);
    if (this.wantsReady && this.ready) {
      this.wantsReady = false;
      this.onReady?.();
    }
    this.endIfDrained();
  }

  private endIfDrained(): void {
    if (this.finishing === undefined || this.underWay > 0) return;
    const done = this.finishing as (error?: StorageError) => void;
    this.finishing = undefined;
    if (this.failure !== undefined) {
      this.remove(() => done(this.failure));
      return;
    }
    const step =
      (next: () => void) =>
      (error?: DiskError): void => {
        if (error === undefined) {
          next();
          return;
        }
        this.fail(error);
        this.remove(() => done(this.failure));
      };
    this.file.sync(
      step(() =>
        this.file.close(
          step(() => {
            const syncNames = step(() =>
              this.disk.syncDirectoryAsync(
                this.directory,
                step(() => done()),
              ),
            );
            if (!this.isNamed) syncNames();
            else this.disk.renameAsync(this.temporaryPath, this.path, syncNames);
          }),
        ),
      ),
    );
  }

  private fail(error: DiskError): void {
    if (this.failure !== undefined) return;
    this.failure = new StorageError(
      'DISK_FAILED',
      `Cannot write snapshot: ${error.code ?? 'error'} (${error.message})`,
      {
        file: this.path,
        offset: this.fileBytes,
        cause: error,
        remedy: error.code === 'ENOSPC' ? 'Free space on this disk' : 'Check the disk',
      },
    );
    if (this.wantsReady) {
      this.wantsReady = false;
      this.onReady?.();
    }
  }

  private remove(done: () => void): void {
    this.file.close(() => this.disk.unlinkAsync(this.temporaryPath, () => done()));
  }
}

/** Magic, method deflate, no flags, no time, no extra flags, unknown system: as Java writes it. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
