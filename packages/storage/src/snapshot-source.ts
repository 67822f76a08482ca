// A snapshot file as the bytes that were given to its writer, whatever its compression.

import type { Disk, ReadableFile } from './disk.ts';
import type { SnapshotCompression } from './file-names.ts';
import { type ByteSource, GunzipSource } from './inflate.ts';
import { decompressSnappy, SNAPPY_HEADER_BYTES, SNAPPY_MAGIC, snappyLength } from './snappy.ts';
import { SNAPSHOT_END } from './snapshot-reader.ts';
import { StorageError } from './storage-error.ts';

/** Read at a time, and fed between two yields. */
const CHUNK_BYTES = 256 * 1024;
const SLICE_BYTES = 1 << 20;

/** How far the reading of a snapshot file is, in bytes on disk. */
export interface SnapshotFileProgress {
  readonly bytesRead: number;
  readonly totalBytes: number;
}

/** A SnapshotReader of a file, or whatever else wants its bytes. */
interface ByteTarget {
  feed(bytes: Buffer, start: number, end: number): unknown;
  bad(what: string, cause?: unknown): StorageError;
}

/**
 * Feeds a whole file to `reader`; yields about every megabyte. `begin`
 * is told the size of the file first. Throws what the reader throws, and StorageError `BAD_SNAPSHOT` for
 * a file that cannot be decompressed. The caller finishes the reader.
 */
export function* feedSnapshotFile(
  disk: Disk,
  path: string,
  compression: SnapshotCompression,
  reader: ByteTarget,
  begin?: (fileBytes: number) => void,
): Generator<SnapshotFileProgress, void, void> {
  // Compressed, it is inflated for longer than it is read.
  const file = disk.openRead(path, { sequential: compression === '' });
  try {
    begin?.(file.size);
    const counter = new FileSource(file);
    const source =
      compression === 'gz'
        ? new GunzipSource(counter)
        : compression === 'snappy'
          ? new SnappySource(counter)
          : counter;
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    let left = SLICE_BYTES;
    for (;;) {
      const got = readChunk(source, chunk, reader);
      reader.feed(chunk, 0, got);
      if (got < CHUNK_BYTES) return;
      left -= got;
      if (left > 0) continue;
      left = SLICE_BYTES;
      yield { bytesRead: counter.position, totalBytes: file.size };
    }
  } finally {
    file.close();
  }
}

function readChunk(source: ByteSource, chunk: Buffer, reader: ByteTarget): number {
  try {
    return source.read(chunk, 0, chunk.length);
  } catch (error) {
    if (
      error instanceof StorageError ||
      typeof (error as { syscall?: unknown }).syscall === 'string'
    ) {
      throw error;
    }
    throw reader.bad(`Cannot decompress: ${(error as Error).message}`, error);
  }
}

/** The quick test of Java's SnapStream.isValidSnapshot: true means "probably whole". */
export function looksValid(disk: Disk, path: string, compression: SnapshotCompression): boolean {
  if (disk.kind(path) !== 'file') return false;
  const file = disk.openRead(path);
  try {
    if (file.size < 10) return false;
    const bytes = Buffer.alloc(8);
    if (compression === 'gz') {
      return file.read(bytes, 0, 2, 0) === 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
    }
    if (compression === 'snappy') {
      return file.read(bytes, 0, 8, 0) === 8 && bytes.equals(SNAPPY_MAGIC);
    }
    return file.read(bytes, 0, 5, file.size - 5) === 5 && bytes.subarray(0, 5).equals(SNAPSHOT_END);
  } finally {
    file.close();
  }
}

class FileSource implements ByteSource {
  position = 0;
  private readonly file: ReadableFile;

  constructor(file: ReadableFile) {
    this.file = file;
  }

  read(target: Buffer, offset: number, length: number): number {
    const got = this.file.read(target, offset, length, this.position);
    this.position += got;
    return got;
  }
}

/** Blocks larger than this are refused: Java's writer can be set to 512 MiB, but nobody does. */
const MAX_SNAPPY_BLOCK_BYTES = 64 * 1024 * 1024;

/** The xerial container: see snappy.ts. */
class SnappySource implements ByteSource {
  private readonly source: ByteSource;
  private compressed: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  private block: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  private blockAt = 0;
  private blockEnd = 0;
  private started = false;

  constructor(source: ByteSource) {
    this.source = source;
  }

  read(target: Buffer, offset: number, length: number): number {
    let filled = 0;
    while (filled < length) {
      if (this.blockAt === this.blockEnd && !this.nextBlock()) break;
      const count = Math.min(length - filled, this.blockEnd - this.blockAt);
      this.block.copy(target, offset + filled, this.blockAt, this.blockAt + count);
      this.blockAt += count;
      filled += count;
    }
    return filled;
  }

  private nextBlock(): boolean {
    const head = this.compressed;
    if (!this.started) {
      const got = this.source.read(head, 0, SNAPPY_HEADER_BYTES);
      if (got < SNAPPY_HEADER_BYTES || head.compare(SNAPPY_MAGIC, 0, 8, 0, 8) !== 0) {
        throw new Error('Not a snappy stream');
      }
      this.started = true;
    }
    const got = this.source.read(head, 0, 4);
    if (got === 0) return false;
    const length = got < 4 ? -1 : head.readInt32BE(0);
    if (length < 0 || length > MAX_SNAPPY_BLOCK_BYTES) {
      throw new Error(`Unreasonable snappy block of ${length} bytes`);
    }
    if (this.compressed.length < length) this.compressed = Buffer.allocUnsafeSlow(length);
    if (this.source.read(this.compressed, 0, length) < length) {
      throw new Error('Snappy data is cut short');
    }
    const size = snappyLength(this.compressed, 0, length);
    if (size > MAX_SNAPPY_BLOCK_BYTES)
      throw new Error(`Unreasonable snappy block of ${size} bytes`);
    if (this.block.length < size) this.block = Buffer.allocUnsafeSlow(size);
    this.blockEnd = decompressSnappy(this.compressed, 0, length, this.block);
    this.blockAt = 0;
    // An empty block is legal: look at the next one.
    return this.blockEnd > 0 || this.nextBlock();
  }
}
