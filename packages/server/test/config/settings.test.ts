import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { defaultServerConfig, type ServerConfig } from '../../src/config/server-config.ts';
import {
  allowedValues,
  environmentName,
  findByKey,
  findByLooseName,
  findByProperty,
  flagName,
  parseValue,
  SETTINGS,
  similarName,
  type ValueType,
} from '../../src/config/settings.ts';

describe('the table', () => {
  test.each(SETTINGS.map((setting) => [setting.key, setting] as const))(
    '%s is whole',
    (_, setting) => {
      expect(setting.meaning).not.toBe('');
      expect(setting.meaning.endsWith('.')).toBe(false);
      // Whoever is told that a setting has no effect is told why.
      expect(setting.reason !== '').toBe(setting.status !== 'honoured');
      if (setting.default !== '' && !setting.default.startsWith('(')) {
        expect(parseValue(setting.type, setting.default), setting.default).toBeDefined();
      }
    },
  );

  test('its defaults are those of the configuration', () => {
    const config = defaultServerConfig();
    for (const setting of SETTINGS) {
      if (setting.field === undefined || setting.default === '' || setting.default.startsWith('('))
        continue;
      // With a file it is 60, without one there is no limit.
      if (setting.key === 'maxClientCnxns') continue;
      const parsed = parseValue(setting.type, setting.default);
      expect(fieldOf(config, setting.field), setting.key).toEqual(parsed?.value);
    }
  });

  test('every field that a row names exists', () => {
    const config = defaultServerConfig();
    for (const { field, key } of SETTINGS) {
      if (field !== undefined) expect(fieldOf(config, field, true), key).toBe(true);
    }
  });

  test('a flag and a variable lead back to their key', () => {
    for (const { key } of SETTINGS) {
      const example = key.replace(/\.N$/, '.1').replace(/\.\*$/, '.some');
      expect(findByLooseName(flagName(example))?.key, flagName(example)).toBe(example);
      expect(findByLooseName(environmentName(example).slice(5))?.key.toLowerCase()).toBe(
        example.toLowerCase(),
      );
      expect(findByKey(example)?.key).toBe(example);
    }
  });

  function fieldOf(config: ServerConfig, field: string, exists = false): unknown {
    const [group, name] = field.split('.') as [keyof ServerConfig, string | undefined];
    const parent = name === undefined ? config : (config[group] as object);
    const key = name ?? group;
    return exists ? Object.hasOwn(parent, key) : parent[key as never];
  }
});

describe('finding a setting', () => {
  test.each<[string, string | undefined]>([
    ['client-port', 'clientPort'],
    ['clientPort', 'clientPort'],
    ['CLIENT_PORT', 'clientPort'],
    ['4lw-commands-whitelist', '4lw.commands.whitelist'],
    ['skip-acl', 'skipACL'],
    ['server.1', 'server.1'],
    ['SERVER_1', 'server.1'],
    ['auth-provider-2', 'authProvider.2'],
    ['SSL_QUORUM_KEY_STORE_LOCATION', 'ssl.quorum.key-store-location'],
    ['ssl-key-store-location', 'ssl.keyStore.location'],
    ['logs', undefined],
    ['server', undefined],
    ['nothing', undefined],
  ])('%s is meant as %s', (name, key) => {
    expect(findByLooseName(name)?.key).toBe(key);
  });

  test.each<[string, string | undefined]>([
    ['zookeeper.snapCount', 'snapCount'],
    [
      'zookeeper.DigestAuthenticationProvider.superDigest',
      'DigestAuthenticationProvider.superDigest',
    ],
    ['zookeeper.authProvider.x', 'authProvider.x'],
    ['jute.maxbuffer', 'jute.maxbuffer'],
    ['readonlymode.enabled', 'readonlymode.enabled'],
    ['znode.container.checkIntervalMs', 'znode.container.checkIntervalMs'],
    ['fsync.warningthresholdms', 'fsync.warningthresholdms'],
    ['zookeeper.fsync.warningthresholdms', 'fsync.warningthresholdms'],
    ['file.encoding', undefined],
    ['snapCount', undefined],
  ])('-D%s is %s', (name, key) => {
    expect(findByProperty(name)?.key).toBe(key);
  });

  test('a key in the file is spelt exactly, and a near miss has a hint', () => {
    expect(findByKey('clientport')).toBeUndefined();
    expect(similarName('clientport')).toBe('clientPort');
    expect(similarName('clientPrt')).toBe('clientPort');
    expect(similarName('zookeeper.snapCount')).toBe('snapCount');
    expect(similarName('super-digset')).toBe('superDigest');
    expect(similarName('confg', ['config'])).toBe('config');
    expect(similarName('nothing')).toBeUndefined();
  });
});

