// One of several processes does the work; when it dies, the next one goes on. Start it several times:
//
//   node leader-election.ts 127.0.0.1:2181 name

import { connect } from '@zebu/client';
import { election } from '@zebu/recipes/election';

const [servers = '127.0.0.1:2181', identity = `process ${process.pid}`] = process.argv.slice(2);
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await using zk = await connect(servers);
await using candidate = election(zk, '/example/leader', { identity });

for await (const term of candidate.terms({ signal: stopping.signal })) {
  console.log(`${identity} leads, token ${term.token}`);
  await term.publish(`ask ${identity}`);
  // The work: until the term is lost, or the process is told to stop.
  await new Promise<void>((resolve) => {
    AbortSignal.any([term.signal, stopping.signal]).addEventListener('abort', () => resolve());
    if (term.signal.aborted || stopping.signal.aborted) resolve();
  });
}
console.log(`${identity} has stopped`);
