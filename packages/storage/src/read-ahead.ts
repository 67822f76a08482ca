// What one reads from a file from its first byte to its last, read on the thread pool before it is asked for.
//
//   reader ──► piece n     n + 1     ...     n + 7
//              copied      there     ...     being read
//
// The reader is synchronous, so pieces only arrive where it lets the loop turn, as a start does every few
// milliseconds. What has not arrived by then the reader reads by itself.

import * as fs from 'node:fs';
import { copyBytes } from '@zebu/protocol';
import { PageMemory } from './page-memory.ts';

const PIECE_BYTES = 512 * 1024;
const PIECES = 8;

interface Piece {
  readonly bytes: Buffer;
  /** Which piece of the file it is, or is going to be. */
  index: number;
  /** How much of it is there. */
  length: number;
  isUnderWay: boolean;
}

export class ReadAhead {
  readonly #fd: number;
  readonly #size: number;
  readonly #pieces: Piece[];
  #underWay = 0;
  #isClosed = false;

  /** Takes the descriptor over: close() is going to close it. */
  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.#size = size;
    const memory = new PageMemory(PIECE_BYTES, PIECES);
    this.#pieces = Array.from({ length: PIECES }, () => ({
      bytes: memory.take(),
      index: -1,
      length: 0,
      isUnderWay: false,
    }));
  }

  /** Fills `target[offset, offset + length)` from `position` as far as it has arrived; returns how far. */
  take(target: Buffer, offset: number, length: number, position: number): number {
    let filled = 0;
    while (filled < length) {
      const index = Math.floor((position + filled) / PIECE_BYTES);
      this.#ask(index);
      const piece = this.#pieces[index % PIECES] as Piece;
      if (piece.index !== index) break;
      const start = position + filled - index * PIECE_BYTES;
      const end = Math.min(start + length - filled, piece.length);
      if (end <= start) break;
      copyBytes(piece.bytes, start, end, target, offset + filled);
      filled += end - start;
    }
    return filled;
  }

  close(): void {
    this.#isClosed = true;
    this.#closeIfIdle();
  }

  /** For this piece and those behind it. */
  #ask(first: number): void {
    for (let index = first; index < first + PIECES && index * PIECE_BYTES < this.#size; index++) {
      const piece = this.#pieces[index % PIECES] as Piece;
      if (piece.index < index && !piece.isUnderWay) this.#read(piece, index);
    }
  }

  #read(piece: Piece, index: number): void {
    piece.index = index;
    piece.length = 0;
    piece.isUnderWay = true;
    this.#underWay++;
    fs.read(this.#fd, piece.bytes, 0, PIECE_BYTES, index * PIECE_BYTES, (error, bytes) => {
      // Of an error the reader hears when it reads by itself.
      piece.length = error === null ? bytes : 0;
      piece.isUnderWay = false;
      this.#underWay--;
      if (this.#isClosed) this.#closeIfIdle();
    });
  }

  /** Not before: the pool would read from what has the descriptor's number then, a socket perhaps. */
  #closeIfIdle(): void {
    if (this.#underWay === 0) fs.closeSync(this.#fd);
  }
}
