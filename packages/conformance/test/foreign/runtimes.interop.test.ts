// @zebu/client as it is built, on Node, Bun and Deno, against zebu.

import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startServer } from '@zebu/server';
import { expect } from 'vitest';
import { conformanceRoot, runtimeCommand } from '../../src/tools.ts';
import { interopTest } from '../support.ts';

const fixture = (name: string): string =>
  join(conformanceRoot, '..', 'transport', 'test', 'fixtures', name);

for (const runtime of ['node', 'bun', 'deno'] as const) {
  interopTest(
    `a round of the client on ${runtime}`,
    runtime === 'node' ? [] : ['runtimes'],
    120_000,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'zebu-runtimes-'));
      const keyStore = join(folder, 'server.pem');
      const trustStore = join(folder, 'ca.pem');
      writeFileSync(
        keyStore,
        Buffer.concat([readFileSync(fixture('server.key')), readFileSync(fixture('server.pem'))]),
      );
      copyFileSync(fixture('ca.pem'), trustStore);
      try {
        await using server = await startServer({
          port: 0,
          secureClientPort: 0,
          tls: {
            keyStore: { path: keyStore, password: undefined },
            trustStore: { path: trustStore, password: undefined },
            clientAuth: 'none',
            enabledProtocols: ['TLSv1.2', 'TLSv1.3'],
            ciphers: undefined,
          },
        });
        const [command, ...args] = runtimeCommand(runtime);
        const said = await promisify(execFile)(command as string, [
          ...args,
          join(conformanceRoot, 'foreign', 'runtimes', 'round.mjs'),
          `127.0.0.1:${server.port}`,
          `localhost:${server.securePort}`,
          trustStore,
        ]);
        expect(said.stdout).toContain('round done');
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
}
