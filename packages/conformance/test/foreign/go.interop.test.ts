import { goScript } from '../../src/foreign-clients.ts';
import { compareServers } from './compare.ts';

compareServers('go', { tool: 'go', script: (port) => goScript(`127.0.0.1:${port}`) });
