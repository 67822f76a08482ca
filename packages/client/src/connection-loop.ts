// Keeps a session alive over one connection after another, and the requests on their way in order.
//
//                    ┌──────────────── loss ───────────────┐
//   connecting ──▶ connected ──▶ suspended ──▶ connected   │
//       ▲                            │ refused by a server, or no answer for 4/3 of the timeout
//       └───────── expired ◀─────────┘
//   closed and auth-failed are ends; so is expired when `onExpire` is 'close'.
//
// Requests go through two queues: `waiting` while there is no connection, `pending` once written.
// At a loss, what was written and may have been carried out fails with outcome 'unknown'; reads,
// and what had not left this process yet, move back to `waiting` in their order.
//
// Nothing here calls into user code: promises, streams and listeners are settled, and run later.

import {
  type AuthRequest,
  type ByteReader,
  ByteWriter,
  beginFrame,
  type ConnectResponse,
  ErrorCode,
  endFrame,
  OpCode,
  PASSWORD_BYTES,
  readWatcherEvent,
  type SetWatchesRequest,
  writeAuthRequest,
  writeSetWatchesRequest,
  Xid,
} from '@zebu/protocol';
import { formatAddress, type TlsOptions } from '@zebu/transport';
import type { AbortSignals } from './abort-signals.ts';
import type { Host } from './connect-string.ts';
import type { ClientEnvironment } from './environment.ts';
import {
  atCaller,
  ConnectionLossError,
  SessionExpiredError,
  serverError,
  ZkError,
} from './errors.ts';
import { HostList } from './host-list.ts';
import { PendingQueue } from './pending-queue.ts';
import { type OpOptions, Request, type RequestSpec } from './request.ts';
import { mayRepeat, type RetryPolicy } from './retry.ts';
import { ClientSession, DetachedSession, type SessionTicket, type State } from './session.ts';
import type { FailedAttempt } from './states.ts';
import { BATCH_BYTES, BATCH_OVERHEAD_BYTES, WatchRegistry } from './watch-registry.ts';
import { Wire, type WireOwner } from './wire.ts';

export interface LoopSettings {
  readonly hosts: readonly Host[];
  readonly tls: TlsOptions | undefined;
  readonly sessionTimeoutMs: number;
  /** For one server: dial and handshake. Undefined: a share of the session's timeout. */
  readonly connectTimeoutMs: number | undefined;
  /** For the first session; 0 waits forever. */
  readonly establishTimeoutMs: number;
  /** 0 for none. */
  readonly requestTimeoutMs: number;
  readonly retry: RetryPolicy | undefined;
  readonly readOnly: boolean;
  readonly resume: SessionTicket | undefined;
  readonly onExpire: 'renew' | 'close';
  readonly auth: readonly { readonly scheme: string; readonly auth: Uint8Array }[];
  readonly maxPacketBytes: number;
  readonly maxReplyBytes: number;
  readonly maxQueuedBytes: number;
  /** Requests are numbered from here, and from 1 again after 2147483647. */
  readonly firstXid: number;
}

/** What the loop tells the outside; called from its own turns, so listeners must be run later. */
export interface LoopEvents {
  stateChanged(state: State): void;
  sessionStarted(session: ClientSession): void;
  attemptFailed(attempt: FailedAttempt): void;
}

/** Something that was shown to the server, and is shown again on each connection. */
interface Credential {
  readonly scheme: string;
  readonly auth: Uint8Array;
  /** The server has taken it at least once. */
  isConfirmed: boolean;
  waiting: { resolve: () => void; reject: (error: ZkError) => void } | undefined;
}

const NEVER_SEEN_BYTES = new Uint8Array(PASSWORD_BYTES);
/** A connection that lasted less is no proof that the server serves. */
const SERVED_MS = 1000;
/** Pings are never farther apart, whatever the timeout. Source: ClientCnxn.MAX_SEND_PING_INTERVAL. */
const LONGEST_PING_MS = 10_000;
const CLOSE_TIMEOUT_MS = 5000;
/** A read that has lost so many connections may well be what breaks them: its reply too long, say. */
const MAX_WRITES = 3;
/** A setWatches of so few bytes of paths is not what a server hangs up on. */
const SMALLEST_BATCH_BYTES = 1024;
const MAX_XID = 0x7fffffff;

