// Compiled by test/client/types.test.ts: what a program writes, and what no compiler may let through.

import {
  backoff,
  type Client,
  ConnectionLossError,
  type ConnectOptions,
  connect,
  digestMd5,
  type HostProvider,
  MultiError,
  type SaslMechanism,
  SessionExpiredError,
  tlsFiles,
  type WatchItem,
  ZkError,
} from '@zebu/client';

const servers: HostProvider = {
  resolve: async (signal) => (signal.aborted ? [] : [{ host: 'zk', port: 2181 }]),
};
const sasl: SaslMechanism = digestMd5({ username: 'a', password: 'b' });
const options: ConnectOptions = {
  servers,
  sasl,
  retry: backoff({ attempts: 3 }),
  tls: tlsFiles({ ca: '/ca.pem' }),
  // An option that is undefined is one that is not there, also with exactOptionalPropertyTypes.
  resume: undefined,
  signal: undefined,
};

export async function program(flag: boolean | undefined): Promise<void> {
  await using zk: Client = await connect(options);
  const [made, stat, nothing] = await zk.multi([
    { op: 'create', path: '/a', options: { mode: 'ephemeral', sequential: true } },
    { op: 'set', path: '/b', data: 'x', version: 1 },
    { op: 'delete', path: '/c' },
  ]);
  const path: string = made.path;
  const sequence: number | undefined = made.sequence;
  const version: number = stat.version;
  const none: undefined = nothing;
  // @ts-expect-error: a set gives a Stat, which has no path.
  stat.path;

  const { watch } = await zk.get(path, { watch: true });
  const type: 'created' | 'deleted' | 'changed' | 'children' = (await watch.event).type;
  const maybe = await zk.get(path, { watch: flag, timeoutMs: undefined });
  // @ts-expect-error: there may be no watch.
  maybe.watch.event;
  // @ts-expect-error: "ephemeral" is a mode, not an option.
  await zk.create('/d', '', { ephemeral: true });
  // @ts-expect-error: an id is a bigint.
  const id: number = zk.session.id;

  for await (const item of await zk.watch('/', { recursive: true })) {
    const watched: WatchItem = item;
    if (watched.type === 'resync') void (watched.reason satisfies string);
    else void (watched.path satisfies string);
    // @ts-expect-error: a resync has no path.
    item.path;
  }
  for await (const state of zk.states()) {
    if (state.status === 'connected') void (state.server satisfies string);
    // @ts-expect-error: only a connected client has a server.
    state.server;
  }
  using listening = zk.on('session', (session) => void session.signal.aborted);
  try {
    await zk.set('/a', 'x');
  } catch (error) {
    if (ZkError.is(error, 'BAD_VERSION')) void (error.code satisfies 'BAD_VERSION');
    // @ts-expect-error: no such code.
    ZkError.is(error, 'BAD_VERSIONS');
    if (error instanceof MultiError) void (error.index satisfies number);
    if (error instanceof ConnectionLossError) void (error.outcome satisfies 'not-sent' | 'unknown');
    if (error instanceof SessionExpiredError) void (error.detectedBy satisfies 'server' | 'local');
  }
  void [sequence, version, none, type, id, listening];
}
