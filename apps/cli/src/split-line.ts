// One line of the interactive session to words. As in zkCli, a word may stand in double or single quotes. Unlike there,
// quotes may begin inside a word, a backslash takes the next character as it is, and a quote that is not closed
// is an error: zkCli drops it in silence.

import { usage } from './command-error.ts';

export interface LineWord {
  readonly text: string;
  /** Where it begins in the line. */
  readonly start: number;
}

/** Throws a CommandError for a quote without an end. */
export function splitLine(line: string): string[] {
  const { words, openQuote } = scanLine(line);
  if (openQuote !== undefined) throw usage(`A quote (${openQuote}) is not closed`);
  return words.map(({ text }) => text);
}

/**
 * `text` as it is written to go on with a word: after its open quote, or outside quotes. In single quotes nothing
 * is escaped: a single quote ends them, stands escaped, and begins them again.
 */
export function writeInWord(text: string, openQuote: string | undefined): string {
  if (openQuote === "'") return text.replaceAll("'", "'\\''");
  return text.replaceAll(openQuote === '"' ? /["\\]/g : /[\s"'\\]/g, '\\$&');
}

export interface ScannedLine {
  readonly words: LineWord[];
  readonly openQuote: string | undefined;
  readonly endsInSpace: boolean;
  /** The last character is a backslash that takes the next one as it is. */
  readonly endsInEscape: boolean;
}

/** For completion: the words so far, the last one may be unfinished; an empty last word stands for a new one. */
export function scanLine(line: string): ScannedLine {
  const words: LineWord[] = [];
  let at = 0;
  let openQuote: string | undefined;
  let endsInEscape = false;
  while (at < line.length) {
    if (/\s/.test(line[at] as string)) {
      at += 1;
      continue;
    }
    const start = at;
    let text = '';
    while (at < line.length && (openQuote !== undefined || !/\s/.test(line[at] as string))) {
      const character = line[at] as string;
      at += 1;
      if (character === '\\' && openQuote !== "'" && at < line.length) {
        // Inside double quotes only a quote or a backslash is taken as it is: "a\b" keeps its backslash.
        const next = line[at] as string;
        if (openQuote === '"' && next !== '"' && next !== '\\') text += '\\';
        text += next;
        at += 1;
      } else if (character === '\\' && openQuote !== "'") {
        endsInEscape = true;
        text += character;
      } else if (openQuote === undefined && (character === '"' || character === "'")) {
        openQuote = character;
      } else if (character === openQuote) {
        openQuote = undefined;
      } else {
        text += character;
      }
    }
    words.push({ text, start });
  }
  const endsInSpace = openQuote === undefined && /\s$/.test(line);
  return { words, openQuote, endsInSpace, endsInEscape };
}
