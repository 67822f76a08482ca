import { adler32 } from '@zebu/protocol';
import type { Disk, ReadableFile } from './disk.ts';
import { type ByteSource, GunzipSource } from './inflate.ts';
import { FILE_HEADER_BYTES, SNAPSHOT_MAGIC, type SnapshotCompression } from './segment.ts';
import { decompressSnappy, SNAPPY_HEADER_BYTES, SNAPPY_MAGIC, snappyLength } from './snappy.ts';
import { StorageError } from './storage-error.ts';

// A snapshot as a cursor over its uncompressed bytes. This package reads the header and the seals; what
// is between them (sessions, ACL table, nodes: disk.md section 5.1) is read by the caller, who knows
// the tree:
//
//   FileHeader | sessions, ACLs, nodes, "/" | seal A | digest | seal B | lastProcessedZxid | seal C
//     here     |       the caller           |                     here
//
// The caller takes bytes from `bytes[offset, end)` and advances `offset`; `need(n)` makes sure that n are
// there. Everything that passes is summed, so a seal can be checked wherever one stands.

const WINDOW_BYTES = 256 * 1024;
/** long adler32, ustring "/" */
const SEAL_BYTES = 13;
/** long zxid, int version, long digest */
const DIGEST_BYTES = 20;
const LAST_ZXID_BYTES = 8;
/** Every snapshot ends in a seal's ustring "/". */
const TAIL = Buffer.from([0, 0, 0, 1, 0x2f]);

/** The digest section of a snapshot: the tree's digest once txn `zxid` was applied. */
export interface SnapshotDigest {
  readonly zxid: bigint;
  readonly version: number;
  readonly digestHigh: number;
  readonly digestLow: number;
}

export interface SnapshotTrailer {
  readonly digest: SnapshotDigest | undefined;
  /** Last processed zxid when the writing ended; the snapshot's own zxid is in its name. */
  readonly lastProcessedZxid: bigint | undefined;
}

/** Reads 256 KiB at a time; the window grows for one huge field. Throws StorageError `BAD_SNAPSHOT`. */
export class SnapshotInput {
  /** The window. Views on it are valid until the next `need`. */
  bytes: Buffer;
  /** Next byte to read; the caller moves it. Invariant: offset <= end. */
  offset: number;
  end: number;
  readonly path: string;
  /** Bytes on disk, compressed or not. */
  readonly fileBytes: number;

  readonly #source: ByteSource;
  readonly #file: ReadableFile;
  readonly #counter: FileSource;
  /** Uncompressed offset of `bytes[0]`. */
  #base = 0;
  #sum = 1;
  /** Bytes of the window below this are in `#sum`. Invariant: #summed <= offset. */
  #summed = 0;
  #atEnd = false;

