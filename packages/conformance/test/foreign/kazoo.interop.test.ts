import { join } from 'node:path';
import { conformanceRoot, kazooPython } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

compareServers('kazoo', {
  tool: 'kazoo',
  script: (port) => ({
    command: kazooPython(),
    args: [join(conformanceRoot, 'foreign', 'kazoo', 'session.py'), `127.0.0.1:${port}`],
    timeoutMs: 180_000,
  }),
});
