/**
 * Reads zoo.cfg, whose syntax is that of java.util.Properties. Knows no key's meaning.
 *
 * One difference is meant: Java reads such a file as Latin-1, this reads text, so that a path may hold
 * any character.
 */

import { PropertySyntaxError, parseJavaProperties } from '@zebu/protocol';

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

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** All entries in the order of the file, duplicates included: in Java the last one counts. */
export function parseZooCfg(source: string): CfgEntry[] {
  try {
    return parseJavaProperties(source.replace(/^\uFEFF/, '')).map(({ key, value, line }) => ({
      key: trim(key),
      value: trim(value),
      line,
    }));
  } catch (error) {
    if (error instanceof PropertySyntaxError) throw new CfgSyntaxError(error.message, error.line);
    throw error;
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
