// Our TLS options, in Node's words.

import { isIP } from 'node:net';
import type {
  ConnectionOptions,
  TlsOptions as NodeTlsOptions,
  SecureContextOptions,
} from 'node:tls';
import type { TlsOptions } from './connection.ts';

const HANDSHAKE_TIMEOUT_MS = 5000;

export function listenerTls(tls: TlsOptions): NodeTlsOptions {
  const clientAuth = tls.clientAuth ?? 'none';
  return {
    ...contextOptions(tls),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'need',
    handshakeTimeout: tls.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
  };
}

export function dialerTls(tls: TlsOptions, host: string): ConnectionOptions {
  const serverName = tls.serverName ?? host;
  return {
    ...contextOptions(tls),
    rejectUnauthorized: tls.verify ?? true,
    // SNI must not hold an address (RFC 6066, section 3); verification falls back to the host.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
  };
}

function contextOptions(tls: TlsOptions): SecureContextOptions {
  const options: SecureContextOptions = {};
  if (tls.cert !== undefined) options.cert = tls.cert;
  if (tls.key !== undefined) options.key = tls.key;
  if (tls.passphrase !== undefined) options.passphrase = tls.passphrase;
  if (tls.pfx !== undefined) options.pfx = tls.pfx;
  if (tls.ca !== undefined)
    options.ca = typeof tls.ca === 'string' || Buffer.isBuffer(tls.ca) ? tls.ca : [...tls.ca];
  if (tls.crl !== undefined) options.crl = tls.crl;
  if (tls.minVersion !== undefined) options.minVersion = tls.minVersion;
  if (tls.maxVersion !== undefined) options.maxVersion = tls.maxVersion;
  if (tls.ciphers !== undefined) options.ciphers = tls.ciphers;
  return options;
}
