import { curatorScript } from '../../src/foreign-clients.ts';
import { compareServers } from './compare.ts';

compareServers('curator', {
  tool: 'curator',
  // Containers and TTL nodes go within the session.
  server: { systemProperties: { 'znode.container.checkIntervalMs': '200' } },
  script: (port) => curatorScript(`127.0.0.1:${port}`),
});
