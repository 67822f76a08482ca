/**
 * Decodes a settings file as UTF-8 without losing where it is not: a byte that belongs to no character
 * becomes a lone low surrogate, U+DC00 plus the byte, as in Python (PEP 383). UTF-8 itself has no
 * surrogates, so the parser can tell such a byte, and say its place, or pass it over in a comment.
 */

import { ConfigError } from './config-error.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const LONGEST_CHARACTER = 4;
const MARK = 0xdc00;

/** The text of a file with its bad bytes marked. Throws ConfigError for UTF-16. */
export function decodeMarkingBadBytes(path: string, content: Uint8Array | string): string {
  if (typeof content === 'string') return content;
  if (isUtf16(content)) throw new ConfigError(`${path} is UTF-16 text: save it as UTF-8`);
  try {
    return UTF8.decode(content);
  } catch {
    return decodeByCharacters(content);
  }
}

/** The text of a file every byte of which counts. Throws ConfigError when it is not UTF-8. */
export function decodeStrictly(path: string, content: Uint8Array | string): string {
  const text = decodeMarkingBadBytes(path, content);
  const bad = findBadByte(text);
  if (bad === undefined) return text.replace(/^\uFEFF/, '');
  const before = text.slice(0, bad.index).split('\n');
  const column = [...(before.at(-1) as string)].length + 1;
  throw new ConfigError(`${path}:${before.length}:${column}: ${notUtf8(bad.byte)}`);
}

/** The first marked byte; undefined in a text that was UTF-8. */
export function findBadByte(text: string): { index: number; byte: number } | undefined {
  // With the u flag, half of a surrogate pair does not match.
  const index = text.search(/[\udc80-\udcff]/u);
  return index < 0 ? undefined : { index, byte: text.charCodeAt(index) - MARK };
}

/** What is wrong with a byte, and the way out. */
export function notUtf8(byte: number): string {
  const hex = byte.toString(16).toUpperCase();
  const latin1 = String.fromCharCode(byte);
  const isLetter = byte >= 0xa1;
  const guess = isLetter ? `, or write \\u00${hex} if ${latin1} (Latin-1) is meant` : '';
  return `Byte 0x${hex} is not UTF-8: save the file as UTF-8${guess}`;
}

// A byte-order mark, or ASCII with every other byte zero.
function isUtf16(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return true;
  return (a === 0 && c === 0 && b !== 0 && d !== 0) || (b === 0 && d === 0 && a !== 0 && c !== 0);
}

function decodeByCharacters(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  while (start < bytes.length) {
    const character = characterAt(bytes, start);
    text += character?.text ?? String.fromCharCode(MARK + (bytes[start] as number));
    start += character?.length ?? 1;
  }
  return text;
}

function characterAt(
  bytes: Uint8Array,
  start: number,
): { text: string; length: number } | undefined {
  for (let length = 1; length <= LONGEST_CHARACTER && start + length <= bytes.length; length++) {
    try {
      return { text: UTF8.decode(bytes.subarray(start, start + length)), length };
    } catch {
      // Too short for one character, or no character at all.
    }
  }
  return undefined;
}
