import { npmScript } from '../../src/foreign-clients.ts';
import { compareServers } from './compare.ts';

compareServers('zookeeper', {
  tool: 'npm',
  script: (port) => npmScript('zookeeper', `127.0.0.1:${port}`),
  // How often its native part looked at a broken connection.
  normalize: (text) => text.replaceAll(/^yield:.*\n/gm, ''),
});
