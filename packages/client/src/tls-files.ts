// TLS whose keys and certificates lie in files, which are read at each connection: what was renewed
// on disk holds from the next connection on.

import { readFile } from 'node:fs/promises';
import type { TlsOptions } from '@zebu/transport';

/** Names of files; all else as in TlsOptions. */
export interface TlsFiles extends Omit<TlsOptions, 'cert' | 'key' | 'pfx' | 'ca' | 'crl'> {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly pfx?: string | undefined;
  readonly ca?: string | readonly string[] | undefined;
  readonly crl?: string | undefined;
}

/** For ConnectOptions.tls. A file that cannot be read fails the attempt, which is made again. */
export function tlsFiles(files: TlsFiles): () => Promise<TlsOptions> {
  const { cert, key, pfx, ca, crl, ...others } = files;
  return async () => {
    const authorities = ca === undefined || typeof ca === 'string' ? ca : [...ca];
    const [certBytes, keyBytes, pfxBytes, crlBytes, caBytes] = await Promise.all([
      read(cert),
      read(key),
      read(pfx),
      read(crl),
      Array.isArray(authorities)
        ? Promise.all(authorities.map((name) => readFile(name)))
        : read(authorities as string | undefined),
    ]);
    return {
      ...others,
      ...(certBytes === undefined ? {} : { cert: certBytes }),
      ...(keyBytes === undefined ? {} : { key: keyBytes }),
      ...(pfxBytes === undefined ? {} : { pfx: pfxBytes }),
      ...(crlBytes === undefined ? {} : { crl: crlBytes }),
      ...(caBytes === undefined ? {} : { ca: caBytes }),
    };
  };
}

async function read(name: string | undefined): Promise<Buffer | undefined> {
  return name === undefined ? undefined : await readFile(name);
}
