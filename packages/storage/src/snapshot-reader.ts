// Reads a snapshot that is pushed to it, in chunks cut anywhere: the blocks of a file, or what a peer
// link received.
//
//   file     FileHeader | sessions | ACLs, znodes, "/" | seal A | digest | seal B | lastProcessedZxid | seal C
//   stream                sessions | ACLs, znodes, "/" | ustring "BenWasHere"       (disk.md 5.1, quorum.md 6.4)
//                         here       the handler         here
//
//   session   long id, int timeoutMs; before them int count
//   seal      long adler32 of every byte before it, ustring "/"
//   digest    long zxid, int version, long digest
//
// A record that a chunk ends in is kept until the rest of it has come, and nothing else is.

import { adler32, getInt32 } from '@zebu/protocol';
import { FILE_HEADER_BYTES, SNAPSHOT_MAGIC } from './file-header.ts';
import { StorageError } from './storage-error.ts';

const SESSION_BYTES = 12;
export const SEAL_BYTES = 13;
const DIGEST_BYTES = 20;
const LAST_ZXID_BYTES = 8;
/** Seal, digest, seal, zxid, seal. */
export const TRAILER_MAX_BYTES: number =
  SEAL_BYTES + DIGEST_BYTES + SEAL_BYTES + LAST_ZXID_BYTES + SEAL_BYTES;
/** Of a chunk, added to the kept beginning of a record at first: most records end there. */
const PIECE_BYTES = 4 * 1024;
/** A path and data at the limit of what is taken from a snapshot (data-tree: RESTORE_FIELD_LIMIT). */
const MAX_RECORD_BYTES = 2 ** 29;

/** The ustring "/" that ends the znodes, and every seal. */
export const SNAPSHOT_END: Buffer = Buffer.from([0, 0, 0, 1, 0x2f]);
/** What LearnerHandler writes after a snapshot, as a ustring. */
export const SNAPSHOT_SIGNATURE: Buffer = Buffer.from('\0\0\0\x0aBenWasHere', 'latin1');

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

/** Who knows what is in a snapshot. Whatever it throws makes the snapshot count as broken. */
export interface SnapshotHandler {
  /** One entry of section 2. */
  session(idHigh: number, idLow: number, timeoutMs: number): void;
  /**
   * Sections 3 and 4: loads every whole record in `bytes[start, end)` and returns how many bytes they
   * took. What is left is the beginning of a record, and comes again with more after it. `bytes` are
   * valid during the call.
   */
  records(bytes: Buffer, start: number, end: number): number;
  /** `records` has taken the closing "/". */
  readonly isComplete: boolean;
}

export interface SnapshotReaderOptions {
  readonly kind: 'file' | 'stream';
  readonly handler: SnapshotHandler;
  /** Path of the file, or who sends it: for messages. */
  readonly name: string;
  /** A longer record is damage. Default 512 MiB. */
  readonly maxRecordBytes?: number;
  /** Gets sections 2 to 4 as they are taken, byte for byte; `bytes` are valid during the call. */
  readonly onSections?: (bytes: Buffer, start: number, end: number) => void;
}

const HEADER = 0;
const SESSION_COUNT = 1;
const SESSIONS = 2;
const RECORDS = 3;
const TRAILER = 4;
const SIGNATURE = 5;
const DONE = 6;

/** Throws StorageError `BAD_MAGIC`, `BAD_SNAPSHOT` or `BAD_CHECKSUM`; it is of no more use then. */
export class SnapshotReader {
  /** Uncompressed bytes taken. */
  position: number;

  private readonly handler: SnapshotHandler;
  private readonly isFile: boolean;
  private readonly name: string;
  private readonly maxRecordBytes: number;
  private readonly onSections: SnapshotReaderOptions['onSections'];
  private phase: number;
  private sessionsLeft = 0;
  private sum = 1;
  /** The beginning of a record: `rest[0, restLength)`. */
  private rest: Buffer = EMPTY;
  private restLength = 0;
  private readonly trailer: Buffer;
  private trailerLength = 0;
  private trailerAt = 0;

