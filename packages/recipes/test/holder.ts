// A process that holds a lock until it is told to try a write under it: run by lock.test.ts, and stopped meanwhile.
// Usage: holder.ts SERVERS PATH REGISTER; a line on stdin asks for the write.

import { connect } from '@zebu/client';
import { mutex } from '../src/lock.ts';

const [servers, path, register] = process.argv.slice(2) as [string, string, string];
const zk = await connect({ servers, sessionTimeoutMs: 2000 });
const held = await mutex(zk, path, { identity: 'holder' }).acquire();
let isLost = false;
held.signal.addEventListener('abort', () => {
  isLost = true;
});
process.stdout.write(`${JSON.stringify({ token: held.token })}\n`);
process.stdin.once('data', async () => {
  const outcome = await held.guard([{ op: 'set', path: register, data: 'late' }]).then(
    () => 'written',
    (error) => error.code,
  );
  process.stdout.write(`${JSON.stringify({ outcome, isLost })}\n`);
  await held.release();
  await zk.close();
  process.exit(0);
});
