/**
 * The ssl.* settings, as what the secure port needs; and the reason why it stays shut when they do not
 * suffice. Reads password files, never the stores themselves.
 */

import { getCiphers } from 'node:tls';
import { ConfigError, describeSource } from './config-error.ts';
import type { Problems } from './problems.ts';
import type { TlsConfig, TlsStore } from './server-config.ts';
import type { Given } from './sources.ts';

/** What of the configuration TLS is made of. */
export interface TlsSources {
  /** The value of a key that was set and is not empty. */
  text(key: string): string | undefined;
  given(key: string): Given | undefined;
  readFile(path: string): string;
  resolvePath(path: string): string;
  readonly problems: Problems;
}

/** TLS, or why there is none. Throws ConfigError for values that cannot be meant, or adds it. */
export function readTls(sources: TlsSources): TlsConfig | { readonly shut: string } {
  const keyStore = readStore(sources, 'keyStore');
  if (keyStore === undefined) return { shut: 'ssl.keyStore.location is not set' };
  if ('shut' in keyStore) return keyStore;
  const clientAuth = (sources.text('ssl.clientAuth') ?? 'need') as TlsConfig['clientAuth'];
  const trustStore = readStore(sources, 'trustStore');
  if (trustStore !== undefined && 'shut' in trustStore) return trustStore;
  if (trustStore?.type === 'PKCS12') {
    return {
      shut:
        `ssl.trustStore.location ${trustStore.path} is a PKCS12 store, of which only keys are read: ` +
        'export its certificates as PEM (keytool -exportcert -rfc)',
    };
  }
  if (trustStore === undefined && clientAuth !== 'none') {
    return {
      shut: 'ssl.trustStore.location is not set, and ssl.clientAuth asks clients for a certificate',
    };
  }
  return {
    keyStore,
    trustStore,
    clientAuth,
    enabledProtocols: sources.problems.attempt(() => readProtocols(sources)) ?? [],
    ciphers: sources.problems.attempt(() => readCiphers(sources)),
  };
}

function readStore(
  sources: TlsSources,
  which: 'keyStore' | 'trustStore',
): TlsStore | { readonly shut: string } | undefined {
  const key = `ssl.${which}`;
  const location = sources.text(`${key}.location`);
  if (location === undefined) return undefined;
  const type = sources.text(`${key}.type`)?.toUpperCase() ?? typeBySuffix(location);
  if (type !== 'PEM' && type !== 'PKCS12') {
    return {
      shut:
        `${key}.location ${location} is ${type === undefined ? 'of no known kind' : `a ${type} store`}, ` +
        'which only Java reads: convert it to PEM or PKCS12 (keytool -importkeystore -deststoretype PKCS12)',
    };
  }
  const passwordPath = sources.text(`${key}.passwordPath`);
  const password =
    passwordPath === undefined
      ? sources.text(`${key}.password`)
      : sources.readFile(sources.resolvePath(passwordPath)).trim();
  return { path: sources.resolvePath(location), type, password };
}

function typeBySuffix(location: string): string | undefined {
  const suffix = /\.(\w+)$/.exec(location)?.[1]?.toLowerCase() ?? '';
  const types: Readonly<Record<string, string>> = {
    pem: 'PEM',
    p12: 'PKCS12',
    jks: 'JKS',
    bcfks: 'BCFKS',
  };
  return types[suffix];
}

const PROTOCOLS = ['TLSv1.2', 'TLSv1.3'];

function readProtocols({ text, given }: TlsSources): string[] {
  const listed = text('ssl.enabledProtocols');
  const protocol = text('ssl.protocol');
  if (listed === undefined) {
    return protocol === undefined || protocol === 'TLS' ? PROTOCOLS : [protocol];
  }
  const protocols = listed.split(',').map((name) => name.trim());
  const unknown = protocols.find((name) => !PROTOCOLS.includes(name));
  if (unknown !== undefined)
    throw refuse(given('ssl.enabledProtocols'), unknown, PROTOCOLS.join(', '));
  return PROTOCOLS.filter((name) => protocols.includes(name));
}

function readCiphers({ text, given }: TlsSources): string | undefined {
  const listed = text('ssl.ciphersuites');
  if (listed === undefined) return undefined;
  const known = getCiphers();
  const names = listed.split(',').map((java) => {
    const name = opensslCipher(java.trim());
    if (known.includes(name.toLowerCase())) return name;
    throw refuse(given('ssl.ciphersuites'), java.trim(), 'cipher suites that OpenSSL has');
  });
  return names.join(':');
}

/**
 * OpenSSL's name of a cipher suite that Java knows by its registered one:
 * TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256. Those of TLS 1.3 are the same.
 */
export function opensslCipher(javaName: string): string {
  const match = /^(?:TLS|SSL)_(\w+)_WITH_(\w+)$/.exec(javaName);
  if (match === null) return javaName;
  const exchange = match[1] === 'RSA' ? '' : `${match[1]}-`;
  const cipher = (match[2] as string)
    .replace(/^AES_(\d+)_CBC/, 'AES$1')
    .replace(/^AES_(\d+)/, 'AES$1')
    .replace(/^(CHACHA20_POLY1305)_SHA256$/, '$1');
  return (exchange + cipher).replaceAll('_', '-');
}

function refuse(given: Given | undefined, value: string, allowed: string): ConfigError {
  const key = given?.key ?? '';
  const source = given?.source;
  const place = source === undefined ? '' : ` (${describeSource(source)})`;
  return new ConfigError(`${key}: ${JSON.stringify(value)}${place} is not allowed: ${allowed}`, {
    key,
    value,
    source,
    allowed,
  });
}
