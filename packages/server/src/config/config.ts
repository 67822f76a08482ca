/**
 * Makes one ServerConfig of all sources: flags count before the environment, then Java flags, the file and the
 * defaults. Throws one ConfigError for everything that is wrong, and returns notes about the rest. It is the only
 * reader of the command line and the environment, and reads files only by the function that it is given.
 */

import { join } from 'node:path';
import { nodeHashName } from '../auth/digest-provider.ts';
import { FOUR_LETTER_WORDS } from '../words/four-letter.ts';
import { ConfigError, describeSource } from './config-error.ts';
import { type ConfigInput, Draft, readContent } from './draft.ts';
import { readEnsemble } from './ensemble-settings.ts';
import { clientAddressOfMembers, isAnyAddress, withoutBrackets } from './members.ts';
import { Problems } from './problems.ts';
import {
  type AuthProviderName,
  defaultServerConfig,
  SESSION_TIMEOUT_TICKS,
  type ServerConfig,
  type ServerConfigOverrides,
} from './server-config.ts';
import {
  type Action,
  type ConfigNote,
  type Given,
  readCommandLine,
  readEnvironment,
  readFileSettings,
} from './sources.ts';
import { readTls } from './tls-settings.ts';

export type { ConfigInput } from './draft.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFormat = 'auto' | 'pretty' | 'json';

export interface ParsedConfig {
  readonly action: Action;
  /** `check --json`. */
  readonly isJson: boolean;
  /** The file that was read. */
  readonly file: string | undefined;
  readonly config: ServerConfig;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** To be logged, in this order. */
  readonly notes: readonly ConfigNote[];
  /** What was set and counts: of several values for a key the one that wins. */
  readonly given: readonly Given[];
}

/** Reads the whole configuration. Throws ConfigError, whose `problems` are all that is wrong with it. */
export function parseConfig(input: ConfigInput): ParsedConfig {
  const problems = new Problems();
  const line = readCommandLine(input.argv, problems);
  const { action, isJson } = line;
  if (action === 'help' || action === 'help-all' || action === 'version') {
    problems.throwIfAny();
    const log = { level: 'info', format: 'auto' } as const;
    return {
      action,
      isJson,
      file: undefined,
      config: defaultServerConfig(),
      log,
      notes: [],
      given: [],
    };
  }
  const file = findFile(input, line);
  const fromFile =
    file === undefined
      ? undefined
      : problems.attempt(() => readFileSettings(file, readContent(input, file), problems));
  const fromEnvironment = readEnvironment(input.env);
  const draft = new Draft(
    input,
    [...(fromFile?.given ?? []), ...fromEnvironment.given, ...line.given],
    [...(fromFile?.notes ?? []), ...fromEnvironment.notes],
    problems,
  );
  problems.attempt(() => draft.addDynamicFile());
  if (!problems.isEmpty) {
    // Rules about several settings are checked only when each of them could be read.
    readEach(draft);
    problems.throwIfAny(warningsOf(draft.notes));
  }
  const config = composeConfig(draft, file !== undefined);
  const log = {
    level: (draft.text('logLevel') ?? 'info') as LogLevel,
    format: (draft.text('logFormat') ?? 'auto') as LogFormat,
  };
  draft.noteIgnored(config.ensemble !== undefined);
  return { action, isJson, file, config, log, notes: draft.notes, given: draft.all() };
}

function warningsOf(notes: readonly ConfigNote[]): string[] {
  return notes.filter(({ level }) => level === 'warn').map(({ message }) => message);
}

// As zkServer.sh finds it: a bare name may be one of ZOOCFGDIR, and start-foreground alone means the
// one there.
function findFile(
  { env, readFile }: ConfigInput,
  line: { readonly file: string | undefined; readonly isScript: boolean },
): string | undefined {
  const folder = env.ZOOCFGDIR;
  const inFolder = (name: string) => join(folder as string, name);
  const file = line.file ?? env.ZEBU_CONFIG;
  if (file === undefined) {
    return line.isScript && folder !== undefined ? inFolder(env.ZOOCFG ?? 'zoo.cfg') : undefined;
  }
  if (folder === undefined || file.includes('/')) return file;
  try {
    readFile(file);
    return file;
  } catch {
    return inFolder(file);
  }
}

