// A connection that begins with a four-letter word: it gets an answer in plain text and is closed.
//
// An answer that grows with the server is sent a piece a turn, and no faster than it is read.

import type { ServerConfig } from '../config/server-config.ts';
import type { WordAsker } from '../connection/connection-services.ts';
import type { Environment } from '../environment.ts';
import type { ServerMetrics } from '../metrics/metrics.ts';
import {
  type FourLetterSource,
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

/** What an answer needs of the member. */
export interface WordServices {
  readonly environment: Environment;
  readonly metrics: ServerMetrics;
  readonly fourLetterSource: FourLetterSource;
  directorySizes(): { dataBytes: number; logBytes: number };
}

/** Sends the answer, then closes. `bytes` are the word and what came with it. */
export function answerWord(
  services: WordServices,
  asker: WordAsker,
  word: FourLetterWord,
  bytes: Buffer,
): void {
  const { environment, metrics } = services;
  const { transport } = asker;
  const pieces = fourLetterAnswer(word, services.fourLetterSource, {
    ...(needsDirectorySizes(word) ? { directorySizes: services.directorySizes() } : {}),
    ...(word === 'stmk' && bytes.length >= WORD_BYTES + TRACE_MASK_BYTES
      ? { traceMask: bytes.readBigInt64BE(WORD_BYTES) }
      : {}),
  })[Symbol.iterator]();
  let isCounted = false;
  const step = (): void => {
    if (asker.isClosed) {
      pieces.return?.();
      return;
    }
    const next = pieces.next();
    if (next.done === true) {
      asker.abort();
      return;
    }
    const piece = Buffer.from(next.value, 'utf8');
    // An answer counts as one packet, and none that is empty (`hash` without digests).
    if (piece.length > 0 && !isCounted) {
      isCounted = true;
      metrics.packetsSent++;
    }
    // On false the connection owns the piece, and drained() goes on.
    if (piece.length === 0 || transport.write(piece, 0, piece.length)) {
      environment.scheduler.afterTurn(step);
    }
  };
  transport.handler = {
    data() {},
    drained: step,
    // A client such as `echo cons | nc` has said its end, and waits for the rest of the answer.
    ended: () => true,
    closed: (reason) => {
      asker.closed(reason);
      // What was being walked for the answer is let go.
      pieces.return?.();
    },
  };
  step();
}
