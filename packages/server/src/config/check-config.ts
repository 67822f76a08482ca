/**
 * Checks a configuration that code gave, at the door of the package: the same ranges that the file and
 * the flags have, in the units of the fields.
 */

import { nodeHashName } from '../auth/digest-provider.ts';
import { ConfigError } from './config-error.ts';
import { Problems } from './problems.ts';
import type { ServerConfig } from './server-config.ts';
import { allowedValues, SETTINGS, type Setting, type ValueType } from './settings.ts';

/** Throws ConfigError when fields hold what they must not. */
export function checkServerConfig(config: ServerConfig): void {
  const problems = new Problems();
  const wrong = new Set<string>();
  const add = (field: string, error: ConfigError): void => {
    wrong.add(field);
    problems.add(error);
  };
  for (const setting of SETTINGS) {
    if (setting.field === undefined) continue;
    const value = fieldOf(config, setting.field);
    if (value !== undefined && !isAllowed(setting, value)) {
      add(setting.field, notAllowed(setting, value));
    }
  }
  for (const field of ['minSessionTimeoutMs', 'maxSessionTimeoutMs'] as const) {
    // In a file -1 stands for the default; here the default is what is left out.
    if (wrong.has(field) || config[field] >= 0) continue;
    const value = `${config[field]}`;
    const message = `${field}: ${value} is not allowed: 0 or more`;
    add(field, new ConfigError(message, { key: field, value, allowed: '0 or more' }));
  }
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = config;
  const areTimeouts = !wrong.has('minSessionTimeoutMs') && !wrong.has('maxSessionTimeoutMs');
  if (areTimeouts && minSessionTimeoutMs > maxSessionTimeoutMs) {
    problems.add(
      new ConfigError(
        `minSessionTimeoutMs ${minSessionTimeoutMs} must not be larger than maxSessionTimeoutMs ${maxSessionTimeoutMs}`,
        { key: 'minSessionTimeoutMs', value: `${minSessionTimeoutMs}` },
      ),
    );
  }
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

function fieldOf(config: ServerConfig, field: string): unknown {
  const [group, name] = field.split('.') as [keyof ServerConfig, string | undefined];
  const value: unknown = config[group];
  return name === undefined ? value : (value as Record<string, unknown>)[name];
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