describe('values', () => {
  const port: ValueType = { kind: 'integer', min: 0, max: 65535 };
  const kilobytes: ValueType = { kind: 'integer', min: -1, max: 1e9, scale: 1024 };
  const raised: ValueType = { kind: 'integer', min: 3, max: 1e9, raise: true };
  const hours: ValueType = { kind: 'duration', unit: 'h' };

  test.each<[string, ValueType, string, unknown]>([
    ['a port', port, '2181', 2181],
    ['zero', port, '0', 0],
    ['a sign', port, '+5', 5],
    ['hexadecimal, as Java system properties allow', port, '0x10', 16],
    ['too large', port, '65536', undefined],
    ['negative', port, '-1', undefined],
    ['no number', port, '12a', undefined],
    ['a fraction', port, '1.5', undefined],
    ['nothing', port, '', undefined],
    ['kilobytes', kilobytes, '2', 2048],
    ['minus one is not scaled', kilobytes, '-1', -1],
    ['raised to the least', raised, '1', 3],
    ['true', { kind: 'boolean' }, 'true', true],
    ['True', { kind: 'boolean' }, 'True', true],
    ['yes is not true', { kind: 'boolean' }, 'yes', undefined],
    ['yes', { kind: 'yesno' }, 'yes', true],
    ['true is not yes', { kind: 'yesno' }, 'true', undefined],
    ['a bare number is hours', hours, '24', 86_400_000],
    ['minutes', hours, '5m', 300_000],
    ['milliseconds', hours, '500 ms', 500],
    ['weeks', hours, '2w', undefined],
    ['a decimal', { kind: 'decimal', min: 0, max: 1 }, '0.02', 0.02],
    ['a decimal beyond', { kind: 'decimal', min: 0, max: 1 }, '1.1', undefined],
    ['not a number', { kind: 'decimal', min: 0, max: 1 }, 'NaN', undefined],
    ['one of a choice', { kind: 'choice', choices: ['need', 'want'] }, 'NEED', 'need'],
    ['none of a choice', { kind: 'choice', choices: ['need', 'want'] }, 'must', undefined],
    ['an empty path', { kind: 'path' }, '', undefined],
  ])('%s', (_, type, written, value) => {
    expect(parseValue(type, written)?.value).toEqual(value);
  });

  test('what is allowed can be said', () => {
    expect(allowedValues(port)).toBe('a whole number from 0 to 65535');
    expect(allowedValues({ kind: 'choice', choices: ['', 'gz'] })).toBe('(empty), gz');
  });
});

test('docs/LIMITS.md lists every setting of the limits with its default', () => {
  const limits = readFileSync(new URL('../../../../docs/LIMITS.md', import.meta.url), 'utf8');
  for (const { key, group, status, default: value } of SETTINGS) {
    if (group !== 'Limits and throttles' || status !== 'honoured') continue;
    const row = limits.split('\n').find((line) => line.includes(`\`${key}\``));
    expect(row, key).toBeDefined();
    expect(row, key).toContain(value.replace(/[()]/g, ''));
  }
});