  constructor(options: SnapshotReaderOptions) {
    this.position = 0;
    this.handler = options.handler;
    this.isFile = options.kind === 'file';
    this.name = options.name;
    this.maxRecordBytes = options.maxRecordBytes ?? MAX_RECORD_BYTES;
    this.onSections = options.onSections;
    this.phase = this.isFile ? HEADER : SESSION_COUNT;
    // One byte more than can be right: too many are noticed.
    this.trailer = Buffer.alloc(this.isFile ? TRAILER_MAX_BYTES + 1 : 0);
  }

  /** A stream has ended, with its signature. A file says where it ends: `finish`. */
  get isDone(): boolean {
    return this.phase === DONE;
  }

  /**
   * Takes `bytes[start, end)`, which may be used again afterwards. Returns how many bytes were taken:
   * all of them, but for those after the signature of a stream, which are the packets that follow it.
   */
  feed(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isDone) {
      if (this.restLength === 0) {
        at += this.take(bytes, at, end);
        if (this.isDone || at === end) break;
        this.keep(bytes, at, end);
        return end - start;
      }
      // The record that was cut, then on with the chunk itself, without a copy.
      const kept = this.restLength;
      const piece = Math.min(end - at, Math.max(PIECE_BYTES, kept));
      this.keep(bytes, at, at + piece);
      const taken = this.take(this.rest, 0, this.restLength);
      if (taken === 0) {
        at += piece;
        continue;
      }
      if (taken < kept) throw this.bad('A record was taken by half');
      at += taken - kept;
      this.restLength = 0;
    }
    return at - start;
  }

  /** All bytes were fed. Throws when a file or stream is not whole, or a seal is wrong. */
  finish(): SnapshotTrailer {
    if (this.isFile ? this.phase !== TRAILER : !this.isDone) {
      throw this.bad('The snapshot is cut short');
    }
    return this.isFile ? this.readTrailer() : NO_TRAILER;
  }

  /** An error that names the snapshot and the current position. */
  bad(what: string, cause?: unknown): StorageError {
    return new StorageError('BAD_SNAPSHOT', what, {
      file: this.name,
      offset: this.position,
      cause,
    });
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    const length = this.restLength + end - start;
    if (length > this.maxRecordBytes) {
      throw this.bad(`A record of more than ${this.maxRecordBytes} bytes`);
    }
    if (length > this.rest.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * PIECE_BYTES, 2 * length));
      this.rest.copy(grown, 0, 0, this.restLength);
      this.rest = grown;
    }
    bytes.copy(this.rest, this.restLength, start, end);
    this.restLength = length;
  }

  /** Takes what is whole of `bytes[start, end)`; returns its length. */
  private take(bytes: Buffer, start: number, end: number): number {
    let at = start;
    for (;;) {
      const phase = this.phase;
      const taken = this.takeOne(bytes, at, end);
      if (taken > 0) {
        if (this.isFile && phase !== TRAILER) this.sum = adler32(bytes, at, at + taken, this.sum);
        if (phase >= SESSION_COUNT && phase <= RECORDS) this.onSections?.(bytes, at, at + taken);
        this.position += taken;
        at += taken;
      }
      // What is left belongs to this phase, and is not whole.
      if (phase === this.phase) return at - start;
    }
  }

  private takeOne(bytes: Buffer, at: number, end: number): number {
    switch (this.phase) {
      case HEADER:
        return this.takeHeader(bytes, at, end);
      case SESSION_COUNT:
        if (end - at < 4) return 0;
        this.sessionsLeft = getInt32(bytes, at);
        if (this.sessionsLeft < 0) throw this.bad(`${this.sessionsLeft} sessions`);
        this.phase = this.sessionsLeft === 0 ? RECORDS : SESSIONS;
        return 4;
      case SESSIONS:
        return this.takeSessions(bytes, at, end);
      case RECORDS:
        return this.takeRecords(bytes, at, end);
      case TRAILER:
        return this.takeTrailer(bytes, at, end);
      case SIGNATURE: {
        const length = SNAPSHOT_SIGNATURE.length;
        if (end - at < length) return 0;
        if (bytes.compare(SNAPSHOT_SIGNATURE, 0, length, at, at + length) !== 0) {
          throw this.bad('A snapshot stream without its signature');
        }
        this.phase = DONE;
        return length;
      }
      default:
        return 0;
    }
  }

  private takeHeader(bytes: Buffer, at: number, end: number): number {
    if (end - at < FILE_HEADER_BYTES) return 0;
    const magic = bytes.readUInt32BE(at);
    if (magic !== SNAPSHOT_MAGIC) {
      throw new StorageError('BAD_MAGIC', `Not a snapshot: magic 0x${magic.toString(16)}`, {
        file: this.name,
        offset: 0,
      });
    }
    this.phase = SESSION_COUNT;
    return FILE_HEADER_BYTES;
  }

  private takeSessions(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (this.sessionsLeft > 0 && end - at >= SESSION_BYTES) {
      this.handler.session(getInt32(bytes, at), getInt32(bytes, at + 4), getInt32(bytes, at + 8));
      at += SESSION_BYTES;
      this.sessionsLeft -= 1;
    }
    if (this.sessionsLeft === 0) this.phase = RECORDS;
    return at - start;
  }

  private takeRecords(bytes: Buffer, start: number, end: number): number {
    let taken: number;
    try {
      taken = this.handler.records(bytes, start, end);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      throw this.bad((error as Error).message, error);
    }
    if (this.handler.isComplete) this.phase = this.isFile ? TRAILER : SIGNATURE;
    return taken;
  }

  private takeTrailer(bytes: Buffer, at: number, end: number): number {
    const room = this.trailer.length - this.trailerLength;
    if (end - at > room) throw this.bad('Unknown bytes after the znodes');
    bytes.copy(this.trailer, this.trailerLength, at, end);
    this.trailerLength += end - at;
    return end - at;
  }

  /**
   * Checks seal A and what follows it. Whether a digest and a last zxid are there is told by the length:
   * a writer's flags, unlike Java's reader, are not asked for.
   */
  private readTrailer(): SnapshotTrailer {
    this.position -= this.trailerLength;
    const left = this.trailerLength - SEAL_BYTES;
    this.readSeal();
    let digest: SnapshotDigest | undefined;
    let lastProcessedZxid: bigint | undefined;
    const trailer = this.trailer;
    const withDigest = DIGEST_BYTES + SEAL_BYTES;
    const withZxid = LAST_ZXID_BYTES + SEAL_BYTES;
    if (left === withDigest || left === withDigest + withZxid) {
      const at = this.trailerAt;
      // Versions below 2 stored a hex string; such a section has another length and is refused below.
      digest = {
        zxid: trailer.readBigInt64BE(at),
        version: trailer.readInt32BE(at + 8),
        digestHigh: trailer.readInt32BE(at + 12),
        digestLow: trailer.readInt32BE(at + 16),
      };
      this.passTrailer(DIGEST_BYTES);
      this.readSeal();
    }
    if (left === withZxid || left === withDigest + withZxid) {
      lastProcessedZxid = trailer.readBigInt64BE(this.trailerAt);
      this.passTrailer(LAST_ZXID_BYTES);
      this.readSeal();
    }
    if (this.trailerAt !== this.trailerLength) {
      throw this.bad(`${left} unknown bytes after the znodes`);
    }
    return { digest, lastProcessedZxid };
  }

  private passTrailer(count: number): void {
    const from = this.trailerAt;
    this.trailerAt += count;
    this.position += count;
    this.sum = adler32(this.trailer, from, this.trailerAt, this.sum);
  }

  /** Checks a seal: the Adler-32 of every byte before it, then the path "/". */
  private readSeal(): void {
    const at = this.trailerAt;
    const trailer = this.trailer;
    if (this.trailerLength - at < SEAL_BYTES) throw this.bad('The snapshot is cut short');
    const stored = trailer.readUInt32BE(at + 4);
    if (trailer.readInt32BE(at) !== 0 || stored !== this.sum) {
      throw new StorageError(
        'BAD_CHECKSUM',
        `Snapshot checksum is 0x${stored.toString(16)}, but its bytes give 0x${this.sum.toString(16)}`,
        { file: this.name, offset: this.position },
      );
    }
    if (trailer.compare(SNAPSHOT_END, 0, 5, at + 8, at + 13) !== 0) {
      throw this.bad('A seal without its mark');
    }
    this.passTrailer(SEAL_BYTES);
  }
}

const EMPTY = Buffer.alloc(0);
/** Of a stream. */
export const NO_TRAILER: SnapshotTrailer = Object.freeze({
  digest: undefined,
  lastProcessedZxid: undefined,
});