function composeConfig(draft: Draft, hasFile: boolean): ServerConfig {
  const { problems } = draft;
  const config = readEach(draft);
  const add = (read: () => ServerConfigOverrides): void => {
    Object.assign(config, problems.attempt(read));
  };
  problems.attempt(() => checkStandalone(draft));
  add(() => clientDoor(draft, hasFile));
  add(() => secureDoor(draft));
  add(() => ({ dataDir: dataDirectory(draft, hasFile) }));
  add(() => ({ dataLogDir: logDirectory(draft) }));
  add(() => ({ serverId: readServerId(draft, dataDirectory(draft, hasFile)) }));
  add(() => readEnsemble(draft, dataDirectory(draft, hasFile)));
  add(() => sessionTimeouts(draft));
  problems.attempt(() => checkDigestAlgorithm(draft));
  add(() => access(draft));
  // A member of an ensemble may be there for its vote alone.
  const hasNoPort = config.clientPort === -1 && draft.given('secureClientPort') === undefined;
  if (hasNoPort && draft.family('server.N').length <= 1) {
    problems.add(
      new ConfigError(
        'No client could connect: neither clientPort nor secureClientPort is set; add clientPort=2181 to the file, or --client-port 2181',
        { key: 'clientPort' },
      ),
    );
  }
  problems.throwIfAny(warningsOf(draft.notes));

  if (!hasFile || draft.given('maxClientCnxns') !== undefined) {
    config.maxClientCnxns = Math.max(0, config.maxClientCnxns ?? 0);
  } else {
    config.maxClientCnxns = 60;
  }
  config.fourLetterWhitelist = whitelist(draft, config.readOnlyModeEnabled === true);
  return defaultServerConfig(config);
}

type MutableOverrides = {
  -readonly [Key in keyof ServerConfigOverrides]: ServerConfigOverrides[Key];
};

// Reads every setting by itself: returns the values of those whose row names a field, and adds what is wrong
// with any of them. A wrong value of an ignored setting is no error.
function readEach(draft: Draft): MutableOverrides {
  const fields: Record<string, unknown> = {};
  for (const given of draft.all()) draft.problems.attempt(() => readOne(draft, given, fields));
  return fields as MutableOverrides;
}

function readOne(
  draft: Draft,
  { key, text, source, setting }: Given,
  fields: Record<string, unknown>,
): void {
  if (setting.status === 'ignored' || setting.status === 'ensemble') return;
  if (setting.status === 'refused') {
    if (setting.type.kind === 'boolean' && draft.value(key) === false) return;
    throw new ConfigError(
      `${key}: ${JSON.stringify(text)} (${describeSource(source)}) is refused: ${setting.reason}`,
      { key, value: text, source },
    );
  }
  const value = draft.value(key);
  if (setting.field === undefined || value === undefined) return;
  const [group, field] = setting.field.split('.') as [string, string | undefined];
  // An empty text is a setting left out.
  const meant = value === '' ? undefined : value;
  if (field === undefined) fields[group] = meant;
  else fields[group] = { ...(fields[group] as object | undefined), [field]: meant };
}

function checkStandalone(draft: Draft): void {
  if (draft.isTrue('standaloneEnabled', true)) return;
  const members = draft.family('server.N');
  const { source } = draft.given('standaloneEnabled') as Given;
  if (members.length === 0) {
    throw new ConfigError(
      `standaloneEnabled=false (${describeSource(source)}) needs server.N lines, and there is none`,
      { key: 'standaloneEnabled', value: 'false', source },
    );
  }
  if (members.length === 1) {
    draft.warn(source, 'an ensemble of one server runs on its own, as with standaloneEnabled=true');
  }
}

// The port may stand in the one server.N line. Two places that say different things are an error, as
// in QuorumPeerConfig.setupClientPort. -1: no port.
function clientDoor(
  draft: Draft,
  hasFile: boolean,
): { clientPort: number; clientPortAddress: string | undefined } {
  const member = clientAddressOfMembers(draft.family('server.N'), () =>
    readServerId(draft, dataDirectory(draft, hasFile)),
  );
  const port = draft.value('clientPort') as number | undefined;
  const written = draft.text('clientPortAddress');
  const address = written === undefined ? undefined : withoutBrackets(written);
  if (member !== undefined && port !== undefined) {
    const isSame = member.port === port && (isAnyAddress(address) || address === member.address);
    if (!isSame) {
      const { source } = draft.given('clientPort') as Given;
      throw new ConfigError(
        `clientPort ${port} (${describeSource(source)}) is not what ${member.given.key} says (${describeSource(member.given.source)}): ${member.given.text}`,
        { key: 'clientPort', value: `${port}`, source },
      );
    }
  }
  if (member !== undefined) {
    return { clientPort: member.port, clientPortAddress: member.address ?? address };
  }
  if (port === undefined && written !== undefined && hasFile) {
    const { source } = draft.given('clientPortAddress') as Given;
    throw new ConfigError(
      `clientPortAddress (${describeSource(source)}) is set but clientPort is not`,
      { key: 'clientPortAddress', value: written, source },
    );
  }
  return { clientPort: port ?? (hasFile ? -1 : 2181), clientPortAddress: address };
}

