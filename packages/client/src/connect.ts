// From what the user says about servers and session to a client that has one.

import { AbortSignals } from './abort-signals.ts';
import { checkOptions } from './check-options.ts';
import type { Client } from './client.ts';
import { ClientView } from './client-view.ts';
import { ConnectionLoop, type LoopSettings } from './connection-loop.ts';
import { type ClientEnvironment, nodeEnvironment } from './environment.ts';
import { atCaller, ZkError } from './errors.ts';
import type { RetryPolicy } from './retry.ts';
import type { SaslMechanism } from './sasl.ts';
import { type Servers, serversFrom } from './servers.ts';
import type { SessionTicket } from './session.ts';
import { clientListeners, type FailedAttempt } from './states.ts';
import type { HostSource, TlsSource } from './targets.ts';
import { isTraced, publish } from './tracing.ts';

export interface ConnectOptions {
  /**
   * "host:port,host:port/chroot"; ports default to 2181. "tls://…" for TLS, port 2281; "srv://name/chroot" for
   * the SRV records of a name. Or a HostProvider, which is asked. Names are resolved, and the servers tried in
   * another order, at each new round of attempts.
   */
  readonly servers: Servers;
  /** How long the session outlives a lost connection; the server may choose another. Default 30,000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** For one server, until it has answered. Default: a share of the session's timeout. */
  readonly connectTimeoutMs?: number | undefined;
  /** For connect() as a whole; 0 tries forever. Default: sessionTimeoutMs, at most 10,000. */
  readonly establishTimeoutMs?: number | undefined;
  /** For each call that does not say otherwise; 0 for none. Default 0. */
  readonly requestTimeoutMs?: number | undefined;
  /** For each call that does not say otherwise: see OpOptions.retry. Default: none. */
  readonly retry?: RetryPolicy | undefined;
  /** Also takes a server that has lost its quorum and only reads. Default false. */
  readonly readOnly?: boolean | undefined;
  /** A session to take over; connect() fails with SESSION_EXPIRED if it is gone. */
  readonly resume?: SessionTicket | undefined;
  /** After the end of a session: 'renew' makes a new one, 'close' closes the client. Default 'renew'. */
  readonly onExpire?: 'renew' | 'close' | undefined;
  /** Told of each server that could not be reached, by connect() and later: Client.on('attempt') from the start. */
  readonly onAttempt?: ((failed: FailedAttempt) => void) | undefined;
  /** Who this is, by SASL; before anything else on each connection. See digestMd5. */
  readonly sasl?: SaslMechanism | undefined;
  /** Shown on each connection, before any request. */
  readonly auth?:
    | readonly { readonly scheme: string; readonly auth: Uint8Array | string }[]
    | undefined;
  /** Keys and certificates, or a function that is asked for them at each connection: see tlsFiles. */
  readonly tls?: TlsSource | undefined;
  /** Longest request, the server's jute.maxbuffer: it hangs up on longer ones. Default 1,048,575. */
  readonly maxPacketBytes?: number | undefined;
  /** Longest reply. Default 67,108,864. */
  readonly maxReplyBytes?: number | undefined;
  /** Requests that wait for a connection, or for a slow one. Default 67,108,864. */
  readonly maxQueuedBytes?: number | undefined;
  /** Aborting it makes connect() fail; afterwards it does nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Network, clock and randomness to run on, for tests and simulation. */
  readonly environment?: ClientEnvironment | undefined;
}

const DEFAULT_SESSION_TIMEOUT_MS = 30_000;
/** A server that is simply down should not be half a minute of silence. */
const LONGEST_DEFAULT_ESTABLISH_MS = 10_000;
const DEFAULT_MAX_PACKET_BYTES = 0xfffff;
const DEFAULT_BOUND_BYTES = 64 * 1024 * 1024;

/**
 * Connects and opens a session. Rejects with a ZkError: CONNECTION_LOSS (its cause, an
 * AggregateError, says what each server did), AUTH_FAILED, SESSION_EXPIRED, ABORTED, BAD_ARGUMENTS.
 * An option that is unknown or of another type is a TypeError.
 */
export async function connect(options: ConnectOptions | string): Promise<Client> {
  const given: ConnectOptions = typeof options === 'string' ? { servers: options } : options;
  // At least the servers must be given.
  checkOptions('connect', given ?? null);
  if (given.servers === undefined) throw new TypeError('connect() needs the option servers');
  const environment = given.environment ?? nodeEnvironment();
  const where = serversFrom(given.servers, environment);
  const { signal } = given;
  if (signal?.aborted === true) {
    throw new ZkError('ABORTED', { op: 'connect', outcome: 'not-sent', cause: signal.reason });
  }
  const aborts = new AbortSignals();
  const listeners = clientListeners(aborts);
  if (given.onAttempt !== undefined) listeners.attempt.add(given.onAttempt);
  const loop = new ConnectionLoop(
    settingsFrom(given, where),
    environment,
    {
      stateChanged: (state) => {
        listeners.state.emit(state);
        if (isTraced('state')) publish('state', { state, session: loop.session });
      },
      sessionStarted: (session) => {
        listeners.session.emit(session);
        publish('session', session);
      },
      attemptFailed: (attempt) => {
        listeners.attempt.emit(attempt);
        publish('attempt', attempt);
      },
      watchFired: (event) => {
        if (isTraced('watch')) publish('watch', { ...event, session: loop.session });
      },
    },
    aborts,
  );
  const forget = signal && aborts.onAbort(signal, () => loop.abortStart(signal.reason));
  try {
    await loop.start();
  } catch (error) {
    throw atCaller(error);
  } finally {
    forget?.();
  }
  return new ClientView(loop, listeners, where.chroot);
}

function settingsFrom(
  given: ConnectOptions,
  where: { source: HostSource; isTls: boolean },
): LoopSettings {
  const sessionTimeoutMs = given.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  for (const name of ['sessionTimeoutMs', 'connectTimeoutMs', 'maxPacketBytes'] as const) {
    const value = given[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0 && value <= 0x7fffffff)) {
      const detail = `${name} is ${value}, allowed are 1..2147483647`;
      throw new ZkError('BAD_ARGUMENTS', { op: 'connect', outcome: 'not-sent', detail });
    }
  }
  return {
    servers: where.source,
    tls: given.tls ?? (where.isTls ? {} : undefined),
    sessionTimeoutMs,
    connectTimeoutMs: given.connectTimeoutMs,
    establishTimeoutMs:
      given.establishTimeoutMs ?? Math.min(sessionTimeoutMs, LONGEST_DEFAULT_ESTABLISH_MS),
    requestTimeoutMs: given.requestTimeoutMs ?? 0,
    retry: given.retry,
    readOnly: given.readOnly ?? false,
    resume: given.resume,
    onExpire: given.onExpire ?? 'renew',
    sasl: given.sasl,
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