export class ConnectionLoop implements WireOwner {
  readonly environment: ClientEnvironment;
  readonly watches: WatchRegistry;
  readonly aborts: AbortSignals;
  state: State;
  /** The current session, or the one that has ended last. */
  session: ClientSession | undefined;
  private readonly settings: LoopSettings;
  private readonly events: LoopEvents;
  private readonly hosts: HostList;
  private readonly credentials: Credential[];
  /** Credentials shown on this connection whose replies are missing, in order. */
  private shown: Credential[];
  private pending: PendingQueue<Request>;
  /** How many at the tail of `pending` still lie in the wire's outgoing bytes. */
  private unflushed: number;
  private waiting: Request[];
  private waitingBytes: number;
  private readonly scratch: ByteWriter;
  private wire: Wire | undefined;
  private wires: number;
  private establishedAt: number;
  /** When the ping that has no reply yet was written. */
  private pingSentAt: number | undefined;
  private lastZxid: number;
  private nextXid: number;
  private generation: number;
  private ticket: SessionTicket | undefined;
  private attemptErrors: Map<string, Error>;
  /** Of paths in one setWatches; less where a server hung up on more. */
  private batchBytes: number;
  /** Attempts that failed since the last connection. */
  private failedAttempts: number;
  private retryTimer: unknown;
  private livenessTimer: unknown;
  private expiryTimer: unknown;
  private establishTimer: unknown;
  private starting: { resolve: () => void; reject: (error: Error) => void } | undefined;
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
    this.hosts = new HostList(settings.hosts, () => environment.random());
    this.credentials = settings.auth.map(({ scheme, auth }) => ({
      scheme,
      auth,
      isConfirmed: false,
      waiting: undefined,
    }));
    this.shown = [];
    this.pending = new PendingQueue();
    this.unflushed = 0;
    this.waiting = [];
    this.waitingBytes = 0;
    this.scratch = new ByteWriter();
    this.wire = undefined;
    this.wires = 0;
    this.establishedAt = 0;
    this.pingSentAt = undefined;
    this.lastZxid = 0;
    this.nextXid = settings.firstXid;
    this.generation = 0;
    this.ticket = settings.resume;
    this.attemptErrors = new Map();
    this.batchBytes = BATCH_BYTES;
    this.failedAttempts = 0;
    this.retryTimer = undefined;
    this.livenessTimer = undefined;
    this.expiryTimer = undefined;
    this.establishTimer = undefined;
    this.starting = undefined;
    this.closing = undefined;
  }

  /** Resolves with the first session, its credentials taken. After a rejection all is closed. */
  start(): Promise<void> {
    const { establishTimeoutMs } = this.settings;
    const started = new Promise<void>((resolve, reject) => {
      this.starting = { resolve, reject };
    });
    if (establishTimeoutMs > 0) {
      this.establishTimer = this.environment.setTimer(
        () => this.startFailed(this.noServerError(`no session within ${establishTimeoutMs} ms`)),
        establishTimeoutMs,
      );
    }
    this.attempt();
    return started;
  }

  /** The same as start() failing by itself: for an aborted signal. */
  abortStart(reason: unknown): void {
    this.startFailed(new ZkError('ABORTED', { op: 'connect', outcome: 'not-sent', cause: reason }));
  }

  /** Sends a request in the order of the calls. The stack of what it rejects with names who awaits it. */
  call<T>(spec: RequestSpec<T>, options: OpOptions | undefined): Promise<T> {
    const policy = this.policyFor(spec, options);
    return policy === undefined
      ? this.callOnce(spec, options)
      : this.repeat(spec, options, policy, () => this.callOnce(spec, options));
  }

  /** As the policy says that holds for this request, if any, repeats `once`, which consists of several requests. */
  callInTurn<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
    once: () => Promise<T>,
  ): Promise<T> {
    const policy = this.policyFor(spec, options);
    return policy === undefined ? once() : this.repeat(spec, options, policy, once);
  }

  private policyFor(
    spec: RequestSpec<unknown>,
    options: OpOptions | undefined,
  ): RetryPolicy | undefined {
    const policy = options?.retry ?? this.settings.retry;
    // A call that leaves a watch is expected by the registry once.
    return policy === false || spec.finished !== undefined ? undefined : policy;
  }

  private async callOnce<T>(spec: RequestSpec<T>, options: OpOptions | undefined): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.submit(
          spec as RequestSpec<unknown>,
          options,
          resolve as (value: unknown) => void,
          reject,
        );
      });
    } catch (error) {
      throw atCaller(error);
    }
  }

  private async repeat<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
    policy: RetryPolicy,
    once: () => Promise<T>,
  ): Promise<T> {
    const startedAt = this.environment.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await once();
      } catch (error) {
        const isClosed = this.isOver || this.closing !== undefined;
        if (isClosed || !mayRepeat(spec, error)) throw error;
        const pauseMs = policy.next(attempt, this.environment.now() - startedAt, error);
        if (pauseMs === undefined) throw error;
        await this.pause(pauseMs, options?.signal);
      }
    }
  }

  /** Ends early when the signal aborts: the next try says so. */
  private pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.environment.clearTimer(timer);
        forget?.();
        resolve();
      };
      const timer = this.environment.setTimer(done, ms);
      const forget =
        signal === undefined || signal.aborted ? undefined : this.aborts.onAbort(signal, done);
    });
  }

  /** As call(), without the stack, and returns the request too, whose `wireNumber` tells who answered. */
  callTracked<T>(
    spec: RequestSpec<T>,
    options: OpOptions | undefined,
  ): { promise: Promise<T>; request: Request | undefined } {
    let request: Request | undefined;
    const promise = new Promise<T>((resolve, reject) => {
      request = this.submit(
        spec as RequestSpec<unknown>,
        options,
        resolve as (value: unknown) => void,
        reject,
      );
    });
    return { promise, request };
  }

  /** Shows credentials now and on every later connection; resolves when the server took them. */
  addAuth(scheme: string, auth: Uint8Array): Promise<void> {
    if (this.isOver) return Promise.reject(this.overError('addAuth', undefined));
    return new Promise((resolve, reject) => {
      const credential: Credential = {
        scheme,
        auth,
        isConfirmed: false,
        waiting: { resolve, reject },
      };
      this.credentials.push(credential);
      if (this.isConnected && this.wire !== undefined) {
        this.show(this.wire, credential);
        this.wire.flushSoon();
      }
    });
  }

  setHosts(hosts: readonly Host[]): void {
    this.hosts.replace(hosts);
    if (this.wire !== undefined && !this.hosts.has(this.wire.host)) {
      this.drop(new Error('The list of servers changed'));
    }
  }

  /**
   * Ends the session behind all that was called before; resolves when the server has heard it, or
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
    const request = new Request(closeSpec, this.takeXid(), {
      // Lost on the way, or only its reply? The next connection tells: it is refused, or says it again.
      isResendable: true,
      resolve: done,
      reject: done,
    });
    // Suspended: ephemeral znodes should not have to wait for the expiry, so come back to say it.
    const refusal =
      this.wire !== undefined && this.isConnected
        ? this.write(this.wire, request)
        : this.hold(request);
    if (refusal !== undefined) done();
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
    return this.settings.tls !== undefined;
  }

  get maxPacketBytes(): number {
    return this.settings.maxPacketBytes;
  }

  get isConnected(): boolean {
    return this.state.status === 'connected';
  }

  // --- What the wire reports -----------------------------------------------------------------

  established(wire: Wire, response: ConnectResponse): void {
    if (wire !== this.wire) return;
    if (response.timeoutMs <= 0) {
      // The server closes behind its refusal; nothing more is wanted from this connection.
      this.wire = undefined;
      wire.destroy();
      this.expire('server');
      return;
    }
    const now = this.environment.now();
    const isNewSession = this.session === undefined || this.session.isOver;
    if (isNewSession) {
      this.generation++;
      this.session = new ClientSession(
        { id: response.sessionId, password: response.password },
        this.generation,
      );
      this.ticket = this.session;
    }
    const session = this.session as ClientSession;
    session.timeoutMs = response.timeoutMs;
    session.safeUntil = now + response.timeoutMs;
    this.establishedAt = now;
    this.failedAttempts = 0;
    this.pingSentAt = undefined;
    this.clearTimer('expiryTimer');
    for (const credential of this.credentials) this.show(wire, credential);
    this.rearm(wire, isNewSession);
    this.setState({
      status: 'connected',
      server: formatAddress(wire.host.host, wire.host.port),
      readOnly: response.readOnly === true,
    });
    this.writeWaiting(wire);
    wire.flushSoon();
    this.watchLiveness(wire);
    if (isNewSession) this.events.sessionStarted(session);
    if (this.shown.length === 0) this.startSucceeded();
  }

  received(wire: Wire, xid: number, zxid: number, errno: number, reader: ByteReader): void {
    if (wire !== this.wire) return;
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (xid === Xid.notification) {
      const event = readWatcherEvent(reader);
      this.watches.dispatch(event.type, event.path, zxid > 0 ? zxid : undefined);
    } else if (xid === Xid.ping) {
      this.pinged();
    } else if (xid === Xid.auth) {
      this.authAnswered(errno);
    } else {
      this.answered(wire, xid, zxid, errno, reader);
    }
  }

  flushed(wire: Wire): void {
    if (wire === this.wire) this.unflushed = 0;
  }

  closed(wire: Wire, reason: Error | undefined): void {
    if (wire !== this.wire) return;
    this.wire = undefined;
    this.lost(wire, reason);
  }

  // --- Requests ------------------------------------------------------------------------------

  private submit(
    spec: RequestSpec<unknown>,
    options: OpOptions | undefined,
    resolve: (value: unknown) => void,
    reject: (error: ZkError) => void,
  ): Request | undefined {
    const { op, path } = spec;
    if (this.isOver || this.closing !== undefined) {
      spec.finished?.();
      reject(this.overError(op, path));
      return undefined;
    }
    if (options?.signal?.aborted) {
      spec.finished?.();
      reject(
        new ZkError('ABORTED', { op, path, outcome: 'not-sent', cause: options.signal.reason }),
      );
      return undefined;
    }
    const isResendable = spec.isRead && options?.retry !== false;
    const request = new Request(spec, this.takeXid(), { isResendable, resolve, reject });
    const { wire } = this;
    const refusal =
      wire !== undefined && this.isConnected ? this.write(wire, request) : this.hold(request);
    if (refusal !== undefined) {
      spec.finished?.();
      request.fail(refusal);
      return undefined;
    }
    this.limit(request, options);
    return request;
  }

  /** Writes into the connection's next flush; returns why not. */
  private write(wire: Wire, request: Request): ZkError | undefined {
    return this.encodeInto(wire, request, this.settings.maxQueuedBytes);
  }

  private encodeInto(
    wire: Wire,
    request: Request,
    maxQueuedBytes = Number.POSITIVE_INFINITY,
  ): ZkError | undefined {
    const { out } = wire;
    const mark = out.offset;
    const refusal =
      this.encode(out, request) ??
      (wire.queuedBytes > maxQueuedBytes ? this.queueFull(request) : undefined);
    if (refusal !== undefined) {
      out.offset = mark;
      return refusal;
    }
    request.frame = undefined;
    request.frameStart = mark;
    request.frameEnd = out.offset;
    request.writes++;
    request.writtenAt = this.environment.now();
    this.pending.push(request);
    this.unflushed++;
    wire.flushSoon();
    return undefined;
  }

  /** Keeps the request for the next connection; returns why not. */
  private hold(request: Request): ZkError | undefined {
    const scratch = this.scratch.reset();
    const refusal = this.encode(scratch, request);
    if (refusal !== undefined) return refusal;
    if (this.waitingBytes + scratch.offset > this.settings.maxQueuedBytes) {
      return this.queueFull(request);
    }
    request.frame = Buffer.from(scratch.view());
    this.waiting.push(request);
    this.waitingBytes += request.frame.length;
    return undefined;
  }

  private encode(writer: ByteWriter, request: Request): ZkError | undefined {
    const { spec, xid } = request;
    const { op, path } = spec;
    const mark = beginFrame(writer);
    writer.int32(xid);
    writer.int32(spec.type);
    try {
      spec.encode(writer);
    } catch (error) {
      const detail = (error as Error).message;
      return new ZkError('BAD_ARGUMENTS', { op, path, outcome: 'not-sent', detail, cause: error });
    }
    endFrame(writer, mark);
    const length = writer.offset - mark - 4;
    const limit = this.settings.maxPacketBytes;
    if (length <= limit) return undefined;
    // The server would close the connection without a word, and take all other requests along.
    const detail = `${length} bytes, limit ${limit}`;
    return new ZkError('TOO_LARGE', { op, path, outcome: 'not-sent', detail });
  }

  private queueFull(request: Request): ZkError {
    const { op, path } = request.spec;
    const detail = `limit ${this.settings.maxQueuedBytes} bytes`;
    return new ZkError('QUEUE_FULL', { op, path, outcome: 'not-sent', detail });
  }

  private limit(request: Request, options: OpOptions | undefined): void {
    const timeoutMs = options?.timeoutMs ?? this.settings.requestTimeoutMs;
    const signal = options?.signal;
    if (timeoutMs <= 0 && signal === undefined) return;
    const { environment } = this;
    const timer =
      timeoutMs > 0
        ? environment.setTimer(() => request.giveUp('TIMEOUT', undefined), timeoutMs)
        : undefined;
    const forget =
      signal && this.aborts.onAbort(signal, () => request.giveUp('ABORTED', signal.reason));
    request.onSettled(() => {
      if (timer !== undefined) environment.clearTimer(timer);
      forget?.();
    });
  }

  private answered(wire: Wire, xid: number, zxid: number, errno: number, reader: ByteReader): void {
    const request = this.pending.shift();
    if (request === undefined || request.xid !== xid) {
      // Replies come in the order of requests. If not, nobody knows which is whose.
      if (request !== undefined) this.unsureOf(request, undefined);
      const expected = request === undefined ? 'none' : `xid ${request.xid}`;
      this.drop(new Error(`Reply for xid ${xid} came where ${expected} was due`));
      return;
    }
    const { spec } = request;
    this.heard(request.writtenAt);
    request.wireNumber = wire.number;
    if (request.isSettled) {
      spec.finished?.();
      // An `exists` of a missing znode leaves a watch, too.
      if (errno === ErrorCode.OK || errno === spec.answerErrno) spec.abandoned?.();
      return;
    }
    if (errno !== ErrorCode.OK && errno !== spec.answerErrno) {
      spec.finished?.();
      const detail = spec.advice?.(errno);
      request.fail(serverError(errno, { op: spec.op, path: spec.path, zxid, detail }));
      return;
    }
    try {
      const value = spec.decode(reader, errno, zxid);
      spec.finished?.();
      request.succeed(value);
    } catch (error) {
      if (error instanceof ZkError) {
        spec.finished?.();
        request.fail(error);
        return;
      }
      this.unsureOf(request, error);
      this.drop(error as Error);
    }
  }

  private unsureOf(request: Request, cause: unknown): void {
    const { op, path } = request.spec;
    request.spec.finished?.();
    request.fail(new ConnectionLossError({ op, path, outcome: 'unknown', cause }));
  }

  private takeXid(): number {
    const xid = this.nextXid;
    this.nextXid = xid === MAX_XID ? 1 : xid + 1;
    return xid;
  }

  // --- Connections ---------------------------------------------------------------------------

  private attempt(): void {
    this.retryTimer = undefined;
    const { settings, environment } = this;
    this.wires++;
    this.wire = new Wire({
      environment,
      host: this.hosts.next(),
      tls: settings.tls,
      attemptTimeoutMs: this.attemptTimeoutMs(),
      maxReplyBytes: settings.maxReplyBytes,
      number: this.wires,
      handshake: {
        protocolVersion: 0,
        lastZxidSeen: BigInt(this.lastZxid),
        timeoutMs: settings.sessionTimeoutMs,
        sessionId: this.ticket?.id ?? 0n,
        password: this.ticket?.password ?? NEVER_SEEN_BYTES,
        readOnly: settings.readOnly,
      },
      owner: this,
    });
  }

  private attemptTimeoutMs(): number {
    const timeoutMs = this.session?.timeoutMs ?? this.settings.sessionTimeoutMs;
    return (
      this.settings.connectTimeoutMs ?? Math.max(timeoutMs / Math.max(this.hosts.size, 2), 500)
    );
  }

  private attemptLater(): void {
    const pauseMs = this.hosts.pauseMs();
    if (pauseMs === 0) this.attempt();
    else this.retryTimer = this.environment.setTimer(() => this.attempt(), pauseMs);
  }

  /** Gives up the current connection; the next is tried at once. */
  private drop(reason: Error): void {
    const { wire } = this;
    if (wire === undefined) return;
    this.wire = undefined;
    wire.destroy(reason);
    this.lost(wire, reason);
  }

  /** The connection, or the attempt at one, has ended. */
  private lost(wire: Wire, reason: Error | undefined): void {
    this.clearTimer('livenessTimer');
    this.shown = [];
    const server = formatAddress(wire.host.host, wire.host.port);
    if (!this.isConnected) {
      const error = reason ?? new Error('Closed without an answer');
      this.attemptErrors.set(server, error);
      this.failedAttempts++;
      this.events.attemptFailed({ server, error, attempt: this.failedAttempts });
      this.attemptLater();
      return;
    }
    this.recoverRequests(wire, reason);
    if (this.isOver) return;
    const session = this.session as ClientSession;
    this.attemptErrors = new Map([[server, reason ?? new Error('Closed by the server')]]);
    if (this.environment.now() - this.establishedAt >= SERVED_MS) this.hosts.served();
    this.setState({ status: 'suspended' });
    this.expiryTimer = this.environment.setTimer(
      () => this.expire('local'),
      Math.max(wire.lastReceivedAt + (session.timeoutMs * 4) / 3 - this.environment.now(), 0),
    );
    this.attemptLater();
  }

  /** Sorts what was on its way into what failed and what can be sent again, in order. */
  private recoverRequests(wire: Wire, reason: Error | undefined): void {
    const { pending } = this;
    this.pending = new PendingQueue();
    const firstUnflushed = pending.length - this.unflushed;
    this.unflushed = 0;
    const again: Request[] = [];
    // A server whose jute.maxbuffer is smaller than what was sent to it hangs up without a word, time and again.
    let hasShrunk = false;
    const count = pending.length;
    for (let i = 0; i < count; i++) {
      const request = pending.shift() as Request;
      const isUnsent = i >= firstUnflushed;
      if (!isUnsent && request.xid === Xid.setWatches && !hasShrunk) {
        hasShrunk = true;
        this.batchBytes = Math.max(this.batchBytes / 2, SMALLEST_BATCH_BYTES);
      }
      if (request.isSettled) {
        request.spec.finished?.();
      } else if (isUnsent && request.xid !== Xid.setWatches) {
        request.writes--;
        request.frame = Buffer.from(wire.out.bytes.subarray(request.frameStart, request.frameEnd));
        again.push(request);
      } else if (request.isResendable && request.writes < MAX_WRITES) {
        const scratch = this.scratch.reset();
        this.encode(scratch, request);
        request.frame = Buffer.from(scratch.view());
        again.push(request);
      } else {
        this.unsureOf(request, reason);
      }
    }
    // Nothing waited while there was a connection.
    for (const request of again) this.waitingBytes += (request.frame as Buffer).length;
    this.waiting = again;
  }

  private writeWaiting(wire: Wire): void {
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    const now = this.environment.now();
    for (const request of waiting) {
      if (request.isSettled) {
        request.spec.finished?.();
        continue;
      }
      const frame = request.frame as Buffer;
      request.frame = undefined;
      request.frameStart = wire.out.offset;
      wire.out.raw(frame, 0, frame.length);
      request.frameEnd = wire.out.offset;
      request.writes++;
      request.writtenAt = now;
      this.pending.push(request);
      this.unflushed++;
    }
  }

  // --- Life signs ----------------------------------------------------------------------------

  /** Pings when we have been silent, and gives up on a server that is. */
  private watchLiveness(wire: Wire): void {
    const session = this.session as ClientSession;
    const pingAfterMs = Math.min(session.timeoutMs / 3, LONGEST_PING_MS);
    const silentAfterMs = (session.timeoutMs * 2) / 3;
    const now = this.environment.now();
    const silentMs = now - wire.lastReceivedAt;
    if (silentMs >= silentAfterMs) {
      this.drop(new Error(`Nothing from the server for ${Math.round(silentMs)} ms`));
      return;
    }
    // A server may owe us nothing but what we ask for: ask when either direction is quiet.
    const quietMs = Math.max(now - wire.lastSentAt, silentMs);
    if (quietMs >= pingAfterMs && this.pingSentAt === undefined) {
      this.pingSentAt = now;
      wire.ping();
    }
    const nextMs = Math.min(
      this.pingSentAt === undefined ? pingAfterMs - quietMs : pingAfterMs,
      silentAfterMs - silentMs,
    );
    this.livenessTimer = this.environment.setTimer(
      () => this.watchLiveness(wire),
      Math.max(nextMs, 1),
    );
  }

  private pinged(): void {
    if (this.pingSentAt !== undefined) this.heard(this.pingSentAt);
    this.pingSentAt = undefined;
  }

  /** What was written then has been answered. */
  private heard(writtenAt: number): void {
    const session = this.session as ClientSession;
    const safeUntil = writtenAt + session.timeoutMs;
    if (safeUntil > session.safeUntil) session.safeUntil = safeUntil;
  }

  private expire(detectedBy: 'server' | 'local'): void {
    const error = new SessionExpiredError(detectedBy, { outcome: 'failed' });
    this.clearTimer('expiryTimer');
    this.clearTimer('retryTimer');
    const attempt = this.wire;
    this.wire = undefined;
    attempt?.destroy();
    this.session?.end(error);
    this.watches.failOneShots(error);
    this.ticket = undefined;
    // A new session is new to every server: one that was wiped may serve it too.
    this.lastZxid = 0;
    if (this.starting !== undefined) {
      this.startFailed(error);
      return;
    }
    this.failWaiting(error);
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

  /** Of what waits, only plain reads mean the same in another session. */
  private failWaiting(error: SessionExpiredError): void {
    const kept: Request[] = [];
    this.waitingBytes = 0;
    for (const request of this.waiting) {
      const { op, path, isRead, isSessionBound, finished } = request.spec;
      if (!request.isSettled && isRead && !isSessionBound && this.settings.onExpire === 'renew') {
        kept.push(request);
        this.waitingBytes += (request.frame as Buffer).length;
        continue;
      }
      finished?.();
      const details = { op, path, outcome: 'not-sent', cause: error } as const;
      request.fail(new SessionExpiredError(error.detectedBy, details));
    }
    this.waiting = kept;
  }

  // --- Credentials and watches on a new connection -------------------------------------------

  private show(wire: Wire, credential: Credential): void {
    const request: AuthRequest = { type: 0, scheme: credential.scheme, auth: credential.auth };
    const mark = beginFrame(wire.out);
    wire.out.int32(Xid.auth);
    wire.out.int32(OpCode.auth);
    writeAuthRequest(wire.out, request);
    endFrame(wire.out, mark);
    this.shown.push(credential);
  }

  private authAnswered(errno: number): void {
    const credential = this.shown.shift();
    if (credential === undefined) {
      this.drop(new Error('An auth reply came where none was due'));
      return;
    }
    if (errno === ErrorCode.OK) {
      credential.isConfirmed = true;
      credential.waiting?.resolve();
      credential.waiting = undefined;
      if (this.shown.length === 0) this.startSucceeded();
      return;
    }
    const error = serverError(errno, { op: 'addAuth' });
    this.credentials.splice(this.credentials.indexOf(credential), 1);
    credential.waiting?.reject(error);
    // The server closes now. A credential of our start, or one that was good before, is not
    // something to go on without.
    if (this.starting !== undefined) this.startFailed(error);
    else if (credential.isConfirmed) this.finish({ status: 'auth-failed' }, () => error);
    else this.drop(error);
  }

  /**
   * Sets the watches again, ahead of the requests that wait. They do not count against maxQueuedBytes: they
   * are no calls of the user, who could do nothing about a refusal.
   */
  private rearm(wire: Wire, isNewSession: boolean): void {
    const room = this.settings.maxPacketBytes - BATCH_OVERHEAD_BYTES;
    const batchBytes = Math.min(this.batchBytes, room);
    const batches = this.watches.batches(this.lastZxid, isNewSession, batchBytes);
    const reason = isNewSession ? 'new-session' : 'reconnected';
    let left = batches.length;
    const settled = (): void => {
      left--;
      if (left === 0) this.watches.announce({ type: 'resync', reason });
    };
    for (const batch of batches) {
      const failed = (error: ZkError): void => {
        // Lost with the connection: the next one sets them again.
        if (error.code === 'CONNECTION_LOSS' || error.code === 'CLOSED') return;
        this.watches.failBatch(batch, error);
        settled();
      };
      const request = new Request(setWatchesSpec(batch), Xid.setWatches, {
        isResendable: false,
        resolve: settled,
        reject: failed,
      });
      const refusal = this.encodeInto(wire, request);
      if (refusal !== undefined) failed(refusal);
    }
  }

  // --- Beginning and end ---------------------------------------------------------------------

  private startSucceeded(): void {
    this.clearTimer('establishTimer');
    this.starting?.resolve();
    this.starting = undefined;
  }

  private startFailed(error: Error): void {
    const { starting } = this;
    if (starting === undefined) return;
    this.starting = undefined;
    this.finish({ status: 'closed' }, closedError);
    starting.reject(error);
  }

  private noServerError(detail: string): ConnectionLossError {
    const errors = [...this.attemptErrors].map(
      ([server, error]) => new Error(`${server}: ${error.message}`, { cause: error }),
    );
    const causes = errors.map((error) => error.message).join('; ');
    return new ConnectionLossError({
      op: 'connect',
      outcome: 'not-sent',
      detail: causes === '' ? detail : `${detail} (${causes})`,
      cause: new AggregateError(errors, detail),
    });
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

  /** Everything ends; whoever waits for anything is told. */
  private finish(state: State, errorFor: (outcome: 'not-sent' | 'unknown') => ZkError): void {
    if (this.isOver) {
      this.closing?.resolve();
      return;
    }
    for (const timer of ['retryTimer', 'livenessTimer', 'expiryTimer', 'establishTimer'] as const) {
      this.clearTimer(timer);
    }
    const { wire, pending, waiting } = this;
    this.wire = undefined;
    this.setState(state);
    if (wire?.isEstablished) wire.end();
    else wire?.destroy();
    this.pending = new PendingQueue();
    this.waiting = [];
    while (pending.length > 0) this.over(pending.shift() as Request, errorFor('unknown'));
    for (const request of waiting) this.over(request, errorFor('not-sent'));
    const error = errorFor('not-sent');
    for (const credential of this.credentials) credential.waiting?.reject(error);
    this.watches.failOneShots(error);
    this.watches.finishStreams(state.status === 'closed' ? undefined : error);
    this.session?.end(error);
    this.closing?.resolve();
  }

  private over(request: Request, error: ZkError): void {
    const { op, path, finished } = request.spec;
    finished?.();
    request.fail(new ZkError(error.code, { op, path, outcome: error.outcome, cause: error.cause }));
  }

  private setState(state: State): void {
    this.state = state;
    this.events.stateChanged(state);
  }

  private clearTimer(
    name: 'retryTimer' | 'livenessTimer' | 'expiryTimer' | 'establishTimer',
  ): void {
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

function setWatchesSpec(request: SetWatchesRequest): RequestSpec<unknown> {
  return {
    type: request.persistent === undefined ? OpCode.setWatches : OpCode.setWatches2,
    op: 'setWatches',
    isRead: false,
    isSessionBound: true,
    encode: (writer) => writeSetWatchesRequest(writer, request),
    decode: () => undefined,
  };
}
