// Goes on reading from a member that has lost its quorum, and writes again when there is one. For a server that only
// reads (Apache's, with readonlymode.enabled); from others it reads again when the quorum is back.
//
//   node read-only.ts 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183

import { connect, ZkError } from '@zebu/client';

const [servers = '127.0.0.1:2181'] = process.argv.slice(2);
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());

await using zk = await connect({ servers, readOnly: true });
for await (const state of zk.states({ signal: stopping.signal })) {
  if (state.status !== 'connected') {
    console.log(state.status);
    continue;
  }
  // What this member knew last: it may be old, and nobody can say how old.
  const { data } = await zk.get('/example/visits');
  console.log(`${state.readOnly ? 'only reads' : 'reads and writes'}: ${data}`);
  try {
    await zk.set('/example/visits', String(Number(data) + 1));
    console.log('written');
  } catch (error) {
    if (!ZkError.is(error, 'NOT_READONLY', 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error;
    console.log(`not written: ${error.code}`);
  }
}
console.log('stopped');
