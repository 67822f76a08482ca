// The target of a command line in this process's environment. The file of contexts is read when it decides something.

import { contextFilePath, findContext, readContexts } from './contexts.ts';
import type { ParsedWords } from './parse-words.ts';
import { chooseTarget, type Target } from './target.ts';

export function targetFrom(words: ParsedWords): Target {
  const { env } = process;
  return chooseTarget(words, env, (name) => findContext(readContexts(contextFilePath(env)), name));
}
