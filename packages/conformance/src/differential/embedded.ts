// zebu inside the test's own process: starts in milliseconds, and a debugger sees it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '@zebu/server';
import {
  digestId,
  MAX_SESSION_TIMEOUT_MS,
  MIN_SESSION_TIMEOUT_MS,
  type Profile,
  SUPER_USER,
} from './profile.ts';

export interface Embedded extends AsyncDisposable {
  readonly port: number;
  readonly dataDir: string;
}

/**
 * Starts a server with the same settings as `serverOptions(profile)`, on a temporary directory that is
 * removed with it, or on `givenDir`.
 */
export async function startEmbedded(profile: Profile, givenDir?: string): Promise<Embedded> {
  const folder = mkdtempSync(join(tmpdir(), 'zebu-embedded-'));
  const dataDir = givenDir ?? join(folder, 'data');
  const server = await startServer({
    port: 0,
    clientPortAddress: '127.0.0.1',
    dataDir,
    minSessionTimeoutMs: MIN_SESSION_TIMEOUT_MS,
    maxSessionTimeoutMs: MAX_SESSION_TIMEOUT_MS,
    extendedTypesEnabled: profile.extendedTypes,
    enforceQuota: profile.enforceQuota,
    reconfigEnabled: profile.reconfigEnabled,
    containers: { checkIntervalMs: 100_000_000 },
    superDigest: digestId(SUPER_USER),
    forceSync: false,
    fourLetterWhitelist: ['srvr', 'mntr', 'ruok', 'stat', 'wchp', 'hash'],
  });
  return {
    port: server.port,
    dataDir,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
