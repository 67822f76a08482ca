// Reads a file that is read from its first byte to its last on the thread pool, ahead of its reader.
//
//   reader ──► piece n     n + 1     ...     n + 15
//              copied      there     ...     being read
//
// The reader is synchronous, so pieces arrive only when it lets the event loop turn, as a start does every few
// milliseconds. The reader itself reads what has not arrived.

import * as fs from 'node:fs';
import { copyBytes } from '@zebu/protocol';
import { CHUNK_BYTES, giveChunk, takeChunk } from './page-memory.ts';

const PIECES = 16;
/**
 * After so many requests in a row for pieces that have not arrived, reading ahead stops: the reader waits for the
 * disk then, and reading every piece twice would only make that longer.
 */
const MAX_MISSES = 32;

interface Piece {
  readonly bytes: Buffer;
  /** Which piece of the file it is, or is going to be. */
  index: number;
  /** How much of it is there. */
  length: number;
  isUnderWay: boolean;
}

export class ReadAhead {
  private readonly fd: number;
  private readonly size: number;
  private readonly pieces: Piece[];
  private underWay = 0;
  /** In a row. */
  private misses = 0;
  /** No more pieces are requested. */
  private isOver = false;
  private isClosed = false;

  /** Takes the descriptor over: close() is going to close it. */
  constructor(fd: number, size: number) {
    this.fd = fd;
    this.size = size;
    this.pieces = Array.from({ length: PIECES }, () => ({
      bytes: takeChunk(),
      index: -1,
      length: 0,
      isUnderWay: false,
    }));
  }

  /** Fills `target[offset, offset + length)` from `position` as far as it has arrived; returns how far. */
  take(target: Buffer, offset: number, length: number, position: number): number {
    let filled = 0;
    while (filled < length) {
      const index = Math.floor((position + filled) / CHUNK_BYTES);
      this.ask(index);
      const piece = this.pieces[index % PIECES] as Piece;
      const start = position + filled - index * CHUNK_BYTES;
      const end = piece.index === index ? Math.min(start + length - filled, piece.length) : 0;
      if (end <= start) {
        this.misses++;
        if (this.misses > MAX_MISSES) this.isOver = true;
        break;
      }
      this.misses = 0;
      copyBytes(piece.bytes, start, end, target, offset + filled);
      filled += end - start;
    }
    return filled;
  }

  close(): void {
    this.isClosed = true;
    this.isOver = true;
    this.closeIfIdle();
  }

  /** Requests this piece and those after it. */
  private ask(first: number): void {
    if (this.isOver) return;
    for (let index = first; index < first + PIECES && index * CHUNK_BYTES < this.size; index++) {
      const piece = this.pieces[index % PIECES] as Piece;
      if (piece.index < index && !piece.isUnderWay) this.read(piece, index);
    }
  }

  private read(piece: Piece, index: number): void {
    piece.index = index;
    piece.length = 0;
    piece.isUnderWay = true;
    this.underWay++;
    fs.read(this.fd, piece.bytes, 0, CHUNK_BYTES, index * CHUNK_BYTES, (error, bytes) => {
      piece.isUnderWay = false;
      this.underWay--;
      // The reader gets the error when it reads the piece itself.
      if (error === null) piece.length = bytes;
      else this.isOver = true;
      if (this.isClosed) this.closeIfIdle();
    });
  }

  /** Not while reads are in flight: another file, or a socket, could get the descriptor's number. */
  private closeIfIdle(): void {
    if (this.underWay > 0) return;
    fs.closeSync(this.fd);
    for (const { bytes } of this.pieces) giveChunk(bytes);
  }
}
