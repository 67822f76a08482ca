import { join } from 'node:path';
import { conformanceRoot, npmClients } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

compareServers('node-zookeeper-client', {
  tool: 'npm',
  script: (port) => ({
    command: npmClients().node,
    args: [
      join(conformanceRoot, 'foreign', 'node-zookeeper-client', 'session.cjs'),
      `127.0.0.1:${port}`,
    ],
    env: { NODE_PATH: join(npmClients().folder, 'node_modules') },
    timeoutMs: 60_000,
  }),
});
