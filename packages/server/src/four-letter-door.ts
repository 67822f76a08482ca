// A connection that begins with a four-letter word: it gets an answer in plain text and is closed.
//
// An answer that grows with the server is sent a piece a turn, and no faster than it is read.

import type { ClientConnection } from './client-connection.ts';
import {
  type FourLetterWord,
  fourLetterAnswer,
  fourLetterWord,
  needsDirectorySizes,
  TRACE_MASK_BYTES,
} from './four-letter.ts';

const WORD_BYTES = 4;

/** What a connection's first bytes are. */
export type FirstBytes = 'more' | 'frame' | 'telnet close' | FourLetterWord;

/** `more`: too few to tell, or `stmk` without all of its mask. */
export function firstBytes(bytes: Buffer, start: number, end: number): FirstBytes {
  if (end - start < WORD_BYTES) return 'more';
  const word = fourLetterWord(bytes.readInt32BE(start));
  if (word === 'stmk' && end - start < WORD_BYTES + TRACE_MASK_BYTES) return 'more';
  return word ?? 'frame';
}

/** Sends the answer, then closes. `bytes` are the word and what came with it. */
export function answerWord(
  connection: ClientConnection,
  word: FourLetterWord,
  bytes: Buffer,
): void {
  const { node, transport } = connection;
  const pieces = fourLetterAnswer(word, node.fourLetterSource, {
    ...(needsDirectorySizes(word) ? { directorySizes: node.directorySizes() } : {}),
    ...(word === 'stmk' ? { traceMask: bytes.readBigInt64BE(WORD_BYTES) } : {}),
  })[Symbol.iterator]();
  const step = (): void => {
    if (connection.isClosed) return;
    const next = pieces.next();
    if (next.done === true) {
      node.metrics.packetsSent++;
      connection.end();
      return;
    }
    const piece = Buffer.from(next.value, 'utf8');
    // On false the connection owns the piece, and drained() goes on.
    if (piece.length === 0 || transport.write(piece, 0, piece.length)) {
      node.environment.scheduler.afterTurn(step);
    }
  };
  transport.handler = {
    data() {},
    drained: step,
    closed: (reason) => connection.closed(reason),
  };
  step();
}
