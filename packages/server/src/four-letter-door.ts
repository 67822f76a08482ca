// Where a connection's first four bytes are a word: which word, and what is answered.

import type { ServerNode } from './server-node.ts';

export const STMK_ARGUMENT_BYTES = 8;

const WORDS: readonly string[] = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'gtmk',
  'hash',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'stmk',
  'wchc',
  'wchp',
  'wchs',
];

/** The word at `at`, or undefined. Lower-case letters only, as Apache compares. */
export function fourLetterWordAt(bytes: Buffer, at: number): string | undefined {
  const word = bytes.toString('latin1', at, at + 4);
  return WORDS.includes(word) ? word : undefined;
}

export function answerFourLetterWord(node: ServerNode, word: string, _argument: Buffer): string {
  if (!node.config.fourLetterWhitelist.includes(word)) {
    return `${word} is not executed because it is not in the whitelist.\n`;
  }
  return '';
}
