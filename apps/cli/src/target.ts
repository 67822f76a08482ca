// Which cluster a command is for, and as whom: from the command line, the environment, a context of the configuration
// file, or the default, in this order. Reads files of keys and credentials; never takes a credential from the
// command line, which shells keep in their history and `ps` shows to everyone.

import { readFileSync, statSync } from 'node:fs';
import type { TlsOptions } from '@zebu/client';
import { CommandError, usage } from './command-error.ts';
import type { Context } from './contexts.ts';
import { readFailure } from './file-failure.ts';
import type { OptionSpec, ParsedWords } from './parse-words.ts';
import { readServerList, type ServerList } from './servers.ts';

export const DEFAULT_SERVERS = '127.0.0.1:2181';
const DEFAULT_SESSION_TIMEOUT_MS = 30_000;

export interface Credential {
  readonly scheme: string;
  readonly auth: string;
}

export interface Target {
  readonly list: ServerList;
  /** What decided: '--server', 'ZEBU_SERVERS', 'context prod', 'default'. */
  readonly source: string;
  readonly isProtected: boolean;
  readonly tls: TlsOptions | undefined;
  readonly auth: readonly Credential[];
  readonly sessionTimeoutMs: number;
  readonly readOnly: boolean;
  /** For the user, before anything else is said. */
  readonly warnings: readonly string[];
}

/** Of a command that has nothing to do with a cluster. */
export const NOWHERE: Target = {
  list: { servers: '', chroot: '', isTls: false, hosts: [] },
  source: 'none',
  isProtected: false,
  tls: undefined,
  auth: [],
  sessionTimeoutMs: DEFAULT_SESSION_TIMEOUT_MS,
  readOnly: false,
  warnings: [],
};

export const TLS_OPTIONS: readonly OptionSpec[] = [
  { names: ['--tls'], text: 'connect with TLS; the default port is then 2281' },
  { names: ['--tls-ca'], value: 'FILE', text: 'certificates to trust (PEM); implies --tls' },
  { names: ['--tls-cert'], value: 'FILE', text: 'our certificate (PEM)' },
  { names: ['--tls-key'], value: 'FILE', text: 'its key (PEM); ZEBU_TLS_PASSPHRASE opens it' },
  { names: ['--tls-server-name'], value: 'NAME', text: 'the name that the certificate must have' },
  { names: ['--tls-no-verify'], text: 'take any certificate: for tests only' },
];

export const TARGET_OPTIONS: readonly OptionSpec[] = [
  {
    names: ['--server', '-server'],
    value: 'LIST',
    text: 'servers, as zk1:2181,zk2:2181/chroot; else ZEBU_SERVERS, the context in use, 127.0.0.1:2181',
  },
  {
    names: ['--context'],
    value: 'NAME',
    text: 'a cluster of the configuration file (zebu context)',
  },
  {
    names: ['--auth-file'],
    value: 'FILE',
    text: 'credentials, one scheme:auth a line (digest:user:password); else ZEBU_AUTH, in the same form',
  },
  {
    names: ['--timeout', '-timeout'],
    value: 'MS',
    text: 'the timeout of the session; default 30000',
  },
  { names: ['--read-only'], text: 'also take a server that has lost its quorum' },
  ...TLS_OPTIONS,
];

/** Throws a CommandError. `contextNamed` reads the configuration file; without a name, the context in use. */
export function chooseTarget(
  words: ParsedWords,
  env: NodeJS.ProcessEnv,
  contextNamed: (name: string | undefined) => { name: string; context: Context } | undefined,
): Target {
  const server = words.value('--server');
  const name = words.value('--context');
  if (server !== undefined && name !== undefined) {
    throw usage('--server and --context are both given', 'a context names its own servers');
  }
  const chosen = chooseServers(server, name, env, contextNamed);
  const { context } = chosen;
  const tlsFiles = tlsFilesOf(words, context);
  const list = readServerList(chosen.servers, tlsFiles !== undefined);
  const authFile = words.value('--auth-file') ?? context?.authFile;
  return {
    list,
    source: chosen.source,
    isProtected: context?.protected === true,
    tls: list.isTls ? readTls(tlsFiles ?? {}, env) : undefined,
    auth: [
      ...(authFile === undefined ? [] : readAuthFile(authFile)),
      ...parseCredentials(env.ZEBU_AUTH ?? '', 'ZEBU_AUTH'),
    ],
    sessionTimeoutMs: sessionTimeout(words.value('--timeout'), context),
    readOnly: words.has('--read-only'),
    warnings: authFile === undefined ? [] : warningsAbout(authFile),
  };
}

