/**
 * Checks a configuration that an embedder gave, at the door of the package, by the ranges of the settings table in
 * the units of the fields.
 */

import { nodeHashName } from '../auth/digest-provider.ts';
import { ConfigError } from './config-error.ts';
import { memberOfSid, usedBetweenMembers } from './ensemble-config.ts';
import { isAnyAddress } from './members.ts';
import { nearestName } from './nearest-name.ts';
import { Problems } from './problems.ts';
import { defaultServerConfig, SESSION_TIMEOUT_TICKS, type ServerConfig } from './server-config.ts';
import { allowedValues, SETTINGS, type Setting, type ValueType } from './settings.ts';

/** What startServer() takes besides the fields of a configuration. */
const OTHER_OPTIONS = ['port', 'logger', 'environment'];
/** Fields whose value is an object with fields of its own. */
const GROUPS = ['containers', 'enforceAuth', 'connectionThrottle', 'requestThrottle'] as const;
const SESSION_TIMEOUTS = ['minSessionTimeoutMs', 'maxSessionTimeoutMs'] as const;

/** Throws ConfigError when fields hold what they must not, and for fields that no server has. */
export function checkServerConfig(config: ServerConfig): void {
  const problems = new Problems();
  const wrong = new Set<string>();
  const add = (field: string, error: ConfigError): void => {
    wrong.add(field);
    problems.add(error);
  };
  for (const field of unknownFields(config)) {
    const similar = nearestName(field, [...KNOWN_FIELDS, ...GROUPS, ...OTHER_OPTIONS]);
    const hint = similar === undefined ? '' : `; did you mean ${similar}?`;
    add(field, new ConfigError(`${field} is no option of a server${hint}`, { key: field }));
  }
  for (const field of GROUPS) {
    if (isObject(config[field])) continue;
    const value = JSON.stringify(config[field]);
    const message = `${field}: ${value} is not allowed: an object`;
    add(field, new ConfigError(message, { key: field, value, allowed: 'an object' }));
  }
  // Session timeouts that follow from a wrong tickTimeMs need no error of their own.
  const isTickWrong = !isAllowed(TICK_TIME, config.tickTimeMs);
  const following = SESSION_TIMEOUTS.filter((field) => {
    const ticks = Number(config.tickTimeMs) * SESSION_TIMEOUT_TICKS[field];
    return isTickWrong && Object.is(config[field], ticks);
  });
  for (const setting of SETTINGS) {
    if (setting.field === undefined) continue;
    if (following.some((field) => field === setting.field)) continue;
    const value = fieldOf(config, setting.field);
    if (value !== undefined && !isAllowed(setting, value)) {
      add(setting.field, notAllowed(setting, value));
    }
  }
  for (const field of SESSION_TIMEOUTS) {
    // In a file -1 stands for the default; here the default is what is left out.
    if (following.includes(field) || wrong.has(field) || config[field] >= 0) continue;
    const value = `${config[field]}`;
    const message = `${field}: ${value} is not allowed: 0 or more`;
    add(field, new ConfigError(message, { key: field, value, allowed: '0 or more' }));
  }
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = config;
  const areTimeouts = !SESSION_TIMEOUTS.some(
    (field) => following.includes(field) || wrong.has(field),
  );
  if (areTimeouts && minSessionTimeoutMs > maxSessionTimeoutMs) {
    problems.add(
      new ConfigError(
        `minSessionTimeoutMs ${minSessionTimeoutMs} must not be larger than maxSessionTimeoutMs ${maxSessionTimeoutMs}`,
        { key: 'minSessionTimeoutMs', value: `${minSessionTimeoutMs}` },
      ),
    );
  }
  for (const error of portClashes(config)) problems.add(error);
  if (!wrong.has('digestAlg') && nodeHashName(config.digestAlg) === undefined) {
    problems.add(
      new ConfigError(`digestAlg: ${JSON.stringify(config.digestAlg)} is no hash`, {
        key: 'digestAlg',
        value: config.digestAlg,
      }),
    );
  }
  problems.throwIfAny();
}

/** Ports for clients that the member has for the others: the second one would be found taken by 'another process'. */
function portClashes(config: ServerConfig): ConfigError[] {
  const { ensemble } = config;
  const own = ensemble === undefined ? undefined : memberOfSid(ensemble, ensemble.sid);
  if (ensemble === undefined || own === undefined) return [];
  const doors = [
    ['clientPort', config.clientPortAddress],
    ['secureClientPort', config.secureClientPortAddress],
  ] as const;
  return doors.flatMap(([key, address]) => {
    const isOnAll = isAnyAddress(address) || ensemble.listenOnAllAddresses;
    const other = usedBetweenMembers(own, config[key], isOnAll ? undefined : address);
    const value = `${config[key]}`;
    return other === undefined
      ? []
      : [new ConfigError(`${key} ${value} is the ${other} of this member too`, { key, value })];
  });
}

const TICK_TIME = SETTINGS.find(({ field }) => field === 'tickTimeMs') as Setting;
const KNOWN_FIELDS = fieldNames(defaultServerConfig());

function unknownFields(config: ServerConfig): string[] {
  return fieldNames(config).filter((field) => !KNOWN_FIELDS.includes(field));
}

/** `tickTimeMs`, `containers.maxPerMinute`: as the settings name them. */
function fieldNames(config: ServerConfig): string[] {
  return Object.entries(config).flatMap(([field, value]) => {
    if (!GROUPS.some((group) => group === field)) return field;
    return isObject(value) ? Object.keys(value).map((name) => `${field}.${name}`) : [];
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldOf(config: ServerConfig, field: string): unknown {
  const [group, name] = field.split('.') as [keyof ServerConfig, string | undefined];
  const value: unknown = config[group];
  return name === undefined ? value : (value as Record<string, unknown> | null)?.[name];
}

function isAllowed({ type, field }: Setting, value: unknown): boolean {
  switch (type.kind) {
    case 'boolean':
    case 'yesno':
      return typeof value === 'boolean';
    case 'integer': {
      // No port is -1 here, and a key left out in the file.
      const min = field?.endsWith('ientPort') === true ? -1 : type.min;
      return Number.isSafeInteger(value) && isInRange(value as number, min, type);
    }
    case 'decimal':
      return typeof value === 'number' && value >= type.min && value <= type.max;
    case 'duration':
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case 'choice':
      return type.choices.includes(value as string);
    case 'text':
    case 'path':
      return typeof value === 'string' && value !== '';
  }
}

// Where the file counts in KB, code may give any number of bytes; where -1 means none, any negative one.
function isInRange(
  value: number,
  min: number,
  { max, scale = 1 }: ValueType & { kind: 'integer' },
): boolean {
  return value <= max * scale && (min < 0 || value >= min);
}

function notAllowed({ field = '', type, key }: Setting, value: unknown): ConfigError {
  const scale = type.kind === 'integer' ? (type.scale ?? 1) : 1;
  const note = scale === 1 && type.kind !== 'duration' ? '' : `, in the unit of ${field}`;
  return new ConfigError(
    `${field}: ${JSON.stringify(value)} is not allowed (${key}): ${allowedValues(type)}${note}`,
    { key: field, value: JSON.stringify(value), allowed: allowedValues(type) },
  );
}
