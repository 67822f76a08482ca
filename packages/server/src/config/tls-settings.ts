/**
 * The ssl.* settings, as what the secure port needs. Reads password files, never the stores themselves: a
 * start does that (tls/server-tls.ts).
 */

import { getCiphers } from 'node:tls';
import { ConfigError, describeSource } from './config-error.ts';
import type { Problems } from './problems.ts';
import type { TlsConfig, TlsStore } from './server-config.ts';
import type { Given } from './sources.ts';

/** The parts of a configuration that TLS is read from. */
export interface TlsSources {
  /** The value of a key that was set and is not empty. */
  text(key: string): string | undefined;
  given(key: string): Given | undefined;
  /** False when it is not set. */
  isTrue(key: string): boolean;
  readFile(path: string): string;
  resolvePath(path: string): string;
  readonly problems: Problems;
}

/** TLS for the secure port. Throws ConfigError where it could not open as it is meant. */
export function readTls(sources: TlsSources): TlsConfig {
  const keyStore = readStore(sources, 'keyStore');
  const clientAuth = (sources.text('ssl.clientAuth') ?? 'need') as TlsConfig['clientAuth'];
  const trustStore = readStore(sources, 'trustStore');
  if (keyStore === undefined) {
    throw cannotOpen(
      sources,
      'ssl.keyStore.location is not set',
      'set it to a PEM, PKCS12 or JKS store',
    );
  }
  if (trustStore === undefined && clientAuth !== 'none') {
    throw cannotOpen(
      sources,
      `ssl.trustStore.location is not set, and ssl.clientAuth=${clientAuth} asks clients for a certificate`,
      'set it to the certificates that sign those of clients, or say ssl.clientAuth=none',
    );
  }
  return {
    keyStore,
    trustStore,
    clientAuth,
    enabledProtocols: sources.problems.attempt(() => readProtocols(sources)) ?? [],
    ciphers: sources.problems.attempt(() => readCiphers(sources)),
    certReload: sources.isTrue('client.certReload'),
  };
}

function cannotOpen({ given }: TlsSources, why: string, remedy: string): ConfigError {
  const { text, source } = given('secureClientPort') as Given;
  return new ConfigError(
    `secureClientPort ${text} (${describeSource(source)}) cannot open: ${why}; ${remedy}`,
    { key: 'secureClientPort', value: text, source },
  );
}

// The start sees the kind of a store from its bytes (tls/key-store.ts). Only BCFKS, which cannot be read, is
// recognized by its setting or name.
function readStore(sources: TlsSources, which: 'keyStore' | 'trustStore'): TlsStore | undefined {
  const key = `ssl.${which}`;
  const location = sources.text(`${key}.location`);
  if (location === undefined) return undefined;
  const type = sources.text(`${key}.type`)?.toUpperCase();
  if (type === 'BCFKS' || (type === undefined && /\.bcfks$/i.test(location))) {
    throw cannotOpen(
      sources,
      `${key}.location ${location} is a BCFKS store, which only Bouncy Castle reads`,
      'convert it (keytool -importkeystore -deststoretype PKCS12)',
    );
  }
  const passwordPath = sources.text(`${key}.passwordPath`);
  const password =
    passwordPath === undefined
      ? sources.text(`${key}.password`)
      : sources.readFile(sources.resolvePath(passwordPath)).trim();
  return { path: sources.resolvePath(location), password };
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
