/**
 * The command zebu. This file reads the command line and decides what to load: most of a short command's time is the
 * start, so nothing is imported here that not every command needs.
 */

import { enableCompileCache } from 'node:module';
import { wantsColour } from './colour.ts';
import { CommandError, usage } from './command-error.ts';
import { COMMANDS, findCommand } from './command-table.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { COMMON_OPTIONS, GLOBAL_OPTIONS, LEADING_OPTIONS } from './global-options.ts';
import { Output, toJson } from './output.ts';
import { type ParsedWords, parseWords } from './parse-words.ts';
import type { Verb } from './verb.ts';

enableCompileCache?.();

// A reader that has left (`zebu ls -R / | head`) is no failure to tell of.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  // Not writeFailure(): every command would load it.
  const why = error.code === 'ENOSPC' ? 'the disk is full' : error.message;
  process.stderr.write(`Cannot write the output: ${why}\n`);
  process.exit(EXIT_CODES.failed);
});

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let isJson = argv.includes('--json');
  try {
    const leading = parseWords(argv, LEADING_OPTIONS, { stopAtOperand: true });
    const [name, ...rest] = leading.rest;
    if (leading.has('--version')) return await runOffline('version', [], isJson);
    if (leading.value('-client-configuration') !== undefined) {
      throw usage(
        '-client-configuration is for Java clients',
        'here --tls-ca, --tls-cert and --tls-key (PEM files), or a context, say how to connect',
      );
    }
    const before = argv.slice(0, argv.length - leading.rest.length).flatMap(inOurWords);
    if (name === undefined) {
      if (leading.has('--help')) return await runOffline('help', [], isJson);
      const words = parseWords(before, GLOBAL_OPTIONS);
      isJson = words.has('--json');
      const { runInteractive } = await import('./interactive.ts');
      return await runInteractive(words);
    }
    const verb = findCommand(name) ?? (await noSuchCommand(name));
    const { takesCommand = false, options = [] } = verb;
    const words = parseWords([...before, ...rest], [...options, ...GLOBAL_OPTIONS], {
      takesCommand,
    });
    isJson = words.has('--json');
    if (words.has('--help')) return await runOffline('help', [name], isJson);
    const { runOneShot } = await import('./one-shot.ts');
    return await runOneShot(verb, words, outputFor(words));
  } catch (error) {
    return await report(error, isJson);
  }
}

/** zkCli's spellings of what has another name here. */
function inOurWords(word: string): string[] {
  if (word === '-r') return ['--read-only'];
  return word === '-waitforconnection' ? [] : [word];
}

async function runOffline(name: string, operands: string[], isJson: boolean): Promise<number> {
  const verb = findCommand(name) as Verb;
  const words = parseWords([...operands, ...(isJson ? ['--json'] : [])], COMMON_OPTIONS);
  const { runOneShot } = await import('./one-shot.ts');
  return await runOneShot(verb, words, outputFor(words));
}

async function noSuchCommand(name: string): Promise<never> {
  const { nearest } = await import('./nearest.ts');
  const near = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  throw new CommandError('no-such-command', `Command not found: ${name}`, {
    hint: near === undefined ? 'zebu help lists all commands' : `did you mean ${near}?`,
  });
}

function outputFor(words: ParsedWords): Output {
  const isTty = process.stdout.isTTY === true;
  return new Output(process.stdout, {
    isTty,
    hasColour: !words.has('--no-color') && wantsColour(isTty, process.env),
    isJson: words.has('--json'),
  });
}

async function report(error: unknown, isJson: boolean): Promise<number> {
  const { explain } = await import('./explain.ts');
  const { failureText, failureValue } = await import('./failure-text.ts');
  const failure = await explain(error);
  process.stderr.write(`${isJson ? toJson(failureValue(failure)) : failureText(failure)}\n`);
  return failure.exitCode;
}
