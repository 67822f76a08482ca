// The syntax of java.util.Properties.load: comments with # or !, keys that end at =, : or a blank, escapes,
// and lines that a backslash continues. zoo.cfg and the config text of an ensemble are written in it. Knows no
// key's meaning, and trims nothing that Java does not trim.

/** One `key=value`. */
export interface PropertyEntry {
  readonly key: string;
  readonly value: string;
  /** Line of the text where it begins, from 1. */
  readonly line: number;
}

/** The text cannot be read as properties. Java throws IllegalArgumentException here. */
export class PropertySyntaxError extends Error {
  override readonly name = 'PropertySyntaxError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** All entries in the order of the text, duplicates included: in Java the last one counts. */
export function parseJavaProperties(source: string): PropertyEntry[] {
  const entries: PropertyEntry[] = [];
  for (const { content, line } of logicalLines(source)) {
    const { key, value } = splitEntry(content);
    entries.push({ key: unescaped(key, line), value: unescaped(value, line), line });
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
  const natural = source.split(/\r\n|\n|\r/);
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
  let at = text.length;
  while (at > 0 && text[at - 1] === '\\') at--;
  return ((text.length - at) & 1) === 1;
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
    if (escaped === 'u') throw new PropertySyntaxError('Malformed \\uxxxx escape', line);
    return ESCAPES[escaped] ?? escaped;
  });
}
