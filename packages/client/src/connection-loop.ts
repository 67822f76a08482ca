// Keeps a session alive over one connection after another, and the requests on their way in order.
//
//                    ┌──────────────── loss ───────────────┐
//   connecting ──▶ connected ──▶ suspended ──▶ connected   │
//       ▲                            │ refused by a server, or no answer for 4/3 of the timeout
//       └───────── expired ◀─────────┘
//   closed and auth-failed are ends; so is expired when `onExpire` is 'close'.
//
// The parts, each told by this loop what the connection does: the requests (`request-flow.ts`), what
// is shown and set again on each connection (`credentials.ts`, `watch-rearming.ts`), and whether the
// server is alive (`liveness.ts`).
//
// Nothing here calls into user code: promises, streams and listeners are settled, and run later.

import {
  type ByteReader,
  type ConnectResponse,
  ErrorCode,
  OpCode,
  PASSWORD_BYTES,
  readWatcherEvent,
  Xid,
} from '@zebu/protocol';
import { formatAddress } from '@zebu/transport';
import type { AbortSignals } from './abort-signals.ts';
import { Calls, type CallsOwner } from './calls.ts';
import { Credentials, type CredentialsOwner } from './credentials.ts';
import type { ClientEnvironment } from './environment.ts';
import { SessionExpiredError, ZkError } from './errors.ts';
import { Liveness, type LivenessOwner } from './liveness.ts';
import { Request, type RequestSpec } from './request.ts';
import { type FlowOwner, type FlowSettings, RequestFlow } from './request-flow.ts';
import type { RetryPolicy } from './retry.ts';
import { SaslLogin, type SaslMechanism, type SaslOwner } from './sasl.ts';
import {
  ClientSession,
  DetachedSession,
  type Session,
  type SessionTicket,
  type State,
} from './session.ts';
import { Starting } from './starting.ts';
import type { FailedAttempt } from './states.ts';
import { type HostSource, type Target, Targets, type TlsSource } from './targets.ts';
import { WatchRearming } from './watch-rearming.ts';
import { WatchRegistry } from './watch-registry.ts';
import type { WatchEvent } from './watch-stream.ts';
import { Wire, type WireOwner } from './wire.ts';
import { WritableSearch } from './writable-search.ts';

export interface LoopSettings extends FlowSettings {
  readonly servers: HostSource;
  readonly tls: TlsSource | undefined;
  readonly sessionTimeoutMs: number;
  /** For one server: dial and handshake. Undefined: a share of the session's timeout. */
  readonly connectTimeoutMs: number | undefined;
  /** For the first session; 0 waits forever. */
  readonly establishTimeoutMs: number;
  readonly retry: RetryPolicy | undefined;
  readonly readOnly: boolean;
  readonly resume: SessionTicket | undefined;
  readonly onExpire: 'renew' | 'close';
  readonly sasl: SaslMechanism | undefined;
  readonly auth: readonly { readonly scheme: string; readonly auth: Uint8Array }[];
  readonly maxReplyBytes: number;
}

/** What the loop tells the outside; called from its own turns, so listeners must be run later. */
export interface LoopEvents {
  stateChanged(state: State): void;
  sessionStarted(session: ClientSession): void;
  attemptFailed(attempt: FailedAttempt): void;
  /** The path is the server's. */
  watchFired(event: WatchEvent): void;
}

const NEVER_SEEN_BYTES = new Uint8Array(PASSWORD_BYTES);
/** A connection that lasted less is no proof that the server serves. */
const SERVED_MS = 1000;
const CLOSE_TIMEOUT_MS = 5000;
type Timer = 'retryTimer' | 'expiryTimer';