function secureDoor(draft: Draft): {
  secureClientPort: number;
  secureClientPortAddress: string | undefined;
  tls: ServerConfig['tls'];
} {
  const port = draft.value('secureClientPort') as number | undefined;
  const written = draft.text('secureClientPortAddress');
  const address = written === undefined ? undefined : withoutBrackets(written);
  if (port === undefined) {
    if (written === undefined) {
      return { secureClientPort: -1, secureClientPortAddress: undefined, tls: undefined };
    }
    const { source } = draft.given('secureClientPortAddress') as Given;
    throw new ConfigError(
      `secureClientPortAddress (${describeSource(source)}) is set but secureClientPort is not`,
      { key: 'secureClientPortAddress', value: written, source },
    );
  }
  const tls = readTls({
    text: (key) => draft.text(key),
    given: (key) => draft.given(key),
    isTrue: (key) => draft.isTrue(key, false),
    readFile: (path) => draft.readFile(path),
    resolvePath: (path) => draft.resolvePath(path),
    problems: draft.problems,
  });
  return { secureClientPort: port, secureClientPortAddress: address, tls };
}

function dataDirectory(draft: Draft, hasFile: boolean): string {
  const dataDir = draft.text('dataDir');
  if (dataDir === undefined && hasFile)
    throw new ConfigError('dataDir is not set', { key: 'dataDir' });
  return draft.resolvePath(dataDir ?? 'data');
}

function logDirectory(draft: Draft): string | undefined {
  const dataLogDir = draft.text('dataLogDir');
  return dataLogDir === undefined ? undefined : draft.resolvePath(dataLogDir);
}

// One decimal number in the first line (QuorumPeerConfig.setupMyId). TTL znodes leave one byte for it.
function readServerId(draft: Draft, dataDir: string): number {
  const path = `${dataDir}/myid`;
  const content = draft.readFileIfAny(path);
  if (content === undefined) return defaultServerConfig().serverId;
  const [line = ''] = content.split(/\r\n|\n|\r/);
  if (!/^[-+]?\d+$/.test(line)) {
    throw new ConfigError(`${path}: ${JSON.stringify(line)} is not allowed: one whole number`, {
      key: 'myid',
      value: line,
    });
  }
  const serverId = Number(line);
  if (serverId > 254 && draft.isTrue('extendedTypesEnabled', false)) {
    throw new ConfigError(
      `extendedTypesEnabled needs a server id up to 254, and ${path} says ${serverId}`,
    );
  }
  return serverId;
}

function sessionTimeouts(draft: Draft): {
  minSessionTimeoutMs: number;
  maxSessionTimeoutMs: number;
} {
  const tickTimeMs =
    (draft.value('tickTime') as number | undefined) ?? defaultServerConfig().tickTimeMs;
  const limit = (key: string, ticks: number) => {
    const value = draft.value(key) as number | undefined;
    return value === undefined || value < 0 ? tickTimeMs * ticks : value;
  };
  const minSessionTimeoutMs = limit('minSessionTimeout', SESSION_TIMEOUT_TICKS.minSessionTimeoutMs);
  const maxSessionTimeoutMs = limit('maxSessionTimeout', SESSION_TIMEOUT_TICKS.maxSessionTimeoutMs);
  if (minSessionTimeoutMs > maxSessionTimeoutMs) {
    const given = draft.given('minSessionTimeout') ?? draft.given('maxSessionTimeout');
    const place = given === undefined ? '' : ` (${describeSource(given.source)})`;
    throw new ConfigError(
      `minSessionTimeout ${minSessionTimeoutMs} must not be larger than maxSessionTimeout ${maxSessionTimeoutMs}${place}`,
      { key: given?.key ?? 'minSessionTimeout', value: given?.text ?? '', source: given?.source },
    );
  }
  return { minSessionTimeoutMs, maxSessionTimeoutMs };
}

