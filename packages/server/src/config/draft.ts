/**
 * Holds what was set, by key, while config.ts makes a configuration of it: the values that win by precedence,
 * parsed by their types, and the notes about them. Rules about several settings are in config.ts.
 */

import { resolve } from 'node:path';
import { ConfigError, describeSource, type SettingSource } from './config-error.ts';
import { decodeStrictly } from './file-text.ts';
import { sameMember } from './members.ts';
import type { Problems } from './problems.ts';
import {
  allowedValues,
  findByKey,
  parseValue,
  type SettingValue,
  valueInApache,
} from './settings.ts';
import { type ConfigNote, entriesOf, type Given, similarCommand } from './sources.ts';

/** Where the configuration comes from. */
export interface ConfigInput {
  /** Without the interpreter and the script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The bytes of a file, or its text where it is known; throws as node:fs does. */
  readonly readFile: (path: string) => Uint8Array | string;
  /** What relative paths are relative to. */
  readonly cwd: string;
}

/** The settings that count, by key, and what is to be said about them. */
export class Draft {
  readonly notes: ConfigNote[];
  /** What is wrong so far. */
  readonly problems: Problems;
  private readonly input: ConfigInput;
  private readonly givenByKey = new Map<string, Given>();
  private readonly warned = new Set<string>();

  constructor(
    input: ConfigInput,
    given: readonly Given[],
    notes: ConfigNote[],
    problems: Problems,
  ) {
    this.input = input;
    this.notes = notes;
    this.problems = problems;
    for (const one of given) this.givenByKey.set(one.key, one);
  }

  all(): Given[] {
    return [...this.givenByKey.values()];
  }

  given(key: string): Given | undefined {
    return this.givenByKey.get(key);
  }

  /** The members of a family, in the order they came. */
  family(key: string): Given[] {
    return this.all().filter(({ setting }) => setting.key === key);
  }

