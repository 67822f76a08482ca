// A connection that begins with a four-letter word: it gets an answer in plain text and is closed.
//
// An answer that grows with the server is sent a piece a turn, and no faster than it is read.

import type { ServerConfig } from '../config/server-config.ts';
import type { ClientConnection } from '../connection/client-connection.ts';
import {
  type FourLetterWord,
  fourLetterAnswer,
  fourLetterWord,
  isWhitelisted,
  needsDirectorySizes,
  TRACE_MASK_BYTES,
} from './four-letter.ts';

const WORD_BYTES = 4;

/** What a connection's first bytes are. */
export type FirstBytes = 'more' | 'frame' | 'telnet close' | FourLetterWord;

/** `more`: too few to tell, or an allowed `stmk` without all of its mask. */
export function firstBytes(
  bytes: Buffer,
  start: number,
  end: number,
  config: ServerConfig,
): FirstBytes {
  if (end - start < WORD_BYTES) return 'more';
  const word = fourLetterWord(bytes.readInt32BE(start));
  const isWhole = word !== 'stmk' || end - start >= WORD_BYTES + TRACE_MASK_BYTES;
  if (word === 'stmk' && !isWhole && isWhitelisted(word, config)) return 'more';
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
    ...(word === 'stmk' && bytes.length >= WORD_BYTES + TRACE_MASK_BYTES
      ? { traceMask: bytes.readBigInt64BE(WORD_BYTES) }
      : {}),
  })[Symbol.iterator]();
  let isCounted = false;
  const step = (): void => {
    if (connection.isClosed) {
      pieces.return?.();
      return;
    }
    const next = pieces.next();
    if (next.done === true) {
      connection.end();
      return;
    }
    const piece = Buffer.from(next.value, 'utf8');
    // An answer counts as one packet, and none that is empty (`hash` without digests).
    if (piece.length > 0 && !isCounted) {
      isCounted = true;
      node.metrics.packetsSent++;
    }
    // On false the connection owns the piece, and drained() goes on.
    if (piece.length === 0 || transport.write(piece, 0, piece.length)) {
      node.environment.scheduler.afterTurn(step);
    }
  };
  transport.handler = {
    data() {},
    drained: step,
    // Whoever says `echo cons | nc` is done with speaking, and waits for the rest of the answer.
    ended: () => true,
    closed: (reason) => {
      connection.closed(reason);
      // What was being walked for the answer is let go.
      pieces.return?.();
    },
  };
  step();
}
