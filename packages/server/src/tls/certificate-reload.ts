// client.certReload: stores that change are opened again, for the connections that come then.
//
// The bytes of the files are compared, and not their times: a directory that is switched by a symbolic
// link (as Kubernetes does) or restored by a backup is noticed as well.

import { createHash } from 'node:crypto';
import type { Disk } from '@zebu/storage';
import type { Listener } from '@zebu/transport';
import type { ServerConfig } from '../config/server-config.ts';
import type { Environment } from '../environment.ts';
import { readTls } from './server-tls.ts';

/** How often the stores are looked at. */
const INTERVAL_MS = 5000;

/** Begins to look; the returned function ends it. Does nothing where the configuration does not ask for it. */
export function reloadCertificates(
  { disk, logger, scheduler }: Environment,
  config: ServerConfig,
  listener: Listener | undefined,
): () => void {
  const { tls } = config;
  if (tls?.certReload !== true || listener?.replaceTls === undefined) return () => {};
  const paths = [tls.keyStore, tls.trustStore].flatMap((store) => store?.path ?? []);
  let known = digestOf(disk, paths);
  return scheduler.every(INTERVAL_MS, () => {
    const current = digestOf(disk, paths);
    if (current === known) return;
    // Told once for each change, whether it can be used or not.
    known = current;
    try {
      const opened = readTls(disk, config);
      if (opened !== undefined) listener.replaceTls?.(opened);
      logger.info('Certificates changed: new connections get them', { stores: paths });
    } catch (error) {
      logger.warn('Certificates changed and cannot be used: the former ones stay', {
        reason: (error as Error).message,
      });
    }
  });
}

function digestOf(disk: Disk, paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    try {
      hash.update(disk.readFile(path));
    } catch (error) {
      hash.update(`${error}`);
    }
  }
  return hash.digest('hex');
}
