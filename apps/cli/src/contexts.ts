// Named clusters, in a file: $ZEBU_CLI_CONFIG, else $XDG_CONFIG_HOME/zebu/config.json, else
// ~/.config/zebu/config.json. It names the files of keys and credentials and never holds one.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError, usage } from './command-error.ts';
import { readFailure } from './file-failure.ts';
import { nearest } from './nearest.ts';
import type { TlsFiles } from './target.ts';

export interface Context {
  readonly servers: string;
  readonly tls?: TlsFiles | undefined;
  readonly authFile?: string | undefined;
  readonly sessionTimeoutMs?: number | undefined;
  /** Destructive commands ask first. */
  readonly protected?: boolean | undefined;
}

export interface ContextFile {
  readonly current: string | undefined;
  readonly contexts: { readonly [name: string]: Context };
}

export function contextFilePath(env: NodeJS.ProcessEnv): string {
  if (env.ZEBU_CLI_CONFIG) return env.ZEBU_CLI_CONFIG;
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return join(base, 'zebu', 'config.json');
}

/** A file that is not there has no contexts. Throws a CommandError for one that cannot be read or makes no sense. */
export function readContexts(path: string): ContextFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { current: undefined, contexts: {} };
    throw new CommandError('usage', `Cannot read ${path}: ${readFailure(path, error)}`, {
      cause: error,
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new CommandError('usage', `${path} is not JSON: ${(error as Error).message}`);
  }
  const { current, contexts = {} } = (parsed ?? {}) as { current?: unknown; contexts?: unknown };
  if (typeof contexts !== 'object' || contexts === null) throw bad(path, 'contexts is no object');
  for (const [name, context] of Object.entries(contexts)) {
    if (typeof (context as Context | null)?.servers !== 'string') {
      throw bad(path, `context ${name} has no servers`);
    }
  }
  if (current !== undefined && typeof current !== 'string') throw bad(path, 'current is no name');
  return { current, contexts: contexts as { [name: string]: Context } };
}

function bad(path: string, detail: string): CommandError {
  return new CommandError('usage', `${path}: ${detail}`);
}

/** Written aside and renamed: a crash leaves the old file. Only its owner may read it. */
export function writeContexts(path: string, file: ContextFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  renameSync(aside, path);
}

/** The context of that name; without a name, the one in use, or undefined for none. */
export function findContext(
  file: ContextFile,
  name: string | undefined,
): { name: string; context: Context } | undefined {
  const wanted = name ?? file.current;
  if (wanted === undefined) return undefined;
  const names = Object.keys(file.contexts);
  const context = Object.hasOwn(file.contexts, wanted) ? file.contexts[wanted] : undefined;
  if (context !== undefined) return { name: wanted, context };
  const near = nearest(wanted, names);
  const known = names.length === 0 ? 'there is none yet' : `there are ${names.join(', ')}`;
  throw usage(
    `There is no context ${wanted}: ${known}`,
    near === undefined ? 'zebu context add NAME SERVERS makes one' : `did you mean ${near}?`,
  );
}
