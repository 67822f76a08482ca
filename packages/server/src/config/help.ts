/** The texts of `--help`, `--help-all` and `--print-config`, made from the table. */

import type { ParsedConfig } from './config.ts';
import { describeSource } from './config-error.ts';
import type { ServerConfig } from './server-config.ts';
import { allowedValues, SETTING_GROUPS, SETTINGS, type Setting } from './settings.ts';
import { spellings } from './sources.ts';

const WIDTH = 100;

/** What `--help` prints: one screen of 80 columns and 24 lines. `--help-all` has the rest. */
export function helpText(): string {
  const common = Object.entries(COMMON).map(([key, text]) => {
    const { flag } = spellings(key);
    return `  ${key.padEnd(23)} ${flag.padEnd(27)} ${text}`.trimEnd();
  });
  return `zebu-server: a ZooKeeper server

  zebu-server               port 2181, data in ./data
  zebu-server FILE          as a zoo.cfg says
  zebu-server check FILE    what a start would find wrong, as text or --json
  zebu-server ensemble 3    a local ensemble, for trying things out
  zebu-server <clientPort> <dataDir> [tickTime] [maxClientCnxns]

Settings that people use most, as key=value in FILE or flags (all: --help-all):
${common.join('\n')}

A variable does it too: ZEBU_CLIENT_PORT=2181. Flags count first, FILE last.
--print-config shows what counts. Exit: 0 stopped, 1 failed, 2 settings, 3 data.
`;
}

/** The dozen, in words that fit. Their defaults stand in the words, since most follow from something. */
const COMMON: Readonly<Record<string, string>> = {
  dataDir: 'where the data is kept',
  dataLogDir: 'txn logs elsewhere',
  clientPort: 'port for clients',
  clientPortAddress: 'address to bind (all)',
  secureClientPort: 'port for TLS',
  tickTime: 'ms, unit of time (3000)',
  maxClientCnxns: 'per address (60; 0: any)',
  'autopurge.purgeInterval': 'hours (0: never)',
  '4lw.commands.whitelist': 'words allowed (srvr)',
  'jute.maxbuffer': 'longest request (1 MB)',
  extendedTypesEnabled: 'allow TTL znodes (false)',
  logLevel: 'debug to silent (info)',
};

const USAGE = `zebu-server: a ZooKeeper server

Usage:
  zebu-server                                   port 2181, data in ./data
  zebu-server FILE                              as a zoo.cfg says
  zebu-server start-foreground [FILE]           the same, as zkServer.sh is called
  zebu-server check FILE                        what a start with FILE would find wrong
  zebu-server ensemble [MEMBERS]                a local ensemble, for trying things out
  zebu-server <clientPort> <dataDir> [tickTime] [maxClientCnxns]

  --help, -h        the settings that people use most
  --help-all        this text
  --version, -V     the version
  --print-config    what would count, as a zoo.cfg with where each value is from
  --config FILE     the same as FILE; also ZEBU_CONFIG=FILE
  --json            what check finds, as one JSON object

Every setting can be given as key=value in the file, as a flag and as a variable:
  clientPort=2181   --client-port 2181   --clientPort=2181   ZEBU_CLIENT_PORT=2181
Java system properties count in SERVER_JVMFLAGS and JVMFLAGS: -Dzookeeper.snapCount=1000
If a key is given in several places, this is the order: flag, argument, ZEBU_ variable, Java property,
file, default.

Ends on SIGTERM and SIGINT. Exit codes: 0 stopped, 1 failed, 2 wrong configuration,
3 data that must not be served. SIGQUIT prints what the server is doing, and it serves on.
`;

/** What `--help-all` prints. */
export function wholeHelpText(): string {
  let text = USAGE;
  for (const group of SETTING_GROUPS) {
    const settings = SETTINGS.filter((setting) => setting.group === group);
    text += `\n${group}\n`;
    for (const setting of settings.filter(({ status }) => status !== 'ignored')) {
      text += settingHelp(setting);
    }
    const ignored = settings.filter(({ status }) => status === 'ignored');
    for (const [reason, keys] of byReason(ignored)) {
      text += wrap(`Without effect here (${reason}): ${keys.join(', ')}`, '  ');
    }
  }
  return text;
}

function settingHelp(setting: Setting): string {
  const names = spellings(setting.aliases[0] ?? setting.key);
  const isNumbered = setting.key.endsWith('.N');
  const flag = isNumbered ? names.flag.replace(/-n$/, '-N') : names.flag;
  const oneLine = `  ${setting.key}   ${flag}   ${names.variable}\n`;
  const twoLines = `  ${setting.key}   ${flag}\n      ${names.variable}\n`;
  const heading = oneLine.length > WIDTH ? twoLines : oneLine;
  const start = setting.default === '' ? '' : `; default ${setting.default}`;
  const refused = setting.status === 'refused' ? `. Refused if set: ${setting.reason}` : '';
  return heading + wrap(`${setting.meaning}. ${allowed(setting)}${start}${refused}`, '      ');
}

function allowed({ type }: Setting): string {
  const text = allowedValues(type);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function byReason(settings: readonly Setting[]): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const { reason, key } of settings) {
    const keys = reasons.get(reason);
    if (keys === undefined) reasons.set(reason, [key]);
    else keys.push(key);
  }
  return reasons;
}

function wrap(text: string, indent: string): string {
  let wrapped = '';
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line !== indent) {
      wrapped += `${line.trimEnd()}\n`;
      line = indent;
    }
    line += `${word} `;
  }
  return `${wrapped}${line.trimEnd()}\n`;
}

/** What `--print-config` prints: a zoo.cfg that says the same, passwords left out. */
export function printConfig({ given, config, notes }: ParsedConfig): string {
  let text = '';
  for (const group of SETTING_GROUPS) {
    const lines = SETTINGS.filter((setting) => setting.group === group).flatMap((setting) =>
      settingLines(setting, given, config),
    );
    if (lines.length > 0) text += `# ${group}\n${lines.join('')}\n`;
  }
  for (const { level, message } of notes) text += `# ${level}: ${message}\n`;
  return text;
}

function settingLines(
  setting: Setting,
  given: ParsedConfig['given'],
  config: ServerConfig,
): string[] {
  const set = given.filter((one) => one.setting === setting);
  if (set.length > 0) {
    return set.map(({ key, text, source }) => {
      const note = setting.status === 'ignored' ? ', without effect' : '';
      const line = setting.secret ? `#${key}=(not shown)` : `${key}=${escapeValue(text)}`;
      return `# ${describeSource(source)}${note}\n${line}\n`;
    });
  }
  // What follows from there being no file.
  if (
    setting.key === 'dataDir' ||
    setting.key === 'clientPort' ||
    setting.key === 'maxClientCnxns'
  ) {
    const value = config[setting.key];
    return value === undefined || value === -1
      ? []
      : [`# default\n${setting.key}=${escapeValue(`${value}`)}\n`];
  }
  const isWritten = setting.default !== '' && !setting.default.startsWith('(');
  return setting.status === 'honoured' && isWritten ? [`#${setting.key}=${setting.default}\n`] : [];
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\');
}
