// A service that registers itself, notices that its session is over, and registers again in the next one.
//
//   node expired-session.ts 127.0.0.1:2181 10.0.0.7:8080
//
// (`hold` of @zebu/recipes/presence does all of this; here it is in the open.)

import { connect, type Session, ZkError } from '@zebu/client';

const [servers = '127.0.0.1:2181', address = '10.0.0.7:8080'] = process.argv.slice(2);
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

await using zk = await connect({ servers, sessionTimeoutMs: 4000 });

/** Returns the session that the znode lives with: not always the one at the call. */
async function register(): Promise<Session> {
  const options = { mode: 'ephemeral', parents: 'persistent', sequential: true } as const;
  const created = await zk.create('/example/services/web-', address, {
    ...options,
    // Found again when its reply is lost, instead of made twice.
    protected: true,
  });
  console.log(`registered as ${created.path}`);
  return created.session;
}

/** Resolves when the session ends, or the process is told to stop. */
function end(session: Session): Promise<void> {
  return new Promise((resolve) => {
    const signal = AbortSignal.any([session.signal, stopping.signal]);
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

while (!stopping.signal.aborted) {
  try {
    const session = await register();
    await end(session);
    if (!stopping.signal.aborted) console.log(`over: ${session.signal.reason.code}`);
  } catch (error) {
    // The session ended before the znode was known to be there: it went with it.
    if (!ZkError.is(error, 'SESSION_EXPIRED', 'CONNECTION_LOSS')) throw error;
  }
}
console.log('stopped');
