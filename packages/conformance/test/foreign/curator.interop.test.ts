import { join } from 'node:path';
import { JVM_OPTIONS, logbackFile } from '../../src/apache.ts';
import { conformanceRoot, curatorClassPath } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

compareServers('curator', {
  tool: 'curator',
  // Containers and TTL nodes go within the session.
  server: { systemProperties: { 'znode.container.checkIntervalMs': '200' } },
  script: (port) => ({
    command: 'java',
    args: [
      ...JVM_OPTIONS,
      '-Dzebu.log=OFF',
      `-Dlogback.configurationFile=${logbackFile}`,
      '-cp',
      curatorClassPath(),
      join(conformanceRoot, 'foreign', 'curator', 'Session.java'),
      `127.0.0.1:${port}`,
    ],
    timeoutMs: 240_000,
  }),
});
