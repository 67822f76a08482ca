// Help texts, from the table of commands.

import { CommandError } from './command-error.ts';
import { COMMANDS, findCommand, GROUPS } from './command-table.ts';
import { EXIT_CODE_TEXTS, EXIT_CODES } from './exit-codes.ts';
import { COMMON_OPTIONS, GLOBAL_OPTIONS } from './global-options.ts';
import { nearest } from './nearest.ts';
import type { OptionSpec } from './parse-words.ts';
import type { Group, Run, Verb } from './verb.ts';

const WIDTH = 80;

export const help: Run = async ({ words, out, isInteractive }) => {
  const [name] = words.operands;
  const text =
    name === undefined ? helpText(isInteractive) : commandHelp(known(name), isInteractive);
  out.line(text.trimEnd());
  return undefined;
};

export function known(name: string): Verb {
  return findCommand(name) ?? unknown(name);
}

export function unknown(name: string): never {
  const near = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  throw new CommandError('no-such-command', `Command not found: ${name}`, {
    hint: near === undefined ? 'help lists all commands' : `did you mean ${near}?`,
  });
}

/** All commands, by group. */
export function helpText(isInteractive: boolean): string {
  const left = isInteractive ? 'shell' : 'session';
  const here = COMMANDS.filter(({ only, isHidden }) => only !== left && isHidden !== true);
  const lines: string[] = [];
  if (!isInteractive) {
    lines.push(
      'zebu: the command line of ZooKeeper clusters.',
      '',
      '  zebu [options] command ...   one command',
      '  zebu [options]               an interactive session',
      '',
    );
  }
  for (const group of Object.keys(GROUPS) as Group[]) {
    const commands = here.filter((command) => command.group === group);
    if (commands.length === 0) continue;
    lines.push(`${GROUPS[group]}:`);
    for (const { name, summary } of commands) lines.push(`  ${name.padEnd(21)} ${summary}`);
    lines.push('');
  }
  if (isInteractive) {
    lines.push('help COMMAND tells all about one.');
  } else {
    lines.push('Options of every command:', ...optionLines(GLOBAL_OPTIONS), '');
    lines.push('Exit codes:');
    for (const [kind, code] of Object.entries(EXIT_CODES)) {
      const text = EXIT_CODE_TEXTS[kind as keyof typeof EXIT_CODE_TEXTS];
      lines.push(...hanging(`  ${String(code).padStart(3)}  `, text));
    }
    lines.push('', 'zebu help COMMAND tells all about one.');
  }
  return `${lines.join('\n')}\n`;
}

/** All about one command. */
export function commandHelp(command: Verb, isInteractive: boolean): string {
  const { name, synopsis, summary, details = [], options = [], examples = [] } = command;
  const lines = [`${name} ${synopsis}`.trimEnd(), '', ...hanging('  ', `${capital(summary)}.`)];
  for (const paragraph of details) lines.push('', ...hanging('  ', paragraph));
  if (command.isDestructive === true) {
    lines.push('', '  On a protected context it asks first (--yes does not).');
  }
  if (options.length > 0) lines.push('', 'Options:', ...optionLines(options));
  lines.push('', 'Options of every command:');
  lines.push(...optionLines(isInteractive ? COMMON_OPTIONS : GLOBAL_OPTIONS));
  if (examples.length > 0) {
    lines.push('', 'Examples:');
    for (const { line, text } of examples) lines.push(`  ${line}`, `      ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

export function optionLines(options: readonly OptionSpec[]): string[] {
  const heads = options.map(
    ({ names, value }) => `${names.join(', ')}${value === undefined ? '' : ` ${value}`}`,
  );
  const width = Math.min(24, Math.max(...heads.map((head) => head.length)));
  return options.flatMap(({ text }, index) => {
    const head = heads[index] as string;
    const lines = hanging(`  ${head.padEnd(width)}  `, text, width + 4);
    return lines;
  });
}

/** `text` after `head`, its further lines below its first. */
function hanging(head: string, text: string, indent = head.length): string[] {
  const lines: string[] = [];
  let line = head;
  let isFirst = true;
  for (const word of text.split(' ')) {
    if (!isFirst && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(indent) + word;
    } else {
      line += isFirst ? word : ` ${word}`;
    }
    isFirst = false;
  }
  return [...lines, line];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