// FourLetterCommands.isEnabled: srvr always, isro where clients may look for a read-only server.
function whitelist(draft: Draft, readOnlyModeEnabled: boolean): string[] {
  const words = new Set<string>();
  const given = draft.given('4lw.commands.whitelist');
  for (const word of (given?.text ?? '').split(',').map((one) => one.trim())) {
    if (word === '') continue;
    if (word === '*') {
      for (const known of FOUR_LETTER_WORDS) words.add(known);
      break;
    }
    const isKnown = (FOUR_LETTER_WORDS as readonly string[]).includes(word);
    if (!isKnown) draft.warn((given as Given).source, `${word} is no four-letter word`);
    words.add(word);
  }
  if (readOnlyModeEnabled) words.add('isro');
  words.add('srvr');
  return [...words];
}

/** Apache's classes, and the same by their scheme. */
const AUTH_PROVIDERS: Readonly<Record<string, AuthProviderName>> = {
  DigestAuthenticationProvider: 'digest',
  IPAuthenticationProvider: 'ip',
  X509AuthenticationProvider: 'x509',
  SASLAuthenticationProvider: 'sasl',
  EnsembleAuthenticationProvider: 'ensemble',
  digest: 'digest',
  ip: 'ip',
  x509: 'x509',
  sasl: 'sasl',
  ensemble: 'ensemble',
};

function checkDigestAlgorithm(draft: Draft): void {
  const algorithm = draft.text('DigestAuthenticationProvider.digestAlg');
  if (algorithm !== undefined && nodeHashName(algorithm) === undefined) {
    const given = draft.given('DigestAuthenticationProvider.digestAlg') as Given;
    throw new ConfigError(
      `${given.key}: ${JSON.stringify(algorithm)} (${describeSource(given.source)}) is not allowed: SHA1, SHA-256, SHA-512, SHA3-256 and the like`,
      { key: given.key, value: algorithm, source: given.source },
    );
  }
}

function access(draft: Draft): ServerConfigOverrides {
  const providers = authProviders(draft, draft.given('secureClientPort') !== undefined);
  return {
    authProviders: providers,
    superUsers: [
      draft.text('superUser'),
      ...draft.family('superUser.N').map(({ text }) => text),
    ].filter((name): name is string => name !== undefined && name !== ''),
    ensembleAuthNames: list(draft.text('ensembleAuthName')),
    enforceAuth: enforcedAuth(draft, providers),
  };
}

function authProviders(draft: Draft, hasSecurePort: boolean): AuthProviderName[] {
  const names = new Set<AuthProviderName>();
  if (draft.isTrue('DigestAuthenticationProvider.enabled', true)) names.add('digest');
  names.add('ip');
  for (const { key, text, source } of draft.family('authProvider.N')) {
    const className = text.replace(/^org\.apache\.zookeeper\.server\.auth\./, '');
    const name = AUTH_PROVIDERS[className];
    if (name !== undefined) names.add(name);
    else draft.warn(source, `${key} names ${text}, which this server does not have: left out`);
  }
  if (!hasSecurePort) return [...names];
  // QuorumPeerConfig.configureSSLAuth.
  const scheme = draft.text('ssl.authProvider') ?? 'x509';
  if (scheme !== 'x509') {
    const { source } = draft.given('ssl.authProvider') as Given;
    draft.warn(source, `ssl.authProvider ${scheme} is not known: TLS clients are of scheme x509`);
  }
  names.add('x509');
  return [...names];
}

// AuthenticationHelper.
function enforcedAuth(
  draft: Draft,
  providers: readonly AuthProviderName[],
): { enabled: boolean; schemes: string[] } {
  const isSaslRequired = draft.isTrue('sessionRequireClientSASLAuth', false);
  const enabled = isSaslRequired || draft.isTrue('enforce.auth.enabled', false);
  const schemes = isSaslRequired ? ['sasl'] : list(draft.text('enforce.auth.schemes'));
  if (!enabled) return { enabled, schemes };
  const given = (draft.given('enforce.auth.enabled') ??
    draft.given('sessionRequireClientSASLAuth')) as Given;
  const place = `${given.key} (${describeSource(given.source)})`;
  const facts = { key: given.key, value: given.text, source: given.source };
  if (schemes.length === 0) {
    throw new ConfigError(`${place} needs enforce.auth.schemes, which is not set`, facts);
  }
  for (const scheme of schemes) {
    if ((providers as readonly string[]).includes(scheme)) continue;
    draft.problems.add(
      new ConfigError(
        `${place}: scheme ${scheme} is not available; these are: ${providers.join(', ')}`,
        facts,
      ),
    );
  }
  if (schemes.every((scheme) => scheme === 'sasl' || scheme === 'ensemble')) {
    draft.warn(
      given.source,
      `No client can get an identity of ${schemes.join(' or ')}: none will be served`,
    );
  }
  return { enabled, schemes };
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
