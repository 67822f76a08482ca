/**
 * Reads the syntax of zoo.cfg, which is that of java.util.Properties.load: comments with # or !, keys
 * that end at =, : or a blank, escapes, and lines that a backslash continues. Knows no key's meaning.
 *
 * One difference is meant: Java reads such a file as Latin-1, this reads text, so that a path may hold
 * any character.
 */

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
  const entries: CfgEntry[] = [];
  for (const { content, line } of logicalLines(source)) {
    const { key, value } = splitEntry(content);
    entries.push({ key: trim(unescaped(key, line)), value: trim(unescaped(value, line)), line });
  }
  return entries;
}

interface LogicalLine {
  readonly content: string;
  readonly line: number;
}

// A natural line that ends in an odd number of backslashes goes on in the next one, whose leading
// blanks are dropped; a comment never goes on, and what follows a continued line is never a comment.
function* logicalLines(source: string): Generator<LogicalLine> {
  const natural = source.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (let i = 0; i < natural.length; i++) {
    let content = withoutLeadingBlanks(natural[i] as string);
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue;
    const line = i + 1;
    while (endsInBackslash(content)) {
      content = content.slice(0, -1);
      i++;
      if (i >= natural.length) break;
      content += withoutLeadingBlanks(natural[i] as string);
    }
    yield { content, line };
  }
}

function withoutLeadingBlanks(text: string): string {
  return text.replace(/^[ \t\f]+/, '');
}

function endsInBackslash(text: string): boolean {
  return ((/\\+$/.exec(text)?.[0].length ?? 0) & 1) === 1;
}

// The key ends at the first =, : or blank that no backslash precedes; blanks and one = or : after it
// belong to neither side.
function splitEntry(content: string): { key: string; value: string } {
  let end = 0;
  while (end < content.length && !/[=: \t\f]/.test(content[end] as string)) {
    end += content[end] === '\\' ? 2 : 1;
  }
  const key = content.slice(0, end);
  const value = content.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '');
  return { key, value };
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescaped(text: string, line: number): string {
  return text.replaceAll(/\\(u([0-9a-fA-F]{4})|[\s\S]|$)/g, (_, escaped: string, hex?: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (escaped === 'u') throw new CfgSyntaxError('Malformed \\uxxxx escape', line);
    return ESCAPES[escaped] ?? escaped;
  });
}

// String.trim of Java: everything up to the space goes.
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start++;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(start, end);
}
