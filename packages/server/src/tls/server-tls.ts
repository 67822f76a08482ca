// What the stores of a configuration hold, as the transport takes it.

import type { Disk } from '@zebu/storage';
import type { TlsOptions } from '@zebu/transport';
import { ConfigError } from '../config/config-error.ts';
import type { ServerConfig } from '../config/server-config.ts';

/** Reads the stores that the configuration names. */
export function readTls(disk: Disk, { tls }: ServerConfig): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  const read = (path: string, key: string): Buffer => {
    try {
      return disk.readFile(path);
    } catch (error) {
      const why = (error as Error).message;
      throw new ConfigError(`Cannot read ${key}=${path}: ${why}`, { key, value: path });
    }
  };
  const key = read(tls.keyStore.path, 'ssl.keyStore.location');
  const trust =
    tls.trustStore === undefined ? undefined : read(tls.trustStore.path, 'ssl.trustStore.location');
  return {
    ...(tls.keyStore.type === 'PKCS12' ? { pfx: key } : { key, cert: key }),
    ...(tls.keyStore.password === undefined ? {} : { passphrase: tls.keyStore.password }),
    ...(trust === undefined ? {} : { ca: trust }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    clientAuth: tls.clientAuth,
    minVersion: tls.enabledProtocols.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
  };
}
