import { kazooScript } from '../../src/foreign-clients.ts';
import { compareServers } from './compare.ts';

compareServers('kazoo', { tool: 'kazoo', script: (port) => kazooScript(`127.0.0.1:${port}`) });