  /** What was written; undefined when nothing or an empty text was. */
  text(key: string): string | undefined {
    const value = this.value(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  isTrue(key: string, otherwise: boolean): boolean {
    const value = this.value(key);
    return typeof value === 'boolean' ? value : otherwise;
  }

  /** The parsed value; undefined when it is not set. Throws ConfigError. */
  value(key: string): SettingValue | undefined {
    const given = this.givenByKey.get(key);
    if (given === undefined) return undefined;
    const parsed = parseValue(given.setting.type, given.text);
    if (parsed === undefined || isOddlySpelt(given)) return this.asInApache(given);
    if (parsed.raised) {
      this.warnOnce(
        given,
        `${key} ${given.text} is raised to ${(given.setting.type as { min: number }).min}, the least that is allowed`,
      );
    }
    return parsed.value;
  }

  private asInApache(given: Given): SettingValue {
    const { key, text, setting } = given;
    const value = isOfApache(given) ? valueInApache(setting) : undefined;
    if (value === undefined) throw notAllowed(given);
    const counts =
      setting.type.kind === 'yesno' ? (value ? 'yes' : 'no') : value === '' ? 'none' : `${value}`;
    this.warnOnce(
      given,
      `${key}=${text} counts as ${counts}, as in Apache: write ${allowedValues(setting.type)}`,
    );
    return value;
  }

  private warnOnce({ key, source }: Given, message: string): void {
    if (this.warned.has(key)) return;
    this.warned.add(key);
    this.warn(source, message);
  }

  warn(source: SettingSource, message: string): void {
    this.notes.push({ level: 'warn', message: `${describeSource(source)}: ${message}` });
  }

  resolvePath(path: string): string {
    return resolve(this.input.cwd, path);
  }

  /** The text of a file that must be there. Throws ConfigError. */
  readFile(path: string): string {
    return decodeStrictly(path, readContent(this.input, path));
  }

  /** The text of a file, or undefined when there is none. Throws ConfigError. */
  readFileIfAny(path: string): string | undefined {
    let content: Uint8Array | string;
    try {
      content = this.input.readFile(path);
    } catch (error) {
      if (IS_THERE.includes((error as { code?: string }).code ?? '')) throw unreadable(path, error);
      return undefined;
    }
    return decodeStrictly(path, content);
  }

  /** Adds the server.N lines of dynamicConfigFile (QuorumPeerConfig.parse). Throws ConfigError. */
  addDynamicFile(): void {
    const pointer = this.givenByKey.get('dynamicConfigFile');
    if (pointer === undefined) return;
    for (const { key, text, source, setting } of this.all()) {
      if (!DYNAMIC_KEYS.includes(setting.key)) continue;
      this.problems.add(
        new ConfigError(
          `${key} (${describeSource(source)}) must be in the dynamic file ${pointer.text}`,
          { key, value: text, source },
        ),
      );
    }
    const path = this.resolvePath(pointer.text);
    for (const { key, value, line } of entriesOf(path, readContent(this.input, path))) {
      const found = findByKey(key);
      const source = { kind: 'file', path, line } as const;
      if (found !== undefined && DYNAMIC_KEYS.includes(found.setting.key)) {
        const given = { ...found, text: value, source };
        const twice = this.givenByKey.get(key);
        if (twice !== undefined && found.setting.key === 'server.N') {
          this.problems.add(sameMember(given, twice));
        }
        this.givenByKey.set(key, given);
        continue;
      }
      const reason =
        key === 'version'
          ? 'the name of the file holds it'
          : 'only servers, groups and weights may';
      this.problems.add(
        new ConfigError(`${path}:${line}: ${key} must not be in a dynamic file: ${reason}`, {
          key,
          value,
          source,
        }),
      );
    }
  }

  /** One note for each reason why settings have no effect; those at their default are not mentioned. */
  noteIgnored(isMember: boolean): void {
    const byReason = new Map<string, string[]>();
    for (const { key, text, source, setting } of this.all()) {
      const isIgnored =
        setting.status === 'ignored' || (setting.status === 'ensemble' && !isMember);
      if (!isIgnored || text === setting.default) continue;
      if (parseValue(setting.type, text) === undefined) {
        this.warn(
          source,
          `${key}: ${JSON.stringify(text)} is not allowed: ${allowedValues(setting.type)}; it has no effect in any case`,
        );
      }
      const keys = byReason.get(setting.reason);
      if (keys === undefined) byReason.set(setting.reason, [key]);
      else keys.push(key);
    }
    for (const [reason, keys] of byReason) {
      this.notes.push({ level: 'info', message: `Without effect: ${keys.join(', ')}: ${reason}` });
    }
  }
}

/** Whether the same words could stand in front of Apache's server. */
function isOfApache({ source }: Given): boolean {
  return source.kind === 'file' || source.kind === 'jvmflags';
}

// Java compares with "yes" and "no" as they are: YES is another word there.
function isOddlySpelt(given: Given): boolean {
  const { setting, text } = given;
  return isOfApache(given) && setting.type.kind === 'yesno' && !/^(yes|no)$/.test(text);
}

/** What belongs into the dynamic file, and nothing else does. */
const DYNAMIC_KEYS = ['server.N', 'group.N', 'weight.N'];

function notAllowed({ key, text, source, setting }: Given): ConfigError {
  const value = setting.secret ? '(not shown)' : text;
  const allowed = allowedValues(setting.type);
  return new ConfigError(
    `${key}: ${JSON.stringify(value)} (${describeSource(source)}) is not allowed: ${allowed}`,
    { key, value, source, allowed },
  );
}

/** Codes of errors that say that there is something. */
const IS_THERE = ['EACCES', 'EPERM', 'EISDIR', 'EIO'];

/** What stands in a file that must be there. Throws ConfigError. */
export function readContent({ readFile }: ConfigInput, path: string): Uint8Array | string {
  try {
    return readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ConfigError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const hint = REMEDIES[code] ?? (IS_THERE.includes(code) ? undefined : otherMeaning(path));
  return new ConfigError(`Cannot read ${path}: ${message}${hint === undefined ? '' : `; ${hint}`}`);
}

/** What was most likely meant by the name of a file that is not there. */
function otherMeaning(path: string): string | undefined {
  if (/^\d+$/.test(path)) return 'a port needs a data directory after it';
  const command = similarCommand(path);
  return command === undefined ? undefined : `did you mean zebu-server ${command}?`;
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'the user that runs the server needs the right to read it, and to enter its directories',
  EISDIR: 'name the file in it, or say --data-dir before it if it is the data directory',
};
