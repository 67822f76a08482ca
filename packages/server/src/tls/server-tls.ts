// What the stores of a configuration hold, as the transport takes it.

import { createSecureContext } from 'node:tls';
import type { Disk } from '@zebu/storage';
import type { TlsOptions } from '@zebu/transport';
import { ConfigError } from '../config/config-error.ts';
import type { ServerConfig, TlsStore } from '../config/server-config.ts';
import { openKeyStore, openTrustStore } from './key-store.ts';
import { KeyStoreError, type KeyStoreErrorCode } from './key-store-error.ts';

/** Opens the stores; undefined without TLS. Throws ConfigError that names the setting, file and remedy. */
export function readTls(disk: Disk, { tls }: ServerConfig): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  const { key, cert } = open(disk, 'keyStore', tls.keyStore, (bytes, password) => {
    const identity = openKeyStore(bytes, password);
    // OpenSSL has the last word on what it takes for a key: too small a one, for instance.
    createSecureContext(identity);
    return identity;
  });
  const { trustStore, enabledProtocols } = tls;
  return {
    key,
    cert,
    ...(trustStore === undefined
      ? {}
      : { ca: open(disk, 'trustStore', trustStore, openTrustStore) }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    clientAuth: tls.clientAuth,
    minVersion: enabledProtocols.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: enabledProtocols.includes('TLSv1.3') ? 'TLSv1.3' : 'TLSv1.2',
  };
}

function open<T>(
  disk: Disk,
  which: 'keyStore' | 'trustStore',
  { path, password }: TlsStore,
  read: (bytes: Buffer, password: string | undefined) => T,
): T {
  const setting = `ssl.${which}`;
  try {
    return read(disk.readFile(path), password);
  } catch (error) {
    const remedy =
      error instanceof KeyStoreError
        ? remedyFor(error.code, setting)
        : 'check the path, and that the user that runs the server may read it';
    throw new ConfigError(
      `Cannot open ${setting}.location=${path}: ${(error as Error).message}; ${remedy}`,
      { key: `${setting}.location`, value: path },
    );
  }
}

function remedyFor(code: KeyStoreErrorCode, setting: string): string {
  switch (code) {
    case 'WRONG_PASSWORD':
    case 'NO_PASSWORD':
      return `set ${setting}.password, or ${setting}.passwordPath to a file that holds it`;
    case 'WRONG_KEY_PASSWORD':
      return 'give both the same one (keytool -keypasswd)';
    case 'NO_KEY':
      return `${setting}.location must name the store with the server's own key`;
    case 'NO_CERTIFICATE':
      return 'import the certificate (keytool -importcert)';
    case 'NOT_A_STORE':
    case 'UNKNOWN_CIPHER':
      return 'convert it (keytool -importkeystore -deststoretype PKCS12)';
  }
}
