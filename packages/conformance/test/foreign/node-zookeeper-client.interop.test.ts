import { npmScript } from '../../src/foreign-clients.ts';
import { compareServers } from './compare.ts';

compareServers('node-zookeeper-client', {
  tool: 'npm',
  script: (port) => npmScript('node-zookeeper-client', `127.0.0.1:${port}`),
});
