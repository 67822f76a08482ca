import { join } from 'node:path';
import { JVM_OPTIONS, logbackFile } from '../../src/apache.ts';
import { apacheClassPath, conformanceRoot } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

for (const version of ['3.9.5', '3.8.6'] as const) {
  compareServers(`zkcli-${version}`, {
    tool: 'apache',
    server: { config: { enforceQuota: 'true' } },
    script: (port) => ({
      command: process.execPath,
      args: [
        join(conformanceRoot, 'foreign', 'zkcli', 'session.mjs'),
        apacheClassPath(version),
        `127.0.0.1:${port}`,
        ...JVM_OPTIONS,
        '-Dzebu.log=OFF',
        `-Dlogback.configurationFile=${logbackFile}`,
      ],
      timeoutMs: 180_000,
    }),
  });
}
