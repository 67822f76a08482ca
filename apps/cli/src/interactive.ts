// `zebu` without a command: a prompt on a terminal, or commands line by line from a pipe.

import { explain } from './explain.ts';
import { failureText } from './failure-text.ts';
import type { ParsedWords } from './parse-words.ts';
import { Shell } from './shell.ts';
import { targetFrom } from './target-from.ts';

export async function runInteractive(words: ParsedWords): Promise<number> {
  const shell = new Shell(targetFrom(words), words);
  try {
    return await shell.run();
  } catch (error) {
    const failure = await explain(error);
    process.stderr.write(`${failureText(failure)}\n`);
    return failure.exitCode;
  }
}
