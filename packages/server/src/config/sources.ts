/**
 * Gathers what was set and where: the file, Java flags in SERVER_JVMFLAGS and JVMFLAGS, ZEBU_* variables,
 * arguments and flags, in rising precedence. Knows how each of them is written, and looks up the setting in the
 * table; config.ts reads the values.
 */

import { ConfigError, type SettingSource } from './config-error.ts';
import { decodeMarkingBadBytes } from './file-text.ts';
import { sameMember } from './members.ts';
import { nearestName } from './nearest-name.ts';
import type { Problems } from './problems.ts';
import {
  environmentName,
  type FoundSetting,
  findByKey,
  findByLooseName,
  findByProperty,
  flagName,
  type Setting,
  similarName,
} from './settings.ts';
import { type CfgEntry, CfgSyntaxError, parseZooCfg } from './zoo-cfg.ts';

/** One value as written. */
export interface Given {
  readonly setting: Setting;
  /** The key, which in a family is one of many: `server.1`. */
  readonly key: string;
  readonly text: string;
  readonly source: SettingSource;
}

/** Something to tell the user about the configuration, once there is a log. */
export interface ConfigNote {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** What the command is to do. */
export type Action = 'run' | 'check' | 'help' | 'help-all' | 'version' | 'print-config';

/** The command line, taken apart. */
export interface CommandLine {
  readonly action: Action;
  /** `start-foreground` was said, as to zkServer.sh. */
  readonly isScript: boolean;
  /** `--json`: what `check` finds, for a program. */
  readonly isJson: boolean;
  /** The configuration file. */
  readonly file: string | undefined;
  readonly given: readonly Given[];
}

const ACTIONS: Readonly<Record<string, Action>> = {
  '--help': 'help',
  '-h': 'help',
  help: 'help',
  '--help-all': 'help-all',
  '--version': 'version',
  '-V': 'version',
  version: 'version',
  '--print-config': 'print-config',
};

/** Flags that are no settings, for the hint at a misspelt one. */
const OTHER_FLAGS = ['help', 'help-all', 'version', 'print-config', 'config', 'json'];

// What else zkServer.sh can be asked: there is no daemon to start or stop here.
const SCRIPT_ACTIONS = ['start', 'stop', 'restart', 'status', 'print-cmd'];

/** Words that stand where a file or a port could, for the hint at a misspelt one. */
const COMMANDS = ['ensemble', 'check', 'start-foreground', 'help', 'version'];

/** The command that a word most likely means. */
export function similarCommand(word: string): string | undefined {
  return nearestName(word, COMMANDS);
}

/**
 * `[start-foreground or check] FILE`, or `<clientPort> <dataDir> [tickTime] [maxClientCnxns]`, or neither, with
 * flags anywhere: `--client-port 2181`, `--clientPort=2181`, `--skipACL yes`; a flag of true or false
 * may stand alone. What is wrong with it is added to the problems.
 */
export function readCommandLine(argv: readonly string[], problems: Problems): CommandLine {
  let action: Action = 'run';
  let file: string | undefined;
  let isJson = false;
  const positional: string[] = [];
  const given: Given[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    const asked = ACTIONS[argument];
    if (asked !== undefined) {
      action = asked;
    } else if (argument === '--json') {
      isJson = true;
    } else if (argument === '--') {
      positional.push(...argv.slice(i + 1));
      break;
    } else if (argument.startsWith('--')) {
      const equals = argument.indexOf('=');
      const flag = equals < 0 ? argument : argument.slice(0, equals);
      const next = argv[i + 1];
      if (flag === '--config') {
        file = equals < 0 ? next : argument.slice(equals + 1);
        if (file === undefined) problems.add(new ConfigError('--config needs the path of a file'));
        if (equals < 0) i++;
        continue;
      }
      const found = findByLooseName(flag.slice(2));
      if (found === undefined) {
        problems.add(noFlag(flag));
        // The next word, if it is no flag, was most likely meant as its value.
        if (equals < 0 && next?.startsWith('-') === false) i++;
        continue;
      }
      const isSwitch =
        equals < 0 && isTruth(found.setting) && !/^(true|false|yes|no)$/i.test(next ?? '');
      if (equals < 0 && !isSwitch && next === undefined) {
        problems.add(new ConfigError(`${flag} needs a value`, { key: found.key }));
        continue;
      }
      const text = isSwitch
        ? truthOf(found.setting)
        : equals < 0
          ? (next as string)
          : argument.slice(equals + 1);
      if (equals < 0 && !isSwitch) i++;
      given.push({ ...found, text: text.trim(), source: { kind: 'flag', flag } });
    } else if (argument.startsWith('-') && !/^-\d/.test(argument)) {
      problems.add(noFlag(argument));
    } else {
      positional.push(argument);
    }
  }
  const isCheck = positional[0] === 'check';
  const isScript = positional[0] === 'start-foreground';
  if (isCheck && action === 'run') action = 'check';
  if (isJson && action !== 'check') {
    problems.add(new ConfigError('--json belongs to zebu-server check'));
  }
  const rest = readPositional(isScript || isCheck ? positional.slice(1) : positional, problems);
  return { action, isScript, isJson, file: rest.file ?? file, given: [...rest.given, ...given] };
}

function readPositional(
  positional: string[],
  problems: Problems,
): { file: string | undefined; given: Given[] } {
  const [command] = positional;
  if (command !== undefined && SCRIPT_ACTIONS.includes(command)) {
    problems.add(
      new ConfigError(
        `zebu-server has no ${command}: it runs in the foreground (zebu-server FILE) and ends on SIGTERM`,
      ),
    );
    return { file: undefined, given: [] };
  }
  if (positional.length <= 1) return { file: positional[0], given: [] };
  if (positional.length > 4) {
    problems.add(
      new ConfigError(
        `${positional.length} arguments are too many: zebu-server <clientPort> <dataDir> [tickTime] [maxClientCnxns]`,
      ),
    );
    return { file: undefined, given: [] };
  }
  const similar = similarCommand(command as string);
  if (similar !== undefined) {
    const text =
      similar === command
        ? `${command} has to be the first word after zebu-server`
        : `zebu-server has no ${command}${hint(similar)}`;
    problems.add(new ConfigError(text));
    return { file: undefined, given: [] };
  }
  const keys = ['clientPort', 'dataDir', 'tickTime', 'maxClientCnxns'];
  const given = positional.map((text, index) => ({
    ...(findByKey(keys[index] as string) as FoundSetting),
    text: text.trim(),
    source: { kind: 'argument', position: index + 1 } as const,
  }));
  return { file: undefined, given };
}

function noFlag(flag: string): ConfigError {
  const [name = ''] = flag.replace(/^-+/, '').split('=');
  const similar = similarName(name, OTHER_FLAGS);
  return new ConfigError(
    `${flag} is not a flag: see zebu-server --help${hint(similar && `--${flagName(similar)}`)}`,
  );
}

function hint(similar: string | undefined): string {
  return similar === undefined ? '' : `; did you mean ${similar}?`;
}

function isTruth({ type }: Setting): boolean {
  return type.kind === 'boolean' || type.kind === 'yesno';
}

function truthOf({ type }: Setting): string {
  return type.kind === 'yesno' ? 'yes' : 'true';
}

/**
 * What a file sets. Unknown keys become notes: Apache makes a system property of each, which nothing reads. So do keys
 * that are there twice, of which the last one counts; but a member that is there twice is a problem.
 */
export function readFileSettings(
  path: string,
  content: Uint8Array | string,
  problems: Problems,
): { given: Given[]; notes: ConfigNote[] } {
  const given: Given[] = [];
  const notes: ConfigNote[] = [];
  const lines = new Map<string, number>();
  for (const { key, value, line } of entriesOf(path, content)) {
    const earlier = lines.get(key);
    const twice = given.find((one) => one.key === key && one.setting.key === 'server.N');
    if (twice !== undefined) {
      const source = { kind: 'file', path, line } as const;
      problems.add(sameMember({ ...twice, text: value, source }, twice));
    } else if (earlier !== undefined) {
      notes.push({
        level: 'warn',
        message: `${path}:${line}: ${key} stands in line ${earlier} already; this one counts`,
      });
    }
    lines.set(key, line);
    const found = findByKey(key);
    if (found !== undefined) {
      given.push({ ...found, text: value, source: { kind: 'file', path, line } });
      const oddity = found.setting.type.kind === 'path' ? oddityOfPath(value) : undefined;
      if (oddity !== undefined) {
        notes.push({ level: 'warn', message: `${path}:${line}: ${key}=${value}: ${oddity}` });
      }
      continue;
    }
    notes.push({
      level: 'warn',
      message: `${path}:${line}: ${key} is not known, and taken for the system property zookeeper.${key}, which nothing reads${hint(similarName(key))}`,
    });
  }
  return { given, notes };
}

/** Why a path is most likely not what its writer means; in java.util.Properties both are plain text. */
function oddityOfPath(value: string): string | undefined {
  if (/\s#/.test(value)) {
    return 'a comment needs a line of its own: what follows the path is taken for a part of it';
  }
  if (/"|^'|'$/.test(value)) return 'the quotes are taken for a part of the path';
  return undefined;
}

/** The entries of a file. Throws ConfigError for what is no properties file. */
export function entriesOf(path: string, content: Uint8Array | string): CfgEntry[] {
  try {
    return parseZooCfg(decodeMarkingBadBytes(path, content));
  } catch (error) {
    if (!(error instanceof CfgSyntaxError)) throw error;
    const column = error.column === undefined ? '' : `:${error.column}`;
    throw new ConfigError(`${path}:${error.line}${column}: ${error.message}`, {
      source: { kind: 'file', path, line: error.line },
    });
  }
}

/**
 * What the environment sets: -Dname=value in the flags that zkServer.sh hands to Java (JVMFLAGS comes
 * after SERVER_JVMFLAGS there, and so counts), then ZEBU_*. Other Java flags mean nothing here.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  given: Given[];
  notes: ConfigNote[];
} {
  const given: Given[] = [];
  const notes: ConfigNote[] = [];
  if (isSet(env.ZOO_DATADIR_AUTOCREATE_DISABLE)) {
    const found = findByKey('datadir.autocreate') as FoundSetting;
    const source = { kind: 'environment', variable: 'ZOO_DATADIR_AUTOCREATE_DISABLE' } as const;
    given.push({ ...found, text: 'false', source });
  }
  for (const variable of ['SERVER_JVMFLAGS', 'JVMFLAGS']) {
    for (const [property, text] of systemProperties(env[variable] ?? '')) {
      const found = findByProperty(property);
      if (found !== undefined) {
        given.push({ ...found, text, source: { kind: 'jvmflags', variable, property } });
      } else if (property.startsWith('zookeeper.')) {
        const similar = similarName(property);
        notes.push({
          level: 'warn',
          message: `-D${property} in ${variable} sets nothing that is known${hint(similar && `-Dzookeeper.${similar}`)}`,
        });
      }
    }
  }
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (!variable.startsWith('ZEBU_') || text === undefined) continue;
    if (OTHER_VARIABLES.includes(variable) || variable.startsWith('ZEBU_TEST_')) continue;
    const name = variable.slice('ZEBU_'.length);
    const found = findByLooseName(name);
    if (found === undefined) {
      const similar = similarName(name);
      notes.push({
        level: 'warn',
        message: `Variable ${variable} sets nothing that is known${hint(similar && environmentName(similar))}`,
      });
      continue;
    }
    given.push({ ...found, text: text.trim(), source: { kind: 'environment', variable } });
  }
  return { given, notes };
}

/** Read by the command and its wrapper, and by parseConfig to find the file. */
const OTHER_VARIABLES = ['ZEBU_NODE', 'ZEBU_CONFIG', 'ZEBU_STOP_WITH_STDIN'];

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

// Words as a shell would split them, except that it sees no quotes in a variable's value; quotes
// around a value are taken off all the same, for the files that write them.
function systemProperties(flags: string): [property: string, value: string][] {
  const words = flags.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  return words
    .map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'))
    .filter((word) => word.startsWith('-D'))
    .map((word) => {
      const equals = word.indexOf('=');
      return equals < 0
        ? [word.slice(2), '']
        : [word.slice(2, equals), word.slice(equals + 1).trim()];
    });
}

/** How a user can set a key, for the help. */
export function spellings(key: string): { flag: string; variable: string } {
  return { flag: `--${flagName(key)}`, variable: environmentName(key) };
}