export class ConnectionLoop
  implements WireOwner, FlowOwner, CredentialsOwner, LivenessOwner, SaslOwner, CallsOwner
{
  readonly environment: ClientEnvironment;
  readonly watches: WatchRegistry;
  readonly calls: Calls;
  readonly aborts: AbortSignals;
  state: State;
  /** The current session, or the one that has ended last. */
  session: ClientSession | undefined;
  private readonly settings: LoopSettings;
  private readonly events: LoopEvents;
  private readonly targets: Targets;
  private readonly flow: RequestFlow;
  private readonly credentials: Credentials;
  private readonly rearming: WatchRearming;
  private readonly liveness: Liveness;
  private readonly starting: Starting;
  private readonly writableSearch: WritableSearch;
  private wire: Wire | undefined;
  private wires: number;
  private establishedAt: number;
  /** Whether the server of this connection has no quorum. */
  private isReadOnly: boolean;
  /** On this connection. */
  private login: SaslLogin | undefined;
  /** The session that listeners know. */
  private announcedSession: ClientSession | undefined;
  private lastZxid: number;
  private generation: number;
  private ticket: SessionTicket | undefined;
  /** Attempts that failed since the last connection. */
  private failedAttempts: number;
  private retryTimer: unknown;
  /** Of the next server, and what it takes to connect to it. */
  private cancelSearch: () => void;
  private expiryTimer: unknown;
  private closing: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(
    settings: LoopSettings,
    environment: ClientEnvironment,
    events: LoopEvents,
    aborts: AbortSignals,
  ) {
    this.environment = environment;
    this.aborts = aborts;
    this.watches = new WatchRegistry();
    this.state = { status: 'connecting' };
    this.session = undefined;
    this.settings = settings;
    this.events = events;
    this.targets = new Targets(settings.servers, settings.tls, environment);
    this.flow = new RequestFlow(settings, environment, aborts, this);
    this.calls = new Calls(this.flow, environment, aborts, {
      retry: settings.retry,
      owner: this,
    });
    this.credentials = new Credentials(settings.auth, this);
    this.rearming = new WatchRearming(this.watches, this.flow, settings.maxPacketBytes);
    this.liveness = new Liveness(environment, this);
    this.starting = new Starting(environment);
    this.writableSearch = new WritableSearch(environment, this.targets, (target) =>
      this.newWire(target, false),
    );
    this.wire = undefined;
    this.wires = 0;
    this.establishedAt = 0;
    this.isReadOnly = false;
    this.login = undefined;
    this.announcedSession = undefined;
    this.lastZxid = 0;
    this.generation = 0;
    this.ticket = settings.resume;
    this.failedAttempts = 0;
    this.retryTimer = undefined;
    this.cancelSearch = () => {};
    this.expiryTimer = undefined;
    this.closing = undefined;
  }

  /** Resolves with the first session, its credentials taken. After a rejection all is closed. */
  start(): Promise<void> {
    const started = this.starting.begin(this.settings.establishTimeoutMs, (error) =>
      this.startFailed(error),
    );
    this.attempt();
    return started;
  }

  /** The same as start() failing by itself: for an aborted signal. */
  abortStart(reason: unknown): void {
    this.startFailed(new ZkError('ABORTED', { op: 'connect', outcome: 'not-sent', cause: reason }));
  }

  /** Shows credentials now and on every later connection; resolves when the server took them. */
  addAuth(scheme: string, auth: Uint8Array): Promise<void> {
    return this.isOver
      ? Promise.reject(this.overError('addAuth', undefined))
      : this.credentials.add(scheme, auth, this.flow.wire);
  }

  /** From now on these. A connection to one that is not among them is given up, once that is known. */
  setServers(servers: HostSource): void {
    this.targets.replace(servers);
    if (this.wire !== undefined && !this.targets.mayHave(this.wire.host)) {
      this.drop(new Error('The list of servers changed'));
    }
  }

  /**
   * Ends the session after all that was called before; resolves when the server has heard it, or
   * after `timeoutMs`, when the session is left to expire.
   */
  close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    if (this.closing !== undefined) return this.closing.promise;
    const { promise } = this.beginClosing();
    if (this.isOver || this.session === undefined || this.session.isOver) {
      this.finish({ status: 'closed' }, closedError);
      return promise;
    }
    const timer = this.environment.setTimer(
      () => this.finish({ status: 'closed' }, closedError),
      timeoutMs,
    );
    const done = (): void => {
      this.environment.clearTimer(timer);
      this.finish({ status: 'closed' }, closedError);
    };
    const request = new Request(closeSpec, this.flow.takeXid(), {
      // Lost on the way, or only its reply? The next connection tells: it is refused, or says it again.
      isResendable: true,
      resolve: done,
      reject: done,
    });
    // Suspended: ephemeral znodes should not have to wait for the expiry, so come back to say it.
    if (this.flow.send(request) !== undefined) done();
    return promise;
  }

  /** Leaves the session to live on without us. */
  detach(): SessionTicket | undefined {
    const { session } = this;
    if (this.closing === undefined) this.beginClosing();
    this.finish({ status: 'closed' }, closedError);
    return session && new DetachedSession(session);
  }

  private beginClosing(): { promise: Promise<void>; resolve: () => void } {
    let resolve: () => void = () => {};
    const promise = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.closing = { promise, resolve };
    return this.closing;
  }

  get isTls(): boolean {
    return this.targets.isTls;
  }

  get maxPacketBytes(): number {
    return this.settings.maxPacketBytes;
  }

  get isClosed(): boolean {
    return this.isOver || this.closing !== undefined;
  }

  get place(): { session: Session | undefined; server: string | undefined } {
    const { session, state } = this;
    return { session, server: state.status === 'connected' ? state.server : undefined };
  }

  get isConnected(): boolean {
    return this.state.status === 'connected';
  }

  // --- What the wire reports -----------------------------------------------------------------

  established(wire: Wire, response: ConnectResponse): void {
    if (wire === this.writableSearch.wire) this.leaveReadOnly(wire);
    if (wire !== this.wire) return;
    if (response.timeoutMs <= 0) {
      // The server closes after its refusal; nothing more is wanted from this connection.
      this.wire = undefined;
      wire.destroy();
      this.expire('server');
      return;
    }
    if (this.session === undefined || this.session.isOver) {
      this.generation++;
      this.session = new ClientSession(
        { id: response.sessionId, password: response.password },
        this.generation,
        response.readOnly === true,
      );
      this.ticket = this.session;
    }
    this.session.timeoutMs = response.timeoutMs;
    this.isReadOnly = response.readOnly === true;
    this.establishedAt = this.environment.now();
    this.liveness.start(wire, response.timeoutMs);
    const { sasl } = this.settings;
    if (sasl === undefined) {
      this.ready(wire);
      return;
    }
    try {
      this.login = new SaslLogin(sasl, wire, this, () => this.flow.takeXid());
    } catch (error) {
      this.drop(new Error(`SASL ${sasl.name}: ${(error as Error).message}`, { cause: error }));
      return;
    }
    this.login.start();
  }

  /** The server knows who we are, as far as SASL is concerned: the connection is there for requests. */
  private ready(wire: Wire): void {
    const session = this.session as ClientSession;
    const isNewSession = session !== this.announcedSession;
    this.announcedSession = session;
    this.failedAttempts = 0;
    this.clearTimer('expiryTimer');
    this.credentials.showAll(wire);
    this.rearming.rearm(wire, { lastZxid: this.lastZxid, isNewSession });
    this.setState({
      status: 'connected',
      server: formatAddress(wire.host.host, wire.host.port),
      readOnly: this.isReadOnly,
    });
    this.heard(this.establishedAt);
    this.flow.writeWaiting(wire);
    wire.flushSoon();
    if (isNewSession) this.events.sessionStarted(session);
    if (this.credentials.areTaken) this.starting.succeeded();
    // A session that cannot be kept is left only by who gets another one.
    const mayLeave = !session.isOfReadOnly || this.settings.onExpire === 'renew';
    if (this.isReadOnly && mayLeave && this.closing === undefined) {
      this.writableSearch.start(wire.host);
    }
  }

  received(wire: Wire, xid: number, zxid: number, errno: number, reader: ByteReader): void {
    if (wire !== this.wire) return;
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (xid === Xid.notification) {
      const event = readWatcherEvent(reader);
      const eventZxid = zxid > 0 ? zxid : undefined;
      const type = this.watches.dispatch(event.type, event.path, eventZxid);
      if (type !== undefined) this.events.watchFired({ type, path: event.path, zxid: eventZxid });
    } else if (xid === Xid.ping) {
      if (errno === ErrorCode.CONNECTIONLOSS) this.dismissed(wire);
      else this.liveness.pinged();
    } else if (xid === Xid.auth) {
      this.credentials.answered(errno);
    } else if (this.login?.received(xid, errno, reader) !== true) {
      this.flow.answered(wire, xid, zxid, errno, reader);
    }
  }

  /** A zebu server stops, and has not carried out, nor will, what it has not answered by now. */
  private dismissed(wire: Wire): void {
    const reason = new Error('The server stops');
    wire.isDismissed = true;
    this.wire = undefined;
    wire.destroy(reason);
    this.lost(wire, reason);
  }

  flushed(wire: Wire): void {
    if (wire === this.wire) this.flow.flushed();
  }

  relieved(wire: Wire): void {
    if (wire === this.wire) this.flow.tellOfRoom();
  }

  /** Resolves when at most half of maxQueuedBytes waits to be sent. */
  drained(signal: AbortSignal | undefined): Promise<void> {
    return this.flow.drained(signal);
  }

  closed(wire: Wire, reason: Error | undefined): void {
    if (wire === this.writableSearch.wire) this.writableSearch.failed();
    if (wire !== this.wire) return;
    this.wire = undefined;
    this.lost(wire, reason);
  }

  // --- What the parts report -----------------------------------------------------------------

  heard(writtenAt: number): void {
    const session = this.session as ClientSession;
    // Who has no quorum does not keep a session alive that the quorum knows.
    if (this.isReadOnly && !session.isOfReadOnly) return;
    const safeUntil = writtenAt + session.timeoutMs;
    if (safeUntil > session.safeUntil) session.safeUntil = safeUntil;
  }

  refusal(op: string, path: string | undefined): ZkError | undefined {
    return this.isClosed ? this.overError(op, path) : undefined;
  }

  lostSetWatches(): void {
    this.rearming.sendLess();
  }

  saslDone(wire: Wire): void {
    if (wire === this.wire) this.ready(wire);
  }

  saslRefused(error: ZkError): void {
    if (this.starting.isOn) this.startFailed(error);
    else this.authFailed(error);
  }

  private authFailed(error: ZkError): void {
    this.finish(
      { status: 'auth-failed' },
      (outcome) => new ZkError('AUTH_FAILED', { outcome, cause: error }),
    );
  }

  credentialsTaken(): void {
    this.starting.succeeded();
  }

  credentialRefused(error: ZkError, wasGood: boolean): void {
    // A credential of our start, or one that was good before, is not something to go on without.
    if (this.starting.isOn) this.startFailed(error);
    else if (wasGood) this.authFailed(error);
    else this.drop(error);
  }

  /** Gives up the current connection; the next is tried at once. */
  drop(reason: Error): void {
    const { wire } = this;
    if (wire === undefined) return;
    this.wire = undefined;
    wire.destroy(reason);
    this.lost(wire, reason);
  }

  // --- Connections ---------------------------------------------------------------------------

  private attempt(): void {
    this.retryTimer = undefined;
    this.cancelSearch = this.targets.next(this.attemptTimeoutMs(), {
      found: (target) => this.dial(target),
      failed: () => this.attemptLater(),
      trouble: (server, error) => this.attemptFailed(server, error),
    });
  }

  private dial(target: Target): void {
    try {
      this.wire = this.newWire(target, this.settings.readOnly);
    } catch (error) {
      const { host, port } = target.host;
      this.attemptFailed(formatAddress(host, port), error as Error);
      this.attemptLater();
    }
  }

  private newWire({ host, tls }: Target, readOnly: boolean): Wire {
    const { settings, environment } = this;
    // Nobody but the server that made it knows a session that was made without a quorum.
    const ticket = !readOnly && this.session?.isOfReadOnly === true ? undefined : this.ticket;
    this.wires++;
    return new Wire({
      environment,
      host,
      tls,
      attemptTimeoutMs: this.attemptTimeoutMs(),
      maxReplyBytes: settings.maxReplyBytes,
      number: this.wires,
      handshake: {
        protocolVersion: 0,
        // A new session is new to every server: one that was wiped may serve it too.
        lastZxidSeen: ticket === undefined ? 0n : BigInt(this.lastZxid),
        timeoutMs: settings.sessionTimeoutMs,
        sessionId: ticket?.id ?? 0n,
        password: ticket?.password ?? NEVER_SEEN_BYTES,
        readOnly,
      },
      owner: this,
    });
  }

  private attemptFailed(server: string, error: Error): void {
    this.starting.attemptFailed(server, error);
    this.failedAttempts++;
    this.events.attemptFailed({ server, error, attempt: this.failedAttempts });
  }

  private attemptTimeoutMs(): number {
    return (
      this.settings.connectTimeoutMs ??
      Math.max(this.sessionTimeoutMs / Math.max(this.targets.size, 2), 500)
    );
  }

  private get sessionTimeoutMs(): number {
    return this.session?.timeoutMs ?? this.settings.sessionTimeoutMs;
  }

  private attemptLater(): void {
    const pauseMs = this.targets.pauseMs(this.sessionTimeoutMs);
    if (pauseMs === 0) this.attempt();
    else this.retryTimer = this.environment.setTimer(() => this.attempt(), pauseMs);
  }

  /** The connection, or the attempt at one, has ended. */
  private lost(wire: Wire, reason: Error | undefined): void {
    this.writableSearch.stop();
    this.liveness.stop();
    this.login?.stop();
    const server = formatAddress(wire.host.host, wire.host.port);
    if (!this.isConnected) {
      this.attemptFailed(server, reason ?? new Error('Closed without an answer'));
      this.attemptLater();
      return;
    }
    this.leave(wire, reason);
    if (this.isOver) return;
    const session = this.session as ClientSession;
    this.starting.attemptFailed(server, reason ?? new Error('Closed by the server'));
    if (this.environment.now() - this.establishedAt >= SERVED_MS) this.targets.served();
    this.setState({ status: 'suspended' });
    this.expiryTimer = this.environment.setTimer(
      () => this.expire('local'),
      Math.max(wire.lastAnswerAt + (session.timeoutMs * 4) / 3 - this.environment.now(), 0),
    );
    this.attemptLater();
  }

  /** A server that writes has answered, and takes the place of the one that only reads. */
  private leaveReadOnly(writable: Wire): void {
    this.writableSearch.taken();
    const readOnly = this.wire as Wire;
    this.wire = writable;
    this.leave(readOnly, new Error('Left for a server that writes'));
    readOnly.end();
    const { session } = this;
    if (session?.isOfReadOnly !== true) return;
    const error = this.endSession('server');
    this.flow.failWaiting(error, true);
    this.setState({ status: 'expired' });
    this.setState({ status: 'connecting' });
  }

  /** What was on its way there goes on with the next connection, or fails. */
  private leave(wire: Wire, reason: Error | undefined): void {
    this.liveness.stop();
    this.login?.stop();
    this.credentials.lost();
    this.flow.recover(wire, reason);
  }

  private endSession(detectedBy: 'server' | 'local'): SessionExpiredError {
    const error = new SessionExpiredError(detectedBy, { outcome: 'failed' });
    this.session?.end(error);
    this.watches.failOneShots(error);
    this.ticket = undefined;
    this.lastZxid = 0;
    return error;
  }

  private expire(detectedBy: 'server' | 'local'): void {
    this.clearTimer('expiryTimer');
    this.stopSearch();
    // A login may be on its way, on a connection that the session did not live to use.
    this.liveness.stop();
    this.login?.stop();
    const attempt = this.wire;
    this.wire = undefined;
    attempt?.destroy();
    const error = this.endSession(detectedBy);
    if (this.starting.isOn) {
      this.startFailed(error);
      return;
    }
    this.flow.failWaiting(error, this.settings.onExpire === 'renew');
    if (this.closing !== undefined) {
      this.finish({ status: 'closed' }, closedError);
      return;
    }
    if (this.settings.onExpire === 'close') {
      this.finish({ status: 'expired' }, () => error);
      return;
    }
    this.setState({ status: 'expired' });
    this.setState({ status: 'connecting' });
    this.attemptLater();
  }

  // --- Beginning and end ---------------------------------------------------------------------

  private startFailed(error: Error): void {
    if (!this.starting.isOn) return;
    this.finish({ status: 'closed' }, closedError);
    this.starting.failed(error);
  }

  /** Nothing more will happen. */
  get isOver(): boolean {
    const { status } = this.state;
    return (
      status === 'closed' ||
      status === 'auth-failed' ||
      (status === 'expired' && this.settings.onExpire === 'close')
    );
  }

  private overError(op: string, path: string | undefined): ZkError {
    return this.state.status === 'expired'
      ? new SessionExpiredError('server', { op, path, outcome: 'not-sent' })
      : new ZkError('CLOSED', { op, path, outcome: 'not-sent' });
  }

  /** Everything ends; all that wait for anything are told. */
  private finish(state: State, errorFor: (outcome: 'not-sent' | 'unknown') => ZkError): void {
    if (this.isOver) {
      this.closing?.resolve();
      return;
    }
    this.stopSearch();
    this.clearTimer('expiryTimer');
    this.login?.stop();
    this.liveness.stop();
    const { wire } = this;
    this.wire = undefined;
    this.setState(state);
    if (wire?.isEstablished) wire.end();
    else wire?.destroy();
    this.flow.finish(errorFor);
    const error = errorFor('not-sent');
    this.credentials.finish(error);
    this.watches.failOneShots(error);
    this.watches.finishStreams(state.status === 'closed' ? undefined : error);
    this.session?.end(error);
    this.closing?.resolve();
  }

  private setState(state: State): void {
    this.state = state;
    this.events.stateChanged(state);
  }

  private stopSearch(): void {
    this.clearTimer('retryTimer');
    this.cancelSearch();
    this.writableSearch.stop();
  }

  private clearTimer(name: Timer): void {
    if (this[name] === undefined) return;
    this.environment.clearTimer(this[name]);
    this[name] = undefined;
  }
}

function closedError(outcome: 'not-sent' | 'unknown' = 'not-sent'): ZkError {
  return new ZkError('CLOSED', { outcome });
}

const closeSpec: RequestSpec<unknown> = {
  type: OpCode.closeSession,
  op: 'close',
  isRead: false,
  isSessionBound: true,
  encode: () => {},
  decode: () => undefined,
};