  constructor(disk: Disk, path: string, compression: SnapshotCompression) {
    this.path = path;
    // Compressed, it is inflated for longer than it is read.
    this.#file = disk.openRead(path, { sequential: compression === '' });
    this.fileBytes = this.#file.size;
    this.#counter = new FileSource(this.#file);
    this.#source =
      compression === 'gz'
        ? new GunzipSource(this.#counter)
        : compression === 'snappy'
          ? new SnappySource(this.#counter)
          : this.#counter;
    this.bytes = Buffer.allocUnsafeSlow(WINDOW_BYTES);
    this.offset = 0;
    this.end = 0;
  }

  /** Uncompressed bytes consumed. */
  get position(): number {
    return this.#base + this.offset;
  }

  /** Bytes of the file read so far, for progress. */
  get fileBytesRead(): number {
    return this.#counter.position;
  }

  /** Makes `count` bytes available at `offset`. Throws when the file ends before. May move the window. */
  need(count: number): void {
    if (this.end - this.offset >= count) return;
    if (count < 0) throw this.bad(`Unreasonable length ${count}`);
    if (this.#fill(count) < count) throw this.bad('The snapshot is cut short');
  }

  int32(): number {
    if (this.end - this.offset < 4) this.need(4);
    const at = this.offset;
    this.offset = at + 4;
    const b = this.bytes;
    return (
      ((b[at] as number) << 24) |
      ((b[at + 1] as number) << 16) |
      ((b[at + 2] as number) << 8) |
      (b[at + 3] as number)
    );
  }

  bigint64(): bigint {
    this.need(8);
    const value = this.bytes.readBigInt64BE(this.offset);
    this.offset += 8;
    return value;
  }

  /** How many bytes are left, counted up to `limit`. */
  remaining(limit: number): number {
    return Math.min(limit, this.#fill(limit));
  }

  /** Checks the header and passes it. */
  readHeader(): void {
    this.need(FILE_HEADER_BYTES);
    const magic = this.bytes.readUInt32BE(this.offset);
    if (magic !== SNAPSHOT_MAGIC) {
      throw new StorageError('BAD_MAGIC', `Not a snapshot: magic 0x${magic.toString(16)}`, {
        file: this.path,
        offset: 0,
      });
    }
    this.offset += FILE_HEADER_BYTES;
  }

  /**
   * Checks seal A and what follows it. Whether a digest and a last zxid are there is told by the length:
   * a writer's flags, unlike Java's reader, are not asked for.
   */
  readTrailer(): SnapshotTrailer {
    this.readSeal();
    let digest: SnapshotDigest | undefined;
    let lastProcessedZxid: bigint | undefined;
    const left = this.remaining(TRAILER_MAX_BYTES + 1);
    if (left === DIGEST_BYTES + SEAL_BYTES || left === TRAILER_MAX_BYTES) {
      const zxid = this.bigint64();
      const version = this.int32();
      // Versions below 2 stored a hex string; such a section has another length and is refused below.
      digest = { zxid, version, digestHigh: this.int32(), digestLow: this.int32() };
      this.readSeal();
    }
    if (left === LAST_ZXID_BYTES + SEAL_BYTES || left === TRAILER_MAX_BYTES) {
      lastProcessedZxid = this.bigint64();
      this.readSeal();
    }
    if (this.remaining(1) !== 0) throw this.bad(`${left} unknown bytes behind the nodes`);
    return { digest, lastProcessedZxid };
  }

  /** Checks a seal: the Adler-32 of every byte before it, then the path "/". */
  readSeal(): void {
    const at = this.position;
    this.#sumTo(this.offset);
    const sum = this.#sum;
    this.need(SEAL_BYTES);
    const bytes = this.bytes;
    const stored = bytes.readUInt32BE(this.offset + 4);
    if (bytes.readInt32BE(this.offset) !== 0 || stored !== sum) {
      throw new StorageError(
        'BAD_CHECKSUM',
        `Snapshot checksum is 0x${stored.toString(16)}, but its bytes give 0x${sum.toString(16)}`,
        { file: this.path, offset: at },
      );
    }
    if (bytes.compare(TAIL, 0, 5, this.offset + 8, this.offset + 13) !== 0) {
      throw this.bad('A seal without its mark');
    }
    this.offset += SEAL_BYTES;
  }

  close(): void {
    this.#file.close();
  }

  /** An error that names this file and the current position. */
  bad(what: string, cause?: unknown): StorageError {
    return new StorageError('BAD_SNAPSHOT', what, {
      file: this.path,
      offset: this.position,
      cause,
    });
  }

  #sumTo(offset: number): void {
    this.#sum = adler32(this.bytes, this.#summed, offset, this.#sum);
    this.#summed = offset;
  }

  /** Tries to have `count` bytes at `offset`; returns how many there are. */
  #fill(count: number): number {
    while (this.end - this.offset < count && !this.#atEnd) {
      this.#sumTo(this.offset);
      const left = this.end - this.offset;
      // A field larger than the window doubles it, step by step: a garbage length must not make us
      // allocate gigabytes, nor a caller that asks for one byte more each time make us copy for ever.
      const capacity = count <= WINDOW_BYTES ? WINDOW_BYTES : Math.max(WINDOW_BYTES, 2 * left);
      const target = this.bytes.length === capacity ? this.bytes : Buffer.allocUnsafeSlow(capacity);
      this.bytes.copy(target, 0, this.offset, this.end);
      this.#base += this.offset;
      this.bytes = target;
      this.offset = 0;
      this.#summed = 0;
      let got: number;
      try {
        got = this.#source.read(target, left, capacity - left);
      } catch (error) {
        if (error instanceof StorageError) throw error;
        throw this.bad(`Cannot decompress: ${(error as Error).message}`, error);
      }
      this.end = left + got;
      this.#atEnd = got < capacity - left;
    }
    return this.end - this.offset;
  }
}

const TRAILER_MAX_BYTES = DIGEST_BYTES + SEAL_BYTES + LAST_ZXID_BYTES + SEAL_BYTES;

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
    return file.read(bytes, 0, 5, file.size - 5) === 5 && bytes.subarray(0, 5).equals(TAIL);
  } finally {
    file.close();
  }
}

