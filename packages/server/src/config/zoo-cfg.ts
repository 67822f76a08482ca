/**
 * Reads zoo.cfg, whose syntax is that of java.util.Properties. Knows no key's meaning.
 *
 * One difference is meant: Java reads such a file as Latin-1, this reads UTF-8, so that a path may hold
 * any character. A byte that is not UTF-8 is passed over in a comment and an error anywhere else.
 */

import { PropertySyntaxError, parseJavaProperties } from '@zebu/protocol';
import { findBadByte, notUtf8 } from './file-text.ts';

/** One `key=value` of the file, trimmed as Apache's QuorumPeerConfig.parseProperties does. */
export interface CfgEntry {
  readonly key: string;
  readonly value: string;
  /** Line of the file where it begins, from 1. */
  readonly line: number;
}

/** The file cannot be read as properties. Java throws IllegalArgumentException here. */
export class CfgSyntaxError extends Error {
  override readonly name = 'CfgSyntaxError';
  readonly line: number;
  /** From 1; undefined when the whole line is meant. */
  readonly column: number | undefined;

  constructor(message: string, line: number, column?: number) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/**
 * All entries in the order of the file, duplicates included: in Java the last one counts. The source is
 * what decodeMarkingBadBytes() returned, or any text.
 */
export function parseZooCfg(source: string): CfgEntry[] {
  const text = source.replace(/^\uFEFF/, '');
  try {
    return parseJavaProperties(text).map(({ key, value, line }) => {
      if (findBadByte(key + value) !== undefined) refuseBadByte(text, line);
      return { key: trim(key), value: trim(value), line };
    });
  } catch (error) {
    if (error instanceof PropertySyntaxError) throw new CfgSyntaxError(error.message, error.line);
    throw error;
  }
}

// The entry that begins in this line holds a bad byte, so the first one from there on is its own. There
// is none when an escape like \udce9 made the character.
function refuseBadByte(text: string, firstLine: number): void {
  for (const [index, content] of text.split(/\r\n|\n|\r/).entries()) {
    const bad = index + 1 < firstLine ? undefined : findBadByte(content);
    if (bad === undefined) continue;
    const column = [...content.slice(0, bad.index)].length + 1;
    throw new CfgSyntaxError(notUtf8(bad.byte), index + 1, column);
  }
}

// String.trim of Java: everything up to the space goes.
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start++;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(start, end);
}
