// What may follow: commands, options, paths of znodes. For the interactive session and for the shells' completion.
// Never fails and never waits long: without an answer there is nothing to suggest.

import { COMMANDS, findCommand } from './command-table.ts';
import { COMMON_OPTIONS, GLOBAL_OPTIONS } from './global-options.ts';
import type { OptionSpec } from './parse-words.ts';
import type { Verb } from './verb.ts';

export interface CompletionSource {
  /** Names of the children, or none. */
  children(path: string): Promise<readonly string[]>;
  /** Names of contexts, for --context. */
  contexts(): readonly string[];
}

/** Candidates for `last`, the unfinished word after `words`; each begins with it. */
export async function candidates(
  words: readonly string[],
  last: string,
  source: CompletionSource,
  isInteractive: boolean,
): Promise<string[]> {
  const found = await suggestions(words, last, source, isInteractive);
  return found.filter((one) => one.startsWith(last)).sort();
}

async function suggestions(
  words: readonly string[],
  last: string,
  source: CompletionSource,
  isInteractive: boolean,
): Promise<readonly string[]> {
  const global = isInteractive ? COMMON_OPTIONS : GLOBAL_OPTIONS;
  const { verb, operands, open, isUnknown } = place(words, global);
  if (open !== undefined) return await valuesOf(open, last, source);
  if (last.startsWith('-')) {
    const own = verb?.options ?? [];
    return [...own, ...global].flatMap(({ names }) => names);
  }
  if (isUnknown) return [];
  if (verb === undefined) {
    const left = isInteractive ? 'shell' : 'session';
    return COMMANDS.filter(({ only, isHidden }) => only !== left && isHidden !== true).map(
      ({ name }) => name,
    );
  }
  if (verb.name === 'completion') return ['bash', 'zsh', 'fish'];
  if (verb.name === 'context')
    return operands === 0 ? ['add', 'list', 'use', 'remove'] : source.contexts();
  if (verb.name === 'help') return COMMANDS.map(({ name }) => name);
  const isPath = verb.paths === 'all' || verb.paths?.includes(operands) === true;
  return isPath ? await pathsFrom(last, source) : [];
}

/** Where the next word stands: of which command, after how many operands, or as the value of an option. */
function place(
  words: readonly string[],
  global: readonly OptionSpec[],
): {
  verb: Verb | undefined;
  operands: number;
  open: OptionSpec | undefined;
  /** The word where the command stands is none. */
  isUnknown: boolean;
} {
  let verb: Verb | undefined;
  let isUnknown = false;
  let operands = 0;
  let open: OptionSpec | undefined;
  for (const word of words) {
    if (open !== undefined) {
      open = undefined;
      continue;
    }
    if (word.startsWith('-') && word.length > 1) {
      const known = [...(verb?.options ?? []), ...global];
      const spec = known.find(({ names }) => names.includes(word));
      open = spec?.value === undefined ? undefined : spec;
      continue;
    }
    if (verb !== undefined || isUnknown) {
      operands += 1;
      continue;
    }
    verb = findCommand(word);
    isUnknown = verb === undefined;
  }
  return { verb, operands, open, isUnknown };
}

async function valuesOf(
  { names }: OptionSpec,
  last: string,
  source: CompletionSource,
): Promise<readonly string[]> {
  if (names.includes('--context')) return source.contexts();
  if (names.includes('-m')) return ['PERSISTENT', 'PERSISTENT_RECURSIVE'];
  return last === '' ? [] : [last];
}

async function pathsFrom(last: string, source: CompletionSource): Promise<string[]> {
  if (last === '') return ['/'];
  const slash = last.lastIndexOf('/');
  if (slash < 0) return [];
  const prefix = last.slice(0, slash + 1);
  const names = await source.children(slash === 0 ? '/' : last.slice(0, slash));
  return names.map((name) => prefix + name);
}