/** Where others may read the credentials. Windows has no such modes. */
function warningsAbout(authFile: string): string[] {
  if (process.platform === 'win32') return [];
  const mode = (statSync(authFile, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
  if ((mode & 0o077) === 0) return [];
  return [
    `${authFile} is open to others (mode ${mode.toString(8)}): chmod 600 ${authFile} closes it`,
  ];
}

function chooseServers(
  server: string | undefined,
  name: string | undefined,
  env: NodeJS.ProcessEnv,
  contextNamed: (name: string | undefined) => { name: string; context: Context } | undefined,
): { servers: string; source: string; context?: Context } {
  if (server !== undefined) return { servers: server, source: '--server' };
  const fromContext = (wanted: string | undefined) => {
    const found = contextNamed(wanted);
    return found === undefined
      ? undefined
      : { servers: found.context.servers, source: `context ${found.name}`, context: found.context };
  };
  if (name !== undefined) return required(fromContext(name));
  if (env.ZEBU_SERVERS) return { servers: env.ZEBU_SERVERS, source: 'ZEBU_SERVERS' };
  if (env.ZEBU_CONTEXT) return required(fromContext(env.ZEBU_CONTEXT));
  return fromContext(undefined) ?? { servers: DEFAULT_SERVERS, source: 'default' };
}

function required<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('contextNamed() answers for a name, or throws');
  return found;
}

function sessionTimeout(written: string | undefined, context: Context | undefined): number {
  if (written === undefined) return context?.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  const ms = Number(written);
  if (!Number.isInteger(ms) || ms < 1 || ms > 0x7fffffff) {
    throw usage(`--timeout is "${written}": allowed are 1..2147483647 milliseconds`);
  }
  return ms;
}

export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
  readonly noVerify?: boolean | undefined;
}

/** What the command line says of TLS, each option over the context's; undefined for no TLS. */
export function tlsFilesOf(words: ParsedWords, context?: Context): TlsFiles | undefined {
  const given: TlsFiles = {
    ca: words.value('--tls-ca'),
    cert: words.value('--tls-cert'),
    key: words.value('--tls-key'),
    serverName: words.value('--tls-server-name'),
    noVerify: words.has('--tls-no-verify') ? true : undefined,
  };
  const isGiven = words.has('--tls') || Object.values(given).some((value) => value !== undefined);
  if (!isGiven) return context?.tls;
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...context?.tls, ...Object.fromEntries(set) };
}

function readTls(files: TlsFiles, env: NodeJS.ProcessEnv): TlsOptions {
  const { ca, cert, key, serverName, noVerify } = files;
  return {
    ...(ca === undefined ? {} : { ca: readFile(ca, 'the certificates to trust') }),
    ...(cert === undefined ? {} : { cert: readFile(cert, 'our certificate') }),
    ...(key === undefined ? {} : { key: readFile(key, 'our key') }),
    ...(env.ZEBU_TLS_PASSPHRASE === undefined ? {} : { passphrase: env.ZEBU_TLS_PASSPHRASE }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(noVerify === true ? { verify: false } : {}),
  };
}

function readAuthFile(path: string): Credential[] {
  return parseCredentials(readFile(path, 'the credentials').toString('utf8'), path);
}

/** One `scheme:auth` a line; blank lines and lines that start with # are left out. */
export function parseCredentials(text: string, source: string): Credential[] {
  const credentials: Credential[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    // The line itself may hold a password.
    if (colon <= 0) throw usage(`${source}, line ${index + 1}, is not scheme:auth`);
    credentials.push({ scheme: line.slice(0, colon), auth: line.slice(colon + 1) });
  }
  return credentials;
}

function readFile(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const text = `Cannot read ${what} in ${path}: ${readFailure(path, error)}`;
    throw new CommandError('usage', text, { cause: error });
  }
}
