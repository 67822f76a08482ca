import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conformanceRoot } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

const source = join(conformanceRoot, 'foreign', 'c', 'session.c');
const program = join(conformanceRoot, 'reports', 'foreign', 'c-session');

compareServers('c', {
  tool: 'c',
  script: (port) => {
    mkdirSync(join(program, '..'), { recursive: true });
    return {
      command: 'sh',
      args: [
        '-c',
        'cc -Wall -DTHREADED -o "$1" "$2" -lzookeeper_mt -lpthread && exec "$1" "$3"',
        'sh',
        program,
        source,
        `127.0.0.1:${port}`,
      ],
      timeoutMs: 60_000,
    };
  },
});
