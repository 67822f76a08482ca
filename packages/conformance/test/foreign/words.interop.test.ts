import { join } from 'node:path';
import { conformanceRoot } from '../../src/tools.ts';
import { compareServers } from './compare.ts';

const script = (words: string[]) => (port: number) => ({
  command: process.execPath,
  args: [join(conformanceRoot, 'foreign', 'words', 'session.ts'), String(port), ...words],
  timeoutMs: 60_000,
});

compareServers('words', { tool: 'apache', script: script([]) });

compareServers('words-not-allowed', {
  tool: 'apache',
  server: { config: { '4lw.commands.whitelist': 'srvr, ruok' } },
  script: script(['ruok', 'stat', 'mntr', 'isro', 'cons', 'stmk', 'abcd']),
});
