// The manual page, from the table of commands. man/zebu.1 is its output, and a test says when it is not.

import { COMMANDS, GROUPS } from './command-table.ts';
import { EXIT_CODE_TEXTS, EXIT_CODES } from './exit-codes.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import type { OptionSpec } from './parse-words.ts';
import type { Group, Run, Verb } from './verb.ts';

export const man: Run = async ({ out }) => {
  out.line(manualPage().trimEnd());
  return undefined;
};

const VARIABLES: readonly (readonly [string, string])[] = [
  ['ZEBU_SERVERS', 'the servers, as --server'],
  ['ZEBU_CONTEXT', 'a context, as --context'],
  ['ZEBU_AUTH', 'credentials, one scheme:auth a line'],
  ['ZEBU_TLS_PASSPHRASE', 'opens the key of --tls-key'],
  ['ZEBU_CLI_CONFIG', 'the file of contexts; else $XDG_CONFIG_HOME/zebu/config.json'],
  ['ZEBU_HISTORY', 'the history; else $XDG_STATE_HOME/zebu/history'],
  ['VISUAL, EDITOR', 'the editor of zebu edit'],
  ['NO_COLOR, FORCE_COLOR', 'no colour; colour in a pipe too'],
];

export function manualPage(): string {
  const lines = [
    '.TH ZEBU 1',
    '.SH NAME',
    'zebu \\- the command line of ZooKeeper clusters',
    '.SH SYNOPSIS',
    '.B zebu',
    roff('[options] command ...'),
    '.br',
    '.B zebu',
    roff('[options]'),
    '.SH DESCRIPTION',
    roff(
      'With a command it runs that command and ends. Without one it is an interactive session on a terminal, and runs the commands of its standard input in a pipe. Verbs, flags and layouts are those of zkCli; servers may be those of zebu or of Apache.',
    ),
    '.SH OPTIONS',
    ...options(GLOBAL_OPTIONS),
    '.SH COMMANDS',
  ];
  for (const group of Object.keys(GROUPS) as Group[]) {
    const commands = COMMANDS.filter((one) => one.group === group && one.isHidden !== true);
    lines.push(`.SS ${roff(GROUPS[group])}`, ...commands.flatMap(commandLines));
  }
  lines.push('.SH EXIT STATUS');
  for (const [kind, code] of Object.entries(EXIT_CODES)) {
    lines.push('.TP', `.B ${code}`, roff(EXIT_CODE_TEXTS[kind as keyof typeof EXIT_CODE_TEXTS]));
  }
  lines.push('.SH ENVIRONMENT');
  for (const [name, text] of VARIABLES) lines.push('.TP', `.B ${roff(name)}`, roff(text));
  return `${lines.join('\n')}\n`;
}

function commandLines({
  name,
  synopsis,
  summary,
  details = [],
  options: specs = [],
  examples = [],
  only,
}: Verb): string[] {
  const where = only === 'session' ? ' (In the interactive session.)' : '';
  return [
    '.TP',
    `.B ${roff(`${name} ${synopsis}`.trimEnd())}`,
    roff(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.${where}`),
    ...details.flatMap((paragraph) => ['.IP', roff(paragraph)]),
    ...(specs.length === 0 ? [] : ['.RS', ...options(specs), '.RE']),
    ...examples.flatMap(({ line, text }) => ['.IP', '.nf', roff(line), '.fi', roff(`(${text})`)]),
  ];
}

function options(specs: readonly OptionSpec[]): string[] {
  return specs.flatMap(({ names, value, text }) => [
    '.TP',
    `.BR ${names.map((name) => `"${roff(name)}"`).join(' ", " ')}${value === undefined ? '' : ` " ${roff(value)}"`}`,
    roff(text),
  ]);
}

/** Backslashes, dashes, and what begins a line with a control character. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/, '\\&$1');
}
