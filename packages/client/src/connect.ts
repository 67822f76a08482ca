// From what the user says about servers and session to a client that has one.

import type { TlsOptions } from '@zebu/transport';
import { type Client, ClientView } from './client.ts';
import { type ConnectString, parseConnectString } from './connect-string.ts';
import { ConnectionLoop, type LoopSettings } from './connection-loop.ts';
import { type ClientEnvironment, nodeEnvironment } from './environment.ts';
import { ZkError } from './errors.ts';
import type { SessionTicket } from './session.ts';
import { clientListeners } from './states.ts';

export interface ConnectOptions {
  /** "host:port,host:port/chroot"; ports default to 2181. "tls://…" for TLS, port 2281. */
  readonly servers: string | readonly string[];
  /** How long the session outlives a lost connection; the server may choose another. Default 30,000. */
  readonly sessionTimeoutMs?: number;
  /** For one server, until it has answered. Default: a share of the session's timeout. */
  readonly connectTimeoutMs?: number;
  /** For connect() as a whole; 0 tries forever. Default: sessionTimeoutMs. */
  readonly establishTimeoutMs?: number;
  /** For each call that does not say otherwise; 0 for none. Default 0. */
  readonly requestTimeoutMs?: number;
  /** Also takes a server that has lost its quorum and only reads. Default false. */
  readonly readOnly?: boolean;
  /** A session to take over; connect() fails with SESSION_EXPIRED if it is gone. */
  readonly resume?: SessionTicket;
  /** After the end of a session: 'renew' makes a new one, 'close' closes the client. Default 'renew'. */
  readonly onExpire?: 'renew' | 'close';
  /** Shown on each connection before anything else. */
  readonly auth?: readonly { readonly scheme: string; readonly auth: Uint8Array | string }[];
  readonly tls?: TlsOptions;
  /** Longest request, the server's jute.maxbuffer: it hangs up on longer ones. Default 1,048,575. */
  readonly maxPacketBytes?: number;
  /** Longest reply. Default 67,108,864. */
  readonly maxReplyBytes?: number;
  /** Requests that wait for a connection, or for a slow one. Default 67,108,864. */
  readonly maxQueuedBytes?: number;
  /** Aborting it makes connect() fail; afterwards it does nothing. */
  readonly signal?: AbortSignal;
  /** Network, clock and randomness to run on, for tests and simulation. */
  readonly environment?: ClientEnvironment;
}

const DEFAULT_SESSION_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_PACKET_BYTES = 0xfffff;
const DEFAULT_BOUND_BYTES = 64 * 1024 * 1024;

/**
 * Connects and opens a session. Rejects with a ZkError: CONNECTION_LOSS (its cause, an
 * AggregateError, says what each server did), AUTH_FAILED, SESSION_EXPIRED, ABORTED, BAD_ARGUMENTS.
 */
export async function connect(options: ConnectOptions | string): Promise<Client> {
  const given: ConnectOptions = typeof options === 'string' ? { servers: options } : options;
  const { servers } = given;
  const where = parseConnectString(typeof servers === 'string' ? servers : servers.join(','));
  const { signal } = given;
  if (signal?.aborted === true) {
    throw new ZkError('ABORTED', { op: 'connect', outcome: 'not-sent', cause: signal.reason });
  }
  const listeners = clientListeners();
  const loop = new ConnectionLoop(
    settingsFrom(given, where),
    given.environment ?? nodeEnvironment(),
    {
      stateChanged: (state) => listeners.state.emit(state),
      sessionStarted: (session) => listeners.session.emit(session),
    },
  );
  const onAbort = (): void => loop.abortStart(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    await loop.start();
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  return new ClientView(loop, listeners, where.chroot);
}

function settingsFrom(given: ConnectOptions, where: ConnectString): LoopSettings {
  const sessionTimeoutMs = given.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  for (const name of ['sessionTimeoutMs', 'connectTimeoutMs', 'maxPacketBytes'] as const) {
    const value = given[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0 && value <= 0x7fffffff)) {
      const detail = `${name} is ${value}, allowed are 1..2147483647`;
      throw new ZkError('BAD_ARGUMENTS', { op: 'connect', outcome: 'not-sent', detail });
    }
  }
  return {
    hosts: where.hosts,
    tls: given.tls ?? (where.isTls ? {} : undefined),
    sessionTimeoutMs,
    connectTimeoutMs: given.connectTimeoutMs,
    establishTimeoutMs: given.establishTimeoutMs ?? sessionTimeoutMs,
    requestTimeoutMs: given.requestTimeoutMs ?? 0,
    readOnly: given.readOnly ?? false,
    resume: given.resume,
    onExpire: given.onExpire ?? 'renew',
    auth: (given.auth ?? []).map(({ scheme, auth }) => ({
      scheme,
      auth: typeof auth === 'string' ? Buffer.from(auth) : auth,
    })),
    maxPacketBytes: given.maxPacketBytes ?? DEFAULT_MAX_PACKET_BYTES,
    maxReplyBytes: given.maxReplyBytes ?? DEFAULT_BOUND_BYTES,
    maxQueuedBytes: given.maxQueuedBytes ?? DEFAULT_BOUND_BYTES,
    firstXid: 1,
  };
}
