import { join } from 'node:path';
import { conformanceRoot, npmClients } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

compareServers('zookeeper', {
  tool: 'npm',
  script: (port) => ({
    command: npmClients().node,
    args: [join(conformanceRoot, 'foreign', 'zookeeper', 'session.cjs'), `127.0.0.1:${port}`],
    env: { NODE_PATH: join(npmClients().folder, 'node_modules') },
    timeoutMs: 60_000,
  }),
  // How often its native part looked at a broken connection.
  normalize: (text) => text.replaceAll(/^yield:.*\n/gm, ''),
});