class FileSource implements ByteSource {
  position = 0;
  readonly #file: ReadableFile;

  constructor(file: ReadableFile) {
    this.#file = file;
  }

  read(target: Buffer, offset: number, length: number): number {
    const got = this.#file.read(target, offset, length, this.position);
    this.position += got;
    return got;
  }
}

/** Blocks larger than this are refused: Java's writer can be set to 512 MiB, but nobody does. */
const MAX_SNAPPY_BLOCK_BYTES = 64 * 1024 * 1024;

/** The xerial container: see snappy.ts. */
class SnappySource implements ByteSource {
  readonly #source: ByteSource;
  #compressed: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #block: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #blockAt = 0;
  #blockEnd = 0;
  #started = false;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  read(target: Buffer, offset: number, length: number): number {
    let filled = 0;
    while (filled < length) {
      if (this.#blockAt === this.#blockEnd && !this.#nextBlock()) break;
      const count = Math.min(length - filled, this.#blockEnd - this.#blockAt);
      this.#block.copy(target, offset + filled, this.#blockAt, this.#blockAt + count);
      this.#blockAt += count;
      filled += count;
    }
    return filled;
  }

  #nextBlock(): boolean {
    const head = this.#compressed;
    if (!this.#started) {
      const got = this.#source.read(head, 0, SNAPPY_HEADER_BYTES);
      if (got < SNAPPY_HEADER_BYTES || head.compare(SNAPPY_MAGIC, 0, 8, 0, 8) !== 0) {
        throw new Error('Not a snappy stream');
      }
      this.#started = true;
    }
    const got = this.#source.read(head, 0, 4);
    if (got === 0) return false;
    const length = got < 4 ? -1 : head.readInt32BE(0);
    if (length < 0 || length > MAX_SNAPPY_BLOCK_BYTES) {
      throw new Error(`Unreasonable snappy block of ${length} bytes`);
    }
    if (this.#compressed.length < length) this.#compressed = Buffer.allocUnsafeSlow(length);
    if (this.#source.read(this.#compressed, 0, length) < length) {
      throw new Error('Snappy data is cut short');
    }
    const size = snappyLength(this.#compressed, 0, length);
    if (size > MAX_SNAPPY_BLOCK_BYTES)
      throw new Error(`Unreasonable snappy block of ${size} bytes`);
    if (this.#block.length < size) this.#block = Buffer.allocUnsafeSlow(size);
    this.#blockEnd = decompressSnappy(this.#compressed, 0, length, this.#block);
    this.#blockAt = 0;
    // An empty block is legal: look at the next one.
    return this.#blockEnd > 0 || this.#nextBlock();
  }
}
